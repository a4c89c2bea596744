"""Trees: values are flattened as they were compiled, rebuilt, and refused where they differ."""

from collections import namedtuple
from dataclasses import dataclass

import pytest

from stepwell.runtime import tree
from stepwell.runtime.errors import CallError
from stepwell.runtime.tree import Fields, Items, Leaf, Nothing


@dataclass
class Linear:
    w: object
    b: object
    activation: str = "relu"


LINEAR = Fields({"b": Leaf(1), "w": Leaf(0)}, "module:Linear")
NESTED = Items(
    "tuple", (Leaf(2), Items("list", (Leaf(0), Nothing())), Fields({"k": Leaf(1), "n": LINEAR}))
)


def leaves(structure, value):
    return list(tree.flatten(structure, value, "p"))


def test_nested_values_are_flattened_in_the_trees_order():
    value = (1, [2, None], {"n": Linear(w=3, b=4), "k": 5})
    assert leaves(NESTED, value) == [1, 2, 5, 4, 3]
    assert list(tree.indices(NESTED)) == [2, 0, 1, 1, 0]


def test_rebuilding_puts_leaves_where_their_numbers_say():
    assert tree.rebuild(NESTED, "abc") == ("c", ["a", None], {"k": "b", "n": {"b": "b", "w": "a"}})


def test_a_dataclass_may_be_given_as_a_dict():
    assert leaves(LINEAR, {"w": 1, "b": 2}) == [2, 1]


def test_a_named_tuple_is_a_tuple():
    assert leaves(Items("tuple", (Leaf(0),)), namedtuple("One", "x")(7)) == [7]


def test_trees_are_written_for_a_reader():
    assert tree.text(NESTED, ["f32[3]", "i32[]", "u8[B]"]) == (
        "(u8[B], [f32[3], None], {k: i32[], n: {b: i32[], w: f32[3]}})"
    )


@pytest.mark.parametrize(
    ("structure", "value", "sentence"),
    [
        (Nothing(), 1, "p: expected None, got int"),
        (Items("tuple", (Leaf(0),)), [1], "p: expected a tuple of 1, got list of 1"),
        (Items("list", (Leaf(0),)), [1, 2], "p: expected a list of 1, got list of 2"),
        (Items("tuple", (Leaf(0),)), 3, "p: expected a tuple of 1, got int"),
        (Fields({"a": Leaf(0)}), 3, "p: expected a dict with the keys a, got int"),
        (Fields({"a": Leaf(0)}), {"b": 1}, "p: expected the keys a, got the keys b"),
        (Fields({"a": Leaf(0)}), {}, "p: expected the keys a, got no keys"),
        (Fields({"a": Leaf(0)}), Linear(1, 2), "p: expected a dict with the keys a, got Linear"),
        (Fields({"z": Leaf(0)}, "m:C"), Linear(1, 2), "p: expected the keys z, got no keys"),
        (NESTED, (1, [2, 3], {}), "p[1][1]: expected None, got int"),
        (
            NESTED,
            (1, [2, None], {"k": 1, "n": 2}),
            "p[2]['n']: expected a dict with the keys b, w, got int",
        ),
        (Fields({"a": Items("list", ())}, "m:C"), {"a": 1}, "p.a: expected a list of 0, got int"),
    ],
)
def test_other_structures_are_refused(structure, value, sentence):
    with pytest.raises(CallError) as caught:
        leaves(structure, value)
    assert str(caught.value) == f"SW0405: {sentence}"
