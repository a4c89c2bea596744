"""Where the next op of a function goes, and the function's constants."""

from abc import ABC
from collections.abc import Callable, Mapping, Sequence

from xdsl.dialects.builtin import UNKNOWN_LOC, LocationAttr, SymbolRefAttr
from xdsl.dialects.llvm import AddressOfOp, BitcastOp, ConstantOp, ZeroOp
from xdsl.ir import Attribute, Block, Operation, SSAValue

from stepwell.compiler.dialects.construct import NOTHING, append, construct, result_of
from stepwell.compiler.dialects.llvm.instructions import PoisonOp
from stepwell.compiler.dialects.llvm.numbers import Number, attribute, unreadable
from stepwell.compiler.dialects.llvm.types import Vector, bits, integer, lanes, pointer, ptr, vector

Operand = SSAValue | int | float
"""What a builder's method takes: a number becomes a constant of the other operand's type."""


class Cursor(ABC):
    """The end of a block, in a function whose entry block holds each constant once.

    `location` goes with every op that is emitted from then on.
    """

    def __init__(self, entry: Block) -> None:
        self.entry = entry
        self.block = entry
        self.location: LocationAttr = UNKNOWN_LOC
        self._constants: dict[tuple[object, ...], SSAValue] = {}
        self._last_hoisted: Operation | None = None

    def emit(
        self,
        kind: type[Operation],
        operands: Sequence[SSAValue],
        result: Attribute,
        properties: Mapping[str, Attribute] = NOTHING,
    ) -> SSAValue:
        """Append an op with one result."""
        op = construct(kind, operands, (result,), properties, self.location)
        append(self.block, op)
        return result_of(op)

    def emit_effect(
        self,
        kind: type[Operation],
        operands: Sequence[SSAValue],
        properties: Mapping[str, Attribute] = NOTHING,
        successors: Sequence[Block] = (),
    ) -> None:
        """Append an op without result."""
        append(self.block, construct(kind, operands, (), properties, self.location, successors))

    def constant(self, type: Attribute, value: Number | Sequence[Number]) -> SSAValue:
        """A number of `type`; for a vector, one number for all lanes or one for each.

        Integers of either signedness are taken: 255 and -1 are the same i8.
        """
        number = value if isinstance(value, (int, float)) else tuple(value)
        # As keys 0, 0.0 and -0.0 are equal; as text they are not.
        text = repr(number)
        return self._once((id(type), text), lambda: self._constant(type, number, text))

    def _constant(
        self, type: Attribute, number: Number | tuple[Number, ...], text: str
    ) -> SSAValue:
        encodings = unreadable(type, number)
        if encodings is not None:
            encoded = vector(integer(bits(type)), len(encodings))
            return self.hoist(BitcastOp, type, NOTHING, [self.constant(encoded, encodings)])
        return self.hoist(ConstantOp, type, {"value": attribute(type, number, text)})

    def iota(self, type: Vector) -> SSAValue:
        """The vector 0, 1, 2, …"""
        return self.constant(type, range(lanes(type) or 0))

    def null(self) -> SSAValue:
        return self._once(("null", id(ptr)), lambda: self.hoist(ZeroOp, ptr))

    def poison(self, type: Attribute) -> SSAValue:
        """No value: for lanes and fields that are never read."""
        return self._once(("poison", id(type)), lambda: self.hoist(PoisonOp, type))

    def address_of(self, symbol: str, space: int = 0) -> SSAValue:
        """Where the function or the global `symbol` lies, in an address space."""
        properties = {"global_name": SymbolRefAttr(symbol)}
        return self._once(
            (symbol, space), lambda: self.hoist(AddressOfOp, pointer(space), properties)
        )

    def value(self, operand: Operand, type: Attribute) -> SSAValue:
        """`operand` itself, or a number as a constant of `type`."""
        return self.constant(type, operand) if isinstance(operand, (int, float)) else operand

    def values(self, a: Operand, b: Operand) -> tuple[SSAValue, SSAValue]:
        """Both operands, of which at most one is a number."""
        if isinstance(a, (int, float)):
            if isinstance(b, (int, float)):
                raise TypeError(f"one of {a} and {b} must be a value, for its type")
            return self.constant(b.type, a), b
        return a, self.constant(a.type, b) if isinstance(b, (int, float)) else b

    def _once(self, key: tuple[object, ...], make: Callable[[], SSAValue]) -> SSAValue:
        found = self._constants.get(key)
        if found is None:
            found = self._constants[key] = make()
        return found

    def hoist(
        self,
        kind: type[Operation],
        result: Attribute,
        properties: Mapping[str, Attribute] = NOTHING,
        operands: Sequence[SSAValue] = (),
    ) -> SSAValue:
        """An op behind the constants, at the top of the entry block, where all may use it."""
        op = construct(kind, operands, (result,), properties, self.location)
        if self._last_hoisted is not None:
            self.entry.insert_op_after(op, self._last_hoisted)
        elif self.entry.first_op is not None:
            self.entry.insert_op_before(op, self.entry.first_op)
        else:
            append(self.entry, op)
        self._last_hoisted = op
        return result_of(op)
