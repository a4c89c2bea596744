"""Copies into shared memory that go on while their threads do something else."""

from xdsl.dialects.builtin import i1
from xdsl.irdl import IRDLOperation, irdl_op_definition, operand_def, prop_def, traits_def
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect
from xdsl.utils.exceptions import VerifyException

from stepwell.compiler.dialects.gpu.memory import is_shared
from stepwell.compiler.dialects.loop.syntax import INDEX
from stepwell.compiler.dialects.loop.types import BufferType
from stepwell.compiler.dialects.sizes import NumberAttr


@irdl_op_definition
class AsyncCopyOp(IRDLOperation):
    """Sixteen bytes of the card's memory, or zeros without a look at the source where a condition
    does not hold, to memory that a block shares; both offsets are multiples of sixteen bytes. They
    may arrive at any time until they are waited for.

    ```
    nvg.cp_async %x[%i] to %s[%j] where %c : !loop.buffer<[B, 8] x f16>, !loop.buffer<[64] x f16>
    ```
    """

    name = "nvg.cp_async"
    source = operand_def(BufferType)
    offset = operand_def(INDEX)
    target = operand_def(BufferType)
    place = operand_def(INDEX)
    condition = operand_def(i1)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = (
        "$source `[` $offset `]` `to` $target `[` $place `]` `where` $condition attr-dict"
        " `:` type($source) `,` type($target)"
    )

    def verify_(self) -> None:
        source, target = self.source.type, self.target.type
        assert isinstance(source, BufferType)
        assert isinstance(target, BufferType)
        if source.element != target.element:
            raise VerifyException("what is copied keeps its type")
        if is_shared(self.source) or not is_shared(self.target):
            raise VerifyException("a copy goes from the card's memory to what a block shares")


@irdl_op_definition
class CommitOp(IRDLOperation):
    """The copies that the thread began since the last time are a group."""

    name = "nvg.commit_group"
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "attr-dict"


@irdl_op_definition
class WaitOp(IRDLOperation):
    """All groups of the thread's copies have arrived but the last few: `nvg.wait_group <2>`."""

    name = "nvg.wait_group"
    pending = prop_def(NumberAttr)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "$pending attr-dict"
