"""Scalar programs: what an op's `element` writes with, and the body of a nest that it becomes.

A program is built once per kernel and holds for every index, so that a rule uses no Python `if` or
`range` on its values: it uses `select`, `guard` and `fold`.
"""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial, reduce

from xdsl.dialects.arith import ConstantOp
from xdsl.dialects.builtin import LocationAttr, StringAttr, i8
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.irdl import IRDLOperation

from stepwell.compiler.dialects.construct import NOTHING, OperationT, append, construct
from stepwell.compiler.dialects.llvm.types import bits, vector
from stepwell.compiler.dialects.loop.host import ConditionOp, WhileOp
from stepwell.compiler.dialects.loop.nests import FoldOp, IndexOp, PrefixOp, ScanOp, YieldOp
from stepwell.compiler.dialects.loop.scalar import Cast, CastOp, CompareOp, SelectOp, number
from stepwell.compiler.dialects.loop.syntax import INDEX
from stepwell.compiler.dialects.loop.types import UNCUT, AccessAttr, Combine, Order, OrderAttr
from stepwell.compiler.dialects.nd import ELEMENTS, is_float
from stepwell.compiler.dialects.sizes import Shape, SizesAttr
from stepwell.compiler.ops.functions import COMPARISONS, TABLES, comparison, defaults
from stepwell.compiler.ops.indices import ONE, ZERO, Index, linear
from stepwell.compiler.ops.regions import free_variables, lift
from stepwell.runtime.sizes import Size, at_most

SCALARS: dict[str, Attribute] = {**ELEMENTS, "u8": i8, "index": INDEX}
"""The type of a scalar of each dtype: the loop level has no signs, its ops have."""


def scalar_type(dtype: str, lanes: int) -> Attribute:
    """The type of a scalar, or of as many in a vector."""
    return SCALARS[dtype] if lanes == 1 else vector(SCALARS[dtype], lanes)


AxisFactors = dict[int, Shape]
"""Into what the axes of a program are split, by their number in the order of their making."""


@dataclass(frozen=True, eq=False)
class Scalar:
    """A value of the scalar program."""

    value: SSAValue
    dtype: str


@dataclass(frozen=True)
class Chain:
    """An axis, by its number, that is gone through in order, or from its end."""

    axis: int
    backwards: bool


Read = Callable[[tuple[Index, ...]], Scalar]
"""An operand as a function of an index."""


@dataclass(eq=False)
class Writer:
    """Writes ops of the loop level at the end of a block."""

    block: Block
    location: LocationAttr

    def write(
        self,
        kind: type[OperationT],
        operands: Sequence[SSAValue] = (),
        types: Sequence[Attribute] = (),
        properties: Mapping[str, Attribute] = NOTHING,
        regions: Sequence[Region] = (),
    ) -> OperationT:
        """A new op with the current location."""
        op = construct(kind, operands, types, properties, self.location, regions=regions)
        append(self.block, op)
        return op

    def index(self, index: Index | Size | int) -> SSAValue:
        """An affine index or a size as a value."""
        operands: list[SSAValue] = []
        access = AccessAttr((Index.of(index).affine(operands),))
        return self.write(IndexOp, operands, (INDEX,), {"access": access}).result

    @contextmanager
    def within(self, block: Block) -> Generator[None]:
        """Within this scope, ops go to the end of `block`."""
        outer, self.block = self.block, block
        yield
        self.block = outer


@dataclass(eq=False)
class Scalars(Writer):
    """Writes a scalar program into a block, at the place and with the location that are current;
    for `lanes` elements at once where it neither folds nor asks for constants or indices."""

    factors: AxisFactors = field(default_factory=dict[int, Shape])
    chain: Chain | None = None
    """The axis along which this program has prefixes, or should have."""
    lanes: int = 1

    def __post_init__(self) -> None:
        self.condition: Scalar | None = None
        self.wanted = dict(self.factors)
        """The factors with which no index of this program would need a division by an axis."""
        self._scan = Block()
        self._scan_sizes: Shape = ()
        self._axis_count = 0
        self._places: dict[SSAValue, tuple[int, int]] = {}
        self._extents: dict[SSAValue, Size] = {}
        self._known: list[dict[object, Scalar]] = [{}]

    def axes(self, block: Block, shape: Shape) -> tuple[tuple[Index, ...], Shape]:
        """New axes of these extents as arguments of `block`, as indices, and the sizes they have.

        An axis with factors becomes several: its index is their row-major position. That of an
        axis of size one is known to be 0. The axis of the chain is that of a scan, no argument.
        """
        indices: list[Index] = []
        sizes: list[Size] = []
        for extent in shape:
            number = self._axis_count
            self._axis_count += 1
            factors = self.factors.get(number, (extent,))
            chain = self.chain if self.chain is not None and self.chain.axis == number else None
            home = block if chain is None else self._scan
            values = [home.insert_arg(INDEX, len(home.args)) for _ in factors]
            for place, (value, factor) in enumerate(zip(values, factors, strict=True)):
                self._places[value] = number, place
                self._extents[value] = factor
            at = linear(
                tuple(
                    Index.axis(value) if factor != ONE else Index.of(0)
                    for value, factor in zip(values, factors, strict=True)
                ),
                factors,
            )
            backwards = chain is not None and chain.backwards
            indices.append(at * -1 + (extent - 1) if backwards else at)
            if chain is None:
                sizes.extend(factors)
            else:
                self._scan_sizes = factors
        return tuple(indices), tuple(sizes)

    # Values.

    def constant(self, value: float | int | bool, dtype: str) -> Scalar:
        def make() -> Scalar:
            type = SCALARS[dtype]
            return self._emit(ConstantOp, (), dtype, {"value": number(value, type)})

        return self.once(("constant", repr(value), dtype), make)

    def apply(self, name: str, *operands: Scalar) -> Scalar:
        """A scalar function or a comparison by name, of f16 and bf16 in f32, rounded."""
        dtype = operands[0].dtype
        if dtype in ("f16", "bf16"):
            result = self.apply(name, *(self.convert(each, "f32") for each in operands))
            return result if result.dtype == "bool" else self.convert(result, dtype)
        if name in COMPARISONS:
            return self._emit(CompareOp, operands, "bool", comparison(name, dtype))
        kind = TABLES[dtype][name]
        return self._emit(kind, operands, dtype, defaults(kind))

    def select(self, condition: Scalar, true: Scalar, false: Scalar) -> Scalar:
        return self._emit(SelectOp, (condition, true, false), true.dtype)

    def convert(self, x: Scalar, dtype: str) -> Scalar:
        """As `docs/semantics.md` says: floats round to nearest even, float to integer saturates."""
        if x.dtype == dtype:
            return x
        if {x.dtype, dtype} == {"i8", "u8"}:
            return Scalar(x.value, dtype)
        if dtype == "bool":
            return self.apply("ne", x, self.constant(0, x.dtype))
        if dtype in _NARROW and x.dtype != "f64" and x.dtype != "f32":
            x = self.convert(x, "f32")
        return self._cast(_cast_between(x.dtype, dtype), x, dtype)

    def guard(self, condition: Scalar, value: Callable[[], Scalar], otherwise: Scalar) -> Scalar:
        """`value()` where the condition holds, else `otherwise`: there its reads do not happen."""
        outer = self.condition
        self.condition = condition if outer is None else self.apply("and", outer, condition)
        inside = value()
        self.condition = outer
        return self.select(condition, inside, otherwise)

    def fold(
        self,
        combine: Combine,
        order: Order,
        sizes: Shape,
        terms: Callable[[tuple[Index, ...]], tuple[Scalar, ...]],
    ) -> tuple[Scalar, ...]:
        """The terms of every index below `sizes`, combined in the given order; the fold has the
        axes that are longer than one, or else one."""
        block = Block()
        axes, extents = self.axes(block, tuple(each for each in sizes if each != ONE) or (ONE,))
        longer = iter(axes)
        at = tuple(Index.of(0) if size == ONE else next(longer) for size in sizes)
        with self._inside(block):
            values = terms(at)
            given = [each.value for each in values]
            self.write(YieldOp, given)
        results = values if combine in (Combine.ARGMAX, Combine.ARGMIN) else values[:1]
        properties = {
            "combine": StringAttr(combine),
            "order": OrderAttr(order),
            "sizes": SizesAttr(extents),
        }
        types = [SCALARS[each.dtype] for each in results]
        op = self.write(FoldOp, (), types, properties, [Region(block)])
        return tuple(
            Scalar(value, each.dtype) for value, each in zip(op.results, results, strict=True)
        )

    def repeat(
        self,
        initial: Sequence[Scalar],
        condition: Callable[[Sequence[Scalar]], Scalar],
        body: Callable[[Sequence[Scalar]], Sequence[Scalar]],
    ) -> Sequence[Scalar]:
        """What is carried when the condition fails. The body uses what the condition computes."""
        asked, step = Block(arg_types=[SCALARS[each.dtype] for each in initial]), Block()
        carried = [Scalar(x, y.dtype) for x, y in zip(asked.args, initial, strict=True)]
        with self._inside(asked):
            holds = condition(carried)
            if self.condition is not None:
                holds = self.apply("and", self.condition, holds)
            self.block = step
            following = [each.value for each in body(carried)]
            self.write(YieldOp, following)
        inside = dict.fromkeys(result for op in asked.ops for result in op.results)
        passed = [value for value in free_variables(step) if value in inside]
        lift(step, [*asked.args, *passed])
        append(asked, construct(ConditionOp, [holds.value, *passed], (), {}, self.location))
        values = [each.value for each in initial]
        types = [value.type for value in values]
        regions = [Region(asked), Region(step)]
        op = self.write(WhileOp, values, types, regions=regions)
        return [Scalar(x, y.dtype) for x, y in zip(op.results, initial, strict=True)]

    def prefix(
        self, combine: Combine, along: Index, backwards: bool, term: Callable[[], Scalar]
    ) -> Scalar:
        """The terms at all indices of an axis up to this one, combined in one chain.

        A program that is not written along this axis will be written again, as `chain` tells.
        """
        if not along.terms:
            return self.fold(combine, UNCUT, (), lambda _: (term(),))[0]
        axis, _ = self._places[next(iter(along.terms))]
        self.chain = self.chain or Chain(axis, backwards)
        value = term()
        return self._emit(PrefixOp, (value,), value.dtype, {"combine": StringAttr(combine)})

    @contextmanager
    def along_the_chain(self) -> Generator[None]:
        """Within this scope, all is written for each index of the chain, if there is one."""
        if self.chain is None:
            yield
            return
        with self._inside(self._scan):
            yield
        properties = {"sizes": SizesAttr(self._scan_sizes)}
        self.write(ScanOp, (), (), properties, [Region(self._scan)])

    # Indices.

    def index_of(self, x: Scalar) -> Index:
        """An integer of the program as an index."""
        wide = self.convert(x, "i64")
        return Index.axis(self._cast(Cast.INDEX, wide, "index").value)

    def value_of(self, index: Index | Size | int, dtype: str) -> Scalar:
        """An index as a number of the program."""
        whole = dtype if dtype == "i32" else "i64"
        return self.convert(self._cast(Cast.INDEX, self.materialise(Index.of(index)), whole), dtype)

    def materialise(self, index: Index) -> Scalar:
        """An affine index as a value of type `index`."""
        return self.once(("index", index.key), lambda: Scalar(self.index(index), "index"))

    def inside(self, index: Index, size: Size) -> Scalar | None:
        """Whether 0 <= index < size; None where that always holds. If the size is so many steps
        that the index goes along an axis, and the rest never makes up one, steps are asked for."""
        for step in index.terms.values():
            steps, rest = self._steps(index, step)
            if step != ONE and (size // step) * step == size and not self._asked(rest, step):
                return self.inside(steps, size // step)
        asked = self._asked(index, size)
        return self.all_of(self._compare(name, index, Index.of(end)) for name, end in asked)

    def all_of(self, conditions: Iterable[Scalar | None]) -> Scalar | None:
        """Whether all of some conditions hold, of which None always does; None if all do."""
        known = [each for each in conditions if each is not None]
        return reduce(partial(self.apply, "and"), known) if known else None

    def clamp(self, index: Index, low: Size, high: Size) -> Index:
        """The index, moved into [low, high]."""
        value = self.apply("min", self.materialise(index), self.materialise(Index.of(high)))
        return Index.axis(self.apply("max", value, self.materialise(Index.of(low))).value)

    def divmod(self, index: Index, size: Size) -> tuple[Index, Index]:
        """Quotient and remainder of a non-negative index; affine wherever that can be shown.

        By 0 it is the index of an element that is not there, and is never asked for.
        """
        if size == ZERO:
            return Index({}, ZERO), index
        quotient, rest = self._steps(index, size)
        if not (asked := self._asked(rest, size)):
            return quotient, rest
        self._want_split(rest, size)
        if ("ge", ZERO) in asked:
            quotient, rest = Index({}, ZERO), index
        value, divisor = self.materialise(rest), self.materialise(Index.of(size))
        first = self.apply("quotient", value, divisor)
        second = self.apply("remainder", value, divisor)
        return quotient + Index.axis(first.value), Index.axis(second.value)

    def _steps(self, index: Index, size: Size) -> tuple[Index, Index]:
        """As many steps of a size as can be told apart, and the rest."""
        whole = {v: c // size for v, c in index.terms.items() if (c // size) * size == c}
        terms = {v: c for v, c in index.terms.items() if v not in whole}
        steps = _whole_steps(index.offset, size)
        return Index(whole, steps), Index(terms, index.offset - steps * size)

    def _asked(self, index: Index, size: Size) -> list[tuple[str, Size]]:
        """The comparisons without which 0 <= index < size is not known."""
        low, high = self._bounds(index)
        above = low is not None and at_most(ZERO, low, {}) is True
        below = high is not None and at_most(high, size - 1, {}) is True
        ends = (("ge", ZERO, above), ("lt", size, below))
        return [(name, end) for name, end, known in ends if not known]

    def _want_split(self, index: Index, size: Size) -> None:
        """Asks for an axis to be split if the index is that axis, and `size` divides its extent."""
        if len(index.terms) != 1 or index.offset != ZERO:
            return
        ((value, coefficient),) = index.terms.items()
        extent = self._extents.get(value)
        if extent is None or coefficient != ONE or (extent // size) * size != extent:
            return
        number, position = self._places[value]
        factors = self.factors.get(number, (extent,))
        if self.wanted.get(number, factors) == factors:
            split = (*factors[:position], extent // size, size, *factors[position + 1 :])
            self.wanted[number] = split

    def _bounds(self, index: Index) -> tuple[Size | None, Size | None]:
        """The least and greatest value, as far as the extents of its axes tell."""
        low = high = index.offset
        for value, coefficient in index.terms.items():
            extent = self._extents.get(value)
            if extent is None or not (coefficient.static or at_most(ZERO, coefficient, {}) is True):
                return None, None
            reach = coefficient * (extent - 1)
            if coefficient.static is not None and coefficient.static < 0:
                low = low + reach
            else:
                high = high + reach
        return low, high

    def _compare(self, name: str, a: Index, b: Index) -> Scalar:
        return self.apply(name, self.materialise(a), self.materialise(b))

    # Writing.

    def once(self, key: object, make: Callable[[], Scalar]) -> Scalar:
        """The value known under `key` in this block or around it, made if there is none."""
        for known in reversed(self._known):
            if (value := known.get(key)) is not None:
                return value
        value = self._known[-1][key] = make()
        return value

    def _cast(self, kind: Cast, x: Scalar, dtype: str) -> Scalar:
        return self._emit(CastOp, (x,), dtype, {"kind": StringAttr(kind)})

    def _emit(
        self,
        kind: type[IRDLOperation],
        operands: Sequence[Scalar],
        dtype: str,
        properties: Mapping[str, Attribute] = NOTHING,
    ) -> Scalar:
        values = [each.value for each in operands]
        type = scalar_type(dtype, self.lanes)

        def make() -> Scalar:
            return Scalar(self.write(kind, values, (type,), properties).results[0], dtype)

        key = kind, type, *values, *sorted(properties.items())
        return self.once(key, make) if values else make()

    @contextmanager
    def _inside(self, block: Block) -> Generator[None]:
        self._known.append({})
        with self.within(block):
            yield
        self._known.pop()


def _whole_steps(offset: Size, size: Size) -> Size:
    """How often a size goes into an offset: rounded down if both are numbers, else without a rest
    or not at all."""
    steps = offset // size
    numbers = offset.static is not None and size.static is not None
    return steps if numbers or steps * size == offset else ZERO


def _cast_between(source: str, target: str) -> Cast:
    if is_float(source):
        if is_float(target):
            wider = _WIDTH[target] > _WIDTH[source]
            return Cast.EXTF if wider else Cast.TRUNCF
        return Cast.FPTOUI if target == "u8" else Cast.FPTOSI
    signed = source in ("i8", "i32", "i64")
    if is_float(target):
        return Cast.SITOFP if signed else Cast.UITOFP
    if _WIDTH[target] < _WIDTH[source]:
        return Cast.TRUNCI
    return Cast.EXTSI if signed else Cast.EXTUI


_NARROW = ("f16", "bf16")


def working(dtype: str) -> str:
    """The dtype in which numbers of a dtype are folded; folds take bytes for unsigned ones."""
    return "f32" if dtype in _NARROW else "i32" if dtype == "i8" else dtype


_WIDTH = {dtype: bits(type) for dtype, type in SCALARS.items() if dtype != "index"}
