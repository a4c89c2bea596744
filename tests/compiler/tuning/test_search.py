"""The search takes what is faster, keeps to its budget, and finds plans that change answers."""

from collections.abc import Callable

import numpy as np
import pytest
from xdsl.parser import Parser

from loop_text import parse_kernel
from stepwell.compiler.dialects.loop.types import Plan
from stepwell.compiler.lower.strategies import Strategy
from stepwell.compiler.lower.strategies.map import Map
from stepwell.compiler.lower.strategies.prefix import Prefix
from stepwell.compiler.pipeline import context, level_of
from stepwell.compiler.targets.cpu import host
from stepwell.compiler.tuning import search as searching
from stepwell.compiler.tuning.alone import Alone, Trial
from stepwell.compiler.tuning.plans import Place, Plans, Tuned
from stepwell.compiler.tuning.search import Search, Subject, search, subjects
from stepwell.runtime.errors import CompileError

DOUBLED = """
loop.kernel @doubled<N: 1>(%x: !loop.buffer<[N] x f32>, %i: !loop.buffer<[2] x i64>)
    -> (%y: !loop.buffer<[N] x f32>) {
  loop.nest [%j : N] {
    %k = loop.read %i[1] : i64
    %f = loop.cast sitofp %k : i64 to f32
    %v = loop.read %x[%j] : f32
    %w = arith.addf %v, %f : f32
    loop.write %w, %y[%j] : f32
  }
}"""
Cost = Callable[[Strategy], float]


def subject(size: int = 100) -> Subject:
    return Subject(parse_kernel(DOUBLED), Map(), {"N": size}, 1)


@pytest.fixture
def costing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Cost], list[Strategy]]:
    """Makes launches last as long as a cost says; gives the plans that were tried."""

    def install(cost: Cost) -> list[Strategy]:
        plans: dict[Trial, Strategy] = {}
        tried: list[Strategy] = []
        under = Alone.under

        def noting(alone: Alone, plan: Plan) -> Trial:
            trial = under(alone, plan)
            plans[trial] = Map.of(dict(plan.parameters))
            tried.append(plans[trial])
            return trial

        monkeypatch.setattr(Alone, "under", noting)
        monkeypatch.setattr(searching, "_sample", lambda trial: cost(plans[trial]))
        return tried

    return install


def far_from_two(strategy: Strategy) -> float:
    assert isinstance(strategy, Map)
    return 1e-3 * (1 + abs(strategy.vectors - 2))


def test_the_best_near_plan_is_found(costing: Callable[[Cost], list[Strategy]]) -> None:
    costing(far_from_two)
    (tuned,) = search([subject()], host(), budget=60).found.values()
    assert dict(tuned.plan.parameters)["vectors"] == 2
    assert (tuned.before, tuned.nanoseconds) == (1_000_000 * (Map().vectors - 1), 1_000_000)


def test_nothing_is_tried_twice(costing: Callable[[Cost], list[Strategy]]) -> None:
    tried = costing(far_from_two)
    search([subject()], host(), budget=60)
    # The chosen plan is compiled once more, for the last comparison.
    assert len(tried) == len(set(tried)) + 1


def test_what_is_not_faster_is_no_plan(costing: Callable[[Cost], list[Strategy]]) -> None:
    costing(lambda strategy: 1e-3 if strategy == Map() else 0.99e-3)
    assert search([subject()], host(), budget=60) == Plans()


def test_what_was_faster_by_chance_is_no_plan(
    costing: Callable[[Cost], list[Strategy]],
) -> None:
    noise = iter(range(10**6))
    costing(lambda strategy: 1e-3 / (1 + next(noise)) if next(noise) < 60 else 1e-3)
    assert search([subject()], host(), budget=60) == Plans()


def test_without_a_budget_nothing_is_tried(costing: Callable[[Cost], list[Strategy]]) -> None:
    tried = costing(far_from_two)
    assert search([subject()], host(), budget=0) == Plans()
    assert tried == [Map()]


def test_what_takes_long_has_its_turn_first(costing: Callable[[Cost], list[Strategy]]) -> None:
    costing(lambda strategy: 1e-3)
    searches = [Search(subject(10), host()), Search(subject(20), host())]
    searches[1].seconds *= 3
    turns: list[int] = []
    for _ in range(8):
        most = max(searches, key=lambda each: each.promise)
        turns.append(searches.index(most))
        most.step()
    assert turns == [1, 1, 1, 1, 0, 1, 1, 1]


def test_a_plan_that_changes_the_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([[b"this"], [b"that"]])
    monkeypatch.setattr(Alone, "answer", lambda self, trial: next(answers))
    with pytest.raises(CompileError) as caught:
        search([subject()], host(), budget=60)
    assert caught.value.code == "SW0261"
    assert caught.value.sentence.endswith("changes what doubled gives")


def test_a_kernel_by_itself_runs() -> None:
    alone = Alone(parse_kernel(DOUBLED), host(), {"N": 5})
    trial = alone.under(Map().plan.data)
    (answer,) = alone.answer(trial)
    x, i, y = alone.memory
    np.testing.assert_array_equal(np.frombuffer(answer, np.float32), x + np.float32(i[1]))
    assert trial.seconds(3) > 0
    assert y.tobytes() == answer


PROGRAM = """
nd.func @main<B: 2 to 64>(%x: TENSOR) {
  %0 = nd.exp %x : TENSOR
  %1 = nd.cumsum %0 axis <0> reverse <0> : TENSOR -> TENSOR
  nd.return %1 : TENSOR
}""".replace("TENSOR", "tensor<?x8xf32, #nd.info<dims = [B, 8]>>")


@pytest.mark.parametrize(("sizes", "size"), [({}, 64), ({"B": 7}, 7)])
def test_subjects_are_what_a_program_launches(sizes: dict[str, int], size: int) -> None:
    (found,) = subjects(Parser(context(), PROGRAM).parse_module(), host(), sizes)
    assert found.launches == 1
    assert found.sizes == {"B": size}
    assert found.kernel.plan is None
    assert found.chosen.name == "prefix"


def test_subjects_keep_plans_that_are_known() -> None:
    (found,) = subjects(Parser(context(), PROGRAM).parse_module(), host(), {})
    place = Place.of(found.kernel, level_of(host()).name)
    known = Plans({place: Tuned(Plan("prefix", (("rows", 3),)), 1, 2, "main")})
    (again,) = subjects(Parser(context(), PROGRAM).parse_module(), host(), {}, known)
    assert again.chosen == Prefix(rows=3)
