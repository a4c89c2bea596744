"""Calls that come again: recorded the second time, repeated from then on, and never in the way."""

import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import under_test
from at_once import at_once
from emulator.card import EmulatedCard
from emulator.errors import AccessError
from launching import PTX, scale_on_device
from stepwell.runtime import artifact, load
from stepwell.runtime.devices.array import DeviceArray
from stepwell.runtime.devices.device import Device
from stepwell.runtime.devices.graphs import KEPT, Graphs
from stepwell.runtime.entry import Argument

W = np.float32([1, 2, 3, 4])
CARD = under_test.CHOICE.name
pytestmark = pytest.mark.device


def rows(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 4), "f4")


@pytest.fixture
def card() -> Device:
    return under_test.card()


@pytest.fixture
def count(card, monkeypatch):
    """How many calls were recorded, and graphs launched, since this was asked last."""
    found = [0, 0]
    record, repeat = card.record, card.repeat

    def counted(which, function, given):
        found[which] += 1
        return function(given)

    monkeypatch.setattr(card, "record", partial(counted, 0, record))
    monkeypatch.setattr(card, "repeat", partial(counted, 1, repeat))

    def count() -> tuple[int, int]:
        now = found[0], found[1]
        found[:] = 0, 0
        return now

    return count


@pytest.fixture
def saved(make, tmp_path):
    """Loads the program, on the device, after a change to its manifest."""

    def saved(change=lambda manifest: manifest, ptx: str = PTX):
        manifest, members = scale_on_device(make)
        path = tmp_path / "m.well"
        artifact.write(path, change(manifest), {**members, "code/sm_80.ptx": ptx.encode()})
        return load(path, device=CARD)

    return saved


def overwriting(manifest):
    target = replace(manifest.targets[0], overwrites={"scale": ((0, 0),)})
    return replace(manifest, targets=(target,))


def waiting(manifest):
    target = manifest.targets[0]
    device = replace(target.device, host_controlled=("scale",))
    return replace(manifest, targets=(replace(target, device=device),))


def test_a_call_is_recorded_when_it_comes_again(saved, card, count):
    model, x = saved(), DeviceArray.of(card, rows(3))
    found = [np.asarray(model(x)) for _ in range(4)]
    assert count() == (1, 3)
    for each in found:
        np.testing.assert_array_equal(each, found[0])
    np.testing.assert_array_equal(found[0], 2 * rows(3) + W)


def test_a_graph_reads_what_is_there_now(saved, card, count):
    model, x = saved(), DeviceArray.of(card, rows(3))
    for seed in range(4):
        card.copy_in(x.address, rows(3, seed))
        np.testing.assert_array_equal(model(x), 2 * rows(3, seed) + W)
    assert count() == (1, 3)


def test_arrays_of_the_host_come_to_the_same_place(saved, count):
    model = saved()
    for seed in range(12):
        np.testing.assert_array_equal(model(rows(3, seed)), 2 * rows(3, seed) + W)
    recorded, repeated = count()
    assert repeated >= 6
    assert recorded <= 4


def test_results_that_become_arguments_alternate(saved, card, count):
    model, x = saved(), DeviceArray.of(card, rows(3))
    wanted = rows(3)
    for _ in range(8):
        x, wanted = model(x), 2 * wanted + W
    np.testing.assert_array_equal(x, wanted)
    recorded, repeated = count()
    assert repeated >= 4
    assert recorded <= 2


def test_other_sizes_are_other_calls(saved, card, count):
    model = saved()
    arrays = [DeviceArray.of(card, rows(n)) for n in (0, 1, 5)]
    for _ in range(3):
        for x in arrays:
            np.testing.assert_array_equal(model(x), 2 * np.asarray(x) + W)
    assert count() == (3, 6)


def test_arguments_that_are_overwritten(saved, card, count):
    model, x, wanted = saved(overwriting), DeviceArray.of(card, rows(3)), rows(3)
    for _ in range(5):
        wanted = 2 * wanted + W
        x = model(x)
        np.testing.assert_array_equal(x, wanted)
    assert count() == (1, 4)


def test_states_that_are_replaced(saved, make, card, count):
    def with_state(manifest):
        entry = manifest.entries["scale"]
        x, w = entry.arguments
        changed = replace(entry, arguments=(x, Argument("state", "w", w.type, w.sha256)))
        return replace(manifest, entries={"scale": changed})

    model, x = saved(with_state), DeviceArray.of(card, rows(3))
    for _ in range(3):
        np.testing.assert_array_equal(model(x), 2 * rows(3) + W)
    model.state["w"] = 10 * W
    for _ in range(3):
        np.testing.assert_array_equal(model(x), 2 * rows(3) + 10 * W)
    assert count()[1] == 4


def test_what_waits_for_the_device_is_never_recorded(saved, card, count):
    model, x = saved(waiting), DeviceArray.of(card, rows(3))
    for _ in range(3):
        np.testing.assert_array_equal(model(x), 2 * rows(3) + W)
    assert count() == (0, 0)


@pytest.mark.emulated
def test_a_kernel_that_fails_in_a_graph_is_reported(saved, card, count):
    model = saved(ptx=PTX.replace("%d9, %d1, 4, %d5;", "%d9, %d1, 8, %d5;"))
    before = under_test.allocations()
    x = DeviceArray.of(card, rows(3))
    for _ in range(4):
        with pytest.raises(AccessError, match="outside"):
            model(x)
    assert count() == (1, 3)
    del x
    assert under_test.allocations() == before


class Card:
    """A device that records as it is told to."""

    stream = 1

    def __init__(self) -> None:
        self.recorded = 0
        self.refuses = False

    def record(self, work):
        self.recorded += 1
        if self.refuses:
            return None
        work(2)
        return self

    def launch(self) -> None:
        pass


def test_few_calls_are_remembered():
    card = Card()
    found = Graphs(card)
    for _ in range(2):
        for call in range(KEPT + 1):
            assert not found.launch(call, lambda stream: None)
    assert card.recorded == 0
    assert found.launch(KEPT, lambda stream: None)
    assert card.recorded == 1
    assert len(found._known) == KEPT


def test_what_is_used_stays():
    card = Card()
    found = Graphs(card)
    for call in range(3 * KEPT):
        found.launch("often", lambda stream: None)
        found.launch(call, lambda stream: None)
    assert card.recorded == 1


def test_what_cannot_be_recorded_is_not_tried_again():
    card = Card()
    card.refuses = True
    found = Graphs(card)
    for call in (1, 1, 2, 2, 2):
        assert not found.launch(call, lambda stream: None)
    assert card.recorded == 1


def test_a_graph_is_launched_by_one_thread_at_a_time():
    inside, most = [], []

    class Slow(Card):
        def launch(self) -> None:
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.002)
            inside.pop()

    found = Graphs(Slow())
    found.launch(1, lambda stream: None)
    at_once(8, lambda number: found.launch(1, lambda stream: None))
    assert max(most) == 1


def failing(card, *steps) -> bool:
    """Whether nothing is recorded of these steps, each given the stream."""
    return card.record(lambda stream: [step(stream) for step in steps]) is None


def test_waiting_while_recording_is_an_error_and_the_stream_goes_on(saved, card, count):
    assert failing(card, card.wait)
    there = DeviceArray.of(card, W)
    host = np.empty_like(W)

    def to_host(stream: int) -> None:
        card._expect(card._copy(host.ctypes.data, there.address, host.nbytes, stream))

    if isinstance(card, EmulatedCard):  # CUDA records a copy to memory that is pinned
        assert failing(card, to_host)
    count()
    model, x = saved(), DeviceArray.of(card, rows(2))
    for _ in range(3):
        np.testing.assert_array_equal(model(x), 2 * rows(2) + W)
    assert count() == (1, 2)
