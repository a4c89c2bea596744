"""`stepwell`: compile a function to a file, run, inspect or verify such a file; and the cache."""

import argparse
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from zipfile import BadZipFile

import numpy as np

from stepwell.cache_command import add_cache
from stepwell.compiling import compile
from stepwell.manifests import PRODUCER
from stepwell.options import add_function, in_order, named
from stepwell.runtime import EntryPoint, Model, load, system, verify
from stepwell.runtime.artifact import Artifact
from stepwell.runtime.devices.image import DeviceCode
from stepwell.runtime.devices.registry import CPU, CUDA
from stepwell.runtime.dtypes import Array
from stepwell.runtime.entry import NUMERICS
from stepwell.runtime.errors import StepwellError
from stepwell.tune_command import add_tune
from stepwell.user_code import function_at, showing_the_users_line


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("stepwell", description=__doc__)
    parser.add_argument("--version", action="version", version=PRODUCER)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("compile", help="compile module.py:function to a .well file")
    add_function(one)
    one.add_argument(
        "--target",
        action="append",
        metavar="TARGET",
        help="what code is for, such as x86-64-v3 (this machine if left out); may be repeated",
    )
    one.add_argument(
        "--numerics",
        choices=NUMERICS,
        default="strict",
        help="whether results have the same bits everywhere (strict), or may be faster",
    )
    one.add_argument(
        "--plans",
        action="append",
        default=[],
        metavar="FILE",
        help="plans that `stepwell tune` has found; may be repeated",
    )
    one.add_argument("-o", "--output", required=True, help="the file to write")
    one.set_defaults(action=_compile)

    one = commands.add_parser("run", help="run a .well file on .npy files")
    one.add_argument("file", help="the .well file")
    one.add_argument("--entry", help="the entry point to call; needed if the file has several")
    one.add_argument("--device", default=CPU, help="where it runs, such as cuda (cpu if left out)")
    one.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=FILE.npy",
        help="the array for an argument, by the name that `inspect` shows; one for each",
    )
    one.add_argument(
        "--output",
        action="append",
        default=[],
        metavar="[NAME=]FILE.npy",
        help="the file for a result, by the name that `inspect` shows (which may be left out if "
        "there is one result); without any, results are printed",
    )
    one.set_defaults(action=_run)

    one = commands.add_parser("inspect", help="say what a .well file holds")
    one.add_argument("file", help="the .well file")
    one.add_argument("--ir", metavar="STAGE", help="print the IR that was saved of a stage")
    one.set_defaults(action=_inspect)

    one = commands.add_parser("verify", help="check every byte, and that the samples repeat")
    one.add_argument("file", help="the .well file")
    one.add_argument("--device", default=CUDA, help="where code for GPUs is run, if it is there")
    one.set_defaults(action=_verify)

    add_tune(commands.add_parser("tune", help="measure plans, and keep those that are faster"))
    add_cache(commands.add_parser("cache", help="list, explain, empty or copy the cache on disk"))
    return parser


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


def _run(given: argparse.Namespace) -> int:
    inputs = {name: _read(file) for name, file in named(given.input, "--input").items()}
    with load(given.file, device=given.device) as model:
        entry = _entry(model, given.entry)
        results = [each.name for each in entry.signature.entry.results if each.state is None]
        files = dict(_destinations(results, given.output))
        if len(files) < len(given.output):
            raise StepwellError("SW0511", "--output gives one file twice")
        found = map(np.asarray, entry.run(entry.signature.bind_leaves(inputs)))
        leaves = dict(zip(results, found, strict=False))
    for file, name in files.items():
        _write(file, leaves[name])
    if not files:
        _print(leaves)
    return 0


def _entry(model: Model, name: str | None) -> EntryPoint:
    """The entry point of that name, or the only one."""
    if name is None and len(model.entries) > 1:
        sentence = f"this model has the entry points {', '.join(model.entries)}"
        raise StepwellError(
            "SW0416", sentence, hint=f"name one: --entry {next(iter(model.entries))}"
        )
    return model[name or next(iter(model.entries))]


def _destinations(results: Sequence[str], outputs: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The file and the result of each `--output`."""
    there = f"there is {', '.join(results) or 'none'}"
    for text in outputs:
        name, equals, file = text.rpartition("=")
        if not equals and len(results) != 1:
            hint = f'{there}: write --output "{results[0]}={file}"' if results else None
            sentence = f"--output {file} does not say which of {len(results)} results"
            raise StepwellError("SW0504", sentence, hint=hint)
        if equals and name not in results:
            raise StepwellError("SW0504", f"there is no result {name}; {there}")
        yield file, name or results[0]


def _read(file: str) -> Array:
    """The array of a `.npy` file."""
    try:
        found: object = np.load(file, allow_pickle=False)
    except OSError as error:
        raise StepwellError("SW0301", f"{file} cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, BadZipFile):
        found = None
    if not isinstance(found, np.ndarray):
        raise StepwellError("SW0508", f"{file} is not a .npy file with an array")
    return cast(Array, found)


def _write(file: str, array: Array) -> None:
    try:
        with system.whole_file(Path(file)) as stream:
            np.save(stream, array, allow_pickle=False)
    except OSError as error:
        sentence = f"{file} cannot be written: {error.strerror or error}"
        raise StepwellError("SW0317", sentence) from None


def _print(leaves: Mapping[str, Array]) -> None:
    for name, array in leaves.items():
        print(array if len(leaves) == 1 else f"{name}: {array}")


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
    if manifest.tuned:
        print(f"  with plans that were measured, {manifest.tuned[:8]}")
    for name, entry in manifest.entries.items():
        inputs = [f"{each.name}: {each.type}" for each in entry.arguments if each.kind == "input"]
        results = [f"{each.name}: {each.type}" for each in entry.results]
        sizes = [f"{each.name} in {each}" for each in entry.sizes]
        print(f"  {name}({', '.join(inputs)}) -> ({', '.join(results)})")
        print(f"    sizes {', '.join(sizes) or 'fixed'}; numerics {entry.numerics}")
    for target in manifest.targets:
        print(f"  for {target.name}: {', '.join(target.features)}")
        if target.device is not None:
            _inspect_device(target.device)
        plans: Mapping[str, Any] = target.plans if isinstance(target.plans, dict) else {}
        for kernel, plan in plans.items():
            print(f"    {kernel}: {plan}")
    return 0


def _inspect_device(code: DeviceCode) -> None:
    kernels = f"{len(code.kernels)} kernel{'s' * (len(code.kernels) != 1)}"
    print(f"    {kernels} for a GPU, which share {code.shared} bytes in a block at most;")
    print(f"    launched by code for {code.host} with these features")
    if code.host_controlled:
        print(f"    controlled by the host: {', '.join(code.host_controlled)}")


def _verify(given: argparse.Namespace) -> int:
    report = verify(given.file, device=given.device)
    print(report)
    report.expect_repeated()
    return 0
