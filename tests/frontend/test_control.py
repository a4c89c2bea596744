"""Control flow on arrays: what Python's loops would do, and their derivatives."""

from typing import Any

import numpy
import pytest

from stepwell import checkpoint, compile, cond, jit, scan, spec, vmap, while_loop
from stepwell import numpy as np
from stepwell.transforms import grad, jvp

X = numpy.random.default_rng(2).normal(size=(4, 3))


def close(actual: Any, expected: Any) -> None:
    numpy.testing.assert_allclose(numpy.asarray(actual), expected, rtol=1e-6, atol=1e-9)


def both(function: Any) -> list[Any]:
    return [function, jit(function)]


@pytest.mark.parametrize("taken", [True, False])
def test_cond_runs_one_branch(taken: bool) -> None:
    offset = numpy.float64(5)

    def chosen(p: Any, x: Any) -> Any:
        return cond(p, lambda x: {"y": x * 2}, lambda x: {"y": x + offset}, x)["y"]

    expected = X * 2 if taken else X + 5
    for function in both(chosen):
        close(function(taken, X), expected)
    for function in both(grad(lambda p, x: chosen(p, x).sum(), argnums=1)):
        close(function(taken, X), numpy.full_like(X, 2 if taken else 1))


def test_while_runs_as_long_as_its_condition_holds() -> None:
    def halved(x: Any) -> Any:
        return while_loop(lambda s: s[0] > 1, lambda s: (s[0] / 2, s[1] + 1), (x, 0))

    for function in both(halved):
        x, count = function(numpy.float64(100))
        close(x, 100 / 128)
        assert int(count) == 7
    close(jvp(lambda x: halved(x)[0], (100.0,), (1.0,))[1], 1 / 128)


def test_a_bounded_while_has_a_reverse_mode() -> None:
    def root(a: Any) -> Any:
        """Newton's iteration, which has converged long before its bound."""
        return while_loop(
            lambda x: np.abs(x * x - a) > 1e-12, lambda x: (x + a / x) / 2, a, max_steps=30
        )

    for function in both(grad(root)):
        close(function(numpy.float64(2)), 0.5 / numpy.sqrt(2))


def test_scan_carries_and_stacks() -> None:
    def sums(x: Any) -> Any:
        return scan(lambda c, row: (c + row, {"so far": c}), np.zeros(3, "f64"), x)

    for function in both(sums):
        last, stacked = function(X)
        close(last, X.sum(0))
        close(stacked["so far"], X.cumsum(0) - X)
    for function in both(grad(lambda x: (sums(x)[1]["so far"] * X).sum())):
        close(function(X), X[::-1].cumsum(0)[::-1] - X)


def test_scan_from_the_end_and_without_slices() -> None:
    last, stacked = scan(
        lambda c, x: (c * 2 + x, c), 0.0, numpy.array([1, 2, 4], "f4"), reverse=True
    )
    assert float(last) == (4 * 2 + 2) * 2 + 1
    assert stacked.tolist() == [10, 4, 0]
    assert int(scan(lambda c, _: (c * 2, None), 1, length=5)[0]) == 32


def test_scan_of_an_unknown_length() -> None:
    program = compile(
        lambda x: scan(lambda c, row: (c + row, c), x[:1].sum(0), x), spec("f64[T, 3]")
    )
    for length in (0, 1, 4):
        last, stacked = program(X[:length])
        close(last, X[:length].sum(0) + X[:length][:1].sum(0))
        assert stacked.shape == (length, 3)


def test_bodies_read_what_stands_around_them() -> None:
    def outer(w: Any, x: Any) -> Any:
        return scan(lambda c, row: (np.tanh(c * w + row), None), np.zeros(3, "f64"), x)[0].sum()

    def plain(w: float) -> float:
        c = numpy.zeros(3)
        for row in X:
            c = numpy.tanh(c * w + row)
        return float(c.sum())

    expected = (plain(0.5 + 1e-6) - plain(0.5 - 1e-6)) / 2e-6
    for function in both(grad(outer)):
        numpy.testing.assert_allclose(function(numpy.float64(0.5), X), expected, rtol=1e-6)


def test_checkpoint_changes_nothing_but_what_is_kept() -> None:
    def block(x: Any, w: Any) -> Any:
        return np.tanh(x @ w)

    def loss(w: Any, layer: Any) -> Any:
        return layer(layer(X @ w, w), w).sum()

    w = numpy.random.default_rng(3).normal(size=(3, 3))
    expected = grad(lambda w: loss(w, block))(w)
    for function in both(grad(lambda w: loss(w, checkpoint(block)))):
        close(function(w), expected)


def test_control_flow_is_vectorised() -> None:
    x = numpy.array([3.0, 50.0, 0.5])

    def halved(x: Any) -> Any:
        return while_loop(lambda s: s[0] > 1, lambda s: (s[0] / 2, s[1] + 1), (x, 0))

    def steps(x: Any) -> Any:
        return halved(x)[1]

    for function in both(vmap(steps)):
        assert function(x).tolist() == [2, 6, 0]
    for function in both(vmap(vmap(steps))):
        assert function(numpy.stack([x, x * 4])).tolist() == [[2, 6, 0], [4, 8, 1]]
    for function in both(lambda x: jvp(vmap(lambda x: halved(x)[0]), (x,), (x,))[1]):
        close(function(x), x / 2 ** numpy.array([2, 6, 0]))
    for function in both(vmap(lambda x: cond(x > 1, lambda v: -v, lambda v: v, x))):
        assert function(x).tolist() == [-3, -50, 0.5]
    for function in both(vmap(lambda row: scan(lambda c, v: (c + v, c), 0.0, row)[0])):
        close(function(X.astype("f4")), X.astype("f4").sum(1))


def test_elements_that_need_no_others_go_round_in_one_kernel() -> None:
    def collatz(n: Any) -> Any:
        """The loop would not end for the zeros that pad a vector."""

        def step(s: Any) -> Any:
            n, count = s
            return np.where(n % 2 == 0, n // 2, 3 * n + 1), count + 1

        return while_loop(lambda s: s[0] != 1, step, (n, np.asarray(0, "i32")))[1]

    program = compile(vmap(collatz), "i32[N]")
    assert program.ir("nests").count("loop.launch") == 1
    assert program(numpy.int32([1, 7, 27, 6, 5])).tolist() == [0, 16, 111, 8, 5]
    repeated = compile(lambda x: scan(lambda c, _: (c * c + x, None), x, None, 3)[0] * 2, "f64[N]")
    assert repeated.ir("nests").count("loop.launch") == 1
    x = numpy.array([0.5, -0.25])
    y = x
    for _ in range(3):
        y = y * y + x
    close(repeated(x), y * 2)


def test_lanes_that_need_others_stay_where_their_condition_fails() -> None:
    def spread(x: Any) -> Any:
        return while_loop(lambda x: np.max(x) < 8, lambda x: x + x[::-1] * 2, x)

    x = numpy.float64([[1, 2], [9, 1], [1, 1]])
    for function in both(vmap(spread)):
        assert function(x).tolist() == [[13, 14], [9, 1], [9, 9]]
