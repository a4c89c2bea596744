"""How near a card comes to the nests in products of halves, whose order is its own, `tensor`."""

from collections.abc import Sequence
from math import prod
from typing import Any

import ml_dtypes
import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from expanding import Array, Sizes
from stepwell.compiler.dialects.loop.host import FuncOp, LaunchOp
from stepwell.compiler.dialects.loop.nests import FoldOp, KernelOp
from stepwell.compiler.dialects.loop.types import TENSOR
from stepwell.compiler.interpret.loops import run_kernel

BLOCK = 16
"""Positions that are added at a time."""
ERROR = 20 * 2.0**-23
"""Of a block, times all that meets in it, as the page on semantics says."""


def folds_of_a_card(op: Operation) -> list[FoldOp]:
    """Those in the order of matrix instructions, which every card adds up in its own way."""
    return [each for each in op.walk() if isinstance(each, FoldOp) and each.order.data == TENSOR]


def blocks_of(kernel: KernelOp, sizes: Sizes) -> int:
    """Of the longest such fold."""
    shapes = [each.sizes.data for each in folds_of_a_card(kernel)]
    counts = [prod(size.evaluate(sizes) for size in shape) for shape in shapes]
    return max((-(-count // BLOCK) for count in counts), default=0)


def functions_of_a_card(module: ModuleOp) -> set[str]:
    """Those that launch a kernel with such folds."""
    kernels = (op for op in module.ops if isinstance(op, KernelOp))
    own = {each.sym_name.data for each in kernels if folds_of_a_card(each)}
    return {
        function.sym_name.data
        for function in module.ops
        if isinstance(function, FuncOp)
        for op in function.walk()
        if isinstance(op, LaunchOp) and op.callee.string_value() in own
    }


def magnitudes(arrays: Sequence[Array]) -> list[Array]:
    """Without the signs of floats: what a sum of products is computed of in order to know what
    meets in it."""
    return [each if each.dtype.kind in "biu" else np.abs(each) for each in arrays]


def expect_near_nests(
    kernel: KernelOp,
    sizes: Sizes,
    given: Sequence[Array],
    found: Sequence[Array],
    expected: Sequence[Array],
) -> None:
    """Of a kernel of products whose sums go through sums and maxima alone before they are written,
    if they do: these move no two numbers apart, and without signs they make a sum no less."""
    met = [each.copy() for each in magnitudes(given)]
    run_kernel(kernel, met, sizes)
    expect_near(found, expected, met, blocks_of(kernel, sizes))


def expect_near(
    found: Sequence[Array], expected: Sequence[Array], met: Sequence[Array], blocks: int
) -> None:
    """Both lie within the bound of the exact sum, and are rounded to their dtype; what is infinite
    or no number is so for both. `met` is what the sums are without signs."""
    for one, other, sums in zip(found, expected, met, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        if one.dtype.kind in "biu":
            np.testing.assert_array_equal(one, other)
            continue
        info: Any = ml_dtypes.finfo(one.dtype)
        whole = [each.astype(np.float64) for each in (one, other, sums)]
        finite = np.isfinite(whole[1])
        np.testing.assert_array_equal(whole[0][~finite], whole[1][~finite])
        a, b, s = (each[finite] for each in whole)
        assert np.isfinite(a).all()
        apart = 2 * ERROR * max(blocks, 1) * s
        rounded = float(info.eps) * (np.abs(b) + apart) + float(info.smallest_subnormal)
        assert (np.abs(a - b) <= apart + rounded).all()
