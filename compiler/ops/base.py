"""What every tensor op answers: its types, its values, its scalar at an index, its derivatives."""

import abc
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar

from numpy.typing import NDArray
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Block, Operation, OpResult, SSAValue
from xdsl.irdl import operand_def, result_def, traits_def
from xdsl.traits import Pure

from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.nd import Tensor, dtype_of, is_float, text_of
from stepwell.compiler.dialects.sizes import Shape
from stepwell.compiler.ops.emission import Inferring, Parameters
from stepwell.compiler.ops.host import Host
from stepwell.compiler.ops.indices import ONE, ZERO, Index
from stepwell.compiler.ops.scalars import Read, Scalar, Scalars
from stepwell.compiler.ops.structure import KernelOp
from stepwell.compiler.ops.value import Value, Zero, again, dense, emitted
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size

NUMBER_AXES = frozenset(("axis", "axes", "batch"))
"""The parameters that are numbers of axes, or how many come first."""
FIRST: Parameters = {"start": ZERO, "step": 1, "size": ONE, "stride": 1, "low": ZERO, "high": ZERO}
"""What parameters with an entry for each axis say of one along which nothing moves."""

Array = NDArray[Any]
Gradient = Sequence["Value | Zero"]
Moved = tuple[Sequence["Value"], Gradient]
"""Results, and their tangents."""


@dataclass(frozen=True)
class Split:
    """A block's pullback in a block of its own, and what it reads of the forward computation.

    `back` takes the residuals, then the cotangents of the outputs marked active, and yields the
    cotangents of what was differentiated by, zeros included.
    """

    back: Block
    residuals: tuple[SSAValue, ...]


class Transforms(abc.ABC):
    """What the rules of ops with regions ask for: the same question, put to a whole block."""

    @abc.abstractmethod
    def split(self, block: Block, wanted: Sequence[bool], active: Sequence[bool]) -> Split:
        """The pullback by the arguments marked `wanted`, of the outputs marked `active`."""

    @abc.abstractmethod
    def forward(self, block: Block, on: Sequence[bool]) -> tuple[Block, tuple[bool, ...]]:
        """The block with tangents of the arguments marked `on`, which it takes after the arguments.

        It yields the outputs, then the tangents of those that have any, as the flags tell.
        """

    @abc.abstractmethod
    def batch(self, block: Block, size: Size, on: Sequence[bool]) -> tuple[Block, tuple[bool, ...]]:
        """The block with a leading axis on the arguments marked `on`, and which outputs have it."""


class Role(Enum):
    """What an op is to the forming of kernels."""

    FREE = auto()
    """Moves or makes elements: read through wherever it is needed."""
    MAP = auto()
    """One scalar function of the operands' elements at the same index."""
    FOLD = auto()
    """Folds the elements along some axes, each once."""
    SCAN = auto()
    """Combines each element with those before it along an axis."""
    CONTRACT = auto()
    """Folds products: each element is read many times."""
    LOOP = auto()
    """Repeats a scalar function of the operands' elements at the same index."""
    ALONE = auto()
    """No function of an index, but a kernel by itself."""
    OPAQUE = auto()
    """No function of an index: lowered by itself."""


class Path(IntEnum):
    """How a value leads to a result that is differentiated; the best of several paths counts."""

    NONE = 0
    BROKEN = 1
    """Through integers or booleans, which have no derivative."""
    WHOLE = 2
    """Through floats alone."""


class TensorOp(Inferring, abc.ABC):
    """One tensor op. Families hold the common answers; a leaf says only what is different.

    The first question, `infer`, is asked of the class: the result types. An answer that a class
    cannot give is an error that names the method to write.
    """

    ROLE: ClassVar[Role] = Role.OPAQUE
    COSTLY: ClassVar[bool] = False
    """Whether an element is dear enough to be computed once and stored for several readers."""

    OVERWRITES: ClassVar[int | None] = None
    """The operand of which the result is a copy with changes, which `lower` makes by themselves."""

    @abc.abstractmethod
    def reference(self, *operands: Array) -> Array | tuple[Array, ...]:
        """The values, in NumPy."""

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        """The scalar at an index, given the operands as functions of an index."""
        raise self.missing("element", "how it is lowered to loops")

    def elements(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Sequence[Scalar]:
        """As `element`, of each result; ops with regions answer this one."""
        return (self.element(s, at, *reads),)

    def lower(self, h: Host, operands: Sequence[SSAValue], results: Sequence[SSAValue]) -> None:
        """Writes host code that fills the result buffers, for ops that are no index function."""
        raise self.missing("lower", "how it is lowered to loops")

    def gradient(self, *cotangents: Value) -> Gradient:
        """The cotangents of the operands, given those of the results."""
        raise self.missing("gradient", "how it is differentiated backwards")

    def tangent(self, *tangents: Value | Zero) -> Gradient:
        """The tangents of the results, given those of the operands, not all of them zero."""
        raise self.missing("tangent", "how it is differentiated forwards")

    def pullback(
        self, transforms: Transforms, wanted: Sequence[bool], *cotangents: Value | Zero
    ) -> Gradient:
        """As `gradient`, for the operands marked `wanted`; ops with regions answer this one."""
        return self.gradient(*map(dense, cotangents))

    def paths(self, *onward: Path) -> Sequence[Path]:
        """The paths from the operands, given those from the results: whole from float to float."""
        pairs = zip(self.results, onward, strict=True)
        whole = any(path is Path.WHOLE and is_float(dtype_of(x.type)) for x, path in pairs)
        rest = min(max(onward), Path.BROKEN)
        return [Path.WHOLE if whole and is_float(dtype_of(x.type)) else rest for x in self.operands]

    def pushforward(self, transforms: Transforms, *tangents: Value | Zero) -> Moved:
        """As `tangent`, with the results; ops with regions compute both anew: they answer this."""
        return list(map(Value, self.results)), self.tangent(*tangents)

    def vectorised(
        self, transforms: Transforms, size: Size, on: Sequence[bool], *operands: Value
    ) -> tuple[Sequence[Value], Sequence[bool]]:
        """As `batched`, with which results have the axis; ops with regions answer this one."""
        return self.batched(size, on, *operands), [True] * len(self.results)

    def batched(self, size: Size, on: Sequence[bool], *operands: Value) -> Sequence[Value]:
        """The results with a leading axis of this size, as the operands marked `on` have one."""
        raise self.missing("batched", "how it is vectorised")

    def missing(self, method: str, purpose: str) -> CompileError:
        """The error for a question that this op has no answer to."""
        return CompileError(
            "SW0210",
            f"{self.name} does not say {purpose}",
            hint=f"write the method `{method}` of {type(self).__name__}",
            where=source_line(self.location),
        )


class Effect(TensorOp, abc.ABC):
    """An op with an ordered effect, which no pass drops, repeats or reorders."""

    def batched(self, size: Size, on: Sequence[bool], *operands: Value) -> Sequence[Value]:
        """Once, with the whole batch."""
        return again(self, *operands)


class PerExample(TensorOp, abc.ABC):
    """An op that does with each example what it does with one: in a batch, the axes that its
    parameters number stand one further back, and what has an entry for each axis has one more."""

    def batched(self, size: Size, on: Sequence[bool], *operands: Value) -> Sequence[Value]:
        parameters, first = self.parameters, {**FIRST, "shape": size}
        for name in first.keys() & parameters.keys():
            parameters[name] = (first[name], *parameters[name])
        for name in NUMBER_AXES & parameters.keys():
            axes = parameters[name]
            parameters[name] = axes + 1 if name != "axes" else tuple(axis + 1 for axis in axes)
        return emitted(self.mnemonic(), all_leading(size, on, operands), **parameters)


def has_effect(op: Operation) -> bool:
    """Whether an op, or one in its regions, does more than to compute its results."""
    return any(isinstance(each, Effect) for each in op.walk())


class PureOp(TensorOp, abc.ABC):
    """An op that only computes its results."""

    traits = traits_def(Pure())


class OneToOne(TensorOp, abc.ABC):
    """One tensor to one."""

    x = operand_def(TensorType)
    result = result_def(TensorType)


class Linear(PureOp, abc.ABC):
    """Linear in its floats, taken together: so its tangent is the op itself."""

    def tangent(self, *tangents: Value | Zero) -> Gradient:
        operands = zip(map(Value, self.operands), tangents, strict=True)
        return again(self, *(dense(t) if is_float(x.dtype) else x for x, t in operands))


def refusal(op: type[Inferring], sentence: str, hint: str | None = None) -> CompileError:
    """The error of an op whose operands do not fit."""
    return CompileError("SW0201", f"{op.mnemonic()}: {sentence}", hint=hint)


def read_through(s: Scalars, value: SSAValue, reader: Callable[[SSAValue], Read]) -> Read:
    """The result of an op as a function of an index, given those of its operands."""
    assert isinstance(value, OpResult)
    op, number = value.op, value.index
    assert isinstance(op, TensorOp)

    def read(at: tuple[Index, ...]) -> Scalar:
        index = *(each.key for each in at), s.condition

        def make() -> Scalar:
            outer, s.location = s.location, op.location
            scalars = op.elements(s, at, *map(reader, op.operands))
            s.location = outer
            for n, result in enumerate(op.results):
                s.once((result, *index), partial(scalars.__getitem__, n))
            return scalars[number]

        return s.once((value, *index), make)

    return read


def expect(condition: bool, op: type[Inferring], sentence: str, hint: str | None = None) -> None:
    """Raises that error unless the condition holds."""
    if not condition:
        raise refusal(op, sentence, hint)


def same(op: type[Inferring], one: Tensor, other: Tensor) -> Tensor:
    """The type that both operands share."""
    if one != other:
        sentence = f"the operands are {text_of(one)} and {text_of(other)}"
        hint = "broadcast or convert one of them"
        raise refusal(op, f"{sentence}, and should be of one type", hint)
    return one


def leading(size: Size, on: bool, x: Value) -> Value:
    """The operand with the batch's axis in front, whether it came with it or not."""
    return x if on else x.broadcast((size, *x.shape), range(1, x.rank + 1))


def all_leading(size: Size, on: Sequence[bool], operands: Sequence[Value]) -> list[Value]:
    """The operands with the batch's axis in front, those marked `on` as they are."""
    return [leading(size, flag, x) for flag, x in zip(on, operands, strict=True)]


def axes_in_range(op: type[Inferring], axes: Sequence[int], shape: Shape) -> None:
    if len(set(axes)) < len(axes) or not all(0 <= axis < len(shape) for axis in axes):
        raise refusal(op, f"axes {list(axes)} do not name different axes of rank {len(shape)}")


_SIZES: ContextVar[Mapping[str, int]] = ContextVar("sizes", default=MappingProxyType({}))


@contextmanager
def bound(sizes: Mapping[str, int]) -> Generator[None]:
    """Within this scope, symbols have these values for `reference`."""
    token = _SIZES.set(sizes)
    try:
        yield
    finally:
        _SIZES.reset(token)


def concrete(shape: Sequence[Size]) -> tuple[int, ...]:
    """A shape in numbers, with the symbols that are bound."""
    sizes = _SIZES.get()
    return tuple(size.evaluate(sizes) for size in shape)


def evaluate(block: Block, arguments: Sequence[Array]) -> list[Array]:
    """What a block ends with, by the references of its ops."""
    known: dict[SSAValue, Array] = dict(zip(block.args, arguments, strict=True))
    *ops, last = block.ops
    for op in ops:
        operands = [known[operand] for operand in op.operands]
        known.update(zip(op.results, _values(op, operands), strict=True))
    return [known[operand] for operand in last.operands]


def _values(op: Operation, operands: Sequence[Array]) -> Sequence[Array]:
    if isinstance(op, KernelOp):
        return evaluate(op.body.block, operands)
    assert isinstance(op, TensorOp)
    values = op.reference(*operands)
    return values if isinstance(values, tuple) else (values,)
