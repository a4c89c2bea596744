"""`stepwell verify`: every byte of a `.well` file is checked, and its samples are repeated."""

import argparse

from stepwell.runtime import verify
from stepwell.runtime.devices.registry import CUDA


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("file", help="the .well file")
    parser.add_argument("--device", default=CUDA, help="where code for GPUs is run, if it is there")
    parser.set_defaults(action=_verify)


def _verify(given: argparse.Namespace) -> int:
    report = verify(given.file, device=given.device)
    print(report)
    report.expect_repeated()
    return 0
