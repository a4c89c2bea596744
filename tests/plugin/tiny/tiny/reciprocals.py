"""The pass `reciprocals`, as docs/add-a-pass.md writes it."""

from dataclasses import dataclass
from math import frexp
from typing import final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.passes import ModulePass

from stepwell.compiler.dialects.nd import is_float
from stepwell.compiler.ops.binary import Div
from stepwell.compiler.ops.creation import Constant
from stepwell.compiler.ops.emission import emitting_before
from stepwell.compiler.ops.movement import Broadcast
from stepwell.compiler.ops.regions import replace
from stepwell.compiler.ops.value import Value


@final
@dataclass(frozen=True)
class Reciprocals(ModulePass):
    """`x / c` becomes `x * (1 / c)` where c is a power of two, up to `largest`."""

    name = "reciprocals"

    largest: int = 1 << 30

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for division in [each for each in op.walk() if isinstance(each, Div)]:
            reciprocal = exact_reciprocal(division.rhs, self.largest)
            if reciprocal is not None and division.parent is not None:
                with emitting_before(division):
                    product = Value(division.lhs) * reciprocal
                replace(division, [product])


def exact_reciprocal(value: SSAValue, largest: int) -> float | None:
    """1 / value, if value is one power of two everywhere, from 1 to `largest`."""
    owner = value.owner
    if isinstance(owner, Broadcast):
        return exact_reciprocal(owner.x, largest)
    if not isinstance(owner, Constant) or not is_float(owner.value.data.dtype):
        return None
    number = float(owner.value.data.value)
    mantissa, _ = frexp(number)
    return 1 / number if mantissa == 0.5 and 1 <= number <= largest else None
