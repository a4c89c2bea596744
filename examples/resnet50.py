"""ResNet-50 (He, Zhang, Ren and Sun, 2015) with random weights, compiled and checked against NumPy.

    python examples/resnet50.py [side of the image in pixels]

Batch normalisation is a scale and a shift at inference, which are folded into the weights and
biases of the convolutions. The stride of a block is that of its 3x3 convolution, as is usual today.
"""

import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

import stepwell as sw
from stepwell import Array, nn

STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""The inner width of a stage's blocks, how many there are, and the stride of the first."""
EXPANSION = 4
CLASSES = 1000


@dataclass(frozen=True)
class Block:
    """Three convolutions beside a shortcut, which is a convolution where the shape changes."""

    reduce: nn.Conv2d
    inner: nn.Conv2d
    expand: nn.Conv2d
    shortcut: nn.Conv2d | None

    def __call__(self, x: Array) -> Array:
        y = nn.relu(self.inner(nn.relu(self.reduce(x))))
        return nn.relu(self.expand(y) + (self.shortcut(x) if self.shortcut else x))


@dataclass(frozen=True)
class ResNet:
    """Images [N, height, width, 3] to logits [N, 1000]."""

    stem: nn.Conv2d
    blocks: list[Block]
    head: nn.Linear

    def __call__(self, images: Array) -> Array:
        x = nn.max_pool(nn.relu(self.stem(images)), 3, stride=2, padding=1)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((1, 2)))


def resnet50(seed: int) -> ResNet:
    """Random weights, of the variances that keep the size of what goes through."""
    random = np.random.default_rng(seed)

    def convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
        return nn.Conv2d.init(inputs, outputs, size, random, stride=stride, padding=size // 2)

    stem = convolution(3, 64, 7, 2)
    blocks: list[Block] = []
    width = 64
    for inner, count, first_stride in STAGES:
        for number in range(count):
            stride = 1 if number else first_stride
            wide = EXPANSION * inner
            blocks.append(
                Block(
                    convolution(width, inner, 1),
                    convolution(inner, inner, 3, stride),
                    convolution(inner, wide, 1),
                    None if number else convolution(width, wide, 1, stride),
                )
            )
            width = wide
    return ResNet(stem, blocks, nn.Linear.init(width, CLASSES, random))


# The same network in NumPy, in the dtype of the images.

Values = NDArray[Any]


def in_numpy(net: ResNet, images: Values) -> Values:
    """What the network gives, computed by NumPy alone."""
    x = pooled(np.maximum(_layer(net.stem, images), 0))
    for block in net.blocks:
        y = np.maximum(_layer(block.reduce, x), 0)
        y = _layer(block.expand, np.maximum(_layer(block.inner, y), 0))
        x = np.maximum(y + (_layer(block.shortcut, x) if block.shortcut else x), 0)
    return x.mean((1, 2)) @ _values(net.head.weight, x) + _values(net.head.bias, x)


def _layer(layer: Any, x: Values) -> Values:
    weight, bias = _values(layer.weight, x), _values(layer.bias, x)
    return convolved(x, weight, layer.stride, layer.padding) + bias


def _values(parameter: Any, like: Values) -> Values:
    return np.asarray(parameter).astype(like.dtype, copy=False)


def convolved(x: Values, weight: Values, stride: int, padding: int) -> Values:
    """A matrix product with the windows."""
    windows = _windows(x, weight.shape[0], stride, padding, 0)
    terms = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, weight[..., 0].size)
    products = terms @ weight.reshape(-1, weight.shape[-1])
    return products.reshape(*windows.shape[:3], -1)


def pooled(x: Values) -> Values:
    return _windows(x, 3, 2, 1, -np.inf).max((4, 5))


def _windows(x: Values, size: int, stride: int, padding: int, value: float) -> Values:
    """[N, H, W, C, size, size]."""
    around = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    padded = np.pad(x, around, constant_values=value)
    return sliding_window_view(padded, (size, size), axis=(1, 2))[:, ::stride, ::stride]


def main(side: int = 64) -> None:
    net = resnet50(seed=0)
    images = np.random.default_rng(1).random((1, side, side, 3), dtype=np.float32)
    began = time.perf_counter()
    program = sw.compile(net, sw.spec(f"f32[1,{side},{side},3]"))
    print(f"compiled in {time.perf_counter() - began:.2f} s")
    result, expected = np.asarray(program(images)), in_numpy(net, images.astype(np.float64))
    error = np.abs(result - expected).max() / np.abs(expected).max()
    print(f"class {result.argmax()}; greatest error, relative to the greatest logit: {error:.1e}")
    assert error < 1e-4


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
