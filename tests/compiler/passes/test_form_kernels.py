"""Forming kernels: what goes together, and what does not."""

from collections.abc import Callable

import numpy as np

import stepwell as sw
from stepwell import Array, nn
from stepwell import numpy as snp


def kernels(function: Callable[..., object], *specs: str) -> int:
    return sw.compile(function, *map(sw.spec, specs)).ir("kernels").count("nd.kernel")


def test_a_product_takes_its_bias_and_activation_with_it() -> None:
    bias = np.ones(5, np.float32)

    def dense(x: Array, w: Array) -> Array:
        return nn.relu(x @ w + bias)

    def bias_first(x: Array, w: Array) -> Array:
        wide = snp.broadcast_to(bias, (3, 5))
        return nn.relu(x @ w + wide)

    assert kernels(dense, "f32[3,4]", "f32[4,5]") == 1
    assert kernels(bias_first, "f32[3,4]", "f32[4,5]") == 1


def test_two_products_are_two_kernels() -> None:
    assert kernels(lambda x, w: x @ w @ w, "f32[3,4]", "f32[4,4]") == 2


def test_a_product_that_moves_afterwards_is_stored() -> None:
    assert kernels(lambda x, w: (x @ w).T + x.T, "f32[4,4]", "f32[4,4]") == 2


def test_long_chains_are_cut() -> None:
    def chain(x: Array) -> Array:
        for number in range(200):
            x = snp.sin(x) + number
        return x

    program = sw.compile(chain, sw.spec("f32[3]"))
    assert 2 < program.ir("kernels").count("nd.kernel") < 10
    expected = np.float64([1, 2, 3])
    for number in range(200):
        expected = np.sin(expected) + number
    np.testing.assert_allclose(np.asarray(program(np.float32([1, 2, 3]))), expected, atol=1e-2)


def test_norms_of_rows_are_one_kernel_that_keeps_a_row_at_a_time() -> None:
    program = sw.compile(nn.layer_norm, sw.spec("f32[64,32]"))
    assert program.ir("kernels").count("nd.kernel") == 1
    assert "plan <rows" in program.ir("loop")


def test_steps_of_a_stencil_do_not_multiply() -> None:
    def steps(x: Array) -> Array:
        for _ in range(6):
            wide = snp.pad(x, 1)
            x = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
        return x

    program = sw.compile(steps, sw.spec("f32[5,7]"))
    assert program.ir("kernels").count("nd.kernel") == 3
    assert program.ir("loop").count("loop.read") < 100
    x = np.arange(35, dtype=np.float32).reshape(5, 7)
    np.testing.assert_array_equal(np.asarray(program(x)), np.asarray(steps(snp.asarray(x))))


def test_a_step_of_an_optimizer_is_one_kernel_behind_the_gradient() -> None:
    def step(x: Array, slopes: Array, w: Array, mean: Array) -> tuple[Array, Array]:
        gradient = x.T @ slopes
        mean = 0.9 * mean + gradient * gradient
        return w - gradient / snp.sqrt(mean), mean

    specs = "f32[6,4]", "f32[6,5]", "f32[4,5]", "f32[4,5]"
    assert kernels(step, *specs) == 2
    x, slopes, w, mean = (
        np.random.default_rng(1).uniform(1, 2, shape).astype("f4")
        for shape in ((6, 4), (6, 5), (4, 5), (4, 5))
    )
    stepped, kept = sw.compile(step, *map(sw.spec, specs))(x, slopes, w, mean)
    gradient = x.T @ slopes
    mean = 0.9 * mean + gradient * gradient
    np.testing.assert_allclose(np.asarray(kept), mean, 1e-5)
    np.testing.assert_allclose(np.asarray(stepped), w - gradient / np.sqrt(mean), 1e-5, 1e-5)


def test_reductions_that_share_what_they_fold_are_one_kernel() -> None:
    def moments(x: Array) -> tuple[Array, Array]:
        return x.sum(0), (x * x).sum(0)

    assert kernels(moments, "f32[5,4]") == 1
    assert kernels(lambda x, y: (x.sum(1), y.sum(1)), "f32[5,4]", "f32[5,4]") == 2
    assert kernels(lambda x: (x.sum(1), x.sum(0)), "f32[4,4]") == 2
    assert kernels(lambda x: (x.sum(1), x.max(1)), "f32[5,4]") == 2
    assert kernels(lambda x: [(x**n).sum(1) for n in range(2, 8)], "f32[5,4]") == 2


def test_a_reduction_that_another_needs_is_computed_before() -> None:
    def spread(x: Array) -> tuple[Array, Array]:
        mean = x.sum(0)
        return mean, ((x - mean) * x).sum(0)

    def in_between(x: Array) -> tuple[Array, Array]:
        first = x.sum(0)
        sw.print("{}", first)
        return first, (x * x).sum(0)

    assert kernels(spread, "f32[5,4]") == 2
    assert kernels(in_between, "f32[5,4]") == 2
