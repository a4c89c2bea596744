"""Layers: trees of arrays that are called. `init` draws their arrays from a seed or a generator."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from stepwell.array import Array, ArrayLike, asarray
from stepwell.compiler.dialects.nd import numpy_dtype
from stepwell.nn.functions import Padding, Pair, attention, conv2d, layer_norm

Seed: TypeAlias = int | np.random.Generator
Layer: TypeAlias = Callable[[Any], Any]
STATIC = {"static": True}
"""Marks a field that belongs to the layer's structure, and is no parameter."""


def _normal(seed: Seed, shape: tuple[int, ...], variance: float, dtype: str) -> Array:
    drawn = np.random.default_rng(seed).normal(0.0, variance**0.5, shape)
    return _frozen(drawn.astype(numpy_dtype(dtype)))


def _filled(value: float, size: int, dtype: str) -> Array:
    return _frozen(np.full(size, value, numpy_dtype(dtype)))


def _frozen(values: NDArray[Any]) -> Array:
    """An array that no trace has to copy, since nobody can ever write to `bytes`."""
    return Array(np.ndarray(values.shape, values.dtype, values.tobytes()))


@final
@dataclass(frozen=True)
class Linear:
    """x[…, inputs] to x weight + bias, [… , outputs]."""

    weight: Array
    bias: Array | None = None

    @staticmethod
    def init(
        inputs: int, outputs: int, seed: Seed, *, bias: bool = True, dtype: str = "f32"
    ) -> "Linear":
        """Weights of variance 1 / inputs (LeCun et al., 1998), biases of 0."""
        weight = _normal(seed, (inputs, outputs), 1 / inputs, dtype)
        return Linear(weight, _filled(0, outputs, dtype) if bias else None)

    def __call__(self, x: ArrayLike) -> Array:
        y = asarray(x) @ self.weight
        return y if self.bias is None else y + self.bias


@final
@dataclass(frozen=True)
class Conv2d:
    """Images x[N, H, W, inputs] to [N, H', W', outputs].

    The weight has the shape [height, width, inputs / groups, outputs].
    """

    weight: Array
    bias: Array | None = None
    stride: Pair = field(default=1, metadata=STATIC)
    padding: Padding = field(default="same", metadata=STATIC)
    dilation: Pair = field(default=1, metadata=STATIC)
    groups: int = field(default=1, metadata=STATIC)

    @staticmethod
    def init(
        inputs: int,
        outputs: int,
        size: Pair,
        seed: Seed,
        *,
        stride: Pair = 1,
        padding: Padding = "same",
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        dtype: str = "f32",
    ) -> "Conv2d":
        """Weights of variance 2 / (terms of a sum), for `relu` behind them (He et al., 2015)."""
        height, width = (size, size) if isinstance(size, int) else size
        terms = height * width * inputs // groups
        shape = (height, width, inputs // groups, outputs)
        weight = _normal(seed, shape, 2 / terms, dtype)
        biases = _filled(0, outputs, dtype) if bias else None
        return Conv2d(weight, biases, stride, padding, dilation, groups)

    def __call__(self, x: ArrayLike) -> Array:
        y = conv2d(
            x,
            self.weight,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        return y if self.bias is None else y + self.bias


@final
@dataclass(frozen=True)
class LayerNorm:
    """The last axis brought to mean 0 and variance 1, then scaled and moved."""

    scale: Array
    bias: Array
    epsilon: float = field(default=1e-5, metadata=STATIC)

    @staticmethod
    def init(size: int, *, epsilon: float = 1e-5, dtype: str = "f32") -> "LayerNorm":
        return LayerNorm(_filled(1, size, dtype), _filled(0, size, dtype), epsilon)

    def __call__(self, x: ArrayLike) -> Array:
        return layer_norm(x, epsilon=self.epsilon) * self.scale + self.bias


@final
@dataclass(frozen=True)
class Embedding:
    """Integers below `count` to rows of weight[count, size]."""

    weight: Array

    @staticmethod
    def init(count: int, size: int, seed: Seed, *, dtype: str = "f32") -> "Embedding":
        return Embedding(_normal(seed, (count, size), 1.0 / size, dtype))

    def __call__(self, indices: ArrayLike) -> Array:
        return self.weight[asarray(indices)]


@final
@dataclass(frozen=True)
class Attention:
    """Self-attention of several heads over x[…, S, size]; `causal` hides what comes later."""

    query: Linear
    key: Linear
    value: Linear
    output: Linear
    heads: int = field(default=1, metadata=STATIC)
    causal: bool = field(default=False, metadata=STATIC)

    @staticmethod
    def init(
        size: int, heads: int, seed: Seed, *, causal: bool = False, dtype: str = "f32"
    ) -> "Attention":
        rng = np.random.default_rng(seed)
        parts = [Linear.init(size, size, rng, dtype=dtype) for _ in range(4)]
        return Attention(*parts, heads=heads, causal=causal)

    def __call__(self, x: ArrayLike) -> Array:
        x = asarray(x)
        parts = [self._split(layer(x)) for layer in (self.query, self.key, self.value)]
        seen = attention(*parts, causal=self.causal)
        return self.output(seen.swapaxes(-2, -3).reshape(x.sizes))

    def _split(self, x: Array) -> Array:
        """[…, S, size] to [… , heads, S, size / heads]."""
        *outer, length, size = x.sizes
        heads = x.reshape((*outer, length, self.heads, size // self.heads))
        return heads.swapaxes(-2, -3)


@final
@dataclass(frozen=True)
class Function:
    """A function without parameters as a layer."""

    function: Layer = field(metadata=STATIC)

    def __call__(self, x: Any) -> Any:
        return self.function(x)


@final
@dataclass(frozen=True)
class Sequential:
    """Layers one after another. `Sequential.of` takes plain functions among them."""

    layers: tuple[Layer, ...]

    @staticmethod
    def of(*layers: Layer) -> "Sequential":
        return Sequential(tuple(Function(x) if _is_plain(x) else x for x in layers))

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x


def _is_plain(layer: Layer) -> bool:
    return not hasattr(layer, "__dataclass_fields__")
