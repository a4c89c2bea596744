"""The pass `share-buffers`: what would be copied is overwritten in place where nobody can tell.

A copy's source and target become one buffer unless one is written while the other holds what is
read later, as a register allocator coalesces moves (G. Chaitin, "Register allocation and spilling
via graph coloring", 1982). So what a loop carries is updated where it lies, and a result lies where
an argument was that the caller gives away. A copy that remains says what is in its way.

What a kernel makes of an array element by element lies where that was, if nobody reads it later:
the caches hold that already, and there is less for them to hold.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import final

from xdsl.context import Context
from xdsl.dialects.builtin import UNKNOWN_LOC, LocationAttr, ModuleOp, StringAttr
from xdsl.ir import BlockArgument, Operation, OpResult, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.compiler.dialects.locations import file_location, source_line
from stepwell.compiler.dialects.loop.host import CopyOp, FuncOp, LaunchOp, view_at
from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.types import buffer_type
from stepwell.compiler.dialects.sizes import IntsAttr
from stepwell.compiler.ops.structure import DONATED
from stepwell.compiler.passes.interference import (
    BECAUSE,
    NEEDED,
    OVERWRITES,
    Interference,
    bits,
    pairs,
)
from stepwell.runtime.sizes import Size


@final
@dataclass(frozen=True)
class ShareBuffers(ModulePass):
    """Of functions whose kernels say in `overwrites` which input may be the place of an output."""

    name = "share-buffers"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        callees = {f.sym_name.data: f for f in op.ops if isinstance(f, FuncOp | KernelOp)}
        for function in callees.values():
            if isinstance(function, FuncOp):
                given = function.attributes.get(DONATED, IntsAttr(()))
                assert isinstance(given, IntsAttr)
                _share(function, callees, given.data)


def _share(
    function: FuncOp, callees: Mapping[str, FuncOp | KernelOp], given: tuple[int, ...]
) -> None:
    """`given` are the numbers of the arguments that may be overwritten."""
    copies = [op for op in function.walk() if isinstance(op, CopyOp)]
    launches = [op for op in function.walk() if isinstance(op, LaunchOp)]
    groups = _Groups(function, callees, given)
    for copy in sorted(copies, key=_depth, reverse=True):
        groups.join(copy.source, copy.target)
    results = function.results_written
    for number in given:
        any(groups.join(function.arguments[number], result) for result in results)
    for launch in launches:
        for input, output in pairs(callees[launch.callee.string_value()]):
            groups.join(launch.arguments[input], launch.arguments[output])
    replaced = tuple(n for n in given if groups.is_replaced(function.arguments[n]))
    if replaced != given:
        _share(function, callees, replaced)
        return
    for copy in copies:
        groups.finish(copy)
    groups.write()


def _depth(op: Operation) -> int:
    """How many loops and branches an op stands in."""
    parent = op.parent_op()
    return 0 if parent is None else 1 + _depth(parent)


@dataclass(frozen=True)
class _Obstacle:
    """Why two buffers are not one, and the location that tells."""

    reason: str
    location: LocationAttr = UNKNOWN_LOC


@final
class _Groups:
    """The buffers of a function in groups, as sets; each in one of its own at first."""

    def __init__(
        self, function: FuncOp, callees: Mapping[str, FuncOp | KernelOp], given: tuple[int, ...]
    ):
        arguments = function.arguments
        kept = [x for number, x in enumerate(arguments) if number not in given]
        self.function = function
        self.donated = {arguments[number] for number in given}
        self.results = set(function.results_written)
        self.found = Interference(function, callees, kept)
        self.groups = [1 << number for number in range(len(self.found.buffers))]

    def join(self, source: SSAValue, target: SSAValue) -> bool:
        """Makes two buffers one if nothing is in the way."""
        if source not in self.found.numbers or target not in self.found.numbers:
            return False
        together = self._group(source) | self._group(target)
        if together == self._group(source) or self._obstacle(source, target) is not None:
            return False
        for number in bits(together):
            self.groups[number] = together
        return True

    def is_replaced(self, argument: SSAValue) -> bool:
        """Whether a result, as callers are told, or nothing lies in the argument's place."""
        members = {self.found.buffers[number] for number in bits(self._group(argument))}
        return len(members) == 1 or not members.isdisjoint(self.results)

    def finish(self, copy: CopyOp) -> None:
        """Drops a copy of a buffer to itself; any other is told its reason."""
        source, target = copy.source, copy.target
        if source not in self.found.numbers or target not in self.found.numbers:
            return
        if self._group(source) == self._group(target):
            Rewriter.erase_op(copy)
        elif (obstacle := self._obstacle(source, target)) is not None:
            copy.attributes[BECAUSE] = StringAttr(obstacle.reason)
            if line := source_line(obstacle.location):
                copy.attributes[NEEDED] = file_location(line.file, line.line, line.column)

    def write(self) -> None:
        """Puts one buffer in the place of each group."""
        shared: list[int] = []
        for group in dict.fromkeys(self.groups):
            members = [self.found.buffers[number] for number in bits(group)]
            if len(members) > 1:
                place = min(members, key=self._rank)
                if isinstance(place, BlockArgument) and place in self.results:
                    shared += [n for x in self.donated & {*members} for n in (x.index, place.index)]
                self._replace([x for x in members if x is not place], place)
        if shared:
            self.function.attributes[OVERWRITES] = IntsAttr(tuple(shared))

    def _group(self, buffer: SSAValue) -> int:
        return self.groups[self.found.numbers[buffer]]

    def _rank(self, buffer: SSAValue) -> int:
        """A result is where it is for the caller's sake, an argument before the function begins."""
        return 0 if buffer in self.results else 1 if isinstance(buffer, BlockArgument) else 2

    def _obstacle(self, source: SSAValue, target: SSAValue) -> _Obstacle | None:
        """Why two buffers are not one."""
        first, second = self._group(source), self._group(target)
        if buffer_type(source).bytes != buffer_type(target).bytes:
            return _Obstacle("their types differ")
        if (first | second) & self.found.barred:
            return _Obstacle("one of them has another name")
        together = [self.found.buffers[n] for n in bits(first | second)]
        outside = {x for x in together if isinstance(x, BlockArgument)}
        if len(outside & self.results) > 1:
            return _Obstacle("two results are two arrays")
        if len(outside) > 1 and (len(outside) > 2 or not self._is_donation(outside)):
            return _Obstacle("an argument stays as it is")
        for number in bits(first):
            for other in bits(self.found.conflicts[number] & second):
                return self._cause(number, other)
        return None

    def _is_donation(self, outside: Set[SSAValue]) -> bool:
        """Whether these are a result, and an argument of its type that the caller gives away."""
        types = {x.type for x in outside}
        return len(types) == 1 and len(outside & self.donated) == len(outside & self.results) == 1

    def _cause(self, first: int, second: int) -> _Obstacle:
        buffers = (self.found.buffers[first], self.found.buffers[second])
        changed = self.donated | self.results
        if any(isinstance(x, BlockArgument) and x not in changed for x in buffers):
            return _Obstacle("an argument stays as it is")
        op = self.found.cause(first, second)
        assert op is not None
        if source_line(op.location) is None:
            return _Obstacle(f"both are needed by {op.name}")
        return _Obstacle("both are needed", op.location)

    def _replace(self, members: list[SSAValue], place: SSAValue) -> None:
        block = self.function.body.block
        if isinstance(place, OpResult):
            place.op.detach()
            Rewriter.insert_op(place.op, InsertPoint.at_start(block))
        for member in members:
            member.replace_all_uses_with(self._as(place, member))
            if isinstance(member, OpResult):
                Rewriter.erase_op(member.op)

    def _as(self, place: SSAValue, member: SSAValue) -> SSAValue:
        """The place as a buffer of the member's type."""
        if place.type == member.type:
            return place
        view = view_at(place, Size.of(0), buffer_type(member), self.function.location)
        start = InsertPoint.at_start(self.function.body.block)
        where = InsertPoint.after(place.op) if isinstance(place, OpResult) else start
        Rewriter.insert_op(view, where)
        return view.result
