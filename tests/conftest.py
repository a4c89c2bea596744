"""How hypothesis draws: the same examples every time, and new ones in `make test-all`."""

from hypothesis import settings

from drawing import PROFILE, TIMES, USUAL

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("all", deadline=None, max_examples=TIMES["all"] * USUAL, print_blob=True)
settings.load_profile(PROFILE)
