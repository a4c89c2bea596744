"""Operands bound to arrays: of what a register holds, one element for each thread."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np

from emulator.errors import ParseError
from emulator.syntax import (
    Address,
    Immediate,
    Instruction,
    Not,
    Nowhere,
    Operand,
    Pair,
    Register,
    Special,
    Symbol,
    Vector,
)
from emulator.types import TYPES, UNSIGNED, Array, Type, stored

GARBAGE = 0xA5
"""What every byte of a register holds before it is written."""


@final
@dataclass(frozen=True)
class Result:
    """Where an instruction writes: registers, of which a vector's are parts of one value."""

    registers: tuple[Array | None, ...]
    type: Type

    def write(self, value: Array, lanes: Array) -> None:
        """`value` for these lanes; what is narrower than the register is extended."""
        if len(self.registers) == 1:
            _assign(self.registers[0], value, lanes)
            return
        parts = np.ascontiguousarray(value).view(UNSIGNED[self.type.bits // len(self.registers)])
        for register, part in zip(self.registers, parts.reshape(lanes.size, -1).T, strict=True):
            _assign(register, part, lanes)


def _assign(register: Array | None, value: Array, lanes: Array) -> None:
    if register is None:
        return
    if value.dtype != register.dtype:
        if value.nbytes < register.nbytes:
            value = value if value.dtype.kind == "i" else value.view(UNSIGNED[8 * value.itemsize])
            value = value.astype(f"{value.dtype.kind}{register.itemsize}")
        value = value.view(register.dtype)
    np.copyto(register, value, where=lanes)


@final
@dataclass(frozen=True)
class Pointer:
    """An address operand: what a register holds, and an offset."""

    base: Array
    offset: np.uint64

    def addresses(self, threads: Array) -> Array:
        return self.base[threads].astype(np.uint64) + self.offset


@final
@dataclass(frozen=True)
class Packing:
    """Registers that are parts of one operand, put together before each use."""

    registers: tuple[Array, ...]
    whole: Array

    def __call__(self) -> None:
        parts = self.whole.view(self.registers[0].dtype).reshape(-1, len(self.registers))
        for place, register in enumerate(self.registers):
            parts[:, place] = register


Prelude: TypeAlias = Callable[[], None]


@final
class Binder:
    """Turns the operands of one function into arrays."""

    def __init__(
        self,
        count: int,
        declared: Mapping[str, str],
        special: Mapping[str, Array],
        symbols: Mapping[str, int],
    ) -> None:
        self.count = count
        self.registers = {
            name: np.empty(count, stored(TYPES[type])) for name, type in declared.items()
        }
        self.special = special
        self.symbols = symbols
        self.preludes: list[Prelude] = []
        """What is to be done before the instruction that is being bound; the caller takes it."""
        self.forget()

    def forget(self) -> None:
        """Fills every register with garbage."""
        for each in self.registers.values():
            each.view(np.uint8)[:] = 1 if each.dtype == np.bool_ else GARBAGE

    def result(self, instruction: Instruction, operand: Operand, type: Type) -> Result:
        parts = operand.parts if isinstance(operand, Vector) else (operand,)
        registers = tuple(self._target(instruction, each) for each in parts)
        for each in registers:
            if each is not None and 8 * each.itemsize * len(parts) < type.bits:
                raise ParseError(f"{instruction}: a result of .{type.name} is wider than that")
        return Result(registers, type)

    def _target(self, instruction: Instruction, operand: Operand) -> Array | None:
        if isinstance(operand, Nowhere):
            return None
        if not isinstance(operand, Register):
            raise ParseError(f"{instruction}: a result goes to a register that is declared")
        return self.registers[operand.name]

    def source(self, instruction: Instruction, operand: Operand, type: Type) -> Array:
        """An array of the type's dtype that always holds the operand's value."""
        if isinstance(operand, Register):
            return self._typed(instruction, self.registers[operand.name], type)
        if isinstance(operand, Immediate):
            return np.full(self.count, _bits(operand, type), stored(type)).view(type.dtype)
        if isinstance(operand, Special):
            return self._typed(instruction, self._special(instruction, operand), type)
        if isinstance(operand, Symbol):
            return np.full(self.count, self.symbol(instruction, operand), stored(type))
        if isinstance(operand, Not):
            return self._inverse(self.registers[operand.register.name])
        if isinstance(operand, Vector):
            return self._packed(instruction, operand, type)
        raise ParseError(f"{instruction}: an operand of .{type.name} cannot be written so")

    def _typed(self, instruction: Instruction, register: Array, type: Type) -> Array:
        """The low bytes of a register that is wider than the type."""
        if 8 * register.itemsize < type.bits or (register.dtype == bool) != (type.name == "pred"):
            raise ParseError(f"{instruction}: an operand of .{type.name} is declared otherwise")
        if 8 * register.itemsize == type.bits:
            return register.view(type.dtype)
        return register.view(type.dtype)[:: register.itemsize // type.bytes]

    def _special(self, instruction: Instruction, operand: Special) -> Array:
        if operand.name not in self.special:
            raise ParseError(f"{instruction}: the emulator knows no register {operand.name}")
        return self.special[operand.name]

    def symbol(self, instruction: Instruction, operand: Symbol) -> int:
        if operand.name not in self.symbols:
            raise ParseError(f"{instruction}: nothing is called {operand.name}")
        return self.symbols[operand.name]

    def _inverse(self, register: Array) -> Array:
        whole = np.empty_like(register)
        self.preludes.append(lambda: np.copyto(whole, ~register))
        return whole

    def _packed(self, instruction: Instruction, operand: Vector, type: Type) -> Array:
        part = TYPES[f"b{type.bits // len(operand.parts)}"]
        registers = tuple(self.source(instruction, each, part) for each in operand.parts)
        whole = np.empty(self.count, UNSIGNED[type.bits])
        self.preludes.append(Packing(registers, whole))
        return whole.view(type.dtype)

    def pointer(self, instruction: Instruction, operand: Operand) -> Pointer:
        if not isinstance(operand, Address):
            raise ParseError(f"{instruction}: an address stands in brackets")
        base, offset = operand.base, np.uint64(operand.offset % (1 << 64))
        if isinstance(base, Register):
            return Pointer(self.registers[base.name], offset)
        return Pointer(self.source(instruction, base, TYPES["b64"]), offset)

    def guard(self, operand: Operand) -> tuple[Array, bool]:
        """A predicate, and what it has to be."""
        if isinstance(operand, Not):
            return self.registers[operand.register.name], False
        assert isinstance(operand, Register)
        return self.registers[operand.name], True


def _bits(number: Immediate, type: Type) -> Any:
    """The bits of a literal as an operand of a type."""
    if number.bits == 32 and type.bits == 64:
        return int(np.uint32(number.value).view(np.float32).astype(np.float64).view(np.uint64))
    return number.value % (1 << type.bits) if type.name != "pred" else bool(number.value)


def parts_of(operand: Operand) -> tuple[Operand, ...]:
    """The operands that stand in braces, or beside a bar, or the one alone."""
    if isinstance(operand, Pair):
        return operand.first, operand.second
    return operand.parts if isinstance(operand, Vector) else (operand,)
