"""Scalar and vector ops: as machine code they give the interpreter's bits."""

from collections.abc import Sequence

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


def kernel(bodies: Sequence[str], source: str, targets: Sequence[str], lanes: int = 0) -> str:
    """Each body computes a `%r` of %p and %q; all elements one by one, or `lanes` at a time.

    In a body S and T are the types of %p and of %r, BITS is i1 in as many lanes.
    """
    x, s, bits = buffer(source), several(source, lanes), several("i1", lanes)
    results = [f"%y{number}: {buffer(target)}" for number, target in enumerate(targets)]
    steps: list[str] = []
    for number, (body, target) in enumerate(zip(bodies, targets, strict=True)):
        t, y = several(target, lanes), buffer(target)
        body = body.replace("BITS", bits).replace("S", s).replace("T", t)
        names = {name: f"%{name}_{number}" for name in "cdefgjr"}
        for name, unique in names.items():
            body = body.replace(f"%{name}.", unique)
        steps.append(f"{body}\n    loop.store %r_{number}, %y{number}[%i] : {t} to {y}")
    newline = "\n    "
    return f"""
loop.kernel @k(%a: {x}, %b: {x}) -> ({", ".join(results)}) {{
  %zero = loop.index 0
  %n = loop.index {COUNT}
  loop.for %i = %zero to %n step {lanes or 1} {{
    %p = loop.load %a[%i] : {x} to {s}
    %q = loop.load %b[%i] : {x} to {s}
    {newline.join(steps)}
    loop.yield
  }}
}}"""


def buffer(dtype: str) -> str:
    return f"!loop.buffer<[{COUNT}] x {dtype}>"


def several(dtype: str, lanes: int) -> str:
    return f"vector<{lanes}x{dtype}>" if lanes else dtype


def specimens(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of every special value with every other one."""
    values = values_of(dtype)
    return np.repeat(values, 8), np.tile(values, 8)


def values_of(dtype: str) -> np.ndarray:
    if dtype == "i1":
        return np.array([False, True] * 4)
    if dtype.startswith("i"):
        limits = np.iinfo(f"int{dtype[1:]}")
        values = np.array([limits.min, limits.max, 0, 1, -1, 7, -20, 100]).astype(limits.dtype)
        return values.view(DTYPES[dtype])
    values = np.array([0.0, -0.0, 1.5, -2.5, 0.3, np.inf, -np.inf, np.nan])
    return values.astype(DTYPES[dtype])


def check(agree, bodies, source, targets, a=None, b=None, lanes=(0, 2, 16)):
    """The same bits one by one and in vectors: of part of a register, and of one or several."""
    first, second = specimens(source)
    given = [first if a is None else a, second if b is None else b]
    results = [np.zeros(COUNT, DTYPES[target]) for target in targets]
    for count in lanes:
        found = agree(kernel(bodies, source, targets, count), [*given, *results])
    return found[2:]


def simple(op: str) -> str:
    return f"%r. = {op} : S"


FLOAT_OPS = [
    *(f"arith.{name}f %p, %q" for name in ("add", "sub", "mul", "div", "maximum", "minimum")),
    "arith.negf %p",
    "math.copysign %p, %q",
    *(f"math.{name} %p" for name in ("absf", "sqrt", "floor", "roundeven")),
    "math.fma %p, %q, %q",
]
BITWISE = [f"arith.{name} %p, %q" for name in ("andi", "ori", "xori", "maxsi", "minsi", "maxui")]
INTEGER_OPS = [
    *BITWISE,
    *(f"arith.{name} %p, %q" for name in ("addi", "subi", "muli", "minui")),
    "math.absi %p",
]
DIVISIONS = ["divsi", "divui", "remsi", "remui", "floordivsi"]
SHIFTS = ["shli", "shrsi", "shrui"]


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_float_ops(agree, dtype):
    bodies = [simple(op) for op in FLOAT_OPS]
    check(agree, bodies, dtype, [dtype] * len(FLOAT_OPS), lanes=(0, 2, 4, 8, 16))


@pytest.mark.parametrize("dtype", ["i8", "i32", "i64"])
def test_integer_ops(agree, dtype):
    check(agree, [simple(op) for op in INTEGER_OPS], dtype, [dtype] * len(INTEGER_OPS))


def test_ops_on_truth_values(agree):
    check(agree, [simple(op) for op in BITWISE], "i1", ["i1"] * len(BITWISE))


@pytest.mark.parametrize("dtype", ["i8", "i32", "i64"])
def test_divisions(agree, dtype):
    divisor = np.tile(np.array([1, 2, 3, 7, -2, -3, 100, -100]), 8).astype(f"int{dtype[1:]}")
    bodies = [simple(f"arith.{op} %p, %q") for op in DIVISIONS]
    check(agree, bodies, dtype, [dtype] * len(bodies), b=divisor.view(DTYPES[dtype]))


@pytest.mark.parametrize("dtype", ["i8", "i32", "i64"])
def test_shifts(agree, dtype):
    counts = (np.arange(COUNT) % int(dtype[1:])).astype(DTYPES[dtype])
    bodies = [simple(f"arith.{op} %p, %q") for op in SHIFTS]
    check(agree, bodies, dtype, [dtype] * len(bodies), b=counts)


ORDERINGS = ["eq", "ne", "lt", "le", "gt", "ge"]


@pytest.mark.parametrize("lanes", [0, 2, 16])
def test_comparisons_of_floats(agree, lanes):
    bodies = [f"%r. = loop.compare {each} %p, %q : S" for each in ORDERINGS]
    check(agree, bodies, "f32", ["i1"] * len(bodies), lanes=[lanes])


@pytest.mark.parametrize("dtype", ["i8", "i64"])
@pytest.mark.parametrize("lanes", [0, 2, 16])
def test_comparisons_of_integers(agree, dtype, lanes):
    predicates = [*ORDERINGS, "ult", "ule", "ugt", "uge"]
    bodies = [f"%r. = loop.compare {each} %p, %q : S" for each in predicates]
    check(agree, bodies, dtype, ["i1"] * len(bodies), lanes=[lanes])


def constant(text: str, type: str, lanes: int) -> str:
    if lanes:
        return f"arith.constant dense<{text}> : {type}"
    return f"arith.constant {text}" + ("" if text in ("true", "false") else f" : {type}")


@pytest.mark.parametrize("dtype", list(DTYPES))
def test_select_moves_every_type(agree, dtype):
    for lanes in (0, 16):
        bodies = [
            f"%c. = {constant(text, 'BITS', lanes)}\n    %r. = loop.select %c., %p, %q : BITS, S"
            for text in ("true", "false")
        ]
        check(agree, bodies, dtype, [dtype] * 2, lanes=[lanes])


CASTS = [
    *(("extf", a, b) for a in ("f16", "bf16") for b in ("f32", "f64")),
    *(("truncf", a, b) for a in ("f32", "f64") for b in ("f16", "bf16")),
    ("extf", "f32", "f64"),
    ("truncf", "f64", "f32"),
    *((f"fpto{s}i", a, b) for s in "su" for a in DTYPES if "f" in a for b in ("i8", "i32", "i64")),
    *((f"{s}itofp", b, a) for s in "su" for a in DTYPES if "f" in a for b in DTYPES if "i" in b),
    *((f"ext{s}i", "i1", b) for s in "su" for b in ("i8", "i32", "i64")),
    *((f"ext{s}i", "i8", b) for s in "su" for b in ("i32", "i64")),
    *((f"ext{s}i", "i32", "i64") for s in "su"),
    *(("trunci", "i64", b) for b in ("i1", "i8", "i32")),
    *(("trunci", "i32", b) for b in ("i1", "i8")),
    ("trunci", "i8", "i1"),
    ("bitcast", "f32", "i32"),
    ("bitcast", "i32", "f32"),
    ("bitcast", "f64", "i64"),
    ("bitcast", "i64", "f64"),
]  # fmt: skip


@pytest.mark.parametrize("source", list(DTYPES))
def test_casts(agree, source):
    chosen = [(kind, target) for kind, start, target in CASTS if start == source]
    bodies = [f"%r. = loop.cast {kind} %p : S to T" for kind, _ in chosen]
    a = awkward(source)
    check(agree, bodies, source, [target for _, target in chosen], a=a, b=a)


def awkward(dtype: str) -> np.ndarray:
    """Values that lie half way between two of a narrower type, or just beside, or at its ends."""
    if dtype.startswith("i"):
        values = values_of(dtype)
        if dtype == "i1":
            return np.tile(values, 8)
        return np.add.outer(values, np.arange(8).astype(values.dtype)).ravel()
    rng = np.random.default_rng(0)
    wide = np.concatenate(
        [
            values_of(dtype).astype(np.float64),
            [2.0**31, 2.0**31 - 1, -(2.0**31), 2.0**32, 2.0**63, 2.0**64, -129, 255.5],
            [65504, 65519.99, 65520, 2.0**-14, 2.0**-25, 2.0**-25 * 1.0001, 2.0**-126, 3e-45],
            1 + 2.0**-11 + 2.0 ** -rng.integers(20, 54, 16),
            1 + 2.0**-9 + 2.0**-8 + 2.0 ** -rng.integers(20, 54, 8),
            rng.standard_normal(16) * 10.0 ** rng.integers(-6, 12, 16),
        ]
    )
    with np.errstate(all="ignore"):
        return wide.astype(DTYPES[dtype])


@pytest.mark.parametrize("dtype", ["i32", "i64"])
def test_index_casts(agree, dtype):
    for lanes in (0, 8):
        index = several("index", lanes)
        body = (
            f"%j. = loop.cast index %p : S to {index}\n    %r. = loop.cast index %j. : {index} to T"
        )
        check(agree, [body] * 2, dtype, ["i32", "i64"], lanes=[lanes])


CONSTANTS = {
    "i1": ["true"],
    "i8": ["200", "-1"],
    "i32": ["-5"],
    "i64": ["9223372036854775807"],
    "f16": ["0.1", "0x7E00", "-0.0"],
    "bf16": ["0.1", "1.0e38"],
    "f32": ["0.1", "0x7F800000", "-0.0", "0x7FC00000", "0.0"],
    "f64": ["0.1", "-0.0"],
}


@pytest.mark.parametrize("dtype", list(DTYPES))
def test_constants(agree, dtype):
    for lanes in (0, 4):
        bodies = [f"%r. = {constant(text, 'S', lanes)}" for text in CONSTANTS[dtype]]
        check(agree, bodies, dtype, [dtype] * len(bodies), lanes=[lanes])


@pytest.mark.parametrize(
    ("dtype", "lanes"),
    [("i1", "true, false"), ("i8", "1, 200"), ("f16", "0.1, -0.0"), ("f64", "1.0, 0.0")],
)
def test_constants_whose_lanes_differ(agree, dtype, lanes):
    check(agree, [f"%r. = arith.constant dense<[{lanes}]> : S"], dtype, [dtype], lanes=[2])


@pytest.mark.parametrize("dtype", list(DTYPES))
def test_lanes_are_extracted_splat_and_shuffled(agree, dtype):
    body = f"""
    %e. = loop.extract %p at <3> : S to {dtype}
    %f. = loop.splat %e. : {dtype} to S
    %g. = loop.shuffle %p, %f. <[7, 0, 1, 8]> : S to vector<4x{dtype}>
    %r. = loop.shuffle %g., %g. <[0, 1, 2, 3, 4, 5, 6, 7]> : vector<4x{dtype}> to S"""
    check(agree, [body], dtype, [dtype], lanes=[8])


@pytest.mark.parametrize("lanes", [2, 4, 8, 16, 32, 64])
def test_masks_and_lane_numbers(agree, lanes):
    mask = """
    %e. = loop.index 37
    %r. = loop.mask %i, %e. : T"""
    number = f"""
    %j. = loop.lanes %i : vector<{lanes}xindex>
    %r. = loop.cast index %j. : vector<{lanes}xindex> to T"""
    inside, numbers = check(agree, [mask, number], "i32", ["i1", "i32"], lanes=[lanes])
    assert list(numbers) == list(range(COUNT))
    assert list(inside) == [position < 37 for position in range(COUNT)]


@pytest.mark.parametrize(("first", "bound"), [(0, 10**12), (10**12, 0), (-5, 3), (-(10**12), 4)])
def test_masks_far_from_the_bound(agree, first, bound):
    body = f"""
    %e. = loop.index {first}
    %f. = loop.index {bound}
    %r. = loop.mask %e., %f. : T"""
    (found,) = check(agree, [body], "i32", ["i1"], lanes=[16])
    assert list(found[:16]) == [first + lane < bound for lane in range(16)]


def test_whether_some_lane_is_set(agree):
    body = """
    %c. = loop.cast trunci %p : S to BITS
    %e. = loop.any %c. : BITS
    %r. = loop.splat %e. : i1 to T"""
    rows = np.zeros((4, 16), np.int32)
    rows[1, 15] = rows[3, 0] = 1
    (found,) = check(agree, [body], "i32", ["i1"], a=rows.ravel(), lanes=[16])
    assert list(found[::16]) == [False, True, False, True]
