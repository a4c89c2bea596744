"""Memory that the threads of a block have in common."""

from xdsl.dialects.gpu import LaunchOp
from xdsl.ir import SSAValue
from xdsl.irdl import IRDLOperation, irdl_op_definition, opt_prop_def, result_def
from xdsl.utils.exceptions import VerifyException

from stepwell.compiler.dialects.loop.host import ViewOp
from stepwell.compiler.dialects.loop.types import BufferType
from stepwell.compiler.dialects.sizes import NumberAttr


@irdl_op_definition
class SharedOp(IRDLOperation):
    """A buffer that every block of a grid has one of, as long as it runs. It is of fixed size, or
    `dynamic`, the only such one of a grid: as much as the host says when it launches that, and no
    more than so many bytes.

    ```
    nvg.shared : !loop.buffer<[4096] x f32>
    nvg.shared dynamic <101376> : !loop.buffer<[4*N] x i8>
    ```
    """

    name = "nvg.shared"
    dynamic = opt_prop_def(NumberAttr)
    result = result_def(BufferType)
    assembly_format = "(`dynamic` $dynamic^)? attr-dict `:` type($result)"

    def verify_(self) -> None:
        assert isinstance(self.result.type, BufferType)
        if self.dynamic is None and self.result.type.count.static is None:
            raise VerifyException("shared memory has a fixed size")
        grid = self.parent_op()
        while grid is not None and not isinstance(grid, LaunchOp):
            grid = grid.parent_op()
        if self.dynamic is None or grid is None:
            return
        if any(isinstance(op, SharedOp) and op.dynamic and op is not self for op in grid.walk()):
            raise VerifyException("a grid has one buffer of dynamic size")


def is_shared(buffer: SSAValue) -> bool:
    """Whether a buffer lies in memory that a block shares."""
    owner = buffer.owner
    return is_shared(owner.base) if isinstance(owner, ViewOp) else isinstance(owner, SharedOp)
