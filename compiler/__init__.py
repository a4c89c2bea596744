"""The compiler: from traced Python functions to machine code."""

import time

IMPORTED = time.time_ns()
"""When this process began to import the compiler: sources that are newer are not what it runs."""
