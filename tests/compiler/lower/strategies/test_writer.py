"""The writer of explicit code: what it moves out of loops, what it keeps in, what it says once."""

from collections.abc import Sequence

import pytest
from xdsl.dialects.builtin import f32
from xdsl.ir import Block, SSAValue

from stepwell.compiler.dialects.llvm.types import vector
from stepwell.compiler.dialects.loop.explicit import ForOp, LoadOp, ParallelOp, ShuffleOp
from stepwell.compiler.dialects.loop.syntax import INDEX
from stepwell.compiler.dialects.loop.types import buffer
from stepwell.compiler.lower.shuffles import transposed
from stepwell.compiler.lower.writer import ONE, Bound, Writer
from stepwell.runtime.sizes import Size


@pytest.fixture
def block() -> Block:
    """One buffer and one index."""
    return Block(arg_types=[buffer((Size.of(100),), f32), INDEX])


def names(block: Block) -> list[str]:
    return [op.name.removeprefix("loop.") for op in block.ops]


def inner(block: Block, kind: type[ForOp] | type[ParallelOp] = ForOp) -> Block:
    (op,) = [op for op in block.ops if isinstance(op, kind)]
    return op.body.block


def test_sums_are_written_once_and_where_their_terms_are_known(block: Block) -> None:
    writer = Writer(block)
    source, start = block.args

    def body(index: Bound, _: Sequence[SSAValue]) -> Sequence[SSAValue]:
        for shift in (0, 16, 16):
            terms = [(Size.of(7), start), (ONE, index)]
            writer.load(source, writer.affine(terms, Size.of(shift)), f32)
        return ()

    writer.loop(0, 10, 1, (), body)
    assert names(block) == ["arith.constant", "arith.constant", "index", "for"]
    assert names(inner(block)) == ["index", "load", "index", "load", "yield"]


@pytest.mark.parametrize("runs", [False, True])
def test_loads_leave_only_loops_that_are_known_to_run(block: Block, runs: bool) -> None:
    writer = Writer(block)
    source, bound = block.args

    def body(index: Bound, _: Sequence[SSAValue]) -> Sequence[SSAValue]:
        writer.load(source, 3, f32)
        return ()

    with writer.memory():
        writer.loop(0, bound, 1, (), body, runs=runs)
    assert ("load" in names(block)) is runs
    assert ("load" in names(inner(block))) is not runs


def test_loads_stay_within_the_memory_they_read(block: Block) -> None:
    writer = Writer(block)
    source = block.args[0]

    def body(index: Bound, _: Sequence[SSAValue]) -> Sequence[SSAValue]:
        for _ in range(2):
            with writer.memory():
                writer.load(source, 3, f32)
        return ()

    writer.loop(0, 10, 1, (), body)
    assert names(inner(block)).count("load") == 2


def test_a_thread_computes_its_own_numbers(block: Block) -> None:
    writer = Writer(block)
    source, start = block.args
    writer.parallel(10, lambda task: _use(writer, source, writer.add(start, 5)))
    assert names(inner(block, ParallelOp)) == ["index", "load"]


def _use(writer: Writer, source: SSAValue, place: Bound) -> None:
    writer.load(source, place, f32)


def test_loops_that_run_once_are_written_out(block: Block) -> None:
    writer = Writer(block)
    source = block.args[0]
    places: list[Bound] = []

    def body(index: Bound, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
        places.append(index)
        return carried

    value = writer.load(source, 0, f32)
    assert writer.loop(3, 10, 8, [value], body) == [value]
    assert writer.loop(3, 3, 8, [value], body) == [value]
    assert places == [3]
    assert ForOp not in map(type, block.ops)


def test_what_is_known_of_an_index_is_computed_at_once(block: Block) -> None:
    writer, unknown = Writer(block), block.args[1]
    assert writer.affine([(Size.of(3), 4)], Size.of(5)) == 17
    assert writer.smaller(3, 4) == 3
    assert writer.quotient(17, 5) == 3
    assert writer.remainder(17, 5) == 2
    assert writer.ceiling(17, 5) == 4
    assert writer.round_down(17, 5) == 15
    assert writer.low_bits(17, 8) == 1
    assert writer.quotient(unknown, 1) is unknown
    assert writer.remainder(unknown, 1) == 0
    assert not list(block.ops)


@pytest.mark.parametrize("side", [1, 2, 4, 8, 16])
def test_a_matrix_is_transposed_by_shuffles(side: int) -> None:
    type = vector(f32, side)
    block = Block(arg_types=[type] * side)
    columns = transposed(Writer(block), block.args)
    known = {row: [(i, j) for j in range(side)] for i, row in enumerate(block.args)}
    for op in block.ops:
        assert isinstance(op, ShuffleOp)
        lanes = [*known[op.first], *known[op.second]]
        known[op.result] = [lanes[lane] for lane in op.lanes.data]
    assert [known[column] for column in columns] == [
        [(i, j) for i in range(side)] for j in range(side)
    ]


def test_a_load_is_repeated_only_where_memory_changes(block: Block) -> None:
    writer, source = Writer(block), block.args[0]
    assert writer.load(source, 3, f32) is writer.load(source, 3, f32)
    assert writer.reload(source, 3, f32) is not writer.reload(source, 3, f32)
    assert sum(isinstance(op, LoadOp) for op in block.ops) == 3
