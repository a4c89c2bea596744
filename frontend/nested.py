"""Nested arguments: taking tuples, lists, dicts and dataclasses apart and putting them together.

A tree's containers are tuples, named tuples, lists, dicts, dataclasses and None; another subclass
of list or dict, whatever has a `dtype`, and everything else is a leaf. A dict's leaves come in the
order of its sorted keys, and so does the dict that is rebuilt: two dicts with the same keys have
the same structure however they were filled. So it is with a defaultdict; an OrderedDict keeps its
order, which is part of its structure. The fields of a dataclass that hold no array, number
or container, or that say `field(metadata={"static": True})`, belong to the structure.
"""

from __future__ import annotations

import builtins
import dataclasses
import itertools
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar, TypeAlias, cast, final

import numpy as np

from stepwell.places import user_line
from stepwell.runtime import tree as kept
from stepwell.runtime.errors import StepwellError
from stepwell.runtime.sizes import Size

Constants: TypeAlias = tuple[tuple[str, Hashable], ...]
DICTS = (dict, OrderedDict, defaultdict)
Path: TypeAlias = tuple[tuple[type, Hashable], ...]
"""From the root: what kind of container, and the key in it."""


@final
class Leaf:
    """The kind of the structure of a leaf."""


@final
@dataclass(frozen=True)
class Structure:
    """How a tree is nested, without its leaves: hashable, and equal for trees built alike."""

    LEAF: ClassVar[Structure]

    kind: type[Any]
    keys: tuple[Hashable, ...] = ()
    children: tuple[Structure, ...] = ()
    constants: Constants = ()
    """Names and values of the fields of a dataclass that are no part of the computation; or of what
    a defaultdict is made with."""

    @cached_property
    def _hash(self) -> int:
        return hash((self.kind, self.keys, self.children, self.constants))

    def __hash__(self) -> int:
        return self._hash

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
        steps = ((_step(self.kind, key), child) for key, child in self.items())
        return [path for step, child in steps for path in child.paths(root + step)]

    def items(self) -> Iterator[tuple[Hashable, Structure]]:
        return zip(self.keys, self.children, strict=True)

    def __str__(self) -> str:
        """What stands here, in words for an error."""
        if self.kind is Leaf:
            return "a single value"
        if self.kind is type(None):
            return "None"
        if self.kind in (tuple, list):
            return f"a {self.kind.__name__} of {len(self.children)}"
        article = "an" if self.kind is OrderedDict else "a"
        keys = ", ".join(builtins.map(str, self.keys)) or "no keys"
        return f"{article} {self.kind.__name__} with {keys}"


Structure.LEAF = Structure(Leaf)


@cache
def flat(count: int) -> Structure:
    """The structure of a tuple of so many leaves."""
    return Structure(tuple, tuple(range(count)), (Structure.LEAF,) * count)


def flatten(tree: object) -> tuple[list[object], Structure]:
    """The leaves of `tree` in order, and the structure that `rebuild`s it from such leaves.

    Raises StepwellError (SW0162) for a container that holds itself.
    """
    leaves: list[object] = []
    try:
        return leaves, _flatten(tree, leaves, ())
    except RecursionError:
        sentence = f"a {type(tree).__name__} is nested too deeply"
        hint = "does it hold itself?"
        raise StepwellError("SW0162", sentence, hint=hint, where=user_line()) from None


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


def described(structure: Structure, first: int = 0) -> kept.Tree:
    """The structure as an artifact keeps it, its leaves numbered from `first`.

    Of a dataclass the fields with leaves in them remain, and a named tuple becomes a tuple.
    Raises StepwellError (SW0114) for a dictionary with keys other than strings.
    """
    return _described(structure, itertools.count(first))


def expect_same(one: Structure, other: Structure, name: str, other_name: str) -> None:
    """Raises StepwellError (SW0110) that names the first place where two structures differ."""
    if one == other:
        return
    place, here, there = _difference(one, other, "")
    listed = here == str(Structure.LEAF) and there.startswith("a list")
    raise StepwellError(
        "SW0110",
        f"{name} and {other_name} are not nested alike",
        details=[f"{name}{place}: {here}", f"{other_name}{place}: {there}"],
        hint="a list is nested arguments: pass an array, such as array([…])" if listed else None,
    )


def children(tree: object) -> Mapping[Hashable, object]:
    """What a container holds, by key; nothing for a leaf."""
    return _fields(tree, ()) or {}


def _described(structure: Structure, numbers: Iterator[int]) -> kept.Tree:
    kind = structure.kind
    if kind is Leaf:
        return kept.Leaf(next(numbers))
    if kind is type(None):
        return kept.Nothing()
    children = [_described(child, numbers) for child in structure.children]
    if issubclass(kind, (tuple, list)):
        return kept.Items("list" if kind is list else "tuple", tuple(children))
    names = [_name(key) for key in structure.keys]
    dataclass_name = None if kind in DICTS else f"{kind.__module__}:{kind.__qualname__}"
    return kept.Fields(dict(zip(names, children, strict=True)), dataclass_name)


def _name(key: Hashable) -> str:
    if not isinstance(key, str):
        raise StepwellError(
            "SW0114",
            f"a file cannot keep a dictionary with the key {key!r}",
            hint="use strings as keys",
        )
    return key


def _difference(one: Structure, other: Structure, place: str) -> tuple[str, str, str]:
    if (one.kind, one.keys) != (other.kind, other.keys):
        return place, str(one), str(other)
    for (name, here), (_, there) in zip(one.constants, other.constants, strict=True):
        if here != there:
            return f"{place}.{name}", repr(here), repr(there)
    pairs = zip(one.items(), other.children, strict=True)
    key, left, right = next((k, mine, theirs) for (k, mine), theirs in pairs if mine != theirs)
    return _difference(left, right, place + _step(one.kind, key))


def _flatten(tree: object, leaves: list[object], path: Path) -> Structure:
    if _holds_nothing(type(tree)):
        leaves.append(tree)
        return Structure.LEAF
    fields = _fields(tree, path)
    if fields is None:
        leaves.append(tree)
        return Structure.LEAF
    kind = type(tree)
    constants = _constants(tree, fields, path)
    named = set[str]() if kind in DICTS else {name for name, _ in constants}
    keys = tuple(key for key in fields if key not in named) if named else tuple(fields)
    children = [_flatten(fields[key], leaves, (*path, (kind, key))) for key in keys]
    return Structure(kind, keys, tuple(children), constants)


def _fields(tree: object, path: Path) -> Mapping[Hashable, object] | None:
    """What a container holds, by key and in order; None for a leaf."""
    kind = type(tree)
    if kind is OrderedDict:
        return cast(dict[Hashable, object], tree)
    if kind in DICTS:
        return _sorted(cast(dict[Hashable, object], tree), path)
    if kind in (tuple, list):
        return dict(enumerate(cast("tuple[object, ...]", tree)))
    if tree is None:
        return {}
    if _is_dataclass(tree):
        return {name: getattr(tree, name) for name in _said(kind)}
    return cast(Any, tree)._asdict() if _is_named_tuple(kind) else None


def _sorted(tree: dict[Hashable, object], path: Path) -> dict[Hashable, object]:
    try:
        return {key: tree[key] for key in sorted(cast(Any, tree))}
    except TypeError:
        keys = ", ".join(builtins.map(repr, tree))
        raise StepwellError(
            "SW0111",
            f"the keys of a dictionary{_at(path)} cannot be put in order: {keys}",
            hint="use keys of one type, such as strings",
        ) from None


def _constants(tree: object, fields: Mapping[Hashable, object], path: Path) -> Constants:
    """The fields of a dataclass that are part of the structure, and what a defaultdict makes."""
    kind = type(tree)
    if kind is defaultdict:
        factory = cast("defaultdict[Hashable, object]", tree).default_factory
        return (("default_factory", _hashable(factory, path)),)
    if not _is_dataclass(tree):
        return ()
    return tuple(
        (name, _hashable(fields[name], (*path, (kind, name))))
        for name, static in _said(kind).items()
        if static or _is_constant(fields[name])
    )


def _is_constant(value: object) -> bool:
    numbers = (int, float, complex, np.generic, Size)
    if isinstance(value, (*numbers, tuple, list, dict)) or value is None:
        return False
    return not _has_dtype(value) and not _is_dataclass(value)


def _hashable(value: object, path: Path) -> Hashable:
    try:
        hash(value)
    except TypeError:
        raise StepwellError(
            "SW0112",
            f"a {type(value).__name__}{_at(path)} can be neither an argument nor a constant",
            hint="hold an array, a number, a container of these, or something hashable",
        ) from None
    return cast(Hashable, value)


def _at(path: Path) -> str:
    return f" at {''.join(_step(*each) for each in path)}" if path else ""


def _step(kind: type, key: Hashable) -> str:
    return f"[{key!r}]" if kind in (tuple, list, *DICTS) else f".{key}"


def _has_dtype(value: object) -> bool:
    """Arrays, tracers, NumPy scalars and specs: leaves, even where they are dataclasses."""
    return getattr(value, "dtype", None) is not None and not isinstance(value, type)


def _is_dataclass(tree: object) -> bool:
    is_one = dataclasses.is_dataclass(type(tree))
    return is_one and not _has_dtype(tree) and not isinstance(tree, Size)


@cache
def _said(kind: type[Any]) -> dict[str, bool]:
    """The fields of a dataclass, and whether its author said that they are static."""
    return {each.name: bool(each.metadata.get("static")) for each in dataclasses.fields(kind)}


@cache
def _holds_nothing(kind: type[Any]) -> bool:
    """Whether all of this type are leaves."""
    contains = kind in (*DICTS, tuple, list, type(None)) or dataclasses.is_dataclass(kind)
    return not contains and not _is_named_tuple(kind)


@cache
def _is_named_tuple(kind: type[Any]) -> bool:
    return tuple in kind.__mro__[1:] and "_fields" in vars(kind)


def _rebuild(structure: Structure, leaves: Iterator[object]) -> Any:
    if structure.kind is Leaf:
        return next(leaves)
    if structure.kind is type(None):
        return None
    values = [_rebuild(child, leaves) for child in structure.children]
    if structure.kind in DICTS:
        made = [value for _, value in structure.constants]
        return cast(Any, structure.kind)(*made, zip(structure.keys, values, strict=True))
    if structure.kind is list:
        return values
    if structure.kind is tuple:
        return tuple(values)
    if _is_named_tuple(structure.kind):
        return structure.kind(*values)
    return _dataclass(structure, values)


def _dataclass(structure: Structure, values: list[object]) -> object:
    """An instance with the fields set as they are: `__init__` may convert, draw or check them."""
    made = object.__new__(structure.kind)
    fields = (*zip(structure.keys, values, strict=True), *structure.constants)
    for name, value in fields:
        object.__setattr__(made, str(name), value)
    return made
