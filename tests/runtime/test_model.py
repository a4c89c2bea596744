"""A model from memory or file to answers: entry points, state, prints, threads, and its end."""

import gc
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from at_once import at_once
from stepwell.runtime import Model, load
from stepwell.runtime.entry import Argument, Result, Site, SizeRange
from stepwell.runtime.errors import CallError, LoadError
from stepwell.runtime.sizes import Size
from stepwell.runtime.state import Nesting
from stepwell.runtime.tree import Fields, Items, Leaf, Nothing

W = np.float32([1, 2, 3, 4])


TAKES = "@f.takes = constant [2 x i64] [i64 {}, i64 {}]\n"
"""What code says of the pointers and sizes that it reads."""


def refusal(function, *args, **kwargs):
    with pytest.raises((CallError, LoadError)) as caught:
        function(*args, **kwargs)
    return str(caught.value)


@pytest.fixture
def model(make, programs):
    """A model in memory with one entry point, which a program of the fixture defines."""

    def model(symbol, inputs, results, constants=None, **rest):
        entry = make.entry(symbol, inputs, results, **rest)
        code = make.object(programs[symbol])
        return Model(make.manifest({symbol: entry}), code, constants or {})

    return model


@pytest.fixture
def counter(make, programs):
    """A model whose entry points `up` and `again` add to the state `count`, which begins at 10."""
    first = np.array(10)
    count = Argument("state", "count", make.type("i64[]"), make.digest(first))
    entry = make.entry(
        "advance",
        {"step": "i64[]"},
        {"total": "i64[]"},
        others=[count],
        sites=(Site("assert", "step must not be negative"),),
    )
    entry = replace(entry, results=(Result("total", make.type("i64[]"), "count"),))
    manifest = make.manifest({"up": entry, "again": entry})
    return Model(manifest, make.object(programs["advance"]), {make.digest(first): first})


def test_a_file_is_loaded_and_called_like_the_function(scale_file):
    model = load(scale_file)
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(model(x), 2 * x + W)
    np.testing.assert_array_equal(model(x=x), model.scale(x))
    np.testing.assert_array_equal(model["scale"](x.T.copy().T), 2 * x + W)
    assert str(model.signature) == "scale(x: f32[B,4]) -> f32[B,4]"


def test_bytes_are_loaded_like_a_file(scale_file):
    x = np.ones((1, 4), np.float32)
    np.testing.assert_array_equal(load(scale_file.read_bytes())(x), 2 + W[None])


@pytest.mark.parametrize("batch", [0, 1, 2, 63, 64])
def test_one_model_takes_every_size_in_its_range(scale_file, batch):
    x = np.random.default_rng(batch).normal(size=(batch, 4)).astype(np.float32)
    np.testing.assert_array_equal(load(scale_file)(x), 2 * x + W)


def test_a_call_that_does_not_fit_is_refused(scale_file):
    model = load(scale_file)
    assert refusal(model, np.zeros((3, 5), np.float32)) == (
        "SW0402: x: expected f32[B,4], got float32 array of shape (3, 5)"
    )
    assert refusal(model, np.zeros((65, 4), np.float32)) == (
        "SW0403: x: expected f32[B,4] with B in 0..64, got float32 array of shape (65, 4)"
    )
    assert refusal(model, np.zeros((3, 4))) == (
        "SW0402: x: expected f32[B,4], got float64 array of shape (3, 4)"
    )
    assert refusal(model, y=1) == (
        "SW0401: scale: there is no argument y\n  signature: scale(x: f32[B,4]) -> f32[B,4]"
    )


def test_many_shapes_are_not_remembered_for_ever(scale_file, monkeypatch):
    monkeypatch.setattr("stepwell.runtime.frames.REMEMBERED", 3)
    model = load(scale_file)
    for batch in range(10):
        assert model(np.zeros((batch, 4), np.float32)).shape == (batch, 4)


def test_results_are_nested_as_the_function_nested_them(make, programs):
    entry = make.entry("absolute", {"x": "i64[]"}, {"y": "i64[]"}, imports=("labs",))
    outputs = Fields({"y": Items("list", (Leaf(0), Leaf(0)))}, "module:Class")
    manifest = make.manifest({"absolute": replace(entry, outputs=outputs)})
    assert Model(manifest, make.object(programs["absolute"]), {})(-3) == {"y": [3, 3]}


def test_functions_of_c_are_called_through_the_table(model):
    labs = model("absolute", {"x": "i64[]"}, {"y": "i64[]"}, imports=("labs",))
    assert labs(-(2**62)) == 2**62


def test_a_function_that_is_not_there_is_named(model):
    inputs = {"x": "i64[]"}, {"y": "i64[]"}
    assert refusal(model, "absolute", *inputs, imports=("frobnicate",)) == (
        "SW0316: the C function frobnicate is not in this process"
    )


def test_code_that_lacks_an_entry_point_is_refused(make, programs):
    manifest = make.manifest({"f": make.entry("f", {}, {})})
    assert refusal(Model, manifest, make.object(programs["scale"]), {}, name="m.well") == (
        "SW0311: m.well: code/baseline.o does not define f"
    )


@pytest.mark.parametrize(
    ("inputs", "results", "sizes", "described"),
    [
        ({"x": "f32[4]"}, {"y": "f32[4]"}, [], "2 and 0"),
        ({"x": "f32[B,4]"}, {}, [SizeRange("B")], "1 and 1"),
        ({"x": "f32[B,4]", "w": "f32[4]", "v": "f32[4]"}, {"y": "f32[4]"}, [], "4 and 0"),
    ],
)
def test_code_that_takes_more_or_less_is_refused(make, programs, inputs, results, sizes, described):
    entry = make.entry("scale", inputs, results, sizes=sizes)
    code = make.object(programs["scale"])
    assert refusal(Model, make.manifest({"f": entry}), code, {}, name="m.well") == (
        "SW0320: m.well: code/baseline.o: scale takes 3 arrays and 1 sizes, and the manifest"
        f" describes {described}"
    )


def test_weights_must_be_what_the_manifest_says(make):
    manifest, members = make.scale()
    code = members["code/baseline.o"]
    key = make.digest(W)
    assert refusal(Model, manifest, code, {}, name="m.well") == (
        "SW0314: m.well: the weights lack w"
    )
    assert refusal(Model, manifest, code, {key: W.astype(np.float64)}, name="m.well") == (
        "SW0314: m.well: w: expected f32[4], got float64 array of shape (4,)"
    )
    assert refusal(Model, manifest, code, {key: W[:3]}, name="m.well") == (
        "SW0314: m.well: w: expected f32[4], got float32 array of shape (3,)"
    )


def test_several_entry_points_are_called_by_name(counter):
    assert refusal(counter, 1) == (
        "SW0416: this model has the entry points up, again\n  help: name one, as in model.up(…)"
    )
    assert list(counter.entries) == ["up", "again"]
    assert counter.up.name == "up"
    with pytest.raises(AttributeError, match="there is no entry point down; there is up, again"):
        _ = counter.down
    assert refusal(counter.__getitem__, "down") == (
        "SW0418: there is no entry point down; there is up, again"
    )


def test_state_passes_from_call_to_call_and_between_entry_points(counter):
    assert counter.state["count"] == 10
    assert [counter.up(5), counter.again(7), counter.up(step=1)] == [15, 22, 23]
    assert dict(counter.state) == {"count": 23}
    counter.state.reset()
    assert counter.up(1) == 11


def test_a_call_that_fails_leaves_the_state(counter):
    counter.up(5)
    assert refusal(counter.up, -1) == "SW0410: up: step must not be negative"
    assert counter.state["count"] == 15


def test_states_may_be_nested(make, counter, programs):
    entries = {
        name: replace(
            entry,
            arguments=(entry.arguments[0], replace(entry.arguments[1], name="c['n']")),
            results=(replace(entry.results[0], state="c['n']"),),
        )
        for name, entry in counter.manifest.entries.items()
    }
    nested = {"c": Nesting(("c['n']",), Fields({"n": Leaf(0)})), "empty": Nesting((), Nothing())}
    first = np.array(10)
    manifest = replace(counter.manifest, entries=entries, states=nested)
    model = Model(manifest, make.object(programs["advance"]), {make.digest(first): first})
    assert dict(model.state) == {"c": {"n": 10}, "empty": None}
    model.up(5)
    assert model.state["c"] == {"n": 15}
    model.state["c"] = {"n": 20}
    assert model.again(1) == 21

    def put(value):
        model.state["c"] = value

    assert refusal(put, {"m": 1}) == "SW0405: c: expected the keys n, got the keys m"
    assert refusal(put, {"n": 1.5}) == "SW0402: c['n']: expected i64[], got float 1.5"


def test_entry_points_that_only_read_a_state_wait_for_none(make, counter, programs):
    up, again = counter.manifest.entries.values()
    look = replace(again, results=(Result("total", make.type("i64[]")),))
    first = np.array(10)
    manifest = replace(counter.manifest, entries={"up": up, "again": look})
    model = Model(manifest, make.object(programs["advance"]), {make.digest(first): first})
    found = []
    with model.state.lock:
        thread = threading.Thread(target=lambda: found.append(model.again(1)))
        thread.start()
        thread.join(timeout=20)
    assert found == [11]
    assert [model.up(5), model.again(1), model.again(1)] == [15, 16, 16]


def test_state_can_be_set_but_not_written_into(counter):
    given = np.array(100)
    counter.state["count"] = given
    given[...] = 0
    assert counter.up(1) == 101
    with pytest.raises(ValueError, match="read-only"):
        counter.state["count"][...] = 5
    total = counter.up(1)
    with pytest.raises(ValueError, match="read-only"):
        total[...] = 5


def test_a_state_that_does_not_fit_is_refused(counter):
    def put(name, value):
        counter.state[name] = value

    assert refusal(put, "cash", 1) == "SW0413: there is no state cash; there is count"
    assert refusal(put, "count", np.zeros(2, np.int64)) == (
        "SW0402: count: expected i64[], got int64 array of shape (2,)"
    )
    assert refusal(put, "count", 1.5) == "SW0402: count: expected i64[], got float 1.5"


def test_models_of_one_file_have_states_of_their_own(make, counter, programs):
    first = np.array(10)
    code = make.object(programs["advance"])
    other = Model(counter.manifest, code, {make.digest(first): first})
    counter.up(1)
    assert other.state["count"] == 10


def test_entry_points_must_agree_on_their_states(make, programs, counter):
    up, again = counter.manifest.entries.values()
    other = replace(again.arguments[1], type=make.type("f64[]"))
    again = replace(again, arguments=(again.arguments[0], other))
    code = make.object(programs["advance"])
    assert refusal(Model, make.manifest({"up": up, "again": again}), code, {}, name="m.well") == (
        "SW0314: m.well: entry points differ in the state count"
    )
    wrong = replace(up, results=(Result("total", make.type("f64[]"), "count"),))
    assert refusal(Model, make.manifest({"up": wrong}), code, {}, name="m.well") == (
        "SW0314: m.well: total is not of the dtype of count"
    )


SHOW = {"x": "f32[N]"}, {"y": "f32[N]"}


def test_compiled_code_prints(make, model, capsys):
    site = Site("print", "x = {}, first {}!", (make.type("f32[N]"), make.type("f32[min(N, 2)]")))
    show = model("show", *SHOW, sizes=[SizeRange("N")], sites=(site,))
    show(np.float32([1, 2, 3]))
    first = capsys.readouterr().out
    assert first.startswith("x = [1. 2. 3.], first [")
    show(np.float32([]))
    assert capsys.readouterr().out == "x = [], first []!\n"


def test_a_print_that_fails_raises_when_the_call_is_over(make, model, monkeypatch, line):
    site = Site("print", "{}", (make.type("f32[N]"),), line)
    show = model("show", *SHOW, sizes=[SizeRange("N")], sites=(site,))

    def full(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("builtins.print", full)
    with pytest.raises(CallError) as caught:
        show(np.float32([1]))
    assert str(caught.value).splitlines()[0] == "SW0411: show: print failed: disk full"
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.where == line


def test_an_interrupt_during_a_print_interrupts(make, model, monkeypatch):
    site = Site("print", "{}", (make.type("f32[N]"),))
    show = model("show", *SHOW, sizes=[SizeRange("N")], sites=(site,))

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.print", interrupt)
    with pytest.raises(KeyboardInterrupt):
        show(np.float32([1]))


def test_a_print_may_call_the_model(make, model, monkeypatch):
    site = Site("print", "{}", (make.type("f32[N]"),))
    show = model("show", *SHOW, sizes=[SizeRange("N")], sites=(site,))
    depth = []

    def nested(*_, **__):
        depth.append(1)
        if len(depth) < 4:
            show(np.float32([len(depth)]))

    monkeypatch.setattr("builtins.print", nested)
    show(np.float32([0]))
    assert len(depth) == 4


def test_an_assertion_shows_the_users_line(make, programs, line):
    entry = make.entry(
        "advance",
        {"step": "i64[]", "count": "i64[]"},
        {"total": "i64[]"},
        sites=(Site("assert", "the step is {negative}", (), line),),
    )
    model = Model(make.manifest({"f": entry}), make.object(programs["advance"]), {})
    assert model(1, 2) == 3
    assert refusal(model, -1, 2).splitlines() == [
        "SW0410: f: the step is {negative}",
        f"  --> {line.file}:2",
        "   |     assert y > 0",
        "   |            ^^^^^",
    ]


def test_an_unknown_failure_is_told(make):
    code = make.object(TAKES.format(0, 0) + "define i32 @f(ptr, ptr, ptr) nounwind { ret i32 1 }")
    model = Model(make.manifest({"f": make.entry("f", {}, {})}), code, {})
    assert refusal(model) == "SW0412: f failed with code 0 at site 0"


def test_a_workspace_that_is_too_large_is_refused(make):
    code = make.object(TAKES.format(1, 1) + "define i32 @f(ptr, ptr, ptr) nounwind { ret i32 0 }")
    entry = make.entry("f", {"x": "u8[N]"}, {}, sizes=[SizeRange("N")])
    target = make.target("t", workspace={"f": Size.parse(f"{2**60}*N")})
    model = Model(replace(make.manifest({"f": entry}), targets=(target,)), code, {})
    model(np.zeros(0, np.uint8))
    assert refusal(model, np.zeros(3, np.uint8)) == (
        f"SW0414: there is no memory for a workspace of {3 * 2**60} bytes"
    )


def test_threads_may_call_one_model(scale_file):
    model = load(scale_file)
    wrong = []

    def work(seed):
        random = np.random.default_rng(seed)
        for _ in range(200):
            x = random.normal(size=(random.integers(65), 4)).astype(np.float32)
            if not np.array_equal(model(x), 2 * x + W):
                wrong.append(seed)

    at_once(8, work)
    assert wrong == []


def test_threads_may_call_a_model_with_state(counter):
    at_once(8, lambda _: [counter.up(1) for _ in range(200)])
    assert counter.state["count"] == 10 + 8 * 200


SPIN = """
@spin.takes = constant [2 x i64] [i64 1, i64 0]
define i32 @spin(ptr %ctx, ptr %args, ptr %sizes) nounwind {
entry:
  %x = load ptr, ptr %args
  br label %again
again:
  %v = load volatile i64, ptr %x
  %go = icmp eq i64 %v, 0
  br i1 %go, label %again, label %done
done:
  ret i32 0
}
"""


def test_calls_release_the_interpreter_and_survive_close(make):
    entry = make.entry("spin", {"x": "i64[1]"}, {})
    model = Model(make.manifest({"spin": entry}), make.object(SPIN), {})
    flag = np.zeros(1, np.int64)
    thread = threading.Thread(target=model, args=(flag,))
    thread.start()
    time.sleep(0.05)
    model.close()
    gc.collect()
    flag[0] = 1
    thread.join(10)
    assert not thread.is_alive()
    assert refusal(model, flag) == "SW0417: spin: the model is closed"


def executable_pages():
    gc.collect()
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if " r-xp " in line]


def test_a_closed_model_frees_its_code(scale_file):
    before = executable_pages()
    with load(scale_file) as model:
        model(np.zeros((1, 4), np.float32))
        assert len(executable_pages()) == len(before) + 1
    assert len(executable_pages()) == len(before)


FORK = """
import os, sys
import numpy as np
from stepwell.runtime import load
model = load(sys.argv[1])
x = np.ones((2, 4), np.float32)
expected = model(x)
child = os.fork()
if child == 0:
    os._exit(0 if np.array_equal(model(x), expected) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def in_a_process(script, path):
    command = [sys.executable, "-c", script, path]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_forked_child_calls_the_model(scale_file):
    assert in_a_process(FORK, scale_file) == "0\n"


ALONE = """
import sys
import stepwell.runtime as runtime
loaded = [name for name in ("xdsl", "llvmlite", "stepwell.compiler") if name in sys.modules]
model = runtime.load(sys.argv[1])
pages = [line for line in open("/proc/self/maps") if " rwx" in line]
print(loaded, pages)
"""


def test_loading_needs_no_compiler_and_keeps_write_xor_execute(scale_file):
    assert in_a_process(ALONE, scale_file) == "[] []\n"
