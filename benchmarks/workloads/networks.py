"""Networks without attention: a perceptron, ResNet-50 and its convolutions, an LSTM."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

from benchmarks.workloads.workload import Draw, Workload, normal

PERCEPTRON = (784, 512, 512, 10)
STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""ResNet-50: the inner width of a stage's blocks, how many, and the stride of the first one."""
HIDDEN, LAYERS, STEPS, SEQUENCES = 256, 2, 64, 16


def workloads() -> Iterator[Workload]:
    for layer in dict.fromkeys(layers(224)):
        yield convolution(layer)
    for batch in (1, 32, 1024):
        yield layered(batch, PERCEPTRON)
    for batch in (1, 8):
        yield residual(batch, 224)
    yield lstm(SEQUENCES, STEPS, HIDDEN)


# The perceptron.


def layered(batch: int, sizes: tuple[int, ...]) -> Workload:
    return Workload(
        f"perceptron, batch {batch}",
        "networks",
        perceptron,
        [normal(batch, sizes[0])],
        perceptron_weights(sizes),
        2 * batch * sum(map(prod, pairwise(sizes))),
        error=1e-4,
    )


def perceptron(words: Any, weights: Any, x: Any) -> Any:
    """As many layers as there are weights, with a relu between them."""
    count = len(weights) // 2
    for layer in range(count):
        x = x @ weights[f"{layer}.weight"] + weights[f"{layer}.bias"]
        x = words.relu(x) if layer < count - 1 else x
    return x


def perceptron_weights(sizes: tuple[int, ...]) -> Mapping[str, Draw]:
    found: dict[str, Draw] = {}
    for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
        found[f"{layer}.weight"] = normal(inputs, outputs, deviation=(2 / inputs) ** 0.5)
        found[f"{layer}.bias"] = normal(outputs, deviation=0.1)
    return found


# ResNet-50.


@dataclass(frozen=True)
class Convolution:
    """One that keeps the size of its image but for the stride."""

    side: int
    inputs: int
    outputs: int
    size: int
    stride: int = 1

    @property
    def weight(self) -> tuple[int, ...]:
        return (self.size, self.size, self.inputs, self.outputs)

    @property
    def operations(self) -> int:
        """For one image; those on the padding count, as everywhere."""
        return 2 * (self.side // self.stride) ** 2 * prod(self.weight)


def layers(side: int) -> Iterator[Convolution]:
    """The convolutions of ResNet-50, in the order of their weights: of a block its three, and
    then its shortcut."""
    yield Convolution(side, 3, 64, 7, 2)
    side, width = side // 4, 64
    for inner, count, first_stride in STAGES:
        for number in range(count):
            stride, wide = 1 if number else first_stride, 4 * inner
            yield Convolution(side, width, inner, 1)
            yield Convolution(side, inner, inner, 3, stride)
            yield Convolution(side // stride, inner, wide, 1)
            if not number:
                yield Convolution(side, width, wide, 1, stride)
            side, width = side // stride, wide


def convolution(layer: Convolution) -> Workload:
    """With a bias and a relu."""
    stride = f" /{layer.stride}" if layer.stride > 1 else ""
    size, ends = f"{layer.size}x{layer.size}", f"{layer.inputs}→{layer.outputs}"
    return Workload(
        f"conv {size} {ends} at {layer.side}²{stride}",
        "convolutions",
        lambda words, w, x: words.relu(
            words.conv2d(x, w["weight"], w["bias"], layer.stride, layer.size // 2)
        ),
        [normal(1, layer.side, layer.side, layer.inputs)],
        {"weight": normal(*layer.weight), "bias": normal(layer.outputs)},
        layer.operations,
        error=1e-4,
    )


def residual(batch: int, side: int) -> Workload:
    """ResNet-50 (He, Zhang, Ren and Sun, 2015) with batch normalisation folded into the weights."""
    found: dict[str, Draw] = {}
    for number, layer in enumerate(layers(side)):
        spread = (2 / prod(layer.weight[:3])) ** 0.5
        found[f"{number}.weight"] = normal(*layer.weight, deviation=spread)
        found[f"{number}.bias"] = normal(layer.outputs, deviation=0.1)
    found["head.weight"] = normal(2048, 1000, deviation=2048**-0.5)
    found["head.bias"] = normal(1000, deviation=0.1)
    operations = sum(layer.operations for layer in layers(side)) + 2 * 2048 * 1000
    return Workload(
        f"ResNet-50 at {side}², batch {batch}",
        "networks",
        resnet50,
        [normal(batch, side, side, 3)],
        found,
        batch * operations,
        error=1e-4,
    )


def resnet50(words: Any, weights: Any, images: Any) -> Any:
    """Images [N, height, width, 3] to logits [N, 1000]."""
    numbered = enumerate(layers(224))

    def convolved(x: Any) -> Any:
        number, layer = next(numbered)
        weight, bias = weights[f"{number}.weight"], weights[f"{number}.bias"]
        return words.conv2d(x, weight, bias, layer.stride, layer.size // 2)

    x = words.max_pool(words.relu(convolved(images)), 3, 2, 1)
    for _, count, _ in STAGES:
        for number in range(count):
            y = words.relu(convolved(words.relu(convolved(x))))
            y = convolved(y)
            x = words.relu(y + (x if number else convolved(x)))
    return words.mean(x, (1, 2)) @ weights["head.weight"] + weights["head.bias"]


# The LSTM.


def lstm(sequences: int, steps: int, hidden: int) -> Workload:
    """Weights [4 hidden, inputs] of the gates input, forget, cell, output (Hochreiter and
    Schmidhuber, 1997, with the forget gates of Gers et al., 2000)."""
    found: dict[str, Draw] = {}
    spread = hidden**-0.5
    for layer in range(LAYERS):
        found[f"{layer}.input"] = normal(4 * hidden, hidden, deviation=spread)
        found[f"{layer}.hidden"] = normal(4 * hidden, hidden, deviation=spread)
        found[f"{layer}.bias"] = normal(4 * hidden, deviation=0.1)
    return Workload(
        f"LSTM {LAYERS}x{hidden}, {sequences} of {steps}",
        "networks",
        lambda words, w, x: words.lstm(x, w, LAYERS),
        [normal(sequences, steps, hidden)],
        found,
        LAYERS * steps * sequences * 2 * 8 * hidden * hidden,
        error=1e-4,
        loops=True,
    )
