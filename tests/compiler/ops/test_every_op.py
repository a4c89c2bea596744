"""Every op of the catalogue: its type rule, its scalar, its machine code and its text."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import pytest
from xdsl.dialects.builtin import ModuleOp

from arrays import Array, edges, expect_close, expect_same_bits, expect_types
from catalogue import (
    Case,
    distinct,
    functions,
    in_every_dtype,
    mnemonic,
    samples,
    sized,
    symbolic,
    with_values,
)
from programs import (
    Interpreter,
    by_reference,
    compiled,
    expect_round_trip,
    guarded,
    module_of,
    named,
    stages,
    unlocated,
)
from stepwell.compiler.machines import MACHINES
from stepwell.compiler.ops import TENSOR_OPS
from stepwell.compiler.ops.base import Effect, Role, TensorOp
from stepwell.compiler.ops.binary import Add
from stepwell.compiler.targets.cpu import host

every_level = pytest.mark.parametrize(
    "level",
    [level for level in ("x86-64-v3", "x86-64-v4") if MACHINES[level].runs_on(host().features)],
)


@pytest.fixture(scope="module", params=TENSOR_OPS, ids=mnemonic)
def kind(request: pytest.FixtureRequest) -> type[TensorOp]:
    """An op; its tests run one after another, so that its programs are built once."""
    return request.param


@dataclass(frozen=True)
class Programs:
    """A module with a function for each program, and the arrays that it is tried on."""

    module: ModuleOp
    names: Sequence[str]
    """For each case its function, which it shares with others of the same symbols."""
    cases: Sequence[tuple[Case, dict[str, int]]]
    """With the values of their symbols."""
    known: dict[tuple[str, bytes], list[Array]] = field(
        default_factory=dict[tuple[str, bytes], list[Array]]
    )
    """What the nests gave, by function and arguments: two tests ask for the same."""

    @cached_property
    def interpreter(self) -> Interpreter:
        return Interpreter(self.module)

    def nests(self, name: str, arrays: Sequence[Array]) -> list[Array]:
        """What the nests of a function give."""
        shapes = str([each.shape for each in arrays]).encode()
        key = name, b"".join([shapes, *(each.tobytes() for each in arrays)])
        if key not in self.known:
            self.known[key] = self.interpreter(name, arrays)
        return self.known[key]

    def runs(self, seeds: int = 1) -> list[tuple[str, Case, list[Array], bool]]:
        """Each function with its case and its arrays, and whether they are well inside its domain.

        Those with effects run in test_effects.py.
        """
        found: list[tuple[str, Case, list[Array], bool]] = []
        for name, (case, values) in zip(self.names, self.cases, strict=True):
            if issubclass(case.kind, Effect):
                continue
            static = with_values(case, values)
            for seed in range(seeds):
                found.append((name, static, static.arrays(seed), True))
                found.append((name, static, edges(static.types, seed), False))
        return found


@lru_cache(maxsize=2)
def usual(kind: type[TensorOp]) -> Programs:
    """The samples, their sizes made 0 and 1, and symbols in the place of sizes."""
    given = samples(kind)
    cases = [(case, {}) for case in distinct(v for case in given for v in (case, *sized(case)))]
    cases += [each for case in given for each in symbolic(case)]
    return programs(cases)


@lru_cache(maxsize=2)
def exhaustive(kind: type[TensorOp]) -> Programs:
    """The samples in every dtype, with the same variants."""
    dtypes = distinct(other for case in samples(kind) for other in in_every_dtype(case))
    cases = [(case, {}) for case in distinct(v for case in dtypes for v in (case, *sized(case)))]
    cases += [each for case in dtypes for each in symbolic(case)]
    return programs(cases)


def programs(cases: Sequence[tuple[Case, dict[str, int]]]) -> Programs:
    blocks, names = functions(cases)
    return Programs(module_of(*blocks), names, cases)


def test_nests_are_remembered_with_their_arguments() -> None:
    given = usual(Add)
    interpreter = Interpreter(given.module)
    for name, _, arrays, _ in given.runs(seeds=2) * 2:
        expect_same_bits(given.nests(name, arrays), interpreter(name, arrays))


def test_an_op_has_samples(kind: type[TensorOp]) -> None:
    assert samples(kind), (
        f"give {kind.__name__} SAMPLES, or an entry in tests/lib/region_samples.py"
    )


def test_the_type_rule_says_what_the_reference_gives(kind: type[TensorOp]) -> None:
    module, cases = usual(kind).module, usual(kind).runs()
    for name, case, arrays, _ in cases:
        with named(case):
            expect_types(by_reference(module, name, arrays), case.result_types)


def test_the_nests_say_what_the_reference_says(kind: type[TensorOp]) -> None:
    """Far values only for ops that take each element by itself: in a sum their order shows."""
    check_nests(usual(kind))


def test_compiled_code_gives_the_bits_of_the_interpreter(kind: type[TensorOp]) -> None:
    check_bits(usual(kind))


def test_an_op_is_written_and_read(kind: type[TensorOp]) -> None:
    module = usual(kind).module
    module.verify()
    expect_round_trip(module)


def test_every_stage_verifies_and_is_located(kind: type[TensorOp]) -> None:
    for stage, module in stages(usual(kind).module):
        module.verify()
        assert not unlocated(module), stage


@pytest.mark.slow
def test_the_nests_say_what_the_reference_says_in_every_dtype(kind: type[TensorOp]) -> None:
    check_nests(exhaustive(kind), seeds=3)


@pytest.mark.slow
@every_level
def test_every_machine_gives_the_bits_of_the_interpreter(kind: type[TensorOp], level: str) -> None:
    check_bits(exhaustive(kind), level, seeds=3)


@pytest.mark.slow
def test_explicit_loops_give_the_bits_of_the_nests(kind: type[TensorOp]) -> None:
    nests = Interpreter(exhaustive(kind).module)
    loops = Interpreter(exhaustive(kind).module, "explicit")
    for name, case, arrays, _ in exhaustive(kind).runs():
        with named(case):
            expect_same_bits(loops(name, arrays), nests(name, arrays))


@pytest.mark.slow
def test_every_stage_is_written_and_read(kind: type[TensorOp]) -> None:
    for stage, module in stages(usual(kind).module):
        with named(stage):
            expect_round_trip(module)


def check_nests(given: Programs, seeds: int = 1) -> None:
    for name, case, arrays, inside in given.runs(seeds):
        if inside or case.kind.ROLE in (Role.MAP, Role.FREE):
            with named(case):
                expect_close(given.nests(name, arrays), by_reference(given.module, name, arrays))


def check_bits(given: Programs, level: str | None = None, seeds: int = 1) -> None:
    machine = MACHINES[level] if level else host()
    model = compiled(given.module, machine)
    for name, case, arrays, _ in given.runs(seeds):
        with named(case), guarded():
            expect_same_bits(model[name].run(arrays), given.nests(name, arrays))
