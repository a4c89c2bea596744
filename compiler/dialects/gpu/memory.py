"""Memory that the threads of a block have in common."""

from xdsl.irdl import IRDLOperation, irdl_op_definition, result_def
from xdsl.utils.exceptions import VerifyException

from stepwell.compiler.dialects.loop.types import BufferType


@irdl_op_definition
class SharedOp(IRDLOperation):
    """A buffer of fixed size that every block of a grid has one of, as long as it runs:
    `nvg.shared : !loop.buffer<[4096] x f32>`."""

    name = "nvg.shared"
    result = result_def(BufferType)
    assembly_format = "attr-dict `:` type($result)"

    def verify_(self) -> None:
        assert isinstance(self.result.type, BufferType)
        if self.result.type.count.static is None:
            raise VerifyException("shared memory has a fixed size")
