"""Products of tiles: AMX's registers, of 16 rows of 64 bytes each, and the loops around them."""

from itertools import product
from typing import final

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import i8, i64, size, vector
from stepwell.compiler.dialects.loop.explicit import TILE_LANES, DotTilesOp
from stepwell.compiler.dialects.loop.types import buffer_type
from stepwell.compiler.lower.loop_to_llvm.frame import Frame
from stepwell.compiler.machines.dots import TILE

WORD, ROW, ROWS, COUNT = 4, 64, 16, 8
"""Bytes of a word and of a tile's row, rows of a tile, and how many tiles there are."""
LEFT, RIGHT = 4, 6
"""The first tiles of the operands; before them are sums."""
COLUMNS = TILE_LANES * WORD // ROW
"""Tiles beside each other."""
CONFIGURATION = [1, *[0] * 15, *[ROW, 0] * COUNT, *[0] * 16, *[ROWS] * COUNT, *[0] * 8]
"""Palette 1, with the bytes of a row and the rows of each tile (Intel's manual, LDTILECFG)."""


def dot_tiles(frame: Frame, op: DotTilesOp) -> None:
    build, rows = frame.build, frame.values[op.rows]
    place = frame.room(i8, len(CONFIGURATION), ROW)
    build.store(build.constant(vector(i8, len(CONFIGURATION)), CONFIGURATION), place)
    build.intrinsic_void("llvm.x86.ldtilecfg", [place])
    tiles = _Tiles(frame, op)
    whole = build.and_(rows, -2 * ROWS)
    with build.loop(0, whole, 2 * ROWS) as loop:
        tiles.multiply(loop.index, 2)
    with build.loop(whole, rows, ROWS) as loop:
        tiles.multiply(loop.index, 1)
    build.intrinsic_void("llvm.x86.tilerelease", [])


@final
class _Tiles:
    """One product, block by block of rows."""

    def __init__(self, frame: Frame, op: DotTilesOp) -> None:
        self.build = frame.build
        self.instruction = op.dot.intrinsics[TILE]
        self.left = frame.place(op.left, op.first)
        self.panel = frame.place(op.panel, op.begin)
        self.sums = frame.place(op.sums, op.place)
        self.row = self.build.mul(frame.values[op.stride], size(buffer_type(op.left).element))
        self.panel_row = self.build.constant(i64, TILE_LANES * WORD)
        self.words = frame.values[op.words]

    def multiply(self, first: SSAValue, height: int) -> None:
        """All products of so many tiles of rows, from row `first` on."""
        build, rows, columns = self.build, range(height), range(COLUMNS)
        places = list(product(rows, columns))
        for row, column in places:
            build.intrinsic_void("llvm.x86.tilezero", [self._number(row * COLUMNS + column)])
        starts = [build.mul(build.add(first, row * ROWS), self.row) for row in rows]
        with build.loop(0, self.words, ROWS) as loop:
            word = build.mul(loop.index, WORD)
            line = build.mul(loop.index, self.panel_row)
            for column in columns:
                self._load(RIGHT + column, self.panel, line, column * ROW, self.panel_row)
            for row in rows:
                self._load(LEFT + row, self.left, build.add(starts[row], word), 0, self.row)
                for column in columns:
                    numbers = row * COLUMNS + column, LEFT + row, RIGHT + column
                    build.intrinsic_void(self.instruction, list(map(self._number, numbers)))
        for row, column in places:
            line = build.mul(build.add(first, row * ROWS), self.panel_row)
            place = build.gep(self.sums, build.add(line, column * ROW), i8)
            tile = self._number(row * COLUMNS + column)
            build.intrinsic_void("llvm.x86.tilestored64", [tile, place, self.panel_row])

    def _load(
        self, tile: int, base: SSAValue, offset: SSAValue, beside: int, stride: SSAValue
    ) -> None:
        place = self.build.gep(base, self.build.add(offset, beside), i8)
        self.build.intrinsic_void("llvm.x86.tileloadd64", [self._number(tile), place, stride])

    def _number(self, tile: int) -> SSAValue:
        return self.build.constant(i8, tile)
