"""Folds that share what they compute are one, and give the bits that they give alone."""

from collections.abc import Callable, Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import stepwell as sw
from arrays import expect_same_bits
from drawing import examples
from stepwell import Array
from stepwell import numpy as snp

Terms = Sequence[Callable[[Array, Array], Array]]

TERMS: Terms = (
    lambda x, y: x / snp.sqrt(x * x + y * y),
    lambda x, y: y / snp.sqrt(x * x + y * y),
    lambda x, y: x * y - x,
    lambda x, y: x * 0.0 + y,
    lambda x, y: x * -0.0 + y,
    lambda x, y: snp.exp(x),
    lambda x, y: y,
)
FOLDS: Sequence[Callable[[Array, int], Array]] = (
    lambda x, axis: x.sum(axis),
    lambda x, axis: x.max(axis),
    lambda x, axis: -x.mean(axis),
)


def drawn(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def folds(program: sw.Compiled) -> int:
    return program.ir("nests").count("loop.fold")


@given(
    st.lists(st.sampled_from(TERMS), min_size=2, max_size=6),
    st.sampled_from(FOLDS),
    st.integers(0, 1),
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.booleans(),
)
@examples(20)
def test_together_they_give_the_bits_that_they_give_alone(
    terms: Terms,
    fold: Callable[[Array, int], Array],
    axis: int,
    shape: tuple[int, int],
    pairs: bool,
) -> None:
    arrays = [drawn(shape[0]), drawn(shape[1])] if pairs else [drawn(*shape), drawn(*shape)]
    specs = [sw.spec(f"f32[{','.join(map(str, each.shape))}]") for each in arrays]

    def of(*some: Callable[[Array, Array], Array]) -> Callable[[Array, Array], list[Array]]:
        def program(x: Array, y: Array) -> list[Array]:
            x, y = (x[:, None] + 0 * y, y + 0 * x[:, None]) if pairs else (x, y)
            return [fold(each(x, y), axis) for each in some]

        return program

    together = [np.asarray(each) for each in sw.compile(of(*terms), *specs)(*arrays)]
    alone = [np.asarray(sw.compile(of(each), *specs)(*arrays)[0]) for each in terms]
    expect_same_bits(together, alone)


def test_sums_over_all_pairs_store_nothing_else() -> None:
    def pull(x: Array, y: Array, mass: Array) -> tuple[Array, Array]:
        apart = [each[None, :] - each[:, None] for each in (x, y)]
        square = apart[0] * apart[0] + apart[1] * apart[1] + 0.01
        weight = mass / (square * snp.sqrt(square))
        return (weight * apart[0]).sum(1), (weight * apart[1]).sum(1)

    program = sw.compile(pull, *[sw.spec("f32[N]")] * 3)
    assert folds(program) == 1
    assert program.ir("nests").count("math.sqrt") == 1
    assert "loop.alloc" not in program.ir("nests")
    x, y, mass = drawn(100), drawn(100)[::-1].copy(), abs(drawn(100))
    wide = [(each[None] - each[:, None]).astype(np.float64) for each in (x, y)]
    weight = mass / (wide[0] ** 2 + wide[1] ** 2 + 0.01) ** 1.5
    for actual, apart in zip(program(x, y, mass), wide, strict=True):
        np.testing.assert_allclose(np.asarray(actual), (weight * apart).sum(1), rtol=1e-3)


def test_a_fold_that_needs_another_comes_after_it() -> None:
    def spread(x: Array) -> Array:
        total = x.sum(0)
        return total + ((x + total) * x).sum(0)

    x = drawn(9, 5)
    expected = x.sum(0) + ((x + x.sum(0)) * x).sum(0)
    np.testing.assert_allclose(
        np.asarray(sw.compile(spread, sw.spec("f32[9,5]"))(x)), expected, rtol=1e-4
    )


def test_folds_that_share_nothing_stay_apart() -> None:
    two = sw.compile(lambda x, y: x.sum(1) + y.sum(1), *[sw.spec("f32[4,8]")] * 2)
    assert folds(two) == 2
    assert folds(sw.compile(lambda x: x.sum(1) + (x * x).sum(1), sw.spec("f32[4,8]"))) == 1


def test_zeros_of_either_sign_are_two_numbers() -> None:
    x = np.ones((2, 3), np.float32)
    program = sw.compile(
        lambda x: 1 / ((x * 0.0).max(1)) - 1 / ((x * -0.0).max(1)), sw.spec("f32[2,3]")
    )
    np.testing.assert_array_equal(np.asarray(program(x)), np.full(2, np.inf, np.float32))


def test_sums_for_each_coordinate_share_what_they_need_of_a_pair() -> None:
    """Points as the rows of a matrix: nothing is stored, and each weight is computed once."""

    def pull(p: Array, mass: Array) -> Array:
        apart = p[None, :, :] - p[:, None, :]
        square = (apart * apart).sum(-1) + 0.01
        weight = mass[None, :] / (square * snp.sqrt(square))
        return (weight[:, :, None] * apart).sum(1)

    program = sw.compile(pull, sw.spec("f32[N,3]"), sw.spec("f32[N]"))
    assert program.ir("kernels").count("nd.kernel") == 1
    assert program.ir("nests").count("math.sqrt") == 1
    assert "loop.local" not in program.ir("nests")
    p, mass = drawn(100, 3), abs(drawn(100))
    apart = (p[None] - p[:, None]).astype(np.float64)
    weight = mass / ((apart**2).sum(-1) + 0.01) ** 1.5
    expected = (weight[:, :, None] * apart).sum(1)
    np.testing.assert_allclose(np.asarray(program(p, mass)), expected, rtol=1e-3)
