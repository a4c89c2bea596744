"""What the compiler emits for every op is taken by NVIDIA's assembler, within budgets."""

from pathlib import Path

import pytest

from assembler import WRITE, OpBudgets, Taken, assemble, most, needs_assembler
from catalogue import mnemonic, samples, symbolic
from programs import module_of
from stepwell.compiler.machines.gpu.nvidia import GPUS, SM_80
from stepwell.compiler.ops import TENSOR_OPS
from stepwell.compiler.ops.base import Effect, TensorOp
from stepwell.compiler.pipeline import compile_module

OPS = [kind for kind in TENSOR_OPS if not issubclass(kind, Effect)]


@needs_assembler
@pytest.mark.parametrize("kind", OPS, ids=mnemonic)
def test_every_op_assembles_within_its_budget(kind: type[TensorOp], tmp_path: Path) -> None:
    """For each of the GPUs. What is for the least of them runs on all, so it is assembled for all;
    what is for another one is emitted of fixed sizes only."""
    fixed = list(samples(kind))
    symbols = [case for sample in fixed for case, _ in symbolic(sample)[:1]]
    taken: list[Taken] = []
    for name, machine in GPUS.items():
        cases = fixed if machine is not SM_80 else [*fixed, *symbols]
        image = compile_module(module_of(*(case.block() for case in cases)), machine)
        processors = GPUS if machine is SM_80 else (name,)
        for processor in processors if image.grids else ():
            found = assemble(image.ptx, processor, tmp_path).values()
            assert most(found).shared <= image.shared
            taken.extend(found)
    assert not taken or OpBudgets().allows(mnemonic(kind), most(taken)), most(taken)


def test_budgets_are_raised_with_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WRITE, raising=False)
    path = tmp_path / "op_budgets.toml"
    path.write_text("add = [20, 0]  # wide\nmul = [8, 0]\n")
    budgets = OpBudgets(path)
    assert not budgets.allows("add", Taken(21, 0, 0))
    assert not budgets.allows("add", Taken(20, 4, 0))
    assert not budgets.allows("mul", Taken(8, 0, 4))
    for op, taken in (("mul", Taken(9, 0, 0)), ("add", Taken(19, 0, 0)), ("abs", Taken(7, 0, 0))):
        budgets.write(op, taken, "two vectors")
        assert budgets.allows(op, taken)
    written = "abs = [7, 0]\nadd = [19, 0]  # wide\nmul = [9, 0]  # two vectors\n"
    assert path.read_text() == written
