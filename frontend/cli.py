"""`stepwell`: compile a function to a file, and run, inspect or verify such a file."""

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from stepwell.compiling import compile
from stepwell.runtime import load, verify
from stepwell.runtime.artifact import Artifact
from stepwell.runtime.errors import StepwellError


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 when all went well, 1 with one error on stderr, 2 for wrong arguments.

    Whoever reads what it prints may stop before the end, as `| head` does: that is no error.
    """
    given = _parser().parse_args(arguments)
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
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("stepwell", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("compile", help="compile module.py:function to a .well file")
    one.add_argument("function", help="module.py:function")
    one.add_argument(
        "--spec", action="append", default=[], metavar="NAME=SPEC", help="such as x=f32[B,784]"
    )
    one.add_argument(
        "--target", action="append", metavar="TARGET", help="such as x86-64-v3; may be repeated"
    )
    one.add_argument("-o", "--output", required=True, help="the file to write")
    one.set_defaults(action=_compile)

    one = commands.add_parser("run", help="run a .well file on .npy files")
    one.add_argument("file")
    one.add_argument("--entry", help="the entry point, if there are several")
    one.add_argument("--input", action="append", default=[], metavar="NAME=FILE.npy")
    one.add_argument("--output", action="append", default=[], metavar="[NAME=]FILE.npy")
    one.set_defaults(action=_run)

    one = commands.add_parser("inspect", help="say what a .well file holds")
    one.add_argument("file")
    one.add_argument("--ir", metavar="STAGE", help="print the IR that was saved of a stage")
    one.set_defaults(action=_inspect)

    one = commands.add_parser("verify", help="check every byte, and run the samples")
    one.add_argument("file")
    one.set_defaults(action=_verify)
    return parser


def _pair(text: str, what: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise StepwellError("SW0501", f"{what} {text!r} is not of the form name=value")
    return name, value


def _function(place: str) -> Callable[..., Any]:
    """The function of `module.py:function`."""
    file, _, name = place.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise StepwellError("SW0502", f"there is no file {file!r}", hint="give module.py:function")
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = module
    sys.path.insert(0, str(path.parent))
    specification.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        raise StepwellError("SW0503", f"{file} defines no function {name!r}")
    return function


def _compile(given: argparse.Namespace) -> int:
    pairs = [_pair(text, "--spec") for text in given.spec]
    specs = {name: spec for name, spec in pairs}
    program = compile(_function(given.function), target=given.target or "host", **specs)
    program.save(given.output)
    print(f"{given.output}: {Path(given.output).stat().st_size} bytes")
    return 0


def _run(given: argparse.Namespace) -> int:
    pairs = [_pair(text, "--input") for text in given.input]
    inputs = {name: np.load(file, allow_pickle=False) for name, file in pairs}
    with load(given.file) as model:
        entry = model[given.entry] if given.entry else model
        result = entry(**inputs)
    _write(result, given.output)
    return 0


def _write(result: Any, outputs: Sequence[str]) -> None:
    """Results into files, in order, or printed where none is named."""
    several = isinstance(result, tuple | list)
    leaves = list(cast(Sequence[Any], result)) if several else [result]
    if not outputs:
        for leaf in leaves:
            print(leaf)
        return
    if len(outputs) != len(leaves):
        raise StepwellError("SW0504", f"{len(outputs)} --output for {len(leaves)} results")
    for text, leaf in zip(outputs, leaves, strict=True):
        np.save(text.rpartition("=")[2], np.asarray(leaf), allow_pickle=False)


def _inspect(given: argparse.Namespace) -> int:
    artifact = Artifact.open(given.file)
    if given.ir:
        member = f"ir/{given.ir}.mlir"
        if member not in artifact:
            raise StepwellError("SW0505", f"{given.file} holds no IR of the stage {given.ir}")
        print(bytes(artifact.read(member)).decode())
        return 0
    manifest = artifact.manifest
    print(f"{given.file}: made by {manifest.producer}")
    for name, entry in manifest.entries.items():
        inputs = [f"{each.name}: {each.type}" for each in entry.arguments if each.kind == "input"]
        results = [f"{each.name}: {each.type}" for each in entry.results]
        sizes = [f"{each.name} in {each}" for each in entry.sizes]
        print(f"  {name}({', '.join(inputs)}) -> ({', '.join(results)})")
        print(f"    sizes {', '.join(sizes) or 'fixed'}; numerics {entry.numerics}")
    for target in manifest.targets:
        print(f"  for {target.name}: {', '.join(target.features)}")
        plans: Mapping[str, Any] = target.plans if isinstance(target.plans, dict) else {}
        for kernel, plan in plans.items():
            print(f"    {kernel}: {plan}")
    return 0


def _verify(given: argparse.Namespace) -> int:
    print(verify(given.file))
    return 0
