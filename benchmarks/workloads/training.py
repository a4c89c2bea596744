"""Steps of training: a perceptron, a small network of convolutions, a transformer's block."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import prod
from typing import Any

from benchmarks.workloads.networks import PERCEPTRON, perceptron, perceptron_weights
from benchmarks.workloads.transformers import attend, block_weights, fed, normed
from benchmarks.workloads.workload import Draw, Training, Workload, integers, normal

HEADS, WIDTH = 12, 768
OPTIMIZERS = {"sgd": "SGD", "adam": "Adam"}


def workloads() -> Iterator[Workload]:
    yield layered(PERCEPTRON, 128, Training("sgd", 0.01))
    yield layered(PERCEPTRON, 128, Training("adam", 0.001))
    yield convolved(64, 32)
    yield block(8, 128, WIDTH, HEADS, 1.0)


def layered(sizes: tuple[int, ...], batch: int, training: Training) -> Workload:
    """Each layer's product and two of its gradients; that by the images is not asked for."""
    first, *others = map(prod, pairwise(sizes))
    return Workload(
        f"training a perceptron, {OPTIMIZERS[training.optimizer]}",
        "training",
        lambda words, w, x, labels: words.cross_entropy(perceptron(words, w, x), labels),
        [normal(batch, sizes[0]), integers(sizes[-1], batch)],
        perceptron_weights(sizes),
        2 * batch * (2 * first + 3 * sum(others)),
        error=1e-3,
        training=training,
    )


def convolved(batch: int, side: int) -> Workload:
    return Workload(
        "training a convnet, SGD",
        "training",
        convnet,
        [normal(batch, side, side, 3), integers(10, batch)],
        convnet_weights(side),
        error=1e-3,
        training=Training("sgd", 0.001),
    )


def convnet(words: Any, w: Any, images: Any, labels: Any) -> Any:
    """Two convolutions with pooling, and a linear layer."""
    x = images
    for layer in range(2):
        x = words.relu(words.conv2d(x, w[f"{layer}.weight"], w[f"{layer}.bias"], 1, 1))
        x = words.max_pool(x, 2, 2, 0)
    batch, height, width, channels = x.shape
    x = words.reshape(x, (batch, height * width * channels))
    return words.cross_entropy(x @ w["head.weight"] + w["head.bias"], labels)


def convnet_weights(side: int) -> Mapping[str, Draw]:
    found: dict[str, Draw] = {}
    for layer, (inputs, outputs) in enumerate(((3, 32), (32, 64))):
        found[f"{layer}.weight"] = normal(3, 3, inputs, outputs, deviation=(2 / 9 / inputs) ** 0.5)
        found[f"{layer}.bias"] = normal(outputs, deviation=0.1)
    flat = (side // 4) ** 2 * 64
    found["head.weight"] = normal(flat, 10, deviation=flat**-0.5)
    found["head.bias"] = normal(10, deviation=0.1)
    return found


def block(batch: int, length: int, width: int, heads: int, rate: float) -> Workload:
    """A block that learns to give back zeros."""

    def loss(words: Any, w: Any, x: Any) -> Any:
        attended, *_ = attend(words, w, "block", normed(words, w, "block.1", x), heads, causal=True)
        x = x + attended
        x = x + fed(words, w, "block", normed(words, w, "block.2", x))
        return words.mean(x * x, (0, 1, 2))

    return Workload(
        "training a transformer's block, SGD",
        "training",
        loss,
        [normal(batch, length, width)],
        block_weights("block", width),
        3 * (24 * width * width + 4 * length * width) * batch * length,
        error=1e-3,
        training=Training("sgd", rate),
    )
