"""The builder's memory accesses, aggregates and calls."""

from abc import ABC
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Literal

from xdsl.dialects import llvm
from xdsl.dialects.builtin import (
    DenseArrayBase,
    IntegerAttr,
    StringAttr,
    SymbolRefAttr,
    UnitAttr,
    i1,
    i8,
    i32,
    i64,
)
from xdsl.dialects.llvm import (
    GEP_USE_SSA_VAL,
    CallingConventionAttr,
    LLVMArrayType,
    LLVMStructType,
    TailCallKind,
    TailCallKindAttr,
)
from xdsl.ir import Attribute, SSAValue

from stepwell.compiler.dialects.construct import segments
from stepwell.compiler.dialects.llvm import memory
from stepwell.compiler.dialects.llvm.cursor import Operand
from stepwell.compiler.dialects.llvm.float_casts import FloatCasts
from stepwell.compiler.dialects.llvm.instructions import AddrSpaceCastOp
from stepwell.compiler.dialects.llvm.intrinsics import STRICT
from stepwell.compiler.dialects.llvm.syntax import ATOMIC_OPERATIONS, ORDERINGS
from stepwell.compiler.dialects.llvm.types import (
    element,
    is_vector,
    lanes,
    like,
    pointer,
    ptr,
    size,
    struct,
    vector,
)

Ordering = Literal[
    "not_atomic", "unordered", "monotonic", "acquire", "release", "acq_rel", "seq_cst"
]
AtomicKind = Literal[
    "xchg", "add", "sub", "_and", "_or", "_xor", "max", "min", "umax", "umin", "fadd"
]


class Access(FloatCasts, ABC):
    """Alignment defaults to one element's size: vectors lie anywhere an element may.

    A bool in memory is a byte, written as 0 or 1, and true unless it is 0; as a value it is an i1.
    Loads and stores convert.
    """

    def gep(
        self, base: SSAValue, indices: Operand | Sequence[Operand], type: Attribute = i8
    ) -> SSAValue:
        """`base` plus an index in units of `type`, then indices into its fields and elements.

        A vector of indices, or of pointers, gives a vector of pointers.
        """
        if isinstance(indices, (SSAValue, int, float)):
            indices = (indices,)
        operands = [base]
        constants: list[int] = []
        for index in indices:
            if isinstance(index, int) and -(2**31) < index < 2**31:
                constants.append(index)
            else:
                constants.append(GEP_USE_SSA_VAL)
                operands.append(self.value(index, i64))
        count = next((n for operand in operands if (n := lanes(operand.type))), None)
        place = element(base.type)
        result = place if count is None else vector(place, count)
        properties = _gep_properties(tuple(constants), type)
        return self.emit(memory.GEPOp, operands, result, properties)

    def alloca(self, type: Attribute, count: int = 1, alignment: int | None = None) -> SSAValue:
        """Room for `count` elements on the stack, taken once, when the function is entered."""
        properties: dict[str, Attribute] = {"elem_type": type}
        if alignment is not None:
            properties["alignment"] = IntegerAttr(alignment, i64)
        return self.hoist(llvm.AllocaOp, ptr, properties, (self.constant(i64, count),))

    def load(
        self,
        place: SSAValue,
        type: Attribute,
        alignment: int | None = None,
        *,
        ordering: Ordering = "not_atomic",
    ) -> SSAValue:
        stored = like(type, i8) if element(type) == i1 else type
        properties = _access(alignment or size(type), ordering)
        value = self.emit(memory.LoadOp, (place,), stored, properties)
        return value if stored is type else self.icmp("ne", value, 0)

    def store(
        self,
        value: SSAValue,
        place: SSAValue,
        alignment: int | None = None,
        *,
        ordering: Ordering = "not_atomic",
        nontemporal: bool = False,
    ) -> None:
        value = self._as_byte(value)
        properties = _access(alignment or size(value.type), ordering)
        if nontemporal:
            properties = {**properties, "nontemporal": UnitAttr()}
        self.emit_effect(memory.StoreOp, (value, place), properties)

    def masked_load(self, place: SSAValue, mask: SSAValue, other: SSAValue) -> SSAValue:
        """The lanes whose mask is set, from a place on or each at its own; the others have
        `other`'s. Nothing else is touched."""
        if element(other.type) == i1:
            return self.icmp("ne", self.masked_load(place, mask, self.zext(other, i8)), 0)
        kind = memory.MaskedGatherOp if is_vector(place.type) else memory.MaskedLoadOp
        return self.emit(kind, (place, mask, other), other.type, _masked(size(other.type)))

    def masked_store(self, value: SSAValue, place: SSAValue, mask: SSAValue) -> None:
        """Stores the lanes whose mask is set, from a place on or each at its own: then the last of
        equal ones wins. Nothing else is touched."""
        value = self._as_byte(value)
        kind = memory.MaskedScatterOp if is_vector(place.type) else memory.MaskedStoreOp
        self.emit_effect(kind, (value, place, mask), _masked(size(value.type)))

    def prefetch(self, place: SSAValue, cache: int) -> None:
        """Hints that a line will be read, which is brought into the first or the second `cache`."""
        hint = IntegerAttr(_NEAREST + 1 - cache, i32)
        self.emit_effect(memory.PrefetchOp, (place,), {**_PREFETCH, "hint": hint})

    # Atomics.

    def atomicrmw(
        self,
        kind: AtomicKind,
        place: SSAValue,
        operand: Operand,
        ordering: Ordering,
        type: Attribute = i64,
    ) -> SSAValue:
        """The old value; a number as operand is of `type`."""
        operand = self.value(operand, type)
        properties = {
            "bin_op": IntegerAttr(ATOMIC_OPERATIONS[kind], i64),
            "ordering": IntegerAttr(ORDERINGS[ordering], i64),
        }
        return self.emit(memory.AtomicRMWOp, (place, operand), operand.type, properties)

    def cmpxchg(
        self, place: SSAValue, expected: SSAValue, new: Operand, success: Ordering
    ) -> tuple[SSAValue, SSAValue]:
        """The old value, and whether it was `expected` and thus replaced; if not, the op orders
        nothing."""
        operands = (place, expected, self.value(new, expected.type))
        properties = {
            "success_ordering": IntegerAttr(ORDERINGS[success], i64),
            "failure_ordering": IntegerAttr(ORDERINGS["monotonic"], i64),
        }
        pair = self.emit(memory.CmpXchgOp, operands, struct(expected.type, i1), properties)
        return self.extract_value(pair, 0), self.extract_value(pair, 1)

    def fence(self, ordering: Ordering) -> None:
        self.emit_effect(memory.FenceOp, (), {"ordering": IntegerAttr(ORDERINGS[ordering], i64)})

    # Pointers and aggregates.

    def ptrtoint(self, a: SSAValue) -> SSAValue:
        return self.emit(llvm.PtrToIntOp, (a,), i64)

    def addrspacecast(self, a: SSAValue, space: int) -> SSAValue:
        """The same place through another address space."""
        return self.emit(AddrSpaceCastOp, (a,), pointer(space))

    def extract_value(self, a: SSAValue, *position: int) -> SSAValue:
        """A field of a struct or an element of an array, by constant indices."""
        properties = {"position": DenseArrayBase.from_list(i64, position)}
        return self.emit(llvm.ExtractValueOp, (a,), _field(a.type, position), properties)

    # Calls.

    def call(
        self, callee: str | SSAValue, arguments: Sequence[SSAValue], result: Attribute
    ) -> SSAValue:
        """What the function returns that is named, or to which a pointer leads."""
        operands, properties = _callee(callee, arguments)
        return self.emit(llvm.CallOp, operands, result, properties)

    def call_void(self, callee: str | SSAValue, arguments: Sequence[SSAValue]) -> None:
        """Calls a function that returns nothing."""
        operands, properties = _callee(callee, arguments)
        self.emit_effect(llvm.CallOp, operands, properties)

    def intrinsic(self, name: str, arguments: Sequence[SSAValue], result: Attribute) -> SSAValue:
        """An intrinsic by LLVM's name, `llvm.x86.avx512.…`, for what has no op of its own."""
        return self.emit(llvm.CallIntrinsicOp, arguments, result, _intrinsic(name, len(arguments)))

    def intrinsic_void(self, name: str, arguments: Sequence[SSAValue]) -> None:
        """An intrinsic that returns nothing: `llvm.x86.sse2.pause`."""
        self.emit_effect(llvm.CallIntrinsicOp, arguments, _intrinsic(name, len(arguments)))

    def _as_byte(self, value: SSAValue) -> SSAValue:
        return self.zext(value, i8) if element(value.type) == i1 else value


def _callee(
    callee: str | SSAValue, arguments: Sequence[SSAValue]
) -> tuple[Sequence[SSAValue], Mapping[str, Attribute]]:
    if isinstance(callee, str):
        return arguments, {"callee": SymbolRefAttr(callee), **_call(len(arguments))}
    return (callee, *arguments), _call(len(arguments) + 1)


_PLAIN: Mapping[str, Attribute] = {
    "fastmathFlags": STRICT,
    "op_bundle_sizes": DenseArrayBase.from_list(i32, ()),
}
_C_CALL: Mapping[str, Attribute] = {
    "CConv": CallingConventionAttr("ccc"),
    "TailCallKind": TailCallKindAttr(TailCallKind.NONE),
}


@cache
def _call(operands: int) -> Mapping[str, Attribute]:
    return {**_C_CALL, **_PLAIN, **segments(operands, 0)}


@lru_cache(maxsize=1024)
def _intrinsic(name: str, operands: int) -> Mapping[str, Attribute]:
    return {"intrin": StringAttr(name), **_PLAIN, **segments(operands, 0)}


@lru_cache(maxsize=1024)
def _gep_properties(constants: tuple[int, ...], type: Attribute) -> Mapping[str, Attribute]:
    return {
        "rawConstantIndices": DenseArrayBase.from_list(i32, constants),
        "elem_type": type,
    }


@cache
def _access(alignment: int, ordering: Ordering) -> Mapping[str, Attribute]:
    properties: dict[str, Attribute] = {"alignment": IntegerAttr(alignment, i64)}
    if ordering != "not_atomic":
        properties["ordering"] = IntegerAttr(ORDERINGS[ordering], i64)
    return properties


@cache
def _masked(alignment: int) -> Mapping[str, Attribute]:
    return {"alignment": IntegerAttr(alignment, i32)}


_PREFETCH: Mapping[str, Attribute] = {"rw": IntegerAttr(0, i32), "cache": IntegerAttr(1, i32)}
_NEAREST = 3
"""The hint for the first cache."""


def _field(type: Attribute, position: Sequence[int]) -> Attribute:
    """The type of what lies at a position within an aggregate."""
    for index in position:
        if isinstance(type, LLVMStructType):
            type = type.types.data[index]
        elif isinstance(type, LLVMArrayType):
            type = type.type
        else:
            raise TypeError(f"{type} has no field {index}")
    return type
