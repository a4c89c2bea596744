"""A PTX module as data: variables, functions, and instructions with their operands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, final


@final
@dataclass(frozen=True)
class Register:
    """A register that the function declares; inner scopes have names of their own."""

    name: str


@final
@dataclass(frozen=True)
class Special:
    """A register that every thread has: `%tid.x`."""

    name: str


@final
@dataclass(frozen=True)
class Symbol:
    """A variable, a function, a label or a table of labels."""

    name: str


@final
@dataclass(frozen=True)
class Immediate:
    """An integer, or the bits of a float of so many `bits`."""

    value: int
    bits: int = 0


@final
@dataclass(frozen=True)
class Address:
    """`[base+offset]`."""

    base: "Register | Symbol | Immediate"
    offset: int = 0


@final
@dataclass(frozen=True)
class Not:
    """A predicate turned around: `!%p1`."""

    register: Register


@final
@dataclass(frozen=True)
class Pair:
    """Two results, of which either may be `_`: `%p1|%p2`."""

    first: "Operand"
    second: "Operand"


@final
@dataclass(frozen=True)
class Vector:
    """Operands in braces, or in the parentheses of a call."""

    parts: tuple["Operand", ...]


@final
@dataclass(frozen=True)
class Nowhere:
    """`_`, in the place of a result that nobody wants."""


Operand: TypeAlias = (
    Register | Special | Symbol | Immediate | Address | Not | Pair | Vector | Nowhere
)


def named(operand: Operand) -> Iterator[str]:
    """The symbols in an operand."""
    if isinstance(operand, Symbol):
        yield operand.name
    elif isinstance(operand, Address):
        yield from named(operand.base)
    elif isinstance(operand, Vector):
        for part in operand.parts:
            yield from named(part)


@final
@dataclass(frozen=True)
class Instruction:
    """One instruction, run by the threads whose guard holds."""

    line: int
    text: str
    mnemonic: str
    operands: tuple[Operand, ...]
    guard: Register | Not | None = None

    def __str__(self) -> str:
        return f"line {self.line}, `{self.text}`"


@final
@dataclass(frozen=True)
class Variable:
    """Memory with a name: `count` elements of `type`, 0 where the launch decides."""

    space: str
    type: str
    name: str
    alignment: int
    count: int = 1
    values: tuple[Immediate | Address, ...] = ()


@final
@dataclass(frozen=True)
class Function:
    """A kernel or a function. `labels` and `tables` point into `body`."""

    name: str
    is_kernel: bool
    results: tuple[Variable, ...]
    parameters: tuple[Variable, ...]
    bounds: Mapping[str, tuple[int, ...]]
    registers: Mapping[str, str]
    variables: tuple[Variable, ...]
    body: tuple[Instruction, ...]
    labels: Mapping[str, int]
    tables: Mapping[str, tuple[str, ...]]

    @property
    def names(self) -> set[str]:
        """What its instructions name."""
        operands = (each for instruction in self.body for each in instruction.operands)
        return {name for operand in operands for name in named(operand)}


@final
@dataclass(frozen=True)
class Module:
    """What one PTX text holds."""

    target: str
    variables: tuple[Variable, ...]
    functions: Mapping[str, Function]
