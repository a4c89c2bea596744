"""Random programs mean the same at every level, and every stage leaves them in order."""

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.ir import Block

from arrays import expect_same_bits, smooth
from derived import types_of
from noise import expected
from programs import (
    Interpreter,
    block_of,
    compiled,
    module_of,
    named,
)
from random_programs import RANGES, Recipe, recipes, without_symbols

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
