"""Square roots and quotients: by the divider, and some of many beside it, where FMA units wait.

The divider of a Xeon takes ten cycles for a vector and starts no other meanwhile, in which time two
FMA units could start twenty operations.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from typing import TypeAlias, final

from xdsl.dialects import arith, math
from xdsl.dialects.utils import FastMathFlag
from xdsl.ir import Block, Operation, SSAValue

from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.dialects.loop.explicit import ForOp
from stepwell.compiler.lower.costs import STEPS
from stepwell.compiler.lower.loop_to_llvm import avx512, estimates, newton
from stepwell.compiler.lower.loop_to_llvm.frame import Frame
from stepwell.compiler.lower.loop_to_llvm.program import Program
from stepwell.compiler.lower.loop_to_llvm.scalars import Relaxable, any_lane, relaxed
from stepwell.compiler.machines.machine import Machine

Instruction: TypeAlias = Callable[..., SSAValue]
"""Of the builder and what a way is given."""


@final
@dataclass(frozen=True)
class Way:
    """How an op is computed beside the divider."""

    instruction: Instruction
    steps: Instruction
    beyond: Instruction | None
    """Where the steps do not give what the instruction gives; None if they are for all numbers."""
    operations: int


def _plain_by(build: LlvmBuilder, x: SSAValue, by: newton.Inverse) -> SSAValue:
    return build.fdiv(x, by.y)


EXACT: Mapping[type[Operation], Way] = {
    math.SqrtOp: Way(LlvmBuilder.sqrt, newton.root, newton.beyond_root, 13),
    arith.DivfOp: Way(LlvmBuilder.fdiv, newton.quotient, newton.beyond_quotient, 20),
}
EXACT_BY = Way(_plain_by, newton.quotient_by, newton.beyond_quotient_by, 6)
"""Of quotients by what a loop does not change."""
NEAR: Mapping[type[Operation], Way] = {
    math.SqrtOp: Way(LlvmBuilder.sqrt, estimates.root, None, 7),
    arith.DivfOp: Way(LlvmBuilder.fdiv, estimates.quotient, None, 6),
}
"""Where the nearest float is not asked for."""
NEAR_BY = Way(_plain_by, estimates.quotient_by, None, 1)
_OPERATION = 2
"""Thirds of a cycle that one takes the units other than the divider, where all of them are busy."""


def evaluate(frame: Frame, op: Operation) -> None:
    """The op by its instruction, or together with others beside it by Newton's steps."""
    together = _relief(frame.program, op.parent).get(op)
    if together is None:
        assert isinstance(op, Relaxable)
        instruction = EXACT[type(op)].instruction(frame.build, *frame.operands(op))
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
    """One jump ahead of them all goes to the instructions, for numbers beyond the steps if any."""
    build, way = frame.build, _way_of(ops[0])
    assert way is not None
    given = [_given(frame, op) for op in ops]
    results: Sequence[SSAValue]
    if way.beyond is None:
        results = [way.steps(build, *operands) for operands in given]
    else:
        rare = reduce(build.or_, [way.beyond(build, *operands) for operands in given])
        with build.if_(any_lane(build, rare)) as choice:
            choice.yields(*[way.instruction(build, *operands) for operands in given])
            choice.otherwise()
            choice.yields(*[way.steps(build, *operands) for operands in given])
        results = choice.results
    frame.values.update(zip([op.results[0] for op in ops], results, strict=True))


def _given(frame: Frame, op: Operation) -> Sequence[object]:
    if not _is_by(op):
        return frame.operands(op)
    assert op.parent is not None
    return frame.values[op.operands[0]], frame.program.inverses[op.parent, op.operands[1]]


def _relief(program: Program, block: Block | None) -> Mapping[Operation, Sequence[Operation]]:
    """What Newton's steps compute of a block, and with which others."""
    assert block is not None
    if block not in program.relief:
        able = avx512.FEATURE in program.machine.features
        groups = _balanced(program.machine, block) if able else ()
        program.relief[block] = {each: together for together in groups for each in together}
    return program.relief[block]


def _balanced(machine: Machine, block: Block) -> Iterator[Sequence[Operation]]:
    """Of ops of one kind side by side, the vectors of an unrolled loop, as many as bring down the
    longer of both times, the divider's and the units'; first those that gain most.

    What stands alone waits for its operands rather than for the divider, unless its divisor is
    known long before.
    """
    wide = [op for op in block.ops if op.results and op.results[0].type == newton.VECTOR]
    times = sum(_on_divider(machine, op) for op in wide), sum(map(_on_units, wide))
    runs = [(way, list(run)) for way, run in groupby(wide, _way_of) if way]
    for way, run in sorted(runs, key=lambda each: each[0].operations):
        steps = _OPERATION * way.operations
        together: list[Operation] = []
        for op in run:
            relieved = times[0] - _on_divider(machine, op), times[1] + steps
            alone = len(run) == 1 and not _is_by(op)
            waits = any(operand.owner in together for operand in op.operands)
            if alone or waits or max(relieved) >= max(times):
                break
            times = relieved
            together.append(op)
        yield together


def _way_of(op: Operation) -> Way | None:
    if not isinstance(op, math.SqrtOp | arith.DivfOp):
        return None
    ways, by = (
        (NEAR, NEAR_BY) if FastMathFlag.APPROX_FUNC in op.fastmath.data else (EXACT, EXACT_BY)
    )
    return by if _is_by(op) else ways[type(op)]


def _is_by(op: Operation) -> bool:
    """Whether it is a quotient by what the loop around it does not change."""
    if not (isinstance(op, arith.DivfOp) and isinstance(op.parent_op(), ForOp)):
        return False
    return op.parent not in (op.rhs.owner, op.rhs.owner.parent)


def _on_divider(machine: Machine, op: Operation) -> int:
    if not _way_of(op):
        return 0
    return machine.root if isinstance(op, math.SqrtOp) else machine.quotient


def _on_units(op: Operation) -> float:
    return 0.0 if _way_of(op) else _OPERATION * STEPS.get(type(op), 1.0)
