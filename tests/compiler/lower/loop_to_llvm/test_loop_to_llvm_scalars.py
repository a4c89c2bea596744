"""Scalar and vector ops: as machine code they give the interpreter's bits."""

import ml_dtypes
import numpy as np
import pytest

DTYPES = {
    "i1": np.bool_,
    "i8": np.uint8,
    "i32": np.int32,
    "i64": np.int64,
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "f32": np.float32,
    "f64": np.float64,
}
COUNT = 64


def kernel(body: str, source: str, target: str, lanes: int = 0) -> str:
    """`body` computes %r of %p and %q, for all elements one by one, or `lanes` of them at a time."""
    x, y = (f"!loop.buffer<[{COUNT}] x {each}>" for each in (source, target))
    s, t = (f"vector<{lanes}x{each}>" if lanes else each for each in (source, target))
    return f"""
loop.kernel @k(%a: {x}, %b: {x}) -> (%y: {y}) {{
  %zero = loop.index 0
  %n = loop.index {COUNT}
  loop.for %i = %zero to %n step {lanes or 1} {{
    %p = loop.load %a[%i] : {x} to {s}
    %q = loop.load %b[%i] : {x} to {s}
    {body.format(s=s, t=t, bits=f"vector<{lanes}xi1>" if lanes else "i1")}
    loop.store %r, %y[%i] : {t} to {y}
    loop.yield
  }}
}}"""


def specimens(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of every special value with every other one."""
    if dtype == "i1":
        values = np.array([False, True] * 4)
    elif dtype.startswith("i"):
        limits = np.iinfo(f"int{dtype[1:]}")
        values = np.array([limits.min, limits.max, 0, 1, -1, 7, -20, 100]).astype(f"int{dtype[1:]}")
        values = values.view(DTYPES[dtype])
    else:
        values = np.array([0.0, -0.0, 1.5, -2.5, 0.3, np.inf, -np.inf, np.nan]).astype(
            DTYPES[dtype]
        )
    return np.repeat(values, 8), np.tile(values, 8)


def check(agree, body: str, source: str, target: str, a=None, b=None):
    """The same bits one by one and in vectors, of whole registers, part of one, and several."""
    first, second = specimens(source)
    arrays = [first if a is None else a, second if b is None else b, np.zeros(COUNT, DTYPES[target])]
    scalar = agree(kernel(body, source, target), arrays)[2]
    for lanes in (2, 16):
        agree(kernel(body, source, target, lanes), arrays)
    return scalar


FLOAT_OPS = [
    *(f"arith.{name}f %p, %q" for name in ("add", "sub", "mul", "div", "maximum", "minimum")),
    "arith.negf %p",
    "math.copysign %p, %q",
    *(f"math.{name} %p" for name in ("absf", "sqrt", "floor", "roundeven")),
    "math.fma %p, %q, %q",
]
INTEGER_OPS = ["addi", "subi", "muli", "maxsi", "minsi", "maxui", "minui", "andi", "ori", "xori"]
DIVISIONS = ["divsi", "divui", "remsi", "remui", "floordivsi"]
SHIFTS = ["shli", "shrsi", "shrui"]


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("op", FLOAT_OPS)
def test_float_ops(agree, op, dtype):
    check(agree, f"%r = {op} : {{s}}", dtype, dtype)


@pytest.mark.parametrize("dtype", ["i1", "i8", "i32", "i64"])
@pytest.mark.parametrize("op", INTEGER_OPS)
def test_integer_ops(agree, op, dtype):
    check(agree, f"%r = arith.{op} %p, %q : {{s}}", dtype, dtype)


@pytest.mark.parametrize("dtype", ["i8", "i32", "i64"])
def test_the_magnitude_of_the_least_integer_is_itself(agree, dtype):
    check(agree, "%r = math.absi %p : {s}", dtype, dtype)


@pytest.mark.parametrize("dtype", ["i8", "i32", "i64"])
@pytest.mark.parametrize("op", DIVISIONS)
def test_divisions(agree, op, dtype):
    divisor = np.tile(np.array([1, 2, 3, 7, -2, -3, 100, -100]), 8).astype(f"int{dtype[1:]}")
    body = f"%r = arith.{op} %p, %q : {{s}}"
    check(agree, body, dtype, dtype, b=divisor.view(DTYPES[dtype]))


@pytest.mark.parametrize("dtype", ["i8", "i32", "i64"])
@pytest.mark.parametrize("op", SHIFTS)
def test_shifts(agree, op, dtype):
    counts = (np.arange(COUNT) % int(dtype[1:])).astype(DTYPES[dtype])
    check(agree, f"%r = arith.{op} %p, %q : {{s}}", dtype, dtype, b=counts)


@pytest.mark.parametrize("predicate", ["oeq", "une", "olt", "ole", "ogt", "oge"])
def test_comparisons_of_floats(agree, predicate):
    check(agree, f"%r = arith.cmpf {predicate}, %p, %q : {{s}}", "f32", "i1")


@pytest.mark.parametrize("dtype", ["i8", "i64"])
@pytest.mark.parametrize(
    "predicate", ["eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge"]
)
def test_comparisons_of_integers(agree, predicate, dtype):
    check(agree, f"%r = arith.cmpi {predicate}, %p, %q : {{s}}", dtype, "i1")


@pytest.mark.parametrize("dtype", list(DTYPES))
def test_select_moves_every_type(agree, dtype):
    body = """
    %pi = loop.cast bitcast %p : {s} to {s}
    %c = arith.constant CONSTANT : {bits}
    %r = loop.select %c, %p, %q : {bits}, {s}"""
    for constant in ("true", "false"):
        arrays = [*specimens(dtype), np.zeros(COUNT, DTYPES[dtype])]
        agree(kernel(body.replace("CONSTANT", constant), dtype, dtype), arrays)
        vector = body.replace("CONSTANT", f"dense<{constant}>")
        agree(kernel(vector, dtype, dtype, 16), arrays)


CASTS = [
    *(("extf", a, b) for a, b in [("f16", "f32"), ("bf16", "f32"), ("f16", "f64"), ("bf16", "f64"), ("f32", "f64")]),
    *(("truncf", b, a) for a, b in [("f16", "f32"), ("bf16", "f32"), ("f16", "f64"), ("bf16", "f64"), ("f32", "f64")]),
    *((kind, a, b) for kind in ("fptosi", "fptoui") for a in ("f16", "bf16", "f32", "f64") for b in ("i8", "i32", "i64")),
    *((kind, b, a) for kind in ("sitofp", "uitofp") for a in ("f16", "bf16", "f32", "f64") for b in ("i1", "i8", "i32", "i64")),
    *((kind, a, b) for kind in ("extsi", "extui") for a, b in [("i1", "i8"), ("i1", "i64"), ("i8", "i32"), ("i8", "i64"), ("i32", "i64")]),
    *(("trunci", b, a) for a, b in [("i1", "i8"), ("i1", "i64"), ("i8", "i32"), ("i8", "i64"), ("i32", "i64")]),
    *(("bitcast", a, b) for a, b in [("f32", "i32"), ("i32", "f32"), ("f64", "i64"), ("i64", "f64")]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "source", "target"), CASTS)
def test_casts(agree, kind, source, target):
    a = awkward(source, target)
    check(agree, f"%r = loop.cast {kind} %p : {{s}} to {{t}}", source, target, a=a, b=a)


def awkward(source: str, target: str) -> np.ndarray:
    """Values that lie half way, or just beside it, or where the target ends."""
    if source.startswith("i"):
        values = specimens(source)[0][::8]
        steps = np.arange(8).astype(values.dtype)
        return np.add.outer(values, steps).ravel() if source != "i1" else np.tile(values, 8)
    rng = np.random.default_rng(0)
    wide = np.concatenate(
        [
            specimens(source)[0][::8].astype(np.float64),
            [2.0**31, 2.0**31 - 1, -(2.0**31), 2.0**32, 2.0**63, 2.0**64, -129, 255.5],
            [65504, 65519.99, 65520, 2.0**-14, 2.0**-25, 2.0**-25 * 1.0001, 2.0**-126, 3e-45],
            1 + 2.0**-11 + 2.0 ** -rng.integers(20, 54, 16),
            1 + 2.0**-9 + 2.0**-8 + 2.0 ** -rng.integers(20, 54, 8),
            rng.standard_normal(16) * 10.0 ** rng.integers(-6, 12, 16),
        ]
    )
    with np.errstate(all="ignore"):
        return wide.astype(DTYPES[source])


@pytest.mark.parametrize("dtype", ["i32", "i64"])
def test_index_casts(agree, dtype):
    body = """
    %j = loop.cast index %p : {s} to INDEX
    %r = loop.cast index %j : INDEX to {t}"""
    arrays = [*specimens(dtype), np.zeros(COUNT, DTYPES["i32"])]
    agree(kernel(body.replace("INDEX", "index"), dtype, "i32"), arrays)
    agree(kernel(body.replace("INDEX", "vector<8xindex>"), dtype, "i32", 8), arrays)


@pytest.mark.parametrize(
    ("dtype", "constant"),
    [
        ("i1", "true"), ("i8", "200"), ("i32", "-5"), ("i64", "9223372036854775807"),
        ("f16", "0.1"), ("bf16", "0.1"), ("f32", "0.1"), ("f64", "0.1"), ("f32", "0x7F800000"),
        ("f32", "-0.0"), ("f16", "0x7E00"), ("bf16", "3.4e38"),
    ],
)  # fmt: skip
def test_constants(agree, dtype, constant):
    arrays = [*specimens(dtype), np.zeros(COUNT, DTYPES[dtype])]
    agree(kernel(f"%r = arith.constant {constant} : {{s}}", dtype, dtype), arrays)
    body = f"%r = arith.constant dense<{constant}> : {{s}}"
    agree(kernel(body, dtype, dtype, 4), arrays)


@pytest.mark.parametrize(
    ("dtype", "lanes"), [("i1", "true, false"), ("i8", "1, 200"), ("f16", "0.1, -0.0"), ("f64", "1.0, 0.0")]
)
def test_constants_whose_lanes_differ(agree, dtype, lanes):
    arrays = [*specimens(dtype), np.zeros(COUNT, DTYPES[dtype])]
    agree(kernel(f"%r = arith.constant dense<[{lanes}]> : {{s}}", dtype, dtype, 2), arrays)


@pytest.mark.parametrize("dtype", list(DTYPES))
def test_lanes_are_extracted_splat_and_shuffled(agree, dtype):
    body = f"""
    %e = loop.extract %p 3 : {{s}} to {dtype}
    %f = loop.splat %e : {dtype} to {{s}}
    %g = loop.shuffle %p, %f <[7, 0, 1, 8]> : {{s}} to vector<4x{dtype}>
    %r = loop.shuffle %g, %g <[0, 1, 2, 3, 4, 5, 6, 7]> : vector<4x{dtype}> to {{s}}"""
    arrays = [*specimens(dtype), np.zeros(COUNT, DTYPES[dtype])]
    agree(kernel(body, dtype, dtype, 8), arrays)


@pytest.mark.parametrize("lanes", [2, 4, 8, 16, 32, 64])
def test_masks_and_lane_numbers(agree, lanes):
    body = f"""
    %bound = loop.index 37
    %r = loop.mask %i, %bound : {{t}}
    %any = loop.any %r : {{t}}"""
    arrays = [*specimens("i32"), np.zeros(COUNT, np.bool_)]
    found = agree(kernel(body, "i32", "i1", lanes), arrays)[2]
    assert list(found) == [number < 37 for number in range(COUNT)]
    body = f"""
    %j = loop.lanes %i : vector<{lanes}xindex>
    %r = loop.cast index %j : vector<{lanes}xindex> to {{t}}"""
    arrays = [*specimens("i32"), np.zeros(COUNT, np.int32)]
    assert list(agree(kernel(body, "i32", "i32", lanes), arrays)[2]) == list(range(COUNT))


@pytest.mark.parametrize(("first", "bound"), [(0, 10**12), (10**12, 0), (-5, 3), (-(10**12), 4)])
def test_masks_far_from_the_bound(agree, first, bound):
    body = f"""
    %first = loop.index {first}
    %bound = loop.index {bound}
    %r = loop.mask %first, %bound : {{t}}"""
    arrays = [*specimens("i32"), np.zeros(COUNT, np.bool_)]
    found = agree(kernel(body, "i32", "i1", 16), arrays)[2]
    assert list(found[:16]) == [first + lane < bound for lane in range(16)]


def test_whether_some_lane_is_set(agree):
    body = """
    %c = arith.cmpf olt, %p, %q : {s}
    %some = loop.any %c : {bits}
    %r = loop.splat %some : i1 to {t}"""
    rows = np.zeros((4, 16), np.float32)
    rows[1, 15] = rows[3, 0] = -1
    arrays = [rows.ravel(), np.zeros(COUNT, np.float32), np.zeros(COUNT, np.bool_)]
    found = agree(kernel(body, "f32", "i1", 16), arrays)[2]
    assert list(found.reshape(4, 16).any(1)) == [False, True, False, True]
