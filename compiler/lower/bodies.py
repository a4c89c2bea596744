"""The scalar body of a nest, written for a tile of positions at once: some rows of some vectors."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import cast

from xdsl.dialects import arith
from xdsl.dialects.builtin import AnyFloat
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.irdl import IRDLOperation

from stepwell.compiler.dialects.construct import operands_of
from stepwell.compiler.dialects.llvm.types import element, vector
from stepwell.compiler.dialects.loop.host import TERMINATORS, WhileOp
from stepwell.compiler.dialects.loop.nests import FoldOp, IndexOp, PrefixOp, ReadOp, ScanOp, WriteOp
from stepwell.compiler.dialects.loop.scalar import SelectOp
from stepwell.compiler.dialects.loop.syntax import INDEX
from stepwell.compiler.lower.analysis import BACK, Access, Analysis, divisor
from stepwell.compiler.lower.combine import take
from stepwell.compiler.lower.shuffles import transposed, turned_around
from stepwell.compiler.lower.writer import ONE, ZERO, Bound, Term, Writer
from stepwell.compiler.ops.functions import defaults
from stepwell.compiler.ops.indices import Index
from stepwell.runtime.sizes import Size

Mask = SSAValue | None
"""Which lanes count; None is all."""


@dataclass(frozen=True, eq=False)
class Tile:
    """`height` positions along the axis `rows`, `vectors * width` along the axis `lanes`.

    Without an axis `rows` the height is 1; without an axis `lanes` values are scalars, and `width`
    is what a vector would have, of a fold or a scan. The masks, one for each vector, tell which
    lanes lie inside. Rows behind `last_row`, if there is one, repeat it and are not written.
    """

    width: int = 1
    lanes: SSAValue | None = None
    masks: tuple[Mask, ...] = (None,)
    rows: SSAValue | None = None
    height: int = 1
    last_row: Bound | None = None

    @property
    def vectors(self) -> int:
        return len(self.masks)

    def along(self, lanes: SSAValue, masks: tuple[Mask, ...]) -> "Tile":
        """The same rows with other lanes."""
        return replace(self, lanes=lanes, masks=masks)


def masks(writer: Writer, first: Bound, high: Bound, width: int, vectors: int) -> tuple[Mask, ...]:
    """Which lanes of so many vectors, from `first` on, are below `high`."""
    firsts = [writer.add(first, number * width) for number in range(vectors)]
    return tuple(
        None
        if isinstance(each, int) and isinstance(high, int) and each + width <= high
        else writer.mask(each, high, width)
        for each in firsts
    )


@dataclass(frozen=True, eq=False)
class Spread:
    """A value of the body over a tile: one for each row if `rows`, and for each of its vectors, of
    which there are `columns`, if `lanes`; else one scalar."""

    values: tuple[SSAValue, ...]
    rows: bool = False
    lanes: bool = False
    columns: int = 1

    def at(self, row: int, column: int) -> SSAValue:
        place = (row if self.rows else 0) * self.columns + (column if self.lanes else 0)
        return self.values[place]


@dataclass(frozen=True, eq=False)
class Guard:
    """What is known of a fold's guard where code is written: that it holds, that what is computed
    where it does not is dropped in the end (along these axes all positions go one way), or nothing.
    """

    holds: bool = False
    dropped_along: frozenset[SSAValue] | None = None

    @property
    def is_open(self) -> bool:
        """Whether every position has to ask."""
        return not self.holds and self.dropped_along is None


@dataclass(frozen=True, eq=False)
class Ready:
    """A value of the body that lies ready in memory: `load` gives it, the ops behind it are not
    written."""

    value: SSAValue
    ops: frozenset[Operation]
    load: Callable[["BodyWriter"], Spread]


@dataclass(frozen=True, eq=False)
class Ahead:
    """Vectors are brought into the cache `steps` positions along an axis before they are read or
    written.

    With `terms`, coefficients of axes that are added to the place, only the first of neighbours is.
    Positions may lie `apart`, each in a row of memory that goes on beyond the tile. Of what the
    tile `below` takes of its rows by some accesses, each position asks for a part.
    """

    axis: SSAValue
    steps: int | Size
    terms: tuple[tuple[Size, SSAValue], ...] = ()
    apart: bool = False
    below: tuple[Access, ...] = ()


class BodyWriter(ABC):
    """Writes the body of a nest at the tile whose first position `bases` tells.

    What does not differ along the lanes stays scalar and is written before their loop; a read is
    one scalar load, a contiguous vector or a gather, as its stride along the lanes is 0, 1 or else.
    """

    def __init__(
        self,
        writer: Writer,
        analysis: Analysis,
        tile: Tile,
        bases: Mapping[SSAValue, Bound],
        buffers: Mapping[SSAValue, SSAValue],
        ready: Sequence[Ready] = (),
    ):
        self.writer = writer
        self.analysis = analysis
        self.tile = tile
        self.bases = dict(bases)
        self._axes = frozenset(bases)
        self.guards: dict[SSAValue, Guard] = {}
        """What is known of the guards of the folds around."""
        self._buffers = buffers
        self._accesses = analysis.accesses
        self._values: dict[SSAValue, Spread] = {}
        self.prefixes: dict[PrefixOp, Spread] = {}
        """What the positions of a scan came to before the one at which the body stands."""
        self.known: Mapping[ReadOp, Spread] = {}
        """What some reads give, which were carried out before, at the position of a fold."""
        self._ready = {each.value: each.load for each in ready}
        self.absent = frozenset[Operation]().union(*(each.ops for each in ready))
        self.ahead: Ahead | None = None
        """What else accesses of vectors ask for."""
        self.streamed: Container[SSAValue] = ()
        """The buffers that whole vectors are written to past the caches."""

    def write(self, block: Block, only: Container[Operation] | None = None) -> None:
        """Every op of the block, or only some of them."""
        for op in block.ops:
            if op in self.absent or (only is not None and op not in only):
                continue
            self.writer.location = op.location
            if isinstance(op, WriteOp):
                self._write(op)
            elif isinstance(op, ScanOp):
                self.scan(op)
            elif not isinstance(op, (IndexOp, *TERMINATORS)):
                self._define(op)

    def value(self, value: SSAValue) -> Spread:
        """What a value of the body has become; an affine index is computed on demand."""
        if (load := self._ready.get(value)) is not None:
            return load(self)
        found = self._values.get(value)
        return self._number(self.analysis.affines[value]) if found is None else found

    def is_ready_along(self, axis: SSAValue | None) -> bool:
        """Whether something that differs along an axis lies ready, for whole tiles."""
        return any(axis in self.analysis.dependences(each) for each in self._ready)

    def copies(self, rows: bool, lanes: bool) -> Iterator[tuple[int, int]]:
        """The places of the tile at which such a value differs."""
        for row in range(self.tile.height if rows else 1):
            for column in range(self.tile.vectors if lanes else 1):
                yield row, column

    def spread(self, values: Iterable[SSAValue], rows: bool, lanes: bool) -> Spread:
        return Spread(tuple(values), rows, lanes, self.tile.vectors if lanes else 1)

    def type(self, scalar: Attribute, lanes: bool) -> Attribute:
        return vector(scalar, self.tile.width) if lanes else scalar

    def vector_at(self, spread: Spread, row: int, column: int) -> SSAValue:
        """A value at a place, in every lane if it is a scalar."""
        value = spread.at(row, column)
        return value if spread.lanes else self.writer.splat(value, self.tile.width)

    def depth(self, value: SSAValue) -> int:
        """How deep the code of a value stands: as deep as the loops it depends on."""
        return self._depth_of(self.analysis.dependences(value))

    def _depth_of(self, dependences: Iterable[SSAValue]) -> int:
        return self.writer.innermost(self.bases[axis] for axis in dependences)

    # Ops.

    def _define(self, op: Operation) -> None:
        """Write the op, unless it is known: tiles share what does not depend on their lanes."""
        dependences = frozenset[SSAValue]().union(*map(self.analysis.dependences, op.results))
        if self.tile.lanes in dependences or not dependences <= self._axes:
            self._compute(op)
            return
        known = self.writer.remembered(self._depth_of(dependences))
        height = self.tile.height if self.tile.rows in dependences else 1
        key = (op, height, *(self.bases[axis] for axis in dependences))
        found = known.get(key)
        if found is None:
            self._compute(op)
            known[key] = [self._values[result] for result in op.results]
        else:
            self._values.update(zip(op.results, cast(list[Spread], found), strict=True))

    def _compute(self, op: Operation) -> None:
        if isinstance(op, ReadOp):
            self._values[op.result] = self.read(op)
        elif isinstance(op, FoldOp):
            self._values.update(zip(op.results, self.fold(op), strict=True))
        elif isinstance(op, WhileOp):
            self._values.update(zip(op.results, self._repeat(op), strict=True))
        elif isinstance(op, PrefixOp):
            self._values[op.result] = self._prefix(op)
        elif isinstance(op, arith.ConstantOp):
            self._values[op.result] = self._constant(op)
        elif isinstance(op, SelectOp) and op.condition in self.guards:
            self._values[op.result] = self.value(op.true_value)
        else:
            self._values[op.results[0]] = self._apply(op)

    @abstractmethod
    def fold(self, op: FoldOp) -> Iterable[Spread]:
        """The results of a fold."""

    @abstractmethod
    def scan(self, op: ScanOp) -> None:
        """All positions of a scan, one after the other."""

    def _prefix(self, op: PrefixOp) -> Spread:
        """The prefix before this position, with the term here."""
        before, term = self.prefixes[op], self.value(op.term)
        at = self.vector_at if before.lanes else Spread.at
        values = [
            take(self.writer, op.kind, [before.at(i, j)], [at(term, i, j)])[0]
            for i, j in self.copies(before.rows, before.lanes)
        ]
        after = self.prefixes[op] = replace(before, values=tuple(values))
        return after

    def _repeat(self, op: WhileOp) -> Iterable[Spread]:
        """What a loop carries in the end. All places of the tile go round together, as long as the
        condition holds at some; those where it does not keep what they have."""
        asked, body, values, test = op.condition.block, op.body.block, self._values, op.test
        starts = list(map(self._alike, map(self.value, op.initial), op.results))
        moving = [x for x in test.passed if not self.analysis.dependences(x) <= self._axes]
        passed: list[Spread] = []

        def ask(carried: Sequence[SSAValue]) -> tuple[SSAValue, Sequence[SSAValue]]:
            values.update(zip(asked.args, _spreads(carried, starts), strict=True))
            self.write(asked)
            holds = self.value(test.value)
            inside = self.tile.masks * (len(holds.values) // holds.columns) if holds.lanes else ()
            masked = map(self.writer.both, inside, holds.values)
            holds = replace(holds, values=(*filter(None, masked),) or holds.values)
            passed[:] = [holds, *map(self.value, moving)]
            anywhere = self.writer.any_of(holds.values)
            return self.writer.some(anywhere) if holds.lanes else anywhere, _flat(passed)

        def step(carried: Sequence[SSAValue], given: Sequence[SSAValue]) -> Sequence[SSAValue]:
            before, (holds, *rest) = _spreads(carried, starts), _spreads(given, passed)
            values.update(zip(moving, rest, strict=True))
            known = (*before, *map(self.value, test.passed))
            values.update(zip(body.args, known, strict=True))
            self.write(body)
            after = _flat(map(self._alike, map(self.value, op.following), op.results))
            if not (holds.rows or holds.lanes):
                return after
            where = _flat(self._alike(holds, result) for result in op.results)
            return list(map(self.writer.select, where, after, carried))

        return _spreads(self.writer.repeat(_flat(starts), ask, step), starts)

    def _alike(self, value: Spread, other: SSAValue) -> Spread:
        """A value at all places of the tile at which another one differs."""
        along = self.analysis.dependences(other)
        rows, lanes = self.tile.rows in along, self.tile.lanes in along
        at = self.vector_at if lanes else Spread.at
        return self.spread([at(value, i, j) for i, j in self.copies(rows, lanes)], rows, lanes)

    def define(self, value: SSAValue, spread: Spread) -> None:
        """From here on this is what a value of the body has become."""
        self._values[value] = spread

    def _constant(self, op: arith.ConstantOp) -> Spread:
        return Spread((self.writer.once((op,), type(op), (), op.result.type, op.properties),))

    def _apply(self, op: Operation) -> Spread:
        operands = [self.value(operand) for operand in operands_of(op)]
        rows = any(operand.rows for operand in operands)
        lanes = any(operand.lanes for operand in operands)
        result = self.type(op.results[0].type, lanes)
        kind = cast(type[IRDLOperation], type(op))
        at = self.vector_at if lanes else Spread.at
        places = ([at(each, i, j) for each in operands] for i, j in self.copies(rows, lanes))
        values = [self.writer.pure(kind, each, result, op.properties) for each in places]
        return self.spread(values, rows, lanes)

    # Memory.

    def read(self, op: ReadOp) -> Spread:
        if op in self.known:
            return self.known[op]
        access = self._accesses[op]
        condition = self._condition(op)
        alike = condition is None or not (condition.rows or condition.lanes)
        if alike and self._is_turned(access):
            return self._load_turned(access, op.result.type, condition)
        rows, lanes = self._differs(access.at)
        if lanes:
            load = self._load_vector
        elif condition is not None and condition.lanes:
            load, lanes = self._load_where_some, True
        elif condition is not None and self._may_read_elsewhere(access):
            load = self._load_elsewhere
        else:
            load = self._load_scalar
        rows = rows or (condition is not None and condition.rows)
        type = self.type(op.result.type, lanes)
        values = [load(access, type, condition, i, j) for i, j in self.copies(rows, lanes)]
        return self.spread(values, rows, lanes)

    def _is_turned(self, access: Access) -> bool:
        """Whether a square tile is contiguous along its rows instead of its lanes."""
        tile, at = self.tile, access.at
        return (
            tile.rows is not None
            and tile.lanes in at.terms
            and tile.height == tile.width > 1
            and tile.last_row is None
            and tile.masks == (None,)
            and at.terms.get(tile.rows) == ONE
            and all(value in self.bases for value in at.terms)
        )

    def _load_turned(self, access: Access, element: Attribute, where: Spread | None) -> Spread:
        """A square tile read along its rows and transposed in registers; zeros if not all of it is
        to be read."""
        source, type, lanes = self._buffer(access), self.type(element, True), range(self.tile.width)
        places = [self._offset(access.at, 0, 0, lane) for lane in lanes]
        mask = None if where is None else self.writer.splat(where.at(0, 0), self.tile.width)
        columns = [self.writer.load(source, place, type, mask) for place in places]
        for place in places:
            self._ask(access, place, 0)
        return self.spread(transposed(self.writer, columns), True, True)

    def _condition(self, op: ReadOp) -> Spread | None:
        """The condition of a read; None if it may happen always."""
        condition = op.condition
        if condition is None:
            return None
        guard = self.guards.get(condition)
        if guard is not None and (guard.holds or self.analysis.is_inside(self._accesses[op])):
            return None
        return self.value(condition)

    def _may_read_elsewhere(self, access: Access) -> bool:
        """Whether, where the condition does not hold, the read may give any element: those from the
        first on, along the axes that go on."""
        along = self._dropped_along(access)
        if along is None or not self.analysis.is_inside(access, along):
            return False
        steps = [step.bounds({})[0] for axis, step in access.at.terms.items() if axis in along]
        return all(least is not None and least >= 0 for least in steps)

    def _dropped_along(self, access: Access) -> frozenset[SSAValue] | None:
        condition = access.op.condition if isinstance(access.op, ReadOp) else None
        guard = None if condition is None else self.guards.get(condition)
        return None if guard is None else guard.dropped_along

    def _load_elsewhere(
        self, access: Access, type: Attribute, condition: Spread | None, i: int, j: int
    ) -> SSAValue:
        """From the buffer's first row where the condition does not hold: the choice is made before
        the loops along which all positions go one way, which then load without a condition."""
        assert condition is not None
        along = self._dropped_along(access) or frozenset[SSAValue]()
        inner = {value: c for value, c in access.at.terms.items() if value in along}
        outer = {value: c for value, c in access.at.terms.items() if value not in along}
        place = self.writer.value(self._offset(Index(outer, access.at.offset), i, j))
        zero = self.writer.value(0)
        chosen = self.writer.once((), SelectOp, (condition.at(i, j), place, zero), INDEX)
        rest = self._offset(Index(inner, ZERO), i, j)
        return self.writer.load(self._buffer(access), self.writer.add(chosen, rest), type)

    def _load_scalar(
        self, access: Access, type: Attribute, condition: Spread | None, i: int, j: int
    ) -> SSAValue:
        mask = None if condition is None else condition.at(i, j)
        return self.writer.load(self._buffer(access), self._offset(access.at, i, j), type, mask)

    def _load_vector(
        self, access: Access, type: Attribute, condition: Spread | None, i: int, j: int
    ) -> SSAValue:
        mask = None if condition is None else self.vector_at(condition, i, j)
        place, mask, back = self._lanes_at(access, mask, i, j)
        value = self.writer.load(self._buffer(access), place, type, mask)
        return turned_around(self.writer, value) if back else value

    def _lanes_at(self, access: Access, inside: Mask, i: int, j: int) -> tuple[Bound, Mask, bool]:
        """Where a vector lies: from an offset on, or a lane at each; which of its lanes count, and
        whether the last one comes first."""
        mask, step = self.writer.both(self.tile.masks[j], inside), self._step(access.at)
        if step == BACK:
            mask = None if mask is None else turned_around(self.writer, mask)
            return self._offset(access.at, i, j, self.tile.width - 1), mask, True
        if step != ONE:
            return self._offsets(access.at, i, j), mask, False
        offset = self._offset(access.at, i, j)
        self._ask(access, offset, j)
        return offset, mask, False

    def _load_where_some(
        self, access: Access, type: Attribute, condition: Spread | None, i: int, j: int
    ) -> SSAValue:
        """One element for the lanes in which the condition holds, zero for the others."""
        assert condition is not None
        mask = self.writer.both(self.tile.masks[j], condition.at(i, j))
        assert mask is not None
        offset, scalar = self._offset(access.at, i, j), element(type)
        one = self.writer.load(self._buffer(access), offset, scalar, self.writer.some(mask))
        zero = self.writer.constant(0.0 if isinstance(scalar, AnyFloat) else 0, type)
        return self.writer.select(mask, self.writer.splat(one, self.tile.width), zero)

    def _write(self, op: WriteOp) -> None:
        access = self._accesses[op]
        value, target = self.value(op.value), self._buffer(access)
        lanes = self.tile.lanes is not None
        places = self.copies(self.tile.rows is not None, lanes)
        if self._is_streamed(access):
            at = {self.writer.value(self._offset(access.at, *each)): each for each in places}
            vectors = {offset: self.vector_at(value, *each) for offset, each in at.items()}
            self.writer.stream(vectors, target)
            return
        for i, j in places:
            inside = self._row_mask(i)
            if not lanes:
                self.writer.store(value.at(i, j), target, self._offset(access.at, i, j), inside)
                continue
            vector = self.vector_at(value, i, j)
            if inside is not None:
                inside = self.writer.splat(inside, self.tile.width)
            place, mask, back = self._lanes_at(access, inside, i, j)
            vector = turned_around(self.writer, vector) if back else vector
            self.writer.store(vector, target, place, mask)

    def _ask(self, access: Access, offset: Bound, column: int) -> None:
        """For what a vector is to the tile that is so far ahead; of neighbours that lie apart from
        others, for the line in which the last one ends, too."""
        ahead, stride = self.ahead, access.stride(self.ahead.axis) if self.ahead else ZERO
        if ahead is None or not ahead.steps or stride in (ZERO, ONE) or (column and ahead.terms):
            return
        place = self._further(access, offset, ahead)
        last = ahead.apart and column == self.tile.vectors - 1
        for end in (0, self.tile.width - 1)[: 1 + last]:
            self.writer.prefetch(self._buffer(access), self.writer.add(place, end), ahead.apart)

    def ask_for_next(self, access: Access) -> None:
        """For a part of what the next panel is copied from, in rows that follow each other."""
        ahead, known = self.ahead, access.at.terms.keys() <= self.bases.keys()
        if ahead is not None and ahead.terms and known and access.stride(ahead.axis) == ONE:
            place = self._further(access, self._offset(access.at, 0, 0), ahead)
            self.writer.prefetch(self._buffer(access), place, ahead.apart)

    def _further(self, access: Access, offset: Bound, ahead: Ahead) -> Bound:
        terms = [(ONE, offset), *((size, self.bases[axis]) for size, axis in ahead.terms)]
        return self.writer.affine(terms, access.stride(ahead.axis) * ahead.steps)

    def _is_streamed(self, access: Access) -> bool:
        """Whether a tile is written past the caches: it is whole vectors, at offsets that are
        multiples of their lanes."""
        tile, at = self.tile, access.at
        strides = [stride for axis, stride in at.terms.items() if axis is not tile.lanes]
        return (
            access.buffer in self.streamed
            and tile.last_row is None
            and not any(tile.masks)
            and self._step(at) == ONE
            and all(divisor(each) % tile.width == 0 for each in (*strides, at.offset))
        )

    def _row_mask(self, row: int) -> Mask:
        """Whether the row is one of the nest's."""
        tile = self.tile
        if tile.last_row is None or tile.rows is None or row == 0:
            return None
        index = self.writer.value(self.writer.add(self.bases[tile.rows], row))
        last = self.writer.value(tile.last_row)
        return self.writer.compare("le", index, last)

    def _buffer(self, access: Access) -> SSAValue:
        return self._buffers.get(access.buffer, access.buffer)

    # Indices.

    def _differs(self, at: Index) -> tuple[bool, bool]:
        """Whether an index differs along the rows and along the lanes of the tile."""
        computed = [self.value(value) for value in at.terms if value not in self.bases]
        rows = self.tile.rows in at.terms or any(each.rows for each in computed)
        lanes = self.tile.lanes in at.terms or any(each.lanes for each in computed)
        return rows, lanes

    def _step(self, at: Index) -> Size | None:
        """How far apart neighbouring lanes lie in memory; None if that differs."""
        if any(value not in self.bases and self.value(value).lanes for value in at.terms):
            return None
        return None if self.tile.lanes is None else at.terms.get(self.tile.lanes)

    def _offset(self, at: Index, row: int, column: int, lane: int = 0) -> Bound:
        """The index at one lane, without what is a vector."""
        terms: list[Term] = []
        for value, coefficient in at.terms.items():
            base = self.bases.get(value)
            if base is not None:
                first = column * self.tile.width + lane
                terms.extend((coefficient, part) for part in self._index(value, base, row, first))
            elif not (spread := self.value(value)).lanes:
                terms.append((coefficient, spread.at(row, column)))
        return self.writer.affine(terms, at.offset)

    def _index(self, axis: SSAValue, base: Bound, row: int, lane: int) -> tuple[Bound, ...]:
        """What sums up to the index along an axis at a place of the tile."""
        tile = self.tile
        if axis is tile.lanes:
            return base, lane
        if axis is not tile.rows:
            return (base,)
        if tile.last_row is None or row == 0:
            return base, row
        return (self.writer.smaller(self.writer.add(base, row), tile.last_row),)

    def _offsets(self, at: Index, row: int, column: int) -> SSAValue:
        """The index at every lane."""
        width = self.tile.width
        first = self._offset(at, row, column)
        step = ZERO if self.tile.lanes is None else at.terms.get(self.tile.lanes, ZERO)
        if step == ONE:
            total = self.writer.lanes(first, width)
        else:
            total = self.writer.splat(self.writer.value(first), width)
            total = self._plus(total, self.writer.lanes(0, width), step)
        for value, coefficient in at.terms.items():
            if value not in self.bases and (spread := self.value(value)).lanes:
                total = self._plus(total, spread.at(row, column), coefficient)
        return total

    def _plus(self, total: SSAValue, values: SSAValue, factor: Size) -> SSAValue:
        if factor == ZERO:
            return total
        writer, type = self.writer, vector(INDEX, self.tile.width)
        if factor != ONE:
            scale = writer.splat(writer.value(writer.extent(factor)), self.tile.width)
            values = writer.once((), arith.MuliOp, (values, scale), type, _WRAPS)
        return writer.once((), arith.AddiOp, (total, values), type, _WRAPS)

    def _number(self, at: Index) -> Spread:
        """An affine index as a value."""
        rows, lanes = self._differs(at)
        copies = self.copies(rows, lanes)
        if lanes:
            return self.spread([self._offsets(at, i, j) for i, j in copies], rows, True)
        scalars = [self.writer.value(self._offset(at, i, j)) for i, j in copies]
        return self.spread(scalars, rows, False)


def _flat(spreads: Iterable[Spread]) -> list[SSAValue]:
    return [value for spread in spreads for value in spread.values]


def _spreads(values: Sequence[SSAValue], spreads: Sequence[Spread]) -> list[Spread]:
    """Values at the places of these."""
    walk = iter(values)
    return [replace(each, values=tuple(islice(walk, len(each.values)))) for each in spreads]


_WRAPS = defaults(arith.AddiOp)
