"""Loads, stores, atomic operations, asynchronous copies and fences."""

from collections.abc import Callable, Mapping

import numpy as np

from emulator.copies import Copy
from emulator.errors import ParseError
from emulator.floats import canonical, flushed
from emulator.memory import HEAP, WINDOW, WINDOWS
from emulator.operations import Operation
from emulator.races import Kind
from emulator.state import State
from emulator.types import TYPES, UNSIGNED, Array

STRONG = {"volatile", "relaxed", "acquire", "release", "acq_rel", "mmio"}


def load(state: State, operation: Operation, lanes: Array) -> None:
    """`ld`."""
    how, count = operation.how, len(operation.results)
    type = TYPES[how["type"]]
    kind = Kind.STRONG_READ if how.get("order") in STRONG else Kind.READ
    if "nc" in how:
        kind = Kind.CACHED_READ
    loaded = np.zeros((lanes.size, count), UNSIGNED[type.bits])
    threads, memory = np.flatnonzero(lanes), state.memory
    addresses = operation.sources[0].addresses(threads)
    space, size = how.get("space", ""), count * type.bytes
    for span in memory.spans(operation.instruction, addresses, threads, size, space):
        loaded[span.threads] = memory.read(span, loaded.dtype, count, kind)
    dtype = type.dtype if type.is_signed else loaded.dtype
    for result, column in zip(operation.results, loaded.view(dtype).T, strict=True):
        result.write(column, lanes)


def store(state: State, operation: Operation, lanes: Array) -> None:
    """`st`."""
    how, (pointer, values) = operation.how, operation.sources
    kind = Kind.STRONG_WRITE if how.get("order") in STRONG else Kind.WRITE
    dtype = UNSIGNED[TYPES[how["type"]].bits]
    rows = np.stack([np.ascontiguousarray(each).view(dtype) for each in values], 1)
    threads, memory = np.flatnonzero(lanes), state.memory
    addresses = pointer.addresses(threads)
    space, size = how.get("space", ""), dtype.itemsize * len(values)
    for span in memory.spans(operation.instruction, addresses, threads, size, space):
        memory.write(span, rows[span.threads], kind)


def _incremented(old: Array, bound: Array) -> Array:
    return np.where(old >= bound, 0, old + 1).astype(old.dtype)


def _decremented(old: Array, bound: Array) -> Array:
    return np.where((old == 0) | (old > bound), bound, old - 1).astype(old.dtype)


UPDATES: Mapping[str, Callable[..., Array]] = {
    "add": lambda old, x: old + x,
    "min": np.minimum,
    "max": np.maximum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "exch": lambda old, x: x,
    "cas": lambda old, expected, x: np.where(old == expected, x, old),
    "inc": _incremented,
    "dec": _decremented,
}


def atomic(state: State, operation: Operation, lanes: Array) -> None:
    """`atom` and `red`: thread by thread where several meet at an address."""
    how, (pointer, *operands) = operation.how, operation.sources
    type = TYPES[how["type"]]
    threads, memory = np.flatnonzero(lanes), state.memory
    addresses = pointer.addresses(threads)
    before = np.zeros(lanes.size * (type.bytes // type.dtype.itemsize), type.dtype)
    space = how.get("space", "")
    for span in memory.spans(operation.instruction, addresses, threads, type.bytes, space):
        for turn in _turns(span.offsets):
            chosen = span.of(turn)
            old = memory.read(chosen, UNSIGNED[type.bits], 1, Kind.STRONG_READ)
            old = old.view(type.dtype).reshape(turn.size, -1)
            given = [each.reshape(lanes.size, -1)[chosen.threads] for each in operands]
            new = _updated(how, old, given, span.region.base > 0)
            memory.write(chosen, new.view(UNSIGNED[type.bits]), Kind.STRONG_WRITE)
            before.reshape(lanes.size, -1)[chosen.threads] = old
    _publish(state, operation, addresses)
    for result in operation.results:
        result.write(before, lanes)


def _updated(how: Mapping[str, str], old: Array, given: list[Array], is_global: bool) -> Array:
    """Floats round once; f32 in global memory loses what is subnormal."""
    update = UPDATES[how["op"]]
    if old.dtype.kind in "biu" or how["op"] != "add":
        return np.ascontiguousarray(update(old, *given).astype(old.dtype))
    flush = old.dtype == np.float32 and is_global
    x, y = (flushed(each) if flush else each for each in (old, *given))
    total = canonical(np.ascontiguousarray(x + y))
    return flushed(total) if flush else total


def _turns(offsets: Array) -> list[Array]:
    """The places of threads in groups that each go to different addresses."""
    left, turns = np.arange(offsets.size), list[Array]()
    while left.size:
        _, places = np.unique(offsets[left], return_index=True)
        turns.append(np.sort(left[places]))
        left = np.delete(left, places)
    return turns


def _publish(state: State, operation: Operation, addresses: Array) -> None:
    order = state.memory.races.order
    if operation.how.get("sem") in ("release", "acq_rel"):
        order.fence()
    for address in np.unique(addresses):
        if int(address) >> WINDOW >= HEAP:
            order.meet(state.threads.number, int(address))


def fence(state: State, operation: Operation, lanes: Array) -> None:
    """`membar` and `fence`: of the whole card, unless they are of the block."""
    if "cta" not in (operation.how.get("level"), operation.how.get("scope")):
        state.memory.races.order.fence()


def nothing(state: State, operation: Operation, lanes: Array) -> None:
    """What only hints."""


def copy(state: State, operation: Operation, lanes: Array) -> None:
    """`cp.async`, of which the last operand, if there, says how many bytes are read."""
    target, source, size, *rest = operation.sources
    threads = np.flatnonzero(lanes)
    bytes = int(size[threads[0]])
    if bytes not in ((16,) if operation.how["cache"] == "cg" else (4, 8, 16)):
        raise ParseError(f"{operation.instruction}: {bytes} bytes cannot be copied so")
    sizes = rest[0][threads].astype(np.int64) if rest else np.full(threads.size, bytes)
    state.copies.begin(
        Copy(
            operation.instruction,
            threads,
            target.addresses(threads),
            source.addresses(threads),
            np.minimum(sizes, bytes),
            bytes,
            state.copies.committed[threads],
        )
    )


def commit(state: State, operation: Operation, lanes: Array) -> None:
    """`cp.async.commit_group`."""
    state.copies.commit(lanes)


def wait(state: State, operation: Operation, lanes: Array) -> None:
    """`cp.async.wait_group`, and `wait_all` without a number."""
    newest = int(operation.sources[0][0]) if operation.sources else -1
    state.copies.wait(lanes, newest)


def convert_address(how: Mapping[str, str]) -> Callable[[Array], Array]:
    """`cvta`: between an address in a space and a generic one."""
    base = WINDOWS.get(how["space"].partition("::")[0], 0) << WINDOW
    if "to" in how:
        return lambda x: x - np.uint64(base)
    return lambda x: x + np.uint64(base)


def is_in_space(how: Mapping[str, str]) -> Callable[[Array], Array]:
    """`isspacep`."""
    window = WINDOWS.get(how["space"].partition("::")[0])

    def run(address: Array) -> Array:
        number = address >> np.uint64(WINDOW)
        return number == window if window is not None else number >= HEAP

    return run
