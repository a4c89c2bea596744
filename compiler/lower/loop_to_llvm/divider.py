"""Square roots and quotients: by the divider, and some of many beside it, where FMA units wait.

The divider takes ten cycles for a vector and starts no other meanwhile, in which time two FMA units
could start twenty operations.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import groupby

from xdsl.dialects import arith, math
from xdsl.ir import Block, Operation, SSAValue

from stepwell.compiler.dialects.construct import operands_of
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.lower.costs import STEPS
from stepwell.compiler.lower.loop_to_llvm import newton
from stepwell.compiler.lower.loop_to_llvm.frame import Frame
from stepwell.compiler.lower.loop_to_llvm.program import Program
from stepwell.compiler.lower.loop_to_llvm.scalars import Relaxable, any_lane, relaxed

WAYS: Mapping[type[Operation], Sequence[Callable[..., SSAValue]]] = {
    math.SqrtOp: (LlvmBuilder.sqrt, newton.root, newton.beyond_root),
    arith.DivfOp: (LlvmBuilder.fdiv, newton.quotient, newton.beyond_quotient),
}
"""Of each op: the instruction, Newton's steps, and where these do not give what it gives."""

# Thirds of a cycle, measured on a Xeon with AMX.
_DIVIDER: Mapping[type[Operation], int] = {math.SqrtOp: 36, arith.DivfOp: 30}
_UNITS: Mapping[type[Operation], int] = {math.SqrtOp: 26, arith.DivfOp: 40}
_STEP = 2


def evaluate(frame: Frame, op: Operation) -> None:
    """The op by its instruction, or together with others beside it by Newton's steps."""
    together = _relief(frame.program, op).get(op)
    if together is None:
        assert isinstance(op, Relaxable)
        operands = [frame.values[operand] for operand in operands_of(op)]
        instruction = WAYS[type(op)][0](frame.build, *operands)
        frame.values[op.results[0]] = relaxed(op, instruction)
    elif op is together[0]:
        _by_newton(frame, together)


def _by_newton(frame: Frame, ops: Sequence[Operation]) -> None:
    """Ahead of them all is one jump, to the instructions, for numbers beyond the steps."""
    values, build, (plain, steps, beyond) = frame.values, frame.build, WAYS[type(ops[0])]
    given = [[values[operand] for operand in operands_of(op)] for op in ops]
    rare = reduce(build.or_, [beyond(build, *operands) for operands in given])
    with build.if_(any_lane(build, rare)) as choice:
        choice.yields(*[plain(build, *operands) for operands in given])
        choice.otherwise()
        choice.yields(*[steps(build, *operands) for operands in given])
    values.update(zip([op.results[0] for op in ops], choice.results, strict=True))


def _relief(program: Program, op: Operation) -> Mapping[Operation, Sequence[Operation]]:
    """What Newton's steps compute of the block that the op stands in, and with which others."""
    block = op.parent
    assert block is not None
    if block not in program.relief:
        able = newton.FEATURE in program.machine.features
        groups = _balanced(block) if able else ()
        program.relief[block] = {each: together for together in groups for each in together}
    return program.relief[block]


def _balanced(block: Block) -> Iterator[Sequence[Operation]]:
    """Of ops of one kind side by side, the vectors of an unrolled loop, as many as bring down the
    longer of both times, the divider's and the units'; roots first, since they gain more.

    What stands alone waits for its operands rather than for the divider.
    """
    wide = [op for op in block.ops if op.results and op.results[0].type == newton.VECTOR]
    times = sum(_DIVIDER.get(type(op), 0) for op in wide), sum(map(_on_units, wide))
    runs = [list(run) for kind, run in groupby(wide, type) if kind in WAYS]
    for run in sorted(runs, key=lambda run: type(run[0]) is arith.DivfOp):
        together: list[Operation] = []
        for op in run:
            relieved = times[0] - _DIVIDER[type(op)], times[1] + _UNITS[type(op)]
            if len(run) == 1 or max(relieved) >= max(times) or not _is_free(op, together):
                break
            times = relieved
            together.append(op)
        yield together


def _is_free(op: Operation, others: Sequence[Operation]) -> bool:
    """Whether it needs none of the others, and does not divide by what its block does not change:
    most that do divide a row by its sum, while the units are at the next row."""
    source = op.operands[-1].owner
    return op.parent in (source, source.parent) and all(x.owner not in others for x in op.operands)


def _on_units(op: Operation) -> float:
    return 0.0 if type(op) in WAYS else _STEP * STEPS.get(type(op), 1.0)
