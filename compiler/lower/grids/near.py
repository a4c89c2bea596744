"""What of a row lies near: in the memory that the threads share whose work the row is."""

from collections.abc import Iterator, Sequence

from xdsl.ir import Block, Region, SSAValue

from stepwell.compiler.dialects.construct import construct, segments
from stepwell.compiler.dialects.loop.nests import KernelOp, LocalOp, NestOp, ReadOp, WriteOp
from stepwell.compiler.dialects.loop.syntax import INDEX
from stepwell.compiler.dialects.loop.types import AccessAttr, Affine, BufferType, buffer_type
from stepwell.compiler.dialects.sizes import SizesAttr
from stepwell.compiler.lower.analysis import Access, Analysis
from stepwell.compiler.lower.grids.apart import row_of
from stepwell.compiler.lower.strategies.base import buffer_bytes
from stepwell.compiler.lower.strategies.rows import aligned_axes
from stepwell.compiler.lower.writer import ONE, ZERO

OTHERS = 4096
"""Bytes that are left for what folds come to."""


def bring_near(
    kernel: KernelOp, nests: Sequence[Analysis], outer: int, room: int
) -> dict[SSAValue, BufferType]:
    """The locals of which there is no room for a row, as far as that is known. If there is some
    left, inputs are brought there that are read along rows in a fold, or several times."""
    far, left = dict[SSAValue, BufferType](), room - OTHERS
    for value, type in {**kernel.locals, **dict(_inputs(kernel, nests, outer))}.items():
        bytes = buffer_bytes(row_of(type, outer)).static or 0
        if bytes > left and isinstance(value.owner, LocalOp):
            far[value] = type
        elif bytes <= left:
            left -= bytes
            _bring(kernel, value, type)
    return far


def _inputs(
    kernel: KernelOp, nests: Sequence[Analysis], outer: int
) -> Iterator[tuple[SSAValue, BufferType]]:
    every = [(nest, access) for nest in nests for access in nest.accesses.values()]
    for value in kernel.arguments:
        found = [each for each in every if each[1].buffer is value]
        again = len(found) > 1 or any(nest.around.get(access.op) for nest, access in found)
        if again and all(_is_of_row(*each, outer) for each in found):
            yield value, buffer_type(value)


def _is_of_row(nest: Analysis, access: Access, outer: int) -> bool:
    plain = isinstance(access.op, ReadOp) and access.op.condition is None
    return plain and aligned_axes(nest, access) >= outer


def _bring(kernel: KernelOp, source: SSAValue, type: BufferType) -> None:
    """A nest before all others fills a local with an input, which the others read; what is one
    already stays."""
    if isinstance(source.owner, LocalOp):
        return
    local = construct(LocalOp, (), (type,))
    for use in [use for use in source.uses if isinstance(use.operation, ReadOp)]:
        use.operation.operands[use.index] = local.result
    body = Block(arg_types=[INDEX] * len(type.shape))
    here = AccessAttr(tuple(Affine(((ONE, axis),), ZERO) for axis in range(len(type.shape))))
    properties = {"access": here, **segments(1, len(type.shape), 0)}
    read = construct(ReadOp, (source, *body.args), (type.element,), properties)
    write = construct(WriteOp, (read.result, local.result, *body.args), (), {"access": here})
    body.add_ops((read, write))
    sizes = {"sizes": SizesAttr(type.shape)}
    nest = construct(NestOp, (), (), sizes, kernel.location, regions=[Region(body)])
    block = kernel.body.block
    assert block.first_op is not None
    block.insert_ops_before((local, nest), block.first_op)
