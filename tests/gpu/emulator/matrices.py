"""Matrices that a warp holds together: `ldmatrix`, `stmatrix` and `mma.sync`.

Where an element lies follows the figures of the PTX manual, section "Warp Level Matrix Multiply-
Accumulate Instructions": lane l is in group g = l // 4 at place t = l % 4.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from emulator.access import Span
from emulator.errors import ParseError
from emulator.exact import fused, narrow
from emulator.floats import canonical
from emulator.operands import Pointer
from emulator.operations import Operation
from emulator.races import Kind
from emulator.state import State
from emulator.threads import WARP
from emulator.types import TYPES, Array, DType
from stepwell.compiler.interpret.matrix_sums import add_products

ROW = 16
"""Bytes of a row of a matrix of 8 x 8."""
GROUP, PLACE = np.arange(WARP) // 4, np.arange(WARP) % 4
TF32 = np.uint32(0xFFFFE000)
"""The bits of an f32 that a tensor core looks at."""


def load(state: State, operation: Operation, lanes: Array) -> None:
    """`ldmatrix`: the lanes 8i to 8i + 7 give the addresses of the rows of matrix i."""
    count = len(operation.results)
    rows = np.zeros((state.threads.warps, 4, 8, ROW // 2), np.uint16)
    for span in _row_spans(state, operation, operation.sources[0], lanes, count):
        words = state.memory.read(span, np.dtype(np.uint64), 2, Kind.READ)
        rows.reshape(-1, ROW // 2)[span.threads] = words.view(np.uint16)
    if "trans" in operation.how:
        rows = rows.swapaxes(2, 3)
    for place, result in enumerate(operation.results):
        parts = np.ascontiguousarray(rows[:, place]).view(np.uint32)
        result.write(parts.reshape(-1)[: lanes.size], lanes)


def store(state: State, operation: Operation, lanes: Array) -> None:
    """`stmatrix`: the same the other way."""
    pointer, registers = operation.sources
    for span in _row_spans(state, operation, pointer, lanes, len(registers)):
        rows = np.zeros((state.threads.warps, 4, 8, ROW // 2), np.uint16)
        for place, register in enumerate(registers):
            parts = _by_warp(register).view(np.uint16).reshape(-1, 8, ROW // 2)
            rows[:, place] = parts.swapaxes(1, 2) if "trans" in operation.how else parts
        words = rows.reshape(-1, ROW // 2)[span.threads].view(np.uint64)
        state.memory.write(span, words, Kind.WRITE)


def _row_spans(
    state: State, operation: Operation, pointer: Pointer, lanes: Array, count: int
) -> Iterator[Span]:
    threads = np.flatnonzero(lanes & (state.threads.lane < 8 * count))
    addresses = pointer.addresses(threads)
    space = operation.how.get("space", "")
    return state.memory.spans(operation.instruction, addresses, threads, ROW, space)


def multiply(state: State, operation: Operation, lanes: Array) -> None:
    """`mma.sync`: d = a b + c."""
    how = operation.how
    left, right, added = operation.sources
    type = how.get("type") or how["to"]
    a = _operand(left, type, rows=type != "f64")
    b = _operand(right, how.get("right", type), rows=False).swapaxes(1, 2)
    c = _accumulator(added, how["to"])
    rows, columns, depth = map(int, re.split("[mnk]", how["shape"])[1:])
    if a.shape[1:] != (rows, depth) or b.shape[1:] != (depth, columns) or c.shape[1] != rows:
        raise ParseError(f"{operation.instruction}: {how['shape']} has another number of registers")
    _write(operation, lanes, _sum(how, a, b, c))


def _sum(how: Mapping[str, str], a: Array, b: Array, c: Array) -> Array:
    """Of f16 and bf16 as the order `tensor` has it; else exact products, added in f64 and then
    rounded. Those of f64 are added one by one."""
    if how["to"] == "f64":
        for each in range(a.shape[2]):
            left, right = np.broadcast_arrays(a[:, :, each, None], b[:, None, each])
            c = fused(left.ravel(), right.ravel(), c.ravel()).reshape(c.shape)
        return c
    if how["to"] == "f32" and a.dtype.itemsize == 2:
        left, right = a.transpose(2, 0, 1)[..., None], b.swapaxes(0, 1)[:, :, None]
        return canonical(add_products(c, left, right))
    wide = np.int64 if how["to"] == "s32" else np.float64
    total = np.matmul(a.astype(wide), b.astype(wide)) + c.astype(wide)
    if how["to"] != "s32":
        return canonical(narrow(total, TYPES[how["to"]].dtype))
    return (np.clip(total, -(1 << 31), (1 << 31) - 1) if "satfinite" in how else total).astype("i4")


def _by_warp(register: Array) -> Array:
    """A register by warps of 32 lanes; the last one is filled up."""
    missing = -register.size % WARP
    full = np.concatenate([register, np.zeros(missing, register.dtype)]) if missing else register
    return np.ascontiguousarray(full).reshape(-1, WARP)


def _operand(registers: Sequence[Array], type: str, rows: bool) -> Array:
    """a, or b turned: [warp, row, k]. `rows` if the registers of odd number are 8 rows further."""
    dtype = TYPES[type].dtype
    per = max(1, 4 // dtype.itemsize)
    down = 2 if rows else 1
    k = len(registers) // down * 4 * per
    found = np.zeros((-(-registers[0].size // WARP), 8 * down, k), dtype)
    for place, register in enumerate(registers):
        bits = _by_warp(register)
        if type == "tf32":
            bits = bits & TF32
        elements = bits.view(dtype).reshape(-1, WARP, per)
        for part in range(per):
            column = PLACE * per + part + 4 * per * (place // down)
            found[:, GROUP + 8 * (place % down), column] = elements[:, :, part]
    return found


def _accumulator(registers: Sequence[Array], type: str) -> Array:
    elements = _elements(registers, TYPES[type].dtype)
    rows = 8 * (len(elements) // 2)
    found = np.zeros((elements[0].shape[0], rows, 8), TYPES[type].dtype)
    for place, each in enumerate(elements):
        found[:, GROUP + 8 * (place // 2), 2 * PLACE + place % 2] = each
    return found


def _elements(registers: Sequence[Array], dtype: DType) -> list[Array]:
    """The accumulator's elements in order, of which an f16 shares its register."""
    per = max(1, 4 // dtype.itemsize)
    whole = [_by_warp(each).view(dtype).reshape(-1, WARP, per) for each in registers]
    return [each[:, :, part] for each in whole for part in range(per)]


def _write(operation: Operation, lanes: Array, total: Array) -> None:
    dtype = total.dtype
    per = max(1, 4 // dtype.itemsize)
    for place, result in enumerate(operation.results):
        parts = [
            total[:, GROUP + 8 * (each // 2), 2 * PLACE + each % 2]
            for each in range(place * per, (place + 1) * per)
        ]
        value = np.ascontiguousarray(np.stack(parts, -1)).reshape(-1)
        result.write(value.view(f"u{dtype.itemsize * per}")[: lanes.size], lanes)
