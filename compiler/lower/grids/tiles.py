"""The strategy `tiles`: matrix products by blocks of threads, which share what they read."""

from dataclasses import dataclass
from typing import ClassVar, final

from xdsl.dialects.builtin import f32

from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.lower.contraction import Contraction
from stepwell.compiler.lower.grids.blocked import BlockedStrategy
from stepwell.compiler.lower.grids.product import Product
from stepwell.compiler.lower.grids.staging import DEPTH, fold_of
from stepwell.compiler.lower.strategies.base import Refusal
from stepwell.compiler.machines.machine import Machine


@final
@dataclass(frozen=True)
class Tiles(BlockedStrategy):
    """A block of threads computes `rows` by `lanes` outputs, each thread eight by eight in
    registers. What both factors have for the next products, the threads bring into shared memory
    together, while they work on what they have brought before."""

    name: ClassVar[str] = "tiles"
    product = Product

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        found = cls.candidate(kernel)
        if isinstance(found, Refusal):
            return found
        depth, order = found.depth.static, found.fold.order.data
        if depth is not None and depth <= DEPTH:
            # Without a loop around it LLVM moves a stage to where the outputs are written, under
            # their conditions, and keeps all of its factors in registers until then.
            return Refusal("its sums are one stage")
        if order.kind != "serial" or found.fold.results[0].type != f32:
            return Refusal("its products are not summed in f32")
        if order.chunk % DEPTH:
            return Refusal(f"its chunks are not multiples of {DEPTH}")
        return None if _may_skip(found) else Refusal("some products of a stage are left out")


def _may_skip(contraction: Contraction) -> bool:
    """Whether the fold has no guard, or one that a row meets for all products of a stage, and that
    is no matter of the lanes."""
    analysis, fold = contraction.analysis, fold_of(contraction)
    guard = analysis.guards.get(contraction.fold)
    if guard is None:
        return True
    along = analysis.dependences(guard)
    size = fold.last.size.static
    whole = size is not None and size % DEPTH == 0 and fold.last.value not in along
    return whole and contraction.lanes.value not in along and contraction.right.may_pack
