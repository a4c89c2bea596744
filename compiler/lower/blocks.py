"""A serial fold in blocks, one after the other: between them a tile's sums lie in memory."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import final

from xdsl.ir import SSAValue

from stepwell.compiler.lower.analysis import Axis
from stepwell.compiler.lower.bodies import BodyWriter
from stepwell.compiler.lower.folds import Block, Intervals
from stepwell.compiler.lower.tiling import Tasks
from stepwell.compiler.lower.writer import ZERO, Bound, Writer
from stepwell.runtime.sizes import Size

Place = Callable[[Size, BodyWriter], Bound]
"""Where the sums of a tile begin, behind so many elements."""


@final
@dataclass(frozen=True, eq=False)
class Blocks:
    """Blocks that go so far along some axes of a fold; `parts` of them make a chunk, or one is some
    chunks."""

    steps: tuple[tuple[Axis, int], ...]
    parts: int

    def elements(self, tiles: Size) -> Size:
        """What lies in memory of so many sums: what all chunks have come to, and behind it one."""
        return tiles * min(self.parts, 2)

    def write(
        self,
        writer: Writer,
        sums: SSAValue,
        tiles: Size,
        place: Place,
        inside: Callable[[Block], None],
    ) -> None:
        """`inside` for each block: the first or the last one of all, and of its chunk."""
        tasks, equal = Tasks(self.steps, least=0), partial(writer.compare, "eq")

        def block(part: Intervals, number: Bound) -> None:
            first = equal(writer.quotient(number, self.parts), 0)
            last = equal(number, writer.extent(tasks.count - 1))
            whole = Block(part, first, last, sums, partial(place, ZERO))
            if self.parts == 1:
                return inside(whole)
            at, behind = writer.remainder(number, self.parts), partial(place, tiles)
            ends = writer.select(last, last, equal(at, self.parts - 1))
            chunk = Block(part, equal(at, 0), ends, sums, behind)
            return inside(replace(whole, chunk=chunk))

        tasks.write(writer, block, parallel=False)
