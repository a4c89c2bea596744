"""Folds as explicit loops that keep the order of their terms, whatever the tile around them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import gcd, prod
from typing import final

from xdsl.dialects.builtin import AnyFloat
from xdsl.ir import Operation, SSAValue

from stepwell.compiler.dialects.construct import operands_of
from stepwell.compiler.dialects.loop.nests import FoldOp, ScanOp
from stepwell.compiler.dialects.loop.types import LANE_COUNT, Combine
from stepwell.compiler.lower.analysis import Axis
from stepwell.compiler.lower.below import ask_below
from stepwell.compiler.lower.bodies import BodyWriter, Guard, Mask, Spread, masks
from stepwell.compiler.lower.combine import PICKING, Parts, identity, join, pairwise, take, tree
from stepwell.compiler.lower.contraction import chunk_steps, slice_of
from stepwell.compiler.lower.guards import is_bound, is_condition
from stepwell.compiler.lower.intervals import ALL, Intervals, interval_of, row_major
from stepwell.compiler.lower.scans import Scan
from stepwell.compiler.lower.squares import Squares
from stepwell.compiler.lower.tables import Table
from stepwell.compiler.lower.writer import ONE, ZERO, Bound

Accumulators = Sequence[Parts]
"""One for each copy of the fold in the tile; a fold within a vector has one for each vector."""

UNROLLED = 8
"""A `lanes` fold of no more positions is written out, and one that picks one of its terms."""

FREE_VECTORS = 4
"""How many vectors of accumulators a fold in any order has, to hide the latency of its steps."""


@dataclass(frozen=True, eq=False)
class Span:
    """A range of positions of a fold, and how to stand at one of them.

    `unit` divides the number of positions; `axes` are those along which it goes. One that `runs`
    is not empty.
    """

    low: Bound
    high: Bound
    unit: int
    axes: frozenset[SSAValue]
    stand: Callable[[Bound], None]
    runs: bool = False


@dataclass(frozen=True, eq=False)
class Block:
    """Some positions of a serial fold: those of intervals along some axes, which are whole chunks,
    or a part of one, of which `chunk` tells the same.

    Where it is not the `first`, a tile's accumulators go on from what the blocks before have left
    in `sums`, from where `place` tells; what follows the fold is written behind the `last` only.
    """

    intervals: Intervals
    first: SSAValue
    last: SSAValue
    sums: SSAValue
    place: Callable[[BodyWriter], Bound]
    chunk: "Block | None" = None


class Team(ABC):
    """Threads side by side along a fold: each has one vector of the accumulators."""

    @abstractmethod
    def row(
        self,
        span: Span,
        step: Callable[[tuple[Mask, ...], Sequence[SSAValue]], Sequence[SSAValue]],
        carried: Sequence[SSAValue],
    ) -> Sequence[SSAValue]:
        """The thread's steps through the positions of a span."""

    @abstractmethod
    def join(self, kind: Combine, parts: Parts) -> Parts:
        """The vectors of all threads in one, by halves."""


Part = Callable[[Sequence[Span]], Accumulators]
"""Writes one chunk: the results of all positions in the spans, nested."""


@final
class NestWriter(BodyWriter):
    """A body writer that writes folds, in one of three forms.

    A *chain* has one accumulator for each copy of the fold. *Vectors* are 64 accumulators (fewer,
    where the order is free) in the lanes of some vectors along the fold's last axis. A *table* is
    64 accumulators for each copy in memory.
    """

    block: Block | None = None
    """What it takes of the nest's only fold, if not all."""
    team: Team | None = None
    """Who folds along vectors, if not one thread."""
    turns: bool = False
    """Whether what lies along a fold is read in squares."""

    def write_nest(self) -> None:
        """The body, or as much of it as is due with the block."""
        body, block, folds = self.analysis.nest.body.block, self.block, self.analysis.inside
        inside = (op for fold in folds for op in fold.walk())
        needed = slice_of(value for op in inside for value in operands_of(op)).union(folds)
        behind = set(body.ops).difference(needed)
        self.write(body, needed)
        if block is None:
            return self.write(body, behind)

        def keep(block: Block) -> None:
            if (chunk := block.chunk) is not None:
                ways = partial(keep, replace(block, chunk=None)), partial(keep, chunk)
                self.writer.branch(chunk.last, *ways)
                return
            results = [self.value(each).values for fold in folds for each in fold.results]
            values = [value for copy in zip(*results, strict=True) for value in copy]
            for value, place in zip(values, self.places(block, len(values)), strict=True):
                self.writer.store(value, block.sums, place)

        self.writer.branch(block.last, lambda: self.write(body, behind), partial(keep, block))
        return None

    def places(self, block: Block, count: int) -> list[Bound]:
        """Where so many accumulators of the tile lie between blocks."""
        first = block.place(self)
        return [self.writer.add(first, number * self.tile.width) for number in range(count)]

    def fold(self, op: FoldOp) -> Iterable[Spread]:
        axes = self.analysis.axes_of(op)
        dependences = self.analysis.dependences(op.results[0])
        rows, lanes = self.tile.rows in dependences, self.tile.lanes in dependences
        with self.writer.at(self.depth(op.results[0])):
            fold = _Fold(self, op, axes, rows, lanes)
            results = fold.write()
        columns = zip(*results, strict=True)
        return [self.spread(values, rows, lanes) for values in columns]

    def scan(self, op: ScanOp) -> None:
        Scan(self, op).write()


@final
class _Fold:
    """One fold at one tile."""

    def __init__(self, body: NestWriter, op: FoldOp, axes: Sequence[Axis], rows: bool, lanes: bool):
        self.body = body
        self.writer = body.writer
        self.op = op
        self.kind = op.kind
        self.order = op.order.data
        self.axes = axes
        self.rows = rows
        self.lanes = lanes
        self.steps = chunk_steps(op, axes)
        self.count = prod((axis.size for axis in axes), start=ONE)
        self.types = [result.type for result in op.results]
        for axis in op.axes:
            body.bases[axis] = 0
        self.guard = body.analysis.guards.get(op)
        self.ops = None if self.guard is None else self._ops(self.guard)
        self.asks = body.analysis.dependences(self.guard) if self.guard else frozenset[SSAValue]()
        """What the guard depends on."""

    def _ops(self, guard: SSAValue) -> frozenset[Operation]:
        """Those of the terms, and those of the guard only if it is part of another condition."""
        ops = slice_of(self.op.terms, (guard,))
        asked = any(use.operation in ops and not is_condition(use) for use in guard.uses)
        return slice_of(self.op.terms) if asked else ops

    def write(self) -> Accumulators:
        """The results, for each copy."""
        if self.guard is None:
            return self._write()
        self.body.guards[self.guard] = Guard()
        results = self._write()
        del self.body.guards[self.guard]
        return results

    def _write(self) -> Accumulators:
        if self.count == ZERO:
            return self._start()
        if self.order.kind == "serial" or not self.axes:
            return self._with_idle(self._chunks(self._chain))
        if self.order.kind == "lanes" and (self.count.static or UNROLLED + 1) <= UNROLLED:
            return self._unrolled(self.count.static or 0)
        if not self.lanes and self._fits_vectors():
            return self._chunks(self._vectors)
        is_short = self.guard is None and 1 < (self.count.static or 0) <= UNROLLED
        if is_short and self.kind in PICKING:
            return self._written_out(self.count.static or 0)
        return self._chunks(self._table if self.order.kind == "lanes" else self._chain)

    def _fits_vectors(self) -> bool:
        if self.order.kind == "any" or len(self.axes) == 1:
            return True
        aligned = self.axes[-1].size.static
        return aligned is not None and aligned % LANE_COUNT == 0 and self.steps is not None

    # Chunks.

    def _chunks(self, part: Part) -> Accumulators:
        """The results of all chunks, joined in ascending order."""
        if self.steps is None:
            return self._chunks_of_positions(part)
        spans = [self._span(axis) for axis in self.axes]
        if self.steps == 0:
            return part(spans)
        if (block := self.body.block) is not None and block.chunk is not None:
            return self._joined_at_end(part(spans), block.chunk.last)
        outer, *inner = spans
        return self._joined(outer, self.steps, lambda cut: part([cut, *inner]))

    def _joined_at_end(self, results: Accumulators, last: SSAValue) -> Accumulators:
        """What a part of a chunk has come to, and all chunks so far if it is its last one."""

        def joined() -> Sequence[SSAValue]:
            return self._totals(self._resumed([self._neutral(1)] * len(results)), results)

        return self._grouped(self.writer.branch(last, joined, lambda: _flat(results)))

    def _totals(self, before: Accumulators, results: Accumulators) -> list[SSAValue]:
        totals = zip(before, results, strict=True)
        return _flat([join(self.writer, self.kind, total, each) for total, each in totals])

    def _chunks_of_positions(self, part: Part) -> Accumulators:
        """Chunks that end within rows: every position is divided into its indices."""
        count, axes = self.writer.extent(self.count), frozenset(axis.value for axis in self.axes)
        return self._joined(
            Span(0, count, 1, axes, self._stand_at_position),
            self.order.chunk,
            lambda cut: part([cut]),
        )

    def _stand_at_position(self, position: Bound) -> None:
        indices = self.writer.unravel(position, [axis.size for axis in self.axes])
        self.body.bases.update(zip((axis.value for axis in self.axes), indices, strict=True))

    def _joined(self, span: Span, step: int, part: Callable[[Span], Accumulators]) -> Accumulators:
        def chunk(low: Bound, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
            high = self.writer.add(low, step)
            if span.unit % step:
                high = self.writer.smaller(high, span.high)
            unit = gcd(step, span.unit)
            results = part(replace(span, low=low, high=high, unit=unit, runs=True))
            return self._totals(self._grouped(carried), results)

        neutral = self._neutral(span.high)
        start = self._resumed([neutral for _ in self.body.copies(self.rows, self.lanes)])
        return self._grouped(self.writer.loop(span.low, span.high, step, _flat(start), chunk))

    def _neutral(self, count: Bound) -> Parts:
        """What leaves the first chunk's result as it is, and is the result of no chunk."""
        if not self._may_be_minus_zero():
            return self._identity(self.lanes)
        type = self.types[0]
        start = self.writer.constant(-0.0, type)
        if not isinstance(count, int):
            some = self.writer.compare("gt", count, self.writer.value(0))
            start = self.writer.select(some, start, self.writer.constant(0.0, type))
        return [self.writer.splat(start, self.body.tile.width) if self.lanes else start]

    def _span(self, axis: Axis) -> Span:
        def stand(index: Bound) -> None:
            self.body.bases[axis.value] = index

        block = self.body.block
        part = interval_of(ALL if block is None else block.intervals, axis, self.writer)
        return Span(part.low, part.high, part.unit, frozenset((axis.value,)), stand)

    # One chunk.

    def _chain(self, spans: Sequence[Span]) -> Accumulators:
        return self._grouped(self._guarded(spans, _flat(self._start())))

    def _start(self) -> Accumulators:
        start = [self._identity(self.lanes) for _ in self.body.copies(self.rows, self.lanes)]
        block = self.body.block
        part = None if block is None else block.chunk
        return start if self.steps and part is None else self._resumed(start, part)

    def _resumed(self, start: Accumulators, part: Block | None = None) -> Accumulators:
        """What the blocks before have come to, or those of the chunk, if there were any."""
        block, values = part or self.body.block, _flat(start)
        if block is None:
            return start

        def kept() -> Sequence[SSAValue]:
            places = self.body.places(block, len(values))
            return [self.writer.reload(block.sums, place, values[0].type) for place in places]

        return self._grouped(self.writer.branch(block.first, lambda: values, kept))

    def _link(self, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
        if self.axes:
            ask_below(self.body, self.axes[-1])
        return _flat(self._taken(self._grouped(carried), self.rows, self.lanes))

    def _nested(
        self,
        spans: Sequence[Span],
        carried: Sequence[SSAValue],
        inside: Callable[[Sequence[SSAValue]], Sequence[SSAValue]],
    ) -> Sequence[SSAValue]:
        """`inside` at every position, in ascending order."""
        if not spans:
            return inside(carried)

        def at(index: Bound, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
            spans[0].stand(index)
            return self._nested(spans[1:], carried, inside)

        span, last = spans[0], self.axes[-1]
        if self.body.turns and self.lanes and span.axes == frozenset((last.value,)):
            squares = Squares(self.body, self.op, last)
            if squares.reads:
                return squares.loop(span.low, span.high, span.unit, carried, inside)
        return self.writer.loop(span.low, span.high, 1, carried, at, span.runs)

    def _vectors(self, spans: Sequence[Span]) -> Accumulators:
        """Accumulator i is lane i of some vectors; the last ones of a row are masked."""
        *outer, last = spans
        vectors = self._vector_count()
        copies = self.body.tile.height if self.rows else 1
        start = _flat([self._identity(True)] * (copies * vectors))

        def row(carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
            return self._row(last, vectors, carried)

        accumulators = self._grouped(self._nested(outer, start, row))
        if self.body.team is not None:
            accumulators = [self.body.team.join(self.kind, each) for each in accumulators]
        groups = (accumulators[n : n + vectors] for n in range(0, len(accumulators), vectors))
        return [tree(self.writer, self.kind, group) for group in groups]

    def _vector_count(self) -> int:
        width = self.body.tile.width
        if self.body.team is not None:
            return 1
        if self.order.kind != "any":
            return LANE_COUNT // width
        needed = -(-(self.axes[-1].size.static or LANE_COUNT) // width)
        return max(1, min(FREE_VECTORS, needed))

    def _row(self, span: Span, vectors: int, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
        if self.body.team is not None:
            return self.body.team.row(span, self._vector_step, carried)
        block = vectors * self.body.tile.width
        whole = span.high if span.unit % block == 0 else self.writer.round_down(span.high, block)

        def full(index: Bound, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
            span.stand(index)
            return self._vector_step((None,) * vectors, carried)

        def rest(index: Bound, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
            span.stand(index)
            inside = masks(self.writer, index, span.high, self.body.tile.width, vectors)
            return self._vector_step(inside, carried)

        carried = self.writer.loop(span.low, whole, block, carried, full)
        if whole is span.high:
            return carried
        return self.writer.loop(whole, span.high, block, carried, rest)

    def _vector_step(
        self, inside: tuple[Mask, ...], carried: Sequence[SSAValue]
    ) -> Sequence[SSAValue]:
        body = self.body
        outer, body.tile = body.tile, body.tile.along(self.axes[-1].value, inside)
        before = self._grouped(carried)
        after = self._taken(before, self.rows, True)
        inside = inside * (len(before) // len(inside))
        body.tile = outer
        return _flat([self._where(*each) for each in zip(inside, after, before, strict=True)])

    def _unrolled(self, count: int) -> Accumulators:
        """Every position has an accumulator of its own."""
        copies = list(self.body.copies(self.rows, self.lanes))
        start = [self._identity(self.lanes)] * len(copies)
        found: list[Accumulators] = []
        for position in range(count):
            self._stand_at_position(position)
            found.append(self._taken(start, self.rows, self.lanes))
        sums = [pairwise(self.writer, self.kind, each) for each in zip(*found, strict=True)]
        return self._with_idle(sums)

    def _written_out(self, count: int) -> Accumulators:
        """A chain that begins with the terms of the first position."""
        self._stand_at_position(0)
        chain: Accumulators = list(self._terms(self.rows, self.lanes))
        later = self.body.analysis.ascends(self.op)
        for position in range(1, count):
            self._stand_at_position(position)
            chain = self._taken(chain, self.rows, self.lanes, later=later)
        return chain

    def _with_idle(self, results: Accumulators) -> Accumulators:
        """Results that lack the accumulators that no position joins: +0, which takes the sign from
        a -0."""
        all_taken = self.order.kind != "lanes" or (self.count.static or LANE_COUNT) >= LANE_COUNT
        if all_taken or not self._may_be_minus_zero():
            return results
        idle = self._identity(self.lanes)
        return [join(self.writer, self.kind, each, idle) for each in results]

    def _may_be_minus_zero(self) -> bool:
        """Whether a result may be -0: a sum of products, if the exact one is too small."""
        return self.kind == Combine.FMA and isinstance(self.types[0], AnyFloat)

    # A table of accumulators in memory.

    def _table(self, spans: Sequence[Span]) -> Accumulators:
        """Accumulator i of every copy is row i of a table."""
        copies = len(list(self.body.copies(self.rows, self.lanes)))
        types = [self.body.type(type, self.lanes) for type in self.types]
        slots = LANE_COUNT if self.count.static is None else min(LANE_COUNT, self.count.static)
        table = Table(self.writer, types, copies, slots)
        table.fill(self._identity(self.lanes))

        def step(_: Sequence[SSAValue]) -> Sequence[SSAValue]:
            slot = self._slot()
            table.store(slot, self._taken(table.load(slot), self.rows, self.lanes))
            return ()

        self._nested(spans, (), step)
        return self._with_idle(table.reduce(self.kind))

    def _slot(self) -> Bound:
        """The position at which the body stands, modulo 64."""
        terms = row_major([(axis, axis.size) for axis in self.axes], self.body.bases)
        return self.writer.low_bits(self.writer.affine(terms), LANE_COUNT)

    # The terms at one position.

    def _taken(
        self, accumulators: Accumulators, rows: bool, lanes: bool, *, later: bool = False
    ) -> Accumulators:
        """The accumulators after the terms of the position at which the body stands; `later` as for
        `take`."""
        known = None if self.guard is None else self.body.guards[self.guard]
        guard = self._guard_here() if known and known.is_open else None
        at = self.body.vector_at if lanes else Spread.at
        found: list[Parts] = []
        terms, copies = self._terms(rows, lanes), self.body.copies(rows, lanes)
        for before, term, (i, j) in zip(accumulators, terms, copies, strict=True):
            after = take(self.writer, self.kind, before, term, later=later)
            inside = None if guard is None else at(guard, i, j)
            found.append(self._where(inside, after, before))
        return found

    def _terms(self, rows: bool, lanes: bool) -> Iterator[Parts]:
        """Those of the position at which the body stands, for each copy: each where it is taken,
        since what is written before all of them would be in registers at once."""
        self.body.write(self.op.body.block, self.ops)
        terms = [self.body.value(term) for term in self.op.terms]
        at = self.body.vector_at if lanes else Spread.at
        for each in self.body.copies(rows, lanes):
            yield [at(term, *each) for term in terms]

    def _where(self, mask: Mask, new: Parts, old: Parts) -> Parts:
        if mask is None:
            return new
        return [self.writer.select(mask, *pair) for pair in zip(new, old, strict=True)]

    # Guards.

    def _guard_here(self) -> Spread:
        """The fold's guard at the position where the body stands."""
        assert self.guard is not None
        self.body.write(self.op.body.block, slice_of([self.guard]))
        return self.body.value(self.guard)

    def _guarded(self, spans: Sequence[Span], carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """A chain over the spans, whose inner loops are skipped where the guard does not hold, and
        do without it where it holds in all rows."""
        tile = self.body.tile
        if self.guard is None or tile.lanes in self.asks:
            return self._nested(spans, carried, self._link)
        if not spans and tile.rows in self.asks:
            return self._link(carried)
        if not any(self.asks & span.axes for span in spans):
            return self._where_some(self.guard, spans, carried)
        outer, *inner = spans
        return self._nested([outer], carried, lambda carried: self._guarded(inner, carried))

    def _where_some(
        self, guard: SSAValue, spans: Sequence[Span], carried: Sequence[SSAValue]
    ) -> Sequence[SSAValue]:
        """The chain where the guard holds in some rows, apart from where it does in all."""

        def given(known: Guard) -> Sequence[SSAValue]:
            self.body.guards[guard] = known
            results = self._nested(spans, carried, self._link)
            self.body.guards[guard] = Guard()
            return results

        in_all = partial(given, Guard(holds=True))
        if self.body.tile.rows not in self.asks:
            (inside,) = self._guard_here().values
            return self.writer.branch(inside, in_all, lambda: carried)

        def in_some(here: Spread) -> Sequence[SSAValue]:
            along = frozenset[SSAValue]().union(*(span.axes for span in spans))
            return self._kept(here, given(Guard(dropped_along=along)), carried)

        def elsewhere() -> Sequence[SSAValue]:
            here = self._guard_here()
            inside = partial(in_some, here)
            for row in self._ends_that_may_stay_out():
                others = [each for each in here.values if each is not here.at(row, 0)]
                but = partial(self._but, row, spans, carried)
                inside = partial(self.writer.branch, self.writer.all_of(others), but, inside)
            anywhere = self.writer.any_of(here.values)
            return self.writer.branch(anywhere, inside, lambda: carried)

        if self.body.tile.last_row is not None:
            return elsewhere()
        everywhere = self.writer.all_of(self._ends(guard))
        return self.writer.branch(everywhere, in_all, elsewhere, rarely=True)

    def _ends_that_may_stay_out(self) -> Sequence[int]:
        """The first row of a whole tile of a product and the last one, if there are others. Lanes
        whose number is not known have code enough: that of tiles with masks, too."""
        body, tile = self.body, self.body.tile
        sizes = {axis.value: axis.size.static for axis in body.analysis.axes()}
        if not body.turns or tile.lanes is None or sizes[tile.lanes] is None or any(tile.masks):
            return ()
        may = tile.last_row is None and tile.height > 2 and not body.is_ready_along(tile.rows)
        return (0, tile.height - 1) if may else ()

    def _but(
        self, row: int, spans: Sequence[Span], carried: Sequence[SSAValue]
    ) -> Sequence[SSAValue]:
        """The chain in all rows but the first or the last one, where the guard holds."""
        assert self.guard is not None
        body, tile = self.body, self.body.tile
        assert tile.rows is not None
        first, base, height = int(row == 0), body.bases[tile.rows], tile.height - 1
        low, high = (len(carried) // tile.height * n for n in (first, first + height))
        body.bases[tile.rows], body.tile = (
            self.writer.add(base, first),
            replace(tile, height=height),
        )
        body.guards[self.guard] = Guard(holds=True)
        results = self._nested(spans, carried[low:high], self._link)
        body.guards[self.guard] = Guard()
        body.bases[tile.rows], body.tile = base, tile
        return [*carried[:low], *results, *carried[high:]]

    def _ends(self, guard: SSAValue) -> Sequence[SSAValue]:
        """The guard in rows such that it holds in all of them if it does in these: in the first and
        in the last, if it bounds the row."""
        body, tile = self.body, self.body.tile
        is_known = partial(body.analysis.is_known, body.bases.keys())
        if tile.rows is None or not is_bound(guard, is_known):
            return self._guard_here().values
        first, found = body.bases[tile.rows], list[SSAValue]()
        for row in sorted({0, tile.height - 1}):
            body.bases[tile.rows], body.tile = self.writer.add(first, row), replace(tile, height=1)
            found.extend(self._guard_here().values)
        body.bases[tile.rows], body.tile = first, tile
        return found

    def _kept(
        self, guard: Spread, new: Sequence[SSAValue], old: Sequence[SSAValue]
    ) -> Sequence[SSAValue]:
        """The new accumulators in the rows where the guard holds."""
        at = self.body.vector_at if self.lanes else Spread.at
        inside = [at(guard, i, j) for i, j in self.body.copies(self.rows, self.lanes)]
        places = zip(inside, self._grouped(new), self._grouped(old), strict=True)
        return _flat([self._where(*each) for each in places])

    def _identity(self, lanes: bool) -> Parts:
        numbers = identity(self.kind, self.types)
        return [self.writer.constant(n, self.body.type(type, lanes)) for n, type in numbers]

    def _grouped(self, values: Sequence[SSAValue]) -> Accumulators:
        size = len(self.types)
        return [values[n : n + size] for n in range(0, len(values), size)]


def _flat(accumulators: Accumulators) -> list[SSAValue]:
    return [part for accumulator in accumulators for part in accumulator]
