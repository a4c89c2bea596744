"""The loop interpreter: kernels and host programs of the loop level, executed with NumPy."""

from stepwell.compiler.interpret.loops.host import SiteError
from stepwell.compiler.interpret.loops.run import run_function, run_kernel

__all__ = ["SiteError", "run_function", "run_kernel"]
