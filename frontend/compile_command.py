"""`stepwell compile`: a function of a file becomes a `.well` file."""

import argparse
from pathlib import Path

from stepwell.compiling import compile
from stepwell.options import add_function, in_order, named
from stepwell.runtime.entry import NUMERICS
from stepwell.user_code import function_at, showing_the_users_line


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_function(parser)
    parser.add_argument(
        "--target",
        action="append",
        metavar="TARGET",
        help="what code is for, such as x86-64-v3 (this machine if left out); may be repeated",
    )
    parser.add_argument(
        "--numerics",
        choices=NUMERICS,
        default="strict",
        help="whether results have the same bits everywhere (strict), or may be faster",
    )
    parser.add_argument(
        "--plans",
        action="append",
        default=[],
        metavar="FILE",
        help="plans that `stepwell tune` has found; may be repeated",
    )
    parser.add_argument("-o", "--output", required=True, help="the file to write")
    parser.set_defaults(action=_compile)


def _compile(given: argparse.Namespace) -> int:
    function = function_at(given.function)
    specs = in_order(function, named(given.spec, "--spec"))
    with showing_the_users_line(given.function.rpartition(":")[0]):
        program = compile(
            function,
            *specs,
            target=given.target or "host",
            plans=given.plans,
            numerics=given.numerics,
        )
    program.save(given.output)
    print(f"{given.output}: {Path(given.output).stat().st_size} bytes")
    return 0
