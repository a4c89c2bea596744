"""Every op of the catalogue on a GPU: the bits of the nests, and within budgets what it takes.

A card has its own bits of products of halves of any size, which are near those of the nests."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from xdsl.ir import Block

import under_test
from arrays import Array, edges, expect_same_bits
from assembler import Taken, assemble, assembler, most, op_within_budget
from catalogue import functions, mnemonic, samples, symbolic, with_values
from gpu_programs import OnGpu, best_machine
from near import BLOCK, expect_near, functions_of_a_card, magnitudes
from programs import Interpreter, module_of, named
from stepwell.compiler.dialects.nd import dtype_of
from stepwell.compiler.machines.gpu.nvidia import GPUS, SM_80
from stepwell.compiler.ops import TENSOR_OPS
from stepwell.compiler.ops.base import Effect, TensorOp
from stepwell.compiler.ops.contraction import Dot
from stepwell.compiler.pipeline import Image, compile_module

OPS = [kind for kind in TENSOR_OPS if not issubclass(kind, Effect)]


@pytest.mark.device
@pytest.mark.parametrize("kind", OPS, ids=mnemonic)
def test_an_op_gives_the_bits_of_the_nests(kind: type[TensorOp], tmp_path: Path) -> None:
    fixed = [(case, {}) for case in samples(kind)]
    cases = [*fixed, *(each for case in samples(kind) for each in symbolic(case))]
    blocks, names = functions(cases)
    module = module_of(*blocks)
    machine = best_machine()
    interpreter, gpu = Interpreter(module, machine=machine), OnGpu(module, machine)
    own = functions_of_a_card(interpreter.module)
    for name, (case, values) in zip(names, cases, strict=True):
        static = with_values(case, values)
        with named(static):
            halves = kind is Dot and dtype_of(case.types[0]) in ("f16", "bf16")
            assert (name in own) == (halves and bool(values))
            if name in own:
                _expect_near(gpu, interpreter, name, static.arrays())
            if name in own and not under_test.is_emulated():
                continue
            for arrays in (static.arrays(), edges(static.types)):
                expect_same_bits(gpu(name, arrays), interpreter(name, arrays))
    if under_test.is_emulated() and assembler() is not None:
        taken = _taken(gpu.image, functions(fixed)[0], tmp_path)
        assert not taken or op_within_budget(mnemonic(kind), most(taken)), most(taken)


def _expect_near(gpu: OnGpu, interpreter: Interpreter, name: str, arrays: Sequence[Array]) -> None:
    """One kernel of products, with no more positions than a factor has elements. The page on
    semantics does not say what it gives where it overflows."""
    blocks = -(-max(each.size for each in arrays) // BLOCK)
    met = interpreter(name, magnitudes(arrays))
    expect_near(gpu(name, arrays), interpreter(name, arrays), met, blocks)


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
