"""Folds of the loop interpreter, against orders written out as loops over Python scalars."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from drawing import examples
from loop_text import parse_kernel
from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.interpret.fma import fma32
from stepwell.compiler.interpret.loops import nests, run_kernel

Scalar = np.generic
Join = Callable[[Scalar, Scalar], Scalar]

LENGTHS = st.sampled_from([0, 1, 2, 63, 64, 65, 127, 128, 129, 1023, 1024, 1025, 4096, 4097, 5000])


def in_order(
    join: Join, take: Join, start: Scalar, terms: Sequence[Scalar], kind: str, chunk: int
) -> Scalar:
    """The contract's orders, word for word. `take` adds a term to an accumulator."""
    if not len(terms):
        return start
    length = chunk or len(terms)
    chunks = [terms[low : low + length] for low in range(0, len(terms), length)]
    results = [(serial if kind == "serial" else lanes)(join, take, start, each) for each in chunks]
    total = results[0]
    for result in results[1:]:
        total = join(total, result)
    return total


def serial(join: Join, take: Join, start: Scalar, terms: Sequence[Scalar]) -> Scalar:
    for term in terms:
        start = take(start, term)
    return start


def lanes(join: Join, take: Join, start: Scalar, terms: Sequence[Scalar]) -> Scalar:
    accumulators = [start] * 64
    for position, term in enumerate(terms):
        accumulators[position % 64] = take(accumulators[position % 64], term)
    for half in (32, 16, 8, 4, 2, 1):
        for i in range(half):
            accumulators[i] = join(accumulators[i], accumulators[i + half])
    return accumulators[0]


def add(a: Scalar, b: Scalar) -> Scalar:
    return a + b


def multiply(a: Scalar, b: Scalar) -> Scalar:
    return a * b


def fold_rows(combine: str, order: str, element: str) -> KernelOp:
    return parse_kernel(f"""
loop.kernel @fold<R: 0, N: 0>(%x: !loop.buffer<[R, N] x {element}>)
    -> (%y: !loop.buffer<[R] x {element}>) {{
  loop.nest [%r : R] {{
    %s = loop.fold {combine} {order} [%k : N] {{
      %a = loop.read %x[%r, %k] : {element}
      loop.yield %a : {element}
    }} : {element}
    loop.write %s, %y[%r] : {element}
  }}
}}""")


def order_text(kind: str, chunk: int) -> str:
    return f"<{kind}, {chunk}>" if chunk else f"<{kind}>"


@pytest.fixture(params=[1 << 20, 1 << 8])
def room(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As much memory as usual, and so little that everything is taken in pieces."""
    monkeypatch.setattr(nests, "ROOM", request.param)


def assert_same_bits(result: NDArray[np.generic], expected: NDArray[np.generic]) -> None:
    assert result.dtype == expected.dtype
    assert result.tobytes() == expected.tobytes()


CUTS = [(kind, chunk) for kind in ("serial", "lanes") for chunk in (0, 100, 1024)]
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -3e38, 1.0]


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize(("kind", "chunk"), CUTS)
@pytest.mark.parametrize(("combine", "join", "start"), [("add", add, 0), ("mul", multiply, 1)])
@pytest.mark.parametrize("rows", [1, 3])
def test_order_of_a_fold(
    kind: str, chunk: int, combine: str, join: Join, start: int, rows: int
) -> None:
    kernel = fold_rows(combine, order_text(kind, chunk), "f32")
    random = np.random.default_rng(1)
    for length in (0, 1, 63, 64, 65, 1023, 1024, 1025, 2500):
        x = random.normal(1, 0.1, (rows, length)).astype(np.float32)
        y = np.empty(rows, np.float32)
        run_kernel(kernel, [x, y], {"R": rows, "N": length}, count_writes=True)
        expected = [in_order(join, join, np.float32(start), list(row), kind, chunk) for row in x]
        assert_same_bits(y, np.array(expected, np.float32))


@given(LENGTHS, st.sampled_from(CUTS), st.integers(0, 2**32 - 1))
@example(4097, ("lanes", 4096), 0)
@example(1, ("serial", 0), 0)
@examples(25)
def test_order_of_f64_sums(length: int, cut: tuple[str, int], seed: int) -> None:
    x = np.random.default_rng(seed).normal(0, 1e3, (1, length))
    y = np.empty(1)
    run_kernel(fold_rows("add", order_text(*cut), "f64"), [x, y], {"R": 1, "N": length})
    assert_same_bits(y, np.array([in_order(add, add, np.float64(0), list(x[0]), *cut)]))


@given(
    st.lists(st.sampled_from([*range(-3, 4), 2**30, -(2**31)]), max_size=200), st.sampled_from(CUTS)
)
@examples(25)
def test_integers_wrap(numbers: list[int], cut: tuple[str, int]) -> None:
    x, y = np.array([numbers], np.int32), np.empty(1, np.int32)
    run_kernel(fold_rows("add", order_text(*cut), "i32"), [x, y], {"R": 1, "N": len(numbers)})
    assert y[0] == (sum(numbers) + 2**31) % 2**32 - 2**31


@pytest.mark.parametrize("cut", CUTS)
def test_sums_start_at_positive_zero(cut: tuple[str, int]) -> None:
    y = np.empty(1, np.float32)
    kernel = fold_rows("add", order_text(*cut), "f32")
    run_kernel(kernel, [np.full((1, 3), -0.0, np.float32), y], {"R": 1, "N": 3})
    assert_same_bits(y, np.zeros(1, np.float32))


PRODUCTS = """
loop.kernel @products<M: 0, N: 0, K: 0>(%x: !loop.buffer<[M, K] x f32>,
    %w: !loop.buffer<[K, N] x f32>) -> (%y: !loop.buffer<[M, N] x f32>) {
  loop.nest [%m : M, %n : N] {
    %s = loop.fold fma ORDER [%k : K] {
      %a = loop.read %x[%m, %k] : f32
      %b = loop.read %w[%k, %n] : f32
      loop.yield %a, %b : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}"""


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("length", [0, 1, 65, 250])
def test_products_are_added_with_one_rounding(cut: tuple[str, int], length: int) -> None:
    random = np.random.default_rng(length)
    x = random.normal(size=(2, length)).astype(np.float32)
    w = random.normal(size=(length, 3)).astype(np.float32)
    y = np.empty((2, 3), np.float32)
    kernel = parse_kernel(PRODUCTS.replace("ORDER", order_text(*cut)))
    run_kernel(kernel, [x, w, y], {"M": 2, "N": 3, "K": length})

    def product(m: int, n: int) -> Scalar:
        def take(total: Scalar, k: Scalar) -> Scalar:
            return fma32(x[m, k], w[k, n], np.asarray(total))[()]

        return in_order(add, take, np.float32(0), range(length), *cut)

    expected = np.array([[product(m, n) for n in range(3)] for m in range(2)], np.float32)
    assert_same_bits(y, expected)


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize("order", ["<any>", "<serial, 100>", "<lanes, 100>"])
@given(st.lists(st.sampled_from(SPECIAL), max_size=150))
@examples(25)
def test_extrema_propagate_nan_and_order_zeros(order: str, numbers: list[float]) -> None:
    x = np.array([numbers], np.float32)
    sizes = {"R": 1, "N": len(numbers)}
    for combine, sign in (("max", 1), ("min", -1)):
        y = np.empty(1, np.float32)
        run_kernel(fold_rows(combine, order, "f32"), [x, y], sizes)
        assert_same_bits(y, np.float32([sign * highest(sign * x[0])]))


def highest(numbers: NDArray[np.float32]) -> np.float32:
    if np.isnan(numbers).any():
        return np.float32(np.nan)
    best = np.float32(-np.inf)
    for number in numbers:
        if number > best or (number == best and not np.signbit(number)):
            best = number
    return best


@pytest.mark.parametrize(
    ("combine", "element", "dtype", "identity"),
    [
        ("max", "i32", np.int32, -(2**31)),
        ("min", "i64", np.int64, 2**63 - 1),
        ("max", "i8", np.uint8, 0),
        ("min", "i8", np.uint8, 255),
        ("max", "f32", np.float32, -np.inf),
        ("min", "f64", np.float64, np.inf),
        ("and", "i1", np.bool_, True),
        ("or", "i1", np.bool_, False),
        ("and", "i32", np.int32, -1),
        ("or", "i8", np.uint8, 0),
        ("mul", "i8", np.uint8, 1),
    ],
)
def test_identities(combine: str, element: str, dtype: type[Scalar], identity: float) -> None:
    y = np.empty(2, dtype)
    run_kernel(fold_rows(combine, "<any>", element), [np.empty((2, 0), dtype), y], {"R": 2, "N": 0})
    assert list(y) == [identity, identity]


def test_unsigned_bytes_compare_as_unsigned() -> None:
    x, y = np.array([[1, 200]], np.uint8), np.empty(1, np.uint8)
    run_kernel(fold_rows("max", "<any>", "i8"), [x, y], {"R": 1, "N": 2})
    assert y[0] == 200


def test_truths_join() -> None:
    x = np.array([[True, True], [True, False], [False, False]])
    y = np.empty(3, np.bool_)
    for combine, expected in (("and", [True, False, False]), ("or", [True, True, False])):
        run_kernel(fold_rows(combine, "<any>", "i1"), [x, y], {"R": 3, "N": 2})
        assert y.tolist() == expected


def test_products_of_integers_wrap() -> None:
    text = PRODUCTS.replace("ORDER", "<lanes, 1024>").replace("f32", "i32")
    x, y = np.array([[1 << 20, 3]], np.int32), np.empty((1, 1), np.int32)
    run_kernel(parse_kernel(text), [x, x.T.copy(), y], {"M": 1, "N": 1, "K": 2})
    assert y[0, 0] == 9


BEST = """
loop.kernel @best<R: 0, N: 0>(%x: !loop.buffer<[R, N] x ELEMENT>)
    -> (%y: !loop.buffer<[R] x ELEMENT>, %i: !loop.buffer<[R] x i64>) {
  loop.nest [%r : R] {
    %v, %at = loop.fold COMBINE <any> [%k : N] {
      %a = loop.read %x[%r, %k] : ELEMENT
      %p = loop.cast index %k : index to i64
      loop.yield %a, %p : ELEMENT, i64
    } : ELEMENT, i64
    loop.write %v, %y[%r] : ELEMENT
    loop.write %at, %i[%r] : i64
  }
}"""


def best_of(combine: str, element: str, x: NDArray[np.generic]) -> tuple[list[float], list[int]]:
    kernel = parse_kernel(BEST.replace("ELEMENT", element).replace("COMBINE", combine))
    y, at = np.empty(len(x), x.dtype), np.empty(len(x), np.int64)
    run_kernel(kernel, [x, y, at], {"R": x.shape[0], "N": x.shape[1]})
    return y.tolist(), at.tolist()


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize("combine", ["argmax", "argmin"])
@given(st.lists(st.sampled_from(SPECIAL), min_size=1, max_size=150))
@examples(25)
def test_best_is_the_first_nan_or_the_first_best(combine: str, numbers: list[float]) -> None:
    x = np.array([numbers, numbers[::-1]], np.float32)
    _, found = best_of(combine, "f32", x)
    assert found == list((np.argmax if combine == "argmax" else np.argmin)(x, axis=1))


def test_best_of_nothing() -> None:
    last = 2**63 - 1
    assert best_of("argmax", "f32", np.empty((1, 0), np.float32)) == ([-np.inf], [last])
    assert best_of("argmin", "i32", np.empty((1, 0), np.int32)) == ([2**31 - 1], [last])
    assert best_of("argmax", "i8", np.empty((1, 0), np.uint8)) == ([0], [last])


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize("order", ["<serial, 7>", "<lanes, 70>"])
def test_positions_are_row_major(order: str) -> None:
    kernel = parse_kernel(f"""
loop.kernel @both<R: 0>(%x: !loop.buffer<[R, 13, 9] x f32>) -> (%y: !loop.buffer<[R] x f32>) {{
  loop.nest [%r : R] {{
    %s = loop.fold add {order} [%i : 13, %j : 9] {{
      %a = loop.read %x[%r, %i, %j] : f32
      loop.yield %a : f32
    }} : f32
    loop.write %s, %y[%r] : f32
  }}
}}""")
    x = np.random.default_rng(3).normal(size=(4, 13, 9)).astype(np.float32)
    y = np.empty(4, np.float32)
    run_kernel(kernel, [x, y], {"R": 4})
    flat = fold_rows("add", order, "f32")
    expected = np.empty(4, np.float32)
    run_kernel(flat, [x.reshape(4, -1), expected], {"R": 4, "N": 117})
    assert_same_bits(y, expected)


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize("inner", ["add <serial>", "add <lanes, 128>", "max <any>"])
@pytest.mark.parametrize("outer", ["<serial, 5>", "<lanes, 128>"])
def test_folds_within_folds(outer: str, inner: str) -> None:
    kernel = parse_kernel(f"""
loop.kernel @nested<R: 0>(%x: !loop.buffer<[R, 11, 70] x f32>) -> (%y: !loop.buffer<[R] x f32>) {{
  loop.nest [%r : R] {{
    %s = loop.fold add {outer} [%i : 11] {{
      %t = loop.fold {inner} [%j : 70] {{
        %a = loop.read %x[%r, %i, %j] : f32
        loop.yield %a : f32
      }} : f32
      loop.yield %t : f32
    }} : f32
    loop.write %s, %y[%r] : f32
  }}
}}""")
    x = np.random.default_rng(4).normal(size=(3, 11, 70)).astype(np.float32)
    y = np.empty(3, np.float32)
    run_kernel(kernel, [x, y], {"R": 3})
    combine, _, order = inner.partition(" ")
    middle, expected = np.empty(33, np.float32), np.empty(3, np.float32)
    run_kernel(fold_rows(combine, order, "f32"), [x.reshape(33, 70), middle], {"R": 33, "N": 70})
    run_kernel(fold_rows("add", outer, "f32"), [middle.reshape(3, 11), expected], {"R": 3, "N": 11})
    assert_same_bits(y, expected)


def test_a_term_may_be_the_same_everywhere() -> None:
    kernel = parse_kernel("""
loop.kernel @count<R: 0, N: 0>() -> (%y: !loop.buffer<[R] x f32>) {
  loop.nest [%r : R] {
    %one = arith.constant 1.0 : f32
    %s = loop.fold add <lanes, 4096> [%k : N] {
      loop.yield %one : f32
    } : f32
    loop.write %s, %y[%r] : f32
  }
}""")
    y = np.empty(3, np.float32)
    run_kernel(kernel, [y], {"R": 3, "N": 5000})
    assert y.tolist() == [5000, 5000, 5000]
