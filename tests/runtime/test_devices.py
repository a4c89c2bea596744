"""Models on a device: loaded from a file, called with arrays of the host and of the device."""

from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import under_test
from emulator.card import open_emulated
from emulator.errors import AccessError
from launching import PTX, scale_on_device
from stepwell.runtime import artifact, load, verify
from stepwell.runtime.devices import cuda
from stepwell.runtime.devices.array import DeviceArray
from stepwell.runtime.devices.device import Device, no_memory
from stepwell.runtime.devices.registry import CUDA, device_at, device_named, is_device, place_of
from stepwell.runtime.entry import Argument
from stepwell.runtime.errors import CallError, LoadError

W = np.float32([1, 2, 3, 4])
X = np.arange(12, dtype=np.float32).reshape(3, 4)
CARD = under_test.CHOICE.name
pytestmark = pytest.mark.device


@pytest.fixture
def file(make, tmp_path):
    artifact.write(tmp_path / "m.well", *scale_on_device(make))
    return tmp_path / "m.well"


@pytest.fixture
def card() -> Device:
    return under_test.card()


@pytest.fixture
def held():
    """How many allocations there are more than before."""
    before = under_test.allocations()
    return lambda: under_test.allocations() - before


def refusal(function, *args, **kwargs) -> str:
    with pytest.raises((CallError, LoadError)) as caught:
        function(*args, **kwargs)
    return str(caught.value)


def test_the_cpu_is_the_default(file):
    model = load(file)
    assert model.target.name == "baseline"
    assert isinstance(model(X), np.ndarray)


def test_a_model_runs_where_it_is_loaded(file):
    model = load(file, device=CARD)
    assert model.target.name == "sm_80"
    y = model(X)
    assert isinstance(y, DeviceArray)
    assert repr(y) == f"<float32 array of shape (3, 4) on {CARD}>"
    np.testing.assert_array_equal(y, 2 * X + W)
    np.testing.assert_array_equal(model(y), 4 * X + 3 * W)


def test_numbers_are_fetched_when_they_are_looked_at(card):
    there = DeviceArray.of(card, np.array(2.5, np.float32))
    assert (float(there), int(there), bool(there), there.item()) == (2.5, 2, True, 2.5)
    assert f"{float(there):.2f}" == "2.50"
    assert DeviceArray.of(card, X).tolist() == X.tolist()
    with pytest.raises(TypeError):
        float(DeviceArray.of(card, X))


@pytest.mark.parametrize("batch", [0, 1, 64])
def test_sizes_are_those_of_the_call(file, batch):
    x = np.ones((batch, 4), np.float32)
    np.testing.assert_array_equal(load(file, device=CARD)(x), 2 * x + W)


def test_nothing_is_left_on_the_device(file, held):
    model = load(file, device=CARD)
    y = model(model(X))
    assert held() == 2  # the constant, and the result
    del y
    assert held() == 1
    del model
    assert held() == 0


def test_a_refused_call_leaves_nothing(file, held):
    model = load(file, device=CARD)
    there = model(X)
    before = held()
    for wrong in (X[:, :3], X.astype(np.float64), np.ones((65, 4), np.float32)):
        assert refusal(model, wrong).startswith("SW040")
    assert held() == before
    np.testing.assert_array_equal(there, 2 * X + W)


@pytest.mark.emulated
def test_a_kernel_that_fails_is_reported_and_the_process_goes_on(make, tmp_path, held):
    manifest, members = scale_on_device(make)
    beyond = PTX.replace("mad.lo.u64 %d9, %d1, 4, %d5;", "mad.lo.u64 %d9, %d1, 8, %d5;")
    artifact.write(tmp_path / "m.well", manifest, {**members, "code/sm_80.ptx": beyond.encode()})
    model = load(tmp_path / "m.well", device=CARD)
    for _ in range(2):
        with pytest.raises(AccessError, match="outside"):
            model(X)
    assert held() == 1


def test_an_array_on_another_device_is_refused(file, held):
    other = DeviceArray.of(device_named(under_test.OTHER), X)
    model = load(file, device=CARD)
    assert refusal(model, other) == (
        f"SW0420: x: the array lies on cuda-emulated:1, and the program runs on {CARD}\n"
        f'  help: stepwell.device_put(x, "{CARD}") copies it there'
    )
    assert held() == 1
    assert "runs on cpu" in refusal(load(file), model(X))
    assert held() == 1
    np.testing.assert_array_equal(model(X), 2 * X + W)


def test_arrays_on_the_device_are_checked_like_others(file):
    device = device_named(CARD)
    model = load(file, device=CARD)
    assert refusal(model, DeviceArray.of(device, X[0])) == (
        "SW0402: x: expected f32[B,4], got float32 array of shape (4,)"
    )
    assert refusal(model, DeviceArray.of(device, X.astype(np.float64))).startswith("SW0402")
    wrong = DeviceArray.of(device, np.ones((65, 4), np.float32))
    assert refusal(model, wrong).startswith("SW0403")


def test_a_call_waits_for_what_it_reads_of_others_memory(file, card, monkeypatch):
    model, there = load(file, device=CARD), DeviceArray.of(card, X)
    waits = []
    monkeypatch.setattr(card, "wait", lambda stream=None: waits.append(stream))
    model(there)
    assert not waits
    borrowed = DeviceArray.borrowed(there, card)
    waits.clear()
    model(borrowed)
    assert waits == [None]


def test_a_copy_of_others_memory_is_done_when_it_is_there(card, keeping, monkeypatch):
    model, there = load(keeping, device=CARD), DeviceArray.of(card, W)
    borrowed = DeviceArray.borrowed(there, card)
    done = []
    copy, wait = card.copy, card.wait
    monkeypatch.setattr(card, "copy", lambda *given: (done.append("copy"), copy(*given)))
    monkeypatch.setattr(card, "wait", lambda *given: (done.append("wait"), wait(*given)))
    there.copy()
    assert done == ["copy"]
    borrowed.copy()
    deepcopy(borrowed)
    model.state["w"] = borrowed
    assert done == ["copy"] + 3 * ["copy", "wait"]


def test_arrays_that_are_not_aligned_are_copied(make, tmp_path, card):
    manifest, members = scale_on_device(make)
    once = replace(manifest.targets[0], overwrites={"scale": ((0, 0),)})
    artifact.write(tmp_path / "m.well", replace(manifest, targets=(once,)), members)
    there = DeviceArray.of(card, numbers := np.arange(9, dtype=np.float32))
    part = DeviceArray.borrowed(there, card)
    part.address, part.shape = there.address + 4, (2, 4)
    y = load(tmp_path / "m.well", device=CARD)(part)
    np.testing.assert_array_equal(y, 2 * numbers[1:].reshape(2, 4) + W)
    assert y.address % 16 == 0
    np.testing.assert_array_equal(there, numbers)


@pytest.mark.parametrize("fails", [1, 2, 3])
def test_too_little_memory(file, card, monkeypatch, held, fails):
    """For the argument, the result or the workspace."""
    model = load(file, device=CARD)
    allocate, sizes = card.allocate, []

    def limited(size):
        sizes.append(size)
        if len(sizes) == fails:
            raise no_memory(card.name, size)
        return allocate(size)

    monkeypatch.setattr(card, "allocate", limited)
    assert refusal(model, X) == f"SW0414: there is no memory for 48 bytes on {CARD}"
    assert held() == 1
    np.testing.assert_array_equal(model(X), 2 * X + W)


def test_more_memory_than_there_is(card, held):
    size = 1 << 50
    assert refusal(card.allocate, size) == f"SW0414: there is no memory for {size} bytes on {CARD}"
    assert held() == 0
    np.testing.assert_array_equal(DeviceArray.of(card, X), X)


def test_what_a_device_does_not_run_is_refused(make, tmp_path, file):
    assert refusal(load, file, device=CARD, target="baseline") == (
        f"SW0308: {file} cannot run on {CARD}: baseline needs the CPU"
    )
    assert refusal(load, file, target="sm_80") == (
        f'SW0308: {file} cannot run on this processor: sm_80 needs a device (device="cuda")'
    )
    artifact.write(tmp_path / "n.well", *scale_on_device(make, "gfx942"))
    assert "gfx942 needs another device" in refusal(load, tmp_path / "n.well", device=CARD)


def test_ptx_that_the_driver_does_not_take(make, tmp_path):
    manifest, members = scale_on_device(make)
    path = tmp_path / "m.well"
    artifact.write(
        path, manifest, {**members, "code/sm_80.ptx": PTX.replace(" scale(", " f(").encode()}
    )
    said = refusal(load, path, device=CARD)
    assert said.startswith(f"SW0327: {path}: code/sm_80.ptx: the driver does not take it: ")
    artifact.write(path, manifest, {**members, "code/sm_80.ptx": b"\xff"})
    assert refusal(load, path, device=CARD).startswith("SW0310")


def test_more_shared_memory_than_the_device_has(make, tmp_path, card, held):
    manifest, members = scale_on_device(make)
    target, other = manifest.targets
    wide = replace(target, device=replace(target.device, shared=300_000))
    path = tmp_path / "m.well"
    artifact.write(path, replace(manifest, targets=(wide, other)), members)
    assert refusal(load, path, device=CARD) == (
        f"SW0326: {path}: code/sm_80.ptx shares 300000 bytes in a block,"
        f" and {CARD} has {card.block_memory}"
    )
    assert held() == 0


def test_an_older_runtime_passes_over_targets_for_devices(make):
    manifest, _ = scale_on_device(make)
    assert manifest.targets[0].architecture == "nvptx64"
    assert b'"device":{"host":' in manifest.to_json()


@pytest.fixture
def keeping(make, tmp_path):
    """A file whose weight is a state."""
    manifest, members = scale_on_device(make)
    entry = manifest.entries["scale"]
    x, w = entry.arguments
    entry = replace(entry, arguments=(x, Argument("state", "w", w.type, w.sha256)))
    changed = replace(manifest, entries={"scale": entry})
    artifact.write(tmp_path / "m.well", changed, members)
    return tmp_path / "m.well"


def test_states_stay_on_the_device(keeping, held, monkeypatch):
    model = load(keeping, device=CARD)
    assert isinstance(model.state["w"], DeviceArray)
    np.testing.assert_array_equal(model(X), 2 * X + W)
    model.state["w"] = 10 * W
    assert isinstance(model.state["w"], DeviceArray)
    np.testing.assert_array_equal(model(X), 2 * X + 10 * W)
    w = DeviceArray.of(device_named(CARD), W)
    with monkeypatch.context() as patched:
        patched.setattr(DeviceArray, "fetched", None)
        model.state["w"] = w
    assert model.state["w"].address != w.address
    assert w.writeable
    np.testing.assert_array_equal(model(X), 2 * X + W)
    del w
    model.state.reset()
    assert held() == 1


def test_a_state_is_given_no_array_of_another_device(keeping):
    other = DeviceArray.of(device_named(under_test.OTHER), W)
    for here, model in ((CARD, load(keeping, device=CARD)), ("cpu", load(keeping))):
        assert refusal(model.state.__setitem__, "w", other) == (
            f"SW0420: w: the array lies on cuda-emulated:1, and the program runs on {here}\n"
            f'  help: stepwell.device_put(x, "{here}") copies it there'
        )
        np.testing.assert_array_equal(model(X), 2 * X + W)


def test_inputs_are_overwritten_where_the_code_does_so(make, tmp_path):
    manifest, members = scale_on_device(make)
    target = replace(manifest.targets[0], overwrites={"scale": ((0, 0),)})
    artifact.write(tmp_path / "m.well", replace(manifest, targets=(target,)), members)
    model = load(tmp_path / "m.well", device=CARD)
    x = DeviceArray.of(device_named(CARD), X)
    y = model(x)
    assert y.address == x.address
    x.writeable = False
    z = model(x)
    assert z.address != x.address
    np.testing.assert_array_equal(z, 4 * X + 3 * W)
    np.testing.assert_array_equal(x, 2 * X + W)


def test_samples_are_run_on_the_device(file):
    report = verify(file, device=CARD)
    assert [output.target for output in report.outputs] == ["sm_80", "baseline"]
    assert report.worst == 0
    assert not report.skipped


@pytest.mark.emulated
def test_what_cannot_be_verified_here_is_said(make, tmp_path, file, monkeypatch):
    monkeypatch.setattr(cuda, "LIBRARY", "libabsent.so")
    report = verify(file)
    assert [output.target for output in report.outputs] == ["baseline"]
    said = "sm_80: not verified here: there is no NVIDIA driver here: no libabsent.so"
    assert said in str(report)
    manifest, members = scale_on_device(make)
    alone = replace(manifest, targets=manifest.targets[:1])
    artifact.write(tmp_path / "n.well", alone, members)
    said = "SW0322: there is no NVIDIA driver here: no libabsent.so"
    assert refusal(verify, tmp_path / "n.well") == said
    assert verify(tmp_path / "n.well", device=CARD).worst == 0


def test_a_device_that_does_other_than_the_samples(make, tmp_path):
    manifest, members = scale_on_device(make)
    wrong = PTX.replace("fma.rn.f32 %f3, %f1, 0f40000000, %f2", "add.rn.f32 %f3, %f1, %f2")
    artifact.write(tmp_path / "m.well", manifest, {**members, "code/sm_80.ptx": wrong.encode()})
    report = verify(tmp_path / "m.well", device=CARD)
    assert [output.repeats for output in report.outputs] == [False, True]
    with pytest.raises(LoadError, match="SW0319"):
        report.expect_repeated()


@pytest.mark.emulated
def test_the_host_has_what_is_copied_to_it_when_it_has_waited(card):
    """Nobody may rely on less: what is not waited for is found without a card."""
    there, here = DeviceArray.of(card, W), np.zeros_like(W)
    for place in (0, 8):
        card.copy(here.ctypes.data + place, there.address + place, 8)
    assert not here.any()
    card.wait(7)
    assert not here.any()
    card.wait()
    np.testing.assert_array_equal(here, W)


def test_names_of_devices():
    assert is_device(CUDA)
    assert is_device("cuda:3")
    assert not is_device("cpu")
    assert not is_device("cuda:")
    assert not is_device("x86-64-v4")
    assert device_named(f"{under_test.EMULATED}:0") is device_named(under_test.EMULATED)
    assert device_at(device_named(CARD).place) is device_named(CARD)
    assert refusal(device_named, "tpu").startswith("SW0328: there is no device tpu\n")
    assert refusal(device_at, (7, 1)) == "SW0422: an array on kind 7:1 cannot be used"
    assert place_of(X) is place_of(3.0) is None
    pinned = SimpleNamespace(__dlpack_device__=lambda: (3, 0))
    assert place_of(pinned) is None


def test_devices_are_apart():
    one, other = open_emulated(4), open_emulated(5)
    assert one.name != other.name
