"""The key of an entry: everything that it depends on, as text that people can compare."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

from stepwell.compiler.cache.sources import compiler, libraries
from stepwell.compiler.cache.structure import Structure
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.tuning.plans import Plans

Kind: TypeAlias = Literal["image", "support"]

PLANS = "cost model"
"""How plans are chosen, where none were measured."""


@dataclass(frozen=True)
class Key:
    """The fields of a key by name."""

    kind: Kind
    fields: Mapping[str, str]

    @cached_property
    def digest(self) -> str:
        """32 hexadecimal digits, the same in every process."""
        text = json.dumps([self.kind, self.fields], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def title(self) -> str:
        """What was compiled, for people."""
        return self.fields.get("signature", "support code")


def image_key(structure: Structure, machine: Machine, numerics: str, tuned: Plans) -> Key | None:
    """The key of a program's image; None if the compiler itself is not known."""
    fields = {
        "signature": structure.signature,
        "operations": structure.operations,
        "lines": structure.lines,
        "numerics": numerics,
        "plans": tuned.digest if tuned.found else PLANS,
    }
    return _key("image", fields, machine)


def support_key(machine: Machine) -> Key | None:
    """The key of support code for a machine; None if the compiler itself is not known."""
    return _key("support", {}, machine)


def _key(kind: Kind, fields: Mapping[str, str], machine: Machine) -> Key | None:
    sources, versions = compiler(), libraries()
    if sources is None or versions is None:
        return None
    return Key(kind, {**fields, **_machine(machine), **versions, "compiler": sources})


def _machine(machine: Machine) -> dict[str, str]:
    given = {each.name: getattr(machine, each.name) for each in dataclasses.fields(machine)}
    return {f"machine.{name}": str(value) for name, value in given.items()} | {
        "machine.features": " ".join(machine.features)
    }


def differences(one: Key, other: Key) -> list[str]:
    """The fields in which two keys differ."""
    names = dict.fromkeys([*one.fields, *other.fields])
    return [name for name in names if one.fields.get(name) != other.fields.get(name)]


def nearest(key: Key, others: Iterable[Key]) -> Key | None:
    """The key of the same kind that differs in the fewest fields, of several the last."""
    alike = [each for each in others if each.kind == key.kind]
    return min(reversed(alike), key=lambda each: len(differences(key, each)), default=None)
