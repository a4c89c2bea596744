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


class Together(IRDLOperation):
    """An op that all threads of a group in a warp reach together: `group` neighbours, a power of
    two, the first of which has a number that `group` divides."""

    group = prop_def(NumberAttr)

    def verify_(self) -> None:
        if self.group.data not in (1, 2, 4, 8, 16, WARP):
            raise VerifyException("a group is a part of a warp, and a power of two")


@irdl_op_definition
class ExchangeOp(Together):
    """Each thread gives a value, a scalar or a vector, and gets that of the thread whose number
    differs in the bit `distance`: `nvg.exchange %a distance 8 group 16 : vector<4xf32>`."""

    name = "nvg.exchange"
    T: ClassVar = VarConstraint("T", AnyAttr())
    operand = operand_def(T)
    distance = prop_def(NumberAttr)
    result = result_def(T)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "$operand `distance` $distance `group` $group attr-dict `:` type($operand)"


@irdl_op_definition
class SyncOp(Together):
    """What a thread of the group has written, the others see from here on."""

    name = "nvg.sync"
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "`group` $group attr-dict"


NVG = Dialect(
    "nvg", [ExchangeOp, SyncOp, SharedOp, LoadMatricesOp, MmaOp, AsyncCopyOp, CommitOp, WaitOp], []
)
