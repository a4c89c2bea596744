"""What `make test-gpu` needs of an environment, and what of it is missing there or too old.

The names are those of requirements/card.txt, and pyproject.toml says how old they may be: what it
gives no bound may be of any age. Nothing but Python has to be there.

    python tests/lib/card_packages.py cuda
"""

import re
import sys
import tomllib
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
NAME: Final = re.compile(r"[\w.-]+")
BOUND: Final = re.compile(r"[=>]=(\d+(?:\.\d+)*)")
WAY_OUT: Final = (
    "run make wheels WHEELS=folder where there is a network, and give WHEELS=folder here"
)


def needed(device: str) -> dict[str, str]:
    """The least versions by name, empty if any will do; an emulated device needs none of CUDA's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["cuda"], *extras["card"]]
    least = {_name(each): bound[1] for each in asked if (bound := BOUND.search(each))}
    lines = (ROOT / "requirements" / "card.txt").read_text().splitlines()
    names = [_name(line) for line in lines if not line.startswith("#")]
    on_card = device.partition(":")[0] == "cuda"
    return {name: least.get(name, "") for name in names if on_card or "cuda" not in name}


def here() -> dict[str, str]:
    """The versions that Python finds; of several it takes the first."""
    return {_name(str(each.name)): each.version for each in reversed([*distributions()])}


def lacking(device: str, found: Mapping[str, str]) -> str | None:
    """One sentence; None if nothing is."""
    missing = [
        f"{name} {least}".strip() + (f" (not {found[name]})" if name in found else "")
        for name, least in needed(device).items()
        if name not in found or _numbers(found[name]) < _numbers(least)
    ]
    return f"not here: {', '.join(missing)}; {WAY_OUT}" if missing else None


def _name(requirement: str) -> str:
    """A project's name as registries spell it."""
    found = NAME.match(requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def _numbers(version: str) -> list[int]:
    """Of a release, without what follows it."""
    found = re.match(r"\d+(\.\d+)*", version)
    return [int(each) for each in found[0].split(".")] if found else []


if __name__ == "__main__":
    sys.exit(lacking(sys.argv[1], here()))
