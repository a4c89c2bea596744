"""How LLVM IR writes each op of the llvm dialect: the table from op classes to writers."""

from collections.abc import Callable, Mapping

from xdsl.dialects import llvm
from xdsl.dialects.builtin import SymbolRefAttr
from xdsl.dialects.llvm import LLVMPointerType
from xdsl.ir import Operation

from stepwell.compiler.dialects.construct import result_of
from stepwell.compiler.dialects.llvm import LLVM, instructions, memory
from stepwell.compiler.dialects.llvm.intrinsics import INTRINSICS
from stepwell.compiler.targets import llvm_control_text as control_text
from stepwell.compiler.targets import llvm_memory_text as memory_text
from stepwell.compiler.targets.llvm_constants import constant_text, symbol
from stepwell.compiler.targets.llvm_families import (
    Writer,
    binary,
    cast,
    compare,
    disjoint,
    exact,
    fast,
    flag_tail,
    intrinsic,
    nonneg,
    typed,
    wrap,
)

INTRINSIC = "llvm.intr."
"""MLIR's `llvm.intr.fma` is LLVM's `llvm.fma`."""

WRITERS: Mapping[type[Operation], Writer] = {
    **{
        op: intrinsic(op.name.replace(INTRINSIC, "llvm."))
        for op in LLVM.operations
        if op.name.startswith(INTRINSIC)
    },
    # Integers.
    llvm.AddOp: binary("add", wrap),
    llvm.SubOp: binary("sub", wrap),
    llvm.MulOp: binary("mul", wrap),
    llvm.ShlOp: binary("shl", wrap),
    llvm.UDivOp: binary("udiv", exact),
    llvm.SDivOp: binary("sdiv", exact),
    llvm.LShrOp: binary("lshr", exact),
    llvm.AShrOp: binary("ashr", exact),
    llvm.URemOp: binary("urem"),
    llvm.SRemOp: binary("srem"),
    llvm.AndOp: binary("and"),
    llvm.OrOp: binary("or", disjoint),
    llvm.XOrOp: binary("xor"),
    llvm.ICmpOp: compare("icmp", [flag.value for flag in llvm.ICmpPredicateFlag]),
    # Floats.
    llvm.FAddOp: binary("fadd", fast),
    llvm.FSubOp: binary("fsub", fast),
    llvm.FMulOp: binary("fmul", fast),
    llvm.FDivOp: binary("fdiv", fast),
    llvm.FRemOp: binary("frem", fast),
    llvm.FNegOp: typed("fneg", fast),
    instructions.FCmpOp: compare(
        "fcmp", [flag.value.removeprefix("_") for flag in llvm.FCmpPredicateFlag]
    ),
    # Conversions.
    llvm.TruncOp: cast("trunc", wrap),
    llvm.ZExtOp: cast("zext", nonneg),
    llvm.SExtOp: cast("sext"),
    llvm.SIToFPOp: cast("sitofp"),
    instructions.UIToFPOp: cast("uitofp", nonneg),
    llvm.FPExtOp: cast("fpext"),
    llvm.FPTruncOp: cast("fptrunc"),
    llvm.BitcastOp: cast("bitcast"),
    llvm.PtrToIntOp: cast("ptrtoint"),
    llvm.IntToPtrOp: cast("inttoptr"),
    instructions.AddrSpaceCastOp: cast("addrspacecast"),
    # Choices, vectors and aggregates.
    instructions.SelectOp: typed("select", fast),
    instructions.ExtractElementOp: typed("extractelement"),
    llvm.InsertElementOp: typed("insertelement"),
    llvm.ShuffleVectorOp: memory_text.shufflevector,
    llvm.ExtractValueOp: memory_text.value_access("extractvalue"),
    llvm.InsertValueOp: memory_text.value_access("insertvalue"),
    # Memory.
    llvm.AllocaOp: memory_text.alloca,
    memory.LoadOp: memory_text.load,
    memory.StoreOp: memory_text.store,
    memory.GEPOp: memory_text.getelementptr,
    memory.AtomicRMWOp: memory_text.atomicrmw,
    memory.CmpXchgOp: memory_text.cmpxchg,
    memory.FenceOp: memory_text.fence,
    memory.MaskedLoadOp: memory_text.masked("llvm.masked.load", 0),
    memory.MaskedStoreOp: memory_text.masked("llvm.masked.store", 1),
    memory.MaskedGatherOp: memory_text.masked("llvm.masked.gather", 0),
    memory.MaskedScatterOp: memory_text.masked("llvm.masked.scatter", 1),
    memory.PrefetchOp: intrinsic("llvm.prefetch", memory_text.prefetch_tail),
    # Control flow and calls.
    llvm.BrOp: control_text.br,
    llvm.CondBrOp: control_text.cond_br,
    llvm.ReturnOp: control_text.return_,
    llvm.UnreachableOp: control_text.unreachable,
    llvm.CallOp: control_text.function_call,
    llvm.CallIntrinsicOp: control_text.intrinsic_call,
    llvm.InlineAsmOp: control_text.inline_asm,
    # Intrinsics with an operand that is a property.
    INTRINSICS["abs"]: intrinsic("llvm.abs", flag_tail("is_int_min_poison")),
    INTRINSICS["ctlz"]: intrinsic("llvm.ctlz", flag_tail("is_zero_poison")),
    INTRINSICS["cttz"]: intrinsic("llvm.cttz", flag_tail("is_zero_poison")),
}


def _constant(op: Operation) -> str:
    return constant_text(op.properties["value"], result_of(op).type)


def _zero(op: Operation) -> str:
    return "null" if isinstance(result_of(op).type, LLVMPointerType) else "zeroinitializer"


def _address(op: Operation) -> str:
    name = op.properties["global_name"]
    assert isinstance(name, SymbolRefAttr)
    return symbol(name.string_value())


CONSTANTS: Mapping[type[Operation], Callable[[Operation], str]] = {
    llvm.ConstantOp: _constant,
    llvm.ZeroOp: _zero,
    llvm.AddressOfOp: _address,
    llvm.UndefOp: lambda op: "undef",
    instructions.PoisonOp: lambda op: "poison",
}
"""Ops that LLVM IR has no instruction for: they are written where they are used."""
