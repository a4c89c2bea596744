"""`stepwell cache`: what is in the cache on disk, why it was compiled, and how to hand it on."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from time import localtime, strftime

from stepwell.compiler.cache.entry import Header
from stepwell.compiler.cache.folder import PLACE, File, Folder, header_of
from stepwell.compiler.cache.key import Key, differences, nearest
from stepwell.runtime.errors import StepwellError

SHOWN = 8
"""How many digits of an entry's name are shown."""
WIDEST = 76


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the commands below `stepwell cache`."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add(commands.add_parser("ls", help="list the entries, the last one used at the end"), _list)

    one = commands.add_parser("why", help="say in which fields of its key an entry is new")
    one.add_argument("entry", nargs="?", help="its name or the beginning of it (the last one made)")
    _add(one, _why)

    _add(commands.add_parser("clear", help="remove all entries"), _clear)

    one = commands.add_parser("export", help="copy the entries to another folder")
    one.add_argument("folder", help=f"what {PLACE} can be elsewhere")
    _add(one, _export)


def _add(
    parser: argparse.ArgumentParser, action: Callable[[argparse.Namespace, Folder], str]
) -> None:
    def run(given: argparse.Namespace) -> int:
        print(action(given, _folder()))
        return 0

    parser.set_defaults(action=run)


def _folder() -> Folder:
    folder = Folder.from_environment()
    if folder is None:
        raise StepwellError("SW0509", "the cache is off", hint=f"see {PLACE} in the environment")
    return folder


def _entries(folder: Folder) -> Iterator[tuple[File, Header]]:
    """The entries' files that can be read, those first that have not been used for longest."""
    for file in folder.files():
        if header := header_of(file.path):
            yield file, header


def _list(given: argparse.Namespace, folder: Folder) -> str:
    lines: list[str] = []
    total = 0
    for file, header in _entries(folder):
        used = strftime("%Y-%m-%d %H:%M", localtime(file.used / 1e9))
        name, machine = _name(header.key), header.key.fields["machine.name"]
        lines.append(f"{name}  {file.size:>9}  {used}  {machine}  {_short(header.key.title)}")
        total += file.size
    return "\n".join([*lines, f"{folder.path}: {_count(len(lines), total)} of {folder.limit}"])


def _why(given: argparse.Namespace, folder: Folder) -> str:
    headers = sorted((header for _, header in _entries(folder)), key=lambda each: each.made)
    header = _chosen(given.entry, headers, folder)
    key, before = header.key, [each.key for each in headers if each.made < header.made]
    title = f"{_name(key)}  {_short(key.title)}"
    other = nearest(key, before)
    if other is None:
        return f"{title}\n  was compiled when there was nothing of its kind"
    lines = [title, f"  was compiled although there was {_name(other)}, which differs in"]
    for field in differences(key, other):
        lines.append(f"    {field}")
        lines.append(f"      here   {_short(key.fields.get(field, 'nothing'))}")
        lines.append(f"      there  {_short(other.fields.get(field, 'nothing'))}")
    return "\n".join(lines)


def _chosen(name: str | None, headers: list[Header], folder: Folder) -> Header:
    """The last entry made whose name begins so."""
    for header in reversed(headers):
        if header.key.digest.startswith(name or ""):
            return header
    what = f"no entry {name}" if name else "no entry"
    raise StepwellError("SW0510", f"there is {what} in {folder.path}", hint="see stepwell cache ls")


def _clear(given: argparse.Namespace, folder: Folder) -> str:
    files = folder.clear()
    return f"{folder.path}: removed {_count(len(files), sum(file.size for file in files))}"


def _export(given: argparse.Namespace, folder: Folder) -> str:
    target = Folder(Path(given.folder), folder.limit)
    files = [file for file, _ in _entries(folder)]
    try:
        target.path.mkdir(parents=True, exist_ok=True)
        for file in files:
            target.put(target.path / file.path.name, file.path.read_bytes())
    except OSError as error:
        sentence = f"{given.folder} cannot be written: {error.strerror}"
        raise StepwellError("SW0317", sentence) from None
    return f"{given.folder}: {_count(len(files), sum(file.size for file in files))}"


def _name(key: Key) -> str:
    return key.digest[:SHOWN]


def _count(number: int, size: int) -> str:
    return f"{number} {'entry' if number == 1 else 'entries'}, {size} bytes"


def _short(text: str) -> str:
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
