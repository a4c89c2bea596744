"""Every op of the catalogue on a GPU: the bits of the nests, and within budgets what it takes."""

from pathlib import Path

import pytest
from xdsl.ir import Block

import under_test
from arrays import edges, expect_same_bits
from assembler import WRITE, OpBudgets, Taken, assemble, assembler, most
from catalogue import functions, mnemonic, samples, symbolic, with_values
from gpu_programs import OnGpu, best_machine
from programs import Interpreter, module_of, named
from stepwell.compiler.machines.gpu.nvidia import GPUS, SM_80
from stepwell.compiler.ops import TENSOR_OPS
from stepwell.compiler.ops.base import Effect, TensorOp
from stepwell.compiler.pipeline import Image, compile_module

OPS = [kind for kind in TENSOR_OPS if not issubclass(kind, Effect)]


@pytest.mark.device
@pytest.mark.parametrize("kind", OPS, ids=mnemonic)
def test_an_op_gives_the_bits_of_the_nests(kind: type[TensorOp], tmp_path: Path) -> None:
    fixed = [(case, {}) for case in samples(kind)]
    cases = [*fixed, *(each for case in samples(kind) for each in symbolic(case))]
    blocks, names = functions(cases)
    module = module_of(*blocks)
    interpreter, gpu = Interpreter(module), OnGpu(module, best_machine())
    for name, (case, values) in zip(names, cases, strict=True):
        static = with_values(case, values)
        for arrays in (static.arrays(), edges(static.types)):
            with named(static):
                expect_same_bits(gpu(name, arrays), interpreter(name, arrays))
    if under_test.is_emulated() and assembler() is not None:
        taken = _taken(gpu.image, functions(fixed)[0], tmp_path)
        assert not taken or OpBudgets().allows(mnemonic(kind), most(taken)), most(taken)


def _taken(image: Image, fixed: list[Block], folder: Path) -> list[Taken]:
    """What kernels take on each of the GPUs. What is for the least of them, `image`, runs on all,
    so it is assembled for all; what is for another one is emitted of fixed sizes only."""
    images = [(image, processor) for processor in GPUS]
    for processor, machine in GPUS.items():
        if machine is not SM_80:
            images.append((compile_module(module_of(*fixed), machine), processor))
    taken: list[Taken] = []
    for each, processor in images:
        found = assemble(each.ptx, processor, folder).values() if each.grids else ()
        assert all(kernel.shared <= each.shared for kernel in found)
        taken.extend(found)
    return taken


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
