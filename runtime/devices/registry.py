"""The devices by name: each is opened when it is first asked for, and only then."""

from collections.abc import Callable
from typing import Final, TypeAlias

from stepwell.runtime.devices.cuda import card_of, open_card
from stepwell.runtime.devices.device import Device
from stepwell.runtime.errors import CallError, LoadError
from stepwell.runtime.system import fork_safe_lock

CPU: Final = "cpu"
CUDA: Final = "cuda"
HOST_KINDS: Final = (1, 3, 13)
"""DLPack's kinds of memory that the CPU reads: its own, pinned, and managed by CUDA."""
CUDA_KIND: Final = 2

Opener: TypeAlias = Callable[[int], Device]
"""From a device's number to the device (LoadError)."""

_openers: Final[dict[str, Opener]] = {CUDA: open_card}
_open: Final[dict[str, Device]] = {}
_opening: Final = fork_safe_lock()


def register(kind: str, opener: Opener) -> None:
    """Adds a kind of device, whose devices are called `kind`, `kind:1`, …"""
    _openers[kind] = opener


def is_device(name: str) -> bool:
    """Whether a name is that of a device, here or elsewhere; the CPU is none."""
    kind, colon, number = name.partition(":")
    return kind in _openers and (number.isdecimal() or not colon)


def device_named(name: str) -> Device:
    """The device of a name (LoadError SW0321 to SW0325, SW0328, SW0329)."""
    if not is_device(name):
        known = ", ".join((CPU, *_openers))
        raise LoadError("SW0328", f"there is no device {name}", hint=f"there is {known}")
    kind, _, text = name.partition(":")
    number = int(text or 0)
    with _opening:
        name = _name(kind, number)
        if name not in _open:
            _open[name] = _openers[kind](number)
        return _open[name]


def device_at(place: tuple[int, int]) -> Device:
    """The device that DLPack calls so (CallError SW0422 for a kind that is none of ours)."""
    found = next((each for each in _open.values() if each.place == place), None)
    if found is None and place[0] == CUDA_KIND:
        found = device_named(_name(CUDA, place[1]))
    if found is None:
        raise CallError("SW0422", f"an array on {name_of(place)} cannot be used")
    return found


def name_of(place: tuple[int, int]) -> str:
    """What a place of DLPack's is called."""
    found = next((name for name, each in _open.items() if each.place == place), None)
    kinds = {**dict.fromkeys(HOST_KINDS, CPU), CUDA_KIND: CUDA}
    return found or _name(kinds.get(place[0], f"kind {place[0]}"), place[1])


def place_of(value: object) -> tuple[int, int] | None:
    """Where an array lies that the CPU cannot read, as DLPack calls it; None for all else.

    What shows `__cuda_array_interface__` alone lies where the driver says (CallError SW0422), or,
    if it has no elements, on the first card.
    """
    if (say := getattr(value, "__dlpack_device__", None)) is not None:
        kind, number = map(int, say())
        return None if kind in HOST_KINDS else (kind, number)
    if (shown := getattr(value, "__cuda_array_interface__", None)) is not None:
        return CUDA_KIND, card_of(shown["data"][0]) if all(shown["shape"]) else 0
    return None


def elsewhere(what: str, there: tuple[int, int], here: str) -> CallError:
    """The error of an array that does not lie where the program runs."""
    return CallError(
        "SW0420",
        f"{what}: the array lies on {name_of(there)}, and the program runs on {here}",
        hint=f'stepwell.device_put(x, "{here}") copies it there',
    )


def _name(kind: str, number: int) -> str:
    return f"{kind}:{number}" if number else kind
