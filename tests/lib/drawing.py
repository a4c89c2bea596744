"""How many examples hypothesis draws: as many as a test asks for, or many times as many."""

import os

from hypothesis import settings

PROFILE = os.environ.get("STEPWELL_HYPOTHESIS", "same")
"""`same`, or `all` in `make test-all`."""
TIMES = {"same": 1, "all": 10}
USUAL = 100
"""The examples of a test that asks for no number of its own."""


def examples(count: int) -> settings:
    """Decorates a test, in the place of `settings(max_examples=count)`, a fixed number."""
    return settings(max_examples=TIMES[PROFILE] * count)
