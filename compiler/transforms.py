"""The three transforms of tensor programs, as blocks: reverse mode, forward mode, batching."""

from collections.abc import Sequence

from xdsl.ir import Block

from stepwell.compiler.autodiff.forward import with_tangents
from stepwell.compiler.autodiff.reverse import split
from stepwell.compiler.batching.blocks import with_axis
from stepwell.compiler.ops.base import Split, Transforms
from stepwell.runtime.sizes import Size


class BlockTransforms(Transforms):
    """What ops with regions ask for, answered by the drivers."""

    def split(self, block: Block, wanted: Sequence[bool], active: Sequence[bool]) -> Split:
        return split(self, block, wanted, active)

    def forward(self, block: Block, on: Sequence[bool]) -> tuple[Block, tuple[bool, ...]]:
        return with_tangents(self, block, on)

    def batch(self, block: Block, size: Size, on: Sequence[bool]) -> tuple[Block, tuple[bool, ...]]:
        return with_axis(self, block, size, on)
