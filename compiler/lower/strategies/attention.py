"""The strategy `attention`: products and what is between them, a tile of rows after the other."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from math import prod
from typing import ClassVar, Self, final

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import size as bytes_of
from stepwell.compiler.dialects.loop.nests import KernelOp, ReadOp
from stepwell.compiler.dialects.loop.types import BufferType, buffer
from stepwell.compiler.lower.analysis import Analysis, lanes_of
from stepwell.compiler.lower.blocking import TALLEST, TASK, WIDEST, tiles
from stepwell.compiler.lower.bodies import BodyWriter, Mask, Ready, Spread, masks
from stepwell.compiler.lower.contraction import Contraction, contraction_of
from stepwell.compiler.lower.costs import UNKNOWN, length
from stepwell.compiler.lower.intervals import ALL
from stepwell.compiler.lower.overwriting import Place, place_of
from stepwell.compiler.lower.panels import Panels
from stepwell.compiler.lower.strategies.base import Refusal, Strategy, expanding, place, total_bytes
from stepwell.compiler.lower.strategies.gemm import tiling_by
from stepwell.compiler.lower.strategies.map import VECTORS, tiling_of
from stepwell.compiler.lower.strategies.rows import shared_axes
from stepwell.compiler.lower.suited import UNKNOWN_STRIDES, product_of
from stepwell.compiler.lower.tiling import Interval, NestLoops, cut, unless_empty
from stepwell.compiler.lower.writer import ONE, ZERO, Bound, Writer
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.ops.indices import Index
from stepwell.runtime.sizes import Size, smallest

TASKS = 16
"""So many tasks let two or more threads end together; each has a workspace of its own."""

Buffers = Mapping[SSAValue, SSAValue]
"""Where each local lies."""


@final
@dataclass(frozen=True)
class Attention(Strategy):
    """Scores, what softmax makes of them, and the sums that they weigh: of some rows at a time.

    What the nests leave to each other is kept for a piece of `rows` rows (whole tiles). Products go
    by tiles of `mr` rows and `nv` vectors of `bytes` bytes, other nests row by row. Right operands
    whose lanes are no neighbours are copied to panels first. So many `tasks` at most share the
    pieces; 0 leaves all to one thread.
    """

    name: ClassVar[str] = "attention"
    bytes: int = 64
    mr: int = 8
    nv: int = 3
    rows: int = 8
    tasks: int = 0

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        nests = [Analysis(nest) for nest in kernel.nests]
        if len(nests) < 2 or not shared_axes(nests):
            return Refusal("what one nest leaves to another is not read along the same rows")
        axis = tiled_axis(nests)
        products = list(_products(nests, axis))
        if nests[0].nest.sizes.data[axis] != ONE:
            for nest, found in products:
                rows = found.rows and found.rows.value, *(each.value for each in found.middle)
                if nest.nest.axes[axis] not in rows:
                    return Refusal("a product does not go by the rows")
        return None if len(products) > 1 else Refusal("there are no two products")

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        parts = _Attention(cls(machine.vector_bytes, mr=1, rows=1), kernel)
        products = [product_of(each.contraction, machine) for each in parts.products.values()]
        kept = (type.count * bytes_of(type.element) for type in parts.types.values())
        row = sum(kept, start=ZERO)
        tallest = max(each.m for each in products)
        tallest = min(tallest, UNKNOWN_STRIDES if row.static is None else TALLEST)
        mr, nv = min(
            tiles(tallest, WIDEST, machine.vector_registers),
            key=lambda tile: sum(each.cycles(*tile, machine) for each in products),
        )
        count, outer = length(parts.count), prod(map(length, parts.before))
        bytes = row.evaluate(dict.fromkeys(row.symbols, UNKNOWN))
        wanted = min(machine.l2 // 8 // max(1, bytes), outer * count // TASKS)
        pieces = -(-count // max(mr, wanted))
        rows = -(-count // pieces // mr) * mr
        work = outer * sum(each.effort(machine) for each in products)
        known = prod((*parts.before, parts.count), start=ONE).static is not None
        tasks = 0 if known and work < 2 * TASK else TASKS
        return cls(machine.vector_bytes, mr, nv, rows, tasks)

    def workspace(self, kernel: KernelOp) -> Size:
        parts = _Attention(self, kernel)
        return parts.bytes * parts.tasks

    def expand(self, kernel: KernelOp) -> None:
        parts = _Attention(self, kernel)
        shared, ranges = (*parts.before, parts.count), kernel.symbols.ranges
        with expanding(kernel) as writer:
            unless_empty(writer, shared, ranges, lambda: parts.write(writer))


def tiled_axis(nests: Sequence[Analysis]) -> int:
    """The shared axis whose positions are the rows: the last one that is longer than one, if right
    operands do not vary along it, or else the last."""
    sizes, shared = nests[0].nest.sizes.data, shared_axes(nests)
    longest = max(axis for axis in range(shared) if sizes[axis] != ONE)
    varies = any(
        nest.nest.axes[longest] in [each.value for each in found.outer]
        for nest, found in _products(nests, longest)
    )
    return shared - 1 if varies else longest


def _products(nests: Sequence[Analysis], axis: int) -> Iterator[tuple[Analysis, Contraction]]:
    """The nests that are products, at a position of the axes before this one."""
    for nest in nests:
        found = contraction_of(nest, axis)
        if isinstance(found, Contraction):
            yield nest, found


@final
class _Attention:
    """One kernel under one plan."""

    def __init__(self, plan: Attention, kernel: KernelOp):
        self.plan = plan
        self.kernel = kernel
        self.nests = [Analysis(nest) for nest in kernel.nests]
        self.axis = tiled_axis(self.nests)
        *self.before, self.count = self.nests[0].nest.sizes.data[: self.axis + 1]
        products = _products(self.nests, self.axis)
        self.products = {nest: _Product(plan, found) for nest, found in products}
        self.height = -(-plan.rows // plan.mr) * plan.mr
        locals = kernel.locals
        self.homes = homes(locals, self.nests)
        kept = dict.fromkeys(self.homes.values())
        self.types = {home: _rows_of(locals[home], self.axis, self.height) for home in kept}
        self.tiles = _ceiling(self.count, self.height)
        self.pieces = prod(self.before, start=self.tiles)
        self.tasks = smallest(self.pieces, Size.of(plan.tasks)) if plan.tasks else ONE
        packed = [each for each in self.products.values() if each.panels]
        self.memory: dict[SSAValue | _Product, BufferType] = {
            **self.types,
            **{each: each.memory for each in packed},
        }
        """What a task keeps in the workspace."""
        self.bytes = total_bytes(self.memory.values())

    def write(self, writer: Writer) -> None:
        writer.location = self.nests[0].nest.location
        pieces = writer.extent(self.pieces)
        if self.plan.tasks == 0:
            return self._task(writer, 0, 0, pieces)
        tasks = writer.extent(self.tasks)

        def task(number: Bound) -> None:
            ends = (writer.product(each, pieces) for each in (number, writer.add(number, 1)))
            low, high = (writer.quotient(end, tasks) for end in ends)
            self._task(writer, number, low, high)

        return writer.parallel(tasks, task)

    def _task(self, writer: Writer, number: Bound, low: Bound, high: Bound) -> None:
        """The pieces from one to another, in the task's own part of the workspace."""
        rooms = place(writer, self.kernel.arguments[-1], self.memory, [(self.bytes, number)])
        buffers = {local: rooms[home] for local, home in self.homes.items()}
        for each in self.products.values():
            each.target = rooms.get(each)
        writer.each(low, high, lambda index: self._piece(writer, index, writer.value(low), buffers))

    def _piece(self, writer: Writer, index: Bound, first: SSAValue, buffers: Buffers) -> None:
        """Some rows through all nests: products tile by tile, what is between them row by row."""
        tiles = writer.extent(self.tiles)
        number, before = writer.remainder(index, tiles), writer.quotient(index, tiles)
        rows = cut(writer, number, self.count, self.height)
        _, *at = writer.unravel(before, [ONE, *self.before])
        starts = ((number, writer.value(0)), (index, first))
        begins = [writer.compare("eq", writer.value(each), other) for each, other in starts]
        writer.branch(writer.any_of(begins), partial(self._pack, writer, at), lambda: None)
        origin = writer.value(rows.low)
        for is_product, nests in groupby(self.nests, lambda nest: nest in self.products):
            stage = [self._keeping(nest, origin) for nest in nests]
            write = partial(self._stage, writer, stage, at, origin, rows, buffers)
            if is_product:
                write(None)
            else:
                writer.each(rows.low, rows.high, write, runs=True)

    def _pack(self, writer: Writer, at: Sequence[Bound]) -> None:
        for each in self.products.values():
            each.pack(writer, dict(zip(each.analysis.nest.axes, at, strict=False)))

    def _keeping(self, nest: Analysis, origin: SSAValue) -> Analysis:
        """The nest, for which locals hold the rows from `origin` on."""
        nest.privatise(self.homes, self.axis + 1)
        for op, access in nest.accesses.items():
            if access.buffer in self.homes:
                stride = self.types[self.homes[access.buffer]].strides[0]
                terms = {nest.nest.axes[self.axis]: stride, origin: -1 * stride}
                at = Index({**access.at.terms, **terms}, access.at.offset)
                nest.accesses[op] = replace(access, at=at)
        return nest

    def _stage(
        self,
        writer: Writer,
        nests: Sequence[Analysis],
        at: Sequence[Bound],
        origin: SSAValue,
        rows: Interval,
        buffers: Buffers,
        row: Bound | None,
    ) -> None:
        """Products of all rows, or other nests of one."""
        first = at if row is None else (*at, row)
        for nest in nests:
            writer.location = nest.nest.location
            bases = {origin: origin, **dict(zip(nest.nest.axes, first, strict=False))}
            if row is None:
                loops = self.products[nest].loops(writer, buffers, bases)
            else:
                axes = nest.axes(self.axis + 1)
                tiling = tiling_of(nest, axes, self.plan.bytes, VECTORS, 1)
                loops = NestLoops(writer, nest, tiling, buffers, bases)
            intervals = {nest.nest.axes[self.axis]: rows} if row is None else {}
            sizes, ranges = nest.nest.sizes.data[self.axis + 1 :], self.kernel.symbols.ranges
            unless_empty(writer, sizes, ranges, partial(loops.write, intervals))


@final
class _Product:
    """A product of the kernel, and the panels of its right operand."""

    def __init__(self, plan: Attention, contraction: Contraction):
        self.contraction = contraction
        self.analysis, right = contraction.analysis, contraction.right
        self.element = contraction.fold.results[0].type
        self.width = lanes_of((self.element,), plan.bytes)
        self.tiling = tiling_by(contraction, self.width, plan.mr, plan.nv)
        panels = Panels(self.analysis, right, self.width, self.tiling.block, contraction.depth)
        self.panels = panels if right.may_pack and not right.is_contiguous else None
        self.target: SSAValue | None = None
        """Where the panels lie, once that is known."""

    @property
    def memory(self) -> BufferType:
        """Of all the panels."""
        assert self.panels is not None
        panels = _ceiling(self.contraction.lanes.size, self.panels.length)
        return buffer((panels * self.panels.size,), self.element)

    def pack(self, writer: Writer, bases: Mapping[SSAValue, Bound]) -> None:
        """Copy the right operand, at a position of the axes before the rows."""
        panels, target, lanes = self.panels, self.target, self.contraction.lanes
        if panels is None or target is None:
            return
        high = writer.extent(lanes.size)
        whole = writer.round_down(high, panels.length)
        everywhere = {**dict.fromkeys(self.analysis.nest.axes, 0), **bases}

        def panel(inside: Sequence[Mask], low: Bound) -> None:
            here = {**everywhere, lanes.value: low}
            panels.fill(writer, here, inside, target, ALL, writer.multiply(low, panels.depth))

        vectors, size = self.tiling.vectors, lanes.size.static
        writer.each(0, whole, partial(panel, (None,) * vectors), panels.length)
        rest = vectors if size is None else -(-(size % panels.length) // self.width)
        last = masks(writer, whole, high, self.width, rest)
        writer.each(whole, high, partial(panel, last), panels.length)

    def loops(self, writer: Writer, buffers: Buffers, bases: Mapping[SSAValue, Bound]) -> NestLoops:
        """The tiles."""
        right = self.contraction.right
        ready = [] if self.panels is None else [Ready(right.value, right.own, self._load)]
        return NestLoops(writer, self.analysis, self.tiling, buffers, bases, ready=ready)

    def _load(self, body: BodyWriter) -> Spread:
        """The vectors of the right operand at a position of the fold."""
        panels, target = self.panels, self.target
        assert panels is not None
        assert target is not None
        first = body.writer.multiply(body.bases[self.contraction.lanes.value], panels.depth)
        return panels.vectors(target, ALL, first, body)


def homes(locals: Iterable[SSAValue], nests: Sequence[Analysis]) -> dict[SSAValue, SSAValue]:
    """For each local, the first of those that lie in the same place: one may take that of another
    of its type which nobody reads any more when it is written, but where it is."""
    reads: dict[SSAValue, set[tuple[int, Place]]] = {}
    writes: dict[SSAValue, set[tuple[int, Place]]] = {}
    for number, nest in enumerate(nests):
        for op, access in nest.accesses.items():
            found = reads if isinstance(op, ReadOp) else writes
            found.setdefault(access.buffer, set()).add((number, place_of(access.op)))
    homes: dict[SSAValue, SSAValue] = {}
    latest: dict[SSAValue, SSAValue] = {}
    for local in locals:
        written = writes[local]
        first = min(number for number, _ in written)
        over = (
            home
            for home, other in latest.items()
            if other.type == local.type
            and all(each[0] < first or {each} == written for each in reads[other])
        )
        home = homes[local] = next(over, local)
        latest[home] = local
    return homes


def _rows_of(type: BufferType, axis: int, height: int) -> BufferType:
    """What is kept of a local at a time: so many positions of one axis, of those before it one."""
    return buffer((Size.of(height), *type.shape[axis + 1 :]), type.element)


def _ceiling(size: Size, step: int) -> Size:
    return (size + (step - 1)) // step
