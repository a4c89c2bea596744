"""Runs a program that may name the emulated device: `python -m emulator FILE [ARGUMENT ...]`."""

import runpy
import sys

from emulator.card import open_emulated
from stepwell.runtime.devices.registry import register

register("cuda-emulated", open_emulated)
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
