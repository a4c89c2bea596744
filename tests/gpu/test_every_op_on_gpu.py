"""Every op of the catalogue on a GPU: the bits of the nests."""

import pytest

from arrays import edges, expect_same_bits
from catalogue import functions, mnemonic, samples, symbolic, with_values
from gpu_programs import OnGpu, best_machine
from programs import Interpreter, module_of, named
from stepwell.compiler.ops import TENSOR_OPS
from stepwell.compiler.ops.base import Effect, TensorOp

pytestmark = pytest.mark.device
OPS = [kind for kind in TENSOR_OPS if not issubclass(kind, Effect)]


@pytest.mark.parametrize("kind", OPS, ids=mnemonic)
def test_an_op_gives_the_bits_of_the_nests(kind: type[TensorOp]) -> None:
    cases = [(case, {}) for case in samples(kind)]
    cases += [each for case in samples(kind) for each in symbolic(case)]
    blocks, names = functions(cases)
    module = module_of(*blocks)
    interpreter, gpu = Interpreter(module), OnGpu(module, best_machine())
    for name, (case, values) in zip(names, cases, strict=True):
        static = with_values(case, values)
        for arrays in (static.arrays(), edges(static.types)):
            with named(static):
                expect_same_bits(gpu(name, arrays), interpreter(name, arrays))
