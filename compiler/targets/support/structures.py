"""What hand-written machine code shares: fields of structures, and C functions handed to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from xdsl.dialects.builtin import StringAttr
from xdsl.dialects.llvm import GlobalOp, LinkageAttr
from xdsl.ir import Attribute, SSAValue

from stepwell.compiler.dialects.llvm.access import Ordering
from stepwell.compiler.dialects.llvm.cursor import Operand
from stepwell.compiler.dialects.llvm.types import array, i8, ptr
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder


@final
@dataclass(frozen=True)
class Field:
    """A field of a structure: `offset` bytes from its start."""

    offset: int
    type: Attribute

    def place(self, b: LlvmBuilder, base: SSAValue) -> SSAValue:
        return b.gep(base, self.offset)

    def load(self, b: LlvmBuilder, base: SSAValue, ordering: Ordering = "not_atomic") -> SSAValue:
        return b.load(self.place(b, base), self.type, ordering=ordering)

    def store(
        self, b: LlvmBuilder, base: SSAValue, value: Operand, ordering: Ordering = "not_atomic"
    ) -> None:
        b.store(b.value(value, self.type), self.place(b, base), ordering=ordering)


@final
@dataclass(frozen=True)
class Import:
    """A C function whose address stands in a table, so that the object needs no linker."""

    number: int
    name: str
    result: Attribute
    parameters: tuple[Attribute, ...]

    def call(self, b: LlvmBuilder, table: SSAValue, *arguments: Operand) -> SSAValue:
        """Calls it through the table at that address."""
        return b.call(self._function(b, table), self._values(b, arguments), self.result)

    def call_void(self, b: LlvmBuilder, table: SSAValue, *arguments: Operand) -> None:
        """Calls it, whose result is `void`."""
        b.call_void(self._function(b, table), self._values(b, arguments))

    def _function(self, b: LlvmBuilder, table: SSAValue) -> SSAValue:
        return b.load(b.gep(table, 8 * self.number), ptr)

    def _values(self, b: LlvmBuilder, arguments: Sequence[Operand]) -> list[SSAValue]:
        pairs = zip(arguments, self.parameters, strict=True)
        return [b.value(given, type) for given, type in pairs]


def import_names(symbol: str, imports: Sequence[Import]) -> GlobalOp:
    """A table's names in order, each ended by a NUL and the last one being empty, as `symbol`."""
    names = b"".join(function.name.encode() + b"\0" for function in imports) + b"\0"
    return GlobalOp(
        array(i8, len(names)),
        symbol,
        LinkageAttr("external"),
        constant=True,
        value=StringAttr(names.decode()),
    )
