"""What holds for all tests: how hypothesis draws, and that nothing comes from the user's cache.

Examples are the same every time, and new ones in `make test-all`.
"""

import os

from hypothesis import settings

from drawing import PROFILE, TIMES, USUAL

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("all", deadline=None, max_examples=TIMES["all"] * USUAL, print_blob=True)
settings.load_profile(PROFILE)

os.environ["STEPWELL_CACHE"] = "off"
