"""The strategy `tensor`: matrix products of f16 and bf16 by the instructions that GPUs have."""

from dataclasses import dataclass
from typing import ClassVar, final

from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.lower.grids.blocked import BlockedStrategy
from stepwell.compiler.lower.grids.warp_product import WarpProduct, element_of
from stepwell.compiler.lower.strategies.base import Refusal
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.machines.matrices import MATRICES


@final
@dataclass(frozen=True)
class Tensor(BlockedStrategy):
    """A block of threads computes `rows` by `lanes` outputs, each of four warps a quarter of
    them, by instructions that multiply matrices. What both factors have for the next products comes
    into shared memory by itself, several stages ahead."""

    name: ClassVar[str] = "tensor"
    NAMED: ClassVar[str | None] = "tensor"
    product = WarpProduct

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        found = cls.candidate(kernel)
        if isinstance(found, Refusal):
            return found
        if found.fold.order.data.kind != cls.NAMED:
            return Refusal("its products are not summed as matrix instructions do it")
        if found.fold in found.analysis.guards:
            return Refusal("some products are left out")
        elements = [element_of(term) for term in found.fold.terms]
        types = {str(each.type) for each in elements if each is not None}
        if None in elements or len(types) != 1 or not types <= MATRICES.keys():
            return Refusal("its factors are not both f16, or both bf16")
        if not {*machine.features} & {*MATRICES[types.pop()].features}:
            return Refusal(f"{machine.name} has no instruction for such products")
        return None
