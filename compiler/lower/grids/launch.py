"""Grids in explicit form: upstream's `gpu.launch`, along x alone."""

from collections.abc import Sequence

from xdsl.dialects import gpu
from xdsl.dialects.builtin import DenseArrayBase, LocationAttr, i32
from xdsl.ir import Block, Region, SSAValue

from stepwell.compiler.dialects.construct import append, construct
from stepwell.compiler.dialects.loop.syntax import INDEX

BLOCK, THREAD = 0, 3
"""The arguments of a launch's body along x; behind them those along y and z, then the sizes."""
ARGUMENTS = 12
SEGMENTS = {"operandSegmentSizes": DenseArrayBase.from_list(i32, [0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0])}


def launch(
    blocks: SSAValue, threads: SSAValue, one: SSAValue, body: Block, location: LocationAttr
) -> gpu.LaunchOp:
    """So many blocks of so many threads run the body, which takes the twelve indices of its place
    and is ended here."""
    append(body, construct(gpu.TerminatorOp, location=location))
    sizes: Sequence[SSAValue] = (blocks, one, one, threads, one, one)
    op = construct(gpu.LaunchOp, sizes, (), SEGMENTS, location)
    op.add_region(Region(body))
    return op


def empty_body() -> Block:
    return Block(arg_types=[INDEX] * ARGUMENTS)
