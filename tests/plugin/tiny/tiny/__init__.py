"""A package outside of Stepwell that adds one op, `tiny.shift`, and one pass, `reciprocals`."""

from typing import Any

from xdsl.ir import Dialect
from xdsl.universe import Universe

from stepwell.array import Array, apply, asarray
from tiny.reciprocals import Reciprocals
from tiny.shift import Shift

TINY = Dialect("tiny", [Shift])
UNIVERSE = Universe(
    all_dialects={"tiny": lambda: TINY},
    all_passes={Reciprocals.name: lambda: Reciprocals},
)


def shift(x: Any, by: int, axis: int = 0) -> Array:
    """The elements of x, `by` places further along an axis; 0 where there is none."""
    return apply("tiny.shift", asarray(x), axis=axis, by=by)
