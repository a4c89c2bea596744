"""The strategy `rows`: several nests over the same rows, of which each row goes through all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log2, prod
from typing import ClassVar, Self, final

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.loop.nests import KernelOp, ReadOp, WriteOp
from stepwell.compiler.dialects.loop.types import buffer, buffer_type
from stepwell.compiler.dialects.sizes import count_of
from stepwell.compiler.lower.analysis import Access, Analysis, collapse, lanes_of
from stepwell.compiler.lower.bodies import Ahead
from stepwell.compiler.lower.costs import length, nanoseconds, task_time
from stepwell.compiler.lower.strategies.base import Refusal, Strategy, expanding, place, total_bytes
from stepwell.compiler.lower.strategies.map import last_written, leave_caches, tiling_of
from stepwell.compiler.lower.tiling import Interval, NestLoops, cut, unless_empty
from stepwell.compiler.lower.writer import ONE, ZERO, Bound, Writer
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.sizes import Size

STACK = 32 << 10
"""Locals of a row that take no more bytes lie on the stack."""

TASK = 20_000
"""Nanoseconds that a task should take at most."""

LEAST = 1024
"""Bytes of a row from which on the next one is asked for. Most cores read on to short ones, but not
beyond a page, nor while they go through a row again."""


@final
@dataclass(frozen=True)
class Rows(Strategy):
    """Softmax, norms and the like: a row stays in the cache, and what its nests leave to each other
    lives only as long as the row.

    `bytes` is the width of a vector and `vectors` how many a tile has. A task takes `block` rows;
    0 leaves all to one thread. With `stream`, what no nest reads is written past the caches. With
    `ahead`, the nest that is the last at an input or an output asks for so many rows further on.
    """

    name: ClassVar[str] = "rows"
    IN_PLACE: ClassVar[bool] = True
    bytes: int = 64
    vectors: int = 4
    block: int = 0
    stream: int = 0
    ahead: int = 0

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        nests = kernel.nests
        if len(nests) < 2:
            return Refusal("there is only one nest")
        if not shared_axes([Analysis(nest) for nest in nests]):
            return Refusal("what one nest leaves to another is not read along the same rows")
        return None

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        nests = [Analysis(nest) for nest in kernel.nests]
        outer = shared_axes(nests)
        cost = sum(_row_cost(nest, outer, machine.vector_bytes) for nest in nests)
        rows = count_of(nests[0].nest.sizes.data[:outer])
        time = task_time(length(rows) * cost, TASK)
        known = rows.static is not None and rows.static * cost < 2 * time
        block = 0 if known else 1 << max(0, round(log2(time / cost)))
        stream = int(leave_caches(last_written(kernel), machine.l3))
        row = max(length(buffer_type(each).bytes) for each in kernel.arguments) // length(rows)
        ahead = int(not machine.reads_on and LEAST <= row <= machine.l1)
        return cls(machine.vector_bytes, block=block, stream=stream, ahead=ahead)

    def cached(self) -> Self:
        return replace(self, stream=0)

    def workspace(self, kernel: KernelOp) -> Size:
        parts = _Rows(self, kernel)
        return ZERO if parts.fits_stack else parts.tasks * parts.bytes

    def expand(self, kernel: KernelOp) -> None:
        rows = _Rows(self, kernel)
        with expanding(kernel) as writer:
            rows.write(writer)


@final
class _Rows:
    """A kernel taken apart into the nests of a row."""

    def __init__(self, plan: Rows, kernel: KernelOp):
        self.plan = plan
        self.kernel = kernel
        self.nests = [Analysis(nest) for nest in kernel.nests]
        self.outer = shared_axes(self.nests)
        self.shape = self.nests[0].nest.sizes.data[: self.outer]
        self.count = count_of(self.shape)
        self.locals = {
            local: buffer(type.shape[self.outer :], type.element)
            for local, type in kernel.locals.items()
        }
        self.bytes = total_bytes(self.locals.values())
        self.streamed = last_written(kernel) if plan.stream else frozenset[SSAValue]()
        for nest in self.nests:
            nest.privatise(self.locals, self.outer)

    @property
    def fits_stack(self) -> bool:
        return self.bytes.static is not None and self.bytes.static <= STACK

    @property
    def tasks(self) -> Size:
        return (self.count + self.plan.block - 1) // self.plan.block if self.plan.block else ONE

    def write(self, writer: Writer) -> None:
        writer.location = self.nests[0].nest.location
        if self.plan.block == 0:
            self._task(writer, 0, Interval.whole(writer, self.count))
            return
        writer.parallel(
            writer.extent(self.tasks),
            lambda task: self._task(writer, task, cut(writer, task, self.count, self.plan.block)),
        )

    def _task(self, writer: Writer, task: Bound, interval: Interval) -> None:
        buffers = self._buffers(writer, task)

        def row(index: Bound) -> None:
            for nest in self.nests:
                self._nest(writer, nest, index, buffers)

        writer.each(interval.low, interval.high, row)
        if self.streamed:
            writer.fence()

    def _buffers(self, writer: Writer, task: Bound) -> dict[SSAValue, SSAValue]:
        """Where the locals of one row lie."""
        if self.fits_stack:
            return {local: writer.stack(type) for local, type in self.locals.items()}
        return place(writer, self.kernel.arguments[-1], self.locals, [(self.bytes, task)])

    def _nest(
        self, writer: Writer, nest: Analysis, row: Bound, buffers: dict[SSAValue, SSAValue]
    ) -> None:
        writer.location = nest.nest.location
        axes = nest.axes(self.outer)
        tiling = tiling_of(nest, axes, self.plan.bytes, self.plan.vectors, 1)
        bases = self._indices(writer, nest, row)
        streamed, ahead = self.streamed, self._ahead(nest)
        loops = NestLoops(writer, nest, tiling, buffers, bases, streamed=streamed, ahead=ahead)
        sizes = nest.nest.sizes.data[self.outer :]
        unless_empty(writer, sizes, self.kernel.symbols.ranges, lambda: loops.write({}))

    def _ahead(self, nest: Analysis) -> Ahead | None:
        """What a nest asks for, if no other one comes to a buffer later."""
        following = self.nests[self.nests.index(nest) + 1 :]
        still = {access.buffer for each in following for access in each.accesses.values()}
        own = {access.buffer for access in nest.accesses.values()} - {*self.locals}
        asks = self.plan.ahead and not own <= still
        return Ahead(nest.nest.axes[self.outer - 1], self.plan.ahead) if asks else None

    def _indices(self, writer: Writer, nest: Analysis, row: Bound) -> dict[SSAValue, Bound]:
        """The indices of a row along the shared axes; the last of several that are walked as one
        has them all."""
        values = nest.nest.axes[: self.outer]
        axes = collapse(values, self.shape, nest.accesses.values(), nest.computed_with)
        found = writer.unravel(row, [axis.size for axis in axes])
        return {axis.value: index for axis, index in zip(axes, found, strict=True)}


def shared_axes(nests: Sequence[Analysis]) -> int:
    """How many of their first axes the nests share: along those, what one writes, others read only
    at the same index. What is left of the deepest nest has axes or folds."""
    deepest = max(len(nest.nest.axes) for nest in nests)
    folds = any(nest.inside for nest in nests if len(nest.nest.axes) == deepest)
    shared = deepest if folds else deepest - 1
    first = nests[0].nest.sizes.data
    for nest in nests:
        sizes = nest.nest.sizes.data
        pairs = zip(first[:shared], sizes, strict=False)
        shared = next((n for n, (a, b) in enumerate(pairs) if a != b), min(shared, len(sizes)))
    given = handed_on(nests)
    for nest in nests:
        for access in nest.accesses.values():
            if access.buffer in given:
                shared = min(shared, aligned_axes(nest, access))
    return shared if count_of(first[:shared]) != ONE else 0


def handed_on(nests: Sequence[Analysis]) -> set[SSAValue]:
    """The buffers that are both written and read."""
    accesses = [access for nest in nests for access in nest.accesses.values()]
    written = {access.buffer for access in accesses if isinstance(access.op, WriteOp)}
    return written & {access.buffer for access in accesses if isinstance(access.op, ReadOp)}


def aligned_axes(nest: Analysis, access: Access) -> int:
    """How many of its first axes the nest's access has as its first indices."""
    type = buffer_type(access.buffer)
    indices, count = access.op.indices, 0
    for axis, size, affine, extent in zip(
        nest.nest.axes, nest.nest.sizes.data, access.op.access.data, type.shape, strict=False
    ):
        terms = [(coefficient, indices[number]) for coefficient, number in affine.terms]
        is_axis = terms == [(ONE, axis)] and affine.offset == ZERO
        if size != extent or not (is_axis or size == ONE):
            break
        count += 1
    return count


def _row_cost(nest: Analysis, outer: int, bytes: int) -> float:
    """Nanoseconds that one row of a nest takes."""
    axes = nest.axes(outer)
    lanes = tiling_of(nest, axes, bytes, 1, 1).lanes
    cost = nanoseconds(nest, lanes, lanes_of(nest.types, bytes))
    return cost * prod(length(axis.size) for axis in axes)
