"""How LLVM IR writes whole families of instructions, and how their properties are read."""

from collections.abc import Callable, Sequence

from xdsl.dialects.builtin import IntegerAttr, StringAttr
from xdsl.dialects.llvm import FastMathAttr, OverflowAttr
from xdsl.dialects.utils import FastMathFlag
from xdsl.ir import Operation

from stepwell.compiler.dialects.construct import operands_of, result_of
from stepwell.compiler.targets.llvm_scope import Scope

Writer = Callable[[Scope, Operation], str]
Flags = Callable[[Operation], str]

_WRAP = ("", "nsw ", "nuw ", "nuw nsw ")


def number(op: Operation, name: str) -> int:
    """An integer among the properties; 0 if it is not there."""
    value = op.properties.get(name)
    return value.value.data if isinstance(value, IntegerAttr) else 0


def text(op: Operation, name: str) -> str:
    """A string among the properties."""
    value = op.properties.get(name)
    return value.data if isinstance(value, StringAttr) else ""


# Flags behind the opcode.


def no_flags(op: Operation) -> str:
    return ""


def wrap(op: Operation) -> str:
    flags = op.properties.get("overflowFlags")
    if isinstance(flags, OverflowAttr):
        return _WRAP[flags.to_int()]
    return _WRAP[number(op, "overflowFlags")]


def flag(name: str, keyword: str) -> Flags:
    return lambda op: keyword if name in op.properties else ""


def fast(op: Operation) -> str:
    """`nnan contract `, with a blank behind; nothing for strict arithmetic."""
    flags = op.properties.get("fastmathFlags")
    if not isinstance(flags, FastMathAttr) or not flags.data:
        return ""
    if len(flags.data) == len(FastMathFlag):
        return "fast "
    # The flags are a set: only their definition has an order.
    return "".join([f"{flag.value} " for flag in FastMathFlag if flag in flags.data])


exact = flag("isExact", "exact ")
disjoint = flag("isDisjoint", "disjoint ")
nonneg = flag("nonNeg", "nneg ")


# Families of instructions.


def binary(opcode: str, flags: Flags = no_flags) -> Writer:
    def write(scope: Scope, op: Operation) -> str:
        a, b = operands_of(op)
        names = scope.names
        return (
            f"{names[id(result_of(op))]} = {opcode} {flags(op)}"
            f"{scope.texts[a.type]} {names[id(a)]}, {names[id(b)]}"
        )

    return write


def cast(opcode: str, flags: Flags = no_flags) -> Writer:
    def write(scope: Scope, op: Operation) -> str:
        result = result_of(op)
        source = scope.typed(operands_of(op)[0])
        return (
            f"{scope.names[id(result)]} = {opcode} {flags(op)}{source} to "
            f"{scope.texts[result.type]}"
        )

    return write


def typed(opcode: str, flags: Flags = no_flags) -> Writer:
    """All operands with their types: `select <8 x i1> %c, float %a, float %b`."""

    def write(scope: Scope, op: Operation) -> str:
        operands = scope.typed_list(operands_of(op))
        return f"{scope.names[id(result_of(op))]} = {opcode} {flags(op)}{operands}"

    return write


def compare(opcode: str, predicates: Sequence[str]) -> Writer:
    def write(scope: Scope, op: Operation) -> str:
        a, b = operands_of(op)
        predicate = predicates[number(op, "predicate")]
        return (
            f"{scope.name(result_of(op))} = {opcode} {fast(op)}{predicate} "
            f"{scope.typed(a)}, {scope.name(b)}"
        )

    return write


def intrinsic(name: str, tail: Callable[[Operation], str] = no_flags) -> Writer:
    """A call of `@llvm.name`; LLVM's parser adds the types to the name and declares it."""

    def write(scope: Scope, op: Operation) -> str:
        return call(scope, op, f"@{name}", scope.typed_list(operands_of(op)) + tail(op))

    return write


def call(
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
        f"{scope.names[id(result)]} = {prefix} {fast(op)}{convention}"
        f"{signature or scope.texts[result.type]} {callee}({arguments})"
    )


def flag_tail(name: str) -> Flags:
    return lambda op: f", i1 {'true' if number(op, name) else 'false'}"
