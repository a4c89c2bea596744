"""The pass `relax`: arithmetic that may be rearranged, where a function's numerics are `fast`."""

from dataclasses import dataclass
from typing import final

from xdsl.context import Context
from xdsl.dialects.arith import AddfOp, DivfOp, FastMathFlagsAttr, MulfOp, SubfOp
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.utils import FastMathFlag
from xdsl.passes import ModulePass

from stepwell.compiler.dialects.loop.host import FuncOp, LaunchOp
from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.ops.structure import is_fast

FREE = FastMathFlagsAttr(
    [
        FastMathFlag.REASSOC,
        FastMathFlag.NO_SIGNED_ZEROS,
        FastMathFlag.ALLOW_RECIP,
        FastMathFlag.ALLOW_CONTRACT,
    ]
)
"""Sums and products in any order, quotients as products by an inverse, products and sums that are
rounded once. NaN and infinities stay what they are."""


@final
@dataclass(frozen=True)
class Relax(ModulePass):
    """Marks what users wrote in kernels that no strict function launches. The polynomials of
    functions, which rely on what is lost in rounding, are not written yet."""

    name = "relax"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        launched: dict[bool, set[str]] = {True: set(), False: set()}
        for function in op.ops:
            if isinstance(function, FuncOp):
                calls = (each for each in function.walk() if isinstance(each, LaunchOp))
                launched[is_fast(function)].update(each.callee.string_value() for each in calls)
        free = launched[True] - launched[False]
        for kernel in op.ops:
            if isinstance(kernel, KernelOp) and kernel.sym_name.data in free:
                for each in kernel.walk():
                    if isinstance(each, AddfOp | SubfOp | MulfOp | DivfOp):
                        each.fastmath = FREE
