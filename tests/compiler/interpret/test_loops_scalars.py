"""Scalar ops of the loop interpreter, against Python's integers and exact rationals."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from loop_text import parse_kernel
from stepwell.compiler.interpret.lanes import evaluate
from stepwell.compiler.interpret.loops import run_kernel

BF16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = {
    "i1": np.dtype(np.bool_),
    "i8": np.dtype(np.uint8),
    "i32": np.dtype(np.int32),
    "i64": np.dtype(np.int64),
    "f16": np.dtype(np.float16),
    "bf16": BF16,
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
}
WIDTHS = {"i1": 1, "i8": 8, "i32": 32, "i64": 64}
Array = NDArray[np.generic]


def apply(body: str, operands: Sequence[Array], types: str, result: str) -> Array:
    """`%r` of a body over `%a`, `%b` … for each lane of the operands."""
    elements = types.split()
    names = "abc"[: len(elements)]
    parameters = ", ".join(
        f"%x{n}: !loop.buffer<[N] x {e}>" for n, e in zip(names, elements, strict=True)
    )
    reads = "\n".join(
        f"%{n} = loop.read %x{n}[%i] : {e}" for n, e in zip(names, elements, strict=True)
    )
    kernel = parse_kernel(f"""
loop.kernel @scalar<N: 0>({parameters}) -> (%y: !loop.buffer<[N] x {result}>) {{
  loop.nest [%i : N] {{
    {reads}
    {body}
    loop.write %r, %y[%i] : {result}
  }}
}}""")
    arrays = [np.asarray(x, DTYPES[e]) for x, e in zip(operands, elements, strict=True)]
    y = np.empty(len(arrays[0]), DTYPES[result])
    run_kernel(kernel, [*arrays, y], {"N": len(y)})
    return y


def binary(name: str, type: str, a: Sequence[float], b: Sequence[float]) -> Array:
    return apply(f"%r = {name} %a, %b : {type}", [a, b], f"{type} {type}", type)


def signed(value: int, width: int) -> int:
    return (value + (1 << width - 1)) % (1 << width) - (1 << width - 1)


def towards_zero(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


SIGNED: dict[str, Callable[[int, int], int]] = {
    "divsi": towards_zero,
    "remsi": lambda a, b: a - b * towards_zero(a, b),
    "floordivsi": lambda a, b: a // b,
    "maxsi": max,
    "minsi": min,
}
UNSIGNED: dict[str, Callable[[int, int], int]] = {
    "addi": lambda a, b: a + b,
    "subi": lambda a, b: a - b,
    "muli": lambda a, b: a * b,
    "divui": lambda a, b: a // b,
    "remui": lambda a, b: a % b,
    "maxui": max,
    "minui": min,
    "andi": lambda a, b: a & b,
    "ori": lambda a, b: a | b,
    "xori": lambda a, b: a ^ b,
}


@pytest.mark.parametrize("type", ["i8", "i32", "i64"])
@pytest.mark.parametrize("name", [*SIGNED, *UNSIGNED])
def test_integers(name: str, type: str) -> None:
    width = WIDTHS[type]
    edges = [0, 1, 2, 3, 7, (1 << width - 1) - 1, 1 << width - 1, (1 << width) - 1, 5 << width - 4]
    pairs = [(a, b) for a in edges for b in edges if ("div" not in name and "rem" not in name) or b]
    if name in SIGNED:
        pairs = [(signed(a, width), signed(b, width)) for a, b in pairs]
        pairs = [(a, b) for a, b in pairs if (a, b) != (-(1 << width - 1), -1)]
    expected = [(SIGNED | UNSIGNED)[name](a, b) for a, b in pairs]
    raw = [as_stored([x for x, _ in pairs], type), as_stored([y for _, y in pairs], type)]
    result = apply(f"%r = arith.{name} %a, %b : {type}", raw, f"{type} {type}", type)
    assert result.tolist() == as_stored(expected, type).tolist()


def as_stored(values: Sequence[int], type: str) -> Array:
    """Integers of any sign as they lie in a buffer of this type."""
    width = WIDTHS[type]
    unsigned = np.array([value % (1 << width) for value in values], f"u{width // 8}")
    return unsigned.view(DTYPES[type])


@pytest.mark.parametrize("type", ["i8", "i32", "i64"])
def test_shifts(type: str) -> None:
    width = WIDTHS[type]
    values = [1, 3, (1 << width) - 2, 1 << width - 1]
    pairs = [(value, count) for value in values for count in (0, 1, width - 1)]
    raw = [as_stored([x for x, _ in pairs], type), as_stored([y for _, y in pairs], type)]
    for name, expected in (
        ("shli", [x << y for x, y in pairs]),
        ("shrui", [x >> y for x, y in pairs]),
        ("shrsi", [signed(x, width) >> y for x, y in pairs]),
    ):
        result = apply(f"%r = arith.{name} %a, %b : {type}", raw, f"{type} {type}", type)
        assert result.tolist() == as_stored(expected, type).tolist()


@pytest.mark.parametrize("type", ["i1", "i8", "i32"])
def test_comparisons_of_integers(type: str) -> None:
    width = WIDTHS[type]
    values = (
        [0, 1] if width == 1 else [0, 1, (1 << width - 1) - 1, 1 << width - 1, (1 << width) - 1]
    )
    pairs = [(a, b) for a in values for b in values]
    stored = [np.array([p[i] for p in pairs]).astype(DTYPES[type]) for i in (0, 1)]
    for predicate, read, compare in [
        *[(n, lambda x: signed(x, width), c) for n, c in ORDERINGS.items()],
        *[(f"u{n}", lambda x: x, c) for n, c in ORDERINGS.items()],
        ("eq", lambda x: x, lambda a, b: a == b),
        ("ne", lambda x: x, lambda a, b: a != b),
    ]:
        body = f"%r = loop.compare {predicate} %a, %b : {type}"
        result = apply(body, stored, f"{type} {type}", "i1")
        assert result.tolist() == [compare(read(a), read(b)) for a, b in pairs], predicate


ORDERINGS: dict[str, Callable[[int, int], bool]] = {
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}


def test_comparisons_of_floats() -> None:
    a = [1.0, 2.0, 2.0, 0.0, math.nan, math.inf]
    b = [2.0, 1.0, 2.0, -0.0, math.nan, math.nan]
    for predicate, compare in {
        "eq": lambda x, y: x == y,
        "ne": lambda x, y: x != y,
        "lt": lambda x, y: x < y,
        "le": lambda x, y: x <= y,
        "gt": lambda x, y: x > y,
        "ge": lambda x, y: x >= y,
    }.items():
        result = apply(f"%r = loop.compare {predicate} %a, %b : f32", [a, b], "f32 f32", "i1")
        assert result.tolist() == list(map(compare, a, b)), predicate


@pytest.mark.parametrize("type", ["f32", "f64"])
def test_zeros_and_nan_in_extrema(type: str) -> None:
    a = [0.0, -0.0, 0.0, -0.0, math.nan, 1.0, -math.inf]
    b = [-0.0, 0.0, 0.0, -0.0, 1.0, math.nan, 5.0]
    assert signs(binary("arith.maximumf", type, a, b)) == ["0", "0", "0", "-0", "nan", "nan", "5"]
    assert signs(binary("arith.minimumf", type, a, b)) == [
        "-0", "-0", "0", "-0", "nan", "nan", "-inf",
    ]  # fmt: skip


def signs(values: Array) -> list[str]:
    return [f"{value:g}" for value in values.tolist()]


def test_signs_and_rounding_of_floats() -> None:
    x = [0.0, -0.0, -1.5, 2.5, -0.4, math.nan, -math.inf]
    expected = {
        "arith.negf": ["-0", "0", "1.5", "-2.5", "0.4", "nan", "inf"],
        "math.absf": ["0", "0", "1.5", "2.5", "0.4", "nan", "inf"],
        "math.floor": ["0", "-0", "-2", "2", "-1", "nan", "-inf"],
        "math.roundeven": ["0", "-0", "-2", "2", "-0", "nan", "-inf"],
    }
    for name, result in expected.items():
        assert signs(apply(f"%r = {name} %a : f32", [x], "f32", "f32")) == result
    moved = binary("math.copysign", "f32", [1.0, -1.0, 0.0], [-0.0, 3.0, -math.inf])
    assert signs(moved) == ["-1", "1", "-0"]


def test_arithmetic_of_floats_rounds_once() -> None:
    numbers = np.random.default_rng(0).normal(size=(3, 100)).astype(np.float32).tolist()
    a, b, c = ([Fraction(x) for x in each] for each in numbers)
    for name, exact in {
        "arith.addf": [x + y for x, y in zip(a, b, strict=True)],
        "arith.subf": [x - y for x, y in zip(a, b, strict=True)],
        "arith.mulf": [x * y for x, y in zip(a, b, strict=True)],
        "arith.divf": [x / y for x, y in zip(a, b, strict=True)],
    }.items():
        assert binary(name, "f32", *numbers[:2]).tolist() == list(map(nearest32, exact))
    result = apply("%r = math.fma %a, %b, %c : f32", numbers, "f32 f32 f32", "f32")
    assert result.tolist() == [nearest32(x * y + z) for x, y, z in zip(a, b, c, strict=True)]


def nearest32(exact: Fraction) -> float:
    """The nearest normal f32, ties to even."""
    place = Fraction(2) ** (math.frexp(float(exact))[1] - 24)
    return float(round(exact / place) * place)


def test_sqrt_of_negative_zero_and_below() -> None:
    assert signs(apply("%r = math.sqrt %a : f64", [[-0.0, -1.0, 4.0]], "f64", "f64")) == [
        "-0", "nan", "2",
    ]  # fmt: skip


@pytest.mark.parametrize("type", ["f32", "f64"])
@pytest.mark.parametrize("name", ["exp", "log", "tanh", "erf", "sin", "cos"])
def test_math_functions_are_the_polynomials(name: str, type: str) -> None:
    x = np.linspace(-5, 90, 1001).astype(DTYPES[type])
    result = apply(f"%r = math.{name} %a : {type}", [x], type, type)
    assert result.tobytes() == evaluate(name, x).tobytes()


@pytest.mark.parametrize("type", ["f32", "f64"])
def test_powers_are_the_polynomial(type: str) -> None:
    x, y = np.random.default_rng(1).normal(size=(2, 100)).astype(DTYPES[type])
    assert binary("math.powf", type, x, y).tobytes() == evaluate("pow", x, y).tobytes()


@pytest.mark.parametrize(
    ("name", "a", "b"), [("divsi", 1, 0), ("remui", 5, 0), ("floordivsi", -(2**31), -1)]
)
def test_divisions_that_trap_are_refused(name: str, a: int, b: int) -> None:
    with pytest.raises(ArithmeticError, match="traps in compiled code") as caught:
        binary(f"arith.{name}", "i32", [a], [b])
    assert f"arith.{name} %a, %b" in caught.value.__notes__[0]


def cast(kind: str, source: str, target: str, values: Sequence[float]) -> Array:
    return apply(f"%r = loop.cast {kind} %a : {source} to {target}", [values], source, target)


LARGE = [math.nan, math.inf, -math.inf, 1e30, -1e30, 2.9, -2.9, -0.5, 0.0]


@pytest.mark.parametrize("source", ["f16", "bf16", "f32", "f64"])
@pytest.mark.parametrize("target", ["i8", "i32", "i64"])
def test_floats_to_integers_saturate(source: str, target: str) -> None:
    width = WIDTHS[target]
    values = np.array([*LARGE, 2.0 ** (width - 1), -(2.0 ** (width - 1)), 2.0**width])
    with np.errstate(over="ignore"):
        values = values.astype(DTYPES[source])
    for kind, low, high in (
        ("fptosi", -(1 << width - 1), (1 << width - 1) - 1),
        ("fptoui", 0, (1 << width) - 1),
    ):
        expected = [saturated(float(value), low, high) for value in values]
        result = cast(kind, source, target, values)
        assert result.tolist() == as_stored(expected, target).tolist(), kind


def saturated(value: float, low: int, high: int) -> int:
    if math.isnan(value):
        return 0
    return low if value < low else high if value > high else int(value)


def test_integers_to_floats_round_once() -> None:
    large = [2**63 - 1, -(2**63), 2**53 + 1, 2**24 + 1, -1, 0]
    rounded = [2.0**63, -(2.0**63), 2.0**53, 2.0**24, -1, 0]
    assert cast("sitofp", "i64", "f32", large).tolist() == rounded
    assert cast("sitofp", "i64", "f64", large)[2] == 2.0**53
    assert cast("uitofp", "i64", "f32", [-1, 5]).tolist() == [2.0**64, 5]
    assert cast("uitofp", "i8", "f32", [255, 1]).tolist() == [255, 1]
    assert cast("sitofp", "i8", "f32", [255, 1]).tolist() == [-1, 1]
    assert cast("uitofp", "i1", "f32", [True, False]).tolist() == [1, 0]
    assert cast("sitofp", "i1", "f32", [True, False]).tolist() == [-1, 0]


def test_integers_between_widths() -> None:
    assert cast("trunci", "i64", "i32", [2**32 + 5, -1, 2**31]).tolist() == [5, -1, -(2**31)]
    assert cast("trunci", "i32", "i8", [257, -1]).tolist() == [1, 255]
    assert cast("trunci", "i32", "i1", [2, 3]).tolist() == [False, True]
    assert cast("extsi", "i8", "i32", [255, 127]).tolist() == [-1, 127]
    assert cast("extui", "i8", "i32", [255, 127]).tolist() == [255, 127]
    assert cast("extui", "i32", "i64", [-1]).tolist() == [2**32 - 1]
    assert cast("extsi", "i1", "i32", [True, False]).tolist() == [-1, 0]
    assert cast("extui", "i1", "i8", [True, False]).tolist() == [1, 0]
    assert cast("bitcast", "f32", "i32", [1.0, -0.0]).tolist() == [0x3F800000, -(2**31)]
    assert cast("bitcast", "i64", "f64", [0x3FF << 52]).tolist() == [1.0]


@given(st.floats(width=64, allow_nan=False))
@example(1.0 + 2.0**-8 + 2.0**-40)
@example(3.4e38)
@example(2.0**-134)
@example(5e-324)
def test_f64_to_bf16_rounds_once(value: float) -> None:
    (result,) = cast("truncf", "f64", "bf16", [value])
    assert str(float(result)) == str(nearest_bf16(value))


def nearest_bf16(value: float) -> float:
    """By exact comparison with neighbours; ties to the even encoding."""
    if math.isinf(value) or abs(value) >= 2.0**127 * (2 - 2.0**-8):
        return math.copysign(math.inf, value)
    place = Fraction(2) ** max(math.frexp(value)[1] - 8, -133)
    return math.copysign(float(round(Fraction(value) / place) * place), value)


@pytest.mark.parametrize("type", ["f16", "bf16"])
def test_narrow_floats_widen_exactly_and_round_to_even(type: str) -> None:
    everything = np.arange(1 << 16, dtype=np.uint16).view(DTYPES[type])
    wide = cast("extf", type, "f32", everything)
    again = cast("truncf", "f32", type, wide)
    numbers = ~np.isnan(wide)
    assert again[numbers].tobytes() == everything[numbers].tobytes()
    assert np.isnan(again[~numbers].astype(np.float32)).all()


def test_f64_to_f16_rounds_once() -> None:
    assert cast("truncf", "f64", "f16", [1 + 2.0**-11 + 2.0**-40]).tolist() == [1 + 2.0**-10]


@pytest.mark.parametrize(
    ("text", "type", "value"),
    [
        ("true", "i1", True),
        ("false", "i1", False),
        ("-1 : i8", "i8", 255),
        ("-7 : i64", "i64", -7),
        ("1.0039063 : bf16", "bf16", 1.0078125),
        ("0x7F800000 : f32", "f32", math.inf),
        ("0.1 : f32", "f32", float(np.float32(0.1))),
    ],
)
def test_constants(text: str, type: str, value: float) -> None:
    result = apply(f"%r = arith.constant {text}", [[0]], "i32", type)
    assert result.tolist() == [value]


def test_select_is_lane_by_lane() -> None:
    result = apply(
        "%r = loop.select %a, %b, %c : i1, f32",
        [[True, False], [1, 2], [3, 4]],
        "i1 f32 f32",
        "f32",
    )
    assert result.tolist() == [1, 4]
