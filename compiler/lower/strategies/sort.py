"""The strategy `sort`: rows sorted by ranks if they are short, else digit by digit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, final

from xdsl.dialects import arith
from xdsl.dialects.builtin import i1, i64
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import vector
from stepwell.compiler.dialects.loop.nests import KernelOp, SortOp
from stepwell.compiler.dialects.loop.scalar import Cast
from stepwell.compiler.dialects.loop.syntax import INDEX
from stepwell.compiler.dialects.loop.types import buffer, buffer_type
from stepwell.compiler.dialects.sizes import count_of
from stepwell.compiler.lower.analysis import lanes_of
from stepwell.compiler.lower.codes import cast, code_bytes, code_of, code_type, integer_op
from stepwell.compiler.lower.costs import length
from stepwell.compiler.lower.strategies.base import Refusal, Strategy, expanding, place, total_bytes
from stepwell.compiler.lower.writer import ONE, ZERO, Bound, Writer
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.sizes import Size, smallest

SHORT = 128
"""Rows of no more positions are sorted by ranks."""

CHUNK = 1 << 16
"""Positions of a row that is shared among threads which a task takes."""

TASKS = 32
"""So many tasks of whole rows let threads end together."""

VALUES = 256
"""Of a digit."""

STEP, TASK = 2.0, 20_000
"""Nanoseconds for one digit of one position, and for a task."""


@final
@dataclass(frozen=True)
class Sort(Strategy):
    """Stable sorting along one axis. No key is compared where rows are long: eight bits at a time
    are counted, lowest first (D. Knuth, The Art of Computer Programming 3, 5.2.5, algorithm R).

    `bytes` is the width of a vector. Rows of up to `short` positions are sorted by ranks: how many
    keys come before each one. Rows are shared among `tasks` tasks; or they are taken one after the
    other, and each is shared in chunks of `chunk` positions, unless that is 0.
    """

    name: ClassVar[str] = "sort"
    bytes: int = 64
    short: int = SHORT
    tasks: int = 1
    chunk: int = 0

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        ops = list(kernel.body.block.ops)
        if len(ops) == 1 and isinstance(ops[0], SortOp):
            return None
        return Refusal("it is not one sort")

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        rows = SortedRows(cls(), kernel)
        count, positions = length(rows.count), length(rows.length)
        long = rows.length.static is None or positions >= 2 * CHUNK
        if rows.count.static is not None and count < TASKS // 4 and long:
            return cls(machine.vector_bytes, chunk=CHUNK)
        time = count * positions * code_bytes(rows.elements[0]) * STEP
        return cls(machine.vector_bytes, tasks=max(1, min(TASKS, count, int(time / TASK))))

    def workspace(self, kernel: KernelOp) -> Size:
        rows = SortedRows(self, kernel)
        return ZERO if rows.are_short else rows.bytes * smallest(rows.count, max(1, self.tasks))

    def expand(self, kernel: KernelOp) -> None:
        rows = SortedRows(self, kernel)
        with expanding(kernel) as writer:
            rows.write(writer)


Carried = Sequence[SSAValue]


@final
class SortedRows:
    """The rows of a sort. In the workspace each task has the counts of digits for each chunk, and
    twice the room for a row of every input, of which one is filled from the other."""

    def __init__(self, plan: Sort, kernel: KernelOp):
        (op,) = kernel.body.block.ops
        assert isinstance(op, SortOp)
        types = list(map(buffer_type, op.inputs))
        shape, axis = types[0].shape, op.axis.data
        self.plan = plan
        self.location = op.location
        self.signed = op.signed is not None
        self.inputs, self.outputs = tuple(op.inputs), tuple(op.outputs)
        self.elements = [type.element for type in types]
        self.length = shape[axis]
        self.stride = count_of(shape[axis + 1 :])
        self.count = count_of(shape[:axis]) * self.stride
        self.chunks = (self.length + plan.chunk - 1) // plan.chunk if plan.chunk else ONE
        self.counts = buffer((self.chunks * VALUES,), i64)
        self.rooms = [buffer((self.length,), type) for type in self.elements]
        self.half = total_bytes(self.rooms)
        self.bytes = total_bytes([self.counts]) + self.half * 2
        self.workspace = kernel.arguments[-1]

    @property
    def are_short(self) -> bool | None:
        """None if that is not known."""
        length = self.length.static
        return None if length is None else length <= max(1, self.plan.short)

    def write(self, writer: Writer) -> None:
        writer.location = self.location
        if self.plan.tasks <= 1:
            self._task(writer, 0, 0, writer.extent(self.count))
            return

        def task(number: Bound) -> None:
            share = writer.ceiling(writer.extent(self.count), self.plan.tasks)
            low = writer.product(number, share)
            high = writer.smaller(writer.add(low, share), writer.extent(self.count))
            self._task(writer, number, low, high)

        writer.parallel(self.plan.tasks, task)

    def _task(self, writer: Writer, number: Bound, low: Bound, high: Bound) -> None:
        def row(index: Bound) -> None:
            stride = writer.extent(self.stride)
            outer, inner = writer.quotient(index, stride), writer.remainder(index, stride)
            first = writer.affine([(self.length * self.stride, outer), (ONE, inner)])
            _SortedRow(writer, self, number, first).write()

        writer.each(low, high, row)


@final
class _SortedRow:
    """One row, whose first element lies at `first`."""

    def __init__(self, writer: Writer, rows: SortedRows, task: Bound, first: Bound):
        self.writer = writer
        self.rows = rows
        self.task = task
        self.first = first
        self.length = writer.extent(rows.length)
        self.key, self.code = rows.elements[0], code_type(rows.elements[0])

    def write(self) -> None:
        if (short := self.rows.are_short) is not None:
            self._by_ranks() if short else self._by_digits()
            return
        size, most = map(self.writer.value, (self.length, self.rows.plan.short))
        is_short = self.writer.compare("le", size, most)
        self.writer.branch(is_short, self._by_ranks, self._by_digits)

    # Ranks.

    def _by_ranks(self) -> None:
        """Every element goes where as many others lie before it."""
        writer, rows = self.writer, self.rows
        width = lanes_of([self.code], rows.plan.bytes)
        room = buffer((Size.of(-(-max(1, rows.plan.short) // width) * width),), self.code)
        codes, ranks = writer.stack(room), writer.stack(room)

        def encode(place: Bound) -> None:
            key = writer.reload(rows.inputs[0], self._offset(place), self.key)
            writer.store(code_of(writer, key, self.rows.signed), codes, place)

        def rank(place: Bound) -> None:
            writer.store(self._ranks(codes, place, width), ranks, place)

        def move(place: Bound) -> None:
            target = self._index(writer.reload(ranks, place, self.code))
            self._copy(rows.inputs, self._offset(place), rows.outputs, self._offset(target))

        writer.each(0, self.length, encode)
        writer.each(0, self.length, rank, width)
        writer.each(0, self.length, move)

    def _ranks(self, codes: SSAValue, place: Bound, width: int) -> SSAValue:
        """How many codes come before each of those in a vector: all that are less, and equal ones
        at lower places."""
        writer, type = self.writer, vector(self.code, width)
        mine = writer.reload(codes, place, type)
        numbers = cast(writer, Cast.INDEX, writer.lanes(place, width), type)
        zero, one = (writer.splat(writer.constant(n, self.code), width) for n in (0, 1))

        def near(theirs: SSAValue, number: SSAValue) -> SSAValue:
            lower = writer.compare("lt", writer.splat(number, width), numbers)
            level = writer.compare("eq", theirs, mine)
            less = writer.compare("ult", theirs, mine)
            return writer.any_of([less, writer.all_of([level, lower])])

        def counted(predicate: str | None) -> Callable[[Bound, Carried], Carried]:
            def step(other: Bound, ranks: Carried) -> Carried:
                theirs = writer.splat(writer.reload(codes, other, self.code), width)
                number = cast(writer, Cast.INDEX, writer.value(other), self.code)
                before = (
                    writer.compare(predicate, theirs, mine) if predicate else near(theirs, number)
                )
                return [
                    integer_op(writer, arith.AddiOp, ranks[0], writer.select(before, one, zero))
                ]

            return step

        behind = writer.add(place, width)
        ranks = writer.loop(0, place, 1, [zero], counted("ule"))
        ranks = writer.loop(place, writer.smaller(behind, self.length), 1, ranks, counted(None))
        return writer.loop(behind, self.length, 1, ranks, counted("ult"))[0]

    # Digits.

    def _by_digits(self) -> None:
        """All positions in the order of their lowest digit, then of the next, …, each stable."""
        writer, rows = self.writer, self.rows
        before = [(rows.bytes, self.task)]
        self.counts = place(writer, rows.workspace, {0: rows.counts}, before)[0]
        start = self._rooms(0)

        def load(_: Bound, low: Bound, high: Bound) -> None:
            writer.each(low, high, lambda i: self._copy(rows.inputs, self._offset(i), start, i))

        self._in_chunks(load)
        zero = writer.value(0)
        (half,) = writer.loop(0, code_bytes(self.key), 1, [zero], self._digit)
        end = self._rooms(half)

        def store(_: Bound, low: Bound, high: Bound) -> None:
            writer.each(low, high, lambda i: self._copy(end, i, rows.outputs, self._offset(i)))

        self._in_chunks(store)

    def _rooms(self, half: Bound) -> list[SSAValue]:
        rows = self.rows
        before = [(rows.bytes, self.task), (rows.half, half), (total_bytes([rows.counts]), 1)]
        types = dict(enumerate(rows.rooms))
        return list(place(self.writer, rows.workspace, types, before).values())

    def _in_chunks(self, inside: Callable[[Bound, Bound, Bound], None]) -> None:
        """`inside` for each chunk, with its first position and that behind its last."""
        writer, size = self.writer, self.rows.plan.chunk
        if size == 0:
            inside(0, 0, self.length)
            return

        def chunk(number: Bound) -> None:
            low = writer.multiply(number, size)
            inside(number, low, writer.smaller(writer.add(low, size), self.length))

        writer.parallel(writer.extent(self.rows.chunks), chunk)

    def _digit(self, number: Bound, carried: Carried) -> Carried:
        """One digit: from one half to the other, unless it is the same everywhere."""
        writer, (half,) = self.writer, carried
        shift = cast(writer, Cast.INDEX, writer.value(writer.multiply(number, 8)), self.code)
        source, other = self._rooms(half), writer.subtract(1, half)

        def tally(chunk: Bound, low: Bound, high: Bound) -> None:
            def clear(value: Bound) -> None:
                writer.store(zeros, self.counts, self._count(chunk, value))

            writer.each(0, VALUES, clear, width)
            writer.each(low, high, lambda i: self._take(source[0], i, chunk, shift))

        def move() -> Carried:
            target = self._rooms(other)

            def moved(chunk: Bound, low: Bound, high: Bound) -> None:
                def step(place: Bound) -> None:
                    self._copy(source, place, target, self._take(source[0], place, chunk, shift))

                writer.each(low, high, step)

            self._in_chunks(moved)
            return [writer.value(other)]

        width = lanes_of([i64], self.rows.plan.bytes)
        zeros = writer.splat(writer.constant(0, i64), width)
        self._in_chunks(tally)
        return writer.branch(self._add_up(), lambda: [half], move)

    def _add_up(self) -> SSAValue:
        """Counts become the places of what is counted. Whether all have one value."""
        writer = self.writer
        whole = cast(writer, Cast.INDEX, writer.value(self.length), i64)

        def value(number: Bound, carried: Carried) -> Carried:
            def step(chunk: Bound, total: Carried) -> Carried:
                place = self._count(chunk, number)
                count = writer.reload(self.counts, place, i64)
                writer.store(total[0], self.counts, place)
                return [integer_op(writer, arith.AddiOp, total[0], count)]

            first, same = carried
            (total,) = writer.loop(0, writer.extent(self.rows.chunks), 1, [first], step)
            count = integer_op(writer, arith.SubiOp, total, first)
            return [total, writer.any_of([same, writer.compare("eq", count, whole)])]

        start = [writer.constant(0, i64), writer.constant(0, i1)]
        return writer.loop(0, VALUES, 1, start, value)[1]

    def _take(self, keys: SSAValue, place: Bound, chunk: Bound, shift: SSAValue) -> Bound:
        """What is counted for the digit of a key, which then is one more."""
        writer = self.writer
        code = code_of(writer, writer.reload(keys, place, self.key), self.rows.signed)
        digit = integer_op(writer, arith.ShRUIOp, code, shift)
        digit = self._index(integer_op(writer, arith.AndIOp, digit, VALUES - 1))
        count = self._count(chunk, digit)
        value = writer.reload(self.counts, count, i64)
        writer.store(integer_op(writer, arith.AddiOp, value, 1), self.counts, count)
        return self._index(value)

    # Places.

    def _copy(self, sources: Carried, place: Bound, targets: Carried, other: Bound) -> None:
        for source, target, type in zip(sources, targets, self.rows.elements, strict=True):
            self.writer.store(self.writer.reload(source, place, type), target, other)

    def _offset(self, place: Bound) -> Bound:
        return self.writer.affine([(ONE, self.first), (self.rows.stride, place)])

    def _count(self, chunk: Bound, value: Bound) -> Bound:
        return self.writer.affine([(Size.of(VALUES), chunk), (ONE, value)])

    def _index(self, number: SSAValue) -> SSAValue:
        return cast(self.writer, Cast.INDEX, number, INDEX)
