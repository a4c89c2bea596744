"""Instructions bound to their row of the table and to the arrays of their operands."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, final

from emulator.errors import ParseError
from emulator.operands import Binder, Pointer, Prelude, Result, parts_of
from emulator.rows import Kind, Row, Table
from emulator.syntax import Immediate, Instruction, Operand
from emulator.types import TYPES, Array, Type

Source: TypeAlias = Array | Pointer | tuple[Array, ...]


@final
@dataclass(frozen=True)
class Operation:
    """An instruction that can be run: `sources` hold its operands' values whenever it is."""

    instruction: Instruction
    row: Row
    how: Mapping[str, str]
    results: tuple[Result, ...]
    sources: tuple[Any, ...]
    guard: Array | None
    wanted: bool
    preludes: tuple[Prelude, ...]
    function: Callable[..., Any] | None

    def lanes(self, lanes: Array) -> Array:
        """Those among some threads whose guard holds."""
        if self.guard is None:
            return lanes
        return lanes & self.guard if self.wanted else lanes & ~self.guard

    def prepare(self) -> None:
        for each in self.preludes:
            each()

    def compute(self, lanes: Array) -> None:
        """Of an instruction that is a function of its operands."""
        assert self.function is not None
        value = self.function(*self.sources)
        values = value if isinstance(value, tuple) else (value,)
        for result, each in zip(self.results, values, strict=False):
            result.write(each, lanes)


@final
@dataclass(frozen=True)
class Linker:
    """Binds the instructions of one function."""

    table: Table
    binder: Binder

    def bind(self, instruction: Instruction) -> Operation:
        row, how = self.table.find(instruction)
        targets, given = _split(instruction, row)
        results = tuple(
            self._result(instruction, operand, name, how)
            for operand, name in zip(targets, row.signature.results, strict=False)
        )
        sources = tuple(
            self._source(instruction, operand, name.rstrip("?"), how)
            for operand, name in zip(given, _present(row, len(given)), strict=False)
            if name != "*"
        )
        guard, wanted = None, True
        if instruction.guard is not None:
            guard, wanted = self.binder.guard(instruction.guard)
        preludes, self.binder.preludes = tuple(self.binder.preludes), []
        function = row.meaning(how) if row.kind is Kind.LANES else None
        return Operation(
            instruction, row, how, tuple(_flat(results)), sources, guard, wanted, preludes, function
        )

    def _result(
        self, instruction: Instruction, operand: Operand, name: str, how: Mapping[str, str]
    ) -> tuple[Result, ...]:
        if not name.startswith("{"):
            return (self.binder.result(instruction, operand, named_type(name, how)),)
        type = named_type(name.strip("{}"), how)
        return tuple(self.binder.result(instruction, each, type) for each in parts_of(operand))

    def _source(
        self, instruction: Instruction, operand: Operand, name: str, how: Mapping[str, str]
    ) -> Source:
        if name == "[]":
            return self.binder.pointer(instruction, operand)
        if name.endswith("!") and not isinstance(operand, Immediate):
            raise ParseError(f"{instruction}: an operand of {instruction.mnemonic} is no constant")
        name = name.rstrip("!")
        if name.startswith("{"):
            type = named_type(name.strip("{}"), how)
            parts = parts_of(operand)
            return tuple(self.binder.source(instruction, each, type) for each in parts)
        return self.binder.source(instruction, operand, named_type(name, how))


def _split(instruction: Instruction, row: Row) -> tuple[tuple[Operand, ...], tuple[Operand, ...]]:
    """The operands of an instruction as results and sources, in their right number."""
    signature, operands = row.signature, instruction.operands
    has_result = bool(signature.results)
    targets, given = operands[:has_result], operands[has_result:]
    if len(signature.results) > 1 and targets:
        targets = parts_of(targets[0])
    if (has_result and not targets) or len(_present(row, len(given))) != len(given):
        raise ParseError(f"{instruction}: {instruction.mnemonic} has another number of operands")
    return targets, given


def _present(row: Row, count: int) -> list[str]:
    """The types of `count` operands: the last ones that may be left out are. `*` is any number."""
    names = list(row.signature.sources)
    if "*" in names:
        return [*names[:-1], *["*"] * (count - len(names) + 1)]
    for place in reversed(range(len(names))):
        if names[place].endswith("?") and len(names) > count:
            del names[place]
    return names


def named_type(name: str, how: Mapping[str, str]) -> Type:
    base, _, wide = name.partition("*")
    found = TYPES[how.get(base, base)]
    return TYPES[f"{found.name[0]}{found.bits * 2}"] if wide else found


def _flat(results: tuple[tuple[Result, ...], ...]) -> list[Result]:
    return [each for group in results for each in group]
