"""Optimizers: pure functions from gradients, a state and parameters to the next ones."""

from dataclasses import dataclass
from typing import Any, final

from stepwell import nested
from stepwell import numpy as np
from stepwell.array import Array, asarray


@final
@dataclass(frozen=True)
class SGD:
    """Steps against the gradient, or with `momentum` its decaying sum (Polyak, 1964)."""

    learning_rate: float
    momentum: float = 0.0

    def init(self, params: Any) -> Any:
        """The sums of gradients: zeros, nested as the parameters; None without momentum."""
        return nested.map(np.zeros_like, params) if self.momentum else None

    def update(self, grads: Any, state: Any, params: Any) -> tuple[Any, Any]:
        """The next parameters and the next state."""
        sums = grads
        if self.momentum:
            sums = nested.map(self._sum, grads, state)
        return nested.map(self._step, params, sums), sums if self.momentum else None

    def _sum(self, gradient: Array, before: Array) -> Array:
        return self.momentum * before + gradient

    def _step(self, parameter: Array, direction: Array) -> Array:
        return parameter - self.learning_rate * direction


@final
@dataclass(frozen=True)
class AdamState:
    """How many steps were taken, and the decaying means of gradients and of their squares."""

    step: Array
    mean: Any
    square: Any


@final
@dataclass(frozen=True)
class Adam:
    """Steps scaled by the gradients' own size (Kingma and Ba, 2015; in the order of its section 2,
    in which what makes up for the means' beginning is two numbers for all parameters).

    `weight_decay` takes that part of the parameters off in each step, apart from the gradient
    (Loshchilov and Hutter, 2019).
    """

    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0

    def init(self, params: Any) -> AdamState:
        zeros = nested.map(np.zeros_like, params)
        return AdamState(asarray(0), zeros, zeros)

    def update(self, grads: Any, state: AdamState, params: Any) -> tuple[Any, AdamState]:
        """The next parameters and the next state."""
        step = state.step + 1
        mean = nested.map(self._mean, grads, state.mean)
        square = nested.map(self._square, grads, state.square)
        weight, spread = (1 - beta ** step.astype("f32") for beta in (self.beta1, self.beta2))
        root = np.sqrt(spread)
        rate, least = self.learning_rate * root / weight, self.epsilon * root

        def stepped(p: Array, m: Array, s: Array) -> Array:
            kept = p * (1 - self.learning_rate * self.weight_decay)
            return kept - rate.astype(p.dtype) * (m / (np.sqrt(s) + least.astype(p.dtype)))

        return nested.map(stepped, params, mean, square), AdamState(step, mean, square)

    def _mean(self, gradient: Array, before: Array) -> Array:
        return self.beta1 * before + (1 - self.beta1) * gradient

    def _square(self, gradient: Array, before: Array) -> Array:
        return self.beta2 * before + (1 - self.beta2) * (gradient * gradient)
