"""Cards as `Cuda` reaches them, with a driver and packages of our own: no test here has a card."""

import ctypes
import gc
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from launching import scale_on_device
from played_cuda import Core, Driver, Numba
from stepwell.runtime import artifact, load
from stepwell.runtime.devices import cuda, registry
from stepwell.runtime.devices.arguments import taken
from stepwell.runtime.devices.array import DeviceArray
from stepwell.runtime.devices.cuda import MOST_STEPS, Cuda, card_of, open_card
from stepwell.runtime.devices.device import Copy
from stepwell.runtime.devices.registry import device_named, place_of
from stepwell.runtime.dtypes import BY_NAME
from stepwell.runtime.entry import Argument, ArrayType
from stepwell.runtime.errors import CallError, LoadError
from stepwell.runtime.sizes import Size


@pytest.fixture
def machine(monkeypatch):
    """Puts a driver and packages in the place of those that may be here; None for those missing."""

    def machine(driver=None, core=None, numba=None):
        def library(name: str) -> Driver:
            assert name == "libcuda.so.1"
            if driver is None:
                raise OSError
            return driver

        monkeypatch.setattr(cuda.ctypes, "CDLL", library)
        monkeypatch.setitem(sys.modules, "numba_cuda", numba and ModuleType("numba_cuda"))
        monkeypatch.setitem(sys.modules, "numba.cuda", numba)
        monkeypatch.setitem(sys.modules, "cuda", core and ModuleType("cuda"))
        monkeypatch.setitem(sys.modules, "cuda.core", core)

    return machine


@pytest.fixture
def parts(machine):
    driver, core, numba = Driver(), Core(), Numba()
    machine(driver, core, numba)
    return driver, core, numba


def refusal(function, *args) -> str:
    with pytest.raises((CallError, LoadError)) as caught:
        function(*args)
    return str(caught.value)


def test_packages_that_are_missing(machine):
    machine(Driver())
    said = refusal(open_card, 0)
    assert said.startswith("SW0321: the packages for CUDA are not here: ")
    assert said.endswith('help: pip install "stepwell[cuda]" brings them')


def test_no_driver(machine):
    machine(None, Core(), Numba())
    assert refusal(open_card, 0) == "SW0322: there is no NVIDIA driver here: no libcuda.so.1"


@pytest.mark.parametrize(("cards", "number"), [(0, 0), (2, 2)])
def test_no_card(machine, cards, number):
    machine(Driver(cards=cards), Core(), Numba())
    said = f"SW0323: there is no card {number} here: the driver has {cards}"
    assert refusal(open_card, number) == said


STARTING = "nvidia-smi says more; boards with NVSwitch need nvidia-fabricmanager to run"
BROKEN = {
    "a fabric manager that does not run": (
        {"starts": 802},
        "802, CUDA_ERROR_SYSTEM_NOT_READY",
        STARTING,
    ),
    "a fork": (
        {"starts": 3},
        "3, CUDA_ERROR_NOT_INITIALIZED",
        "no fork of a process that uses CUDA can use it: spawn processes, or fork before",
    ),
    "the toolkit's stub": ({"tells": 34}, "34, an error without a name", STARTING),
}


@pytest.mark.parametrize(("answers", "said", "hint"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("use", [open_card, card_of])
def test_a_driver_that_does_not_start(machine, use, answers, said, hint):
    """There may be cards, of which it says nothing."""
    machine(Driver(**answers), Core(), Numba())
    wanted = f"SW0329: the driver cannot be used: it answered {said}\n  help: {hint}"
    assert refusal(use, 0) == wanted


def test_an_old_driver(machine):
    machine(Driver(version=11_080), Core(), Numba())
    said = "SW0324: the driver is for CUDA 11.8, and 12.0 is the least that code is made for"
    assert refusal(open_card, 0).startswith(said)


def test_an_old_card(machine):
    core = Core(capability=(7, 5))
    machine(Driver(), core, Numba())
    said = "the card Fake 100 has compute capability 7.5, and 8.0 is the least that code is made"
    assert said in refusal(open_card, 0)
    assert core.held == set()


class Full(Core):
    """Whose cards have no room for another process."""

    def Device(self, number: int) -> SimpleNamespace:
        card = super().Device(number)
        card.set_current = self._refuse
        return card

    def _refuse(self) -> None:
        raise RuntimeError("CUDA_ERROR_OUT_OF_MEMORY: the API call failed because …\nand more")


def test_a_card_that_cannot_be_used(machine):
    machine(Driver(), Full(), Numba())
    said = "SW0329: the card 0 cannot be used: CUDA_ERROR_OUT_OF_MEMORY: the API call failed"
    assert refusal(open_card, 0) == f"{said} because …"


BAD = {
    "a full card": (Driver(), Full(), Numba()),
    "no driver": (None, Core(), Numba()),
    "no card": (Driver(cards=0), Core(), Numba()),
    "a driver that is not ready": (Driver(starts=802), Core(), Numba()),
    "an old driver": (Driver(version=11_080), Core(), Numba()),
    "an old card": (Driver(), Core(capability=(7, 5)), Numba()),
    "no packages": (Driver(), None, None),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_machine_without_a_usable_card_is_one_sentence_and_goes_on(
    machine, monkeypatch, bad, tmp_path, make
):
    monkeypatch.setattr(registry, "_open", {})
    artifact.write(tmp_path / "m.well", *scale_on_device(make))
    x = np.ones((2, 4), np.float32)
    machine(*bad)
    for use in (lambda: device_named("cuda"), lambda: load(tmp_path / "m.well", device="cuda")):
        with pytest.raises(LoadError) as caught:
            use()
        assert "\n" not in caught.value.sentence
    assert bad[1] is None or not (bad[1].held or bad[1].streams)
    assert load(tmp_path / "m.well")(x).shape == (2, 4)
    driver, core, numba = Driver(), Core(), Numba()
    machine(driver, core, numba)
    assert device_named("cuda").name == "cuda"


def test_a_kernel_that_the_module_lacks_leaves_nothing(parts):
    _, core, numba = parts
    card = open_card(0)
    numba._function = refused
    assert refusal(card.load, ".version 8.0", ["one"], "f.ptx").startswith(
        "SW0327: f.ptx: the driv"
    )
    gc.collect()
    assert not numba.modules
    assert not core.held


def test_a_card(parts):
    driver, core, _ = parts
    card = open_card(0)
    assert isinstance(card, Cuda)
    assert (card.name, card.place, card.stream) == ("cuda", (2, 0), 77)
    assert open_card_named(1, parts) == "cuda:1"
    addresses = [driver.cuLaunchKernel, driver.cuMemcpyAsync, driver.cuStreamSynchronize]
    assert list(card.driver) == [ctypes.cast(each, ctypes.c_void_p).value for each in addresses]
    assert core.current[0] == 0


def open_card_named(number: int, parts) -> str:
    parts[0].cards = number + 1
    return open_card(number).name


@pytest.mark.parametrize(
    ("capability", "runs"),
    [
        ((8, 0), ["sm_80"]),
        ((8, 9), ["sm_80"]),
        ((9, 0), ["sm_80", "sm_90a"]),
        ((10, 0), ["sm_80"]),
        ((12, 0), ["sm_80", "sm_120"]),
    ],
)
def test_what_a_card_runs(machine, capability, runs):
    machine(Driver(), Core(capability), Numba())
    card = open_card(0)
    names = ["sm_80", "sm_90a", "sm_120", "x86-64-v3", "sm_", "sm_x"]
    assert [name for name in names if card.runs(name)] == runs


def test_arrays_go_and_come(parts):
    driver, core, _ = parts
    card = open_card(0)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    there = DeviceArray.of(card, x)
    assert core.held == {there.address}
    np.testing.assert_array_equal(np.asarray(there), x)
    assert driver.asked == [("copy", 24, 77), ("wait", 77), ("copy", 24, 77), ("wait", 77)]
    again = there.copy()
    np.testing.assert_array_equal(again, x)
    del there, again
    assert core.held == set()


def test_arrays_without_elements_have_memory(parts):
    there = DeviceArray.of(open_card(0), np.zeros((0, 3)))
    assert np.asarray(there).shape == (0, 3)
    assert not [each for each in parts[0].asked if each[0] == "copy"]


def test_too_little_memory(machine):
    core = Core(room=100)
    machine(Driver(), core, Numba())
    card = open_card(0)
    kept = DeviceArray.of(card, np.zeros(100, np.uint8))
    said = "SW0414: there is no memory for 101 bytes on cuda"
    assert refusal(DeviceArray.of, card, np.zeros(101, np.uint8)) == said
    assert core.held == {kept.address}


@pytest.mark.parametrize("why", ["no room", "no copy"])
def test_a_model_whose_weights_do_not_get_there_leaves_nothing(
    machine, monkeypatch, make, tmp_path, why
):
    monkeypatch.setattr(registry, "_open", {})
    driver, core, numba = Driver(), Core(room=15 if why == "no room" else 16), Numba()
    machine(driver, core, numba)
    path = tmp_path / "m.well"
    artifact.write(path, *scale_on_device(make))
    if why == "no copy":
        driver.cuMemcpyAsync = Copy(lambda *given: 700)
    reason = {
        "no room": "there is no memory for 16 bytes on cuda",
        "no copy": "cuda: the driver answered 700, CUDA_ERROR_ILLEGAL_ADDRESS",
    }[why]
    said = f"SW0330: {path}: code/sm_80.ptx: its weights cannot be put on the device: {reason}"
    with pytest.raises(LoadError) as caught:
        load(path, device="cuda")
    assert str(caught.value) == said
    del caught
    assert not core.held
    assert not numba.modules


def test_what_the_driver_answers(parts):
    card = open_card(0)
    there = DeviceArray.of(card, np.zeros(3))
    parts[0].status = 700
    said = "SW0421: cuda: the driver answered 700, CUDA_ERROR_ILLEGAL_ADDRESS"
    assert refusal(there.fetched) == said
    assert str(card.failure(5)) == "SW0421: cuda: the driver answered 5, an error without a name"
    parts[0].status = 0
    assert there.fetched().tolist() == [0, 0, 0]


def test_a_fork_cannot_use_the_card(parts):
    card = open_card(0)
    parts[0].cuCtxSetCurrent = lambda context: 3
    said = refusal(card.wait)
    assert "the driver answered 3, " in said
    assert "help: no fork of a process that uses CUDA can use it" in said


def test_kernels_are_unloaded_after_a_failure(parts):
    driver, _, numba = parts
    kernels = open_card(0).load(".version 8.0", ["one"], "f.ptx")
    driver.status = 700
    del kernels
    assert not numba.modules


def test_kernels_may_share_all_that_a_block_has(parts):
    driver, core, numba = parts
    card = open_card(0)
    core.current.clear()
    kernels = card.load(".version 8.0", ["one", "two"], "f.ptx")
    assert core.current == [0]
    assert list(kernels.handles) == [1001, 1002]
    room = 232_448 - 1024
    assert driver.asked == [("attribute", 8, room, 1001, 0), ("attribute", 8, room, 1002, 0)]
    assert numba.modules
    del kernels
    assert driver.asked[-1] == ("wait", 77)
    assert not numba.modules


def copying(card, times: int = 1, stream_waits: bool = False):
    """Work that copies, and may wait."""
    there, x = DeviceArray.of(card, np.zeros(3)), np.zeros(3)

    def work(stream: int) -> None:
        for _ in range(times):
            card._expect(card._copy(there.address, x.ctypes.data, x.nbytes, stream))
        if stream_waits:
            card.wait(stream)

    return work


def test_work_is_recorded_beside_the_stream(parts):
    driver, card = parts[0], open_card(0)
    work = copying(card, 2)
    driver.asked.clear()
    graph = card.record(work)
    assert graph is not None
    graph.launch()
    graph.launch()
    assert (driver.recording, driver.graphs) == ({}, {})
    del graph
    assert driver.asked == [
        *[("record", 24, 78)] * 2,
        ("instantiate", 500),
        *[("graph", 1500, 77)] * 2,
        ("destroy", 1500),
    ]


@pytest.mark.parametrize("why", ["waits", "long", "raises", "no capture", "no instance"])
def test_work_that_cannot_be_recorded_leaves_nothing(parts, why):
    driver, card = parts[0], open_card(0)
    work = copying(card, MOST_STEPS + 1 if why == "long" else 1, why == "waits")
    if why == "raises":
        work = refused
    if why == "no capture":
        driver.status = 700
    if why == "no instance":
        driver.cuGraphInstantiateWithFlags = lambda *given: 2
    assert card.record(work) is None
    assert (driver.recording, driver.graphs) == ({}, {})
    driver.status = 0
    assert DeviceArray.of(card, np.ones(3)).fetched().tolist() == [1, 1, 1]


def refused(given: object) -> None:
    raise CallError("SW0421", "refused")


def test_an_interrupt_while_recording_ends_it(parts):
    driver, card = parts[0], open_card(0)

    def interrupted(stream: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        card.record(interrupted)
    assert (driver.recording, driver.graphs) == ({}, {})


def test_what_the_driver_says_of_a_graph(parts):
    driver, card = parts[0], open_card(0)
    graph = card.record(copying(card))
    assert graph is not None
    driver.status = 700
    assert refusal(graph.launch).startswith("SW0421: cuda: the driver answered 700")


def test_ptx_that_the_driver_does_not_take(parts):
    said = (
        "SW0327: f.ptx: the driver does not take it: CUDA_ERROR_INVALID_PTX: a PTX JIT compilation"
        " failed"
    )
    assert refusal(open_card(0).load, "nonsense", [], "f.ptx") == said


def test_the_interface_that_numba_and_cupy_read(parts):
    card = open_card(0)
    there = DeviceArray.of(card, np.zeros((2, 3), np.float16))
    assert there.__cuda_array_interface__ == {
        "version": 3,
        "shape": (2, 3),
        "typestr": "<f2",
        "data": (there.address, False),
        "stream": 77,
    }
    there.writeable = False
    assert there.__cuda_array_interface__["data"] == (there.address, True)


def test_the_interface_has_no_address_for_nothing(parts):
    there = DeviceArray.of(open_card(0), np.zeros((0, 3)))
    assert there.__cuda_array_interface__["data"] == (0, False)


class Shown:
    """An array of another library."""

    def __init__(self, array, **changes) -> None:
        self.array = array
        self.__cuda_array_interface__ = {
            "shape": array.shape,
            "typestr": array.dtype.str,
            "data": (array.ctypes.data, True),
            "version": 3,
            **changes,
        }


def test_arrays_of_numba_and_cupy_are_used_where_they_lie(parts):
    card = open_card(0)
    x = np.arange(4, dtype=np.int32)
    there = DeviceArray.borrowed(Shown(x, stream=5), card)
    assert there.address == x.ctypes.data
    assert not there.writeable
    assert parts[0].asked[-1] == ("wait", 5)
    np.testing.assert_array_equal(there, x)
    strided = Shown(x, strides=(8,))
    assert refusal(DeviceArray.borrowed, strided, card).startswith(
        "SW0422: an array on cuda is not row-major"
    )
    odd = Shown(x.astype(np.complex64))
    said = "SW0422: an array on cuda has none of Stepwell's dtypes"
    assert refusal(DeviceArray.borrowed, odd, card) == said
    masked = Shown(x, mask=Shown(x > 1))
    assert refusal(DeviceArray.borrowed, masked, card) == "SW0422: an array on cuda has a mask"


def test_the_driver_says_on_which_card_an_array_lies(parts):
    x = np.arange(4, dtype=np.float32)
    argument = Argument("input", "x", ArrayType(BY_NAME["f32"], (Size.of(4),)))
    parts[0].owners[x.ctypes.data] = 1
    assert place_of(Shown(x)) == (2, 1)
    assert refusal(taken, open_card(0), argument, Shown(x)) == (
        "SW0420: x: the array lies on cuda:1, and the program runs on cuda\n"
        '  help: stepwell.device_put(x, "cuda") copies it there'
    )
    parts[0].owners[x.ctypes.data] = 0
    assert taken(open_card(0), argument, Shown(x)).address == x.ctypes.data
    assert place_of(Shown(x[:0], data=(0, False))) == (2, 0)


def test_an_array_that_is_on_no_card(machine, parts):
    x = np.zeros(4, np.float32)
    assert refusal(place_of, Shown(x)) == (
        f"SW0422: an array at {x.ctypes.data:#x} is on no card: the driver says"
        " CUDA_ERROR_INVALID_VALUE"
    )
    machine()
    assert refusal(place_of, Shown(x)) == "SW0322: there is no NVIDIA driver here: no libcuda.so.1"
