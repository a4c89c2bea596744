"""Samples of tensor ops, for whatever holds for all of them: operand types and parameters."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stepwell.compiler.dialects.nd import Literal, Weight, tensor
from stepwell.compiler.ops.base import TensorOp
from stepwell.compiler.ops.families import Function, Unary
from stepwell.compiler.ops.reduction import Reduction
from stepwell.runtime.sizes import Size

Sample = tuple[tuple[str, ...], dict[str, Any]]
Domain = tuple[float, float]

TYPES = (
    "f64[3,4]",
    "f32[5]",
    "f16[2,3]",
    "bf16[7]",
    "i32[6]",
    "i64[2,2]",
    "u8[5]",
    "i8[4]",
    "bool[4]",
    "f64[0,3]",
    "f64[]",
)
"""Of the operands of elementwise ops, which take those of their dtypes."""

REDUCED: Sequence[Sample] = (
    (("f64[3,4]",), {"axes": (1,)}),
    (("f64[3,4]",), {"axes": (0,)}),
    (("f64[2,3,4]",), {"axes": (0, 2)}),
    (("f32[5,70]",), {"axes": (0, 1)}),
    (("f16[3,4]",), {"axes": (1,)}),
    (("bf16[3,4]",), {"axes": (0,)}),
    (("i32[3,4]",), {"axes": (1,)}),
    (("u8[300]",), {"axes": (0,)}),
    (("i8[300]",), {"axes": (0,)}),
    (("bool[3,4]",), {"axes": (1,)}),
    (("f64[1,3]",), {"axes": (0,)}),
    (("bool[0]",), {"axes": (0,)}),
)
OF_NOTHING: Sequence[Sample] = ((("f64[0,3]",), {"axes": (0,)}),)
"""What not every reduction has an answer to."""


def _dtype(type: str) -> str:
    return type.partition("[")[0]


def _convolution(
    x: str,
    w: str,
    stride: tuple[int, ...],
    low: tuple[int, ...],
    high: tuple[int, ...],
    **rest: object,
) -> Sample:
    others = {"dilation": (1,) * len(stride), "groups": 1, **rest}
    return (x, w), {"stride": stride, "low": low, "high": high, **others}


def _window(x: str, combine: str, *entries: tuple[int, ...]) -> Sample:
    names = ("size", "stride", "low", "high")
    return (x,), {"combine": combine, **dict(zip(names, entries, strict=True))}


def _windows(combine: str) -> Sequence[Sample]:
    return (
        _window("f64[1,4,5,2]", combine, (1, 2, 2, 1), (1, 2, 2, 1), (0,) * 4, (0,) * 4),
        _window("f64[5,4]", combine, (3, 3), (2, 1), (1, 1), (1, 0)),
        _window("f64[6]", combine, (2,), (3,), (-1,), (1,)),
        _window("bf16[5]", combine, (2,), (1,), (0,), (1,)),
        _window("i32[5]", combine, (2,), (2,), (1,), (1,)),
        _window("f64[0,3]", combine, (1, 2), (1, 1), (0, 0), (0, 0)),
    )


def _more_windows(combine: str) -> Sequence[Sample]:
    return (
        _window("f32[4,35]", combine, (3, 2), (1, 2), (1, 0), (1, 0)),
        _window("u8[5]", combine, (3,), (1,), (1,), (1,)),
        _window("f64[2]", combine, (3,), (1,), (0,), (0,)),
        _window("i8[4]", combine, (2,), (2,), (2,), (2,)),
    )


SAMPLES: Mapping[str, Sequence[Sample]] = {
    "convert": tuple(
        ((f"{source}[5]",), {"dtype": target})
        for source in ("bool", "i8", "i32", "i64", "u8", "f16", "bf16", "f32", "f64")
        for target in ("bool", "i8", "i32", "i64", "u8", "f16", "bf16", "f32", "f64")
    ),
    "select": (
        (("bool[3,4]", "f64[3,4]", "f64[3,4]"), {}),
        (("bool[5]", "f32[5]", "f32[5]"), {}),
        (("bool[2]", "bf16[2]", "bf16[2]"), {}),
        (("bool[2]", "i64[2]", "i64[2]"), {}),
        (("bool[3]", "bool[3]", "bool[3]"), {}),
        (("bool[0]", "u8[0]", "u8[0]"), {}),
    ),
    "broadcast": (
        (("f64[3]",), {"shape": (2, 3, 4), "axes": (1,)}),
        (("f64[]",), {"shape": (2, 3), "axes": ()}),
        (("i32[2,3]",), {"shape": (3, 2), "axes": (1, 0)}),
        (("i32[3,3]",), {"shape": (3, 3), "axes": (1, 0)}),
        (("bool[2]",), {"shape": (0, 2), "axes": (1,)}),
    ),
    "reshape": (
        (("f64[3,4]",), {"shape": (12,)}),
        (("f64[3,4]",), {"shape": (2, 6)}),
        (("f32[2,3,4]",), {"shape": (6, 4)}),
        (("i64[6,4]",), {"shape": (2, 3, 1, 4)}),
        (("f64[]",), {"shape": (1, 1)}),
        (("f64[0,3]",), {"shape": (3, 0)}),
    ),
    "transpose": (
        (("f64[2,3]",), {"axes": (1, 0)}),
        (("f32[2,3,4]",), {"axes": (2, 0, 1)}),
        (("u8[2,0]",), {"axes": (1, 0)}),
    ),
    "slice": (
        (("f64[5,4]",), {"start": (1, 0), "shape": (3, 4), "step": (1, 1)}),
        (("f64[7]",), {"start": (1,), "shape": (3,), "step": (2,)}),
        (("i32[3]",), {"start": (3,), "shape": (0,), "step": (1,)}),
    ),
    "reverse": (
        (("f64[3,4]",), {"axes": (1,)}),
        (("f32[3,2]",), {"axes": (0, 1)}),
        (("i32[0]",), {"axes": (0,)}),
    ),
    "constant": (
        ((), {"value": Literal.of(2.5, "f64"), "shape": (2, 3)}),
        ((), {"value": Literal.of(-0.0, "f32"), "shape": ()}),
        ((), {"value": Literal.of(float("inf"), "bf16"), "shape": (2,)}),
        ((), {"value": Literal.of(float("nan"), "f16"), "shape": (2,)}),
        ((), {"value": Literal.of(-7, "i64"), "shape": (1,)}),
        ((), {"value": Literal.of(True, "bool"), "shape": (2,)}),
    ),
    "weight": (
        (
            (),
            {"value": Weight(values=np.arange(6.0).reshape(2, 3)), "dtype": "f64", "shape": (2, 3)},
        ),
    ),
    "iota": (
        ((), {"shape": (4,), "axis": 0, "dtype": "i64"}),
        ((), {"shape": (2, 3), "axis": 1, "dtype": "f32"}),
        ((), {"shape": (3, 0), "axis": 0, "dtype": "u8"}),
    ),
    "size": (((), {"size": Size.of(7)}),),
    "pad": (
        (("f64[3,4]", "f64[]"), {"low": (1, 0), "high": (2, 3), "interior": (0, 0)}),
        (("f64[3]", "f64[]"), {"low": (1,), "high": (1,), "interior": (2,)}),
        (("i32[2]", "i32[]"), {"low": (0,), "high": (4,), "interior": (0,)}),
        (("f64[0]", "f64[]"), {"low": (1,), "high": (1,), "interior": (1,)}),
    ),
    "concatenate": (
        (("f64[2,3]", "f64[1,3]", "f64[0,3]"), {"axis": 0}),
        (("f32[2,3]", "f32[2,2]"), {"axis": 1}),
        (("bool[2]",), {"axis": 0}),
    ),
    "argmax": (
        (("f64[3,4]",), {"axis": 1}),
        (("f32[3,4]",), {"axis": 0}),
        (("i32[70]",), {"axis": 0}),
        (("f16[0,4]",), {"axis": 1}),
    ),
    "dot": (
        (("f64[3,4]", "f64[4,5]"), {"batch": 0, "left": (1,), "right": (0,)}),
        (("f64[2,3,4]", "f64[2,5,4]"), {"batch": 1, "left": (2,), "right": (2,)}),
        (("f64[3,4]", "f64[4,3]"), {"batch": 0, "left": (0, 1), "right": (1, 0)}),
        (("f64[3,4]", "f64[4]"), {"batch": 0, "left": (1,), "right": (0,)}),
        (("f64[4]", "f64[4,3]"), {"batch": 0, "left": (0,), "right": (0,)}),
        (("f64[4]", "f64[3]"), {"batch": 0, "left": (), "right": ()}),
        (("f32[33,70]", "f32[70,21]"), {"batch": 0, "left": (1,), "right": (0,)}),
        (("bf16[3,4]", "bf16[4,2]"), {"batch": 0, "left": (1,), "right": (0,)}),
        (("i32[3,4]", "i32[4,2]"), {"batch": 0, "left": (1,), "right": (0,)}),
        (("f64[3,0]", "f64[0,2]"), {"batch": 0, "left": (1,), "right": (0,)}),
        (("f64[0,3]", "f64[3,1]"), {"batch": 0, "left": (1,), "right": (0,)}),
    ),
    "convolution": (
        _convolution("f64[2,3,4,2]", "f64[3,2,2,3]", (1, 1), (1, 0), (1, 1)),
        _convolution("f64[1,5,4,1]", "f64[3,3,1,2]", (2, 3), (1, 1), (0, 2)),
        _convolution("f64[2,6,2]", "f64[2,2,3]", (1,), (1,), (2,), dilation=(3,)),
        _convolution("f64[1,3,3,4]", "f64[2,2,2,6]", (2, 1), (1, 1), (0, 0), groups=2),
        _convolution("f64[1,3,2,3]", "f64[2,1,1,3]", (1, 1), (0, 0), (0, 0), groups=3),
        _convolution("f64[1,2,3,2,2]", "f64[2,2,1,2,1]", (1, 2, 1), (0, 1, 0), (1, 0, 0)),
        _convolution("f64[2,5,2]", "f64[2,2,2]", (1,), (-1,), (3,)),
        _convolution("f32[1,3,4,3]", "f32[2,3,3,17]", (1, 1), (1, 1), (0, 1)),
        _convolution("bf16[1,4,3]", "bf16[2,3,2]", (1,), (1,), (0,)),
        _convolution("i32[1,4,3]", "i32[2,3,2]", (1,), (1,), (1,)),
        _convolution("f64[1,2,2]", "f64[3,2,2]", (1,), (0,), (0,)),
        _convolution("f64[0,3,2]", "f64[2,2,1]", (1,), (0,), (0,)),
        _convolution("f64[2,3,0]", "f64[2,0,1]", (2,), (1,), (1,)),
    ),
    "window": (
        *_windows("add"),
        *_windows("max"),
        *_more_windows("max"),
        *_more_windows("min"),
    ),
    "window_position": tuple(
        (operands, {**parameters, "dtype": dtype})
        for samples, dtype in ((_windows("max"), "i64"), (_more_windows("min"), "i32"))
        for operands, parameters in samples
    ),
    "gather": (
        (("f64[5,3]", "i64[2,4]"), {"batch": 0}),
        (("f64[2,5,3]", "i32[2,4]"), {"batch": 1}),
        (("f64[2,3,4]", "i32[2,3,5]"), {"batch": 2}),
        (("f32[5]", "i32[]"), {"batch": 0}),
        (("i64[5,2]", "u8[3]"), {"batch": 0}),
        (("bf16[5]", "i64[0]"), {"batch": 0}),
        (("f64[0,2]", "i64[3]"), {"batch": 0}),
        (("bool[3]", "i32[2]"), {"batch": 0}),
    ),
    "scatter_add": (
        (("f64[5,3]", "i64[2,4]", "f64[2,4,3]"), {"batch": 0}),
        (("f64[2,5,3]", "i32[2,4]", "f64[2,4,3]"), {"batch": 1}),
        (("f64[2,3,4]", "i32[2,3,5]", "f64[2,3,5]"), {"batch": 2}),
        (("f32[5]", "i32[]", "f32[]"), {"batch": 0}),
        (("f16[5]", "i64[9]", "f16[9]"), {"batch": 0}),
        (("f16[3,35]", "i64[9]", "f16[9,35]"), {"batch": 0}),
        (("f32[3,4,4]", "i32[7]", "f32[7,4,4]"), {"batch": 0}),
        (("bf16[2,2]", "u8[9]", "bf16[9,2]"), {"batch": 0}),
        (("u8[3]", "i32[20]", "u8[20]"), {"batch": 0}),
        (("f64[0,2]", "i64[3]", "f64[3,2]"), {"batch": 0}),
        (("f64[2]", "i64[0]", "f64[0]"), {"batch": 0}),
    ),
    "dynamic_slice": (
        (("f64[5,4]", "i64[]", "i64[]"), {"shape": (2, 3)}),
        (("f64[2,5,4]", "i32[2]", "i32[2]"), {"shape": (2, 2, 3)}),
        (("u8[5]", "u8[]"), {"shape": (3,)}),
        (("bool[5]", "i32[]"), {"shape": (0,)}),
        (("f64[]",), {"shape": ()}),
    ),
    "dynamic_update_slice": (
        (("f64[5,4]", "f64[2,3]", "i64[]", "i64[]"), {}),
        (("f64[2,5,4]", "f64[2,2,3]", "i32[2]", "i32[2]"), {}),
        (("u8[5]", "u8[3]", "u8[]"), {}),
        (("f64[5]", "f64[0]", "i32[]"), {}),
        (("f64[]", "f64[]"), {}),
    ),
    "cumsum": (
        (("f64[3,4]",), {"axis": 1, "reverse": 0}),
        (("f64[3,4,2]",), {"axis": 1, "reverse": 1}),
        (("f32[35]",), {"axis": 0, "reverse": 0}),
        (("f16[9]",), {"axis": 0, "reverse": 1}),
        (("bf16[2,9]",), {"axis": 1, "reverse": 0}),
        (("i64[4]",), {"axis": 0, "reverse": 0}),
        (("u8[40]",), {"axis": 0, "reverse": 0}),
        (("f64[0,3]",), {"axis": 0, "reverse": 0}),
        (("f64[3,0]",), {"axis": 0, "reverse": 1}),
    ),
    "sort": (
        (("f64[3,7]",), {"axis": 1}),
        (("f64[5,3]", "f64[5,3]"), {"axis": 0}),
        (("f32[35]", "i32[35]", "bool[35]"), {"axis": 0}),
        (("f16[9]",), {"axis": 0}),
        (("bf16[2,9]",), {"axis": 1}),
        (("i64[9]", "f64[9]"), {"axis": 0}),
        (("u8[20]",), {"axis": 0}),
        (("i8[20]",), {"axis": 0}),
        (("bool[5]", "u8[5]"), {"axis": 0}),
        (("f64[2,0]",), {"axis": 1}),
        (("f64[0,2]",), {"axis": 1}),
        (("f64[1]",), {"axis": 0}),
    ),
    "barrier": ((("f64[3,4]",), {}), (("i32[0]",), {})),
    "stop_gradient": ((("i32[3,4]",), {}), (("bool[0]",), {})),
    "print": (
        (("f64[2,3]", "i32[]"), {"text": "x is {} after {} steps"}),
        ((), {"text": "here"}),
    ),
    "assert": ((("bool[3]",), {"text": "all are true"}),),
    "custom": ((("f64[2,3]", "i32[]"), {"symbol": "sched_yield", "types": (tensor("f32"),)}),),
}
"""By the op's mnemonic."""

DOMAINS: Mapping[str, Domain] = dict.fromkeys(("log", "pow", "rsqrt", "sqrt"), (0.25, 4.0))
"""Where floats are drawn from, if not between -2 and 2; but for multiples of 1/2 the op is smooth
there."""


def plain_samples(kind: type[TensorOp]) -> Sequence[Sample]:
    """Of an op without regions."""
    if issubclass(kind, Function):
        operands = 1 if issubclass(kind, Unary) else 2
        return [((each,) * operands, {}) for each in TYPES if _dtype(each) in kind.DTYPES]
    if issubclass(kind, Reduction):
        reduced = (*REDUCED, *(OF_NOTHING if kind.EMPTY else ()))
        return [each for each in reduced if _dtype(each[0][0]) in kind.DTYPES]
    return SAMPLES.get(kind.name.removeprefix("nd."), ())


def domain(kind: type[TensorOp]) -> Domain:
    return DOMAINS.get(kind.name.removeprefix("nd."), (-2.0, 2.0))
