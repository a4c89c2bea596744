"""The strategy `sort`: every length, layout and type of keys, under any parameters, bit for bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawing import examples
from expanding import agree, arrays_for, expanded, kernel_of, run_natively
from loop_text import parse_kernel, parse_module
from stepwell.compiler.dialects.loop.explicit import ParallelOp
from stepwell.compiler.interpret.loops import run_kernel
from stepwell.compiler.lower.strategies import choose_plan
from stepwell.compiler.lower.strategies.map import Map
from stepwell.compiler.lower.strategies.sort import CHUNK, TASKS, Sort
from stepwell.compiler.machines import MACHINES

MACHINE = MACHINES["x86-64-v4"]


def sort(*types: str, shape: str = "B, N", axis: int = 1) -> str:
    """A kernel that sorts inputs of these types by the first."""
    buffers = [f"!loop.buffer<[{shape}] x {type}>" for type in types]
    inputs = ", ".join(f"%x{n}: {each}" for n, each in enumerate(buffers))
    outputs = ", ".join(f"%y{n}: {each}" for n, each in enumerate(buffers))
    names = [", ".join(f"%{name}{n}" for n in range(len(types))) for name in "xy"]
    listed = ", ".join(buffers)
    return f"""
loop.kernel @sort<B: 0, N: 0>({inputs}) -> ({outputs}) {{
  loop.sort {names[0]} to {names[1]} axis <{axis}> : {listed} to {listed}
}}"""


KERNELS = {
    "rows": sort("f32"),
    "columns": sort("f32", shape="N, B", axis=0),
    "middle axis": sort("f32", "i64", shape="B, N, 2"),
    "one row": sort("f32", "i32", shape="N", axis=0),
    "doubles": sort("f64", "i1"),
    "halves": sort("f16", "f16"),
    "short floats": sort("bf16", "f64"),
    "integers": sort("i32", "f32"),
    "long integers": sort("i64"),
    "bytes": sort("i8", "i32"),
    "truth values": sort("i1", "i64"),
}

plans = st.builds(
    Sort,
    bytes=st.sampled_from([16, 32, 64]),
    short=st.sampled_from([0, 1, 10, 64]),
    tasks=st.sampled_from([1, 2, 5]),
) | st.builds(Sort, short=st.sampled_from([0, 10]), chunk=st.sampled_from([1, 7, 16, 100]))
lengths = st.sampled_from([0, 1, 2, 3, 9, 10, 11, 33, 64, 70])


@pytest.mark.parametrize("name", KERNELS)
@examples(5)
@given(plan=plans, rows=st.integers(0, 6), columns=lengths, static=st.booleans())
def test_any_plan_gives_the_bits_of_the_kernel(
    name: str, plan: Sort, rows: int, columns: int, static: bool
) -> None:
    text, sizes = KERNELS[name], {"B": rows, "N": columns}
    if static:
        text, sizes = text.replace(", N: 0", "").replace("N", str(columns)), {"B": rows}
    agree(text, sizes, plan, special=True)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("columns", [100, 1000])
def test_machine_code_gives_the_bits_of_the_kernel(name: str, columns: int) -> None:
    agree(KERNELS[name], {"B": 5, "N": columns}, special=True, native=True)


@pytest.mark.parametrize("plan", [Sort(short=0, chunk=1 << 10), Sort(tasks=3)], ids=str)
def test_every_bit_of_a_key_counts(plan: Sort) -> None:
    random = np.random.default_rng(0)
    for type, dtype in (("i32", np.int32), ("i64", np.int64), ("f32", np.float32)):
        text = sort(type, shape="N", axis=0)
        kernel = expanded(text, plan)
        key = random.integers(0, 256, 5000 * np.dtype(dtype).itemsize, np.uint8).view(dtype)
        expected = [key, np.empty_like(key)]
        run_kernel(kernel_of(parse_module(text)), expected, {"B": 1, "N": 5000})
        room = np.empty(1 << 20, np.uint8)
        found = [key, np.empty_like(key), room]
        run_natively(kernel, found, {"B": 1, "N": 5000})
        assert expected[1].tobytes() == found[1].tobytes()
        assert np.all(np.diff(expected[1][~np.isnan(expected[1])].astype(object)) >= 0)


def test_nan_keep_their_order_and_their_bits() -> None:
    text = sort("f32", shape="N", axis=0)
    key = np.uint32([0x7FC00003, 0x80000000, 0xFFC00001, 0, 0x7FC00002, 0x80000000, 1]).view(
        np.float32
    )
    for plan in (Sort(), Sort(short=0)):
        kernel = expanded(text, plan)
        found = [key, np.empty_like(key), np.empty(1 << 16, np.uint8)]
        run_natively(kernel, found[: len(kernel.arguments)], {"B": 1, "N": 7})
        expected = [0x80000000, 0, 0x80000000, 1, 0x7FC00003, 0xFFC00001, 0x7FC00002]
        assert found[1].view(np.uint32).tolist() == expected


def test_what_is_equal_everywhere_is_not_moved() -> None:
    text = sort("i64", "i32", shape="N", axis=0)
    kernel = kernel_of(parse_module(text))
    arrays = arrays_for(kernel, {"B": 1, "N": 300}, False)
    assert all(np.ptp(each) < 10 for each in arrays)
    agree(text, {"B": 1, "N": 300}, Sort(short=0), native=True)


@pytest.mark.parametrize(
    ("shape", "axis", "tasks", "chunk"),
    [
        ("1000000", 0, 1, CHUNK),
        ("2, 1000000", 1, 1, CHUNK),
        ("N", 0, 1, CHUNK),
        ("4096, 1024", 1, TASKS, 0),
        ("B, N", 1, TASKS, 0),
        ("3, 20", 1, 1, 0),
        ("20", 0, 1, 0),
    ],
)
def test_long_rows_are_shared_in_chunks_and_many_as_they_are(
    shape: str, axis: int, tasks: int, chunk: int
) -> None:
    text = sort("f32", shape=shape, axis=axis)
    plan = choose_plan(parse_kernel(text), MACHINE)
    assert plan == Sort(tasks=tasks, chunk=chunk)
    parallel = any(isinstance(op, ParallelOp) for op in expanded(text).walk())
    assert parallel is (tasks > 1 or chunk > 0)


def test_short_rows_need_no_memory() -> None:
    assert len(expanded(sort("f32", "i64", shape="B, 100")).arguments) == 4
    assert len(expanded(sort("f32", "i64", shape="B, 1000")).arguments) == 5


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_stay_small(name: str) -> None:
    assert sum(1 for _ in expanded(KERNELS[name]).walk()) < 400


def test_only_sorts_are_sorted() -> None:
    refusal = Map.fits(parse_kernel(sort("f32")), MACHINE)
    assert refusal is not None
    assert refusal.reason == "it sorts"
    lines = sort("f32").splitlines()
    twice = "\n".join([*lines[:3], *lines[2:]])
    refusal = Sort.fits(parse_kernel(twice), MACHINE)
    assert refusal is not None
    assert refusal.reason == "it is not one sort"
