"""Products of matrices for tests: how operands may lie, which sizes there are, sizes made fixed."""

import re
from collections.abc import Mapping

from hypothesis import strategies as st

LAYOUTS: Mapping[str, Mapping[str, str]] = {
    "plain": {},
    "right turned": {"right": "N, K: %j, %k"},
    "left turned": {"left": "K, M: %k, %i"},
    "both turned": {"left": "K, M: %k, %i", "right": "N, K: %j, %k"},
    "result turned": {"out": "N, M: %j, %i"},
    "batch": {
        "left": "3, M, K: %h, %i, %k",
        "right": "3, K, N: %h, %k, %j",
        "out": "3, M, N: %h, %i, %j",
        "axes": "%h : 3, %i : M, %j : N",
    },
    "batch of one operand": {
        "left": "3, M, K: %h, %i, %k",
        "out": "3, M, N: %h, %i, %j",
        "axes": "%h : 3, %i : M, %j : N",
    },
    "right in panels": {
        "right": "3, K, N: %h, %k, %j",
        "out": "M, 3, N: %i, %h, %j",
        "axes": "%i : M, %h : 3, %j : N",
    },
}
"""How operands and the result lie, and the axes of the nest, where that is not as in `PLAIN`."""

PLAIN = {
    "left": "M, K: %i, %k",
    "right": "K, N: %k, %j",
    "out": "M, N: %i, %j",
    "axes": "%i : M, %j : N",
    "over": "%k : K",
}

lengths = st.sampled_from([0, 1, 2, 3, 7, 8, 15, 16, 17, 33, 50, 70])
"""Of the axes M, N and K."""


def laid_out(**layout: str) -> tuple[list[tuple[str, str]], str, str]:
    """The shape and the indices of left, right and out; the nest's axes; those of its fold."""
    parts = {**PLAIN, **layout}
    shapes = [parts[name].split(": ") for name in ("left", "right", "out")]
    return [(shape, indices) for shape, indices in shapes], parts["axes"], parts["over"]


def fixed(text: str, m: int, n: int, k: int) -> str:
    """The kernel for these sizes."""
    text = re.sub("<M: [03], N: 0, K: 0>", "", text).replace("M + K", str(m + k))
    for name, size in (("M", m), ("N", n), ("K", k)):
        text = re.sub(rf"\b{name}\b", str(size), text)
    return text
