"""How LLVM IR writes what touches memory, and what takes vectors and aggregates apart."""

from xdsl.dialects.llvm import GEP_USE_SSA_VAL
from xdsl.ir import Operation

from stepwell.compiler.dialects.construct import operands_of, result_of
from stepwell.compiler.dialects.llvm.syntax import ATOMIC_OPERATIONS, ORDERINGS, keyword_of
from stepwell.compiler.targets.llvm_families import Writer, call, number, typed
from stepwell.compiler.targets.llvm_scope import Scope


def _aligned(op: Operation) -> str:
    return f", align {alignment}" if (alignment := number(op, "alignment")) else ""


def _ordering(op: Operation, name: str = "ordering") -> str:
    return f" {keyword_of(ORDERINGS, op.properties[name])}"


def _qualified(op: Operation) -> tuple[str, str]:
    """What stands before and behind the operands of a load or store."""
    if number(op, "ordering"):
        return "atomic ", _ordering(op) + _aligned(op)
    return "", _aligned(op)


def load(scope: Scope, op: Operation) -> str:
    before, behind = _qualified(op)
    result = result_of(op)
    place = scope.typed(operands_of(op)[0])
    return f"{scope.name(result)} = load {before}{scope.texts[result.type]}, {place}{behind}"


NONTEMPORAL = ", !nontemporal !0"
ONE = "!0 = !{i32 1}\n"
"""What stands behind such a store, and the module that it is in."""


def store(scope: Scope, op: Operation) -> str:
    before, behind = _qualified(op)
    if "nontemporal" in op.properties:
        behind += NONTEMPORAL
    return f"store {before}{scope.typed_list(operands_of(op))}{behind}"


def alloca(scope: Scope, op: Operation) -> str:
    element = scope.texts[op.properties["elem_type"]]
    count = scope.typed(operands_of(op)[0])
    return f"{scope.name(result_of(op))} = alloca {element}, {count}{_aligned(op)}"


def getelementptr(scope: Scope, op: Operation) -> str:
    base, *dynamic = operands_of(op)
    values = iter(dynamic)
    indices = [
        scope.typed(next(values)) if index == GEP_USE_SSA_VAL else f"i32 {index}"
        for index in scope.texts.integers(op.properties["rawConstantIndices"])
    ]
    element = scope.texts[op.properties["elem_type"]]
    return (
        f"{scope.names[id(result_of(op))]} = getelementptr {element}, "
        f"{scope.typed(base)}, {', '.join(indices)}"
    )


def atomicrmw(scope: Scope, op: Operation) -> str:
    kind = keyword_of(ATOMIC_OPERATIONS, op.properties["bin_op"]).removeprefix("_")
    operands = scope.typed_list(operands_of(op))
    name = scope.name(result_of(op))
    return f"{name} = atomicrmw {kind} {operands}{_ordering(op)}{_aligned(op)}"


def cmpxchg(scope: Scope, op: Operation) -> str:
    orderings = _ordering(op, "success_ordering") + _ordering(op, "failure_ordering")
    operands = scope.typed_list(operands_of(op))
    return f"{scope.name(result_of(op))} = cmpxchg {operands}{orderings}{_aligned(op)}"


def fence(scope: Scope, op: Operation) -> str:
    return f"fence{_ordering(op)}"


def prefetch_tail(op: Operation) -> str:
    return "".join([f", i32 {number(op, name)}" for name in ("rw", "hint", "cache")])


def masked(name: str, place: int) -> Writer:
    """Masked memory intrinsics: the alignment belongs to the operand `place`, the pointers."""

    def write(scope: Scope, op: Operation) -> str:
        operands = operands_of(op)
        arguments = [scope.typed(operand) for operand in operands]
        pointer = operands[place]
        alignment = number(op, "alignment")
        arguments[place] = f"{scope.texts[pointer.type]} align {alignment} {scope.name(pointer)}"
        if op.results and len(operands) == 2:
            arguments.append(f"{scope.texts[result_of(op).type]} poison")
        return call(scope, op, f"@{name}", ", ".join(arguments))

    return write


# Vectors and aggregates.


def shufflevector(scope: Scope, op: Operation) -> str:
    mask = scope.texts.integers(op.properties["mask"])
    lanes = ["i32 poison" if lane == -1 else f"i32 {lane}" for lane in mask]
    operands = scope.typed_list(operands_of(op))
    return (
        f"{scope.name(result_of(op))} = shufflevector {operands}, "
        f"<{len(lanes)} x i32> <{', '.join(lanes)}>"
    )


def value_access(opcode: str) -> Writer:
    plain = typed(opcode)

    def write(scope: Scope, op: Operation) -> str:
        position = scope.texts.integers(op.properties["position"])
        return plain(scope, op) + "".join([f", {index}" for index in position])

    return write
