"""Square roots and quotients: by the divider, and some of many beside it, where FMA units wait.

The divider takes ten cycles for a vector and starts no other meanwhile, in which time two FMA units
could start twenty operations.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import groupby
from typing import TypeAlias

from xdsl.dialects import arith, math
from xdsl.ir import Block, Operation, SSAValue

from stepwell.compiler.dialects.construct import operands_of
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.dialects.loop.explicit import ForOp
from stepwell.compiler.lower.costs import STEPS
from stepwell.compiler.lower.loop_to_llvm import avx512, newton
from stepwell.compiler.lower.loop_to_llvm.frame import Frame
from stepwell.compiler.lower.loop_to_llvm.program import Program
from stepwell.compiler.lower.loop_to_llvm.scalars import Relaxable, any_lane, relaxed

Way: TypeAlias = Sequence[Callable[..., SSAValue]]
"""The instruction, Newton's steps, and where these do not give what it gives."""
WAYS: Mapping[type[Operation], Way] = {
    math.SqrtOp: (LlvmBuilder.sqrt, newton.root, newton.beyond_root),
    arith.DivfOp: (LlvmBuilder.fdiv, newton.quotient, newton.beyond_quotient),
}


def _plain_by(build: LlvmBuilder, x: SSAValue, by: newton.Inverse) -> SSAValue:
    return build.fdiv(x, by.y)


BY: Way = (_plain_by, newton.quotient_by, newton.beyond_quotient_by)
"""Of quotients by what a loop does not change."""

# Thirds of a cycle, measured on a Xeon with AMX.
_DIVIDER: Mapping[type[Operation], int] = {math.SqrtOp: 36, arith.DivfOp: 30}
_UNITS: Mapping[type[Operation], int] = {math.SqrtOp: 26, arith.DivfOp: 40}
_UNITS_BY = 12
_STEP = 2


def evaluate(frame: Frame, op: Operation) -> None:
    """The op by its instruction, or together with others beside it by Newton's steps."""
    together = _relief(frame.program, op.parent).get(op)
    if together is None:
        assert isinstance(op, Relaxable)
        operands = [frame.values[operand] for operand in operands_of(op)]
        instruction = WAYS[type(op)][0](frame.build, *operands)
        frame.values[op.results[0]] = relaxed(op, instruction)
    elif op is together[0]:
        _by_newton(frame, together)


def invert(frame: Frame, body: Block) -> None:
    """Ahead of a loop, what it divides by and does not change."""
    inverses = frame.program.inverses
    for op in filter(_is_by, _relief(frame.program, body)):
        y = op.operands[1]
        if (body, y) not in inverses:
            inverses[body, y] = newton.inverse(frame.build, frame.values[y])


def _by_newton(frame: Frame, ops: Sequence[Operation]) -> None:
    """Ahead of them all is one jump, to the instructions, for numbers beyond the steps."""
    build = frame.build
    plain, steps, beyond = BY if _is_by(ops[0]) else WAYS[type(ops[0])]
    given = [_given(frame, op) for op in ops]
    rare = reduce(build.or_, [beyond(build, *operands) for operands in given])
    with build.if_(any_lane(build, rare)) as choice:
        choice.yields(*[plain(build, *operands) for operands in given])
        choice.otherwise()
        choice.yields(*[steps(build, *operands) for operands in given])
    frame.values.update(zip([op.results[0] for op in ops], choice.results, strict=True))


def _given(frame: Frame, op: Operation) -> Sequence[object]:
    operands = [frame.values[operand] for operand in operands_of(op)]
    if not _is_by(op):
        return operands
    assert op.parent is not None
    return operands[0], frame.program.inverses[op.parent, op.operands[1]]


def _relief(program: Program, block: Block | None) -> Mapping[Operation, Sequence[Operation]]:
    """What Newton's steps compute of a block, and with which others."""
    assert block is not None
    if block not in program.relief:
        able = avx512.FEATURE in program.machine.features
        groups = _balanced(block) if able else ()
        program.relief[block] = {each: together for together in groups for each in together}
    return program.relief[block]


def _balanced(block: Block) -> Iterator[Sequence[Operation]]:
    """Of ops of one kind side by side, the vectors of an unrolled loop, as many as bring down the
    longer of both times, the divider's and the units'; first those that gain most.

    What stands alone waits for its operands rather than for the divider, unless its divisor is
    known long before.
    """
    wide = [op for op in block.ops if op.results and op.results[0].type == newton.VECTOR]
    times = sum(_DIVIDER.get(type(op), 0) for op in wide), sum(map(_on_units, wide))
    runs = [list(run) for (kind, _), run in groupby(wide, _kind) if kind in WAYS]
    for run in sorted(runs, key=lambda run: _by_steps(run[0])):
        together: list[Operation] = []
        for op in run:
            relieved = times[0] - _DIVIDER[type(op)], times[1] + _by_steps(op)
            alone = len(run) == 1 and not _is_by(op)
            waits = any(operand.owner in together for operand in op.operands)
            if alone or waits or max(relieved) >= max(times):
                break
            times = relieved
            together.append(op)
        yield together


def _kind(op: Operation) -> tuple[type[Operation], bool]:
    return type(op), _is_by(op)


def _is_by(op: Operation) -> bool:
    """Whether it is a quotient by what the loop around it does not change."""
    if not (isinstance(op, arith.DivfOp) and isinstance(op.parent_op(), ForOp)):
        return False
    return op.parent not in (op.rhs.owner, op.rhs.owner.parent)


def _by_steps(op: Operation) -> int:
    return _UNITS_BY if _is_by(op) else _UNITS[type(op)]


def _on_units(op: Operation) -> float:
    return 0.0 if type(op) in WAYS else _STEP * STEPS.get(type(op), 1.0)
