"""What holds for all tests: how hypothesis draws, nothing comes from the user's cache, there is
an emulated GPU, in whose place `--device cuda` puts a card, and what is emitted for it assembles.

Examples are the same every time, and new ones in `make test-all`.
"""

import gc
import os
from collections.abc import Generator

import pytest
from hypothesis import settings

from drawing import PROFILE, TIMES, USUAL
from emitted import EMITTED, watch
from emulator.card import open_emulated
from stepwell.runtime.devices.registry import register
from stepwell.runtime.errors import LoadError
from under_test import CHOICE, EMULATED, card
from verifying import remember_what_is_right

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("all", deadline=None, max_examples=TIMES["all"] * USUAL, print_blob=True)
settings.load_profile(PROFILE)

os.environ["STEPWELL_CACHE"] = "off"

register(EMULATED, open_emulated)
remember_what_is_right()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default=EMULATED, help="what tests marked `device` run on")


def pytest_configure(config: pytest.Config) -> None:
    """Without the device there is nothing to test: one sentence, and the status 1."""
    CHOICE.name = config.getoption("device")
    try:
        card()
    except LoadError as error:
        pytest.exit(error.sentence, returncode=1)
    if CHOICE.name == EMULATED:
        patch = pytest.MonkeyPatch()
        config.add_cleanup(patch.undo)
        watch(patch)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On a card there are its tests alone, but those of which only the emulator tells the end."""
    if CHOICE.name == EMULATED:
        return
    chosen = [
        each
        for each in items
        if each.get_closest_marker("device") and not each.get_closest_marker("emulated")
    ]
    config.hook.pytest_deselected(items=[each for each in items if each not in chosen])
    items[:] = chosen


def pytest_collection_finish() -> None:
    """What lives as long as the tests is no longer looked through for garbage, and the rest when
    there is much: at Python's usual pace a fifth of the tests' time goes there, as IR is made of
    cycles. Tests that are about memory collect it themselves."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(1_000_000)


@pytest.fixture(scope="module", autouse=True)
def what_is_old_is_not_looked_through() -> None:
    """What the files before have left is garbage now, or stays."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Function) -> Generator[None, object, object]:
    """NVIDIA's assembler takes what the test emits for GPUs."""
    try:
        found = yield
        EMITTED.expect_assembled()
        return found
    finally:
        EMITTED.waiting.clear()
