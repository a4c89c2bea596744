"""The context of a call as compiled code sees it: words, named in `runtime/context.py`."""

from enum import IntEnum

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.cursor import Operand
from stepwell.compiler.dialects.llvm.types import i64, ptr
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder


class Word(IntEnum):
    """Numbers of the words. Those behind `SITE` are read by code that launches kernels on a GPU."""

    VERSION = 0
    WORKSPACE = 1
    PARALLEL_FOR = 2
    POOL = 3
    HOST = 4
    IMPORTS = 5
    ERROR = 6
    SITE = 7
    LAUNCH = 8
    KERNELS = 9
    STREAM = 10
    COPY = 11
    WAIT = 12


class Error(IntEnum):
    """Why an entry point returned 1: values of the word ERROR."""

    ASSERTION = 1
    HOST = 2
    CUSTOM = 3
    DEVICE = 4


def read(build: LlvmBuilder, context: SSAValue, word: Word) -> SSAValue:
    """A word that is a pointer."""
    return build.load(build.gep(context, word, i64), ptr)


def fail(build: LlvmBuilder, context: SSAValue, error: Error, site: Operand) -> None:
    """Say why, and leave the function."""
    for word, value in ((Word.ERROR, int(error)), (Word.SITE, site)):
        build.store(build.value(value, i64), build.gep(context, word, i64))
    build.ret(1)
