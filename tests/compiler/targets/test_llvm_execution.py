"""What instructions do, on each machine, against NumPy."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from xdsl.dialects.builtin import BytesAttr, DenseIntOrFPElementsAttr, TensorType
from xdsl.dialects.llvm import GlobalOp
from xdsl.ir import Attribute, SSAValue

from at_once import at_once
from stepwell.compiler.dialects.llvm.types import (
    array,
    element,
    f32,
    f64,
    i1,
    i8,
    i32,
    i64,
    ptr,
    vector,
)
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder

Array = NDArray[np.generic]
Call = Callable[..., int]
Compile = Callable[..., Call]
Step = Callable[[LlvmBuilder, Sequence[SSAValue]], SSAValue]

RANDOM = np.random.default_rng(11)
LANES = 8
COUNT = 64
TYPES: dict[type, Attribute] = {
    np.bool_: i1, np.int8: i8, np.uint8: i8, np.int32: i32, np.uint32: i32,
    np.int64: i64, np.uint64: i64, np.float32: f32, np.float64: f64,
}  # fmt: skip
ODD = [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -1.5, 1e10, -1e30, np.inf, -np.inf, np.nan, 1e-42]


def integers(dtype: type) -> Array:
    edges = np.array([0, 1, 2, 7], dtype)
    info = np.iinfo(dtype)
    edges = np.concatenate([edges, np.array([info.min, info.max, info.max - 1], dtype)])
    found = RANDOM.integers(info.min, info.max, COUNT, dtype, endpoint=True)
    found[: len(edges)] = edges
    return found


def floats(dtype: type) -> Array:
    found = (RANDOM.standard_normal(COUNT) * 100).astype(dtype)
    found[: len(ODD)] = np.array(ODD).astype(dtype)
    return found


def mapped(compiled: Compile, step: Step, result: type, *inputs: Array) -> Array:
    """`step` on vectors of each input in turn, stored as `result`."""
    b = LlvmBuilder.define("run", [ptr] * (len(inputs) + 1))
    *sources, target = b.arguments
    with b.loop(0, COUNT, LANES) as loop:
        values = [
            b.load(
                b.gep(source, loop.index, stored(x.dtype.type)), vector(TYPES[x.dtype.type], LANES)
            )
            for source, x in zip(sources, inputs, strict=True)
        ]
        place = b.gep(target, loop.index, stored(result))
        value = step(b, values)
        assert element(value.type) == TYPES[result]
        b.store(value, place)
    b.ret()
    out = np.empty(COUNT, result)
    compiled(b)(*inputs, out)
    return out


def stored(dtype: type) -> Attribute:
    return i8 if dtype is np.bool_ else TYPES[dtype]


INTEGER_OPS: dict[str, tuple[Callable[..., Array], bool]] = {
    "add": (np.add, False), "sub": (np.subtract, False), "mul": (np.multiply, False),
    "and_": (np.bitwise_and, False), "or_": (np.bitwise_or, False),
    "xor": (np.bitwise_xor, False), "smax": (np.maximum, True), "smin": (np.minimum, True),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64])
@pytest.mark.parametrize("name", INTEGER_OPS)
def test_integers(compiled: Compile, name: str, dtype: type) -> None:
    x, y = integers(dtype), RANDOM.permutation(integers(dtype))
    reference, _ = INTEGER_OPS[name]
    out = mapped(compiled, lambda b, v: getattr(b, name)(*v), dtype, x, y)
    np.testing.assert_array_equal(out, reference(x, y))


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_division_and_shifts(compiled: Compile, dtype: type) -> None:
    unsigned = np.dtype(dtype).name.replace("int", "uint")
    x = integers(dtype)
    y = RANDOM.integers(1, 31, COUNT).astype(dtype)
    plain = {
        "sdiv": np.trunc(x.astype(np.longdouble) / y).astype(dtype),
        "srem": np.fmod(x, y),
        "udiv": (x.view(unsigned) // y.view(unsigned)).view(dtype),
        "urem": (x.view(unsigned) % y.view(unsigned)).view(dtype),
        "shl": x << y,
        "ashr": x >> y,
        "lshr": (x.view(unsigned) >> y.view(unsigned)).view(dtype),
    }
    for name, expected in plain.items():
        out = mapped(compiled, lambda b, v, name=name: getattr(b, name)(*v), dtype, x, y)
        np.testing.assert_array_equal(out, expected, name)


def test_bits(compiled: Compile) -> None:
    x = integers(np.uint32)
    leading = [32 - int(v).bit_length() for v in x]
    trailing = [(int(v) & -int(v)).bit_length() - 1 if v else 32 for v in x]
    expected = {
        "ctlz": leading,
        "cttz": trailing,
        "ctpop": [int(v).bit_count() for v in x],
        "abs": np.abs(x.view(np.int32)).view(np.uint32),
    }
    for name, reference in expected.items():
        out = mapped(compiled, lambda b, v, name=name: getattr(b, name)(*v), np.uint32, x)
        np.testing.assert_array_equal(out, reference, name)
    rotated = mapped(compiled, lambda b, v: b.rotr(v[0], 13), np.uint32, x)
    np.testing.assert_array_equal(rotated, (x >> np.uint32(13)) | (x << np.uint32(19)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats(compiled: Compile, dtype: type) -> None:
    x, y = floats(dtype), RANDOM.permutation(floats(dtype))
    with np.errstate(all="ignore"):
        expected = {
            "fadd": x + y, "fsub": x - y, "fmul": x * y, "fdiv": x / y,
            "maximum": np.maximum(x, y), "minimum": np.minimum(x, y),
            "copysign": np.copysign(x, y),
        }  # fmt: skip
        for name, reference in expected.items():
            out = mapped(compiled, lambda b, v, name=name: getattr(b, name)(*v), dtype, x, y)
            np.testing.assert_array_equal(out, reference, name)
        single = {
            "fneg": -x, "fabs": np.abs(x), "sqrt": np.sqrt(x), "floor": np.floor(x),
            "roundeven": np.rint(x),
        }  # fmt: skip
        for name, reference in single.items():
            out = mapped(compiled, lambda b, v, name=name: getattr(b, name)(*v), dtype, x)
            np.testing.assert_array_equal(out, reference, name)
            number = ~np.isnan(reference)
            np.testing.assert_array_equal(
                np.signbit(out[number]), np.signbit(reference[number]), name
            )


def test_multiply_and_add_round_once(compiled: Compile) -> None:
    x, y, z = (floats(np.float32) for _ in range(3))
    out = mapped(compiled, lambda b, v: b.fma(*v), np.float32, x, y, z)
    with np.errstate(all="ignore"):
        exact = x.astype(np.longdouble) * y + z
        apart = exact.astype(np.float32)
    np.testing.assert_array_equal(out, apart)
    one = np.full(COUNT, 1 + 2**-12, np.float32)
    minus = np.full(COUNT, -(1 + 2**-11), np.float32)
    out = mapped(compiled, lambda b, v: b.fma(v[0], v[0], v[1]), np.float32, one, minus)
    np.testing.assert_array_equal(out, np.full(COUNT, 2.0**-24, np.float32))


PREDICATES = {"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal}


@pytest.mark.parametrize("predicate", PREDICATES)
def test_comparisons(compiled: Compile, predicate: str) -> None:
    reference = PREDICATES[predicate]
    x, y = floats(np.float32), RANDOM.permutation(floats(np.float32))
    nan = np.isnan(x) | np.isnan(y)
    for kind, expected in (("o", reference(x, y)), ("u", reference(x, y) | nan)):
        out = mapped(compiled, lambda b, v, k=kind: b.fcmp(k + predicate, *v), np.bool_, x, y)
        np.testing.assert_array_equal(out, expected, kind)
    i, j = integers(np.int32), RANDOM.permutation(integers(np.int32))
    signed = mapped(compiled, lambda b, v: b.icmp("s" + predicate, *v), np.bool_, i, j)
    np.testing.assert_array_equal(signed, reference(i, j))
    unsigned = mapped(compiled, lambda b, v: b.icmp("u" + predicate, *v), np.bool_, i, j)
    np.testing.assert_array_equal(unsigned, reference(i.view(np.uint32), j.view(np.uint32)))


def test_select_and_bools(compiled: Compile) -> None:
    mask = RANDOM.integers(0, 2, COUNT).astype(np.bool_)
    x, y = floats(np.float64), RANDOM.permutation(floats(np.float64))
    out = mapped(compiled, lambda b, v: b.select(*v), np.float64, mask, x, y)
    np.testing.assert_array_equal(out, np.where(mask, x, y))
    flipped = mapped(compiled, lambda b, v: b.xor(v[0], 1), np.bool_, mask)
    np.testing.assert_array_equal(flipped, ~mask)


@pytest.mark.parametrize("result", [np.int8, np.int32, np.int64])
@pytest.mark.parametrize("source", [np.float32, np.float64])
def test_float_to_integer_saturates(compiled: Compile, source: type, result: type) -> None:
    x = floats(source)
    info = np.iinfo(result)
    whole = [0 if np.isnan(v) else max(info.min, min(info.max, truncated(v))) for v in x]
    out = mapped(compiled, lambda b, v: b.fptosi_sat(v[0], TYPES[result]), result, x)
    np.testing.assert_array_equal(out, np.array(whole, result))


def truncated(value: float) -> int:
    return int(value) if np.isfinite(value) else int(np.sign(value)) << 200


@pytest.mark.parametrize("result", [np.float32, np.float64])
@pytest.mark.parametrize("source", [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64])
def test_integer_to_float_rounds_to_even(compiled: Compile, source: type, result: type) -> None:
    x = integers(source)
    name = "sitofp" if np.issubdtype(source, np.signedinteger) else "uitofp"
    out = mapped(compiled, lambda b, v: getattr(b, name)(v[0], TYPES[result]), result, x)
    np.testing.assert_array_equal(out, x.astype(result))


def test_integer_widths(compiled: Compile) -> None:
    x = integers(np.int32)
    narrow = mapped(compiled, lambda b, v: b.trunc(v[0], i8), np.int8, x)
    np.testing.assert_array_equal(narrow, x.astype(np.int8))
    wide = mapped(compiled, lambda b, v: b.sext(v[0], i64), np.int64, x)
    np.testing.assert_array_equal(wide, x.astype(np.int64))
    unsigned = mapped(compiled, lambda b, v: b.zext(v[0], i64), np.int64, x)
    np.testing.assert_array_equal(unsigned, x.view(np.uint32).astype(np.int64))


# Masks: nothing beyond the mask is read or written.


@pytest.mark.parametrize("count", [0, 1, 5, 8, 13])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.uint8, np.bool_])
def test_masks_touch_nothing_else(compiled: Compile, dtype: type, count: int) -> None:
    b = LlvmBuilder.define("run", [ptr, ptr, i64])
    x, y, n = b.arguments
    kind = vector(TYPES[dtype], LANES)
    with b.loop(0, n, LANES) as loop:
        left = b.splat(b.sub(n, loop.index), LANES)
        mask = b.icmp("slt", b.iota(vector(i64, LANES)), left)
        value = b.masked_load(b.gep(x, loop.index, stored(dtype)), mask, b.constant(kind, 0))
        b.masked_store(value, b.gep(y, loop.index, stored(dtype)), mask)
    b.ret()
    source = RANDOM.integers(0, 2, 32).astype(dtype)
    guard = RANDOM.integers(0, 2, 32).astype(dtype)
    target = guard.copy()
    compiled(b)(source, target, count)
    np.testing.assert_array_equal(target[:count], source[:count])
    np.testing.assert_array_equal(target[count:], guard[count:])


def test_a_masked_load_gives_the_other_value(compiled: Compile) -> None:
    b = LlvmBuilder.define("run", [ptr, ptr])
    x, y = b.arguments
    mask = b.constant(vector(i1, LANES), [1, 0, 1, 0, 0, 1, 1, 0])
    b.store(b.masked_load(x, mask, b.constant(vector(f32, LANES), -7.0)), y)
    b.ret()
    source, target = np.arange(LANES, dtype=np.float32), np.zeros(LANES, np.float32)
    compiled(b)(source, target)
    np.testing.assert_array_equal(target, [0, -7, 2, -7, -7, 5, 6, -7])


def test_gather_and_scatter(compiled: Compile) -> None:
    b = LlvmBuilder.define("run", [ptr, ptr, ptr])
    x, places, y = b.arguments
    kind = vector(f32, LANES)
    indices = b.load(places, vector(i64, LANES))
    mask = b.icmp("sge", indices, 0)
    found = b.masked_load(b.gep(x, indices, f32), mask, b.constant(kind, -1.0))
    b.store(found, y)
    b.masked_store(b.fadd(found, 100.0), b.gep(x, indices, f32), mask)
    b.ret()
    source, target = np.arange(32, dtype=np.float32), np.zeros(LANES, np.float32)
    where = np.array([31, 0, -5, 7, 7, -1, 12, 3])
    expected = source.copy()
    expected[where[where >= 0]] += 100
    compiled(b)(source, where, target)
    np.testing.assert_array_equal(target, np.where(where >= 0, where, -1))
    np.testing.assert_array_equal(source, expected)


# Vectors.


REDUCTIONS = {
    "add": np.add, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
}  # fmt: skip


@pytest.mark.parametrize("kind", REDUCTIONS)
def test_integer_reductions(compiled: Compile, kind: str) -> None:
    b = LlvmBuilder.define("run", [ptr], i64)
    b.ret(b.reduce(kind, b.load(b.arguments[0], vector(i64, LANES))))
    x = integers(np.int64)[:LANES]
    assert compiled(b)(x) == REDUCTIONS[kind].reduce(x)


def test_lanes_move(compiled: Compile) -> None:
    b = LlvmBuilder.define("run", [ptr, ptr])
    x, y = b.arguments
    v = b.load(x, vector(i32, 8))
    low = b.shuffle(v, b.poison(v.type), [0, 1, 2, 3])
    high = b.shuffle(v, b.poison(v.type), [4, 5, 6, 7])
    halves = b.shuffle(high, low, range(8))
    mixed = b.shuffle(halves, v, [0, 8, -1, 15, 7, 1, 2, 3])
    mixed = b.insert_element(mixed, b.extract_element(v, 6), 2)
    b.store(b.add(mixed, b.splat(b.extract_element(v, 1), 8)), y)
    b.ret()
    source, target = np.arange(0, 80, 10, dtype=np.int32), np.zeros(8, np.int32)
    compiled(b)(source, target)
    np.testing.assert_array_equal(target, np.array([40, 0, 60, 70, 30, 50, 60, 70]) + 10)


# Control flow and calls.


def test_collatz(compiled: Compile) -> None:
    b = LlvmBuilder.define("run", [i64], i64)
    (n,) = b.arguments
    with b.while_(n, b.constant(i64, 0)) as steps:
        value, count = steps.carried
        steps.test(b.icmp("ne", value, 1))
        with b.if_(b.icmp("eq", b.and_(value, 1), 0)) as parity:
            parity.yields(b.lshr(value, 1))
            parity.otherwise()
            parity.yields(b.add_exactly(b.mul(value, 3), 1))
        steps.yields(parity.results[0], b.add(count, 1))
    b.ret(steps.results[1])
    run = compiled(b)
    assert [run(value) for value in (1, 2, 3, 27)] == [0, 1, 7, 111]


@pytest.mark.parametrize(("low", "high", "step"), [(0, 10, 1), (3, 20, 7), (5, 5, 1), (9, 2, 1)])
def test_loops_run_as_ranges_do(compiled: Compile, low: int, high: int, step: int) -> None:
    b = LlvmBuilder.define("run", [i64, i64, i64], i64)
    first, bound, stride = b.arguments
    with b.loop(first, bound, stride, [b.constant(i64, 0)]) as outer:
        with b.loop(0, outer.index, carried=outer.carried) as inner:
            inner.yields(b.add(b.mul(inner.carried[0], 3), inner.index))
        outer.yields(b.add(inner.results[0], outer.index))
    b.ret(*outer.results)
    total = 0
    for i in range(low, high, step):
        for j in range(i):
            total = total * 3 + j
        total += i
    wrapped = (total + 2**63) % 2**64 - 2**63
    assert compiled(b)(low, high, step) == wrapped


def test_calls_by_name_and_by_pointer(compiled: Compile) -> None:
    square = LlvmBuilder.define("square", [i64], i64, internal=True, attributes=["noinline"])
    square.ret(square.mul(*square.arguments * 2))
    b = LlvmBuilder.define("run", [i64, ptr], i64)
    n, place = b.arguments
    by_name = b.call("square", [n], i64)
    b.store(b.address_of("square"), place)
    by_pointer = b.call(b.load(place, ptr), [by_name], i64)
    b.ret(by_pointer)
    assert compiled(b, square)(3, np.zeros(1, np.int64)) == 81


def test_a_table_is_read(compiled: Compile) -> None:
    values = RANDOM.standard_normal(16).astype(np.float32)
    b = LlvmBuilder.define("run", [i64, ptr])
    index, y = b.arguments
    b.store(b.load(b.gep(b.address_of("table"), [0, index], array(f32, 16)), f32), y)
    b.ret()
    table = GlobalOp(
        array(f32, 16),
        "table",
        "internal",
        constant=True,
        value=DenseIntOrFPElementsAttr(TensorType(f32, [16]), BytesAttr(values.tobytes())),
        alignment=64,
    )
    run = compiled(b, table)
    for position in (0, 7, 15):
        out = np.zeros(1, np.float32)
        run(position, out)
        assert out[0] == values[position]


# Atomics.


def test_threads_count_together(compiled: Compile) -> None:
    b = LlvmBuilder.define("run", [ptr, i64])
    place, n = b.arguments
    with b.loop(0, n):
        b.atomicrmw("add", place, 1, "monotonic")
        with b.while_(b.load(b.gep(place, 8), i64, ordering="acquire")) as attempt:
            old = attempt.carried[0]
            seen, done = b.cmpxchg(b.gep(place, 8), old, b.add(old, 2), "acq_rel")
            attempt.test(b.xor(done, 1))
            attempt.yields(seen)
    b.fence("seq_cst")
    b.ret()
    run, counters = compiled(b), np.zeros(2, np.int64)
    at_once(4, lambda _: run(counters, 20000))
    np.testing.assert_array_equal(counters, [80000, 160000])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("xchg", 3), ("add", 13), ("sub", 7), ("_and", 2), ("_or", 11), ("_xor", 9), ("max", 10),
     ("min", 3)],
)  # fmt: skip
def test_atomic_operations(compiled: Compile, kind: str, expected: int) -> None:
    b = LlvmBuilder.define("run", [ptr, i64], i64)
    b.ret(b.atomicrmw(kind, b.arguments[0], b.arguments[1], "seq_cst"))
    cell = np.array([10])
    assert compiled(b)(cell, 3) == 10
    assert cell[0] == expected


@pytest.mark.parametrize("cache", [1, 2])
def test_a_prefetch_changes_nothing(compiled: Compile, cache: int) -> None:
    b = LlvmBuilder.define("run", [ptr])
    b.prefetch(b.arguments[0], cache)
    b.ret()
    memory = np.arange(16, dtype=np.float32)
    compiled(b)(memory)
    np.testing.assert_array_equal(memory, np.arange(16))
