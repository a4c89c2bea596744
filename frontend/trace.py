"""The program that is being traced: what is known of its sizes, and the weights in it."""

from collections import Counter
from collections.abc import Generator, Hashable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, cast, final

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import Block, SSAValue

from stepwell.compiler.dialects.nd import Weight, arranged
from stepwell.compiler.dialects.sizes import Range
from stepwell.compiler.ops.emission import emit, emitting
from stepwell.compiler.ops.value import Value
from stepwell.places import pointing_at_the_user
from stepwell.runtime.devices.array import DeviceArray
from stepwell.runtime.dtypes import BY_NUMPY
from stepwell.runtime.sizes import KNOWN, Size

Concrete = NDArray[Any]
Held = Concrete | DeviceArray
"""A value that is known, wherever it lies."""


@final
@dataclass
class Functions:
    """The functions that a program calls, by what they were traced for."""

    known: dict[Hashable, Any] = field(default_factory=dict[Hashable, Any])
    named: Counter[str] = field(default_factory=Counter[str])

    def name(self, wanted: str) -> str:
        """The name of another function: `f`, `f_1`, …"""
        number = self.named[wanted]
        self.named[wanted] += 1
        return f"{wanted}_{number}" if number else wanted


@final
@dataclass
class Trace:
    """One run of a user's function on arrays without values; it ends, and with it those arrays."""

    ranges: Mapping[str, Range] = field(default_factory=dict[str, Range])
    names: dict[SSAValue, str] = field(default_factory=dict[SSAValue, str])
    """What the user calls the function's arguments."""
    over: bool = False
    functions: Functions = field(default_factory=Functions)
    """What the program calls, shared with the traces within this one."""
    weights: dict[int, tuple[Concrete, Value]] = field(default_factory=dict[int, Any])

    def weight(self, value: Concrete) -> Value:
        """A known array as part of the program, once: as it is now, whatever becomes of it."""
        if id(value) not in self.weights:
            shape = tuple(map(Size.of, value.shape))
            dtype = BY_NUMPY[value.dtype].name
            kept = Weight(values=arranged(value, ()) if _may_change(value) else value)
            op = emit("weight", [], value=kept, dtype=dtype, shape=shape)
            self.weights[id(value)] = value, Value(op.results[0])
        return self.weights[id(value)][1]


def _may_change(value: Concrete) -> bool:
    """Whether somebody may write to an array some day: all but those that are views of `bytes`."""
    base: object = value
    while isinstance(base, np.ndarray):
        base = cast(object, base.base)
    return not isinstance(base, bytes)


_TRACE: ContextVar[Trace | None] = ContextVar("trace", default=None)


def current_trace() -> Trace:
    """The trace in whose scope this code runs."""
    trace = _TRACE.get()
    assert trace is not None
    return trace


def known_ranges() -> Mapping[str, Range]:
    """The ranges of the symbols here; there are none outside of a trace."""
    trace = _TRACE.get()
    return {} if trace is None else trace.ranges


@contextmanager
def tracing(
    block: Block, ranges: Mapping[str, Range] | None = None
) -> Generator[Trace, None, None]:
    """Within this scope, ops are written at the end of `block`; its arrays end with it.

    Without `ranges`, the symbols are those of the trace around.
    """
    around = _TRACE.get()
    trace = Trace(known_ranges() if ranges is None else ranges)
    if ranges is None and around is not None:
        trace.functions = around.functions
    token, known = _TRACE.set(trace), KNOWN.set(trace.ranges)
    try:
        with pointing_at_the_user(), emitting(block):
            yield trace
    finally:
        trace.over = True
        _TRACE.reset(token)
        KNOWN.reset(known)
