"""The tensor level in Python: a function run op by op, by the references of the ops in NumPy."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepwell.compiler.dialects.nd import shape_of
from stepwell.compiler.ops.base import bound, evaluate
from stepwell.compiler.ops.structure import FuncOp

Array = NDArray[Any]


def run(
    function: FuncOp, arrays: Sequence[Array], sizes: Mapping[str, int] | None = None
) -> list[Array]:
    """The results of a function. Symbols that are not given are read off the arguments' shapes."""
    values = dict(sizes or {})
    for argument, array in zip(function.body.block.args, arrays, strict=True):
        for size, extent in zip(shape_of(argument.type), array.shape, strict=True):
            if len(size.symbols) == 1 and str(size) in size.symbols:
                values.setdefault(str(size), extent)
    with bound(values):
        return evaluate(function.body.block, [np.asarray(array) for array in arrays])
