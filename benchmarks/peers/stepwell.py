"""Stepwell: the compiled function, called from Python; each result is a new array."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, final

from numpy.typing import NDArray

import stepwell as sw
from benchmarks.peers.peer import Call, Peer
from benchmarks.workloads.workload import Arrays, Training, Weights, Workload
from stepwell import nn, optim
from stepwell import numpy as np


@final
class Stepwell(Peer):
    """Weights are constants of the program, and state of one that trains."""

    def __init__(self) -> None:
        self.program: sw.Compiled | None = None

    def prepare(self, workload: Workload, weights: Weights, inputs: Arrays) -> Call:
        arrays = {name: np.asarray(each) for name, each in weights.items()}
        program = compiled(workload, arrays, inputs)
        self.program = program
        return lambda: program(*inputs)

    def notes(self) -> Mapping[str, float]:
        """The kernels of the program."""
        if self.program is None:
            return {}
        return {"kernels": self.program.ir("loop").count("loop.kernel @")}


def compiled(workload: Workload, weights: Any, inputs: Arrays) -> sw.Compiled:
    """The workload's program, for its shapes."""
    specs = [_spec(each) for each in inputs]
    if workload.training is None:
        return sw.compile(
            lambda *given: workload.program(WORDS, weights, *given),
            *specs,
            numerics=workload.numerics,
        )
    optimizer = _optimizer(workload.training)

    def step(params: Any, state: Any, *given: Any) -> Any:
        loss, slopes = sw.value_and_grad(lambda w: workload.program(WORDS, w, *given))(params)
        return loss, *optimizer.update(slopes, state, params)

    params = sw.state("params", weights)
    state = sw.state("state", optimizer.init(weights))
    return sw.compile(step, params, state, *specs, numerics=workload.numerics)


def _spec(array: NDArray[Any]) -> sw.Spec:
    dtype = {"f": "f32", "d": "f64", "l": "i64", "b": "i8", "B": "u8"}[array.dtype.char]
    return sw.spec(f"{dtype}[{','.join(map(str, array.shape))}]")


def _optimizer(training: Training) -> Any:
    made = optim.SGD if training.optimizer == "sgd" else optim.Adam
    return made(training.rate)


def byte_product(x: Any, y: Any) -> Any:
    return np.matmul(x, y, dtype="int32")


def logsumexp(x: Any) -> Any:
    return np.logsumexp(x, -1)


def layer_norm(x: Any, scale: Any, shift: Any) -> Any:
    return nn.layer_norm(x) * scale + shift


def take(table: Any, indices: Any) -> Any:
    return table[indices]


def part(x: Any, begin: int, end: int) -> Any:
    return x[begin:end]


def row(x: Any, index: int) -> Any:
    return x[index]


def split(x: Any, count: int) -> Any:
    return np.split(x, count, -1)


def pad(x: Any) -> Any:
    return np.pad(x, 1)


def attention(query: Any, key: Any, value: Any, causal: bool) -> Any:
    return nn.attention(query, key, value, causal=causal)


def conv2d(x: Any, weight: Any, bias: Any, stride: int, padding: int) -> Any:
    return nn.conv2d(x, weight, stride=stride, padding=padding) + bias


def max_pool(x: Any, size: int, stride: int, padding: int) -> Any:
    return nn.max_pool(x, size, stride=stride, padding=padding)


def lstm(x: Any, weights: Any, layers: int) -> Any:
    """Scans over the steps, of which each has the outputs of the layer before."""
    x = np.swapaxes(x, 0, 1)
    for layer in range(layers):
        x = _lstm(x, *(weights[f"{layer}.{part}"] for part in ("input", "hidden", "bias")))
    return np.swapaxes(x, 0, 1)


def _lstm(x: Any, input: Any, hidden: Any, bias: Any) -> Any:
    """x[steps, sequences, inputs] to the outputs of one layer."""
    start = np.zeros((x.shape[1], hidden.shape[1]), x.dtype)

    def step(carried: Any, prepared: Any) -> Any:
        output, cell = carried
        enter, forget, new, leave = np.split(prepared + output @ hidden.T, 4, -1)
        cell = nn.sigmoid(forget) * cell + nn.sigmoid(enter) * np.tanh(new)
        output = nn.sigmoid(leave) * np.tanh(cell)
        return (output, cell), output

    return sw.scan(step, (start, start), x @ input.T + bias)[1]


def repeat(times: int, step: Callable[[Any], Any], x: Any) -> Any:
    return sw.scan(lambda x, _: (step(x), None), x, length=times)[0]


def mandelbrot(real: Any, imaginary: Any, steps: int) -> Any:
    """A loop for each point."""

    def point(x: Any, y: Any) -> Any:
        def inside(carried: Any) -> Any:
            count, a, b = carried
            return np.logical_and(count < steps, a * a + b * b <= 4)

        def step(carried: Any) -> Any:
            count, a, b = carried
            return count + 1, a * a - b * b + x, 2 * a * b + y

        start = step((np.asarray(-1, "i32"), x, y))
        return sw.while_loop(inside, step, start)[0]

    rows = sw.vmap(sw.vmap(point, in_axes=(0, None)), in_axes=(None, 0))
    return rows(real, imaginary)


WORDS = SimpleNamespace(
    exp=np.exp,
    log=np.log,
    sqrt=np.sqrt,
    tanh=np.tanh,
    erf=np.erf,
    sum=np.sum,
    byte_product=byte_product,
    mean=np.mean,
    transpose=np.transpose,
    reshape=np.reshape,
    concat=np.concat,
    relu=nn.relu,
    gelu=nn.gelu,
    softmax=nn.softmax,
    cross_entropy=nn.cross_entropy,
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
