"""Accesses to buffers: masks, gathers, views, copies, the stack, and sizes known when it runs."""

import ctypes
import mmap

import ml_dtypes
import numpy as np
import pytest

from stepwell.runtime.sizes import Size

DTYPES = {
    "i1": np.bool_,
    "i8": np.uint8,
    "i64": np.int64,
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "f32": np.float32,
    "f64": np.float64,
}


def numbers(dtype: str, count: int) -> np.ndarray:
    values = np.random.default_rng(0).integers(0, 100, count)
    return (values % 2 == 1) if dtype == "i1" else values.astype(DTYPES[dtype])


def masked(dtype: str, lanes: int) -> str:
    """Copies the first n elements, and puts zeros behind them as far as a vector reaches."""
    x = f"!loop.buffer<[N] x {dtype}>"
    y = f"!loop.buffer<[N + 64] x {dtype}>"
    v, m = (f"vector<{lanes}x{each}>" if lanes else each for each in (dtype, "i1"))
    if lanes:
        mask = f"%m = loop.mask %i, %n : {m}"
    else:
        mask = "%m = loop.compare lt %i, %n : index"
    return f"""
loop.kernel @k<N: 0>(%x: {x}) -> (%y: {y}, %z: {x}) {{
  %zero = loop.index 0
  %n = loop.index N
  %end = loop.index N + {lanes}
  loop.for %i = %zero to %end step {lanes or 1} {{
    {mask}
    %p = loop.load %x[%i] where %m : {m} : {x} to {v}
    loop.store %p, %y[%i] : {v} to {y}
    loop.store %p, %z[%i] where %m : {m} : {v} to {x}
    loop.yield
  }}
}}"""


@pytest.mark.parametrize("dtype", list(DTYPES))
@pytest.mark.parametrize("lanes", [0, 4, 16])
def test_masked_accesses(agree, dtype, lanes):
    for count in (0, 1, 15, 16, 37):
        x = numbers(dtype, count)
        y, z = numbers(dtype, count + 64), np.zeros(count, DTYPES[dtype])
        _, _, z = agree(masked(dtype, lanes), [x, y, z], {"N": count})
        assert np.array_equal(x, z)


@pytest.mark.parametrize("dtype", ["i1", "f16", "f32", "f64"])
@pytest.mark.parametrize("lanes", [0, 16])
def test_what_is_masked_off_is_not_touched(native, dtype, lanes):
    """The array ends where a page begins that may not be read."""
    source = f"{masked(dtype, lanes)}\n{entry(dtype)}"
    memory = mmap.mmap(-1, 2 * mmap.PAGESIZE)
    base = np.frombuffer(memory, np.uint8)
    second = ctypes.c_void_p(base.ctypes.data + mmap.PAGESIZE)
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mprotect(second, mmap.PAGESIZE, 0) == 0
    x = base[: mmap.PAGESIZE].view(DTYPES[dtype])[-37:]
    x[:] = numbers(dtype, 37)
    y = np.zeros(37 + 64, DTYPES[dtype])
    expected = x.copy()
    assert native(source).run("run", [x, y, x], [37]) == 0
    assert np.array_equal(x, expected)
    assert np.array_equal(y[:37], expected)


def entry(dtype: str) -> str:
    x, y = f"!loop.buffer<[N] x {dtype}>", f"!loop.buffer<[N + 64] x {dtype}>"
    return f"""
loop.func @run<N: 0>(%x: {x}) -> (%y: {y}, %z: {x}) {{
  loop.launch @k <N = N> (%x, %y, %z) : {x}, {y}, {x}
}}"""


@pytest.mark.parametrize("dtype", list(DTYPES))
def test_gather_and_scatter(agree, dtype):
    x = f"!loop.buffer<[100] x {dtype}>"
    source = f"""
loop.kernel @k(%x: {x}) -> (%y: {x}, %z: {x}) {{
  %three = arith.constant dense<3> : vector<8xindex>
  %zero = loop.index 0
  %count = loop.index 33
  loop.for %i = %zero to %count step 8 {{
    %j = loop.lanes %i : vector<8xindex>
    %k = arith.muli %j, %three : vector<8xindex>
    %m = loop.mask %i, %count : vector<8xi1>
    %v = loop.gather %x[%k : vector<8xindex>] where %m : vector<8xi1> : {x} to vector<8x{dtype}>
    loop.store %v, %y[%i] : vector<8x{dtype}> to {x}
    loop.scatter %v, %z[%k : vector<8xindex>] where %m : vector<8xi1> : vector<8x{dtype}> to {x}
    loop.yield
  }}
  %j = loop.lanes %count : vector<8xindex>
  %v = loop.gather %x[%j : vector<8xindex>] : {x} to vector<8x{dtype}>
  %first = loop.lanes %zero : vector<8xindex>
  loop.scatter %v, %z[%first : vector<8xindex>] : vector<8x{dtype}> to {x}
}}"""
    agree(source, [numbers(dtype, 100), np.ones(100, DTYPES[dtype]), np.ones(100, DTYPES[dtype])])


def test_the_stack(agree):
    source = """
loop.kernel @k(%x: !loop.buffer<[64] x f32>) -> (%y: !loop.buffer<[64] x f32>) {
  %zero = loop.index 0
  %n = loop.index 64
  loop.for %i = %zero to %n step 16 {
    %t = loop.stack : !loop.buffer<[2, 16] x f32>
    %v = loop.load %x[%i] : !loop.buffer<[64] x f32> to vector<16xf32>
    %sixteen = loop.index 16
    loop.store %v, %t[%sixteen] : vector<16xf32> to !loop.buffer<[2, 16] x f32>
    %last = loop.index 31
    %s = loop.load %t[%last] : !loop.buffer<[2, 16] x f32> to f32
    loop.prefetch %x[%i] : !loop.buffer<[64] x f32>
    loop.store %s, %y[%i] : f32 to !loop.buffer<[64] x f32>
    loop.yield
  }
}"""
    _, y = agree(source, [np.arange(64, dtype=np.float32), np.zeros(64, np.float32)])
    assert list(y[::16]) == [15, 31, 47, 63]


def test_vectors_that_go_past_the_caches(agree):
    source = """
loop.kernel @k(%x: !loop.buffer<[64] x f32>) -> (%y: !loop.buffer<[64] x f32>) {
  %zero = loop.index 0
  %n = loop.index 64
  %t = loop.stack : !loop.buffer<[64] x f32>
  %yes = loop.aligned %t : !loop.buffer<[64] x f32>
  loop.for %i = %zero to %n step 16 {
    %v = loop.load %x[%i] : !loop.buffer<[64] x f32> to vector<16xf32>
    loop.if %yes {
      loop.store %v, %t[%i] streamed : vector<16xf32> to !loop.buffer<[64] x f32>
      loop.yield
    } else {
      loop.store %v, %t[%i] : vector<16xf32> to !loop.buffer<[64] x f32>
      loop.yield
    }
    loop.fence
    %w = loop.load %t[%i] : !loop.buffer<[64] x f32> to vector<16xf32>
    loop.store %w, %y[%i] : vector<16xf32> to !loop.buffer<[64] x f32>
    loop.yield
  }
}"""
    _, y = agree(source, [np.arange(64, dtype=np.float32), np.zeros(64, np.float32)])
    assert list(y) == list(range(64))


def test_views_count_the_elements_of_their_base(agree):
    source = """
loop.kernel @k<B: 1>(%x: !loop.buffer<[B, 8] x f32>) -> (%y: !loop.buffer<[B] x f32>) {
  %zero = loop.index 0
  %n = loop.index B
  loop.for %i = %zero to %n step 1 {
    %row = loop.view %x[(8) * %i + 1] : !loop.buffer<[B, 8] x f32> to !loop.buffer<[7] x f32>
    %tail = loop.view %row[6] : !loop.buffer<[7] x f32> to !loop.buffer<[1] x f32>
    %v = loop.load %tail[%zero] : !loop.buffer<[1] x f32> to f32
    loop.store %v, %y[%i] : f32 to !loop.buffer<[B] x f32>
    loop.yield
  }
}"""
    x = np.arange(40, dtype=np.float32).reshape(5, 8)
    _, y = agree(source, [x, np.zeros(5, np.float32)], {"B": 5})
    assert list(y) == [7, 15, 23, 31, 39]


@pytest.mark.parametrize("dtype", list(DTYPES))
@pytest.mark.parametrize("count", [0, 1, 7, 64, 200])
def test_copies(agree, dtype, count):
    x = f"!loop.buffer<[N] x {dtype}>"
    source = f"""
loop.func @run<N: 0>(%x: {x}) -> (%y: {x}) {{
  loop.copy %x, %y : {x} to {x}
}}"""
    x = numbers(dtype, count)
    _, y = agree(source, [x, np.zeros(count, DTYPES[dtype])], {"N": count})
    assert np.array_equal(x, y)


SIZES = [
    "0", "7", "B", "2*B + 1", "B*S - 5", "floordiv(B, 4)", "floordiv(B - 9, 7)", "mod(B, 8)",
    "mod(B - 9, 7)", "floordiv(B*S, S + 1)", "mod(B*S, S + 3)", "min(B, S)", "max(B, max(3*S, 40))",
    "floordiv(S, B)", "mod(S, B)", "B*B*S + floordiv(S - 100, 3)*min(B, 5)",
]  # fmt: skip


@pytest.mark.parametrize(("b", "s"), [(0, 0), (1, 0), (5, 3), (12, 100)])
def test_sizes(native, b, s):
    """A division by zero does not trap: nobody looks at what comes out."""
    lines = "\n".join(
        f"  %o{n} = loop.index {n}\n  %s{n} = loop.index {size}\n"
        f"  %v{n} = loop.cast index %s{n} : index to i64\n"
        f"  loop.store %v{n}, %y[%o{n}] : i64 to !loop.buffer<[{len(SIZES)}] x i64>"
        for n, size in enumerate(SIZES)
    )
    source = f"""
loop.func @run<B: 0, S: 0>() -> (%y: !loop.buffer<[{len(SIZES)}] x i64>) {{
{lines}
}}"""
    y = np.zeros(len(SIZES), np.int64)
    assert native(source).run("run", [y], [b, s]) == 0
    for text, value in zip(SIZES, y, strict=True):
        try:
            assert value == Size.parse(text).evaluate({"B": b, "S": s}), text
        except ValueError:
            continue


def test_an_affine_index_with_symbolic_coefficients(agree):
    source = """
loop.kernel @k<B: 1, S: 1>() -> (%y: !loop.buffer<[B, S] x i64>) {
  %zero = loop.index 0
  %n = loop.index B
  %m = loop.index S
  loop.for %i = %zero to %n step 1 {
    loop.for %j = %zero to %m step 1 {
      %o = loop.index (S) * %i + %j
      %w = loop.index (2*B) * %i + (-1) * %j + S*B - 1
      %v = loop.cast index %w : index to i64
      loop.store %v, %y[%o] : i64 to !loop.buffer<[B, S] x i64>
      loop.yield
    }
    loop.yield
  }
}"""
    (y,) = agree(source, [np.zeros((3, 5), np.int64)], {"B": 3, "S": 5})
    assert y[2, 4] == 6 * 2 - 4 + 15 - 1
