"""A module's functions and kernels as callees: what a call of each hands over, and may assume."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, final

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.loop.explicit import ParallelOp
from stepwell.compiler.dialects.loop.host import EFFECTS, CustomOp, FuncOp, HostOp, LaunchOp, ViewOp
from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.types import BufferType
from stepwell.compiler.passes.assign_buffers import WORKSPACE

Definition: TypeAlias = FuncOp | KernelOp

ENTRY = "entry"
"""The attribute of an entry point that is launched, too; what nothing launches is always one."""


@final
@dataclass(eq=False)
class Callee:
    """A function or kernel, and what follows from its body and from those that launch it."""

    definition: Definition
    launches: list[LaunchOp] = field(default_factory=list[LaunchOp])
    symbols: list[str] = field(default_factory=list[str])
    """The C functions it calls."""
    launched: bool = False
    needs_context: bool = False
    may_fail: bool = False
    may_show: bool = False
    """Whether the runtime is called, which wants the sizes that the entry point was called with."""
    shared: set[int] = field(default_factory=set[int])
    """The arguments whose memory another argument may share."""

    @property
    def facts(self) -> tuple[bool, bool, bool, int]:
        return self.needs_context, self.may_fail, self.may_show, len(self.shared)

    @property
    def name(self) -> str:
        return self.definition.sym_name.data

    @property
    def body(self) -> str:
        """The symbol of the function that does the work; an entry point leads to it."""
        return f"{self.name}.body" if self.is_entry else self.name

    @property
    def arguments(self) -> Sequence[SSAValue]:
        return self.definition.body.block.args

    @property
    def sizes(self) -> tuple[str, ...]:
        """The symbols, each of which is an argument behind the others."""
        return tuple(name for name, _ in self.definition.symbols.data)

    @property
    def is_entry(self) -> bool:
        """Whether the runtime may call it, which hands over buffers only."""
        if isinstance(self.definition, KernelOp) or self.launched:
            return ENTRY in self.definition.attributes
        return all(isinstance(argument.type, BufferType) for argument in self.arguments)

    @property
    def arena(self) -> SSAValue | None:
        return self.arguments[-1] if WORKSPACE in self.definition.attributes else None


Callees: TypeAlias = Mapping[str, Callee]
"""By name, in the module's order."""


def survey(module: ModuleOp, may_fail: bool = False) -> Callees:
    """The module's functions and kernels; all of them may fail, or those with an op that may."""
    definitions = [op for op in module.ops if isinstance(op, FuncOp | KernelOp)]
    callees = {op.sym_name.data: _inspect(op, may_fail) for op in definitions}
    edges = [
        (caller, launch, callees[launch.callee.string_value()])
        for caller in callees.values()
        for launch in caller.launches
    ]
    for _, _, callee in edges:
        callee.launched = True
    while any([_spread(*edge) for edge in edges]):
        pass
    return callees


def _inspect(definition: Definition, may_fail: bool) -> Callee:
    callee = Callee(definition, needs_context=may_fail, may_fail=may_fail)
    for op in definition.walk():
        kind = type(op)
        if isinstance(op, LaunchOp):
            callee.launches.append(op)
        elif kind is ParallelOp:
            callee.needs_context = True
        elif kind in EFFECTS:
            callee.needs_context = callee.may_fail = True
            callee.may_show |= kind is HostOp
            if isinstance(op, CustomOp):
                callee.symbols.append(op.symbol.data)
    return callee


def _spread(caller: Callee, launch: LaunchOp, callee: Callee) -> bool:
    """Carry facts along a launch, up and down; whether there was news."""
    before = caller.facts, callee.facts
    caller.needs_context |= callee.needs_context
    caller.may_fail |= callee.may_fail
    caller.may_show |= callee.may_show
    callee.shared.update(_sharing(caller, launch))
    return before != (caller.facts, callee.facts)


def _sharing(caller: Callee, launch: LaunchOp) -> Iterator[int]:
    """The operands that may lie in the same memory."""
    suspects = {caller.arguments[number] for number in caller.shared}
    places: dict[SSAValue | None, list[int]] = {}
    for number, operand in enumerate(launch.arguments):
        if isinstance(operand.type, BufferType):
            place = _place(operand, caller.arena)
            places.setdefault(None if place in suspects else place, []).append(number)
    for numbers in places.values():
        if len(numbers) > 1:
            yield from numbers


def _place(buffer: SSAValue, arena: SSAValue | None) -> SSAValue:
    """The buffer of which this one is a view; in an arena different views are different places."""
    while isinstance(view := buffer.owner, ViewOp) and view.base is not arena:
        buffer = view.base
    return buffer


def imports(callees: Callees) -> tuple[str, ...]:
    """The C functions that a module calls, in the order of the table of their addresses."""
    return tuple(dict.fromkeys(symbol for each in callees.values() for symbol in each.symbols))
