"""What strategies ask of a nest: linear accesses, what depends on which axis, the types in it."""

from collections import Counter
from collections.abc import Container, Iterable, Sequence, Set
from dataclasses import dataclass, replace
from math import gcd
from typing import TypeAlias, final

from xdsl.dialects import arith
from xdsl.dialects.builtin import f64, i64
from xdsl.ir import Attribute, Block, Operation, SSAValue

from stepwell.compiler.dialects.construct import operands_of
from stepwell.compiler.dialects.loop.host import WhileOp
from stepwell.compiler.dialects.loop.nests import (
    FoldOp,
    IndexOp,
    NestOp,
    PrefixOp,
    ReadOp,
    ScanOp,
    WriteOp,
)
from stepwell.compiler.dialects.loop.scalar import CastOp, SelectOp
from stepwell.compiler.dialects.loop.types import Affine, buffer_type
from stepwell.compiler.dialects.sizes import Shape
from stepwell.compiler.lower.guards import guard_of
from stepwell.compiler.ops.indices import ONE, ZERO, Index
from stepwell.runtime.sizes import Size

BACK = Size.of(-1)


Around: TypeAlias = tuple[FoldOp | ScanOp | WhileOp, ...]


@dataclass(frozen=True, eq=False)
class Axis:
    """An axis of a nest or a fold, or several neighbours that are walked as one."""

    value: SSAValue
    size: Size


@dataclass(frozen=True, eq=False)
class Access:
    """A read or a write at a linear offset: a combination of axes and of computed indices."""

    op: ReadOp | WriteOp
    buffer: SSAValue
    at: Index

    def stride(self, axis: SSAValue) -> Size:
        """Elements between neighbours along the axis."""
        return self.at.terms.get(axis, ZERO)


@final
class Analysis:
    """One walk over the body of a nest, its folds included."""

    def __init__(self, nest: NestOp):
        self.nest = nest
        self.accesses: dict[Operation, Access] = {}
        self.inside: dict[FoldOp, list[Access]] = {}
        self.scans: dict[ScanOp, list[Access]] = {}
        self.affines: dict[SSAValue, Index] = {}
        self.computed_with: set[SSAValue] = set()
        """Axes and computed indices that serve as numbers, not in accesses only."""
        self.types: set[Attribute] = set()
        self.around: dict[Operation, Around] = {}
        """The folds, scans and loops that an access lies in, the outer one first."""
        self.counts: Counter[tuple[type[Operation], Around]] = Counter()
        """How many ops of each kind lie in the same folds, scans and loops."""
        self.repeats = False
        """Whether there is a `loop.while`."""
        self.guards: dict[FoldOp, SSAValue] = {}
        """For a fold, the condition without which a position of it contributes nothing."""
        self._sizes: dict[SSAValue, Size] = {}
        self._dependences: dict[SSAValue, frozenset[SSAValue]] = {}
        self._around: Around = ()
        self._enter(nest.axes, nest.sizes.data)
        self._walk(nest.body.block)

    def axes_of(self, op: FoldOp | ScanOp) -> list[Axis]:
        """The axes of a fold or a scan."""
        accesses = self.inside[op] if isinstance(op, FoldOp) else self.scans[op]
        return collapse(op.axes, op.sizes.data, accesses, self.computed_with)

    def axes(self, outer: int = 0) -> list[Axis]:
        """The nest's axes behind the first `outer` ones."""
        axes, sizes = self.nest.axes[outer:], self.nest.sizes.data[outer:]
        return collapse(axes, sizes, self.accesses.values(), self.computed_with)

    def privatise(self, buffers: Container[SSAValue], outer: int) -> None:
        """These buffers hold but one position of the first `outer` axes, that of the moment."""
        gone = self.nest.axes[:outer]
        for op, access in self.accesses.items():
            if access.buffer in buffers:
                kept = {value: c for value, c in access.at.terms.items() if value not in gone}
                self.accesses[op] = replace(access, at=Index(kept, access.at.offset))

    def relocate(self, buffer: SSAValue, strides: Shape, start: SSAValue) -> None:
        """A buffer has these strides, and lies from an offset on for which a value stands."""
        for op, access in self.accesses.items():
            if access.buffer is buffer:
                at = self._linear(access.op.access.data, access.op.indices, strides)
                self.accesses[op] = replace(access, at=Index({**at.terms, start: ONE}, at.offset))

    def written_along(self, axis: Axis) -> set[Size]:
        """Elements between neighbours along an axis, in all that is written."""
        writes = (each for each in self.accesses.values() if isinstance(each.op, WriteOp))
        return {each.stride(axis.value) for each in writes}

    def dependences(self, value: SSAValue) -> frozenset[SSAValue]:
        """The axes along which a value differs, as far as it counts: not by its fold's guard."""
        return self._dependences.get(value, _NONE)

    def ascends(self, op: FoldOp) -> bool:
        """Whether the index of a fold of pairs is known to grow from position to position."""
        cast, reach = op.terms[-1].owner, 0
        index = self.affines.get(cast.operand) if isinstance(cast, CastOp) else None
        for axis, size in zip(reversed(op.axes), reversed(op.sizes.data), strict=True):
            step = None if index is None else index.terms.get(axis, ZERO).static
            if step is None or size.static is None or step <= reach:
                return False
            reach += step * (size.static - 1)
        return True

    def is_known(self, axes: Set[SSAValue], value: SSAValue) -> bool:
        """Whether a number is known from these axes alone."""
        index = self.affines.get(value)
        if index is None:
            return isinstance(value.owner, arith.ConstantOp)
        return index.terms.keys() <= axes

    def is_inside(self, access: Access, axes: Container[SSAValue] | None = None) -> bool:
        """Whether the access is known to lie in its buffer whatever the condition: by all of its
        indices, or by those in which one of these axes is."""
        indices, affines = access.op.indices, access.op.access.data
        return all(
            self._is_within(access, number)
            for number, affine in enumerate(affines)
            if axes is None or any(indices[term] in axes for _, term in affine.terms)
        )

    def _is_within(self, access: Access, number: int) -> bool:
        """Whether the index stays in the buffer: an axis as long as that, or numbers that do."""
        size, affine = buffer_type(access.buffer).shape[number], access.op.access.data[number]
        axes = [access.op.indices[operand] for _, operand in affine.terms]
        if affine.offset == ZERO and [c for c, _ in affine.terms] == [ONE]:
            return self._sizes.get(axes[0]) == size
        terms = [
            (coefficient.static, self._sizes[axis].static if axis in self._sizes else None)
            for (coefficient, _), axis in zip(affine.terms, axes, strict=True)
        ]
        ends = [c * (n - 1) for c, n in terms if c is not None and n is not None]
        if affine.offset.static is None or size.static is None or len(ends) != len(terms):
            return False
        low, high = (affine.offset.static + sum(m(end, 0) for end in ends) for m in (min, max))
        return low >= 0 and high < size.static

    def _enter(self, axes: Sequence[SSAValue], sizes: Shape) -> None:
        for axis, size in zip(axes, sizes, strict=True):
            self._sizes[axis] = size
            self.affines[axis] = Index.axis(axis)
            self._dependences[axis] = frozenset((axis,))

    def _walk(self, block: Block) -> None:
        for op in block.ops:
            if isinstance(op, IndexOp):
                self.affines[op.result] = self._index(op.access.data[0], op.indices)
            elif isinstance(op, ReadOp | WriteOp):
                self._access(op)
            elif isinstance(op, FoldOp | ScanOp):
                self._inside(op)
            elif isinstance(op, WhileOp):
                self._repeated(op)
                continue
            else:
                self._scalar(op)
            self._depend(op)

    def _access(self, op: ReadOp | WriteOp) -> None:
        buffer = op.source if isinstance(op, ReadOp) else op.target
        type = buffer_type(buffer)
        self.types.add(type.element)
        at = self._linear(op.access.data, op.indices, type.strides)
        access = self.accesses[op] = Access(op, buffer, at)
        if self._around:
            self.around[op] = self._around
        for each in self._around:
            if isinstance(each, FoldOp):
                self.inside[each].append(access)
            elif isinstance(each, ScanOp):
                self.scans[each].append(access)

    def _linear(
        self, affines: Sequence[Affine], indices: Sequence[SSAValue], strides: Shape
    ) -> Index:
        pairs = zip(affines, strides, strict=True)
        parts = (self._index(affine, indices) * stride for affine, stride in pairs)
        return sum(parts, start=Index({}, ZERO))

    def _index(self, affine: Affine, indices: Sequence[SSAValue]) -> Index:
        """An affine index over axes and values that are no affine indices themselves."""
        found = Index({}, affine.offset)
        for coefficient, number in affine.terms:
            inner = self.affines.get(indices[number]) or Index.axis(indices[number])
            found += inner * coefficient
        return found

    def _repeated(self, op: WhileOp) -> None:
        """Along which axes carried values differ, is known when walking what is repeated tells
        nothing new. In there they depend on the loop, for which its first result stands."""
        loop, counts = frozenset(op.results[:1]), self.counts.copy()
        outer, self._around, self.repeats = self._around, (*self._around, op), True
        found: list[frozenset[SSAValue]] = []
        grown = [self.dependences(value) | loop for value in op.initial]
        while grown != found:
            found, self.counts = grown, counts.copy()
            self._dependences.update(zip(op.condition.block.args, found, strict=True))
            self._walk(op.condition.block)
            holds, *passed = map(self.dependences, op.test.operands)
            self._dependences.update(zip(op.body.block.args, (*found, *passed), strict=True))
            self._walk(op.body.block)
            following = map(self.dependences, op.following)
            grown = [a | b | holds for a, b in zip(found, following, strict=True)]
        self._around = outer
        self._dependences.update(zip(op.results, (each - loop for each in found), strict=True))

    def _inside(self, op: FoldOp | ScanOp) -> None:
        self._enter(op.axes, op.sizes.data)
        if isinstance(op, ScanOp):
            self.scans[op] = []
        else:
            self.inside[op] = []
            if (guard := guard_of(op)) is not None:
                self.guards[op] = guard
        outer, self._around = self._around, (*self._around, op)
        self._walk(op.body.block)
        self._around = outer

    def _scalar(self, op: Operation) -> None:
        self.counts[type(op), self._around] += 1
        self.types.update(result.type for result in op.results)
        for operand in operands_of(op):
            if (index := self.affines.get(operand)) is not None:
                self.computed_with.update(index.terms)

    def _depend(self, op: Operation) -> None:
        operands = list(op.terms if isinstance(op, FoldOp) else operands_of(op))
        around = self._around[-1] if self._around else None
        if isinstance(op, FoldOp) and op in self.guards:
            operands.append(self.guards[op])
        if isinstance(op, PrefixOp) and isinstance(around, ScanOp):
            operands.extend(around.axes)
        if isinstance(op, ReadOp | SelectOp) and isinstance(around, FoldOp):
            guard = self.guards.get(around)
            if guard is not None and op.condition is guard:
                operands.remove(guard)
        found = _NONE.union(*(self._dependences.get(operand, _NONE) for operand in operands))
        if isinstance(op, FoldOp):
            found = found.difference(op.axes)
        for result in op.results:
            self._dependences[result] = found


def _times(first: Size, second: Size) -> Size:
    return second if first == ONE else first if second == ONE else first * second


def collapse(
    values: Sequence[SSAValue],
    sizes: Shape,
    accesses: Iterable[Access],
    computed_with: set[SSAValue],
) -> list[Axis]:
    """The axes that are longer than one, neighbours in one wherever all memory is walked so.

    The last of several stands for all of them, whose indices are then 0.
    """
    pairs = zip(values, sizes, strict=True)
    axes = [Axis(value, size) for value, size in pairs if size != ONE]
    found: list[Axis] = []
    for axis in reversed(axes):
        if found and _adjacent(axis, found[-1], accesses, computed_with):
            inner = found.pop()
            axis = Axis(inner.value, axis.size * inner.size)
        found.append(axis)
    return found[::-1]


def _adjacent(
    outer: Axis, inner: Axis, accesses: Iterable[Access], computed_with: set[SSAValue]
) -> bool:
    if outer.value in computed_with or inner.value in computed_with:
        return False
    return all(
        access.stride(outer.value) == _times(access.stride(inner.value), inner.size)
        for access in accesses
    )


def divisor(size: Size) -> int:
    """A number that divides the size."""
    return gcd(*(coefficient for _, coefficient in size.polynomial.terms))


def lanes_of(types: Iterable[Attribute], bytes: int) -> int:
    """How many elements of the widest of these types a vector of so many bytes holds."""
    return bytes // (8 if any(type in _WIDE for type in types) else 4)


_NONE = frozenset[SSAValue]()
_WIDE = frozenset[Attribute]((f64, i64))
