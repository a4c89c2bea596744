"""Convolutions with kernels of 3 by 3 as fewer products, where the order of sums is free."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from stepwell.compiler.dialects.nd import Moves, Weight, dtype_of, shape_of
from stepwell.compiler.dialects.sizes import Shape
from stepwell.compiler.dialects.winograd import FILTERS, Matrix
from stepwell.compiler.ops.base import concrete
from stepwell.compiler.ops.convolution import Convolution
from stepwell.compiler.ops.creation import WeightOp
from stepwell.compiler.ops.emission import emitting_before
from stepwell.compiler.ops.indices import ONE, ZERO
from stepwell.compiler.ops.joining import concatenate
from stepwell.compiler.ops.movement import Reshape, Transpose
from stepwell.compiler.ops.regions import replace
from stepwell.compiler.ops.sliding import Sliding
from stepwell.compiler.ops.structure import FuncOp, is_fast
from stepwell.compiler.ops.value import Value, emitted, full
from stepwell.runtime.sizes import Size

SIZE = 3
"""Rows and columns of a kernel."""
NARROWEST = 8
"""Channels at least: fewer are less than a vector."""
MOVED = 8
"""Multiply-adds in the time in which an element is fetched from the second cache, or goes there."""
UNKNOWN = 32
"""What a symbolic height or width counts as; of images there may be but one."""


@final
@dataclass(frozen=True)
class Winograd(ModulePass):
    """In functions whose numerics are `fast`: F(4 x 4, 3 x 3) or F(2 x 2, 3 x 3), if that is less.

    Tiles of m + 2 by m + 2 elements and the kernel are transformed, multiplied as (m + 2)²
    matrices, and transformed back to m by m results. What a kernel that is a weight becomes is
    computed when the program is compiled.
    """

    name = "winograd"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in op.ops:
            if isinstance(function, FuncOp) and is_fast(function):
                for each in list(function.walk()):
                    if isinstance(each, Convolution) and (tile := best_tile(each)):
                        _rewrite(each, tile)


def best_tile(op: Convolution) -> int | None:
    """The tile that costs least, or None if none costs less than the convolution as it is."""
    kernel = shape_of(op.rhs.type)
    plain = all(map(_is_plain, op.windows))
    wide = all((size.static or 0) >= NARROWEST for size in kernel[-2:])
    if not (plain and wide and len(kernel) == 4 and op.groups.data == ONE):
        return None
    if dtype_of(op.lhs.type) != "f32":
        return None
    costs = {tile: _cost(op, tile) for tile in FILTERS}
    best = min(costs, key=lambda tile: costs[tile])
    return best if costs[best] < _direct_cost(op) else None


def _is_plain(window: Sliding) -> bool:
    """Whether there are as many windows as places, and only padding around them."""
    around = [-1 if pad.static is None else pad.static for pad in (window.low, window.high)]
    return (
        window.size == Size.of(SIZE) and window.stride == window.dilation == 1 and min(around) >= 0
    )


def _sizes(op: Convolution) -> list[int]:
    """Images, rows, columns and channels of the result, and channels of the operand."""
    sizes = (*shape_of(op.result.type), shape_of(op.rhs.type)[-2])
    unknown = (1, UNKNOWN, UNKNOWN, 0, 0)
    return [
        other if size.static is None else size.static
        for size, other in zip(sizes, unknown, strict=True)
    ]


def _direct_cost(op: Convolution) -> int:
    """Multiply-adds, and as many as the kernel takes to come."""
    n, p, q, o, c = _sizes(op)
    return SIZE * SIZE * (n * p * q + MOVED) * o * c


def _cost(op: Convolution, m: int) -> int:
    """The same by tiles: their transforms, products and ways to memory and back."""
    (n, p, q, o, c), a = _sizes(op), m + SIZE - 1
    tiles = n * -(-p // m) * -(-q // m)
    products = a * a * (tiles + MOVED) * o * c
    there, back = 2 * a**3 * tiles * c, (a + m) * a * m * tiles * o
    moved = 2 * MOVED * a * a * tiles * (c + o)
    made = 0 if _weight(Value(op.rhs)) else (SIZE + a) * a * SIZE * o * c + MOVED * a * a * o * c
    return products + there + back + moved + made


def _rewrite(op: Convolution, m: int) -> None:
    with emitting_before(op):
        result = _tiled(op, m)
    result.ssa.name_hint = op.result.name_hint
    replace(op, [result])


def _tiled(op: Convolution, m: int) -> Value:
    """The convolution by tiles of m rows and columns."""
    a, found = Size.of(m + SIZE - 1), FILTERS[m]
    images, rows, columns, results = shape_of(op.result.type)
    down, across = (rows + (m - 1)) // m, (columns + (m - 1)) // m
    height, width, tiles = (down + 1) * m, (across + 1) * m, images * down * across
    x = _padded(Value(op.lhs), op.windows, (height, width))
    channels = x.shape[-1]
    by_row = _each(x.reshape((images, height, width * channels)), down, found.input, m)
    by_both = _each(by_row.reshape((a * images * down, width, channels)), across, found.input, m)
    products = by_both.reshape((a * a, tiles, channels)).dot(
        _kernel(Value(op.rhs), m), 1, (2,), (1,)
    )
    output, both = _weighted(found.output), tiles * results
    back = output.dot(products.reshape((a, a * both)), 0, (1,), (0,))
    back = output.dot(back.reshape((Size.of(m), a, both)), 0, (1,), (1,))
    apart = back.reshape((Size.of(m), Size.of(m), images, down, across, results))
    whole = apart.transpose((2, 3, 0, 4, 1, 5)).reshape((images, down * m, across * m, results))
    return whole.slice((ZERO,) * 4, (images, rows, columns, results))


def _padded(x: Value, windows: Sequence[Sliding], lengths: Shape) -> Value:
    """Zeros around the rows and columns, so that there are so many of them."""
    low = [window.low for window in windows]
    high = [n - size - before for n, size, before in zip(lengths, x.shape[1:3], low, strict=True)]
    return x.pad(full(0, x.dtype), (ZERO, *low, ZERO), (ZERO, *high, ZERO))


def _each(x: Value, tiles: Size, matrix: Matrix, m: int) -> Value:
    """x[N, (tiles + 1) * m, C] to [m + 2, N, tiles, C]: the matrix by each tile, which has its own
    m elements and the first two of the next one."""
    first, _, last = x.shape
    own = x.reshape((first, tiles + 1, Size.of(m), last))
    next = own.slice((ZERO, ONE, ZERO, ZERO), (first, tiles, Size.of(SIZE - 1), last))
    own = own.slice((ZERO,) * 4, (first, tiles, Size.of(m), last))
    return _weighted(matrix).dot(concatenate([own, next], 2), 0, (1,), (2,))


def _kernel(w: Value, m: int) -> Value:
    """w[3, 3, C, O] as [(m + 2)², C, O], column by column."""
    a, (*_, channels, results) = m + SIZE - 1, w.shape
    if found := _weight(w):
        weight, moves = found
        made = weight.moved((*moves, ("winograd", (m,))))
        return _constant(made, (Size.of(a * a), channels, results))
    matrix, both = _weighted(FILTERS[m].kernel), channels * results
    rows = matrix.dot(w.reshape((Size.of(SIZE), both * SIZE)), 0, (1,), (0,))
    elements = matrix.dot(rows.reshape((Size.of(a), Size.of(SIZE), both)), 0, (1,), (1,))
    return elements.reshape((Size.of(a * a), channels, results))


def _weight(value: Value) -> tuple[Weight, Moves] | None:
    """The weight that a value is, after some moves."""
    moves: Moves = ()
    op = value.ssa.owner
    while isinstance(op, Transpose | Reshape):
        numbers = op.axes.data if isinstance(op, Transpose) else concrete(op.shape.data)
        kind = "transpose" if isinstance(op, Transpose) else "reshape"
        moves, op = ((kind, numbers), *moves), op.x.owner
    return (op.value.data, moves) if isinstance(op, WeightOp) else None


def _weighted(matrix: Matrix) -> Value:
    shape = tuple(map(Size.of, matrix.shape))
    return _constant(Weight(values=matrix.astype(np.float32)), shape)


def _constant(weight: Weight, shape: Shape) -> Value:
    return emitted("weight", [], value=weight, dtype="f32", shape=shape)[0]
