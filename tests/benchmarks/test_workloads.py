"""Every workload at a tiny size: Stepwell and NumPy agree with f64."""

import dataclasses

import numpy as np
import pytest
from benchmarks.peers.numpy import WORDS, NumPy
from benchmarks.peers.stepwell import Stepwell
from benchmarks.worker import answered, difference, exactly
from benchmarks.workloads import (
    fast,
    loops,
    networks,
    products,
    rows,
    training,
    transformers,
    workloads,
)
from benchmarks.workloads.workload import Training, Workload, normal

SMALL = transformers.Size(width=24, heads=2, layers=2, vocabulary=50, positions=16)
TINY = (
    products.product(3, 4, 5),
    products.linear(3, 4, 5),
    products.byte_product("u1", 3, 8, 5),
    products.byte_linear("i1", 3, 8, 64),
    networks.convolution(networks.Convolution(8, 3, 4, 3, 2)),
    networks.convolution(networks.Convolution(8, 4, 5, 1)),
    networks.layered(2, (6, 5, 4)),
    networks.lstm(2, 3, 4),
    training.layered((6, 5, 4), 3, Training("sgd", 0.1)),
    training.layered((6, 5, 4), 3, Training("adam", 0.1)),
    training.convolved(2, 8),
    training.block(2, 3, 8, 2, 0.01),
    loops.jacobi(6),
    loops.bodies(5),
    loops.mandelbrot(8),
    loops.options(7),
    fast.relaxed(networks.convolution(networks.Convolution(8, 8, 8, 3))),
    fast.relaxed(loops.bodies(5)),
    transformers.bert(SMALL, 2, 5),
    transformers.gpt2(SMALL, 5),
    transformers.gpt2_decode(SMALL, 4),
    *(
        dataclasses.replace(each, inputs=[normal(5, 768) for _ in each.inputs])
        for each in rows.workloads()
        if not each.name.startswith("gelu")
    ),
)


@pytest.mark.parametrize("workload", TINY, ids=lambda each: each.name)
def test_stepwell_agrees(workload: Workload) -> None:
    weights, inputs = workload.drawn()
    peer = Stepwell()
    call = peer.prepare(workload, weights, inputs)
    exact = exactly(Stepwell() if workload.training else NumPy(), workload, weights, inputs)
    assert difference(workload, answered(peer, workload, call, call()), exact) <= workload.error
    assert peer.notes()["kernels"] > 0


@pytest.mark.parametrize(
    "workload", [each for each in TINY if not each.training], ids=lambda each: each.name
)
def test_numpy_agrees(workload: Workload) -> None:
    weights, inputs = workload.drawn()
    peer = NumPy()
    call = peer.prepare(workload, weights, inputs)
    exact = exactly(peer, workload, weights, inputs)
    assert difference(workload, answered(peer, workload, call, call()), exact) <= workload.error


@pytest.mark.parametrize(
    "workload", [each for each in TINY if each.training], ids=lambda each: each.name
)
def test_a_step_of_training_lessens_the_loss_that_numpy_computes(workload: Workload) -> None:
    weights, inputs = workload.drawn()
    first, *later = exactly(Stepwell(), workload, weights, inputs)
    wide = [each.astype(np.float64) if each.dtype == np.float32 else each for each in inputs]
    expected = workload.program(WORDS, weights, *wide)
    np.testing.assert_allclose(first, expected, rtol=1e-5)
    assert later[-1] < first


def test_a_wrong_answer_is_refused() -> None:
    workload = products.product(2, 2, 2)
    exact = [np.eye(2)]
    with pytest.raises(ArithmeticError, match=r"wrong by 1\.0e-01"):
        difference(workload, [np.eye(2) + 0.1], exact)
    with pytest.raises(ArithmeticError, match="shapes"):
        difference(workload, [np.eye(3)], exact)


def test_resnet_has_the_convolutions_that_are_measured() -> None:
    layers = list(networks.layers(224))
    assert len(layers) == 53
    assert sum(layer.operations for layer in layers) == 2 * 4_087_136_256
    names = {each.name for each in workloads()}
    assert {networks.convolution(layer).name for layer in layers} <= names


def test_a_step_of_a_perceptron_has_two_gradients_for_each_product_but_the_first() -> None:
    step = training.layered((6, 5, 4), 2, Training("sgd", 0.1))
    assert step.operations == 2 * 2 * (2 * 6 * 5 + 3 * 5 * 4)
