"""Writing explicit code: every op as far out in the loops as its operands allow, and only once."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial, reduce
from typing import cast, final

from xdsl.dialects import arith
from xdsl.dialects.builtin import (
    UNKNOWN_LOC,
    AnyFloat,
    FloatAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    LocationAttr,
    StringAttr,
    UnitAttr,
    i1,
)
from xdsl.ir import Attribute, Block, Operation, OpResult, Region, SSAValue
from xdsl.irdl import IRDLOperation

from stepwell.compiler.dialects.construct import NOTHING, append, construct, segments
from stepwell.compiler.dialects.llvm.types import is_vector, like, vector
from stepwell.compiler.dialects.loop.explicit import (
    AlignedOp,
    AnyOp,
    FenceOp,
    ForOp,
    GatherOp,
    IfOp,
    LoadOp,
    MaskOp,
    ParallelOp,
    PrefetchOp,
    ScatterOp,
    StackOp,
    StoreOp,
)
from stepwell.compiler.dialects.loop.host import ConditionOp, ViewOp, WhileOp
from stepwell.compiler.dialects.loop.nests import IndexOp, YieldOp
from stepwell.compiler.dialects.loop.scalar import CompareOp, LanesOp, SelectOp, SplatOp
from stepwell.compiler.dialects.loop.syntax import INDEX
from stepwell.compiler.dialects.loop.types import AccessAttr, Affine, BufferType
from stepwell.compiler.dialects.sizes import NumberAttr
from stepwell.compiler.ops.functions import defaults
from stepwell.compiler.ops.indices import ONE, ZERO
from stepwell.runtime.sizes import Size

Bound = int | SSAValue
"""An index: known, or computed by the program."""
Term = tuple[Size, Bound]
"""A coefficient and what it multiplies."""


@lru_cache(maxsize=4096)
def _number(text: str, type: Attribute) -> Attribute:
    if isinstance(type, IntegerType | IndexType):
        return IntegerAttr(int(text), cast(IndexType, type))
    return FloatAttr(float(text), cast(AnyFloat, type))


@lru_cache(maxsize=4096)
def _access(offset: Size, *coefficients: Size) -> Mapping[str, Attribute]:
    terms = tuple((coefficient, number) for number, coefficient in enumerate(coefficients))
    return {"access": AccessAttr((Affine(terms, offset),))}


@dataclass(eq=False)
class Level:
    """A block under construction, and what is known in it and in the blocks inside."""

    block: Block
    known: dict[object, SSAValue] = field(default_factory=dict[object, SSAValue])
    loaded: dict[object, SSAValue] = field(default_factory=dict[object, SSAValue])
    remembered: dict[object, object] = field(default_factory=dict[object, object])
    asked: list[tuple[SSAValue, SSAValue, bool]] = field(default_factory=list)
    """Lines of memory to ask for at its end, and whether they are of rows that lie apart."""


@final
class Writer:
    """Appends explicit ops to nested blocks that are all still open.

    A loop op follows its body, so whatever is written to an outer block meanwhile stands before the
    loop: pure ops and loads go to the outermost block that has their operands. Loads stay inside a
    loop that may not run, and inside `memory()`; nothing leaves the body of a `parallel`.
    """

    def __init__(self, block: Block):
        self.location: LocationAttr = UNKNOWN_LOC
        self._levels = [Level(block)]
        self._depths: dict[Block | Operation | None, int] = {block: 0}
        self._floor = 0
        self._memory = 0

    # Placing.

    def depth(self, value: SSAValue) -> int:
        """How deep in the open blocks a value becomes known."""
        block = value.op.parent if isinstance(value, OpResult) else value.owner
        return self._depths.get(block, 0)

    def innermost(self, values: Iterable[Bound]) -> int:
        """How deep code stands that uses these values, and memory."""
        depths = [self.depth(value) for value in values if not isinstance(value, int)]
        return max(self._memory, self._floor, *depths)

    def remembered(self, depth: int) -> dict[object, object]:
        """What has been computed for all that follows at this depth, by any key."""
        return self._levels[depth].remembered

    @contextmanager
    def at(self, depth: int) -> Generator[None]:
        """Within this scope, everything is written at this depth, before the loops deeper in."""
        levels, self._levels = self._levels, self._levels[: depth + 1]
        yield
        self._levels = levels

    def pure(
        self,
        kind: type[IRDLOperation],
        operands: Sequence[SSAValue],
        type: Attribute,
        properties: Mapping[str, Attribute] = NOTHING,
    ) -> SSAValue:
        """The result of an op without effects, as far out as its operands allow."""
        depth = max(map(self.depth, operands), default=0)
        op = construct(kind, operands, (type,), properties, self.location)
        append(self._levels[max(depth, self._floor)].block, op)
        return op.results[0]

    def once(
        self,
        key: tuple[object, ...],
        kind: type[IRDLOperation],
        operands: Sequence[SSAValue],
        type: Attribute,
        properties: Mapping[str, Attribute] = NOTHING,
    ) -> SSAValue:
        """As `pure`, unless the same was written before, as the key tells."""
        depth = max(max(map(self.depth, operands), default=0), self._floor)
        level = self._levels[depth]
        whole = (kind, type, *map(id, operands), *key)
        if (value := level.known.get(whole)) is not None:
            return value
        op = construct(kind, operands, (type,), properties, self.location)
        append(level.block, op)
        level.known[whole] = op.results[0]
        return op.results[0]

    def effect(
        self,
        kind: type[IRDLOperation],
        operands: Sequence[SSAValue],
        types: Sequence[Attribute] = (),
        properties: Mapping[str, Attribute] = NOTHING,
        regions: Sequence[Region] = (),
    ) -> Operation:
        """An op that stands right here."""
        op = construct(kind, operands, types, properties, self.location, regions=regions)
        append(self._levels[-1].block, op)
        return op

    # Numbers and indices.

    def constant(self, value: float | int, type: Attribute) -> SSAValue:
        """A number; of a vector's type, in every lane."""
        if is_vector(type):
            return self.splat(self.constant(value, type.element_type), type.get_shape()[0])
        text = repr(value)
        return self.once((text,), arith.ConstantOp, (), type, {"value": _number(text, type)})

    def value(self, bound: Bound) -> SSAValue:
        """An index as a value."""
        return self.constant(bound, INDEX) if isinstance(bound, int) else bound

    def extent(self, size: Size) -> Bound:
        """A size as an index."""
        return size.static if size.static is not None else self._sum((), size)

    def affine(self, terms: Sequence[Term], offset: Size = ZERO) -> Bound:
        """`sum of terms + offset`, the outer loops' part summed in the outer loops."""
        parts: dict[int, list[tuple[Size, SSAValue]]] = {}
        for coefficient, value in terms:
            if not isinstance(value, int):
                parts.setdefault(self.depth(value), []).append((coefficient, value))
            elif value:
                offset = offset + coefficient * value
        if offset.static is None:
            parts.setdefault(0, []).append((ONE, self._sum((), offset)))
            offset = ZERO
        total: SSAValue | None = None
        for depth in sorted(parts):
            part = parts[depth]
            total = self._sum([(ONE, total), *part] if total is not None else part, ZERO)
        if total is None:
            return offset.static or 0
        return self._sum([(ONE, total)], offset)

    def _sum(self, terms: Sequence[tuple[Size, SSAValue]], offset: Size) -> SSAValue:
        if len(terms) == 1 and terms[0][0] == ONE and offset == ZERO:
            return terms[0][1]
        key = offset, *(coefficient for coefficient, _ in terms)
        operands = [value for _, value in terms]
        return self.once(key, IndexOp, operands, INDEX, _access(*key))

    def add(self, first: Bound, second: Bound) -> Bound:
        return self.affine([(ONE, first), (ONE, second)])

    def subtract(self, first: Bound, second: Bound) -> Bound:
        return self.affine([(ONE, first), (Size.of(-1), second)])

    def multiply(self, first: Bound, factor: Size | int) -> Bound:
        return self.affine([(Size.of(factor), first)])

    def product(self, first: Bound, second: Bound) -> Bound:
        if isinstance(second, int):
            return self.multiply(first, second)
        if isinstance(first, int):
            return self.multiply(second, first)
        return self.once((), arith.MuliOp, (first, second), INDEX, defaults(arith.MuliOp))

    def smaller(self, first: Bound, second: Bound) -> Bound:
        if isinstance(first, int) and isinstance(second, int):
            return min(first, second)
        return self.index_op(arith.MinSIOp, first, second)

    def larger(self, first: Bound, second: Bound) -> Bound:
        if isinstance(first, int) and isinstance(second, int):
            return max(first, second)
        return self.index_op(arith.MaxSIOp, first, second)

    def index_op(self, kind: type[IRDLOperation], first: Bound, second: Bound) -> SSAValue:
        return self.once((), kind, (self.value(first), self.value(second)), INDEX)

    def quotient(self, first: Bound, divisor: Bound) -> Bound:
        """Of non-negative indices."""
        if isinstance(first, int) and isinstance(divisor, int):
            return first // divisor
        return first if divisor == 1 else self.index_op(arith.DivUIOp, first, divisor)

    def remainder(self, first: Bound, divisor: Bound) -> Bound:
        """Of non-negative indices."""
        if isinstance(first, int) and isinstance(divisor, int):
            return first % divisor
        return 0 if divisor == 1 else self.index_op(arith.RemUIOp, first, divisor)

    def unravel(self, position: Bound, sizes: Sequence[Size]) -> list[Bound]:
        """The indices along axes of these sizes, in row-major order; without axes none."""
        indices: list[Bound] = []
        for size in sizes[:0:-1]:
            extent = self.extent(size)
            indices.append(self.remainder(position, extent))
            position = self.quotient(position, extent)
        return [position, *reversed(indices)] if sizes else []

    def ceiling(self, first: Bound, divisor: int) -> Bound:
        """The quotient, rounded up."""
        return self.quotient(self.add(first, divisor - 1), divisor)

    def round_down(self, bound: Bound, unit: int) -> Bound:
        """The greatest multiple of `unit` that is at most `bound`."""
        if isinstance(bound, int):
            return bound - bound % unit
        if unit & (unit - 1) == 0:
            return self.index_op(arith.AndIOp, bound, -unit)
        return self.subtract(bound, self.remainder(bound, unit))

    def low_bits(self, bound: Bound, unit: int) -> Bound:
        """A non-negative index modulo a power of two."""
        if isinstance(bound, int):
            return bound % unit
        return self.index_op(arith.AndIOp, bound, unit - 1)

    # Vectors.

    def splat(self, scalar: SSAValue, lanes: int) -> SSAValue:
        return self.once((), SplatOp, (scalar,), vector(scalar.type, lanes))

    def lanes(self, first: Bound, lanes: int) -> SSAValue:
        """Consecutive indices."""
        return self.once((), LanesOp, (self.value(first),), vector(INDEX, lanes))

    def mask(self, first: Bound, bound: Bound, lanes: int) -> SSAValue:
        operands = (self.value(first), self.value(bound))
        return self.once((), MaskOp, operands, vector(i1, lanes))

    def both(self, first: SSAValue | None, second: SSAValue | None) -> SSAValue | None:
        """The conjunction of two masks; None is one that always holds."""
        if first is None or second is None:
            return second if first is None else first
        return self.once((), arith.AndIOp, (first, second), first.type)

    def all_of(self, conditions: Sequence[SSAValue]) -> SSAValue:
        return reduce(lambda a, b: self.once((), arith.AndIOp, (a, b), a.type), conditions)

    def any_of(self, conditions: Sequence[SSAValue]) -> SSAValue:
        return reduce(lambda a, b: self.once((), arith.OrIOp, (a, b), a.type), conditions)

    def some(self, mask: SSAValue) -> SSAValue:
        """Whether some lane is set."""
        return self.once((), AnyOp, (mask,), i1)

    def select(self, condition: SSAValue, true: SSAValue, false: SSAValue) -> SSAValue:
        return self.pure(SelectOp, (condition, true, false), true.type)

    def compare(self, predicate: str, first: Bound, second: Bound) -> SSAValue:
        operands = self.value(first), self.value(second)
        kind = {"predicate": StringAttr(predicate)}
        return self.pure(CompareOp, operands, like(operands[0].type, i1), kind)

    # Memory.

    def stack(self, type: BufferType) -> SSAValue:
        return self.pure(StackOp, (), type)

    def view(self, base: SSAValue, offset: Bound, type: BufferType) -> SSAValue:
        """A buffer within another one, so many of its elements from its start."""
        if isinstance(offset, int):
            return self.effect(ViewOp, (base,), (type,), _access(Size.of(offset))).results[0]
        return self.effect(ViewOp, (base, offset), (type,), _access(ZERO, ONE)).results[0]

    def load(
        self, source: SSAValue, offset: Bound, type: Attribute, mask: SSAValue | None = None
    ) -> SSAValue:
        """What lies at a linear offset, or in each lane at one of a vector; the same load is not
        repeated within `memory()`."""
        place = self.value(offset)
        operands = (source, place) if mask is None else (source, place, mask)
        level = self._levels[max(self._memory, *map(self.depth, operands))]
        key = (type, *map(id, operands))
        if (value := level.loaded.get(key)) is not None:
            return value
        kind = GatherOp if is_vector(place.type) else LoadOp
        properties = segments(1, 1, int(mask is not None))
        op = construct(kind, operands, (type,), properties, self.location)
        append(level.block, op)
        level.loaded[key] = op.results[0]
        return op.results[0]

    def reload(self, source: SSAValue, offset: Bound, type: Attribute) -> SSAValue:
        """A load from memory that this nest also writes: right here."""
        operands = (source, self.value(offset))
        return self.effect(LoadOp, operands, (type,), segments(1, 1, 0)).results[0]

    def store(
        self, value: SSAValue, target: SSAValue, offset: Bound, mask: SSAValue | None = None
    ) -> None:
        """Stores at a linear offset, or lane by lane at a vector of them."""
        place = self.value(offset)
        operands = (value, target, place) if mask is None else (value, target, place, mask)
        kind = ScatterOp if is_vector(place.type) else StoreOp
        self.effect(kind, operands, (), segments(1, 1, 1, int(mask is not None)))

    def stream(self, values: Mapping[SSAValue, SSAValue], target: SSAValue) -> None:
        """Store vectors at offsets that are multiples of their lanes, past the caches where the
        buffer is aligned."""
        aligned = self.once((), AlignedOp, (target,), i1)
        plain = segments(1, 1, 1, 0)

        def store(properties: Mapping[str, Attribute]) -> None:
            for offset, value in values.items():
                self.effect(StoreOp, (value, target, offset), (), properties)

        streamed = partial(store, {**plain, "streamed": UnitAttr()})
        self.branch(aligned, streamed, partial(store, plain))

    def fence(self) -> None:
        """From here on, other threads see what was streamed before."""
        self.effect(FenceOp, ())

    def prefetch(self, source: SSAValue, offset: Bound, apart: bool = False) -> None:
        """Ask for the cache line at a linear offset, which may lie outside. That is done at the end
        of the block: LLVM moves no loads past it, and what it then loads early takes registers."""
        self._levels[-1].asked.append((source, self.value(offset), apart))

    def _yield(self, values: Sequence[SSAValue]) -> None:
        for source, place, apart in self._levels[-1].asked:
            properties = {"apart": UnitAttr()} if apart else NOTHING
            self.effect(PrefetchOp, (source, place), (), properties)
        self.effect(YieldOp, values)

    @contextmanager
    def memory(self) -> Generator[None]:
        """Within this scope, memory that is read is not written: loads move and are shared."""
        outer, self._memory = self._memory, len(self._levels) - 1
        self._levels[-1].loaded.clear()
        yield
        self._memory = outer
        self._levels[-1].loaded.clear()

    # Control.

    def loop(
        self,
        low: Bound,
        high: Bound,
        step: int,
        initial: Sequence[SSAValue],
        body: Callable[[Bound, Sequence[SSAValue]], Sequence[SSAValue]],
        runs: bool = False,
    ) -> Sequence[SSAValue]:
        """A counted loop with carried values; written out where it runs at most once.

        `runs` promises that it runs, so that loads may leave it.
        """
        if isinstance(low, int) and isinstance(high, int):
            if low >= high:
                return initial
            if low + step >= high:
                return body(low, initial)
            runs = True
        types = [value.type for value in initial]
        bounds = (self.value(low), self.value(high))
        block = Block(arg_types=[INDEX, *types])
        with self._inside(block, runs):
            final = body(block.args[0], block.args[1:])
            self._yield(final)
        operands = (*bounds, *initial)
        op = self.effect(ForOp, operands, types, {"step": NumberAttr(step)}, [Region(block)])
        return op.results

    def each(
        self,
        low: Bound,
        high: Bound,
        inside: Callable[[Bound], object],
        step: int = 1,
        *,
        runs: bool = False,
    ) -> None:
        """A counted loop without carried values."""

        def body(index: Bound, _: Sequence[SSAValue]) -> Sequence[SSAValue]:
            inside(index)
            return ()

        self.loop(low, high, step, (), body, runs)

    def repeat(
        self,
        initial: Sequence[SSAValue],
        ask: Callable[[Sequence[SSAValue]], tuple[SSAValue, Sequence[SSAValue]]],
        step: Callable[[Sequence[SSAValue], Sequence[SSAValue]], Sequence[SSAValue]],
    ) -> Sequence[SSAValue]:
        """A loop with carried values: `ask` gives whether to go on, and what `step` takes, too."""
        types = [value.type for value in initial]
        asked = Block(arg_types=types)
        with self._inside(asked, True):
            goes_on, passed = ask(asked.args)
            self.effect(ConditionOp, (goes_on, *passed))
        body = Block(arg_types=[*types, *(value.type for value in passed)])
        with self._inside(body, True):
            final = step(body.args[: len(types)], body.args[len(types) :])
            self._yield(final)
        return self.effect(WhileOp, initial, types, NOTHING, (Region(asked), Region(body))).results

    def parallel(self, bound: Bound, body: Callable[[Bound], None]) -> None:
        """`body` for every index below `bound`, shared among threads."""
        self._shared(bound, Block(arg_types=[INDEX]), body)

    def ranges(self, bound: Bound, body: Callable[[Bound, Bound], None]) -> None:
        """`body` for ranges of the indices below `bound`, shared among threads: from a first one to
        before another."""
        self._shared(bound, Block(arg_types=[INDEX, INDEX]), body)

    def _shared(self, bound: Bound, block: Block, body: Callable[..., None]) -> None:
        count = self.value(bound)
        outer = self._floor, self._memory
        self._floor = self._memory = len(self._levels)
        with self._inside(block, True):
            body(*block.args)
        self._floor, self._memory = outer
        self.effect(ParallelOp, (count,), (), NOTHING, [Region(block)])

    def branch(
        self,
        condition: SSAValue,
        then: Callable[[], Sequence[SSAValue] | None],
        otherwise: Callable[[], Sequence[SSAValue] | None],
        rarely: bool = False,
    ) -> Sequence[SSAValue]:
        """One of two ways, which give the same number of values, or none. What the other way needs
        is computed before, or in it if it is taken `rarely`."""
        blocks = (Block(), Block())
        types: list[Attribute] = []
        floor = self._floor
        for block, write in zip(blocks, (then, otherwise), strict=True):
            with self._inside(block, False):
                values = write() or ()
                self._yield(values)
            types = [value.type for value in values]
            self._floor = len(self._levels) if rarely else floor
        self._floor = floor
        regions = [Region(block) for block in blocks]
        return self.effect(IfOp, (condition,), types, NOTHING, regions).results

    @contextmanager
    def _inside(self, block: Block, runs: bool) -> Generator[None]:
        depth = len(self._levels)
        outer, self._memory = self._memory, self._memory if runs else depth
        self._levels.append(Level(block))
        self._depths[block] = depth
        yield
        self._levels.pop()
        self._memory = outer
