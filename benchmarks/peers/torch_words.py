"""What programs are written in for PyTorch, eager and compiled.

Images are [N, H, W, C] as everywhere: that is how "channels last" lies in memory, so that moving
the axis is free.
"""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmarks.peers.peer import UnsupportedError

CHANNELS_FIRST, CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


def tensors(weights: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """Weights as PyTorch wants them: those of convolutions are [O, I, H, W], channels last."""
    found = {name: torch.from_numpy(each) for name, each in weights.items()}
    return {
        name: each.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
        if each.ndim == 4
        else each.clone()
        for name, each in found.items()
    }


def byte_product(x: Tensor, y: Tensor) -> Tensor:
    """Of bytes with signs alone."""
    if x.dtype != y.dtype:
        raise UnsupportedError("no product of bytes of two kinds")
    return torch._int_mm(x, y)


def total(x: Tensor, axis: int) -> Tensor:
    return torch.sum(x, axis)


def logsumexp(x: Tensor) -> Tensor:
    return torch.logsumexp(x, -1)


def softmax(x: Tensor) -> Tensor:
    return torch.softmax(x, -1)


def layer_norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return functional.layer_norm(x, (x.shape[-1],), scale, shift)


def take(table: Tensor, indices: Tensor) -> Tensor:
    return functional.embedding(indices, table)


def part(x: Tensor, begin: int, end: int) -> Tensor:
    return x[begin:end]


def row(x: Tensor, index: int) -> Tensor:
    return x[index]


def split(x: Tensor, count: int) -> tuple[Tensor, ...]:
    return torch.chunk(x, count, -1)


def pad(x: Tensor) -> Tensor:
    return functional.pad(x, (1, 1, 1, 1))


def attention(query: Tensor, key: Tensor, value: Tensor, causal: bool) -> Tensor:
    return functional.scaled_dot_product_attention(query, key, value, is_causal=causal)


def conv2d(x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
    images = x.permute(CHANNELS_FIRST)
    return functional.conv2d(images, weight, bias, stride, padding).permute(CHANNELS_LAST)


def max_pool(x: Tensor, size: int, stride: int, padding: int) -> Tensor:
    images = x.permute(CHANNELS_FIRST)
    return functional.max_pool2d(images, size, stride, padding).permute(CHANNELS_LAST)


def lstm(x: Tensor, weights: Mapping[str, Tensor], layers: int) -> Tensor:
    """The one of PyTorch, whose second bias is zero here."""
    hidden = weights["0.hidden"].shape[1]
    flat: list[Tensor] = []
    for layer in range(layers):
        bias = weights[f"{layer}.bias"]
        flat += [weights[f"{layer}.input"], weights[f"{layer}.hidden"], bias]
        flat.append(torch.zeros_like(bias))
    start = x.new_zeros(layers, len(x), hidden)
    return torch.lstm(x, (start, start), flat, True, layers, 0.0, False, False, True)[0]


def repeat(times: int, step: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    for _ in range(times):
        x = step(x)
    return x


def grid(real: Tensor, imaginary: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Where Mandelbrot's points begin: c, z and the counts."""
    x, y = (each.contiguous() for each in torch.meshgrid(real, imaginary, indexing="xy"))
    return x, y, x.clone(), y.clone(), torch.zeros_like(x)


def mandelbrot_step(x: Tensor, y: Tensor, a: Tensor, b: Tensor, count: Tensor) -> Any:
    """One step more; what has left stays outside, as its numbers become infinite or NaN."""
    a, b = a * a - b * b + x, 2 * a * b + y
    return x, y, a, b, count + (a * a + b * b <= 4)


def mandelbrot(real: Tensor, imaginary: Tensor, steps: int) -> Tensor:
    carried = grid(real, imaginary)
    for _ in range(steps):
        carried = mandelbrot_step(*carried)
    return carried[-1]


WORDS = SimpleNamespace(
    exp=torch.exp,
    log=torch.log,
    sqrt=torch.sqrt,
    tanh=torch.tanh,
    erf=torch.erf,
    sum=total,
    byte_product=byte_product,
    mean=torch.mean,
    transpose=torch.permute,
    reshape=torch.reshape,
    concat=torch.cat,
    relu=torch.relu,
    gelu=functional.gelu,
    softmax=softmax,
    cross_entropy=functional.cross_entropy,
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
