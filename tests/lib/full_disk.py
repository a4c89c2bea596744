"""A disk without room, as far as this process can tell."""

import resource
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def full_disk(room: int = 1024) -> Generator[None]:
    """No file that is written may have more bytes than `room`."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
