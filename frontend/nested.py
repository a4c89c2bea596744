"""Nested arguments: taking tuples, lists, dicts and dataclasses apart and putting them together.

A tree's containers are tuples, named tuples, lists, dicts, dataclasses and None; a subclass of
list or dict, whatever has a `dtype`, and everything else is a leaf. A dict's leaves come in the
order of its sorted keys, and so does the dict that is rebuilt: two dicts with the same keys have
the same structure however they were filled. The fields of a dataclass that hold no array, number
or container, or that say `field(metadata={"static": True})`, belong to the structure.
"""

from __future__ import annotations

import builtins
import dataclasses
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol, TypeAlias, cast, final, runtime_checkable

import numpy as np

from stepwell.runtime.errors import StepwellError

Constants: TypeAlias = tuple[tuple[str, Hashable], ...]


@runtime_checkable
class HasDtype(Protocol):
    """Arrays, tracers, NumPy scalars and specs: leaves, even where they are dataclasses."""

    @property
    def dtype(self) -> object: ...


@final
class Leaf:
    """The kind of the structure of a leaf."""


@final
@dataclass(frozen=True)
class Structure:
    """How a tree is nested, without its leaves: hashable, and equal for trees built alike."""

    LEAF: ClassVar[Structure]

    kind: type
    keys: tuple[Hashable, ...] = ()
    children: tuple[Structure, ...] = ()
    constants: Constants = ()
    """Names and values of the fields of a dataclass that are no part of the computation."""

    @cached_property
    def size(self) -> int:
        """How many leaves there are."""
        return 1 if self.kind is Leaf else sum(child.size for child in self.children)

    def rebuild(self, leaves: Iterable[object]) -> Any:
        """The tree of this structure with `leaves` in it. Raises ValueError for a wrong number."""
        given = list(leaves)
        if len(given) != self.size:
            raise ValueError(f"a structure of {self.size} leaves cannot hold {len(given)}")
        return _rebuild(self, iter(given))

    def paths(self, root: str = "") -> list[str]:
        """Where each leaf stands, as Python would write it: `params['dense'].w`."""
        if self.kind is Leaf:
            return [root]
        return [path for key, child in self.items() for path in child.paths(self.step(root, key))]

    def items(self) -> Iterator[tuple[Hashable, Structure]]:
        return zip(self.keys, self.children, strict=True)

    def step(self, root: str, key: Hashable) -> str:
        """The path of one child."""
        return f"{root}[{key!r}]" if self.kind in (tuple, list, dict) else f"{root}.{key}"

    def __str__(self) -> str:
        """What stands here, in words for an error."""
        if self.kind is Leaf:
            return "a single value"
        if self.kind is type(None):
            return "None"
        if self.kind in (tuple, list):
            return f"a {self.kind.__name__} of {len(self.children)}"
        return f"a {self.kind.__name__} with {', '.join(builtins.map(str, self.keys)) or 'no keys'}"


Structure.LEAF = Structure(Leaf)


def flatten(tree: object) -> tuple[list[object], Structure]:
    """The leaves of `tree` in order, and the structure that `rebuild`s it from such leaves."""
    leaves: list[object] = []
    return leaves, _flatten(tree, leaves, "")


def map(function: Callable[..., object], *trees: object, names: Iterable[str] = ()) -> Any:
    """The tree of `function`'s results on the leaves that stand at the same place in all `trees`.

    Raises StepwellError (SW0110) when the trees are not built alike, naming the first difference;
    `names` are what the trees are called there.
    """
    flat = [flatten(tree) for tree in trees]
    structure = flat[0][1]
    named = [*names, *(f"tree {n}" for n in range(len(flat)))]
    for position, (_, other) in enumerate(flat[1:], 1):
        expect_same(structure, other, named[0], named[position])
    columns = zip(*(leaves for leaves, _ in flat), strict=True)
    return structure.rebuild(function(*column) for column in columns)


def expect_same(one: Structure, other: Structure, name: str, other_name: str) -> None:
    """Raises StepwellError (SW0110) that names the first place where two structures differ."""
    if one == other:
        return
    place, here, there = _difference(one, other, "")
    raise StepwellError(
        "SW0110",
        f"{name} and {other_name} are not nested alike",
        details=[f"{name}{place}: {here}", f"{other_name}{place}: {there}"],
    )


def _difference(one: Structure, other: Structure, place: str) -> tuple[str, str, str]:
    if (one.kind, one.keys) != (other.kind, other.keys):
        return place, str(one), str(other)
    for (name, here), (_, there) in zip(one.constants, other.constants, strict=True):
        if here != there:
            return f"{place}.{name}", repr(here), repr(there)
    pairs = zip(one.items(), other.children, strict=True)
    key, left, right = next((k, mine, theirs) for (k, mine), theirs in pairs if mine != theirs)
    return _difference(left, right, one.step(place, key))


def _flatten(tree: object, leaves: list[object], path: str) -> Structure:
    fields = _fields(tree, path)
    if fields is None:
        leaves.append(tree)
        return Structure.LEAF
    constants = _constants(tree, fields, path)
    shell = Structure(type(tree), tuple(key for key in fields if key not in dict(constants)))
    children = (_flatten(fields[key], leaves, shell.step(path, key)) for key in shell.keys)
    return Structure(shell.kind, shell.keys, tuple(children), constants)


def _fields(tree: object, path: str) -> Mapping[Hashable, object] | None:
    """What a container holds, by key and in order; None for a leaf."""
    kind = type(tree)
    if kind is dict:
        return _sorted(cast(dict[Hashable, object], tree), path)
    if kind in (tuple, list):
        return dict(enumerate(cast("tuple[object, ...]", tree)))
    if tree is None:
        return {}
    if _is_dataclass(tree):
        fields = dataclasses.fields(cast(Any, tree))
        return {field.name: getattr(tree, field.name) for field in fields}
    return cast(Any, tree)._asdict() if _is_named_tuple(kind) else None


def _sorted(tree: dict[Hashable, object], path: str) -> dict[Hashable, object]:
    try:
        return dict(sorted(tree.items(), key=lambda item: cast(Any, item[0])))
    except TypeError:
        keys = ", ".join(builtins.map(repr, tree))
        raise StepwellError(
            "SW0111",
            f"the keys of a dictionary{_at(path)} cannot be put in order: {keys}",
            hint="use keys of one type, such as strings",
        ) from None


def _constants(tree: object, fields: Mapping[Hashable, object], path: str) -> Constants:
    """The fields of a dataclass that are part of the structure."""
    if not _is_dataclass(tree):
        return ()
    said = {f.name for f in dataclasses.fields(cast(Any, tree)) if f.metadata.get("static")}
    names = [str(name) for name in fields if name in said or _is_constant(fields[name])]
    return tuple((name, _hashable(fields[name], f"{path}.{name}")) for name in names)


def _is_constant(value: object) -> bool:
    if isinstance(value, type):
        return True
    return not isinstance(value, (int, float, complex, np.generic, HasDtype)) and (
        _fields(value, "") is None
    )


def _hashable(value: object, path: str) -> Hashable:
    try:
        hash(value)
    except TypeError:
        raise StepwellError(
            "SW0112",
            f"a {type(value).__name__}{_at(path)} can be neither an argument nor a constant",
            hint="hold an array, a number, a container of these, or something hashable",
        ) from None
    return cast(Hashable, value)


def _at(path: str) -> str:
    return f" at {path}" if path else ""


def _is_dataclass(tree: object) -> bool:
    return dataclasses.is_dataclass(type(tree)) and not isinstance(tree, HasDtype)


def _is_named_tuple(kind: type) -> bool:
    return issubclass(kind, tuple) and kind is not tuple and "_fields" in vars(kind)


def _rebuild(structure: Structure, leaves: Iterator[object]) -> Any:
    if structure.kind is Leaf:
        return next(leaves)
    if structure.kind is type(None):
        return None
    values = [_rebuild(child, leaves) for child in structure.children]
    if structure.kind is dict:
        return dict(zip(structure.keys, values, strict=True))
    if structure.kind in (tuple, list):
        return structure.kind(values)
    if _is_named_tuple(structure.kind):
        return structure.kind(*values)
    return _dataclass(structure, values)


def _dataclass(structure: Structure, values: list[object]) -> Any:
    """An instance with the fields set as they are: `__init__` may convert, draw or check them."""
    made = object.__new__(structure.kind)
    for name, value in (*zip(structure.keys, values, strict=True), *structure.constants):
        object.__setattr__(made, str(name), value)
    return made
