"""Nested arguments: what is a leaf, what is structure, and how differences are told."""

import enum
from collections import Counter, OrderedDict, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell import nested
from stepwell.runtime import tree as kept
from stepwell.runtime.errors import StepwellError


class Pair(NamedTuple):
    first: object
    second: object


class Padding(enum.Enum):
    SAME = 1


@dataclass(frozen=True, slots=True)
class Layer:
    w: object
    b: object = None
    activation: object = "relu"
    stride: int = field(default=1, metadata={"static": True})


@dataclass
class Checked:
    w: object

    def __post_init__(self) -> None:
        self.w = float(str(self.w))


@dataclass(frozen=True)
class TypedScalar:
    value: int
    dtype: str = "f32"


trees = st.recursive(
    st.one_of(st.integers(), st.none(), st.text(max_size=2)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=2), inner, max_size=3),
        st.builds(Pair, inner, inner),
        st.builds(Layer, inner, inner),
    ),
    max_leaves=8,
)


@given(trees)
def test_a_tree_is_rebuilt_from_its_leaves(tree: object) -> None:
    leaves, structure = nested.flatten(tree)
    assert structure.rebuild(leaves) == tree
    assert structure.size == len(leaves) == len(structure.paths())
    assert hash(structure) == hash(nested.flatten(tree)[1])


def test_paths_read_like_python() -> None:
    tree = {"dense": Layer(1, (2, 3)), "pair": Pair([4], None)}
    _, structure = nested.flatten(tree)
    assert structure.paths("params") == [
        "params['dense'].w",
        "params['dense'].b[0]",
        "params['dense'].b[1]",
        "params['pair'].first[0]",
    ]


def test_dicts_are_alike_however_they_were_filled() -> None:
    leaves, structure = nested.flatten({"b": 1, "a": 2})
    others, other = nested.flatten({"a": 2, "b": 1})
    assert leaves == others == [2, 1]
    assert structure == other
    assert list(structure.rebuild([2, 1])) == ["a", "b"]


def test_whatever_is_no_array_number_or_container_is_structure() -> None:
    layer = Layer(np.ones(2), 0.5, activation=Padding.SAME, stride=3)
    leaves, structure = nested.flatten(layer)
    assert [type(leaf) for leaf in leaves] == [np.ndarray, float]
    assert structure.constants == (("activation", Padding.SAME), ("stride", 3))
    assert nested.flatten(Layer(1, activation=np.float32))[0] == [1]


def test_equal_structures_need_equal_constants() -> None:
    assert nested.flatten(Layer(1, stride=1))[1] != nested.flatten(Layer(1, stride=2))[1]


@pytest.mark.parametrize(
    "leaf", [1, "text", np.float32(1), np.ones(2), Counter(a=1), {1}, TypedScalar(1), int]
)
def test_leaves(leaf: object) -> None:
    assert nested.flatten(leaf)[1] == nested.Structure.LEAF


def test_an_ordered_dict_keeps_its_order() -> None:
    """As the state_dict of PyTorch, whose order is that of the layers."""
    tree = OrderedDict(w=1, b={"y": 2, "x": 3})
    leaves, structure = nested.flatten(tree)
    assert leaves == [1, 3, 2]
    rebuilt = structure.rebuild([10, 30, 20])
    assert (type(rebuilt), list(rebuilt.items())) == (
        OrderedDict,
        [("w", 10), ("b", {"x": 30, "y": 20})],
    )
    assert structure.paths("p") == ["p['w']", "p['b']['x']", "p['b']['y']"]
    with pytest.raises(StepwellError) as caught:
        nested.map(max, tree, OrderedDict(b={"y": 2, "x": 3}, w=1), names=("one", "other"))
    assert caught.value.details == (
        "one: an OrderedDict with w, b",
        "other: an OrderedDict with b, w",
    )


def test_a_defaultdict_keeps_what_it_is_made_with() -> None:
    tree = defaultdict(list, b=1, a=2, default_factory=3)
    leaves, structure = nested.flatten(tree)
    assert leaves == [2, 1, 3]
    rebuilt = structure.rebuild("xyz")
    assert rebuilt == {"a": "x", "b": "y", "default_factory": "z"}
    assert rebuilt["more"] == []
    with pytest.raises(StepwellError) as caught:
        nested.map(max, {"p": defaultdict(list)}, {"p": defaultdict(dict)})
    assert caught.value.details == (
        "tree 0['p'].default_factory: <class 'list'>",
        "tree 1['p'].default_factory: <class 'dict'>",
    )


def test_a_file_keeps_a_dict_of_any_kind_as_a_dict() -> None:
    for tree in (OrderedDict(b=1, a=2), defaultdict(int, b=1, a=2)):
        described = nested.described(nested.flatten(tree)[1])
        assert isinstance(described, kept.Fields)
        assert (sorted(described.items), described.dataclass) == (["a", "b"], None)


def test_a_dataclass_is_rebuilt_without_its_init() -> None:
    _, structure = nested.flatten(Checked(1))
    assert structure.rebuild(["a tracer"]).w == "a tracer"


def test_map_takes_leaves_side_by_side() -> None:
    one, other = {"a": (1, 2)}, {"a": (10, 20)}
    assert nested.map(lambda x, y: x + y, one, other) == {"a": (11, 22)}


def test_a_wrong_number_of_leaves_is_refused() -> None:
    with pytest.raises(ValueError, match="a structure of 2 leaves cannot hold 1"):
        nested.flatten((1, 2))[1].rebuild([1])


@pytest.mark.parametrize(
    ("one", "other", "details"),
    [
        (
            {"dense": Layer((1, 2))},
            {"dense": Layer([1, 2])},
            ["params['dense'].w: a tuple of 2", "grads['dense'].w: a list of 2"],
        ),
        ((1, (2, 3)), (1, 2), ["params[1]: a tuple of 2", "grads[1]: a single value"]),
        ({"a": 1}, {"b": 1}, ["params: a dict with a", "grads: a dict with b"]),
        ([None], [{}], ["params[0]: None", "grads[0]: a dict with no keys"]),
        (
            [Layer(1, stride=1)],
            [Layer(1, stride=2)],
            ["params[0].stride: 1", "grads[0].stride: 2"],
        ),
    ],
)
def test_a_difference_names_its_place(one: object, other: object, details: list[str]) -> None:
    with pytest.raises(StepwellError) as caught:
        nested.map(lambda x, y: x, one, other, names=("params", "grads"))
    assert str(caught.value).splitlines() == [
        "SW0110: params and grads are not nested alike",
        *(f"  {line}" for line in details),
    ]


def test_keys_that_have_no_order_are_refused() -> None:
    with pytest.raises(StepwellError) as caught:
        nested.flatten((1, {1: 2, "a": 3}))
    assert str(caught.value) == (
        "SW0111: the keys of a dictionary at [1] cannot be put in order: 1, 'a'\n"
        "  help: use keys of one type, such as strings"
    )


def test_a_field_that_is_neither_leaf_nor_constant_is_refused() -> None:
    with pytest.raises(StepwellError) as caught:
        nested.flatten({"a": Layer(1, {1})})
    assert str(caught.value) == (
        "SW0112: a set at ['a'].b can be neither an argument nor a constant\n"
        "  help: hold an array, a number, a container of these, or something hashable"
    )


def test_a_structure_as_an_artifact_keeps_it() -> None:
    _, structure = nested.flatten(({"w": Layer(1, [2])}, Pair(3, None)))
    assert kept.to_json(nested.described(structure, first=4)) == {
        "tuple": [
            {
                "dict": {
                    "w": {
                        "dataclass": {
                            "name": f"{Layer.__module__}:Layer",
                            "fields": {"w": {"leaf": 4}, "b": {"list": [{"leaf": 5}]}},
                        }
                    }
                }
            },
            {"tuple": [{"leaf": 6}, {"none": None}]},
        ]
    }


def test_a_file_keeps_string_keys_only() -> None:
    with pytest.raises(StepwellError) as caught:
        nested.described(nested.flatten({1: 2})[1])
    assert str(caught.value) == (
        "SW0114: a file cannot keep a dictionary with the key 1\n  help: use strings as keys"
    )
