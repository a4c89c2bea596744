"""NumPy, which is run in f64, too, to know the exact answers."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import special

from benchmarks.peers.peer import Call, Peer, UnsupportedError
from benchmarks.workloads.workload import Arrays, Weights, Workload

Values = NDArray[Any]


@final
class NumPy(Peer):
    """NumPy as its wheel ships it, with OpenBLAS."""

    def prepare(self, workload: Workload, weights: Weights, inputs: Arrays) -> Call:
        if workload.training:
            raise UnsupportedError("no derivatives")
        return lambda: workload.program(WORDS, weights, *inputs)


def byte_product(x: Values, y: Values) -> Values:
    return np.matmul(x, y, dtype=np.int32)


def relu(x: Values) -> Values:
    return np.maximum(x, 0)


def gelu(x: Values) -> Values:
    return 0.5 * x * (1 + special.erf(x * 0.5**0.5))


def softmax(x: Values) -> Values:
    powers = np.exp(x - np.max(x, -1, keepdims=True))
    return powers / np.sum(powers, -1, keepdims=True)


def logsumexp(x: Values) -> Values:
    greatest = np.max(x, -1, keepdims=True)
    return np.log(np.sum(np.exp(x - greatest), -1)) + greatest[..., 0]


def layer_norm(x: Values, scale: Values, shift: Values) -> Values:
    apart = x - np.mean(x, -1, keepdims=True)
    spread = np.sqrt(np.mean(apart * apart, -1, keepdims=True) + 1e-5)
    return apart / spread * scale + shift


def take(table: Values, indices: Values) -> Values:
    return table[indices]


def part(x: Values, begin: int, end: int) -> Values:
    return x[begin:end]


def row(x: Values, index: int) -> Values:
    return x[index]


def split(x: Values, count: int) -> list[Values]:
    return np.split(x, count, -1)


def pad(x: Values) -> Values:
    return np.pad(x, 1)


def attention(query: Values, key: Values, value: Values, causal: bool) -> Values:
    scores = query @ key.swapaxes(-1, -2) * query.shape[-1] ** -0.5
    if causal:
        length = query.shape[-2]
        scores = np.where(np.tri(length, dtype=bool), scores, -np.inf)
    return softmax(scores) @ value


def conv2d(x: Values, weight: Values, bias: Values, stride: int, padding: int) -> Values:
    """A matrix product with the windows."""
    windows = _windows(x, weight.shape[0], stride, padding, 0)
    terms = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, weight[..., 0].size)
    products = terms @ weight.reshape(-1, weight.shape[-1])
    return products.reshape(*windows.shape[:3], -1) + bias


def max_pool(x: Values, size: int, stride: int, padding: int) -> Values:
    return _windows(x, size, stride, padding, -np.inf).max((4, 5))


def cross_entropy(logits: Values, labels: Values) -> Values:
    chosen = np.take_along_axis(logits, labels[:, None], -1)[:, 0]
    return np.mean(logsumexp(logits) - chosen)


def lstm(x: Values, weights: Weights, layers: int) -> Values:
    for layer in range(layers):
        x = _lstm(x, *(weights[f"{layer}.{part}"] for part in ("input", "hidden", "bias")))
    return x


def repeat(times: int, step: Callable[[Values], Values], x: Values) -> Values:
    for _ in range(times):
        x = step(x)
    return x


def mandelbrot(real: Values, imaginary: Values, steps: int) -> Values:
    """The points that are within 2 get fewer."""
    counts = np.zeros((len(imaginary), len(real)), np.int32)
    left = np.arange(counts.size)
    c = (real[None, :] + 1j * imaginary[:, None]).ravel()
    z = np.zeros_like(c)
    for _ in range(steps):
        z = z * z + c
        inside = z.real * z.real + z.imag * z.imag <= 4
        left, c, z = left[inside], c[inside], z[inside]
        counts.ravel()[left] += 1
    return counts


def _windows(x: Values, size: int, stride: int, padding: int, value: float) -> Values:
    """[N, H, W, C, size, size]."""
    around = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    padded = np.pad(x, around, constant_values=value) if padding else x
    return sliding_window_view(padded, (size, size), axis=(1, 2))[:, ::stride, ::stride]


def _lstm(x: Values, input: Values, hidden: Values, bias: Values) -> Values:
    """x[sequences, steps, inputs] to the outputs of one layer."""
    prepared = x @ input.T + bias
    output = cell = np.zeros((len(x), hidden.shape[1]), x.dtype)
    outputs: list[Values] = []
    for step in range(x.shape[1]):
        gates = prepared[:, step] + output @ hidden.T
        enter, forget, new, leave = np.split(gates, 4, -1)
        cell = special.expit(forget) * cell + special.expit(enter) * np.tanh(new)
        output = special.expit(leave) * np.tanh(cell)
        outputs.append(output)
    return np.stack(outputs, 1)


WORDS = SimpleNamespace(
    exp=np.exp,
    log=np.log,
    sqrt=np.sqrt,
    tanh=np.tanh,
    erf=special.erf,
    sum=np.sum,
    byte_product=byte_product,
    mean=np.mean,
    transpose=np.transpose,
    reshape=np.reshape,
    concat=np.concat,
    relu=relu,
    gelu=gelu,
    softmax=softmax,
    logsumexp=logsumexp,
    layer_norm=layer_norm,
    take=take,
    part=part,
    row=row,
    split=split,
    pad=pad,
    attention=attention,
    conv2d=conv2d,
    max_pool=max_pool,
    cross_entropy=cross_entropy,
    lstm=lstm,
    repeat=repeat,
    mandelbrot=mandelbrot,
)
"""What programs are written in."""
