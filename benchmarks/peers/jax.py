"""JAX: functions under `jit`, with weights as arguments."""

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, final

import jax
from jax import lax
from jax import numpy as np

from benchmarks.peers.peer import Call, Peer, threads
from benchmarks.workloads.workload import Arrays, Training, Weights, Workload

jax.config.update("jax_platforms", "cpu")
DECAYS = (0.9, 0.999)


@final
class Jax(Peer):
    """Waits for each result. It has as many threads as the process has processors."""

    def __init__(self) -> None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads() :])

    def prepare(self, workload: Workload, weights: Weights, inputs: Arrays) -> Call:
        values = {name: np.asarray(each) for name, each in weights.items()}
        given = [np.asarray(each) for each in inputs]
        if workload.training:
            return _training(workload.training, workload.program, values, given)

        def main(values: Any, *given: Any) -> Any:
            return workload.program(WORDS, values, *given)

        compiled = jax.jit(main).lower(values, *given).compile()
        return lambda: jax.block_until_ready(compiled(values, *given))


def _training(options: Training, loss: Any, values: Any, given: Any) -> Call:
    """Steps that give the weights' memory to the next weights."""

    def step(values: Any, state: Any, *given: Any) -> Any:
        found, slopes = jax.value_and_grad(lambda w: loss(WORDS, w, *given))(values)
        if options.optimizer == "sgd":
            return found, jax.tree.map(lambda w, g: w - options.rate * g, values, slopes), state
        return found, *_adam(options.rate, slopes, values, state)

    zeros = {name: np.zeros_like(each) for name, each in values.items()}
    adam = options.optimizer == "adam"
    carried = [values, (np.asarray(0), zeros, jax.tree.map(np.copy, zeros)) if adam else ()]
    compiled = jax.jit(step, donate_argnums=(0, 1)).lower(*carried, *given).compile()

    def call() -> object:
        found, *carried[:] = compiled(*carried, *given)
        return jax.block_until_ready((found, carried))[0]

    return call


def _adam(rate: float, slopes: Any, values: Any, state: Any) -> tuple[Any, Any]:
    """Adam (Kingma and Ba, 2015), as Optax has it."""
    count, mean, square = state
    count = count + 1
    first, second = DECAYS
    mean = jax.tree.map(lambda m, g: first * m + (1 - first) * g, mean, slopes)
    square = jax.tree.map(lambda s, g: second * s + (1 - second) * g * g, square, slopes)
    scales = 1 - first**count, 1 - second**count
    values = jax.tree.map(
        lambda w, m, s: w - rate * (m / scales[0]) / (np.sqrt(s / scales[1]) + 1e-8),
        values,
        mean,
        square,
    )
    return values, (count, mean, square)


def byte_product(x: Any, y: Any) -> Any:
    return np.matmul(x, y, preferred_element_type=np.int32)


def gelu(x: Any) -> Any:
    return jax.nn.gelu(x, approximate=False)


def logsumexp(x: Any) -> Any:
    return jax.nn.logsumexp(x, -1)


def layer_norm(x: Any, scale: Any, shift: Any) -> Any:
    mean, variance = np.mean(x, -1, keepdims=True), np.var(x, -1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5) * scale + shift


def take(table: Any, indices: Any) -> Any:
    return np.take(table, indices, axis=0, mode="clip")


def part(x: Any, begin: int, end: int) -> Any:
    return x[begin:end]


def row(x: Any, index: int) -> Any:
    return x[index]


def split(x: Any, count: int) -> Any:
    return np.split(x, count, -1)


def pad(x: Any) -> Any:
    return np.pad(x, 1)


def attention(query: Any, key: Any, value: Any, causal: bool) -> Any:
    scores = query @ key.mT * query.shape[-1] ** -0.5
    if causal:
        length = query.shape[-2]
        scores = np.where(np.tri(length, dtype=bool), scores, -np.inf)
    return jax.nn.softmax(scores) @ value


def conv2d(x: Any, weight: Any, bias: Any, stride: int, padding: int) -> Any:
    layout = ("NHWC", "HWIO", "NHWC")
    around = [(padding, padding)] * 2
    products = lax.conv_general_dilated(
        x, weight, (stride, stride), around, dimension_numbers=layout
    )
    return products + bias


def max_pool(x: Any, size: int, stride: int, padding: int) -> Any:
    window, steps = (1, size, size, 1), (1, stride, stride, 1)
    around = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    return lax.reduce_window(x, -np.inf, lax.max, window, steps, around)


def cross_entropy(logits: Any, labels: Any) -> Any:
    chosen = np.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], -1)
    return -np.mean(chosen)


def lstm(x: Any, weights: Any, layers: int) -> Any:
    x = np.swapaxes(x, 0, 1)
    for layer in range(layers):
        x = _lstm(x, *(weights[f"{layer}.{part}"] for part in ("input", "hidden", "bias")))
    return np.swapaxes(x, 0, 1)


def _lstm(x: Any, input: Any, hidden: Any, bias: Any) -> Any:
    start = np.zeros((x.shape[1], hidden.shape[1]), x.dtype)

    def step(carried: Any, prepared: Any) -> Any:
        output, cell = carried
        enter, forget, new, leave = np.split(prepared + output @ hidden.T, 4, -1)
        cell = jax.nn.sigmoid(forget) * cell + jax.nn.sigmoid(enter) * np.tanh(new)
        output = jax.nn.sigmoid(leave) * np.tanh(cell)
        return (output, cell), output

    return lax.scan(step, (start, start), x @ input.T + bias)[1]


def repeat(times: int, step: Callable[[Any], Any], x: Any) -> Any:
    return lax.fori_loop(0, times, lambda _, x: step(x), x)


def mandelbrot(real: Any, imaginary: Any, steps: int) -> Any:
    """All points take all steps: where one has left, its numbers become infinite or NaN."""
    x, y = np.meshgrid(real, imaginary)

    def step(_: Any, carried: Any) -> Any:
        a, b, count = carried
        a, b = a * a - b * b + x, 2 * a * b + y
        return a, b, count + (a * a + b * b <= 4)

    return lax.fori_loop(0, steps, step, (x, y, np.zeros(x.shape, np.int32)))[2]


WORDS = SimpleNamespace(
    exp=np.exp,
    log=np.log,
    sqrt=np.sqrt,
    tanh=np.tanh,
    erf=lax.erf,
    sum=np.sum,
    byte_product=byte_product,
    mean=np.mean,
    transpose=np.transpose,
    reshape=np.reshape,
    concat=np.concatenate,
    relu=jax.nn.relu,
    gelu=gelu,
    softmax=jax.nn.softmax,
    cross_entropy=cross_entropy,
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
    lstm=lstm,
    repeat=repeat,
    mandelbrot=mandelbrot,
)
"""What programs are written in."""
