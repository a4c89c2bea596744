"""Which buffers of a function cannot be one: one is written while another holds what is read later.

Sets of buffers are integers with a bit for each, so that a step costs little however many there
are; the function is gone through once from its end to its start, and a loop until nothing is new.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from xdsl.ir import Block, Operation, SSAValue
from xdsl.traits import IsTerminator

from stepwell.compiler.dialects.loop.explicit import ForOp, IfOp, LoadOp
from stepwell.compiler.dialects.loop.host import (
    AllocOp,
    CopyOp,
    FuncOp,
    HostOp,
    LaunchOp,
    ViewOp,
    WhileOp,
)
from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.types import BufferType
from stepwell.compiler.dialects.sizes import IntsAttr

OVERWRITES = "overwrites"
"""The attribute of a kernel with the pairs (input, output) of its arguments that may be one buffer,
one pair after the other, and of a function with those that are one."""

BECAUSE = "because"
"""The attribute of a copy of a whole buffer that says why it is made."""

NEEDED = "needed"
"""The attribute of such a copy with the location where both buffers are needed, if it is known."""


def pairs(op: Operation) -> list[tuple[int, int]]:
    """What an op says of its arguments in the attribute `overwrites`."""
    found = op.attributes.get(OVERWRITES, IntsAttr(()))
    assert isinstance(found, IntsAttr)
    return list(zip(found.data[::2], found.data[1::2], strict=True))


@final
@dataclass
class Effect:
    """What an op reads, writes as a whole, and writes in part."""

    reads: int = 0
    writes: int = 0
    changes: int = 0
    beside: Mapping[int, int] | None = None
    """For each that it writes, what must not lie in the same place: if not given, what it reads."""


@final
class Interference:
    """The conflicts between a function's arguments and allocations, by their numbers."""

    def __init__(
        self, function: FuncOp, callees: Mapping[str, FuncOp | KernelOp], kept: Sequence[SSAValue]
    ):
        """`kept` are the arguments that still hold their values when the function ends."""
        arguments = [x for x in function.arguments if isinstance(x.type, BufferType)]
        allocated = [op.result for op in function.walk() if isinstance(op, AllocOp)]
        self.buffers: list[SSAValue] = [*arguments, *allocated]
        self.numbers = {buffer: number for number, buffer in enumerate(self.buffers)}
        self.conflicts = [0] * len(self.buffers)
        self.barred = 0
        """Buffers that are handed on under another name."""
        self._callees = callees
        self._writers: list[list[tuple[Operation, int]]] = [[] for _ in self.buffers]
        self._block(function.body.block, self._set(kept))
        for number, others in enumerate(tuple(self.conflicts)):
            for other in bits(others):
                self.conflicts[other] |= 1 << number

    def cause(self, first: int, second: int) -> Operation | None:
        """An op because of which two buffers cannot be one."""
        for number, other in ((first, second), (second, first)):
            for op, others in self._writers[number]:
                if others >> other & 1:
                    return op
        return None

    def _set(self, values: Sequence[SSAValue]) -> int:
        found = 0
        for value in values:
            found |= self._place(value)[0]
        return found

    def _place(self, value: SSAValue) -> tuple[int, bool]:
        """The buffer in which a value lies, and whether it is all of it."""
        whole = True
        while isinstance(view := value.owner, ViewOp):
            value, whole = view.base, False
        number = self.numbers.get(value)
        return (0 if number is None else 1 << number), whole

    def _block(self, block: Block, live: int) -> int:
        """What is live before a block, given what is so behind it."""
        op = block.last_op
        while op is not None:
            live = self._op(op, live)
            op = op.prev_op
        return live

    def _op(self, op: Operation, live: int) -> int:
        match op:
            case IfOp():
                return self._block(op.then.block, live) | self._block(op.otherwise.block, live)
            case WhileOp():
                self.barred |= self._set(op.initial)
                condition, body = op.condition.block, op.body.block
                return _repeated(
                    lambda again: self._block(condition, live | self._block(body, again)),
                    self._block(condition, live),
                )
            case ForOp():
                self.barred |= self._set(op.initial)
                return _repeated(lambda again: self._block(op.body.block, again), live)
            case _:
                return self._leaf(op, live)

    def _leaf(self, op: Operation, live: int) -> int:
        effect = self._effect(op)
        written = effect.writes | effect.changes
        for number in bits(written):
            beside = effect.reads if effect.beside is None else effect.beside[number]
            others = (live & ~self._copied(op) | beside | written) & ~(1 << number)
            if others:
                self.conflicts[number] |= others
                self._writers[number].append((op, others))
        return live & ~effect.writes | effect.reads

    def _copied(self, op: Operation) -> int:
        """What a copy makes its target equal to."""
        if not isinstance(op, CopyOp):
            return 0
        (source, whole), (_, all) = self._place(op.source), self._place(op.target)
        return source if whole and all else 0

    def _effect(self, op: Operation) -> Effect:
        match op:
            case AllocOp() | ViewOp():
                return Effect()
            case CopyOp():
                target, whole = self._place(op.target)
                source = self._place(op.source)[0]
                beside = dict.fromkeys(bits(target), 0 if self._copied(op) else source)
                return Effect(source, target * whole, target * (not whole), beside)
            case LaunchOp():
                return self._launch(op)
            case LoadOp() | HostOp():
                return Effect(reads=self._set(op.operands))
            case _:
                found = self._set([x for x in op.operands if isinstance(x.type, BufferType)])
                if op.has_trait(IsTerminator):
                    self.barred |= found
                return Effect(reads=found, changes=found)

    def _launch(self, op: LaunchOp) -> Effect:
        """A kernel may overwrite what it says it can, unless it reads that in another way, too."""
        callee = self._callees[op.callee.string_value()]
        split = len(op.arguments) - callee.outputs.data
        inputs = [self._place(argument)[0] for argument in op.arguments[:split]]
        allowed = pairs(callee) if isinstance(callee, KernelOp) else []
        effect, beside = Effect(reads=self._set(op.arguments[:split])), dict[int, int]()
        for output, argument in enumerate(op.arguments[split:], split):
            place, whole = self._place(argument)
            effect.writes |= place * whole
            effect.changes |= place * (not whole)
            others = 0
            for input, read in enumerate(inputs):
                if not whole or (input, output) not in allowed:
                    others |= read
            for number in bits(place):
                beside[number] = beside.get(number, 0) | others
        effect.beside = beside
        return effect


def bits(set: int) -> Iterator[int]:
    """The numbers in a set."""
    while set:
        lowest = set & -set
        yield lowest.bit_length() - 1
        set ^= lowest


def _repeated(once: Callable[[int], int], live: int) -> int:
    """What is live before a loop whose body is gone through until nothing is new."""
    while (grown := live | once(live)) != live:
        live = grown
    return live
