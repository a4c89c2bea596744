"""The loop interpreter: kernels and host programs of the loop level, executed with NumPy."""

from stepwell.compiler.interpret.loops.run import run_kernel

__all__ = ["run_kernel"]
