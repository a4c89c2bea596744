"""The reciprocal square root."""

from stepwell.compiler.lower.arithmetic import Arithmetic, M, V


def rsqrt(a: Arithmetic[V, M], x: V) -> V:
    """1 / sqrt(x), two correctly rounded operations."""
    return a.div(a.constant(1.0), a.sqrt(x))
