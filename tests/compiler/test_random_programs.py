"""Random programs mean the same at every level, and every stage leaves them in order."""

from collections.abc import Mapping

from hypothesis import assume, given
from hypothesis import strategies as st
from xdsl.ir import Block

from arrays import expect_same_bits, smooth
from derived import batch_of, pullback_of, results_of, tangent_of, types_of
from drawing import examples
from gpu_programs import OnGpu
from noise import expected
from programs import (
    Interpreter,
    block_of,
    compiled,
    expect_round_trip,
    guarded,
    module_of,
    named,
    stages,
    unlocated,
)
from random_programs import RANGES, Recipe, recipes, without_symbols
from stepwell.compiler.dialects.nd import dtype_of, is_float
from stepwell.compiler.machines.gpu.nvidia import GPUS
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.ops.while_loop import While
from stepwell.runtime.sizes import Size

SIZES = st.fixed_dictionaries({"M": st.integers(0, 6), "N": st.integers(1, 9)})


def program(recipe: Recipe) -> Block:
    return block_of(recipe.arguments, recipe.write)


def expect_agreement(block: Block, sizes: Mapping[str, int]) -> None:
    """Compiled code and the interpreter to the bit, and both with the references to rounding."""
    module = module_of(block, ranges=RANGES)
    arrays = smooth([without_symbols(type, sizes) for type in types_of(block)], (-2.0, 2.0))
    with named(module), guarded():
        interpreted = Interpreter(module)("f0", arrays)
        expect_same_bits(compiled(module)["f0"].run(arrays), interpreted)
        for actual, wanted in zip(interpreted, expected(block, arrays, dict(sizes)), strict=True):
            wanted.check(actual)


def backwards(block: Block) -> Block:
    """The pullback by all floats."""
    assume(not any(isinstance(op, While) for op in block.walk()))
    wanted = [is_float(dtype_of(type)) for type in types_of(block)]
    assume(any(wanted) and any(is_float(dtype_of(type)) for type in results_of(block)))
    return pullback_of(block, wanted)


def forwards(block: Block) -> Block:
    """The tangents along all floats."""
    return tangent_of(block, [is_float(dtype_of(type)) for type in types_of(block)])


def over_a_batch(block: Block) -> Block:
    """Every second argument with an axis in front."""
    on = [number % 2 == 0 for number in range(len(block.args))]
    return batch_of(block, Size.of(3), on)[0]


@examples(60)
@given(recipes(), SIZES)
def test_all_levels_agree(recipe: Recipe, sizes: Mapping[str, int]) -> None:
    expect_agreement(program(recipe), sizes)


@examples(20)
@given(recipes(), SIZES)
def test_all_levels_agree_on_pullbacks(recipe: Recipe, sizes: Mapping[str, int]) -> None:
    expect_agreement(backwards(program(recipe)), sizes)


@examples(20)
@given(recipes(), SIZES)
def test_all_levels_agree_on_tangents(recipe: Recipe, sizes: Mapping[str, int]) -> None:
    expect_agreement(forwards(program(recipe)), sizes)


@examples(20)
@given(recipes(), SIZES)
def test_all_levels_agree_on_batches(recipe: Recipe, sizes: Mapping[str, int]) -> None:
    expect_agreement(over_a_batch(program(recipe)), sizes)


DERIVED = st.sampled_from([lambda block: block, backwards, forwards, over_a_batch])


@examples(10)
@given(recipes(), DERIVED, SIZES, st.sampled_from([*GPUS.values()]))
def test_a_gpu_agrees_with_its_nests(
    recipe: Recipe, derive, sizes: Mapping[str, int], machine: Machine
) -> None:
    block = derive(program(recipe))
    module = module_of(block, ranges=RANGES)
    arrays = smooth([without_symbols(type, sizes) for type in types_of(block)], (-2.0, 2.0))
    with named(module), guarded():
        interpreted = Interpreter(module, "nests", machine)("f0", arrays)
        expect_same_bits(OnGpu(module, machine)("f0", arrays), interpreted)


@examples(20)
@given(recipes(), DERIVED)
def test_every_stage_verifies_is_read_again_and_is_located(recipe: Recipe, derive) -> None:
    for stage, module in stages(module_of(derive(program(recipe)), ranges=RANGES)):
        with named(stage):
            module.verify()
            expect_round_trip(module)
            assert not unlocated(module)
