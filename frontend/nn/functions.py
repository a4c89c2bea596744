"""The functions that networks are made of: activations, losses, attention, convolution, pooling."""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Literal, TypeAlias

from stepwell import numpy as np
from stepwell.array import Array, ArrayLike, apply, asarray, broadcast_to, promoted
from stepwell.broadcasting import broadcast_shapes
from stepwell.compiler.dialects.nd import INTEGERS, text_of
from stepwell.control import custom_gradient, stop_gradient
from stepwell.indexing import ONE, ZERO
from stepwell.methods import Axes
from stepwell.places import user_line
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size, largest

Pair: TypeAlias = int | tuple[int, int]
Padding: TypeAlias = Literal["same", "valid"] | int | Sequence[tuple[int, int]]
"""What is added around: as much as keeps the size, nothing, the same everywhere, or (before, after)
for the height and the width."""
Sizes: TypeAlias = tuple[Size, ...]


# Activations.


def relu(x: ArrayLike) -> Array:
    """x where it is positive, else 0; its slope is 0 there, also at 0."""
    x = asarray(x)
    return np.where(x <= 0, 0, x)


def sigmoid(x: ArrayLike) -> Array:
    """1 / (1 + exp(-x)), as (1 + tanh(x / 2)) / 2, which does not overflow."""
    return 0.5 * np.tanh(0.5 * asarray(x)) + 0.5


def silu(x: ArrayLike) -> Array:
    """x sigmoid(x)."""
    return asarray(x) * sigmoid(x)


def gelu(x: ArrayLike) -> Array:
    """x times the normal distribution function of x (Hendrycks and Gimpel, 2016)."""
    x = asarray(x)
    return 0.5 * x * (1 + np.erf(x * 2**-0.5))


def softmax(x: ArrayLike, axis: int = -1) -> Array:
    """Exponentials, divided by their sum along an axis."""
    x = asarray(x).floating()
    powers = np.exp(x - stop_gradient(x.max(axis, keepdims=True)))
    return powers / powers.sum(axis, keepdims=True)


def log_softmax(x: ArrayLike, axis: int = -1) -> Array:
    """The logarithm of `softmax`."""
    x = asarray(x).floating()
    apart = x - stop_gradient(x.max(axis, keepdims=True))
    return apart - np.log(np.exp(apart).sum(axis, keepdims=True))


# Losses.


def cross_entropy(logits: ArrayLike, labels: ArrayLike) -> Array:
    """The mean of -log(softmax(logits)) at the labels, integers that index the last axis.

    logits[…, classes] and labels[…]. Labels that are known, and wrong, are an error (SW0122).
    """
    chances, labels = log_softmax(logits), asarray(labels)
    if labels.dtype not in INTEGERS or labels.sizes != chances.sizes[:-1]:
        wanted = ", ".join(map(str, chances.shape[:-1]))
        raise CompileError(
            "SW0152",
            f"the labels are {text_of(labels.type)}, and should be integers of shape [{wanted}]",
            hint="give the number of the class of each example, not one-hot rows",
            where=user_line(),
        )
    return -np.take_along_axis(chances, labels[..., None]).mean()


def mean_squared_error(x: ArrayLike, y: ArrayLike) -> Array:
    return np.square(np.subtract(x, y)).mean()


# Normalisation and attention.


def layer_norm(x: ArrayLike, axis: Axes = -1, epsilon: float = 1e-5) -> Array:
    """x less its mean, over the root of its variance (Ba, Kiros and Hinton, 2016)."""
    x = asarray(x)
    apart = x - x.mean(axis, keepdims=True)
    return apart * np.rsqrt((apart * apart).mean(axis, keepdims=True) + epsilon)


def attention(query: Array, key: Array, value: Array, *, causal: bool = False) -> Array:
    """softmax(query keyᵀ / √width) value (Vaswani et al., 2017).

    query[…, H, Q, width], key[…, G, K, width], value[…, G, K, out] to […, H, Q, out]. Without heads
    they have two axes. Where there are fewer heads of keys, each serves H / G neighbours among the
    queries (Ainslie et al., 2023). With `causal` the last query sees all keys, the one before it
    all but the last, and so on.
    """
    if _are_grouped(query, key):
        *outer, heads, length, width = query.sizes
        groups = key.sizes[-3]
        query = query.reshape((*outer, groups, heads // groups, length, width))
        key, value = key[..., None, :, :], value[..., None, :, :]
        seen = attention(query, key, value, causal=causal)
        return seen.reshape((*outer, heads, length, value.sizes[-1]))
    attend = partial(_attention, causal)
    parts = _with_all_heads(*promoted(query, key, value))
    return custom_gradient(attend)(*parts) if _forgets(*parts) else attend(*parts)[0]


def _forgets(query: Array, key: Array, value: Array) -> bool:
    """Whether a gradient computes scores again: if they are much larger than what is kept anyway,
    and precise enough."""
    keys, kept = key.sizes[-2].static, (query.sizes[-1] + value.sizes[-1]).static
    is_long = keys is None or kept is None or keys > 2 * kept
    return is_long and query.dtype in ("f32", "f64")


def _with_all_heads(*parts: Array) -> list[Array]:
    """Queries, keys and values with the same axes before the last two."""
    outer = broadcast_shapes(*(x.sizes[:-2] for x in parts))
    return [broadcast_to(x, (*outer, *x.sizes[-2:])) for x in parts]


def _attention(
    causal: bool, query: Array, key: Array, value: Array
) -> tuple[Array, Callable[[Array], tuple[Array, Array, Array]]]:
    """Attention, and a pullback that keeps no scores but computes them again, for rows of queries
    and for rows of keys (Dao, 2024)."""
    scores = _scores(query, key, causal)
    most = stop_gradient(scores.max(-1, keepdims=True))
    powers = np.exp(scores - most)
    total = powers.sum(-1, keepdims=True)
    logs = most + np.log(total)
    seen = powers / total @ value

    def back(slope: Array) -> tuple[Array, Array, Array]:
        q, k, v = (apply("barrier", x) for x in (query, key, value))
        scale = _scale(query)
        along = (slope * seen).sum(-1, keepdims=True)
        weights = np.exp(_scores(q, k, causal) - logs)
        of_query = (weights * (slope @ v.mT - along) * scale) @ k
        turned = np.exp(_scores(k, q, causal, turned=True) - logs.mT)
        of_value = turned @ slope
        of_key = (turned * (v @ slope.mT - along.mT) * scale) @ q
        return of_query, of_key, of_value

    return seen, back


def _scale(query: Array) -> float | Array:
    width = query.shape[-1]
    known = isinstance(width, int)
    return width**-0.5 if known else asarray(width).astype(query.dtype) ** -0.5


def _scores(rows: Array, columns: Array, causal: bool, *, turned: bool = False) -> Array:
    """The products of queries and keys; `turned` has a row for each key."""
    scores = rows @ columns.mT * _scale(rows)
    return np.where(_earlier(scores, turned), scores, -np.inf) if causal else scores


def _are_grouped(query: Array, key: Array) -> bool:
    """Whether several heads of queries share one of keys, and there are several of those."""
    if min(query.ndim, key.ndim) < 3:
        return False
    heads, groups = query.sizes[-3].static, key.sizes[-3].static
    return heads is not None and groups not in (None, 0, 1, heads) and heads % groups == 0


def _earlier(scores: Array, turned: bool) -> Array:
    """Where a key is not later than its query."""
    shape = scores.shape[-2:]
    rows, columns = np.iota(shape, 0), np.iota(shape, 1)
    if turned:
        seen = columns + (shape[0] - shape[1]) >= rows
    else:
        seen = rows + (shape[1] - shape[0]) >= columns
    return seen if scores.ndim == 2 else np.broadcast_to(seen, scores.shape)


# Convolution and pooling of images x[N, height, width, channels].


def conv2d(
    x: ArrayLike,
    weight: ArrayLike,
    *,
    stride: Pair = 1,
    padding: Padding = "valid",
    dilation: Pair = 1,
    groups: int = 1,
) -> Array:
    """x[N, H, W, C] with weight[height, width, C / groups, O] to [N, H', W', O]."""
    x, weight = promoted(x, weight)
    steps, apart = _pair(stride), _pair(dilation)
    extents = [(n - 1) * by + 1 for n, by in zip(weight.sizes[:2], apart, strict=True)]
    low, high = _padding(padding, x.sizes[1:3], extents, steps)
    return apply(
        "convolution",
        x,
        weight,
        stride=steps,
        low=low,
        high=high,
        dilation=apart,
        groups=Size.of(groups),
    )


def max_pool(
    x: ArrayLike, size: Pair, *, stride: Pair | None = None, padding: Padding = "valid"
) -> Array:
    """The greatest element of each window; the windows do not overlap unless `stride` says so."""
    return _pooled("max", asarray(x), size, stride, padding)


def avg_pool(
    x: ArrayLike, size: Pair, *, stride: Pair | None = None, padding: Padding = "valid"
) -> Array:
    """The mean of the elements of each window; padding does not count."""
    x = asarray(x)
    total = _pooled("add", x, size, stride, padding)
    if padding == "valid":
        return total / prod(_pair(size))
    return total / _pooled("add", np.ones_like(x), size, stride, padding)


def _pooled(combine: str, x: Array, size: Pair, stride: Pair | None, padding: Padding) -> Array:
    window = tuple(map(Size.of, _pair(size)))
    steps = _pair(size if stride is None else stride)
    low, high = _padding(padding, x.sizes[1:3], window, steps)
    return apply(
        "window",
        x,
        combine=combine,
        size=(ONE, *window, ONE),
        stride=(1, *steps, 1),
        low=(ZERO, *low, ZERO),
        high=(ZERO, *high, ZERO),
    )


def _pair(given: Pair) -> tuple[int, int]:
    return (given, given) if isinstance(given, int) else given


def _padding(
    padding: Padding, sizes: Sizes, extents: Sequence[Size], steps: Sequence[int]
) -> tuple[Sizes, Sizes]:
    """What is added before and behind the height and the width."""
    if padding == "same":
        totals = [_missing(*each) for each in zip(sizes, extents, steps, strict=True)]
        return tuple(n // 2 for n in totals), tuple(n - n // 2 for n in totals)
    if isinstance(padding, str):
        if padding != "valid":
            sentence = f"the padding {padding!r} is neither 'same' nor 'valid'"
            raise CompileError("SW0130", sentence, where=user_line())
        padding = 0
    pairs = [(padding, padding)] * 2 if isinstance(padding, int) else padding
    low, high = ([Size.of(pair[end]) for pair in pairs] for end in (0, 1))
    return tuple(low), tuple(high)


def _missing(size: Size, extent: Size, step: int) -> Size:
    """What makes ceil(size / step) windows fit."""
    if step == 1:
        return extent - 1
    windows = (size + (step - 1)) // step
    return largest((windows - 1) * step + extent - size, ZERO)
