"""`stepwell run`: a `.well` file is called with arrays from files."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast
from zipfile import BadZipFile

import numpy as np

from stepwell.options import named
from stepwell.runtime import EntryPoint, Model, load, system
from stepwell.runtime.devices.registry import CPU
from stepwell.runtime.dtypes import Array
from stepwell.runtime.errors import StepwellError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("file", help="the .well file")
    parser.add_argument("--entry", help="the entry point to call; needed if the file has several")
    parser.add_argument(
        "--device", default=CPU, help="where it runs, such as cuda (cpu if left out)"
    )
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=FILE.npy",
        help="the array for an argument, by the name that `inspect` shows; one for each",
    )
    parser.add_argument(
        "--output",
        action="append",
        default=[],
        metavar="[NAME=]FILE.npy",
        help="the file for a result, by the name that `inspect` shows (which may be left out if "
        "there is one result); without any, results are printed",
    )
    parser.set_defaults(action=_run)


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
