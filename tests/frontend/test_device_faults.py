"""Whatever fails on a device in a call, in loading or in copying: one error, nothing left there,
and the next time it works."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

import stepwell as sw
import stepwell.numpy as np
import under_test
from emulator.card import EmulatedCard
from emulator.errors import LaunchError
from stepwell.runtime.devices.device import no_memory

CARD = under_test.CHOICE.name
pytestmark = [pytest.mark.device, pytest.mark.emulated]
X = numpy.float32([[0.5, -2.0], [1.5, 3.0]])


def launched(x: Any) -> Any:
    """From the second call on a graph."""
    return sw.scan(lambda total, row: (total + row, (total * row).sum()), x[0], x)


def controlled(x: Any) -> Any:
    """The host asks whether to go on, and which way."""
    y = sw.while_loop(lambda y: y.max() > 1, lambda y: np.tanh(y) * 0.9, x)
    return sw.cond(y.sum() > 0, lambda y: np.sort(y, 0), lambda y: y @ y, y)


class Fault:
    """Lets one of some steps fail: the one before which so many are `left`, if any."""

    def __init__(self, step: Callable[..., Any], error: Callable[..., Exception]) -> None:
        self.step, self.error = step, error
        self.left = -1

    def __call__(self, *given: Any) -> Any:
        self.left -= 1
        if self.left == -1:
            raise self.error(*given)
        return self.step(*given)


STEPS = {
    "launch": (lambda card: card.emulated, "launch", lambda *given: LaunchError("planted")),
    "copy": (lambda card: card, "_copied", lambda *given: LaunchError("planted")),
    "memory": (lambda card: card, "allocate", lambda size: no_memory(CARD, size)),
    "driver": (lambda card: card, "_copied", lambda *given: sw.CallError("SW0421", "planted")),
}


def emulated() -> EmulatedCard:
    card = under_test.card()
    assert isinstance(card, EmulatedCard)
    return card


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Fault]:
    def plant(step: str) -> Fault:
        where, name, error = STEPS[step]
        owner = where(emulated())
        fault = Fault(getattr(owner, name), error)
        monkeypatch.setattr(owner, name, fault)
        return fault

    return plant


@pytest.mark.parametrize("step", ["launch", "copy", "memory"])
@pytest.mark.parametrize("function", [launched, controlled])
def test_every_step_may_fail(function: Any, step: str, plant: Callable[[str], Fault]) -> None:
    card, fault = emulated(), plant(step)
    wanted = sw.nested.flatten(sw.jit(function)(X))[0]
    f = sw.jit(function, target=CARD)

    def works() -> bool:
        """Whether the next call does: then its results are right."""
        try:
            found = [numpy.asarray(each) for each in sw.nested.flatten(f(X))[0]]
        except (LaunchError, sw.CallError):
            return False
        assert all(map(numpy.array_equal, found, wanted))
        return True

    def works_without(number: int) -> bool:
        """Where the step of that number fails."""
        fault.left = number
        found = works()
        fault.left = -1
        return found

    assert works()
    before, number = under_test.allocations(), 0
    while not works_without(number):
        assert len(card.emulated.heap.regions) == before
        assert works()
        number += 1
    assert number > 2


def held() -> tuple[int, int]:
    """Pieces of memory and kernels of the device; nobody has looked for garbage."""
    return len(emulated().emulated.heap.regions), len(emulated()._functions)


def failures(fault: Fault, act: Callable[[], object]) -> list[str]:
    """What it says when its first step fails, its second, …; then none does. Nothing is left."""
    before, said = held(), list[str]()
    while True:
        fault.left = len(said)
        try:
            act()
        except (sw.CallError, sw.LoadError) as error:
            said.append(f"{error.code}: {error.sentence}")
        else:
            return said
        finally:
            fault.left = -1
        assert held() == before


NUMBERS = numpy.random.default_rng(0).standard_normal((2, 5, 3), "f4")
WHY = {"memory": f"there is no memory for 60 bytes on {CARD}", "driver": "planted"}
CODES = {"memory": "SW0414", "driver": "SW0421"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A program with a weight, and a state of two arrays."""
    w, path = NUMBERS[0] * 3, tmp_path / "f.well"
    seen = sw.state("seen", {"first": NUMBERS[0], "second": NUMBERS[1]})

    def f(x: Any, seen: Any) -> Any:
        return x * w + seen["first"], {"first": x, "second": seen["second"] + x}

    sw.compile(f, "f32[5, 3]", seen, target="sm_80").save(path)
    return path


@pytest.mark.parametrize("step", WHY)
def test_loading_may_fail(file: Path, step: str, plant: Callable[[str], Fault]) -> None:
    fault = plant(step)
    said = f"{file}: code/sm_80.ptx: its weights cannot be put on the device: {WHY[step]}"
    assert failures(fault, lambda: sw.load(file, device=CARD)) == [f"SW0330: {said}"] * 3
    x = NUMBERS[1]
    wanted = x * (NUMBERS[0] * 3) + NUMBERS[0]
    numpy.testing.assert_array_equal(sw.load(file, device=CARD)(x), wanted)


def test_the_first_call_may_have_no_room_for_the_weights(plant: Callable[[str], Fault]) -> None:
    fault, f, before = plant("memory"), sw.jit(lambda x: x * NUMBERS[0], target=CARD), held()
    fault.left = 0
    with pytest.raises(sw.LoadError) as caught:
        f(NUMBERS[1])
    said = f"the program: its weights cannot be put on the device: {WHY['memory']}"
    assert (caught.value.code, caught.value.sentence) == ("SW0330", said)
    del caught
    assert held() == before
    numpy.testing.assert_array_equal(f(NUMBERS[1]), NUMBERS[1] * NUMBERS[0])


@pytest.mark.parametrize("step", WHY)
def test_a_tree_goes_to_the_device_whole_or_not_at_all(
    step: str, plant: Callable[[str], Fault]
) -> None:
    tree = {"a": NUMBERS[0], "b": [NUMBERS[1], NUMBERS[0] + 1]}
    said = failures(plant(step), lambda: sw.device_put(tree, CARD))
    assert said == [f"{CODES[step]}: {WHY[step]}"] * 3


@pytest.mark.parametrize("step", WHY)
def test_a_state_changes_whole_or_not_at_all(
    file: Path, step: str, plant: Callable[[str], Fault]
) -> None:
    model, fault = sw.load(file, device=CARD), plant(step)
    new = {"first": NUMBERS[1], "second": NUMBERS[0]}
    before = model.state["seen"]

    def change() -> None:
        assert all(model.state["seen"][name] is each for name, each in before.items())
        model.state["seen"] = new

    assert failures(fault, change) == [f"{CODES[step]}: {WHY[step]}"] * 2
    numpy.testing.assert_array_equal(before["first"], NUMBERS[0])
    numpy.testing.assert_array_equal(model.state["seen"]["first"], NUMBERS[1])
