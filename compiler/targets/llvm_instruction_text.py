"""How LLVM IR writes each instruction of the llvm dialect: the table from op classes to writers."""

from collections.abc import Callable, Mapping, Sequence

from xdsl.dialects import llvm
from xdsl.dialects.builtin import (
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    IntegerAttr,
    StringAttr,
    SymbolRefAttr,
)
from xdsl.dialects.llvm import GEP_USE_SSA_VAL, LLVMPointerType, OverflowAttr
from xdsl.ir import Operation, SSAValue

from stepwell.compiler.dialects.construct import operands_of, result_of
from stepwell.compiler.dialects.llvm import instructions, intrinsics, memory
from stepwell.compiler.dialects.llvm.syntax import (
    ATOMIC_OPERATIONS,
    ORDERINGS,
    keyword_of,
    no_wrap_words,
)
from stepwell.compiler.targets.llvm_constants import constant_text, quoted, signature_text, symbol
from stepwell.compiler.targets.llvm_scope import Scope, fast_text
from stepwell.runtime.errors import CompileError

Writer = Callable[[Scope, Operation], str]
Flags = Callable[[Operation], str]

_WRAP = ("", "nsw ", "nuw ", "nuw nsw ")


def number(op: Operation, name: str, default: int = 0) -> int:
    """An integer among the properties."""
    value = op.properties.get(name)
    return value.value.data if isinstance(value, IntegerAttr) else default


def text(op: Operation, name: str) -> str:
    """A string among the properties."""
    value = op.properties.get(name)
    return value.data if isinstance(value, StringAttr) else ""


# Flags behind the opcode.


def _none(op: Operation) -> str:
    return ""


def _wrap(op: Operation) -> str:
    flags = op.properties.get("overflowFlags")
    if flags is None:
        return ""
    if isinstance(flags, OverflowAttr):
        return _WRAP[flags.to_int()]
    return _WRAP[number(op, "overflowFlags")]


def _flag(name: str, keyword: str) -> Flags:
    return lambda op: keyword if name in op.properties else ""


def _fast(op: Operation) -> str:
    return fast_text(op.properties.get("fastmathFlags"))


_exact = _flag("isExact", "exact ")
_disjoint = _flag("isDisjoint", "disjoint ")
_nonneg = _flag("nonNeg", "nneg ")


# Families of instructions.


def _binary(opcode: str, flags: Flags = _none) -> Writer:
    def write(scope: Scope, op: Operation) -> str:
        a, b = operands_of(op)
        names = scope.names
        return (
            f"{names[id(result_of(op))]} = {opcode} {flags(op)}"
            f"{scope.texts[a.type]} {names[id(a)]}, {names[id(b)]}"
        )

    return write


def _cast(opcode: str, flags: Flags = _none) -> Writer:
    def write(scope: Scope, op: Operation) -> str:
        result = result_of(op)
        source = scope.typed(operands_of(op)[0])
        return (
            f"{scope.names[id(result)]} = {opcode} {flags(op)}{source} to "
            f"{scope.texts[result.type]}"
        )

    return write


def _typed(opcode: str, flags: Flags = _none) -> Writer:
    """All operands with their types: `select <8 x i1> %c, float %a, float %b`."""

    def write(scope: Scope, op: Operation) -> str:
        operands = scope.typed_list(operands_of(op))
        return f"{scope.names[id(result_of(op))]} = {opcode} {flags(op)}{operands}"

    return write


def _compare(opcode: str, predicates: Sequence[str]) -> Writer:
    def write(scope: Scope, op: Operation) -> str:
        a, b = operands_of(op)
        predicate = predicates[number(op, "predicate")]
        return (
            f"{scope.name(result_of(op))} = {opcode} {_fast(op)}{predicate} "
            f"{scope.typed(a)}, {scope.name(b)}"
        )

    return write


def _intrinsic(name: str, tail: Callable[[Operation], str] = _none) -> Writer:
    """A call of `@llvm.name`; LLVM's parser adds the types to the name and declares it."""

    def write(scope: Scope, op: Operation) -> str:
        return _call(scope, op, f"@{name}", scope.typed_list(operands_of(op)) + tail(op))

    return write


def _call(
    scope: Scope,
    op: Operation,
    callee: str,
    arguments: str,
    *,
    prefix: str = "call",
    convention: str = "",
    signature: str | None = None,
) -> str:
    if not op.results:
        return f"{prefix} {convention}{signature or 'void'} {callee}({arguments})"
    result = result_of(op)
    return (
        f"{scope.names[id(result)]} = {prefix} {_fast(op)}{convention}"
        f"{signature or scope.texts[result.type]} {callee}({arguments})"
    )


def _masked(name: str, place: int) -> Writer:
    """Masked memory intrinsics: the alignment belongs to the operand `place`, the pointers."""

    def write(scope: Scope, op: Operation) -> str:
        operands = operands_of(op)
        arguments = [scope.typed(operand) for operand in operands]
        pointer = operands[place]
        alignment = number(op, "alignment")
        arguments[place] = f"{scope.texts[pointer.type]} align {alignment} {scope.name(pointer)}"
        if op.results and len(operands) == 2:
            arguments.append(f"{scope.texts[result_of(op).type]} poison")
        nontemporal = ", !nontemporal !{i32 1}" if "nontemporal" in op.properties else ""
        return _call(scope, op, f"@{name}", ", ".join(arguments)) + nontemporal

    return write


# Vectors and aggregates.


def _shufflevector(scope: Scope, op: Operation) -> str:
    mask = op.properties["mask"]
    assert isinstance(mask, DenseArrayBase)
    lanes = ["i32 poison" if lane == -1 else f"i32 {lane}" for lane in mask.get_values()]
    operands = scope.typed_list(operands_of(op))
    return (
        f"{scope.name(result_of(op))} = shufflevector {operands}, "
        f"<{len(lanes)} x i32> <{', '.join(lanes)}>"
    )


def _positions(op: Operation) -> str:
    position = op.properties["position"]
    assert isinstance(position, DenseArrayBase)
    return "".join([f", {index}" for index in position.get_values()])


def _value_access(opcode: str) -> Writer:
    plain = _typed(opcode)
    return lambda scope, op: plain(scope, op) + _positions(op)


# Memory.


def _aligned(op: Operation) -> str:
    return f", align {alignment}" if (alignment := number(op, "alignment")) else ""


def _scope_and_ordering(op: Operation, ordering: str = "ordering") -> str:
    scope = text(op, "syncscope")
    where = f" syncscope({quoted(scope)})" if scope else ""
    return f"{where} {keyword_of(ORDERINGS, op.properties[ordering])}"


def _qualified(op: Operation) -> tuple[str, str]:
    """What stands before and behind the operands of a load or store."""
    properties = op.properties
    behind = _aligned(op)
    if "nontemporal" in properties:
        behind += ", !nontemporal !{i32 1}"
    before = "volatile " if "volatile_" in properties else ""
    if number(op, "ordering"):
        return f"atomic {before}", _scope_and_ordering(op) + behind
    return before, behind


def _load(scope: Scope, op: Operation) -> str:
    before, behind = _qualified(op)
    result = result_of(op)
    place = scope.typed(operands_of(op)[0])
    return f"{scope.name(result)} = load {before}{scope.texts[result.type]}, {place}{behind}"


def _store(scope: Scope, op: Operation) -> str:
    before, behind = _qualified(op)
    return f"store {before}{scope.typed_list(operands_of(op))}{behind}"


def _alloca(scope: Scope, op: Operation) -> str:
    element = scope.texts[op.properties["elem_type"]]
    count = scope.typed(operands_of(op)[0])
    return f"{scope.name(result_of(op))} = alloca {element}, {count}{_aligned(op)}"


def _getelementptr(scope: Scope, op: Operation) -> str:
    base, *dynamic = operands_of(op)
    values = iter(dynamic)
    indices = [
        scope.typed(next(values)) if index == GEP_USE_SSA_VAL else f"i32 {index}"
        for index in scope.texts.integers(op.properties["rawConstantIndices"])
    ]
    flags = "".join([f"{word} " for word in no_wrap_words(number(op, "noWrapFlags"))])
    element = scope.texts[op.properties["elem_type"]]
    return (
        f"{scope.names[id(result_of(op))]} = getelementptr {flags}{element}, "
        f"{scope.typed(base)}, {', '.join(indices)}"
    )


def _atomicrmw(scope: Scope, op: Operation) -> str:
    kind = keyword_of(ATOMIC_OPERATIONS, op.properties["bin_op"]).removeprefix("_")
    volatile = "volatile " if "volatile_" in op.properties else ""
    operands = scope.typed_list(operands_of(op))
    return (
        f"{scope.name(result_of(op))} = atomicrmw {volatile}{kind} {operands}"
        f"{_scope_and_ordering(op)}{_aligned(op)}"
    )


def _cmpxchg(scope: Scope, op: Operation) -> str:
    weak = "weak " if "weak" in op.properties else ""
    volatile = "volatile " if "volatile_" in op.properties else ""
    orderings = (
        f"{_scope_and_ordering(op, 'success_ordering')} "
        f"{keyword_of(ORDERINGS, op.properties['failure_ordering'])}"
    )
    operands = scope.typed_list(operands_of(op))
    return (
        f"{scope.name(result_of(op))} = cmpxchg {weak}{volatile}{operands}{orderings}{_aligned(op)}"
    )


def _fence(scope: Scope, op: Operation) -> str:
    return f"fence{_scope_and_ordering(op)}"


def _prefetch_tail(op: Operation) -> str:
    return "".join([f", i32 {number(op, name)}" for name in ("rw", "hint", "cache")])


def _flag_tail(name: str) -> Flags:
    return lambda op: f", i1 {'true' if number(op, name) else 'false'}"


# Control flow and calls.


def _br(scope: Scope, op: Operation) -> str:
    return f"br {scope.edge(op.successors[0], operands_of(op))}"


def _split(op: Operation) -> tuple[Sequence[SSAValue], ...]:
    """The operands in their segments."""
    sizes = op.properties["operandSegmentSizes"]
    assert isinstance(sizes, DenseArrayBase)
    operands = operands_of(op)
    ends = [sum(sizes.get_values()[: i + 1]) for i in range(len(sizes.get_values()))]
    return tuple(operands[start:end] for start, end in zip([0, *ends], ends, strict=False))


def _cond_br(scope: Scope, op: Operation) -> str:
    condition, then, otherwise = _split(op)
    first, second = op.successors
    return (
        f"br {scope.typed(condition[0])}, {scope.edge(first, then)}, "
        f"{scope.edge(second, otherwise)}"
    )


def _switch(scope: Scope, op: Operation) -> str:
    (value,), default, operands = _split(op)
    target, *targets = op.successors
    values = op.properties.get("case_values")
    numbers = values.get_values() if isinstance(values, DenseIntOrFPElementsAttr) else ()
    sizes = op.properties["case_operand_segments"]
    assert isinstance(sizes, DenseArrayBase)
    kind = scope.texts[value.type]
    default_edge = scope.edge(target, default)
    cases: list[str] = []
    start = 0
    for block, case, size in zip(targets, numbers, sizes.get_values(), strict=True):
        cases.append(f"{kind} {case}, {scope.edge(block, operands[start : start + size])}")
        start += size
    return f"switch {scope.typed(value)}, {default_edge} [ {' '.join(cases)} ]"


def _return(scope: Scope, op: Operation) -> str:
    operands = operands_of(op)
    return f"ret {scope.typed(operands[0])}" if operands else "ret void"


def _unreachable(scope: Scope, op: Operation) -> str:
    return "unreachable"


def _function_call(scope: Scope, op: Operation) -> str:
    assert isinstance(op, llvm.CallOp)
    arguments, bundles = _split(op)
    if bundles:
        raise CompileError("SW0250", "llvm.call with operand bundles has no text here")
    if op.callee is not None:
        callee = symbol(op.callee.string_value())
    else:
        callee, arguments = scope.name(arguments[0]), arguments[1:]
    tail = op.TailCallKind.data.value
    convention = op.CConv.cconv_name
    variadic = op.var_callee_type
    return _call(
        scope,
        op,
        callee,
        scope.typed_list(arguments),
        prefix=f"{tail} call" if tail != "none" else "call",
        convention=f"{convention} " if convention != "ccc" else "",
        signature=None if variadic is None else signature_text(variadic),
    )


def _intrinsic_call(scope: Scope, op: Operation) -> str:
    arguments, bundles = _split(op)
    if bundles:
        raise CompileError("SW0250", "llvm.call_intrinsic with operand bundles has no text here")
    return _call(scope, op, symbol(text(op, "intrin")), scope.typed_list(arguments))


def _inline_asm(scope: Scope, op: Operation) -> str:
    flags = "sideeffect " if "has_side_effects" in op.properties else ""
    flags += "alignstack " if "is_align_stack" in op.properties else ""
    flags += "inteldialect " if number(op, "asm_dialect") else ""
    callee = f"asm {flags}{quoted(text(op, 'asm_string'))}, {quoted(text(op, 'constraints'))}"
    arguments = scope.typed_list(operands_of(op))
    result = scope.texts[result_of(op).type] if op.results else "void"
    return _call(scope, op, callee, arguments, signature=result)


_CALLED = (
    *intrinsics.INTRINSIC_OPS,
    llvm.FCeilOp,
    llvm.FCopySignOp,
    llvm.FCosOp,
    llvm.FExp2Op,
    llvm.FExpOp,
    llvm.FFloorOp,
    llvm.FLog2Op,
    llvm.FLogOp,
    llvm.FMAOp,
    llvm.FPowOp,
    llvm.FSinOp,
    llvm.FSqrtOp,
    llvm.StackRestoreOp,
    llvm.StackSaveOp,
    llvm.VectorFMaxOp,
    llvm.VectorFMinOp,
    llvm.VectorReduceFAddOp,
    llvm.VectorReduceFMulOp,
)


def _called_as(op: type[Operation]) -> str:
    """MLIR's `llvm.intr.fma` is LLVM's `llvm.fma`."""
    return op.name.replace("llvm.intr.", "llvm.")


WRITERS: Mapping[type[Operation], Writer] = {
    # Integers.
    llvm.AddOp: _binary("add", _wrap),
    llvm.SubOp: _binary("sub", _wrap),
    llvm.MulOp: _binary("mul", _wrap),
    llvm.ShlOp: _binary("shl", _wrap),
    llvm.UDivOp: _binary("udiv", _exact),
    llvm.SDivOp: _binary("sdiv", _exact),
    llvm.LShrOp: _binary("lshr", _exact),
    llvm.AShrOp: _binary("ashr", _exact),
    llvm.URemOp: _binary("urem"),
    llvm.SRemOp: _binary("srem"),
    llvm.AndOp: _binary("and"),
    llvm.OrOp: _binary("or", _disjoint),
    llvm.XOrOp: _binary("xor"),
    llvm.ICmpOp: _compare("icmp", [flag.value for flag in llvm.ICmpPredicateFlag]),
    # Floats.
    llvm.FAddOp: _binary("fadd", _fast),
    llvm.FSubOp: _binary("fsub", _fast),
    llvm.FMulOp: _binary("fmul", _fast),
    llvm.FDivOp: _binary("fdiv", _fast),
    llvm.FRemOp: _binary("frem", _fast),
    llvm.FNegOp: _typed("fneg", _fast),
    instructions.FCmpOp: _compare(
        "fcmp", [flag.value.removeprefix("_") for flag in llvm.FCmpPredicateFlag]
    ),
    # Conversions.
    llvm.TruncOp: _cast("trunc", _wrap),
    llvm.ZExtOp: _cast("zext", _nonneg),
    llvm.SExtOp: _cast("sext"),
    llvm.SIToFPOp: _cast("sitofp"),
    instructions.UIToFPOp: _cast("uitofp", _nonneg),
    instructions.FPToSIOp: _cast("fptosi"),
    instructions.FPToUIOp: _cast("fptoui"),
    llvm.FPExtOp: _cast("fpext"),
    llvm.FPTruncOp: _cast("fptrunc"),
    llvm.BitcastOp: _cast("bitcast"),
    llvm.PtrToIntOp: _cast("ptrtoint"),
    llvm.IntToPtrOp: _cast("inttoptr"),
    instructions.AddrSpaceCastOp: _cast("addrspacecast"),
    # Choices, vectors and aggregates.
    instructions.SelectOp: _typed("select", _fast),
    instructions.FreezeOp: _typed("freeze"),
    instructions.ExtractElementOp: _typed("extractelement"),
    llvm.InsertElementOp: _typed("insertelement"),
    llvm.ShuffleVectorOp: _shufflevector,
    llvm.ExtractValueOp: _value_access("extractvalue"),
    llvm.InsertValueOp: _value_access("insertvalue"),
    # Memory.
    llvm.AllocaOp: _alloca,
    memory.LoadOp: _load,
    memory.StoreOp: _store,
    memory.GEPOp: _getelementptr,
    memory.AtomicRMWOp: _atomicrmw,
    memory.CmpXchgOp: _cmpxchg,
    memory.FenceOp: _fence,
    memory.MaskedLoadOp: _masked("llvm.masked.load", 0),
    memory.MaskedStoreOp: _masked("llvm.masked.store", 1),
    memory.MaskedGatherOp: _masked("llvm.masked.gather", 0),
    memory.MaskedScatterOp: _masked("llvm.masked.scatter", 1),
    memory.PrefetchOp: _intrinsic("llvm.prefetch", _prefetch_tail),
    # Control flow and calls.
    llvm.BrOp: _br,
    llvm.CondBrOp: _cond_br,
    instructions.SwitchOp: _switch,
    llvm.ReturnOp: _return,
    llvm.UnreachableOp: _unreachable,
    llvm.CallOp: _function_call,
    llvm.CallIntrinsicOp: _intrinsic_call,
    llvm.InlineAsmOp: _inline_asm,
    # Intrinsics.
    **{op: _intrinsic(_called_as(op)) for op in _CALLED},
    intrinsics.AbsOp: _intrinsic("llvm.abs", _flag_tail("is_int_min_poison")),
    intrinsics.CountLeadingZerosOp: _intrinsic("llvm.ctlz", _flag_tail("is_zero_poison")),
    intrinsics.CountTrailingZerosOp: _intrinsic("llvm.cttz", _flag_tail("is_zero_poison")),
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
