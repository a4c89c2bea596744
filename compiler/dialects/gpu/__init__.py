"""The dialect `nvg`: what threads do together that upstream's `gpu` lacks."""

from typing import ClassVar

from xdsl.ir import Dialect
from xdsl.irdl import (
    AnyAttr,
    IRDLOperation,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect
from xdsl.utils.exceptions import VerifyException

from stepwell.compiler.dialects.gpu.copies import AsyncCopyOp, CommitOp, WaitOp
from stepwell.compiler.dialects.gpu.matrices import LoadMatricesOp, MmaOp
from stepwell.compiler.dialects.gpu.memory import SharedOp
from stepwell.compiler.dialects.sizes import NumberAttr
from stepwell.compiler.machines.gpu.matrices import WARP as WARP

GROUPS = (1, 2, 4, 8, 16, WARP)
"""Threads that may do something together."""


def expect_group(group: int) -> None:
    """Fails for threads that are none of a warp's groups: neighbours, as many as a power of two,
    which divides the number of the first of them."""
    if group not in GROUPS:
        raise VerifyException("a group is a part of a warp, and a power of two")


@irdl_op_definition
class ExchangeOp(IRDLOperation):
    """Each thread of a group in a warp gives a value, a scalar or a vector, and gets that of the
    thread whose number differs in the bit `distance`. All reach it together.

    ```
    nvg.exchange %a distance <8> group <16> : vector<4xf32>
    ```
    """

    name = "nvg.exchange"
    T: ClassVar = VarConstraint("T", AnyAttr())
    operand = operand_def(T)
    distance = prop_def(NumberAttr)
    group = prop_def(NumberAttr)
    result = result_def(T)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "$operand `distance` $distance `group` $group attr-dict `:` type($operand)"

    def verify_(self) -> None:
        expect_group(self.group.data)
        if self.distance.data not in [each for each in GROUPS if each < self.group.data]:
            raise VerifyException("a distance is a bit of a thread's number in its group")


@irdl_op_definition
class SyncOp(IRDLOperation):
    """What a thread of a group has written, the others see from here on. All reach it together."""

    name = "nvg.sync"
    group = prop_def(NumberAttr)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "`group` $group attr-dict"

    def verify_(self) -> None:
        expect_group(self.group.data)


NVG = Dialect(
    "nvg", [ExchangeOp, SyncOp, SharedOp, LoadMatricesOp, MmaOp, AsyncCopyOp, CommitOp, WaitOp], []
)
