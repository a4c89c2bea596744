"""What the emulator reports: one sentence with the line of PTX, the thread and the memory."""


class EmulationError(Exception):
    """Something that a card would refuse, or would do wrong without a word."""


class ParseError(EmulationError):
    """PTX that cannot be read, or that names an instruction the table does not have."""


class LaunchError(EmulationError):
    """A launch, an argument or an address that a driver would refuse."""


class AccessError(EmulationError):
    """An access outside of memory, off its alignment, or to bytes that were never written."""


class RaceError(EmulationError):
    """Two threads that nothing orders, at one byte, of which one writes."""


class DeadlockError(EmulationError):
    """Threads that wait for others that do not come."""
