"""The ops of the llvm level that touch memory, with the effects that upstream's leave unsaid."""

from abc import ABC
from collections.abc import Set
from typing import ClassVar

from xdsl.dialects.builtin import (
    AnyFloatConstr,
    DenseArrayBase,
    IntegerAttr,
    SignlessIntegerConstraint,
    UnitAttr,
    i32,
    i64,
)
from xdsl.dialects.llvm import LLVMPointerType
from xdsl.ir import Operation
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    VarConstraint,
    base,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import (
    EffectInstance,
    MemoryEffect,
    MemoryEffectKind,
    MemoryReadEffect,
    MemoryWriteEffect,
)

from stepwell.compiler.dialects.define import Computation, defined_in
from stepwell.compiler.dialects.llvm.constraints import (
    AnyVector,
    Integers,
    Mask,
    Pointers,
    PointerVector,
    ValueAndSuccess,
)
from stepwell.compiler.dialects.llvm.syntax import AtomicOperation, GEPIndices, Ordering

BOTH = frozenset(map(EffectInstance, (MemoryEffectKind.READ, MemoryEffectKind.WRITE)))


class AtomicEffects(MemoryEffect):
    """An access that is atomic reads and writes, whatever a plain one does: it may not be removed,
    repeated or moved."""

    @classmethod
    def get_effects(cls, op: Operation) -> Set[EffectInstance]:
        ordering = op.properties.get("ordering")
        is_atomic = isinstance(ordering, IntegerAttr) and ordering.value.data != 0
        return BOTH if is_atomic else frozenset()


class MemoryAccess(IRDLOperation, ABC):
    """How plain loads and stores may be qualified."""

    alignment = opt_prop_def(IntegerAttr.constr(i64))
    ordering = opt_prop_def(IntegerAttr.constr(i64))

    irdl_options = (ParsePropInAttrDict(),)
    custom_directives = (Ordering,)


@irdl_op_definition
class LoadOp(MemoryAccess):
    """`llvm.load %p atomic acquire {alignment = 4 : i64} : !llvm.ptr -> i32`.

    Without `alignment` LLVM assumes the type's own: 64 bytes for a vector of 16 f32.
    """

    name = "llvm.load"
    addr = operand_def(LLVMPointerType)
    res = result_def()
    traits = traits_def(MemoryReadEffect(), AtomicEffects())
    assembly_format = (
        "$addr (`atomic` custom<Ordering>($ordering)^)? attr-dict `:` type($addr) `->` type($res)"
    )


@irdl_op_definition
class StoreOp(MemoryAccess):
    """`llvm.store %v, %p atomic release {alignment = 4 : i64} : i32, !llvm.ptr`.

    What is `nontemporal` goes past the caches.
    """

    name = "llvm.store"
    nontemporal = opt_prop_def(UnitAttr)
    value = operand_def()
    addr = operand_def(LLVMPointerType)
    traits = traits_def(MemoryWriteEffect(), AtomicEffects())
    assembly_format = (
        "$value `,` $addr (`atomic` custom<Ordering>($ordering)^)?"
        " attr-dict `:` type($value) `,` type($addr)"
    )


@irdl_op_definition
class GEPOp(Computation):
    """`llvm.getelementptr %p[%i, 3] : (!llvm.ptr, i64) -> !llvm.ptr, f32`.

    An index that is no constant stands as `GEP_USE_SSA_VAL` in `rawConstantIndices`. With vectors
    of pointers or indices the result is a vector of pointers, for gather and scatter.
    """

    name = "llvm.getelementptr"
    base = operand_def(Pointers)
    dynamicIndices = var_operand_def(Integers)
    rawConstantIndices = prop_def(DenseArrayBase.constr(i32))
    elem_type = prop_def()
    res = result_def(Pointers)
    custom_directives = (GEPIndices,)
    assembly_format = (
        "$base custom<GEPIndices>($dynamicIndices, $rawConstantIndices)"
        " attr-dict `:` functional-type(operands, results) `,` $elem_type"
    )


class Atomic(IRDLOperation, ABC):
    """How atomic read-modify-write ops may be qualified."""

    alignment = opt_prop_def(IntegerAttr.constr(i64))
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    irdl_options = (ParsePropInAttrDict(),)


@irdl_op_definition
class AtomicRMWOp(Atomic):
    """`%old = llvm.atomicrmw add %p, %v acq_rel : !llvm.ptr, i64`."""

    T: ClassVar = VarConstraint("T", SignlessIntegerConstraint | AnyFloatConstr)

    name = "llvm.atomicrmw"
    bin_op = prop_def(IntegerAttr.constr(i64))
    ptr = operand_def(LLVMPointerType)
    val = operand_def(T)
    ordering = prop_def(IntegerAttr.constr(i64))
    res = result_def(T)
    custom_directives = (AtomicOperation, Ordering)
    assembly_format = (
        "custom<AtomicOperation>($bin_op) $ptr `,` $val custom<Ordering>($ordering) attr-dict"
        " `:` type($ptr) `,` type($val)"
    )


@irdl_op_definition
class CmpXchgOp(Atomic):
    """`llvm.cmpxchg %p, %expected, %new acq_rel monotonic : !llvm.ptr, i64`.

    The result is a struct of the old value and whether it was the expected one.
    """

    T: ClassVar = VarConstraint("T", SignlessIntegerConstraint | base(LLVMPointerType))

    name = "llvm.cmpxchg"
    ptr = operand_def(LLVMPointerType)
    cmp = operand_def(T)
    val = operand_def(T)
    success_ordering = prop_def(IntegerAttr.constr(i64))
    failure_ordering = prop_def(IntegerAttr.constr(i64))
    res = result_def(ValueAndSuccess(T))
    custom_directives = (Ordering,)
    assembly_format = (
        "$ptr `,` $cmp `,` $val custom<Ordering>($success_ordering)"
        " custom<Ordering>($failure_ordering) attr-dict `:` type($ptr) `,` type($val)"
    )


@irdl_op_definition
class FenceOp(IRDLOperation):
    """`llvm.fence seq_cst`."""

    name = "llvm.fence"
    ordering = prop_def(IntegerAttr.constr(i64))
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    custom_directives = (Ordering,)
    assembly_format = "custom<Ordering>($ordering) attr-dict"


class MaskedAccess(IRDLOperation, ABC):
    """How accesses of some lanes are qualified."""

    alignment = prop_def(IntegerAttr.constr(i32))
    irdl_options = (ParsePropInAttrDict(),)


class MaskedRead(MaskedAccess, ABC):
    """The lanes whose mask is set; the others are `pass_thru`'s, or poison without one."""

    mask = operand_def(Mask)
    pass_thru = opt_operand_def(AnyVector)
    res = result_def(AnyVector)
    traits = traits_def(MemoryReadEffect())
    assembly_format = "operands attr-dict `:` functional-type(operands, results)"


class MaskedWrite(MaskedAccess, ABC):
    """Stores the lanes whose mask is set; lane 0 first."""

    mask = operand_def(Mask)
    traits = traits_def(MemoryWriteEffect())
    assembly_format = (
        "$value `,` $data `,` $mask attr-dict `:` type($value) `,` type($mask) `into` type($data)"
    )


@irdl_op_definition
class MaskedLoadOp(MaskedRead):
    """Loads the lanes whose mask is set; the others are `pass_thru`'s, or poison without one.

    `llvm.intr.masked.load %p, %mask, %other {alignment = 4 : i32}
    : (!llvm.ptr, vector<8xi1>, vector<8xf32>) -> vector<8xf32>`
    """

    name = "llvm.intr.masked.load"
    data = operand_def(LLVMPointerType)


@irdl_op_definition
class MaskedStoreOp(MaskedWrite):
    """Stores the lanes whose mask is set; upstream's takes floats only and states no effect.

    `llvm.intr.masked.store %v, %p, %mask {alignment = 4 : i32}
    : vector<8xf32>, vector<8xi1> into !llvm.ptr`
    """

    name = "llvm.intr.masked.store"
    value = operand_def(AnyVector)
    data = operand_def(LLVMPointerType)


@irdl_op_definition
class MaskedGatherOp(MaskedRead):
    """Loads through the pointers whose mask is set; other lanes are `pass_thru`'s, or poison."""

    name = "llvm.intr.masked.gather"
    data = operand_def(PointerVector)


@irdl_op_definition
class MaskedScatterOp(MaskedWrite):
    """Stores through each pointer whose mask is set, lane 0 first."""

    name = "llvm.intr.masked.scatter"
    value = operand_def(AnyVector)
    data = operand_def(PointerVector)


@irdl_op_definition
class PrefetchOp(IRDLOperation):
    """A hint to fetch a line: `rw` 1 to write, `hint` 0 (no reuse) to 3 (keep), `cache` 1 data."""

    name = "llvm.intr.prefetch"
    addr = operand_def(LLVMPointerType)
    rw = prop_def(IntegerAttr.constr(i32))
    hint = prop_def(IntegerAttr.constr(i32))
    cache = prop_def(IntegerAttr.constr(i32))
    traits = traits_def(MemoryWriteEffect())


MEMORY_OPS = defined_in(__name__, IRDLOperation)
