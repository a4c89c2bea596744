"""The strategy `tensor`: matrix products of f16 and bf16 by the instructions that GPUs have."""

from dataclasses import dataclass
from typing import ClassVar, final

from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.lower.grids.blocked import BlockedStrategy
from stepwell.compiler.lower.grids.rings import PIECE
from stepwell.compiler.lower.grids.staging import fold_of
from stepwell.compiler.lower.grids.warp_product import WarpProduct, instruction_of
from stepwell.compiler.lower.strategies.base import Refusal
from stepwell.compiler.machines.machine import Machine


@final
@dataclass(frozen=True)
class Tensor(BlockedStrategy):
    """A block of threads computes `rows` by `lanes` outputs, each of four warps a quarter of
    them, by instructions that multiply matrices. What both factors have for the next products comes
    into shared memory by itself, several stages ahead."""

    name: ClassVar[str] = "tensor"
    FEWEST: ClassVar[int] = 8
    NAMED: ClassVar[str | None] = "tensor"
    product = WarpProduct

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        found = cls.candidate(kernel)
        if isinstance(found, Refusal):
            return found
        known = instruction_of(found)
        if known is None:
            return Refusal("it is no product of two f16, of two bf16 or of bytes")
        if found.fold.order.data.kind != (cls.NAMED if known.sums == "f32" else "serial"):
            return Refusal("its products are not summed as matrix instructions do it")
        if found.fold in found.analysis.guards:
            return Refusal("some products are left out")
        fold = fold_of(found)
        if known.sums != "f32" and len(fold.axes) > 1 and not fold.has_whole(PIECE):
            return Refusal("bytes lie across ends of the axes along which it sums")
        if not {*machine.features} & {*known.features}:
            return Refusal(f"{machine.name} has no instruction for such products")
        return None
