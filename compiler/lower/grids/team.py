"""Sixteen or 32 threads with the 64 accumulators of a fold, a vector of sixteen bytes each."""

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
"""Blocks of 64 positions that are written out, so that what is kept of them stays in registers."""


@final
class Threads(Team):
    """Accumulator i is lane i mod `width` of thread i / `width`. The position q of a chunk joins
    accumulator q mod 64, so that at any time the threads stand at 64 neighbours."""

    def __init__(self, writer: Writer, lane: Bound, width: int) -> None:
        self._writer = writer
        self.lane = lane
        self.width = width
        self.count = LANE_COUNT // width
        self.first = writer.multiply(lane, width)
        """The thread's first position among the 64."""

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

        if isinstance(low, int) and isinstance(high, int) and high - low <= LANE_COUNT * UNROLLED:
            for index in range(low, high, LANE_COUNT):
                step = full if index + LANE_COUNT <= high else rest
                carried = step(index, carried)
            return carried
        whole = high if unit % LANE_COUNT == 0 else self._whole(low, high)
        carried = writer.loop(low, whole, LANE_COUNT, carried, full)
        if whole is high:
            return carried
        return writer.loop(whole, high, LANE_COUNT, carried, rest)

    def _whole(self, low: Bound, high: Bound) -> Bound:
        """Where the last whole block ends; chunks begin where blocks do."""
        return self._writer.round_down(high, LANE_COUNT)

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
