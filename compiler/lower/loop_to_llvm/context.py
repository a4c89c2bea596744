"""The context of a call as compiled code sees it: the words of `runtime/context.py`."""

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.cursor import Operand
from stepwell.compiler.dialects.llvm.types import i64, ptr
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.runtime.context import Error, Word


def read(build: LlvmBuilder, context: SSAValue, word: Word) -> SSAValue:
    """A word that is a pointer."""
    return build.load(build.gep(context, word, i64), ptr)


def fail(build: LlvmBuilder, context: SSAValue, error: Error, site: Operand) -> None:
    """Say why, and leave the function."""
    for word, value in ((Word.ERROR, int(error)), (Word.SITE, site)):
        build.store(build.value(value, i64), build.gep(context, word, i64))
    build.ret(1)
