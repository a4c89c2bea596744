"""How LLVM IR writes branches and calls."""

from collections.abc import Sequence

from xdsl.dialects import llvm
from xdsl.ir import Operation, SSAValue

from stepwell.compiler.dialects.construct import operands_of, result_of
from stepwell.compiler.targets.llvm_constants import quoted, signature_text, symbol
from stepwell.compiler.targets.llvm_families import call, number, text
from stepwell.compiler.targets.llvm_scope import Scope
from stepwell.runtime.errors import CompileError


def br(scope: Scope, op: Operation) -> str:
    return f"br {scope.edge(op.successors[0], operands_of(op))}"


def _split(scope: Scope, op: Operation) -> tuple[Sequence[SSAValue], ...]:
    """The operands in their segments."""
    walk = iter(operands_of(op))
    sizes = scope.texts.integers(op.properties["operandSegmentSizes"])
    return tuple([next(walk) for _ in range(size)] for size in sizes)


def cond_br(scope: Scope, op: Operation) -> str:
    condition, then, otherwise = _split(scope, op)
    first, second = op.successors
    return (
        f"br {scope.typed(condition[0])}, {scope.edge(first, then)}, "
        f"{scope.edge(second, otherwise)}"
    )


def return_(scope: Scope, op: Operation) -> str:
    operands = operands_of(op)
    return f"ret {scope.typed(operands[0])}" if operands else "ret void"


def unreachable(scope: Scope, op: Operation) -> str:
    return "unreachable"


def _arguments(scope: Scope, op: Operation) -> Sequence[SSAValue]:
    arguments, bundles = _split(scope, op)
    if bundles:
        raise CompileError("SW0250", f"{op.name} with operand bundles has no text here")
    return arguments


def function_call(scope: Scope, op: Operation) -> str:
    assert isinstance(op, llvm.CallOp)
    arguments = _arguments(scope, op)
    if op.callee is not None:
        callee = symbol(op.callee.string_value())
    else:
        callee, arguments = scope.name(arguments[0]), arguments[1:]
    tail = op.TailCallKind.data.value
    convention = op.CConv.cconv_name
    variadic = op.var_callee_type
    return call(
        scope,
        op,
        callee,
        scope.typed_list(arguments),
        prefix=f"{tail} call" if tail != "none" else "call",
        convention=f"{convention} " if convention != "ccc" else "",
        signature=None if variadic is None else signature_text(variadic),
    )


def intrinsic_call(scope: Scope, op: Operation) -> str:
    return call(scope, op, symbol(text(op, "intrin")), scope.typed_list(_arguments(scope, op)))


def inline_asm(scope: Scope, op: Operation) -> str:
    flags = "sideeffect " if "has_side_effects" in op.properties else ""
    flags += "alignstack " if "is_align_stack" in op.properties else ""
    flags += "inteldialect " if number(op, "asm_dialect") else ""
    callee = f"asm {flags}{quoted(text(op, 'asm_string'))}, {quoted(text(op, 'constraints'))}"
    arguments = scope.typed_list(operands_of(op))
    result = scope.texts[result_of(op).type] if op.results else "void"
    return call(scope, op, callee, arguments, signature=result)
