"""What the threads of a block share while they run."""

from dataclasses import dataclass
from typing import final

from emulator.access import Memory
from emulator.barriers import Barriers
from emulator.copies import Copies
from emulator.memory import Region
from emulator.strands import Code
from emulator.threads import Threads
from emulator.types import Array


@final
@dataclass(frozen=True)
class State:
    """The block that runs now; `calls` holds the parameters of functions."""

    threads: Threads
    memory: Memory
    barriers: Barriers
    copies: Copies
    calls: Region
    functions: dict[str, Code]
    exited: Array
