"""The llvm module that is being made: functions as they were begun, constant tables before them."""

from collections.abc import Callable, Mapping, Sequence
from typing import final

from xdsl.dialects.builtin import LocationAttr
from xdsl.dialects.llvm import FuncOp, GlobalOp, LinkageAttr
from xdsl.ir import Attribute, Block, Operation, SSAValue

from stepwell.compiler.dialects.llvm.numbers import dense, unreadable
from stepwell.compiler.dialects.llvm.types import array, bits, i64, integer, vector
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder, Parameter
from stepwell.compiler.lower.loop_to_llvm.callees import Callees
from stepwell.compiler.lower.loop_to_llvm.newton import Inverse
from stepwell.compiler.machines.machine import Machine

Statements = Mapping[type[Operation], Callable[..., None]]
"""Of the frame and the op."""
Body = Callable[[LlvmBuilder, Sequence[SSAValue]], SSAValue]
"""Emits what a function does with its arguments, and gives its result."""


@final
class Program:
    """Everything is named by what it is for and by its number, so equal modules give equal text."""

    def __init__(
        self, callees: Callees, imports: Sequence[str], machine: Machine, statements: Statements
    ) -> None:
        self.callees = callees
        self.machine = machine
        self.statements = statements
        """What is done for ops that are more than an instruction of their operands."""
        self.imports = {symbol: number for number, symbol in enumerate(imports)}
        self.relief: dict[Block, Mapping[Operation, Sequence[Operation]]] = {}
        """What is computed beside the divider, of each block that was asked for."""
        self.inverses: dict[tuple[Block, SSAValue], Inverse] = {}
        """Of what the loop with this body divides by and does not change."""
        self._functions: list[FuncOp] = []
        self._exports: list[GlobalOp] = []
        self._tables: dict[tuple[Attribute, tuple[float, ...]], GlobalOp] = {}
        self._rare: dict[tuple[str, Attribute], str] = {}
        self._count = 0

    @property
    def operations(self) -> list[Operation]:
        return [*self._tables.values(), *self._exports, *self._functions]

    def unique(self, name: str) -> str:
        self._count += 1
        return f"{name}{self._count}"

    def define(
        self,
        name: str,
        parameters: Sequence[Attribute | Parameter],
        result: Attribute,
        location: LocationAttr,
        *,
        internal: bool = True,
        attributes: Sequence[str | tuple[str, str]] = (),
    ) -> LlvmBuilder:
        """A new function of the module."""
        build = LlvmBuilder.define(
            name, parameters, result, internal=internal, attributes=attributes
        )
        build.location = build.function.location = location
        self._functions.append(build.function)
        return build

    def table(self, entries: tuple[float, ...], type: Attribute, location: LocationAttr) -> str:
        """The symbol of a constant array; of floats that are not read back, their bits."""
        if (encodings := unreadable(vector(type, len(entries)), entries)) is not None:
            entries, type = tuple(encodings), integer(bits(type))
        found = self._tables.get((type, entries))
        if found is None:
            found = _array(f"table.{len(self._tables)}", "internal", entries, type, location)
            self._tables[type, entries] = found
        return found.sym_name.data

    def export(self, name: str, numbers: tuple[int, ...], location: LocationAttr) -> None:
        """A constant array of i64 that the object defines."""
        self.add(_array(name, "external", numbers, i64, location))

    def add(self, made: GlobalOp) -> None:
        """Before the functions."""
        self._exports.append(made)

    def rare(
        self,
        name: str,
        operands: Sequence[SSAValue],
        result: Attribute,
        location: LocationAttr,
        body: Body,
    ) -> str:
        """The symbol of a function that is hardly ever called, made once for each type.

        Its name makes LLVM keep the code that calls it out of the way of the code that does not.
        """
        found = self._rare.get((name, result))
        if found is None:
            found = self._rare[name, result] = self.unique(name)
            build = self.define(
                found,
                [operand.type for operand in operands],
                result,
                location,
                attributes=("cold", "noinline"),
            )
            build.ret(body(build, build.arguments))
        return found


def _array(
    name: str, linkage: str, entries: Sequence[float], type: Attribute, location: LocationAttr
) -> GlobalOp:
    """A constant array."""
    value = dense(vector(type, len(entries)), entries)
    kind = array(type, len(entries))
    made = GlobalOp(kind, name, LinkageAttr(linkage), constant=True, value=value)
    made.location = location
    return made
