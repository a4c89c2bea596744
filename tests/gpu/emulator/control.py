"""Where threads go: branches, calls, exits, and barriers, at which they stay."""

import numpy as np

from emulator.errors import EmulationError, ParseError
from emulator.operations import Operation
from emulator.state import State
from emulator.strands import Code, Strand
from emulator.syntax import Instruction, Operand, Symbol, Vector
from emulator.threads import WARP, first
from emulator.types import Array


def branch(state: State, operation: Operation, strand: Strand) -> list[Strand]:
    """`bra`."""
    return [
        strand.at(_label(strand.code, operation.instruction, operation.instruction.operands[0]))
    ]


def branch_by_index(state: State, operation: Operation, strand: Strand) -> list[Strand]:
    """`brx.idx`."""
    instruction = operation.instruction
    name = _name(instruction, instruction.operands[1])
    labels = strand.code.function.tables.get(name, ())
    index = operation.sources[0]
    outside = strand.lanes & (index >= len(labels))
    if outside.any():
        who = state.threads.name(first(outside))
        raise EmulationError(f"{instruction}: {who} has no label {index[first(outside)]}")
    return [
        strand.of(strand.lanes & (index == each)).at(
            _label(strand.code, instruction, Symbol(labels[int(each)]))
        )
        for each in np.unique(index[strand.lanes])
    ]


def call(state: State, operation: Operation, strand: Strand) -> list[Strand]:
    """`call (result), function, (arguments)`."""
    instruction = operation.instruction
    callee = state.functions.get(_callee(instruction))
    if callee is None or any(callee is each for each, _ in strand.frames):
        raise ParseError(f"{instruction}: the emulator calls no function outside, and none twice")
    formal = [each.name for each in callee.function.parameters]
    given = _names(instruction.operands[-1])
    _copy(state, strand.lanes, (strand.code, given), (callee, formal))
    frames = (*strand.frames, (strand.code, strand.pc))
    return [Strand(strand.team, strand.lanes, callee, 0, frames)]


def leave(state: State, operation: Operation, strand: Strand) -> list[Strand]:
    """`ret`, which ends a kernel."""
    if not strand.frames:
        return leave_all(state, operation, strand)
    *frames, (code, pc) = strand.frames
    targets = _names(code.operations[pc].instruction.operands[0])
    results = [each.name for each in strand.code.function.results]
    _copy(state, strand.lanes, (strand.code, results), (code, targets))
    return [Strand(strand.team, strand.lanes, code, pc + 1, tuple(frames))]


def leave_all(state: State, operation: Operation, strand: Strand) -> list[Strand]:
    """`exit`."""
    state.exited[strand.lanes] = True
    return []


def trap(state: State, operation: Operation, strand: Strand) -> list[Strand]:
    who = state.threads.name(first(strand.lanes))
    raise EmulationError(f"{operation.instruction}: {who} comes to a trap")


def synchronize(state: State, operation: Operation, strand: Strand) -> list[Strand]:
    """`bar.sync` and `bar.red`."""
    return _come(state, operation, strand, waits=True)


def arrive(state: State, operation: Operation, strand: Strand) -> list[Strand]:
    """`bar.arrive`."""
    return _come(state, operation, strand, waits=False)


def _come(state: State, operation: Operation, strand: Strand, waits: bool) -> list[Strand]:
    threads = state.threads
    number, *others = operation.sources
    votes = others.pop() if others and others[-1].dtype == np.bool_ else None
    going: list[Strand] = []
    for lanes in [strand.lanes] if not others else _by_warp(strand.lanes):
        one = first(lanes)
        expected = int(others[0][one]) if others else threads.count
        going += state.barriers.come(strand.of(lanes), int(number[one]), expected, votes, waits)
    return going


def _by_warp(lanes: Array) -> list[Array]:
    warps = np.arange(lanes.size) // WARP
    return [lanes & (warps == each) for each in np.unique(warps[lanes])]


def _label(code: Code, instruction: Instruction, operand: Operand) -> int:
    name = _name(instruction, operand)
    if name not in code.function.labels:
        raise ParseError(f"{instruction}: there is no label {name}")
    return code.function.labels[name]


def _name(instruction: Instruction, operand: Operand) -> str:
    if not isinstance(operand, Symbol):
        raise ParseError(f"{instruction}: a name is missing")
    return operand.name


def _callee(instruction: Instruction) -> str:
    names = [each.name for each in instruction.operands if isinstance(each, Symbol)]
    return names[0] if names else ""


def _names(operand: Operand) -> list[str]:
    parts = operand.parts if isinstance(operand, Vector) else ()
    return [each.name for each in parts if isinstance(each, Symbol)]


def _copy(
    state: State, lanes: Array, source: tuple[Code, list[str]], target: tuple[Code, list[str]]
) -> None:
    """Parameters from one function to another, byte by byte, whether written or not."""
    for one, two in zip(source[1], target[1], strict=True):
        start, size = source[0].places[one]
        end, _ = target[0].places[two]
        for array in (state.calls.data, state.calls.states):
            rows = array[: state.calls.size].reshape(-1, state.calls.stride)
            rows[lanes, end : end + size] = rows[lanes, start : start + size]
