"""The device of the tests: the emulated one, unless `pytest --device cuda` names another."""

import gc
from dataclasses import dataclass
from typing import final

from emulator.card import EmulatedCard
from stepwell.runtime.devices.cuda import Cuda
from stepwell.runtime.devices.device import Device
from stepwell.runtime.devices.registry import device_named

EMULATED = "cuda-emulated"
OTHER = f"{EMULATED}:1"
"""A device beside it."""


@final
@dataclass
class Choice:
    """What the option says, before the tests are imported."""

    name: str = EMULATED


CHOICE = Choice()


def card() -> Device:
    return device_named(CHOICE.name)


def is_emulated() -> bool:
    """Whether it is the one of which a test may have another."""
    return CHOICE.name == EMULATED


def allocations() -> int:
    """How many pieces of memory of the device somebody holds."""
    gc.collect()
    found = card()
    if isinstance(found, EmulatedCard):
        return len(found.emulated.heap.regions)
    assert isinstance(found, Cuda)
    return found.allocations
