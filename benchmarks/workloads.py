"""What is run: functions over NumPy's names, which NumPy itself can run too, and their inputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy
from examples.resnet50 import convolved, in_numpy, resnet50
from numpy.typing import NDArray

from stepwell import nn

Arrays = Sequence[NDArray[Any]]


@dataclass(frozen=True)
class Workload:
    """A function of a library with NumPy's names, and of arrays of these shapes in f32.

    `by_numpy` is a function of arrays only, for what NumPy has no name for. `operations`, of
    floating point, are counted where they limit the speed. The greatest error of an answer may be
    `error` of the greatest element of the exact one.
    """

    name: str
    function: Callable[..., Any]
    shapes: Sequence[tuple[int, ...]]
    operations: int = 0
    by_numpy: Callable[..., Any] | None = None
    error: float = 1e-5

    def inputs(self) -> Arrays:
        """Normal numbers, the same for each peer."""
        random = numpy.random.default_rng(0)
        return [random.standard_normal(shape, dtype=numpy.float32) for shape in self.shapes]

    def in_numpy(self, *arrays: NDArray[Any]) -> NDArray[Any]:
        """What NumPy says, in the dtype of the arrays."""
        if self.by_numpy is not None:
            return self.by_numpy(*arrays)
        return self.function(numpy, *arrays)


def softmax(np: Any, x: Any) -> Any:
    powers = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return powers / np.sum(powers, axis=-1, keepdims=True)


def layer_norm(np: Any, x: Any) -> Any:
    apart = x - np.mean(x, axis=-1, keepdims=True)
    return apart / np.sqrt(np.mean(apart * apart, axis=-1, keepdims=True) + 1e-5)


def gelu(np: Any, x: Any) -> Any:
    """In the form with tanh, since NumPy has no erf."""
    return 0.5 * x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


def ten_ops(np: Any, x: Any, y: Any) -> Any:
    """Ten elementwise ops."""
    z = np.exp(-(x * x)) + y
    return np.sqrt(z * z + 1) - np.tanh(x) * y


def product(m: int, k: int, n: int) -> Workload:
    shapes = [(m, k), (k, n)] if n > 1 else [(m, k), (k,)]
    operations = 2 * m * k * n
    return Workload(
        f"matmul {m}x{k}x{n}", lambda np, x, y: np.matmul(x, y), shapes, operations, error=1e-4
    )


def convolution(side: int, inputs: int, outputs: int, size: int, stride: int = 1) -> Workload:
    """A layer of ResNet-50, with padding that keeps the size, a bias and a relu."""
    weight = (size, size, inputs, outputs)

    def by_stepwell(np: Any, x: Any, w: Any, b: Any) -> Any:
        return nn.relu(nn.conv2d(x, w, stride=stride, padding=size // 2) + b)

    def by_numpy(x: Any, w: Any, b: Any) -> Any:
        return numpy.maximum(convolved(x, w, stride, size // 2) + b, 0)

    return Workload(
        f"conv {size}x{size} {inputs}→{outputs} at {side}²" + (f" /{stride}" * (stride > 1)),
        by_stepwell,
        [(1, side, side, inputs), weight, (outputs,)],
        2 * (side // stride) ** 2 * prod(weight),
        by_numpy,
        1e-4,
    )


def dense(np: Any, x: Any, *parameters: Any) -> Any:
    """A perceptron of some layers."""
    *inner, (weight, bias) = zip(parameters[::2], parameters[1::2], strict=True)
    for w, b in inner:
        x = np.maximum(np.matmul(x, w) + b, 0)
    return np.matmul(x, weight) + bias


DENSE = [(784, 512), (512,), (512, 256), (256,), (256, 10), (10,)]


def residual() -> Workload:
    net = resnet50(seed=0)
    shape = (1, 224, 224, 3)
    return Workload(
        "ResNet-50 at 224², batch 1",
        lambda np, x: net(x),
        [shape],
        8_178_000_000,
        lambda x: in_numpy(net, x),
        1e-4,
    )


def workloads() -> Sequence[Workload]:
    """All of them; those that name a network draw its weights."""
    return (
        *(product(n, n, n) for n in (64, 256, 1024, 2048)),
        product(4096, 4096, 1),
        Workload("softmax 4096x1024", softmax, [(4096, 1024)]),
        Workload("layer norm 4096x768", layer_norm, [(4096, 768)]),
        Workload("gelu of 1 M", gelu, [(1 << 20,)]),
        Workload("10 ops of 1 M", ten_ops, [(1 << 20,), (1 << 20,)]),
        Workload("add of 16 M", lambda np, x, y: x + y, [(1 << 24,), (1 << 24,)]),
        Workload("sum of 4096² by columns", lambda np, x: np.sum(x, axis=0), [(4096, 4096)]),
        Workload("sum of 4096² by rows", lambda np, x: np.sum(x, axis=1), [(4096, 4096)]),
        Workload("transpose of 2048², + 1", lambda np, x: np.transpose(x) + 1, [(2048, 2048)]),
        convolution(56, 64, 64, 3),
        convolution(14, 256, 256, 3),
        convolution(56, 256, 64, 1),
        convolution(224, 3, 64, 7, 2),
        Workload("perceptron, batch 32", dense, [(32, 784), *DENSE]),
        residual(),
    )
