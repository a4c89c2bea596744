"""`stepwell`: compile a function to a file, run, inspect or verify such a file; and the cache."""

import argparse
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from stepwell.runtime.errors import StepwellError
from stepwell.runtime.manifest import PRODUCER

COMMANDS = {
    "compile": "compile module.py:function to a .well file",
    "run": "run a .well file on .npy files",
    "inspect": "say what a .well file holds",
    "verify": "check every byte, and that the samples repeat",
    "tune": "measure plans, and keep those that are faster",
    "cache": "list, explain, empty or copy the cache on disk",
}
"""What they do. The module of a command is imported if it is given: what runs files needs no
compiler."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 when all went well, 1 with one error on stderr, 2 for wrong arguments.

    Whoever reads what it prints may stop before the end, as `| head` does: that is no error.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    given = _parser(arguments).parse_args(arguments)
    action: Callable[[argparse.Namespace], int] = given.action
    try:
        status = action(given)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Python flushes stdout again when it ends, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except StepwellError as error:
        if error.where and error.where.file == _caller():
            error.where = None  # the line of the script that calls this says nothing
        print(error, file=sys.stderr)
        return 1


def _caller() -> str | None:
    """The file that calls `main`."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return frame and frame.f_code.co_filename


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("stepwell", description=__doc__)
    parser.add_argument("--version", action="version", version=PRODUCER)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose)
        if name in arguments:
            import_module(f"stepwell.{name}_command").add_options(command)
    return parser
