"""Numba: loops written out, in parallel and with fast arithmetic, for what loops are good at."""

import math
from collections.abc import Callable, Mapping
from typing import Any, final

import numpy as np
from numba import njit, prange

from benchmarks.peers.peer import Call, Peer, UnsupportedError
from benchmarks.workloads.loops import JACOBI_STEPS, MANDELBROT_STEPS, RATE, SOFTENING, VOLATILITY
from benchmarks.workloads.workload import Arrays, Weights, Workload

fast = njit(parallel=True, fastmath=True)
call = njit(fastmath=True)


@final
class Numba(Peer):
    """Runs the workloads whose names begin as the kernels below are called."""

    def prepare(self, workload: Workload, weights: Weights, inputs: Arrays) -> Call:
        for begin, kernel in KERNELS.items():
            if workload.name.startswith(begin):
                given = [*inputs, *weights.values()]
                kernel(*given)
                return lambda: kernel(*given)
        raise UnsupportedError("no loops written for it")


@fast
def softmax(x: Any) -> Any:
    out = np.empty_like(x)
    for row in prange(x.shape[0]):
        greatest = x[row, 0]
        for column in range(x.shape[1]):
            greatest = max(greatest, x[row, column])
        total = np.float32(0)
        for column in range(x.shape[1]):
            out[row, column] = math.exp(x[row, column] - greatest)
            total += out[row, column]
        scale = np.float32(1) / total
        for column in range(x.shape[1]):
            out[row, column] *= scale
    return out


@fast
def layer_norm(x: Any, scale: Any, shift: Any) -> Any:
    out = np.empty_like(x)
    count = np.float32(x.shape[1])
    for row in prange(x.shape[0]):
        mean = np.float32(0)
        for column in range(x.shape[1]):
            mean += x[row, column]
        mean /= count
        square = np.float32(0)
        for column in range(x.shape[1]):
            square += (x[row, column] - mean) ** 2
        factor = np.float32(1) / math.sqrt(square / count + np.float32(1e-5))
        for column in range(x.shape[1]):
            out[row, column] = (x[row, column] - mean) * factor * scale[column] + shift[column]
    return out


@fast
def logsumexp(x: Any) -> Any:
    out = np.empty(x.shape[0], np.float32)
    for row in prange(x.shape[0]):
        greatest = x[row, 0]
        for column in range(x.shape[1]):
            greatest = max(greatest, x[row, column])
        total = np.float32(0)
        for column in range(x.shape[1]):
            total += math.exp(x[row, column] - greatest)
        out[row] = math.log(total) + greatest
    return out


@fast
def columns(x: Any) -> Any:
    """Blocks of columns for each thread, so that rows are read as they lie."""
    out = np.zeros(x.shape[1], np.float32)
    width = 512
    for block in prange(x.shape[1] // width):
        for row in range(x.shape[0]):
            for column in range(block * width, (block + 1) * width):
                out[column] += x[row, column]
    return out


@fast
def rows(x: Any) -> Any:
    out = np.empty(x.shape[0], np.float32)
    for row in prange(x.shape[0]):
        total = np.float32(0)
        for column in range(x.shape[1]):
            total += x[row, column]
        out[row] = total
    return out


@fast
def gelu(x: Any, w: Any, b: Any) -> Any:
    out = np.empty_like(x)
    half, root = np.float32(0.5), np.float32(0.5**0.5)
    for row in prange(x.shape[0]):
        for column in range(x.shape[1]):
            y = x[row, column] * w[column] + b[column]
            out[row, column] = half * y * (np.float32(1) + math.erf(y * root))
    return out


@fast
def ten_ops(x: Any, y: Any) -> Any:
    out = np.empty_like(x)
    one = np.float32(1)
    for n in prange(x.size):
        z = math.exp(-(x[n] * x[n])) + y[n]
        out[n] = math.sqrt(z * z + one) - math.tanh(x[n]) * y[n]
    return out


@fast
def add(x: Any, y: Any) -> Any:
    out = np.empty_like(x)
    for n in prange(x.size):
        out[n] = x[n] + y[n]
    return out


@fast
def jacobi(x: Any) -> Any:
    """In turn from one array to another."""
    before, after = x.copy(), np.zeros_like(x)
    quarter = np.float32(0.25)
    for _ in range(JACOBI_STEPS):
        for row in prange(1, x.shape[0] - 1):
            for column in range(1, x.shape[1] - 1):
                vertical = before[row - 1, column] + before[row + 1, column]
                horizontal = before[row, column - 1] + before[row, column + 1]
                after[row, column] = quarter * (vertical + horizontal)
        before[0], before[-1] = 0, 0
        before[:, 0], before[:, -1] = 0, 0
        before, after = after, before
    return before


@fast
def bodies(x: Any, y: Any, z: Any, mass: Any) -> Any:
    out_x, out_y, out_z = np.empty_like(x), np.empty_like(x), np.empty_like(x)
    for one in prange(x.size):
        a, b, c = np.float32(0), np.float32(0), np.float32(0)
        for other in range(x.size):
            u, v, w = x[other] - x[one], y[other] - y[one], z[other] - z[one]
            square = u * u + v * v + w * w + np.float32(SOFTENING)
            pull = mass[other] / (square * math.sqrt(square))
            a += u * pull
            b += v * pull
            c += w * pull
        out_x[one], out_y[one], out_z[one] = a, b, c
    return out_x, out_y, out_z


@fast
def mandelbrot(real: Any, imaginary: Any) -> Any:
    out = np.empty((imaginary.size, real.size), np.int32)
    for row in prange(imaginary.size):
        for column in range(real.size):
            x, y = real[column], imaginary[row]
            a, b, count = x, y, 0
            for _ in range(MANDELBROT_STEPS):
                a, b = a * a - b * b + x, np.float32(2) * a * b + y
                if a * a + b * b > np.float32(4):
                    break
                count += 1
            out[row, column] = count
    return out


@call
def below(x: Any) -> Any:
    return np.float32(0.5) + np.float32(0.5) * math.erf(x * np.float32(0.5**0.5))


@fast
def options(price: Any, strike: Any, years: Any) -> Any:
    calls, puts = np.empty_like(price), np.empty_like(price)
    drift = np.float32(RATE + VOLATILITY**2 / 2)
    for n in prange(price.size):
        spread = np.float32(VOLATILITY) * math.sqrt(years[n])
        first = (math.log(price[n] / strike[n]) + drift * years[n]) / spread
        later = strike[n] * math.exp(np.float32(-RATE) * years[n])
        calls[n] = price[n] * below(first) - later * below(first - spread)
        puts[n] = calls[n] - price[n] + later
    return calls, puts


@call
def tiny(x: Any) -> Any:
    return x + np.float32(1)


KERNELS: Mapping[str, Callable[..., Any]] = {
    "softmax": softmax,
    "layer norm": layer_norm,
    "logsumexp": logsumexp,
    "sum of 4096² by columns": columns,
    "sum of 4096² by rows": rows,
    "gelu": gelu,
    "10 ops": ten_ops,
    "add": add,
    "Jacobi": jacobi,
    "4096 bodies": bodies,
    "Mandelbrot": mandelbrot,
    "Black-Scholes": options,
    "a tiny call": tiny,
}
