"""The strategy `map`: the nests one after the other, each over tiles of vectors. It always fits."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import log2, prod
from typing import ClassVar, Self, final

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import size
from stepwell.compiler.dialects.loop.nests import KernelOp, ReadOp, SortOp
from stepwell.compiler.dialects.loop.types import LANE_COUNT, buffer_type
from stepwell.compiler.lower.analysis import Analysis, Axis, lanes_of
from stepwell.compiler.lower.columns import columns_of, folded, is_from_afar, rows_together
from stepwell.compiler.lower.costs import (
    ROUNDS,
    TASKS,
    best_lanes,
    evenly,
    length,
    nanoseconds,
    steps,
    task_time,
    turned_axis,
)
from stepwell.compiler.lower.folds import Block
from stepwell.compiler.lower.strategies.base import Refusal, Strategy, expanding, place, total_bytes
from stepwell.compiler.lower.tiling import Intervals, NestLoops, Tasks, Tiling, unless_empty
from stepwell.compiler.lower.writer import ONE, Bound, Writer
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.sizes import Size

VECTORS = 4
LENGTHS = ((VECTORS, 48), (2, 192))
"""Vectors of a tile for bodies of fewer steps than this."""
BAND, NARROW, SHORT = 32, 16, 128
"""Of a band of squares: lines next to each other of what is written, down its rows, while what is
read goes on along a few; the other way round where rows of no more elements are written. It is
narrow, one line, where these few lie on as many pages and a core that reads on follows each."""
PAGE = 4096
"""Bytes of a page of memory."""
ROWS, BRIEF = 4, 4
"""Rows whose folds go side by side: chains, each of which waits for its own last sum, and rows that
are read more slowly than they are folded, in so few steps. Of rows from afar it is the machine that
says how many, unless they share more than stays in the first cache beside them; then a core that
reads on waits less for twice as many from memory, though not all of their sums have registers."""


@final
@dataclass(frozen=True)
class Map(Strategy):
    """Outer axes shared among threads, the cheapest axis in vectors, locals in the workspace.

    `bytes` is the width of a vector. A tile has `vectors` of them, in nests with folds in `rows`
    rows; where a read is turned, squares go in bands of `band`. A task takes `task`
    microseconds at most; 0 leaves all to one thread. With `stream`, what no nest reads is written
    past the caches: lines of squares, each of which would else be read first, sooner than whole
    rows. Of what is folded along columns, `deep` rows at a time are read to their ends; 0 folds all
    rows of a tile before the next one.
    """

    name: ClassVar[str] = "map"
    IN_PLACE: ClassVar[bool] = True
    bytes: int = 64
    vectors: int = VECTORS
    rows: int = 1
    task: int = 20
    band: int = BAND
    stream: int = 0
    deep: int = 0

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        if any(isinstance(op, SortOp) for op in kernel.body.block.ops):
            return Refusal("it sorts")
        return None

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        nests = [Analysis(nest) for nest in kernel.nests]
        rows = max((rows_at_once(nest, machine) for nest in nests), default=1)
        wide = max((columns(nest, machine) for nest in nests), default=1)
        vectors = min((side_by_side(nest) for nest in nests), default=VECTORS)
        bands = [band for nest in nests if (band := band_of(nest, machine))]
        # Half of the cache for all that squares touch: what they read displaces what they write.
        buffers = kernel.arguments if bands else last_written(kernel)
        stream = int(leave_caches(buffers, machine.l3 // 2 if bands else machine.l3))
        deep = max((rows_together(nest, machine) for nest in nests), default=0)
        tile, band = (max(wide, vectors), rows), min(bands, default=BAND)
        return cls(machine.vector_bytes, *tile, band=band, stream=stream, deep=deep)

    def cached(self) -> Self:
        return replace(self, stream=0)

    def workspace(self, kernel: KernelOp) -> Size:
        nests = map(Analysis, kernel.nests)
        found = (columns_of(nest, self.tiling(nest), self.deep) for nest in nests)
        sums = total_bytes(columns.sums for columns in found if columns is not None)
        return sums + total_bytes(kernel.locals.values())

    def expand(self, kernel: KernelOp) -> None:
        streamed = last_written(kernel) if self.stream else ()
        expand_tiled(kernel, self.tiling, self.task, streamed, self.deep)

    def tiling(self, nest: Analysis) -> Tiling:
        return tiling_of(nest, nest.axes(), self.bytes, self.vectors, self.rows, self.band)


def expand_tiled(
    kernel: KernelOp,
    tiling_of: Callable[[Analysis], Tiling],
    task: int,
    streamed: Collection[SSAValue] = (),
    deep: int = 0,
) -> None:
    """The nests one after the other in such tiles, in tasks of `task` microseconds at most."""
    locals, nests, workspace = kernel.locals, kernel.nests, kernel.arguments[-1]
    with expanding(kernel) as writer:
        writer.location = kernel.location
        buffers, room = place(writer, workspace, locals), total_bytes(locals.values())
        for op in nests:
            writer.location = op.location
            nest = Analysis(op)
            tiling = tiling_of(nest)
            loops = partial(NestLoops, writer, nest, tiling, buffers, streamed=streamed)
            tasks, in_blocks = tasks_of(nest, tiling, task * 1000), None
            if (columns := columns_of(nest, tiling, deep)) is not None:
                sums = place(writer, workspace, {op: columns.sums}, [(room, 1)])[op]
                tasks, in_blocks = tasks and columns.tasks, partial(columns.write, writer, sums)
                room = room + total_bytes([columns.sums])
            write = partial(_write, writer, loops, in_blocks, tasks, bool(streamed))
            unless_empty(writer, op.sizes.data, kernel.symbols.ranges, write)


def _write(
    writer: Writer,
    loops: Callable[..., NestLoops],
    in_blocks: Callable[[Callable[[Block], None]], None] | None,
    tasks: Tasks | None,
    fence: bool,
) -> None:
    def task(intervals: Intervals, _: Bound) -> None:
        if in_blocks is None:
            loops().write(intervals)
        else:
            in_blocks(lambda block: loops(block=block).write(intervals))
        if fence:
            writer.fence()

    if tasks is None:
        task({}, 0)
    else:
        tasks.write(writer, task, together=in_blocks is not None)


def last_written(kernel: KernelOp) -> frozenset[SSAValue]:
    """The outputs that no nest of the kernel reads."""
    return frozenset(kernel.results_written) - {
        op.source for op in kernel.walk() if isinstance(op, ReadOp)
    }


def leave_caches(buffers: Iterable[SSAValue], room: int) -> bool:
    """Whether buffers, as far as their sizes are known, take more than so many bytes."""
    return sum(buffer_type(each).bytes.static or 0 for each in buffers) > room


def side_by_side(nest: Analysis) -> int:
    """Vectors of a tile: fewer where the body is long. A processor then finds enough that is
    independent in one, and what is compiled for each takes its time."""
    once = steps(nest) / ROUNDS if nest.repeats else steps(nest)
    return next((count for count, most in LENGTHS if once < most), 1)


def rows_at_once(nest: Analysis, machine: Machine) -> int:
    """Rows of a tile: some where they are folded by chains, or along vectors whose accumulators all
    have registers."""
    if any(fold.order.data.kind == "serial" for fold in nest.inside):
        return ROWS
    terms = sum(length(prod(fold.sizes.data, start=ONE)) for fold in nest.inside)
    if best_lanes(nest, nest.axes(), machine.vector_bytes) or steps(nest) >= BRIEF * terms:
        return 1
    results = sum(len(fold.results) for fold in nest.inside)
    vectors = LANE_COUNT // lanes_of(nest.types, machine.vector_bytes)
    most, registers = ROWS, machine.vector_registers // 2
    if is_from_afar(nest, machine):
        most = machine.streams
    elif machine.reads_on and folded(nest)[0] > machine.l3:
        most, registers = 2 * ROWS, machine.vector_registers
    return max(1, min(most, registers // max(1, results * vectors)))


def columns(nest: Analysis, machine: Machine) -> int:
    """Vectors of a tile: of a matrix whose columns are folded long pieces of a row, since each row
    may lie on another page of memory, as long as there remain some tasks; few, if it goes on along
    the rows."""
    if rows_together(nest, machine):
        return VECTORS
    axes, folds = nest.axes(), [x for x in nest.inside if x.order.data.kind == "serial"]
    if len(axes) != 1 or not folds:
        return 1
    width = lanes_of(nest.types, machine.vector_bytes)
    room = machine.vector_registers // 2 // max(len(fold.results) for fold in folds)
    return max(1, min(room, max(VECTORS, 2 * length(axes[0].size) // (TASKS * width))))


def band_of(nest: Analysis, machine: Machine) -> int:
    """How wide bands of squares are; 0 if there are none."""
    tiling = tiling_of(nest, nest.axes(), machine.vector_bytes, 1, 1)
    if not tiling.band or tiling.lanes is None:
        return 0
    lanes, apart = tiling.lanes, 0
    for access in nest.accesses.values():
        if turned_axis(nest, access, lanes) is not None:
            element = size(buffer_type(access.buffer).element)
            apart = max(apart, length(access.stride(lanes.value)) * element)
    return NARROW if machine.reads_on and apart >= PAGE and tiling.across is lanes else BAND


def tiling_of(
    analysis: Analysis,
    axes: Sequence[Axis],
    bytes: int,
    vectors: int,
    height: int,
    band: int = BAND,
) -> Tiling:
    """The tiles of a nest along these of its axes, no longer than they are."""
    width = lanes_of(analysis.types, bytes)
    lanes = best_lanes(analysis, axes, bytes)
    if lanes is not None and lanes.size.static is not None:
        width = min(width, 1 << (lanes.size.static - 1).bit_length())
        vectors = max(1, min(vectors, lanes.size.static // width))
    others = [axis for axis in axes if axis is not lanes]
    turned = None if lanes is None else turned_rows(analysis, others, lanes)
    if lanes is not None and turned is not None:
        across = turned if (lanes.size.static or SHORT + 1) <= SHORT else lanes
        band = max(1, band // width) * width
        return Tiling(tuple(axes), width, lanes, 1, turned, width, band=band, across=across)
    rows = others[-1] if height > 1 and others and (analysis.inside or analysis.scans) else None
    if rows is not None and rows.size.static is not None:
        height = max(1, min(height, rows.size.static))
    vectors = vectors if lanes or analysis.scans else 1
    return Tiling(tuple(axes), width, lanes, vectors, rows, height if rows else 1)


def turned_rows(analysis: Analysis, axes: Sequence[Axis], lanes: Axis) -> Axis | None:
    """The axis along which a read is contiguous that is not so along the lanes."""
    found = {turned_axis(analysis, access, lanes) for access in analysis.accesses.values()}
    return next((axis for axis in axes if axis.value in found), None)


def tasks_of(analysis: Analysis, tiling: Tiling, most: int) -> Tasks | None:
    """Tasks of about `most` nanoseconds or less; None where one is all there is to do.

    Outer axes are taken tile by tile until what is left is a task or less; of the last one a task
    takes a block.
    """
    cost = nanoseconds(analysis, tiling.lanes, tiling.width)
    inner = [axis for axis in (tiling.rows, tiling.lanes) if axis is not None]
    order = [*tiling.outer, *sorted(inner, key=lambda axis: axis is not tiling.across)]
    whole = cost * prod(length(axis.size) for axis in order)
    known = all(axis.size.static is not None for axis in order)
    time = task_time(whole, most)
    if most == 0 or whole == 0 or (known and whole < 2 * time):
        return None
    for number, axis in enumerate(order):
        step = tiling.step(axis)
        whole /= max(1, length(axis.size))
        block = step << max(0, round(log2(time / (whole * step))))
        tiles, tasks = -(-length(axis.size) // step), -(-length(axis.size) // block)
        if 1 < tasks < TASKS:
            block = evenly(tiles, tasks) * step
        if block > step or length(axis.size) >= TASKS * step or axis is order[-1]:
            before = [(each, tiling.step(each)) for each in order[:number]]
            return Tasks((*before, (axis, block)))
    return None
