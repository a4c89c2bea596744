"""A function under construction: what the loop level's values have become in it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import final

from xdsl.dialects.builtin import IntegerType
from xdsl.dialects.llvm import AddressOfOp, ConstantOp
from xdsl.ir import Attribute, Block, Operation, SSAValue

from stepwell.compiler.dialects.construct import operands_of
from stepwell.compiler.dialects.llvm.instructions import PoisonOp
from stepwell.compiler.dialects.llvm.types import i64, lanes, size
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.loop.host import TERMINATORS
from stepwell.compiler.dialects.loop.types import buffer_type
from stepwell.compiler.lower.loop_to_llvm.program import Program
from stepwell.compiler.lower.loop_to_llvm.scalars import INSTRUCTIONS, WITH_PROPERTIES
from stepwell.compiler.lower.loop_to_llvm.sizes import Sizes, at_entry
from stepwell.compiler.lower.loop_to_llvm.types import in_memory, lowered
from stepwell.runtime.errors import CompileError

SLOT = 8
"""Bytes of the widest scalar."""


@final
class Values(dict[SSAValue, SSAValue]):
    """What each value has become; one that is not there is fetched from outside."""

    def __init__(self, fetch: Callable[[SSAValue], SSAValue]) -> None:
        super().__init__()
        self._fetch = fetch

    def __missing__(self, value: SSAValue) -> SSAValue:
        found = self[value] = self._fetch(value)
        return found


def refusal(op: Operation) -> CompileError:
    return CompileError(
        "SW0240",
        f"{op.name} cannot become instructions: an earlier stage replaces it",
        where=source_line(op.location),
    )


@dataclass(eq=False)
class Frame(ABC):
    """A function or a task. Its entry block stays open for places, sizes and what is fetched."""

    program: Program
    build: LlvmBuilder
    index: IntegerType = field(default=i64, kw_only=True)
    """What indices and sizes are."""

    def __post_init__(self) -> None:
        self.values = Values(self.fetch)
        self.sizes = Sizes(self.build, self.symbol, self.index)
        self._start = self.build.enter(Block())
        self._types: dict[int, Attribute] = {}

    def lower(self, block: Block) -> None:
        """Emits what a block's ops do; its terminator is left to the op around it."""
        build, values, statements = self.build, self.values, self.program.statements
        outside = build.location
        for op in block.ops:
            kind = type(op)
            build.location = op.location
            if (instruction := INSTRUCTIONS.get(kind)) is not None:
                values[op.results[0]] = instruction(build, *self.operands(op))
            elif (statement := statements.get(kind)) is not None:
                statement(self, op)
            elif (of_op := WITH_PROPERTIES.get(kind)) is not None:
                values[op.results[0]] = of_op(build, op, *self.operands(op))
            elif kind not in TERMINATORS:
                raise refusal(op)
        build.location = outside

    def operands(self, op: Operation) -> list[SSAValue]:
        """What an op's operands have become."""
        return [self.values[operand] for operand in operands_of(op)]

    def type_of(self, value: SSAValue) -> Attribute:
        """The type of what the value becomes."""
        # Equal types are often one object, and finding it by its id takes a tenth of a comparison.
        type = value.type
        found = self._types.get(id(type))
        if found is None:
            found = self._types[id(type)] = lowered(type)
        return found

    def place(self, buffer: SSAValue, offset: SSAValue) -> SSAValue:
        """The address at a linear offset, or at a vector of them."""
        element = in_memory(buffer_type(buffer).element)
        return self.build.gep(self.values[buffer], self.values[offset], element)

    @abstractmethod
    def fetch(self, value: SSAValue) -> SSAValue:
        """A value that this function does not define."""

    @abstractmethod
    def symbol(self, name: str) -> SSAValue:
        """The value of a size's symbol."""

    @property
    @abstractmethod
    def context(self) -> SSAValue:
        """The call's context."""

    def room(self, element: Attribute, count: int, alignment: int = SLOT) -> SSAValue:
        """Memory that lives as long as the function runs."""
        with at_entry(self.build):
            return self.build.alloca(element, count, alignment)

    @property
    def zero(self) -> SSAValue:
        """A place where any scalar is zero: what a load that is masked off reads."""
        return self.build.address_of(self.program.table((0,), i64, self.build.location))

    @cached_property
    def nowhere(self) -> SSAValue:
        """A place that nobody reads: where a store that is masked off goes."""
        return self.room(i64, 1)

    def close(self) -> None:
        """Let the entry block go on to what follows it."""
        self.build.block = self.build.entry
        self.build.br(self._start)


@final
@dataclass(eq=False)
class FunctionFrame(Frame):
    """A function, which defines all that it uses."""

    symbols: Mapping[str, SSAValue]
    given_context: SSAValue | None
    given_sizes: SSAValue | None

    def fetch(self, value: SSAValue) -> SSAValue:
        raise KeyError(f"{value} is used, but not defined")

    def symbol(self, name: str) -> SSAValue:
        return self.symbols[name]

    @property
    def context(self) -> SSAValue:
        assert self.given_context is not None
        return self.given_context

    @property
    def shown_sizes(self) -> SSAValue:
        """Where the sizes lie that the entry point was called with."""
        assert self.given_sizes is not None
        return self.given_sizes


@dataclass(eq=False)
class OutlinedFrame(Frame, ABC):
    """A body that became a function of its own, to which what is defined outside is handed over."""

    outer: Frame

    def __post_init__(self) -> None:
        super().__post_init__()
        self._copies: dict[SSAValue, SSAValue] = {}

    def fetch(self, value: SSAValue) -> SSAValue:
        return self._capture(self.outer.values[value])

    def symbol(self, name: str) -> SSAValue:
        return self._capture(self.outer.symbol(name))

    @property
    def context(self) -> SSAValue:
        return self._capture(self.outer.context)

    def _capture(self, value: SSAValue) -> SSAValue:
        found = self._copies.get(value)
        if found is None:
            with at_entry(self.build):
                found = self._copies[value] = self._copy(value)
        return found

    def _copy(self, value: SSAValue) -> SSAValue:
        """Constants are made again, where LLVM sees them; the rest is handed over."""
        definition = value.owner
        if isinstance(definition, ConstantOp | AddressOfOp | PoisonOp):
            return self.build.emit(type(definition), (), value.type, definition.properties)
        return self.hand_over(value)

    @abstractmethod
    def hand_over(self, value: SSAValue) -> SSAValue:
        """A value of the function around it; what is emitted stands at the entry."""


@final
class TaskFrame(OutlinedFrame):
    """The body of a parallel loop: what is defined outside comes in slots of eight bytes."""

    def __init__(self, outer: Frame, build: LlvmBuilder, slots: SSAValue) -> None:
        super().__init__(outer.program, build, outer)
        self._slots = slots
        self.captured: dict[SSAValue, int] = {}
        """Values of the function around the task, with the number of the first slot of each."""
        self.slot_count = 0

    def hand_over(self, value: SSAValue) -> SSAValue:
        self.captured[value] = self.slot_count
        place = self.build.gep(self._slots, self.slot_count, i64)
        self.slot_count += -(-size(value.type) * (lanes(value.type) or 1) // SLOT)
        return self.build.load(place, value.type)
