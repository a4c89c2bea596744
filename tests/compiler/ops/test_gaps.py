"""What no op of the catalogue has an answer to: a short list, and this is all of it."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from xdsl.ir import Block

from catalogue import Case, mnemonic, samples
from derived import batch_of, evaluated, pullback_of, results_of, tangent_of
from programs import Interpreter, block_of, module_of
from stepwell.compiler.dialects.nd import dtype_of, is_float
from stepwell.compiler.ops import TENSOR_OPS
from stepwell.compiler.ops.base import TensorOp
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size
from tensor_types import tensor_of

GAPS = {
    ("while", "reverse mode"): "a while loop without a bound keeps no history",
    ("custom", "reverse mode"): "the C function sched_yield has no derivative",
    ("custom", "forward mode"): "the C function sched_yield has no derivative",
}
"""A loop without a bound, and what functions in C are without the rule that `custom_gradient` gives
them (docs/decisions/0011-forward-mode-of-custom-rules.md)."""


def refusals(kind: type[TensorOp]) -> Iterator[tuple[tuple[str, str], str]]:
    for case in samples(kind):
        block = case.block()
        for question, ask in questions(case, block):
            try:
                ask()
            except CompileError as error:
                yield (mnemonic(kind), question), error.sentence


def questions(case: Case, block: Block) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "lowering", lambda: Interpreter(module_of(block))
    if case.types:
        everything = [True] * len(case.types)
        yield "batching", lambda: batch_of(block, Size.of(2), everything)
    floats = [is_float(dtype_of(type)) for type in case.types]
    if any(floats) and any(is_float(dtype_of(type)) for type in results_of(block)):
        yield "reverse mode", lambda: pullback_of(block, floats)
        yield "forward mode", lambda: tangent_of(block, floats)


def test_every_op_has_samples() -> None:
    """Without them nothing that all ops have to keep would be asked of it."""
    assert [mnemonic(kind) for kind in TENSOR_OPS if not samples(kind)] == []


def test_these_are_all_gaps() -> None:
    """Derivatives of integer and boolean results, which there are none of, are not asked for."""
    found = dict(refusal for kind in TENSOR_OPS for refusal in refusals(kind))
    assert found.keys() == GAPS.keys()
    for gap, sentence in GAPS.items():
        assert found[gap].startswith(sentence)


def test_integer_and_boolean_results_stop_a_derivative() -> None:
    """It is zero, and says so, rather than an error or a wrong number."""
    block = block_of([tensor_of("f64[2]")], lambda x: [x.convert("i32").convert("f64")])
    assert evaluated(pullback_of(block, [True]), [np.ones(2), np.ones(2)])[0].tolist() == [0, 0]


@pytest.mark.parametrize("method", ["gradient", "tangent", "batched", "lower", "element"])
def test_a_missing_answer_names_the_method_to_write(method: str) -> None:
    case = samples(next(kind for kind in TENSOR_OPS if mnemonic(kind) == "exp"))[0]
    op = case.block().first_op
    assert isinstance(op, TensorOp)
    arguments = {"element": [None, ()], "lower": [None, (), ()], "batched": [Size.of(1), ()]}
    with pytest.raises(CompileError, match=f"method `{method}` of Exp"):
        getattr(TensorOp, method)(op, *arguments.get(method, []))
