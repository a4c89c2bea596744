"""Threads side by side along a row: those with the 64 accumulators of a fold, a vector each."""

from collections.abc import Callable, Sequence
from typing import final

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.gpu import ExchangeOp, SyncOp
from stepwell.compiler.dialects.loop.types import LANE_COUNT, Combine
from stepwell.compiler.dialects.sizes import NumberAttr
from stepwell.compiler.lower.bodies import Mask, masks
from stepwell.compiler.lower.combine import Parts, join
from stepwell.compiler.lower.folds import Span, Team
from stepwell.compiler.lower.writer import Bound, Writer

Step = Callable[[tuple[Mask, ...], Sequence[SSAValue]], Sequence[SSAValue]]
UNROLLED = 16
"""Steps that are written out, so that what is kept of them stays in registers."""


@final
class Threads(Team):
    """Accumulator i is lane i mod `width` of thread i / `width`. The position q of a chunk joins
    accumulator q mod 64, so that at any time the threads stand at 64 neighbours."""

    def __init__(self, writer: Writer, lane: Bound, width: int, count: int = 0) -> None:
        self._writer = writer
        self.lane = lane
        self.width = width
        self.count = count or LANE_COUNT // width
        """Of more threads than have the accumulators, all go along, but do not fold."""
        self.reach = self.count * width
        """Positions that they stand at at the same time."""
        self.first = writer.multiply(lane, width)
        """The thread's first position among these."""

    def row(self, span: Span, step: Step, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
        def at(inside: Mask, index: Bound, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
            span.stand(index)
            return step((inside,), carried)

        return self.walk(span.low, span.high, span.unit, carried, at)

    def walk(
        self,
        low: Bound,
        high: Bound,
        unit: int,
        carried: Sequence[SSAValue],
        at: Callable[[Mask, Bound, Sequence[SSAValue]], Sequence[SSAValue]],
    ) -> Sequence[SSAValue]:
        """`at` each vector of the thread between two positions, of which the last ones may be
        masked. All threads go the same number of steps."""
        writer = self._writer

        def full(index: Bound, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
            return at(None, writer.add(index, self.first), carried)

        def rest(index: Bound, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
            place = writer.add(index, self.first)
            return at(masks(writer, place, high, self.width, 1)[0], place, carried)

        reach = self.reach
        if isinstance(low, int) and isinstance(high, int) and high - low <= reach * UNROLLED:
            for index in range(low, high, reach):
                step = full if index + reach <= high else rest
                carried = step(index, carried)
            return carried
        # Chunks begin where blocks do.
        whole = high if unit % reach == 0 else writer.round_down(high, reach)
        carried = writer.loop(low, whole, reach, carried, full)
        if whole is high:
            return carried
        return writer.loop(whole, high, reach, carried, rest)

    def join(self, kind: Combine, parts: Parts) -> Parts:
        distance = self.count // 2
        while distance:
            others = [self._exchanged(each, distance) for each in parts]
            parts = join(self._writer, kind, parts, others)
            distance //= 2
        return parts

    def _exchanged(self, value: SSAValue, distance: int) -> SSAValue:
        numbers = {"distance": NumberAttr(distance), "group": NumberAttr(self.count)}
        return self._writer.effect(ExchangeOp, (value,), (value.type,), numbers).results[0]

    def sync(self) -> None:
        """What the threads have written, all of them see."""
        self._writer.effect(SyncOp, (), (), {"group": NumberAttr(self.count)})
