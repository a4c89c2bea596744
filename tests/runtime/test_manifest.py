"""The manifest: its JSON comes back as it was, and every wrong field is named in one sentence."""

import json
import re

import pytest

from stepwell.runtime.devices.image import DeviceCode
from stepwell.runtime.dtypes import BY_NAME
from stepwell.runtime.entry import Argument, Entry, Result, Site, SizeRange
from stepwell.runtime.errors import LoadError, SourceLine
from stepwell.runtime.manifest import Manifest
from stepwell.runtime.sizes import Size
from stepwell.runtime.state import Nesting
from stepwell.runtime.tree import Fields, Items, Leaf, Nothing

TREES = (
    Items("tuple", (Leaf(0), Fields({"b": Leaf(2), "w": Leaf(1)}))),
    Fields({"n": Nothing(), "y": Items("list", (Leaf(0), Leaf(0)))}, "module:Class"),
)


def rich(make):
    """A manifest in which every kind of field is in use."""
    entry = Entry(
        "f",
        ("x", "params"),
        (
            Argument("input", "x", make.type("f32[B,2*S]")),
            Argument("input", "params['w']", make.type("bf16[S]")),
            Argument("input", "params['b']", make.type("bool[]")),
            Argument("state", "cache['k']", make.type("f32[4]"), "cd"),
            Argument("constant", "c", make.type("u8[3]"), "ab"),
        ),
        (
            Result("y", make.type("i64[]")),
            Result("n", make.type("f32[4]"), "cache['k']"),
            Result("w", make.type("bf16[S]")),
        ),
        (SizeRange("B", 1), SizeRange("S", 0, 2048)),
        *TREES,
        "fast",
        (
            Site("print", "x = {} {:.3f}", (make.type("f32[B]"), make.type("f64[]"))),
            Site("assert", "{braces} are text", (), SourceLine("model.py", 3, 4, 9)),
        ),
        ("labs",),
        True,
    )
    best = make.target(
        "v4",
        features=("avx512f",),
        workspace={"f": Size.parse("64*B + 128")},
        pool="code/v4.pool.o",
        plans={"f": [1, None, {"mr": 14.5}]},
        overwrites={"f": ((1, 2),)},
    )
    other = make.target("v3", workspace={"f": Size.of(0)})
    card = make.target(
        "sm_80",
        architecture="nvptx64",
        workspace={"f": Size.of(0)},
        device=DeviceCode("code/sm_80.ptx", ("f_0", "f_1"), 49152, "x86_64", ("f",)),
    )
    states = {"cache": Nesting(("cache['k']",), Fields({"k": Leaf(0)}))}
    targets = best, other, card
    return Manifest("stepwell 0.1.0", {"f": entry}, targets, {"code": "00"}, states=states)


def test_a_manifest_comes_back_as_it_was(make):
    manifest = rich(make)
    text = manifest.to_json()
    found = Manifest.from_json(text, "manifest.json")
    assert found == manifest
    assert found.to_json() == text


def test_the_text_is_canonical(make):
    manifest = rich(make)
    document = json.loads(manifest.to_json())
    assert document["format"] == 1
    assert document["byteorder"] == "little"
    assert (
        json.dumps(document, separators=(",", ":"), sort_keys=True) == manifest.to_json().decode()
    )


def test_unknown_members_are_left_out(make):
    document = json.loads(rich(make).to_json())
    document["entries"]["f"]["color"] = "green"
    assert Manifest.from_json(json.dumps(document).encode(), "m") == rich(make)


def test_what_older_files_do_not_say_of_a_device_is_that_the_host_waits(make):
    document = json.loads(rich(make).to_json())
    del document["targets"][2]["device"]["host_controlled"]
    found = Manifest.from_json(json.dumps(document).encode(), "m").targets[2].device
    assert found is not None
    assert found.host_controlled == ()


def places(value, path=""):
    """Every place in a document: its path as errors write it, what holds it, and its key."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        text = f"{path}[{key}]" if isinstance(value, list) else f"{path}.{key}".lstrip(".")
        yield text, value, key
        if isinstance(item, dict | list):
            yield from places(item, text)


def refusal(document):
    with pytest.raises(LoadError) as caught:
        Manifest.from_json(json.dumps(document).encode(), "manifest.json")
    return str(caught.value)


COUNT = "a whole number of 0 or more"
SIZE = "a size made of B, S"
POSITIVE = "a size, which is not negative"
ONE_EACH = "a tuple of 2, one for each parameter"
INPUTS = "a tree whose leaves are the inputs, which are the first arguments"
OUTPUTS = "a tree whose leaves are below 3, the number of results"
TEXT = "a text with {} for each of 2 operands"


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("format", 2, "1, as the first member says"),
        ("format", 0, "1, as the first member says"),
        ("format", "x", COUNT),
        ("producer", 3, "a text"),
        ("byteorder", "big", "little"),
        ("minimum_runtime", -1, COUNT),
        ("minimum_runtime", True, COUNT),
        ("entries", [], "an object"),
        ("entries", {}, "an entry point at least"),
        ("members.code", 1, "a text"),
        ("entries.f.effects", 1, "true or false"),
        ("entries.f.imports", "labs", "a list"),
        ("entries.f.imports[0]", 1, "a text"),
        ("entries.f.numerics", "wild", "strict or fast"),
        ("entries.f.sizes[0].minimum", "1", COUNT),
        ("entries.f.sizes[1].maximum", 1.5, COUNT),
        ("entries.f.sizes[0].maximum", 0, "1 or more, which is the minimum"),
        ("entries.f.sizes", [{"name": "B", "minimum": 0}] * 2, "different names"),
        ("entries.f.parameters", ["x", "x"], "different names"),
        ("entries.f.arguments[0].kind", "in", "input or constant or state"),
        ("entries.f.arguments[0].dtype", "f31", " or ".join(BY_NAME)),
        ("entries.f.arguments[0].shape[0]", "B +", "a size"),
        ("entries.f.arguments[0].shape[0]", "N", SIZE),
        ("entries.f.arguments[0].shape[0]", 1.5, COUNT),
        ("entries.f.arguments[0].shape[0]", 2**63, f"a size of {2**63 - 1} at most"),
        ("entries.f.arguments[0].shape[0]", str(2**63), "a size"),
        ("entries.f.arguments[0].shape[0]", "1" * 5000, "a size"),
        ("entries.f.arguments[0].shape[0]", "(" * 5000 + "B" + ")" * 5000, "a size"),
        ("entries.f.results[1].shape[0]", "-1", POSITIVE),
        ("entries.f.results[1].state", "cash", "cache['k']"),
        ("states.cache.leaves[0]", "cache", "cache['k']"),
        ("states.cache.tree", {"none": None}, "a tree of 1 leaves"),
        ("entries.f.tree.inputs", {"list": []}, ONE_EACH),
        ("entries.f.tree.inputs", {"tuple": [{"leaf": 0}]}, ONE_EACH),
        ("entries.f.tree.inputs", {"tuple": [{"leaf": 0}] * 2}, INPUTS),
        ("entries.f.tree.outputs", {"leaf": 3}, OUTPUTS),
        ("entries.f.tree.outputs", {"set": []}, "leaf, none, tuple, list, dict or dataclass"),
        ("entries.f.tree.outputs", {}, "an object with one member"),
        ("entries.f.sites[0].kind", "beep", "print or assert"),
        ("entries.f.sites[0].text", "{} {0.real}", TEXT),
        ("entries.f.sites[0].text", "{} {", TEXT),
        ("entries.f.sites[1].where.line", "3", COUNT),
        ("targets[0].features", "avx2", "a list"),
        ("targets[0].workspace.f", "64*Q", SIZE),
        ("targets[0].workspace.f", "-1", POSITIVE),
        ("targets[0].workspace.f", "0-100", POSITIVE),
        ("targets[0].workspace.f", "S - 2049", POSITIVE),
        ("targets[0].overwrites.f[0]", [1, 1], "an input and a result of its type"),
        ("targets[0].overwrites.f[0]", [0, 2], "an input and a result of its type"),
        ("targets[0].overwrites.f[0]", [0], "an input and a result of its type"),
        ("targets[2].device.kernels", "f_0", "a list"),
        ("targets[2].device.shared", -1, COUNT),
        ("targets[0].overwrites.f", [[1, 2]] * 2, "pairs of different inputs and results"),
    ],
)
def test_every_wrong_value_is_named(make, path, value, expected):
    document = json.loads(rich(make).to_json())
    holder, key = next(place[1:] for place in places(document) if place[0] == path)
    holder[key] = value
    found = json.dumps(value)
    shown = found if len(found) <= 40 else found[:39] + "…"
    assert refusal(document) == f"SW0307: manifest.json: {path}: expected {expected}, got {shown}"


@pytest.mark.parametrize("number", [0, 3])
def test_arguments_of_one_kind_have_different_names(make, number):
    document = json.loads(rich(make).to_json())
    arguments = document["entries"]["f"]["arguments"]
    arguments[number] |= {"name": arguments[number + 1]["name"]}
    arguments[number] |= {"kind": arguments[number + 1]["kind"]}
    assert ".arguments: expected different names, got " in refusal(document)


@pytest.mark.parametrize("depth", [400, 5000])
def test_a_deep_tree_is_refused(make, depth):
    text = rich(make).to_json().decode()
    at = text.index('"outputs":') + len('"outputs":')
    text = text[:at] + '{"dict":{"a":' * depth + '{"leaf":99},"x":' + text[at:]
    text = text.replace('{"leaf":99},"x":', '{"leaf":99}' + "}}" * depth + ',"x":')
    with pytest.raises(LoadError, match=r"SW0307: manifest\.json"):
        Manifest.from_json(text.encode(), "manifest.json")


OPTIONAL = re.compile(
    r"^states(\.\w+)?$|^members\.|^entries\.f$|plans\.|\.(dict|fields)\.\w$|\.(maximum|pool|device|host_controlled|where|state|overwrites(\.\w+)?)$"
)
"""Members that may be missing."""


def test_every_missing_member_is_named(make):
    text = rich(make).to_json()
    paths = [path for path, holder, _ in places(json.loads(text)) if isinstance(holder, dict)]
    required = [path for path in paths if not OPTIONAL.search(path)]
    assert len(required) > 60
    for path in required:
        document = json.loads(text)
        holder, key = next(place[1:] for place in places(document) if place[0] == path)
        del holder[key]
        owner = path.removesuffix(key).removesuffix(".")
        owner = f"{owner}: " if owner else ""
        sentence = f"SW0307: manifest.json: {owner}expected an object with "
        assert refusal(document).startswith(sentence), path


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_not_json_is_refused(text):
    with pytest.raises(LoadError) as caught:
        Manifest.from_json(text, "manifest.json")
    assert str(caught.value) == "SW0307: manifest.json: it is not JSON"


def test_a_newer_runtime_is_asked_for(make):
    document = json.loads(rich(make).to_json())
    document["minimum_runtime"] = 2
    with pytest.raises(LoadError) as caught:
        Manifest.from_json(json.dumps(document).encode(), "m.well: manifest.json")
    assert str(caught.value) == (
        "SW0305: m.well: manifest.json needs runtime 2, and this is runtime 1\n"
        "  help: install a newer stepwell; the file was made by stepwell 0.1.0"
    )
