"""The pass `relax`: arithmetic that may be rearranged, where a kernel's numerics are `fast`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from xdsl.context import Context
from xdsl.dialects.arith import AddfOp, DivfOp, FastMathFlagsAttr, MulfOp, SubfOp
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.math import SqrtOp
from xdsl.dialects.utils import FastMathFlag
from xdsl.ir import Operation
from xdsl.passes import ModulePass

from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.ops.structure import is_fast

FREE = (
    FastMathFlag.REASSOC,
    FastMathFlag.NO_SIGNED_ZEROS,
    FastMathFlag.ALLOW_RECIP,
    FastMathFlag.ALLOW_CONTRACT,
)
"""Sums and products in any order, quotients as products by an inverse, products and sums that are
rounded once. NaN and infinities stay what they are."""
NEAR = (FastMathFlag.APPROX_FUNC,)
"""Results that are near to the nearest float."""
FLAGS: Mapping[type[Operation], FastMathFlagsAttr] = {
    **dict.fromkeys((AddfOp, SubfOp, MulfOp), FastMathFlagsAttr(FREE)),
    DivfOp: FastMathFlagsAttr(FREE + NEAR),
    SqrtOp: FastMathFlagsAttr(NEAR),
}


@final
@dataclass(frozen=True)
class Relax(ModulePass):
    """Marks what users wrote. The polynomials of functions, which rely on what is lost in rounding,
    are not written yet."""

    name = "relax"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in op.ops:
            if isinstance(kernel, KernelOp) and is_fast(kernel):
                for each in kernel.walk():
                    if type(each) in FLAGS:
                        each.properties["fastmath"] = FLAGS[type(each)]
