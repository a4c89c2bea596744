"""What derivatives are where they jump, and where a rule would divide by zero."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from xdsl.ir import Block

from derived import evaluated, pullback_of, results_of, tangent_of, types_of
from programs import block_of
from stepwell.compiler.dialects.nd import shape_of
from stepwell.compiler.ops.value import Value
from tensor_types import tensor_of

Rule = Callable[[Value], Value]


def program(text: str, rule: Callable[..., Value]) -> Block:
    return block_of([tensor_of(text)], lambda x: [rule(x)])


def gradient(rule: Rule, x: Sequence[float]) -> list[float]:
    """Of the sum of what the rule gives."""
    block = pullback_of(program(f"f64[{len(x)}]", rule), [True])
    (seed,) = types_of(block)[1:]
    ones = np.ones([size.evaluate({}) for size in shape_of(seed)])
    return evaluated(block, [np.asarray(x, float), ones])[0].tolist()


def hessian(rule: Rule, x: Sequence[float]) -> np.ndarray:
    """Of a rule to one number: reverse mode's derivative, column by column."""
    pullback = pullback_of(program(f"f64[{len(x)}]", rule), [True])
    columns = tangent_of(pullback, [True, False])
    point, one = np.asarray(x, float), np.asarray(1.0)
    return np.stack([evaluated(columns, [point, one, e])[0] for e in np.eye(len(x))])


def prod(x: Value) -> Value:
    return x.apply("reduce_prod", axes=(0,))


@pytest.mark.parametrize(
    ("rule", "x", "expected"),
    [
        (lambda x: x.apply("abs"), [-2, 0, 3], [-1, 0, 1]),
        (lambda x: x.apply("sign"), [-2, 0, 3], [0, 0, 0]),
        (lambda x: x.apply("floor"), [0.5, 1], [0, 0]),
        (lambda x: x.with_("max", x * 2), [1, 0, -1], [2, 1.5, 1]),  # half to each on a tie
        (lambda x: x.with_("min", x * 2), [1, 0, -1], [1, 1.5, 2]),
        (lambda x: x.max([0]), [1, 3, 3, 2], [0, 0.5, 0.5, 0]),
        (lambda x: x**2, [-3, 0, 3], [-6, 0, 6]),
        (lambda x: x**0, [-3, 0, 3], [0, 0, 0]),
        (lambda x: x**1, [-3, 0, 3], [1, 1, 1]),
        (lambda x: x.like(2) ** x, [-1, 0], [np.log(2) / 2, np.log(2)]),
        (lambda x: x.like(0) ** x, [2, 3], [0, 0]),
        (prod, [2, 3, 4], [12, 8, 6]),
        (prod, [2, 0, 4], [0, 8, 0]),
        (prod, [2, 0, 0], [0, 0, 0]),
    ],
)
def test_the_derivative(rule: Rule, x: Sequence[float], expected: Sequence[float]) -> None:
    np.testing.assert_allclose(gradient(rule, x), expected, rtol=1e-15)


@pytest.mark.parametrize("x", [[2, 3, 4], [2, 0, 4], [0, 3, 0], [0, 0, 0], [0, 5, 0, 0], [7]])
def test_products_with_zeros_have_second_derivatives(x: Sequence[float]) -> None:
    """Each is the product of all but two."""
    expected = [
        [
            0 if i == j else np.prod([v for k, v in enumerate(x) if k not in (i, j)])
            for j in range(len(x))
        ]
        for i in range(len(x))
    ]
    np.testing.assert_allclose(hessian(prod, x), expected, atol=1e-12)


def test_powers_of_zero_have_second_derivatives() -> None:
    np.testing.assert_allclose(hessian(lambda x: (x**2).sum([0]), [0, 1]), [[2, 0], [0, 2]])
    np.testing.assert_allclose(hessian(lambda x: (x**1).sum([0]), [0, 1]), np.zeros((2, 2)))


def test_both_sides_of_a_choice_are_differentiated_apart() -> None:
    """What is not chosen does not reach the gradient, unless its own slope is infinite or NaN."""

    def rule(x: Value) -> Value:
        return x.compare("gt", 0).select(x.apply("exp"), x * 3)

    assert gradient(rule, [-1000, 1]) == [3, np.exp(1)]
    assert results_of(program("f64[2]", rule)) == [tensor_of("f64[2]")]
