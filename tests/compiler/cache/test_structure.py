"""Structures tell programs apart as their texts do, wherever and however often they are made."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from xdsl.ir import Block

from drawing import examples
from programs import block_of, module_of
from random_programs import RANGES, Recipe, recipes
from stepwell.compiler.cache.structure import Structure, structure_of
from stepwell.compiler.dialects.locations import file_location
from stepwell.compiler.dialects.nd import Weight, tensor
from stepwell.compiler.ops.emission import emit, located
from stepwell.compiler.ops.structure import FuncOp
from stepwell.compiler.ops.unary import Tanh
from stepwell.compiler.ops.value import Value
from stepwell.runtime.sizes import Size

VECTOR = tensor("f32", ())
HASH = re.compile(r'"[0-9a-f]{64}"')
KNOWN: dict[str, str] = {}
"""The operations of each text that was drawn, and the text of each."""


def of(*blocks: Block) -> Structure:
    module = module_of(*blocks, ranges=RANGES)
    functions = {op: op.sym_name.data for op in module.ops if isinstance(op, FuncOp)}
    found = structure_of(functions)
    assert found is not None
    return found


def text_of(block: Block) -> str:
    """The program's text with weights by number."""
    text = str(module_of(block, ranges=RANGES))
    numbers = {sha: str(n) for n, sha in enumerate(dict.fromkeys(HASH.findall(text)))}
    return HASH.sub(lambda found: numbers[found.group()], text)


@examples(50)
@given(recipes())
def test_programs_of_different_texts_have_different_structures(recipe: Recipe) -> None:
    text = text_of(block_of(recipe.arguments, recipe.write))
    operations = of(block_of(recipe.arguments, recipe.write)).operations
    assert KNOWN.setdefault(text, operations) == operations
    assert KNOWN.setdefault(operations, text) == text


def test_the_order_of_operands_and_of_results_counts() -> None:
    def write(*which: int) -> str:
        types = [VECTOR, VECTOR]
        return of(block_of(types, lambda *x: [x[which[0]] - x[which[1]], x[which[2]]])).operations

    assert len({write(0, 1, 0), write(1, 0, 0), write(0, 1, 1), write(0, 0, 0)}) == 4


def weights(*values: Sequence[float]) -> Structure:
    def write() -> list[Value]:
        kept = [Weight(values=np.array(each, "f4")) for each in values]
        shape = (Size.of(2),)
        ops = [emit("weight", [], value=each, dtype="f32", shape=shape) for each in kept]
        return [Value(op.results[0]) for op in ops]

    return of(block_of([], write))


def test_values_of_weights_do_not_count_but_which_are_equal_does() -> None:
    one, other = weights([1, 2], [3, 4]), weights([5, 6], [7, 8])
    assert one.operations == other.operations
    assert len(one.weights) == 2
    twice = weights([1, 2], [1, 2])
    assert len(twice.weights) == 1
    assert twice.operations != one.operations


def at(*lines: int, file: str = "a.py") -> Structure:
    def write(x: Value) -> list[Value]:
        for line in lines:
            with located(file_location(file, line, 4)):
                x = -x
        return [x]

    return of(block_of([VECTOR], write))


def test_lines_may_move_but_not_fall_together() -> None:
    here = at(1, 2)
    for there in (at(11, 12), at(1, 7), at(2, 1), at(1, 2, file="elsewhere/a.py")):
        assert (there.operations, there.lines) == (here.operations, here.lines)
        assert len(there.places) == len(here.places)
    together = at(3, 3)
    assert together.operations == here.operations
    assert together.lines != here.lines


def test_an_op_of_somebody_else_has_no_structure(monkeypatch: pytest.MonkeyPatch) -> None:
    module = module_of(block_of([VECTOR], lambda x: [x.apply("tanh")]))
    functions = {op: "f" for op in module.ops if isinstance(op, FuncOp)}
    assert structure_of(functions) is not None
    monkeypatch.setattr(Tanh, "__module__", "somebody.elses")
    assert structure_of(functions) is None


PROGRAM = """
from stepwell import compile, numpy as np, scan
from stepwell.compiler.cache.structure import structure_of
from stepwell.modules import named
import numpy

W = numpy.arange(6, dtype="f4").reshape(2, 3)

def f(x):
    y, _ = scan(lambda c, _: (c * 2 + W[0, 0], None), x @ W, None, length=3)
    return np.where(y > 0, y, 1.5), y.sum()

program = compile(f, "f32[B, 2]")
print(structure_of(program._functions()).operations)
"""


def test_it_is_the_same_in_every_process(tmp_path: Path) -> None:
    def run(seed: str, name: str) -> str:
        path = tmp_path / name
        path.write_text(PROGRAM)
        environment = {"PYTHONHASHSEED": seed, "STEPWELL_CACHE": "off"}
        command = [sys.executable, str(path)]
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout

    assert run("1", "a.py") == run("2", "b.py") != ""
