"""One piece of work on several threads at once."""

import threading
import time
from collections.abc import Callable

TIMEOUT = 60.0
"""Seconds after which threads that have not ended never will."""


def at_once(count: int, work: Callable[[int], object]) -> None:
    """Calls `work(0)` to `work(count - 1)`, on a thread each; fails if they do not all end."""
    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(count)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + TIMEOUT
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads)
