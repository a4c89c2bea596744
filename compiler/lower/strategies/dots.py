"""The strategy `dots`: products of bytes or of bf16 by instructions that add several at once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self, final

from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.lower.dots import is_linear, recipe_of, recipes, words_read
from stepwell.compiler.lower.strategies.base import Refusal, Strategy
from stepwell.compiler.lower.strategies.gemm import Gemm, TiledProduct, contraction_in
from stepwell.compiler.lower.suited import is_little, product_of
from stepwell.compiler.lower.tile_sums import TILES
from stepwell.compiler.machines.dots import DOTS, TILE, TILE_DOTS
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size


@final
@dataclass(frozen=True)
class Dots(Strategy):
    """As `gemm`, tiles of `mr` rows by `nv` vectors, whose sums the instruction `dot` adds to.

    Both operands are copied to panels of words (see `lower/dots.py`): all of the left one first, of
    the right one each panel before the tiles that use it. A task takes `mc` rows by `nc` lanes;
    `mc = 0` leaves all to one thread. Where the instruction takes bytes from 0 on and those of the
    left operand have signs, or the other way round, the copy is moved by 128, and a tile starts
    with what that adds to its sums: 128 times those of the right operand. An instruction whose
    operands are tiles is used for all rows of a task at once (see `lower/tile_sums.py`).
    """

    name: ClassVar[str] = "dots"
    NAMED: ClassVar[str | None] = "pairs"
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {"dot": (*DOTS, *TILE_DOTS)}
    bytes: int = 64
    mr: int = 8
    nv: int = 3
    mc: int = 0
    nc: int = 0
    dot: str = "vpmaddwd"

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        if (refusal := Gemm.fits(kernel, machine)) is not None:
            return refusal
        found = contraction_in(kernel)
        if not recipes(found, machine):
            return Refusal(f"{machine.name} has no instruction for such products")
        guarded = found.fold in found.analysis.guards
        if guarded or not (found.left.may_pack and found.right.may_pack):
            return Refusal("it has no rows, or not all of them may be read before")
        linear = is_linear(found.left) and (is_linear(found.right) or words_read(found.right))
        return None if linear else Refusal("the axes along which it sums lie apart")

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        contraction = contraction_in(kernel)
        recipe = recipes(contraction, machine)[0]
        dot, product = recipe.dot, product_of(contraction, machine)
        words = [-(-each // dot.group) for each in (product.k, product.kept)]
        product = replace(product, k=words[0], kept=words[1])
        mr, nv = TILES if recipe.in_tiles else product.tile(product.m, False, None, machine)
        little, packs = is_little(contraction, product, machine), not words_read(contraction.right)
        mc, nc = (0, 0) if little else product.task(mr, nv, 0, packs, machine)
        return cls(machine.vector_bytes, mr, nv, mc, nc, dot.name)

    def workspace(self, kernel: KernelOp) -> Size:
        return self._product(kernel).workspace

    def expand(self, kernel: KernelOp) -> None:
        self._product(kernel).expand()

    def _product(self, kernel: KernelOp) -> TiledProduct:
        dot = {**DOTS, **TILE_DOTS}[self.dot]
        recipe = recipe_of(contraction_in(kernel), dot)
        in_tiles = TILE in dot.intrinsics and (self.mr, self.nv) == TILES
        if recipe is None or not (in_tiles or self.bytes in dot.intrinsics):
            shape = f"{self.mr} by {self.nv} vectors of {self.bytes} bytes"
            sentence = f"{self.dot} does not compute these products in {shape}"
            raise CompileError("SW0234", sentence, hint="leave the choice of `dot` to the compiler")
        plan = Gemm(self.bytes, self.mr, self.nv, self.mc, self.nc, 0, ("left", "right"))
        return TiledProduct(plan, kernel, recipe)
