"""Optimizers beside their published rules, written plainly in NumPy."""

from dataclasses import dataclass
from typing import Any

import numpy
import pytest

from stepwell import nested, nn, optim
from stepwell.compiling import jit
from stepwell.transforms import value_and_grad

rng = numpy.random.default_rng(5)


@dataclass(frozen=True)
class Params:
    w: Any
    b: Any


PARAMS = Params(rng.normal(size=(3, 2)), {"bias": rng.normal(size=2)})
GRADIENTS = [nested.map(lambda p: rng.normal(size=p.shape), PARAMS) for _ in range(4)]


def run(optimizer: Any, update: Any) -> list[numpy.ndarray]:
    params, state = PARAMS, optimizer.init(PARAMS)
    for gradient in GRADIENTS:
        params, state = update(gradient, state, params)
    return [numpy.asarray(leaf) for leaf in nested.flatten(params)[0]]


def leaves(tree: Any) -> list[numpy.ndarray]:
    return [numpy.asarray(leaf, "f8") for leaf in nested.flatten(tree)[0]]


def sgd(momentum: float) -> list[numpy.ndarray]:
    params, sums = leaves(PARAMS), [numpy.zeros_like(p) for p in leaves(PARAMS)]
    for gradient in GRADIENTS:
        sums = [momentum * v + g for v, g in zip(sums, leaves(gradient), strict=True)]
        params = [p - 0.1 * v for p, v in zip(params, sums, strict=True)]
    return params


def adam(decay: float) -> list[numpy.ndarray]:
    params = leaves(PARAMS)
    means, squares = ([numpy.zeros_like(p) for p in params] for _ in range(2))
    for step, gradient in enumerate(GRADIENTS, 1):
        for place, g in enumerate(leaves(gradient)):
            means[place] = 0.9 * means[place] + 0.1 * g
            squares[place] = 0.999 * squares[place] + 0.001 * g * g
            m, s = means[place] / (1 - 0.9**step), squares[place] / (1 - 0.999**step)
            params[place] = params[place] - 0.01 * (
                m / (numpy.sqrt(s) + 1e-8) + decay * params[place]
            )
    return params


CASES = [
    (optim.SGD(0.1), sgd(0.0)),
    (optim.SGD(0.1, momentum=0.9), sgd(0.9)),
    (optim.Adam(0.01), adam(0.0)),
    (optim.Adam(0.01, weight_decay=0.1), adam(0.1)),
]


@pytest.mark.parametrize(("optimizer", "expected"), CASES, ids=[str(case[0]) for case in CASES])
def test_steps_follow_the_rule(optimizer: Any, expected: list[numpy.ndarray]) -> None:
    for update in (optimizer.update, jit(optimizer.update)):
        for found, wanted in zip(run(optimizer, update), expected, strict=True):
            numpy.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_dtypes_stay() -> None:
    params = {"w": numpy.ones(3, "f2"), "v": numpy.ones(3, "f4")}
    for optimizer in (optim.SGD(0.1, 0.9), optim.Adam()):
        stepped, state = optimizer.update(params, optimizer.init(params), params)
        assert {name: leaf.dtype for name, leaf in stepped.items()} == {"w": "f16", "v": "f32"}
        kept = [leaf.dtype for leaf in nested.flatten(state)[0] if leaf.ndim]
        assert set(kept) == {"f16", "f32"}


@pytest.mark.parametrize("optimizer", [optim.SGD(0.3, momentum=0.9), optim.Adam(0.05)], ids=str)
def test_a_network_learns_exclusive_or(optimizer: Any) -> None:
    x = numpy.array([[0, 0], [0, 1], [1, 0], [1, 1]], "f4")
    y = numpy.array([0, 1, 1, 0])
    random = numpy.random.default_rng(0)
    model = nn.Sequential.of(nn.Linear.init(2, 8, random), nn.silu, nn.Linear.init(8, 2, random))

    @jit
    def step(model: Any, state: Any) -> Any:
        value, gradient = value_and_grad(lambda m: nn.cross_entropy(m(x), y))(model)
        return value, *optimizer.update(gradient, state, model)

    state = optimizer.init(model)
    for _ in range(120):
        value, model, state = step(model, state)
    assert float(value) < 0.05
    assert numpy.asarray(model(x)).argmax(1).tolist() == [0, 1, 1, 0]
