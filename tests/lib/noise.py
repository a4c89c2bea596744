"""What a program gives by reference, and how far rounding may take it: run again with noise.

Compiled code rounds elsewhere than NumPy does. Where that grows, or makes a comparison fall
out otherwise, so does a little noise on every op.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from xdsl.ir import Block, SSAValue

from stepwell.compiler.ops.base import Role, TensorOp, bound

Array: TypeAlias = NDArray[Any]
RUNS = 6
ULPS = 4
"""The noise on a result, in units in the last place."""


@final
@dataclass(frozen=True)
class Expected:
    """A result, and where it is certain to within how much."""

    value: Array
    certain: Array
    tolerance: Array

    def check(self, actual: Array) -> None:
        assert (actual.dtype, actual.shape) == (self.value.dtype, self.value.shape)
        if not _is_float(actual):
            np.testing.assert_array_equal(actual[self.certain], self.value[self.certain])
            return
        found, wanted = actual.astype(np.float64), self.value.astype(np.float64)
        with np.errstate(invalid="ignore"):
            near = np.abs(found - wanted) <= self.tolerance
        good = near | (found == wanted) | (np.isnan(found) & np.isnan(wanted)) | ~self.certain
        assert good.all(), (
            f"{found[~good][:4]} is not {wanted[~good][:4]} by {self.tolerance[~good][:4]}"
        )


def expected(block: Block, arrays: Sequence[Array], sizes: dict[str, int]) -> list[Expected]:
    """The results of a closed block."""
    random = np.random.default_rng(0)
    with np.errstate(all="ignore"), bound(sizes):
        exact = _run(block, arrays, None)
        others = [_run(block, arrays, random) for _ in range(RUNS)]
    return [_expected(*each) for each in zip(exact, *others, strict=True)]


def _expected(exact: Array, *others: Array) -> Expected:
    stacked = np.stack([exact, *others])
    if not _is_float(exact):
        return Expected(exact, (stacked == exact).all(0), np.zeros(exact.shape))
    wide = stacked.astype(np.float64)
    info: Any = ml_dtypes.finfo(exact.dtype)
    nan, finite = np.isnan(wide), np.isfinite(wide)
    with np.errstate(invalid="ignore"):
        spread = np.nanmax(np.abs(wide - wide[0]), axis=0, initial=0)
        tolerance = 8 * spread + 8 * float(info.eps) * np.abs(wide[0]) + 8 * float(info.tiny)
    certain = (nan == nan[0]).all(0) & (finite == finite[0]).all(0)
    return Expected(exact, certain, tolerance)


def _run(block: Block, arrays: Sequence[Array], random: np.random.Generator | None) -> list[Array]:
    known: dict[SSAValue, Array] = dict(zip(block.args, arrays, strict=True))
    for op in block.ops:
        operands = [known[operand] for operand in op.operands]
        if op is block.last_op:
            return operands
        assert isinstance(op, TensorOp)
        if random is not None and op.ROLE not in (Role.FREE, Role.MAP):
            operands = [_noisy(each, random) for each in operands]
        values = op.reference(*operands)
        results = [
            np.asarray(each) for each in (values if isinstance(values, tuple) else (values,))
        ]
        if random is not None and op.ROLE is not Role.FREE:
            results = [_noisy(each, random) for each in results]
        known.update(zip(op.results, results, strict=True))
    return []


def _noisy(x: Array, random: np.random.Generator) -> Array:
    if not _is_float(x):
        return x
    info: Any = ml_dtypes.finfo(x.dtype)
    noise = random.uniform(-ULPS, ULPS, x.shape) * float(info.eps)
    return np.asarray(x.astype(np.float64) * (1 + noise)).astype(x.dtype)


def _is_float(x: Array) -> bool:
    return x.dtype.kind not in "biu"
