"""Trees of arrays: how nested arguments and results are flattened into leaves, and rebuilt."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Literal, TypeAlias, cast, final

from stepwell.runtime.errors import CallError
from stepwell.runtime.fields import Field, Json


@final
@dataclass(frozen=True, slots=True)
class Leaf:
    """The place of array number `index`."""

    index: int


@final
@dataclass(frozen=True, slots=True)
class Nothing:
    """The place of a `None`."""


@final
@dataclass(frozen=True, slots=True)
class Items:
    """A tuple or a list."""

    kind: Literal["tuple", "list"]
    items: "tuple[Tree, ...]"


@final
@dataclass(frozen=True, slots=True)
class Fields:
    """A dict, or the dataclass of that name, which comes back as a dict: no user code is run."""

    items: "Mapping[str, Tree]"
    dataclass: str | None = None


Tree: TypeAlias = Leaf | Nothing | Items | Fields


def flat(count: int) -> Items:
    """The tree of a tuple of so many arrays."""
    return Items("tuple", tuple(map(Leaf, range(count))))


def flatten(tree: Tree, value: object, path: str) -> Iterator[object]:
    """The leaves of `value`, in the tree's order; `path` names it in errors (CallError SW0405)."""
    match tree:
        case Leaf():
            yield value
        case Nothing():
            if value is not None:
                raise _mismatch(path, "None", value)
        case Items(_, items):
            for i, (item, each) in enumerate(zip(items, _items(tree, value, path), strict=True)):
                yield from flatten(item, each, f"{path}[{i}]")
        case Fields(items, name):
            values = _fields(tree, value, path)
            for key, item in items.items():
                step = f".{key}" if name else f"[{key!r}]"
                yield from flatten(item, values[key], path + step)


def rebuild(tree: Tree, leaves: Sequence[object]) -> object:
    """The nested value whose leaf number i is `leaves[i]`."""
    match tree:
        case Leaf(index):
            return leaves[index]
        case Nothing():
            return None
        case Items("tuple", items):
            return tuple(rebuild(item, leaves) for item in items)
        case Items(_, items):
            return [rebuild(item, leaves) for item in items]
        case Fields(items):
            return {key: rebuild(item, leaves) for key, item in items.items()}


def indices(tree: Tree) -> Iterator[int]:
    """The numbers of the leaves, in the tree's order."""
    match tree:
        case Leaf(index):
            yield index
        case Nothing():
            return
        case Items(_, items):
            for item in items:
                yield from indices(item)
        case Fields(items):
            for item in items.values():
                yield from indices(item)


def text(tree: Tree, leaves: Sequence[object]) -> str:
    """The tree for a reader, `(f32[3], {w: f32[4]})`, with leaf number i as `leaves[i]`."""
    match tree:
        case Leaf(index):
            return str(leaves[index])
        case Nothing():
            return "None"
        case Items("tuple", items):
            return f"({', '.join(text(item, leaves) for item in items)})"
        case Items(_, items):
            return f"[{', '.join(text(item, leaves) for item in items)}]"
        case Fields(items):
            return f"{{{', '.join(f'{key}: {text(each, leaves)}' for key, each in items.items())}}}"


def to_json(tree: Tree) -> Json:
    """The tree as it stands in a manifest: an object with one member, its kind."""
    match tree:
        case Leaf(index):
            return {"leaf": index}
        case Nothing():
            return {"none": None}
        case Items(kind, items):
            return {kind: [to_json(item) for item in items]}
        case Fields(items, None):
            return {"dict": {key: to_json(item) for key, item in items.items()}}
        case Fields(items, name):
            fields = {key: to_json(item) for key, item in items.items()}
            return {"dataclass": {"name": name, "fields": fields}}


def from_json(field: Field) -> Tree:
    """The tree that a manifest describes."""
    match field.only_member():
        case "leaf", index:
            return Leaf(index.count())
        case "none", _:
            return Nothing()
        case ("tuple" | "list") as kind, items:
            return Items(kind, tuple(from_json(item) for item in items.items()))
        case "dict", items:
            return Fields(_members(items))
        case "dataclass", described:
            return Fields(_members(described["fields"]), described["name"].text())
        case _:
            raise field.refusal("leaf, none, tuple, list, dict or dataclass")


def _members(field: Field) -> dict[str, Tree]:
    return {key: from_json(item) for key, item in field.members().items()}


def _items(tree: Items, value: object, path: str) -> Sequence[object]:
    kind = tuple if tree.kind == "tuple" else list
    items = cast("Sequence[object]", value)
    if not isinstance(value, kind) or len(items) != len(tree.items):
        raise _mismatch(path, f"a {tree.kind} of {len(tree.items)}", items)
    return items


def _fields(tree: Fields, value: object, path: str) -> Mapping[str, object]:
    """The fields of a dict, or of a dataclass given as an object or as a dict.

    Fields of the object that the tree does not have were constants when it was compiled.
    """
    if isinstance(value, Mapping):
        found = cast("Mapping[str, object]", value)
    elif tree.dataclass is not None and is_dataclass(value):
        names = [field.name for field in fields(value) if field.name in tree.items]
        found = {name: getattr(value, name) for name in names}
    else:
        raise _mismatch(path, f"a dict with {_keys(tree.items)}", value)
    if found.keys() != tree.items.keys():
        raise CallError("SW0405", f"{path}: expected {_keys(tree.items)}, got {_keys(found)}")
    return found


def _keys(mapping: Mapping[str, object]) -> str:
    """`the keys b, w`"""
    return f"the keys {', '.join(map(str, mapping))}" if mapping else "no keys"


def _mismatch(path: str, expected: str, value: object) -> CallError:
    found = type(value).__name__
    if isinstance(value, tuple | list):
        found = f"{found} of {len(cast('Sequence[object]', value))}"
    return CallError("SW0405", f"{path}: expected {expected}, got {found}")
