"""What every tensor op answers: its types, its values, its scalar at an index, its derivatives."""

import abc
from collections.abc import Sequence
from typing import Any, ClassVar

from numpy.typing import NDArray
from xdsl.irdl import traits_def
from xdsl.traits import Pure

from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.nd import Tensor, text_of
from stepwell.compiler.dialects.sizes import Shape
from stepwell.compiler.ops.emission import Inferring
from stepwell.compiler.ops.indices import Index
from stepwell.compiler.ops.scalars import Read, Scalar, Scalars
from stepwell.compiler.ops.value import Value, Zero
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size

Array = NDArray[Any]
Gradient = Sequence["Value | Zero"]
Sample = tuple[tuple[str, ...], dict[str, Any]]


class TensorOp(Inferring, abc.ABC):
    """One tensor op. Families hold the common answers; a leaf says only what is different.

    The first question, `infer`, is asked of the class: the result types. An answer that a class
    cannot give is an error that names the method to write.
    """

    SAMPLES: ClassVar[Sequence[Sample]] = ()
    """Operand types and parameters on which the catalogue's tests run, such as `("f64[2,3]",), {}`."""

    @abc.abstractmethod
    def reference(self, *operands: Array) -> Array | tuple[Array, ...]:
        """The values, in NumPy."""

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        """The scalar at an index, given the operands as functions of an index."""
        raise self.missing("element", "how it is lowered to loops")

    def gradient(self, *cotangents: Value) -> Gradient:
        """The cotangents of the operands, given those of the results."""
        raise self.missing("gradient", "how it is differentiated backwards")

    def tangent(self, *tangents: Value | Zero) -> Gradient:
        """The tangents of the results, given those of the operands, not all of them zero."""
        raise self.missing("tangent", "how it is differentiated forwards")

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


class PureOp(TensorOp, abc.ABC):
    """An op that only computes its results."""

    traits = traits_def(Pure())


def expect(condition: bool, op: type[Inferring], sentence: str, hint: str | None = None) -> None:
    """Raises the error of an op whose operands do not fit unless the condition holds."""
    if not condition:
        raise CompileError("SW0201", f"{op.name.removeprefix('nd.')}: {sentence}", hint=hint)


def same(op: type[Inferring], *types: Tensor) -> Tensor:
    """The type that all operands share."""
    first = types[0]
    for other in types[1:]:
        expect(
            first == other,
            op,
            f"the operands are {text_of(first)} and {text_of(other)}, and should be of one type",
            "broadcast or convert one of them",
        )
    return first


def leading(size: Size, on: bool, x: Value) -> Value:
    """The operand with the batch's axis in front, whether it came with it or not."""
    return x if on else x.broadcast((size, *x.shape), range(1, x.rank + 1))


def axes_in_range(op: type[Inferring], axes: Sequence[int], shape: Shape) -> None:
    expect(
        len(set(axes)) == len(axes) and all(0 <= axis < len(shape) for axis in axes),
        op,
        f"axes {list(axes)} do not name different axes of rank {len(shape)}",
    )


def concrete(shape: Shape) -> tuple[int, ...]:
    """A shape without symbols, for NumPy."""
    sizes = [size.static for size in shape]
    assert all(size is not None for size in sizes), "the interpreter binds every symbol first"
    return tuple(size for size in sizes if size is not None)
