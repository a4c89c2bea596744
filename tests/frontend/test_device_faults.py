"""Whatever fails on a device in a call: one error, nothing left there, and the next call works."""

from collections.abc import Callable
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
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("function", [launched, controlled])
def test_every_step_may_fail(function: Any, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    card = under_test.card()
    assert isinstance(card, EmulatedCard)
    where, name, error = STEPS[step]
    owner = where(card)
    fault = Fault(getattr(owner, name), error)
    monkeypatch.setattr(owner, name, fault)
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
