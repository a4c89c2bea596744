"""The strategy `tiles`: matrix products by blocks of threads, which share what they read."""

from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import ClassVar, Self, final

from xdsl.dialects.builtin import f32

from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.types import Parameter
from stepwell.compiler.lower.analysis import Analysis
from stepwell.compiler.lower.contraction import Contraction, contraction_of
from stepwell.compiler.lower.costs import length
from stepwell.compiler.lower.grids.blocks import in_blocks
from stepwell.compiler.lower.grids.product import Product, Shape
from stepwell.compiler.lower.grids.staging import DEPTH, fold_of, rows_of
from stepwell.compiler.lower.strategies.base import (
    Refusal,
    Strategy,
    expanding,
    locals_of,
    nests_of,
)
from stepwell.compiler.lower.strategies.gemm import contraction_in
from stepwell.compiler.lower.tiling import unless_empty
from stepwell.compiler.lower.writer import ONE, ZERO, Bound, Writer
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.sizes import Size

SHAPES = (Shape(128, 128), Shape(64, 128), Shape(64, 64))
"""Of blocks, each of whole warps. Of smaller ones a thread would have to keep more that is on its
way than its registers hold."""
ENOUGH = 128
"""Blocks that keep a card busy: about as many as it has multiprocessors."""
FEW = 16
"""Rows, lanes and products for which a block is not worth while."""


@final
@dataclass(frozen=True)
class Tiles(Strategy):
    """A block of threads computes `rows` by `lanes` outputs, each thread eight by eight in
    registers. What both factors have for the next products, the threads bring into shared memory
    together, while they work on what they have brought before."""

    name: ClassVar[str] = "tiles"
    rows: int = 128
    lanes: int = 128

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        nests = nests_of(kernel)
        if len(nests) != 1 or locals_of(kernel):
            return Refusal("it is not one nest")
        found = contraction_of(Analysis(nests[0]))
        if isinstance(found, str):
            return Refusal(found)
        order = found.fold.order.data
        if order.kind != "serial" or found.fold.results[0].type != f32:
            return Refusal("its products are not summed in f32")
        if order.chunk % DEPTH:
            return Refusal(f"its chunks are not multiples of {DEPTH}")
        if found.rows is None:
            return Refusal("it has no rows")
        sizes = (rows_of(found).size, found.lanes.size, found.depth)
        if min(map(length, sizes)) < FEW:
            return Refusal("it is small along some axis")
        return None if _may_skip(found) else Refusal("some products of a stage are left out")

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        contraction = contraction_in(kernel)
        plans = [cls(shape.rows, shape.lanes) for shape in SHAPES]
        return next((plan for plan in plans if plan._blocks(contraction) >= ENOUGH), plans[-1])

    @classmethod
    def allows(cls, name: str, value: Parameter) -> bool:
        """Those of the known shapes."""
        return value in {getattr(shape, name, None) for shape in SHAPES}

    def _blocks(self, contraction: Contraction) -> int:
        counts = Product(contraction, Shape(self.rows, self.lanes), runs=True).counts
        return length(prod(counts, start=ONE))

    def workspace(self, kernel: KernelOp) -> Size:
        return ZERO

    def expand(self, kernel: KernelOp) -> None:
        contraction, shape = contraction_in(kernel), Shape(self.rows, self.lanes)
        runs = (contraction.depth.bounds(kernel.symbols.ranges)[0] or 0) > 0
        product = Product(contraction, shape, runs)
        nest = product.contraction.analysis.nest

        def block(writer: Writer, number: Bound, thread: Bound) -> None:
            product.write(writer, number, thread)

        with expanding(kernel) as writer:
            writer.location = nest.location

            def launch() -> None:
                count = reduce(writer.product, map(writer.extent, product.counts))
                in_blocks(writer, count, product.shape.threads, block)

            unless_empty(writer, nest.sizes.data, kernel.symbols.ranges, launch)


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
