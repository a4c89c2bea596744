"""Random programs from the catalogue: lines of ops over symbolic shapes, some with regions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Any, TypeAlias, final

from hypothesis import strategies as st
from xdsl.ir import Operation, Region

from catalogue import mnemonic, samples
from op_samples import plain_samples
from stepwell.compiler.dialects.nd import Literal, Tensor, dtype_of, is_float, shape_of, tensor
from stepwell.compiler.dialects.sizes import Range, Shape, count_of
from stepwell.compiler.ops import TENSOR_OPS
from stepwell.compiler.ops.base import Effect, TensorOp
from stepwell.compiler.ops.dynamic_slices import DynamicUpdateSlice
from stepwell.compiler.ops.emission import emit, parameter_kinds
from stepwell.compiler.ops.regions import written
from stepwell.compiler.ops.value import Value, full
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size, at_most

RANGES: Mapping[str, Range] = {"M": (0, None), "N": (1, None)}
SIZES = ("N", "M", 1, 2, 3, 4, 5, 7, 16, 33)
DTYPES = ("f32", "f64", "i32", "bool", "f16", "bf16", "i64", "u8", "i8")
REACH = 300
"""How many choices of operands are tried for an op until the type rule accepts one."""
LARGEST = 4000
"""Elements of a value, with all symbols 5, beyond which a program does not go."""


@final
@dataclass(frozen=True)
class Recipe:
    """A program in numbers, so that hypothesis can make it smaller."""

    arguments: Sequence[Tensor]
    steps: Sequence[Sequence[int]]
    outputs: Sequence[int]

    @property
    def sizes(self) -> list[Size]:
        """The sizes of new axes: numbers, and the symbols that arguments have."""
        given = {size for type in self.arguments for size in shape_of(type)}
        sizes = [Size.of(size) for size in SIZES]
        return [size for size in sizes if size.static is not None or size in given]

    def write(self, *arguments: Value) -> list[Value]:
        pool = list(arguments)
        for numbers in self.steps:
            pool.extend(Step(numbers, self.sizes).write(pool))
        return [pool[-1], *(pool[number % len(pool)] for number in self.outputs)]


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    size = st.sampled_from(SIZES)
    shape = st.lists(size, max_size=3)
    dtype = st.sampled_from(DTYPES)
    types = draw(st.lists(st.tuples(dtype, shape), min_size=1, max_size=3))
    arguments = [tensor(d, tuple(map(Size.of, sizes))) for d, sizes in types]
    numbers = st.lists(st.integers(0, 999), min_size=6, max_size=6)
    steps = draw(st.lists(numbers, min_size=1, max_size=12))
    return Recipe(arguments, steps, draw(st.lists(st.integers(0, 99), max_size=2)))


@final
@dataclass
class Step:
    """One op: which, of what, and with which parameters, all as the numbers say."""

    numbers: Sequence[int]
    sizes: Sequence[Size]
    place: int = field(default=0)

    def pick(self, count: int) -> int:
        """A number below `count`."""
        self.place += 1
        return self.numbers[(self.place - 1) % len(self.numbers)] % count

    def size(self) -> Size:
        return self.sizes[self.pick(len(self.sizes))]

    def some(self, count: int) -> tuple[int, ...]:
        """Some of the numbers below `count`."""
        bits = self.pick(1 << count)
        return tuple(number for number in range(count) if bits >> number & 1)

    def write(self, pool: Sequence[Value]) -> list[Value]:
        """The op's results; none if the type rule accepts nothing."""
        wholes: Sequence[Callable[[Step, Sequence[Value]], list[Value]]] = list(WHOLES.values())
        which = self.pick(len(PLAIN) + len(wholes))
        if which >= len(PLAIN):
            return _small(wholes[which - len(PLAIN)](self, pool))
        kind = PLAIN[which]
        for operands, parameters in islice(self.choices(kind, pool), REACH):
            try:
                types = kind.infer(*(x.type for x in operands), **parameters)
            except CompileError:
                continue
            if all(map(_is_small, types)) and _has_room(kind, operands):
                op = emit(mnemonic(kind), [x.ssa for x in operands], **parameters)
                return list(map(Value, op.results))
        return []

    def choices(
        self, kind: type[TensorOp], pool: Sequence[Value]
    ) -> Iterator[tuple[list[Value], Mapping[str, Any]]]:
        """Operands from the pool, beginning anywhere, and parameters that may fit them."""
        first = self.pick(len(pool))
        turned = [*pool[first:], *pool[:first]]
        for operands in product(turned, repeat=OPERANDS[kind]):
            given = PARAMETERS.get(mnemonic(kind))
            if given is not None:
                yield list(operands), given(self, operands)
            else:
                for parameters in SAMPLED[kind]:
                    yield list(operands), parameters


def _is_small(type: Tensor) -> bool:
    symbols = dict.fromkeys(count_of(shape_of(type)).symbols, 5)
    return count_of(shape_of(type)).evaluate(symbols) <= LARGEST


def _has_room(kind: type[TensorOp], operands: Sequence[Value]) -> bool:
    """Whether an update is never longer than what it goes into: nobody could refuse that before the
    program runs."""
    if kind is not DynamicUpdateSlice:
        return True
    x, update, *_ = operands
    pairs = zip(update.shape, x.shape, strict=True)
    return all(at_most(part, size, RANGES) for part, size in pairs)


def _small(values: Sequence[Value]) -> list[Value]:
    return [value for value in values if _is_small(value.type)]


# Parameters, by the op's mnemonic, given its operands.

Parameters: TypeAlias = Callable[[Step, Sequence[Value]], Mapping[str, Any]]


def _axis(step: Step, x: Value) -> int:
    return step.pick(max(x.rank, 1))


def _occupied(step: Step, x: Value) -> tuple[int, ...]:
    """Some axes that are never empty."""
    return tuple(a for a in step.some(x.rank) if (x.shape[a].bounds(RANGES)[0] or 0) > 0)


def _permutation(step: Step, count: int) -> tuple[int, ...]:
    left = list(range(count))
    return tuple(left.pop(step.pick(len(left))) for _ in range(count))


def _broadcast(step: Step, x: Value) -> Mapping[str, Any]:
    shape, axes = list(x.shape), list(range(x.rank))
    for _ in range(1 + step.pick(2)):
        at = step.pick(len(shape) + 1)
        shape.insert(at, step.size())
        axes = [axis + (axis >= at) for axis in axes]
    return {"shape": tuple(shape), "axes": tuple(axes)}


def _reshape(step: Step, x: Value) -> Mapping[str, Any]:
    """Two neighbours in one, or one with a factor split in two."""
    shape, axis = list(x.shape), _axis(step, x)
    if step.pick(2) and axis + 1 < x.rank:
        shape[axis : axis + 2] = [shape[axis] * shape[axis + 1]]
    elif x.rank:
        factor = step.size()
        whole = shape[axis] // factor
        shape[axis : axis + 1] = [whole, factor] if step.pick(2) else [factor, whole]
    return {"shape": tuple(shape)}


def _slice(step: Step, x: Value) -> Mapping[str, Any]:
    start, shape, by = [], [], []
    for size in x.shape:
        first, every = step.pick(3), 1 + step.pick(3)
        whole = size.static is None or size.static <= first
        start.append(Size.of(0 if whole else first))
        shape.append(size if whole else Size.of((size.static - first + every - 1) // every))
        by.append(1 if whole else every)
    return {"start": tuple(start), "shape": tuple(shape), "step": tuple(by)}


def _part(step: Step, x: Value) -> Mapping[str, Any]:
    """As long as x where nobody knows how long that is."""
    lengths = (1 + step.pick(max(size.static or 1, 1)) for size in x.shape)
    pairs = zip(x.shape, lengths, strict=True)
    return {"shape": tuple(Size.of(n) if size.static else size for size, n in pairs)}


def _pad(step: Step, x: Value) -> Mapping[str, Any]:
    def amounts(limit: int) -> tuple[int, ...]:
        return tuple(step.pick(limit) for _ in range(x.rank))

    low, high = (tuple(map(Size.of, amounts(3))) for _ in range(2))
    return {"low": low, "high": high, "interior": amounts(2)}


def _dot(step: Step, x: Value, y: Value) -> Mapping[str, Any]:
    """Contracts one axis of each, if they fit; perhaps the first ones are shared."""
    batch = min(step.pick(2), x.rank, y.rank)
    pairs = [
        (i, j)
        for i in range(batch, x.rank)
        for j in range(batch, y.rank)
        if x.shape[i] == y.shape[j]
    ]
    chosen = [pairs[step.pick(len(pairs))]] if pairs and step.pick(4) else []
    return {
        "batch": batch,
        "left": tuple(i for i, _ in chosen),
        "right": tuple(j for _, j in chosen),
    }


PARAMETERS: Mapping[str, Parameters] = {
    "convert": lambda step, given: {"dtype": DTYPES[step.pick(len(DTYPES))]},
    "broadcast": lambda step, given: _broadcast(step, given[0]),
    "reshape": lambda step, given: _reshape(step, given[0]),
    "transpose": lambda step, given: {"axes": _permutation(step, given[0].rank)},
    "slice": lambda step, given: _slice(step, given[0]),
    "dynamic_slice": lambda step, given: _part(step, given[0]),
    "reverse": lambda step, given: {"axes": step.some(given[0].rank)},
    "pad": lambda step, given: _pad(step, given[0]),
    "concatenate": lambda step, given: {"axis": _axis(step, given[0])},
    "reduce_sum": lambda step, given: {"axes": step.some(given[0].rank)},
    "reduce_prod": lambda step, given: {"axes": step.some(given[0].rank)},
    "reduce_max": lambda step, given: {"axes": _occupied(step, given[0])},
    "reduce_min": lambda step, given: {"axes": _occupied(step, given[0])},
    "argmax": lambda step, given: {"axis": (*_occupied(step, given[0]), -1)[0]},
    "dot": lambda step, given: _dot(step, *given),
    "cumsum": lambda step, given: {"axis": _axis(step, given[0]), "reverse": step.pick(2)},
    "sort": lambda step, given: {"axis": _axis(step, given[0])},
    "gather": lambda step, given: {"batch": step.pick(2)},
    "scatter_add": lambda step, given: {"batch": step.pick(2)},
    "constant": lambda step, given: {
        "value": Literal.of(step.pick(5) - 2, ("f64", "f32", "i32")[step.pick(3)]),
        "shape": (step.size(),),
    },
    "iota": lambda step, given: {
        "shape": (step.size(), Size.of(2)),
        "axis": step.pick(2),
        "dtype": ("f32", "i32", "i64")[step.pick(3)],
    },
    "size": lambda step, given: {"size": step.size()},
}


# Ops with regions, each around small programs of its own.


def _floats(step: Step, pool: Sequence[Value]) -> Value | None:
    found = [x for x in pool if is_float(x.dtype)]
    return found[step.pick(len(found))] if found else None


def _smooth(step: Step, x: Value) -> Value:
    """A tame function of x."""
    return [lambda: x.apply("sin"), lambda: x * 0.5 + 1, lambda: x.with_("max", x * x)][
        step.pick(3)
    ]()


def _results(
    name: str, operands: Sequence[Value], regions: Sequence[Region], **parameters: Any
) -> list[Value]:
    op: Operation = emit(name, [x.ssa for x in operands], regions, **parameters)
    return list(map(Value, op.results))


def _branch(step: Step, pool: Sequence[Value]) -> list[Value]:
    x = _floats(step, pool)
    if x is None:
        return []
    total = x.convert("f32").sum(range(x.rank))
    operands = [total.compare("gt", 0.25), x, total]
    types = [x.type, total.type]
    regions = [
        written(types, lambda given: [_smooth(step, given[0]), given[1]]),
        written(types, lambda given: [given[0], given[1] + 1]),
    ]
    return _results("if", operands, regions)


def _loop(step: Step, pool: Sequence[Value]) -> list[Value]:
    x = _floats(step, pool)
    if x is None or not x.rank:
        return []
    part = tensor(x.dtype, x.shape[1:])
    initial = full(step.pick(3), x.dtype, shape_of(part))

    def body(given: list[Value]) -> list[Value]:
        carried = _smooth(step, given[0]) * 0.5 + given[1]
        return [carried, carried * given[1]]

    return _results(
        "scan",
        [initial, x],
        [written([part, part], body)],
        constants=0,
        carried=1,
        length=x.shape[0],
        reverse=step.pick(2),
    )


def _repeat(step: Step, pool: Sequence[Value]) -> list[Value]:
    x = _floats(step, pool)
    if x is None:
        return []
    times, count = step.pick(4), full(0, "i32")
    types = [count.type, x.type]
    regions = [
        written(types, lambda given: [given[0].compare("lt", times)]),
        written(types, lambda given: [given[0] + 1, _smooth(step, given[1])]),
    ]
    return _results("while", [count, x], regions, constants=0)


def _again(step: Step, pool: Sequence[Value]) -> list[Value]:
    x = _floats(step, pool)
    if x is None:
        return []
    region = written([x.type], lambda given: [_smooth(step, given[0]) * given[0]])
    return _results("remat", [x], [region])


WHOLES: Mapping[str, Callable[[Step, Sequence[Value]], list[Value]]] = {
    "if": _branch,
    "scan": _loop,
    "while": _repeat,
    "remat": _again,
}
PLAIN: Sequence[type[TensorOp]] = [
    kind for kind in TENSOR_OPS if plain_samples(kind) and not issubclass(kind, Effect)
]
SAMPLED: Mapping[type[TensorOp], Sequence[Mapping[str, Any]]] = {
    kind: [case.parameters for case in samples(kind)] if parameter_kinds(kind) else [{}]
    for kind in PLAIN
}
OPERANDS = {kind: min(len(plain_samples(kind)[0][0]), 3) for kind in PLAIN}


def shape_with(shape: Shape, symbols: Mapping[str, int]) -> tuple[int, ...]:
    """A shape in numbers."""
    return tuple(size.evaluate(symbols) for size in shape)


def without_symbols(type: Tensor, symbols: Mapping[str, int]) -> Tensor:
    return tensor(dtype_of(type), tuple(map(Size.of, shape_with(shape_of(type), symbols))))
