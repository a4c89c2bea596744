"""Random programs mean the same at every level, and every stage leaves them in order."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from arrays import expect_same_bits, smooth
from derived import batch_of, floating, pullback_of, results_of, tangent_of, types_of
from hypothesis import given, settings
from hypothesis import strategies as st
from noise import expected
from programs import (
    Interpreter,
    block_of,
    compiled,
    expect_round_trip,
    module_of,
    named,
    stages,
    unlocated,
)
from random_programs import RANGES, WHOLES, Recipe, recipes, without_symbols
from xdsl.ir import Block

from stepwell.compiler.dialects.nd import is_float
from stepwell.compiler.ops.value import Value
from stepwell.runtime.sizes import Size

SYMBOLS = st.fixed_dictionaries({"M": st.integers(0, 6), "N": st.integers(1, 9)})


def expect_agreement(block: Block, sizes: Mapping[str, int]) -> None:
    """Compiled code and the interpreter to the bit, and both with the references to rounding."""
    module = module_of(block, ranges=RANGES)
    arrays = smooth([without_symbols(type, sizes) for type in types_of(block)], (-2.0, 2.0))
    interpreted = Interpreter(module)("f0", arrays)
    with named(module):
        expect_same_bits(compiled(module)["f0"].run(arrays), interpreted)
        for actual, wanted in zip(interpreted, expected(block, arrays, dict(sizes)), strict=True):
            wanted.check(actual)


def program(recipe: Recipe) -> Block:
    return block_of(recipe.arguments, recipe.write)


@settings(max_examples=60)
@given(recipes(), SYMBOLS)
def test_all_levels_agree(recipe: Recipe, sizes: Mapping[str, int]) -> None:
    expect_agreement(program(recipe), sizes)
