"""Specs: what is read, what is written, and where the caret points when it cannot be read."""

import pickle

import numpy
import pytest

from stepwell import compile
from stepwell.array import asarray
from stepwell.runtime.errors import StepwellError
from stepwell.runtime.sizes import Size
from stepwell.specs import Spec, expect_determined, ranges_of, spec, spec_tree

B, S = Size.of("B"), Size.of("S")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("i64", Spec("i64")),
        ("bool[]", Spec("bool")),
        ("f32[B,784]", Spec("f32", (B, Size.of(784)))),
        (" bf16 [ 2*S , B*S ] ", Spec("bf16", (2 * S, B * S))),
        ("f32[min(B, 4), B]", Spec("f32", (Size.parse("min(B, 4)"), B))),
        ("f32[B: 1..64, 2*S]", Spec("f32", (B, 2 * S), ranges={"B": (1, 64)})),
        ("f32[B: 1.., S: ..9]", Spec("f32", (B, S), ranges={"B": (1, None), "S": (0, 9)})),
    ],
)
def test_what_is_read(text: str, expected: Spec) -> None:
    assert spec(text) == expected
    assert spec(str(expected)) == expected
    assert hash(spec(text)) == hash(expected)


def test_the_text_form() -> None:
    assert str(spec("f32[ B :1..64, 2*S, B, 3]", name="x")) == "f32[B: 1..64,2*S,B,3]"
    assert spec("f32[B]", name="x").name == "x"


@pytest.mark.parametrize(
    ("text", "offset", "why"),
    [
        ("f31[B]", 0, "does not begin with a dtype (bool, i8, i32, i64, u8, f16, bf16, f32, f64)"),
        ("?", 0, "does not begin with a dtype (bool, i8, i32, i64, u8, f16, bf16, f32, f64)"),
        ("f32(B)", 3, "needs sizes in brackets, or nothing, after the dtype"),
        ("f32[B", 5, "does not close its bracket"),
        ("f32[B] x", 7, "goes on after its bracket"),
        ("f32[B,]", 6, "has a size that cannot be read: the size '' needs a number or a name of a "
         "size at the end"),
        ("f32[2, B S]", 9, "has a size that cannot be read: the size ' B S' needs an operator or "
         "the end before 'S'"),
        ("f32[B, 9223372036854775808]", 7, "has a size that cannot be read: a number is beyond "
         "9223372036854775807"),
        ("f32[B, " + "1" * 5000 + "]", 7, "has a size that cannot be read: a number is beyond "
         "9223372036854775807"),
        ("f32[ -1]", 5, "has a negative size"),
        ("f32[3, -B]", 7, "has a negative size"),
        ("f32[-B - 2*S]", 4, "has a negative size"),
        ("f32[None]", 4, "has the size None, which is a word of Python's"),
        ("f32[B, 2*lambda]", 7, "has the size lambda, which is a word of Python's"),
        ("f32[B: x]", 7, "has a range that is not of the form 1..64, 1.. or ..64"),
        ("f32[B: ..]", 7, "has a range that is not of the form 1..64, 1.. or ..64"),
        ("f32[B: 5..4]", 7, "has a range that holds nothing"),
        ("f32[2*B: 1..4]", 9, "gives a range to 2*B, which is not a symbol"),
        ("f32[B: 1..4, B: 2..]", 16, "gives B two ranges"),
    ],
)  # fmt: skip
def test_the_caret_points_at_what_is_wrong(text: str, offset: int, why: str) -> None:
    with pytest.raises(StepwellError) as caught:
        spec(text)
    sentence, place, *rest = str(caught.value).splitlines()
    assert place.startswith(f"  --> {__file__}:")
    assert [sentence, *rest[2:]] == [
        f"SW0101: the spec {why}",
        f"  {text}",
        f"  {' ' * offset}^",
        "  help: write a spec like i64, f32[784], f32[B, 2*S] or f32[B: 1..64]",
    ]


def test_trees_of_specs() -> None:
    read = spec("i64[B]")
    assert spec_tree({"x": ("f32[B]", None), "y": read}) == {"x": (spec("f32[B]"), None), "y": read}
    with pytest.raises(StepwellError, match="SW0101: a int is not a spec"):
        spec_tree([3])


def test_the_specs_of_examples() -> None:
    w, x = numpy.ones((2, 3), "f4"), asarray([1, 2])
    assert spec(w) == spec("f32[2,3]")
    assert spec({"w": w, "x": (x, None, 1.5), "y": "f32[B]"}) == {
        "w": spec("f32[2,3]"),
        "x": (spec("i64[2]"), None, spec("f32")),
        "y": spec("f32[B]"),
    }
    with pytest.raises(StepwellError, match="SW0101: a object is not a spec"):
        spec([object()])
    assert compile(lambda p: p["w"] + 1, spec({"w": w}))({"w": w}).tolist() == (w + 1).tolist()


def test_a_size_is_not_nested_without_end() -> None:
    with pytest.raises(StepwellError) as caught:
        spec("f32[" + "(" * 5000 + "B" + ")" * 5000 + "]")
    assert caught.value.sentence == (
        "the spec has a size that cannot be read: it is nested too deeply"
    )


@pytest.mark.parametrize(
    ("specs", "symbol"),
    [
        (["f32[B//2]"], "B"),
        (["f32[B*B]"], "B"),
        (["f32[min(B, 3)]"], "B"),
        (["f32[B+S]"], "B"),
        (["f32[S]", "f32[B//2, S]"], "B"),
    ],
)
def test_sizes_must_follow_from_shapes(specs: list[str], symbol: str) -> None:
    with pytest.raises(StepwellError) as caught:
        compile(lambda *x: x, *specs)
    sentence, place, *_, hint = str(caught.value).splitlines()
    assert sentence == f"SW0157: no argument's shape determines {symbol}"
    assert place.startswith(f"  --> {__file__}:")
    wanted = f"give an axis the size {symbol}, or one linear in it like 2*{symbol} + 1"
    assert hint == f"  help: {wanted}"


@pytest.mark.parametrize(
    "specs",
    [["f32[2*B + 1]"], ["f32[B]", "f32[B*S]"], ["f32[B - 5]"], ["f32[B, S, B//2, min(B,S)]"]],
)
def test_sizes_that_follow_from_shapes(specs: list[str]) -> None:
    expect_determined([spec(text) for text in specs])


def test_ranges_are_gathered() -> None:
    assert ranges_of([spec("f32[B: 1..]"), spec("f32[B, S: 2..3]")]) == {
        "B": (1, None),
        "S": (2, 3),
    }
    with pytest.raises(StepwellError) as caught:
        ranges_of([spec("f32[B: 1..]"), spec("f32[B: 2..]")])
    assert str(caught.value) == (
        "SW0113: the specs give B two ranges\n"
        "  B: 1..\n"
        "  B: 2..\n"
        "  help: give B its range once, or the same everywhere"
    )


def test_specs_survive_pickling() -> None:
    assert pickle.loads(pickle.dumps(spec("f32[B: 1..]"))) == spec("f32[B: 1..]")
