"""Products of tiles."""

import numpy as np

from stepwell.compiler.dialects.loop.explicit import TILE_LANES, DotTilesOp
from stepwell.compiler.interpret.loops.frames import Frame, Step
from stepwell.compiler.interpret.loops.memory import span
from stepwell.compiler.interpret.loops.translator import Translator
from stepwell.compiler.interpret.loops.vectors import DOT_DTYPES


def dot_tiles(op: DotTilesOp, scope: Translator) -> Step:
    """Integers wrap."""
    left, panel, sums = scope.slots((op.left, op.panel, op.sums))
    numbers = scope.slots((op.first, op.stride, op.begin, op.place, op.rows, op.words))
    kinds, group = (DOT_DTYPES[op.dot.left], DOT_DTYPES[op.dot.right]), op.dot.group

    def run(frame: Frame) -> None:
        first, stride, begin, place, rows, words = map(int, frame.read(numbers))
        x, y = frame[left], frame[panel]
        per_row, in_panel = (
            words * count * group // each.itemsize for count, each in ((1, x), (TILE_LANES, y))
        )
        lines = [span(op, op.left, x, first + row * stride, per_row) for row in range(rows)]
        a = np.concatenate(lines).view(kinds[0]).reshape(rows, -1).astype(np.int32)
        b = span(op, op.panel, y, begin, in_panel).view(kinds[1]).astype(np.int32)
        b = b.reshape(words, TILE_LANES, group).swapaxes(1, 2).reshape(-1, TILE_LANES)
        span(op, op.sums, frame[sums], place, rows * TILE_LANES)[:] = (a @ b).reshape(-1)

    return run
