"""`stepwell tune`: measures plans for a function's kernels, and keeps the faster ones in a file."""

import argparse
import math
import os
from pathlib import Path

from stepwell.compiler.tuning.plans import NONE, Plans
from stepwell.compiling import compile
from stepwell.options import add_function, in_order, named
from stepwell.runtime.entry import NUMERICS
from stepwell.runtime.errors import StepwellError
from stepwell.user_code import function_at, showing_the_users_line


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_function(parser)
    parser.add_argument(
        "--size",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="what to take a symbolic size to be, such as B=32 (512 if left out); one for each",
    )
    parser.add_argument(
        "--budget", type=_seconds, default=60.0, metavar="SECONDS", help="how long to measure (60)"
    )
    parser.add_argument(
        "--numerics",
        choices=NUMERICS,
        default="strict",
        help="those that the function will be compiled with: kernels of fast functions are others",
    )
    parser.add_argument(
        "-o", "--output", required=True, help="the file of plans, to which new ones are added"
    )
    parser.set_defaults(action=_tune)


def _tune(given: argparse.Namespace) -> int:
    output = Path(given.output)
    _expect_writable(output)
    known = Plans.load(output) if output.exists() else NONE
    function = function_at(given.function)
    specs = in_order(function, named(given.spec, "--spec"))
    sizes = {name: _number(name, text) for name, text in named(given.size, "--size").items()}
    with showing_the_users_line(given.function.rpartition(":")[0]):
        program = compile(function, *specs, plans=known, numerics=given.numerics)
        found = program.tune(given.budget, sizes)
    (known | found).save(output)
    for tuned in found.found.values():
        print(tuned)
    print(f"{output}: {len(found.found)} new plans, {len((known | found).found)} in all")
    return 0


def _expect_writable(output: Path) -> None:
    """Raises StepwellError SW0317 before minutes are spent on what could not be kept."""
    folder = output.resolve().parent
    if not os.access(folder, os.W_OK):
        reason = "Permission denied" if folder.is_dir() else "No such file or directory"
        raise StepwellError("SW0317", f"{output} cannot be written: {reason}")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds


def _number(name: str, text: str) -> int:
    if not text.isdecimal():
        raise StepwellError("SW0512", f"--size {name}={text}: {text!r} is no number")
    return int(text)
