"""The math functions, each written once as a program over `Arithmetic`."""

from collections.abc import Mapping
from typing import Protocol

from stepwell.compiler.lower.arithmetic import Arithmetic, M, V
from stepwell.compiler.lower.polynomials.erf import erf
from stepwell.compiler.lower.polynomials.exp import exp
from stepwell.compiler.lower.polynomials.log import log
from stepwell.compiler.lower.polynomials.pow import pow
from stepwell.compiler.lower.polynomials.sin import cos, sin
from stepwell.compiler.lower.polynomials.tanh import tanh


class Unary(Protocol):
    """A program of one operand."""

    def __call__(self, a: Arithmetic[V, M], x: V, /) -> V: ...


class Binary(Protocol):
    """A program of two operands."""

    def __call__(self, a: Arithmetic[V, M], x: V, y: V, /) -> V: ...


FUNCTIONS: Mapping[str, Unary | Binary] = {
    each.__name__: each for each in (cos, erf, exp, log, pow, sin, tanh)
}
