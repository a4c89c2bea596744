"""How hypothesis draws: the same examples every time, and new ones in `make test-all`."""

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("all", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("STEPWELL_HYPOTHESIS", "same"))
