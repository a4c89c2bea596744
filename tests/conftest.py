"""What holds for all tests: how hypothesis draws, nothing comes from the user's cache, and
there is an emulated GPU.

Examples are the same every time, and new ones in `make test-all`.
"""

import os

from hypothesis import settings

from drawing import PROFILE, TIMES, USUAL
from emulator.card import open_emulated
from stepwell.runtime.devices.registry import register

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("all", deadline=None, max_examples=TIMES["all"] * USUAL, print_blob=True)
settings.load_profile(PROFILE)

os.environ["STEPWELL_CACHE"] = "off"

register("cuda-emulated", open_emulated)
