"""Which rows of a stage count: a fold's guard, asked once for each row by one thread of a block."""

from collections.abc import Mapping, Sequence
from typing import final

from xdsl.dialects.builtin import i32
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import vector
from stepwell.compiler.lower.bodies import Tile
from stepwell.compiler.lower.contraction import slice_of
from stepwell.compiler.lower.folds import NestWriter
from stepwell.compiler.lower.grids.blocks import share
from stepwell.compiler.lower.grids.staging import WIDTH, Stages
from stepwell.compiler.lower.shuffles import extract
from stepwell.compiler.lower.writer import Bound, Writer


@final
class GuardedRows:
    """A number for each row of a block, 0 where its products are left out, in two halves of shared
    memory as the factors are."""

    def __init__(self, writer: Writer, stages: Stages, guard: SSAValue) -> None:
        self._writer = writer
        self._stages = stages
        self._guard = guard
        self._shared = share(writer, 2 * stages.length, i32)

    def put(
        self,
        bases: Mapping[SSAValue, Bound],
        begin: Bound,
        first: Bound,
        half: Bound,
        thread: Bound,
    ) -> None:
        """For the stage that begins at a position of the fold; a block has as many threads as
        rows, or more."""
        writer, length = self._writer, self._stages.length

        def store() -> None:
            one, zero = (writer.constant(number, i32) for number in (1, 0))
            number = writer.select(self._holds(bases, writer.add(begin, thread), first), one, zero)
            place = writer.add(writer.multiply(half, length), thread)
            writer.store(number, self._shared, place)

        if length == self._stages.threads:
            return store()
        has_row = writer.compare("lt", writer.value(thread), writer.value(length))
        writer.branch(has_row, store, lambda: None)
        return None

    def read(self, half: Bound, places: Sequence[Bound]) -> list[SSAValue]:
        """Whether the products count, for the rows at some places, four at each."""
        writer, zero = self._writer, self._writer.constant(0, i32)
        begin = writer.multiply(half, self._stages.length)
        numbers = [
            writer.reload(self._shared, writer.add(begin, place), vector(i32, WIDTH))
            for place in places
        ]
        lanes = [extract(writer, each, lane) for each in numbers for lane in range(WIDTH)]
        return [writer.compare("ne", lane, zero) for lane in lanes]

    def _holds(self, bases: Mapping[SSAValue, Bound], row: Bound, first: Bound) -> SSAValue:
        writer, source, ops = self._writer, self._stages.source, slice_of([self._guard])
        nest, fold = source.contraction.analysis, source.factor.fold
        body = NestWriter(writer, nest, Tile(), bases, {})
        body.bases.update(dict.fromkeys(fold.axes, 0))
        source.fold.stand(writer, body.bases, first)
        last = writer.extent(source.side.size - 1)
        source.side.stand(writer, body.bases, writer.smaller(row, last))
        body.write(nest.nest.body.block, ops)
        body.write(fold.body.block, ops)
        return body.value(self._guard).at(0, 0)
