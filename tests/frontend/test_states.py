"""Named state: kept between calls, shared by entry points, in process and after a file."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy
import pytest

from at_once import at_once
from stepwell import CallError, Compiled, assert_, compile, grad, load, optim, state
from stepwell import numpy as np
from stepwell.runtime import verify

X = numpy.random.default_rng(0).normal(size=(32, 4)).astype("f4")
Y = X.sum(1) + 1
PARAMS = {"b": 0.0, "w": numpy.zeros(4, "f4")}


def predict(params: Any, x: Any) -> Any:
    return x @ params["w"] + params["b"]


def loss(params: Any, x: Any, y: Any) -> Any:
    return np.mean((predict(params, x) - y) ** 2)


def train(params: Any, x: Any, y: Any) -> Any:
    slopes = grad(loss)(params, x, y)
    return loss(params, x, y), {name: params[name] - 0.1 * slopes[name] for name in params}


@pytest.fixture
def learner() -> Compiled:
    """`train` and `evaluate`, which share parameters."""
    params = state("params", PARAMS)
    return compile(
        {
            "train": (train, params, "f32[B, 4]", "f32[B]"),
            "evaluate": (predict, params.read_only, "f32[B, 4]"),
        }
    )


@pytest.fixture
def counter() -> Compiled:
    """Doubles a number, and counts by it."""

    def up(n: Any, count: Any) -> Any:
        return n * 2, count + n

    return compile(up, "i64", state("count", 10))


def test_a_counter(counter: Compiled) -> None:
    assert [int(counter(n)) for n in (1, 2, 3)] == [2, 4, 6]
    assert int(counter.state["count"]) == 16


def test_states_are_read_set_and_reset(counter: Compiled) -> None:
    counter.state["count"] = 100
    counter(n=1)
    assert {name: int(value) for name, value in counter.state.items()} == {"count": 101}
    counter.state.reset()
    assert int(counter.state["count"]) == 10
    assert len(counter.state) == 1


def test_a_running_mean_of_two_states() -> None:
    def mean(count: Any, x: Any, total: Any) -> Any:
        count, total = count + 1, total + x
        return total / count.astype("f32"), count, total

    program = compile(mean, state("count", 0), "f32[2]", state("total", numpy.zeros(2, "f4")))
    found = [program(numpy.array([n, 2 * n], "f4")).tolist() for n in (1, 2, 3)]
    assert found == [[1, 2], [1.5, 3], [2, 4]]


def test_train_and_evaluate_share_parameters(learner: Compiled) -> None:
    before = learner["evaluate"](X)
    losses = [float(learner["train"](X, Y)) for _ in range(100)]
    assert before.tolist() == [0] * 32
    assert losses[0] > 1 > 1e-3 > losses[-1]
    numpy.testing.assert_allclose(learner["evaluate"](X), Y, atol=0.01)
    assert set(learner.state["params"]) == {"b", "w"}
    numpy.testing.assert_allclose(learner.state["params"]["w"], 1, atol=0.01)


def test_a_file_begins_with_the_first_values(learner: Compiled, tmp_path: Path) -> None:
    learner["train"](X, Y)
    learner.save(tmp_path / "m.well", sample={"train": (X, Y), "evaluate": (X,)})
    model = load(tmp_path / "m.well")
    assert model.state["params"]["w"].tolist() == [0] * 4
    assert float(model.train(X, Y)) == pytest.approx(float(loss(PARAMS, X, Y)), 1e-5)
    numpy.testing.assert_array_equal(model.evaluate(X), learner["evaluate"](X))
    assert str(model.train.signature) == "train(x: f32[B,4], y: f32[B]) -> f32[]"
    assert verify(tmp_path / "m.well").worst == 0


def test_a_process_without_the_compiler_trains(learner: Compiled, tmp_path: Path) -> None:
    learner.save(tmp_path / "m.well")
    program = """
import sys
import numpy as np
from stepwell.runtime import load

model = load(sys.argv[1])
x = np.random.default_rng(0).normal(size=(32, 4)).astype("f4")
for _ in range(3):
    model.train(x, x.sum(1) + 1)
three = model.state["params"]
model.state.reset()
first = model.evaluate(x)
model.state["params"] = three
assert not any(name.startswith(("stepwell.compiler", "xdsl")) for name in sys.modules)
print(first.any(), three["w"].tolist(), model.evaluate(x)[:2].tolist())
"""
    command = [sys.executable, "-c", program, str(tmp_path / "m.well")]
    run = subprocess.run(command, capture_output=True, text=True)
    for _ in range(3):
        learner["train"](X, Y)
    found = learner.state["params"]["w"].tolist(), learner["evaluate"](X)[:2].tolist()
    assert (run.stderr, run.stdout) == ("", f"False {found[0]} {found[1]}\n")


@dataclass
class Layer:
    """A user's own tree of arrays, with a constant."""

    w: Any
    name: str = "layer"


class Pair(NamedTuple):
    """Two leaves."""

    a: Any
    b: Any


def test_states_are_nested_as_they_were_declared(tmp_path: Path) -> None:
    first = {"pair": Pair(1, [2.0]), "layer": Layer(numpy.ones(2, "f4")), "none": None}

    def turned(tree: Any) -> Any:
        pair = Pair(tree["pair"].a + 1, [tree["pair"].b[0] * 2])
        return (), {"pair": pair, "layer": Layer(-tree["layer"].w), "none": None}

    program = compile(turned, state("tree", first))
    assert program() == ()
    found = program.state["tree"]
    assert isinstance(found["layer"], Layer)
    assert (found["layer"].w.tolist(), found["layer"].name) == ([-1, -1], "layer")
    assert (int(found["pair"].a), float(found["pair"].b[0])) == (2, 4.0)
    program.state["tree"] = found
    program()
    program.save(tmp_path / "m.well")
    model = load(tmp_path / "m.well")
    model()
    assert model.state["tree"]["pair"] == (2, [4.0])
    assert program.state["tree"]["layer"].w.tolist() == [1, 1]


def test_the_pure_functions_of_optim_fit() -> None:
    adam = optim.Adam(0.1)

    def step(params: Any, moments: Any, x: Any, y: Any) -> Any:
        slopes = grad(loss)(params, x, y)
        return (loss(params, x, y), *adam.update(slopes, moments, params))

    first = {name: np.asarray(value) for name, value in PARAMS.items()}
    program = compile(
        step, state("params", first), state("moments", adam.init(first)), "f32[B, 4]", "f32[B]"
    )
    losses = [float(program(X, Y)) for _ in range(50)]
    assert losses[-1] < 0.1 * losses[0]
    assert int(program.state["moments"].step) == 50


def test_states_are_given_by_name_too() -> None:
    program = compile(lambda x, last: (last, x), x="f32", last=state("last", 0.0))
    assert [float(program(x)) for x in (1.0, 2.0, 3.0)] == [0, 1, 2]


def test_a_state_may_grow(tmp_path: Path) -> None:
    def append(cache: Any, x: Any) -> Any:
        cache = {name: np.concatenate([rows, x[None]]) for name, rows in cache.items()}
        return cache["k"].sum(0), cache

    first = {"k": numpy.zeros((0, 2), "f4"), "v": numpy.zeros((0, 2), "f4")}
    cache = state("cache", first, {"k": "f32[T: ..3, 2]", "v": "f32[T, 2]"})
    compile(append, cache, "f32[2]").save(tmp_path / "m.well")
    model, one = load(tmp_path / "m.well"), numpy.ones(2, "f4")
    assert [model(one).tolist() for _ in range(3)] == [[1, 1], [2, 2], [3, 3]]
    assert model.state["cache"]["v"].shape == (3, 2)
    model(one)
    with pytest.raises(CallError, match=r"expected f32\[T,2\] with T in 0\.\.3"):
        model(one)


def test_the_first_value_is_a_copy() -> None:
    first = numpy.ones(2, "f4")
    program = compile(lambda x, s: (s, s + x), "f32", state("s", first))
    first[:] = 7
    assert program(1.0).tolist() == [1, 1]
    with pytest.raises(ValueError, match="read-only"):
        program.state["s"].value[0] = 5


def test_a_call_that_fails_leaves_the_state() -> None:
    def up(n: Any, count: Any) -> Any:
        assert_(n >= 0, "n is negative")
        return count, count + n

    program = compile(up, "i64", state("count", 0))
    program(5)
    with pytest.raises(CallError, match="n is negative"):
        program(-1)
    assert int(program.state["count"]) == 5


def test_threads_may_train_and_evaluate(counter: Compiled) -> None:
    at_once(4, lambda _: [counter(1) for _ in range(100)])
    assert int(counter.state["count"]) == 410


def test_programs_have_states_of_their_own() -> None:
    count = state("count", 0)
    one, other = (compile(lambda c: (c, c + 1), count) for _ in range(2))
    one()
    assert (int(one.state["count"]), int(other.state["count"])) == (1, 0)


def test_equal_declarations_are_one_state() -> None:
    program = compile(
        {
            "up": (lambda c: (c, c + 1), state("c", 3)),
            "look": (lambda c: c, state("c", 3).read_only),
        }
    )
    program["up"]()
    assert int(program["look"]()) == 4


FORK = """
import os, signal, threading
import numpy as np
import stepwell as sw

program = sw.compile(lambda x, n: (n + x, n + x), "f32[]", sw.state("n", np.float32(0)))
program(np.float32(1))
held, done = threading.Event(), threading.Event()

def hold():
    with program._model.state.lock:
        held.set()
        done.wait()

threading.Thread(target=hold).start()
held.wait()
child = os.fork()
if child == 0:
    signal.alarm(20)
    os._exit(0 if program(np.float32(1)).item() == 2 else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
done.set()
"""


def test_a_child_forked_during_a_call_has_states_of_its_own() -> None:
    command = [sys.executable, "-c", FORK]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "0\n"
