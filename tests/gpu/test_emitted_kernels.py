"""What the compiler emits for every op is taken by NVIDIA's assembler, without spills."""

from pathlib import Path

import pytest

from assembler import assemble, needs_assembler
from catalogue import mnemonic, samples, symbolic
from programs import module_of
from stepwell.compiler.machines.nvidia import GPUS
from stepwell.compiler.ops import TENSOR_OPS
from stepwell.compiler.ops.base import Effect, TensorOp
from stepwell.compiler.pipeline import compile_module

OPS = [kind for kind in TENSOR_OPS if not issubclass(kind, Effect)]


@needs_assembler
@pytest.mark.parametrize("machine", GPUS)
@pytest.mark.parametrize("kind", OPS, ids=mnemonic)
def test_every_op_assembles(kind: type[TensorOp], machine: str, tmp_path: Path) -> None:
    cases = [case for case in samples(kind)]
    cases += [case for sample in samples(kind) for case, _ in symbolic(sample)[:1]]
    image = compile_module(module_of(*(case.block() for case in cases)), GPUS[machine])
    if image.grids:
        taken = assemble(image.ptx, machine, tmp_path).values()
        assert max(each.spilled for each in taken) == 0
