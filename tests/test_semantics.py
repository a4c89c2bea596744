"""Every row of the tables in docs/semantics.md, eagerly and compiled; then its sentences."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

import stepwell
import stepwell.numpy
from stepwell import Array
from stepwell.array import apply, asarray
from stepwell.compiling import jit
from stepwell.effects import assert_
from stepwell.runtime.errors import StepwellError
from stepwell.runtime.sizes import Size

PAGE = Path(__file__).parent.parent / "docs" / "semantics.md"
ROW = re.compile(r"^\| `(?P<expression>.+?)` \| `(?P<result>.+?)` \|")


def rows() -> list[tuple[str, str]]:
    found = [ROW.match(line) for line in PAGE.read_text().splitlines()]
    return [(row["expression"], row["result"]) for row in found if row]


def names() -> dict[str, Any]:
    def of(dtype: str) -> Any:
        return lambda value: asarray(value, dtype)

    dtypes = ("i8", "i32", "i64", "u8", "f16", "bf16", "f32", "f64")
    known = {dtype: of(dtype) for dtype in dtypes}
    constants = {"nan": float("nan"), "inf": float("inf"), "abs": abs}
    modules = {"np": stepwell.numpy, "sw": stepwell}
    return {**known, "bool_": of("bool"), **modules, **constants}


def evaluate(expression: str) -> Any:
    return eval(expression, names())


def same(actual: Any, expected: Any) -> bool:
    a, b = numpy.asarray(actual), numpy.asarray(expected)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.kind in "fV":
        both = numpy.isnan(a.astype(float)) & numpy.isnan(b.astype(float))
        a, b = a[~both], b[~both]
    return a.tobytes() == b.tobytes()


def test_the_page_has_rows() -> None:
    assert len(rows()) > 60


@pytest.mark.parametrize(("expression", "result"), rows())
def test_eager_arrays_mean_what_the_page_says(expression: str, result: str) -> None:
    assert same(evaluate(expression), evaluate(result))


@pytest.mark.parametrize(("expression", "result"), rows())
def test_compiled_code_means_what_the_page_says(expression: str, result: str) -> None:
    arguments = re.findall(r"(?:i8|i32|i64|u8|f16|bf16|f32|f64|bool_)\([^()]*\)", expression)
    parameters = iter([f"x{n}" for n in range(len(arguments))])
    body = re.sub(
        r"(?:i8|i32|i64|u8|f16|bf16|f32|f64|bool_)\([^()]*\)",
        lambda _: next(parameters),
        expression,
    )
    listed = ", ".join(f"x{n}" for n in range(len(arguments)))
    function = eval(f"lambda {listed}: {body}", names())
    assert same(jit(function)(*map(evaluate, arguments)), evaluate(result))


def check(function: Callable[..., Any], arguments: list[Any], expected: Any) -> None:
    assert same(function(*arguments), expected)
    assert same(jit(function)(*arguments), expected)


def f32(value: Any) -> Array:
    return asarray(value, "f32")


def i32(value: Any) -> Array:
    return asarray(value, "i32")


def gather(x: Array, indices: Array) -> Array:
    return apply("gather", x, indices, batch=0)


def test_gather_clamps_indices_and_finds_0_where_there_is_nothing() -> None:
    places = i32([-5, 1, 7])
    check(gather, [f32([1, 2, 3]), places], f32([1, 2, 3]))
    check(gather, [f32([]), places], f32([0, 0, 0]))
    check(jit(lambda x, i: x[i]), [f32([1, 2, 3]), i32([-1, -5, 5])], f32([3, 1, 3]))
    with pytest.raises(StepwellError, match="SW0122"):
        f32([1, 2, 3])[[3]]


def test_the_derivative_of_gather_goes_to_what_was_read() -> None:
    total = stepwell.grad(lambda x, i: stepwell.numpy.sum(gather(x, i)))
    check(total, [f32([1, 2, 3]), i32([-5, 0, 7])], f32([2, 0, 1]))


def test_scatter_add_rounds_each_sum_and_drops_what_is_outside() -> None:
    def scatter_add(x: Array, indices: Array, updates: Array) -> Array:
        return apply("scatter_add", x, indices, updates, batch=0)

    ones = asarray([1, 1, 1, 1], "f16")
    check(scatter_add, [asarray([2048], "f16"), i32([0] * 4), ones], asarray([2048], "f16"))
    check(scatter_add, [f32([0, 0]), i32([0, 5, -1, 1]), f32([1, 2, 3, 4])], f32([1, 4]))


def window(combine: str, size: int, low: int = 0, high: int = 0) -> Callable[[Array], Array]:
    sizes = {"size": size, "low": low, "high": high}
    parameters = {name: (Size.of(number),) for name, number in sizes.items()}
    return lambda x: apply("window", x, combine=combine, stride=(1,), **parameters)


def test_negative_padding_leaves_elements_out() -> None:
    check(window("add", 2, low=-1), [f32([1, 2, 3, 4])], f32([5, 7]))
    check(window("max", 2, -1, -1), [f32([9, 2, 3, 9])], f32([3]))

    def convolution(x: Array, w: Array) -> Array:
        low, high = (Size.of(0),), (Size.of(-1),)
        given = {"stride": (1,), "dilation": (1,), "groups": Size.of(1)}
        return apply("convolution", x, w, low=low, high=high, **given)

    check(convolution, [f32([[[1], [2], [3]]]), f32([[[1]], [[10]]])], f32([[[21]]]))
    with pytest.raises(StepwellError, match="SW0201: pad: axis 0 is padded by -1 and 0"):
        stepwell.numpy.pad(f32([1, 2]), (-1, 0))


def test_windows_of_padding() -> None:
    check(window("add", 1, low=1), [f32([2])], f32([0, 2]))
    check(window("max", 1, low=1), [f32([2])], f32([-numpy.inf, 2]))
    check(window("min", 1, low=1), [asarray([2], "u8")], asarray([255, 2], "u8"))


def test_windows_are_summed_in_one_chain() -> None:
    """Each half is lost beside 2**24; the sum of a second chunk of them would not be."""
    x = numpy.full(3000, 0.5, numpy.float32)
    x[0] = 2**24
    check(window("add", 3000), [f32(x)], f32([2**24]))
    assert "loop.fold add <serial> [" in nests(window("add", 3), f32([1, 2, 3]))
    assert "loop.fold max <any> [" in nests(window("max", 3), f32([1, 2, 3]))


def nests(function: Callable[..., Any], *arguments: Array) -> str:
    types = [f"{each.dtype}[{','.join(map(str, each.shape))}]" for each in arguments]
    return stepwell.compile(function, *types).ir("nests")


def test_the_derivative_of_a_greatest_in_a_window_goes_to_the_first() -> None:
    total = stepwell.grad(lambda x: stepwell.numpy.sum(window("max", 3)(x)))
    check(total, [f32([1, 3, 3])], f32([0, 1, 0]))


def shown(x: Array) -> Array:
    stepwell.print("got {}", x)
    return x + 1


def positive(x: Array) -> Array:
    assert_(x > 0, "it is positive")
    return x


def test_effects_happen_once_for_a_batch(capfd: pytest.CaptureFixture[str]) -> None:
    jit(stepwell.vmap(shown))(f32([1, 2, 3]))
    assert capfd.readouterr().out == "got [1. 2. 3.]\n"
    with pytest.raises(StepwellError, match="it is positive"):
        jit(stepwell.vmap(positive))(f32([1, -1]))


def test_a_condition_of_each_example_runs_both_branches(capfd: pytest.CaptureFixture[str]) -> None:
    def choice(condition: Array, x: Array) -> Array:
        return stepwell.cond(condition, shown, lambda x: x * 2, x)

    both = jit(stepwell.vmap(choice))
    assert both(asarray([True, False], "bool"), f32([1, 5])).tolist() == [2, 10]
    assert capfd.readouterr().out == "got [1. 5.]\n"
    one = jit(lambda condition, x: stepwell.vmap(lambda x: choice(condition, x))(x))
    assert one(asarray(False, "bool"), f32([1, 5])).tolist() == [2, 10]
    assert capfd.readouterr().out == ""


def test_a_loop_goes_on_for_the_examples_that_are_not_done() -> None:
    def doubled(x: Array) -> Array:
        return stepwell.while_loop(lambda x: x < 10, lambda x: x * 2, x)

    check(stepwell.vmap(doubled), [f32([1, 7, 20])], f32([16, 14, 20]))


def test_the_greatest_of_nothing_is_the_identity_where_the_size_is_symbolic() -> None:
    empty = {"f32": numpy.zeros(0, numpy.float32), "i32": numpy.zeros(0, numpy.int32)}
    for dtype, expected in (("f32", (-numpy.inf, numpy.inf)), ("i32", (-(2**31), 2**31 - 1))):
        program = stepwell.compile(
            lambda x: (x.max(), x.min(), x.argmax(), x.argmin()), f"{dtype}[B]"
        )
        found = [each.item() for each in program(empty[dtype])]
        assert found == [*expected, 2**63 - 1, 2**63 - 1]
    with pytest.raises(StepwellError, match="SW0201"):
        asarray(empty["f32"]).max()


LANES = 64
Terms = list[float]


def joined(terms: Terms, order: str, chunk: int | None) -> numpy.float32:
    """Exact terms added in the order that the page describes, each sum rounded to f32."""
    size = chunk or len(terms)
    parts = [terms[start : start + size] for start in range(0, len(terms), size)]
    found = [serially(part) if order == "serial" else by_lanes(part) for part in parts]
    total = found[0]
    for each in found[1:]:
        total = numpy.float32(total + each)
    return total


def serially(terms: Terms) -> numpy.float32:
    total = numpy.float32(0)
    for term in terms:
        total = numpy.float32(float(total) + term)
    return total


def by_lanes(terms: Terms) -> numpy.float32:
    lanes = [serially(terms[first::LANES]) for first in range(LANES)]
    half = LANES // 2
    while half:
        lanes = [numpy.float32(lanes[i] + lanes[i + half]) for i in range(half)]
        half //= 2
    return lanes[0]


def drawn(*shape: int) -> Any:
    """Numbers of ten bits, so that products, and a sum before it is rounded, are exact in f64."""
    random = numpy.random.default_rng(sum(shape))
    return (random.integers(-512, 512, shape) * 2.0 ** random.integers(-6, 7, shape)).astype("f4")


def products(*pairs: Any) -> Terms:
    return [float(a) * float(b) for x, y in pairs for a, b in zip(x, y, strict=True)]


X, Y, ROWS, COLUMNS, V = drawn(9000), drawn(9001)[1:], drawn(2, 2500), drawn(2500, 3), drawn(2500)
IMAGE, WINDOW = drawn(1, 9, 70), drawn(3, 70, 2)
ZERO, ONE = (Size.of(0),), (Size.of(1),)
PLAIN = {"stride": ONE, "low": ZERO, "high": ZERO, "dilation": ONE, "groups": Size.of(1)}
ORDERS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], tuple[Terms, str, int | None]]] = {
    "a sum over the last axis": (stepwell.numpy.sum, (X,), (X.tolist(), "lanes", 4096)),
    "a sum that keeps the last axis": (
        lambda x: x.sum(0)[1],
        (COLUMNS,),
        (COLUMNS[:, 1].tolist(), "serial", 1024),
    ),
    "a product of matrices": (
        lambda x, y: (x @ y)[1, 2],
        (ROWS, COLUMNS),
        (products((ROWS[1], COLUMNS[:, 2])), "serial", 1024),
    ),
    "a product of vectors": (
        lambda x, y: x @ y,
        (X, Y),
        (products((X, Y)), "lanes", 4096),
    ),
    "a matrix by a vector": (
        lambda x, y: (x @ y)[1],
        (ROWS, V),
        (products((ROWS[1], V)), "lanes", 4096),
    ),
    "a vector by a matrix": (
        lambda x, y: (x @ y)[2],
        (V, COLUMNS),
        (products((V, COLUMNS[:, 2])), "serial", 1024),
    ),
    "a convolution": (
        lambda x, w: apply("convolution", x, w, **PLAIN)[0, 4, 1],
        (IMAGE, WINDOW),
        (products(*zip(IMAGE[0, 4:7], WINDOW[..., 1], strict=True)), "serial", None),
    ),
    "a cumulative sum": (
        lambda x: stepwell.numpy.cumsum(x)[-1],
        (V,),
        (V.tolist(), "serial", None),
    ),
}


@pytest.mark.parametrize("name", ORDERS)
def test_terms_are_added_in_the_order_of_the_page(name: str) -> None:
    function, arrays, (terms, order, chunk) = ORDERS[name]
    found = numpy.asarray(jit(function)(*arrays))
    assert found == joined(terms, order, chunk)
    others = {joined(terms, o, c) for o in ("serial", "lanes") for c in (None, 1024, 4096)}
    assert len(others) > 1
