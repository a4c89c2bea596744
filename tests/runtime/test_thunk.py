"""The thunk under the runtime: which calls it makes, and that they are like those of Python."""

import gc
import os
import sys
import threading
import time
import tracemalloc
import warnings
import weakref
from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest

from at_once import at_once
from stepwell.runtime import Model, artifact, calling, load, results
from stepwell.runtime.entry import Argument, Result, Site, SizeRange
from stepwell.runtime.errors import CallError
from stepwell.runtime.program import Program
from stepwell.runtime.sizes import Size
from stepwell.runtime.tree import Fields, Items, Leaf

W = np.float32([1, 2, 3, 4])
pytestmark = pytest.mark.usefixtures("slow")

X = np.arange(12, dtype=np.float32).reshape(3, 4)
COPY = "define i32 @f(ptr %c, ptr %a, ptr %s) nounwind { ret i32 0 }"
SPIN = """
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


FAILING = """
define i32 @failing(ptr %ctx, ptr %args, ptr %sizes) nounwind {
entry:
  %x = load ptr, ptr %args
  %v = load i64, ptr %x
  %asserts = icmp eq i64 %v, 1
  br i1 %asserts, label %tell, label %done
tell:
  %code = getelementptr i64, ptr %ctx, i64 6
  store i64 1, ptr %code
  %site = getelementptr i64, ptr %ctx, i64 7
  store i64 1, ptr %site
  br label %done
done:
  %failed = icmp ne i64 %v, 0
  %status = zext i1 %failed to i32
  ret i32 %status
}
"""


def telling(entry):
    """What code says of the pointers and sizes that it takes, if it is this entry point's."""
    counts = len(entry.arguments) + len(entry.results), len(entry.sizes)
    return f"@{entry.symbol}.takes = constant [2 x i64] [i64 {counts[0]}, i64 {counts[1]}]\n"


@pytest.fixture
def scale(scale_file):
    """2 x + W for f32[B,4] with B in 0..64, by way of a workspace of 16 B bytes."""
    return load(scale_file)


@pytest.fixture
def add(make, programs):
    """The sum of two i64[], which fails with an assertion if the first is negative."""
    sites = (Site("assert", "step must not be negative"),)
    entry = make.entry(
        "advance", {"step": "i64[]", "count": "i64[]"}, {"total": "i64[]"}, sites=sites
    )
    return Model(make.manifest({"add": entry}), make.object(programs["advance"]), {})


@pytest.fixture
def show(make, programs):
    """Prints a f32[N], and answers anything."""
    site = Site("print", "{}", (make.type("f32[N]"),))
    entry = make.entry(
        "show", {"x": "f32[N]"}, {"y": "f32[N]"}, sites=(site,), sizes=[SizeRange("N")]
    )
    return Model(make.manifest({"show": entry}), make.object(programs["show"]), {})


@pytest.fixture
def idle(make):
    """A model whose code does nothing, with these inputs and results."""

    def idle(inputs, results, **rest):
        entry = make.entry("f", inputs, results, **rest)
        return Model(make.manifest({"f": entry}), make.object(telling(entry) + COPY), {})

    return idle


def contexts(model):
    """The addresses of the contexts that no call is using."""
    (entry,) = model.entries.values()
    return entry._program._contexts.free


def failure(function, *args, **kwargs):
    """The kind and the text of the error of a call."""
    with pytest.raises((CallError, MemoryError, ValueError)) as caught:
        function(*args, **kwargs)
    return type(caught.value), str(caught.value)


# Which calls it makes.


def test_what_python_has_seen_is_called_without_python(scale, slow):
    for _ in range(3):
        np.testing.assert_array_equal(scale(X), 2 * X + W)
        np.testing.assert_array_equal(scale.scale(X[:2]), 2 * X[:2] + W)
        np.testing.assert_array_equal(scale["scale"](X[:0]), X[:0])
    assert len(slow) == 3


def test_a_case_is_for_any_values(scale, slow):
    for seed in range(20):
        x = np.random.default_rng(seed).normal(size=(5, 4)).astype(np.float32)
        np.testing.assert_array_equal(scale(x), 2 * x + W)
    assert len(slow) == 1


def test_so_many_shapes_are_kept(scale, slow):
    for _ in range(3):
        for batch in range(calling.CASES):
            scale(np.zeros((batch, 4), np.float32))
    assert len(slow) == calling.CASES


def test_many_shapes_rarely_take_the_place_of_others(scale, slow, monkeypatch):
    made = []
    case = Program.case
    monkeypatch.setattr(Program, "case", lambda *args: made.append(args) or case(*args))
    for _ in range(10):
        for batch in range(64):
            x = np.full((batch, 4), batch, np.float32)
            np.testing.assert_array_equal(scale(x), 2 * x + W)
    assert len(made) <= calling.CASES + len(slow) / calling.PATIENCE
    for _ in range(calling.PATIENCE + 3):
        scale(X[:0])
    assert len(slow) < 10 * 64
    before = len(slow)
    scale(X[:0])
    assert len(slow) == before


class Subclass(np.ndarray):
    pass


GIVEN = {
    "by name": lambda model, x: model(x=x),
    "transposed": lambda model, x: model(x.T.copy().T),
    "with gaps": lambda model, x: model(np.repeat(x, 2, axis=1)[:, ::2]),
    "not aligned": lambda model, x: model(unaligned(x)),
    "a subclass": lambda model, x: model(x.view(Subclass)),
    "an equal dtype": lambda model, x: model(x.view(np.dtype(np.float32, metadata={"a": 1}))),
}


def unaligned(x):
    return np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape)


@pytest.mark.parametrize("way", GIVEN)
def test_what_is_no_plain_array_is_for_python(scale, slow, way):
    scale(X)
    for _ in range(2):
        np.testing.assert_array_equal(GIVEN[way](scale, X), 2 * X + W)
    assert len(slow) == 3


WRONG = {
    "too few": ((), {}),
    "too many": ((X, X), {}),
    "an unknown name": ((X,), {"y": X}),
    "twice": ((X,), {"x": X}),
    "a dtype": ((X.astype(np.float64),), {}),
    "a byte order": ((X.astype(">f4"),), {}),
    "a rank": ((X[0],), {}),
    "an extent": ((X[:, :3],), {}),
    "a range": ((np.zeros((65, 4), np.float32),), {}),
    "a list": ((X.tolist(),), {}),
    "a number": ((1.0,), {}),
    "none": ((None,), {}),
    "65 arguments": ((X,) * 65, {}),
}


@pytest.mark.parametrize("way", WRONG)
def test_errors_are_those_of_python(scale, way):
    scale(X)
    args, kwargs = WRONG[way]
    entry = scale["scale"]
    assert failure(scale, *args, **kwargs) == failure(entry._called, *args, **kwargs)
    np.testing.assert_array_equal(scale(X), 2 * X + W)


@pytest.mark.parametrize("dtype", [np.bool_, np.int32, np.uint8, np.float16, ml_dtypes.bfloat16])
def test_dtypes_and_arrays_without_axes(idle, slow, dtype):
    name = {"bool": "bool", "int32": "i32", "uint8": "u8", "float16": "f16"}
    text = name.get(np.dtype(dtype).name, "bf16")
    model = idle({"x": f"{text}[]"}, {"y": f"{text}[]"})
    for _ in range(3):
        result = model(np.array(1, dtype))
        assert type(result) is np.ndarray
        assert (result.dtype, result.shape) == (dtype, ())
    assert len(slow) == 1


def test_a_case_is_for_all_its_inputs(idle, slow):
    model = idle({"x": "f32[N]", "y": "i64[M]"}, {}, sizes=[SizeRange("M"), SizeRange("N")])
    x, y = np.zeros(2, np.float32), np.zeros(3, np.int64)
    assert [model(x, y) for _ in range(3)] == [(), (), ()]
    assert len(slow) == 1
    model(x, y[:2])
    assert len(slow) == 2
    assert failure(model, y, x)[0] is CallError
    assert failure(model, x[:, None], y)[0] is CallError


@pytest.mark.parametrize(("inputs", "outputs"), [(64, 1), (65, 1), (1, 64), (1, 65)])
def test_calls_that_are_too_long_are_for_python(idle, slow, inputs, outputs):
    names = {f"x{i}": "u8[2]" for i in range(inputs)}, {f"y{i}": "u8[2]" for i in range(outputs)}
    model = idle(*names)
    for _ in range(3):
        found = model(*[np.zeros(2, np.uint8)] * inputs)
    assert len(found) == max(outputs, 2)
    assert len(slow) == (1 if inputs + outputs == 65 else 3)


def test_states_are_brought_by_python(make, programs, slow, monkeypatch):
    """Each call finds and keeps them there; what computes with them takes them as inputs."""
    computed, run = [], Program.run
    monkeypatch.setattr(Program, "run", lambda *args: computed.append(args) or run(*args))
    first = np.array(10)
    count = Argument("state", "count", make.type("i64[]"), make.digest(first))
    entry = make.entry("advance", {"step": "i64[]"}, {"total": "i64[]"}, others=[count])
    entry = replace(entry, results=(Result("total", make.type("i64[]"), "count"),))
    code, constants = make.object(programs["advance"]), {make.digest(first): first}
    model = Model(make.manifest({"f": entry}), code, constants)
    assert [model(np.array(1)).item() for _ in range(3)] == [11, 12, 13]
    assert (len(slow), len(computed)) == (3, 1)
    model.close()
    assert failure(model, np.array(1))[0] is CallError


def test_what_ends_behind_a_close_is_forgotten(make, slow):
    first = np.array(10)
    count = Argument("state", "count", make.type("i64[]"), make.digest(first))
    entry = make.entry("spin", {"x": "i64[1]"}, {}, others=[count])
    code, constants = make.object(telling(entry) + SPIN), {make.digest(first): first}
    model = Model(make.manifest({"spin": entry}), code, constants)
    flag = np.zeros(1, np.int64)
    thread = threading.Thread(target=model, args=(flag,))
    thread.start()
    time.sleep(0.05)
    model.close()
    flag[0] = 1
    thread.join(10)
    assert failure(model, flag) == (CallError, "SW0417: spin: the model is closed")


def test_what_is_overwritten_is_for_python(make, programs, slow):
    entry = make.entry("f", {"x": "u8[2]"}, {"y": "u8[2]"})
    target = make.target("t", workspace={"f": Size.of(0)}, overwrites={"f": ((0, 0),)})
    manifest = replace(make.manifest({"f": entry}), targets=(target,))
    model, x = Model(manifest, make.object(telling(entry) + COPY), {}), np.zeros(2, np.uint8)
    assert all(model(x) is x for _ in range(3))
    assert len(slow) == 3


# What they answer.


def test_results_are_nested(make, slow):
    entry = make.entry("f", {"x": "u8[2]"}, {"y": "u8[2]", "z": "i64[3]"})
    shapes = {
        "tuple": Items("tuple", (Leaf(0), Leaf(1))),
        "list": Items("list", (Leaf(1), Leaf(0))),
        "dict": Fields({"a": Leaf(0), "b": Items("tuple", (Leaf(1),))}),
    }
    entries = {name: replace(entry, outputs=outputs) for name, outputs in shapes.items()}
    code, x = make.object(telling(entry) + COPY), np.zeros(2, np.uint8)
    model = Model(make.manifest(entries), code, {})
    for _ in range(3):
        first, second = model["tuple"](x)
        assert (first.shape, second.shape) == ((2,), (3,))
        assert [each.shape for each in model["list"](x)] == [(3,), (2,)]
        found = model["dict"](x)
        assert (found["a"].dtype, found["b"][0].dtype) == (np.uint8, np.int64)
    assert len(slow) == 3
    arrays = [weakref.ref(first), weakref.ref(found["a"])]
    del first, found
    assert [array() for array in arrays] == [None, None]


def test_large_results_use_memory_again(idle, slow, monkeypatch):
    monkeypatch.setattr(results, "LARGE", 1 << 20)
    model, x = idle({"x": "u8[2]"}, {"y": "u8[2097152]"}), np.zeros(2, np.uint8)
    model(x)
    first = model(x).__array_interface__["data"][0]
    assert model(x).__array_interface__["data"][0] == first
    assert len(slow) == 1


def test_a_larger_workspace_is_made_by_python(make, slow, tmp_path):
    manifest, members = make.scale()
    target = replace(manifest.targets[0], workspace={"scale": Size.parse("65536*B")})
    artifact.write(tmp_path / "m.well", replace(manifest, targets=(target,)), members)
    model = load(tmp_path / "m.well")
    for batch in 1, 1, 40, 40, 1:
        x = np.ones((batch, 4), np.float32)
        np.testing.assert_array_equal(model(x), 2 * x + W)
    assert (len(slow), len(contexts(model))) == (2, 1)
    contexts(model).clear()
    for batch in 1, 40, 40, 1:
        x = np.ones((batch, 4), np.float32)
        np.testing.assert_array_equal(model(x), 2 * x + W)
    # Of the last four, the first had no context, and the second one that was too small.
    assert (len(slow), len(contexts(model))) == (4, 1)


def test_what_is_made_in_vain_goes(idle, slow, monkeypatch):
    kept = []

    def make(shape, dtype):
        kept.append(weakref.ref(array := np.empty(shape, dtype)))
        return array

    monkeypatch.setattr("stepwell.runtime.program.maker", lambda *_: make)
    model, x = idle({"x": "u8[2]"}, {"y": "u8[2]"}), np.zeros(2, np.uint8)
    model(x)
    contexts(model).clear()
    model(x)
    assert (len(slow), len(kept), kept[0]()) == (2, 1, None)


# Errors, once a case is known.


def test_code_that_fails_raises_once(add, slow):
    one, two, minus = np.array(1), np.array(2), np.array(-1)
    assert add(one, two) == 3
    for _ in range(3):
        assert failure(add, minus, two) == (CallError, "SW0410: add: step must not be negative")
    assert add(one, two) == 3
    assert (len(slow), len(contexts(add))) == (1, 1)


def test_an_error_is_not_that_of_the_last_call(make, slow):
    entry = make.entry("failing", {"x": "i64[]"}, {}, sites=(Site("assert", "wrong"),) * 2)
    model = Model(make.manifest({"f": entry}), make.object(telling(entry) + FAILING), {})
    model(np.array(0))
    assert failure(model, np.array(1)) == (CallError, "SW0410: f: wrong")
    assert failure(model, np.array(2)) == (CallError, "SW0412: f failed with code 0 at site 0")
    assert len(slow) == 1


def test_a_print_that_fails_raises(show, slow, monkeypatch, capsys):
    show(W)
    show(W)
    assert capsys.readouterr().out == "[1. 2. 3. 4.]\n" * 2

    def full(*_, **__):
        raise OSError("disk full")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("builtins.print", full)
        assert failure(show, W) == (CallError, "SW0411: show: print failed: disk full")
        patch.setattr("builtins.print", interrupt)
        with pytest.raises(KeyboardInterrupt):
            show(W)
    show(W)
    assert (len(slow), len(contexts(show))) == (1, 1)


def test_errors_of_results_are_raised(idle, slow, monkeypatch):
    kept = []

    def some(shape, dtype):
        kept.append(weakref.ref(array := np.empty(shape, dtype)))
        return array

    def none(shape, dtype):
        raise MemoryError("no more")

    monkeypatch.setattr("stepwell.runtime.program.maker", lambda shape, _: none if shape else some)
    model, x = idle({"x": "u8[2]"}, {"y": "u8[]", "z": "u8[2]"}), np.zeros(2, np.uint8)
    model(x)
    for _ in range(3):
        assert failure(model, x) == (MemoryError, "no more")
    assert (len(slow), len(contexts(model)), len(kept)) == (1, 1, 3)
    assert all(each() is None for each in kept)


def test_an_error_of_the_nesting_is_raised(idle, slow):
    model, x = idle({"x": "u8[2]"}, {"y": "u8[2]", "z": "u8[2]"}), np.zeros(2, np.uint8)

    def rebuild(leaves):
        raise ValueError(len(leaves))

    model["f"]._rebuild = rebuild
    for _ in range(3):
        assert failure(model, x) == (ValueError, "2")
    assert len(contexts(model)) == 1


# References.


def test_nothing_is_kept_or_lost(scale, add, show, slow, monkeypatch):
    monkeypatch.setattr("builtins.print", lambda *_, **__: None)
    one, two, minus, half = np.array(1), np.array(2), np.array(-1), X[::2]
    counted = [X, one, two, minus, half, X.dtype, one.dtype, None, False, np.empty, np.ndarray]
    counted += [scale["scale"].function, add["add"].function, *contexts(show), calling.ALONE]

    def calls(count):
        for _ in range(count):
            scale(X), scale(half), add(one, two), show(X[0])
            failure(add, minus, two)

    calls(5)
    counted += [contexts(scale)[0], contexts(add)[0], contexts(show)[0]]
    gc.collect()
    before = [sys.getrefcount(each) for each in counted]
    calls(200)
    slow.clear()
    gc.collect()
    after = [sys.getrefcount(each) for each in counted]
    changes = [a - b for a, b in zip(after, before, strict=True)]
    assert max(map(abs, changes)) < 20, changes


def test_memory_does_not_grow(scale, slow):
    def calls(count):
        for _ in range(count):
            scale(X)

    tracemalloc.start()
    try:
        calls(10)
        before = tracemalloc.get_traced_memory()[0]
        calls(2000)
        assert tracemalloc.get_traced_memory()[0] - before < 2000
    finally:
        tracemalloc.stop()


def test_a_result_is_the_callers(scale):
    results = [weakref.ref(scale(X)) for _ in range(3)]
    assert [each() for each in results] == [None] * 3
    counts = [sys.getrefcount(scale(X)) for _ in range(3)]
    assert counts == [1, 1, 1]


def test_a_model_goes_with_its_last_reference(scale_file):
    gc.collect()
    gc.disable()
    try:
        model = load(scale_file)
        for _ in range(3):
            model(X)
        entry, program = weakref.ref(model["scale"]), weakref.ref(model["scale"]._program)
        del model
        assert (entry(), program()) == (None, None)
    finally:
        gc.enable()


def test_a_case_may_be_forgotten_while_it_runs(show, slow, monkeypatch):
    cases, held = [], []

    def forget(*_, **__):
        calls = show["show"]._calls
        cases.extend(map(weakref.ref, calls._known.values()))
        calls.forget()
        held.extend(case() is not None for case in cases)

    show(W)
    monkeypatch.setattr("builtins.print", forget)
    assert show(W).shape == W.shape
    assert (held, cases[0](), len(slow), len(contexts(show))) == ([True], None, 1, 1)
    assert show(W).shape == W.shape
    assert len(slow) == 2


# Threads, forks and ends.


def test_callers_compute_side_by_side(show, slow, monkeypatch):
    """Two calls are inside compiled code at once: each has a context, and neither the GIL."""
    show(W)
    meeting = threading.Barrier(2, timeout=20)
    monkeypatch.setattr("builtins.print", lambda *_, **__: meeting.wait())
    for _ in range(3):
        others = threading.Thread(target=show, args=(W,))
        others.start()
        show(W)
        others.join()
    # The first time there was one context only.
    assert (len(slow), len(contexts(show))) == (2, 2)


def test_threads_may_learn_and_forget(scale):
    wrong = []

    def work(seed):
        random = np.random.default_rng(seed)
        for _ in range(500):
            x = random.normal(size=(random.integers(30), 4)).astype(np.float32)
            if not np.array_equal(scale(x), 2 * x + W):
                wrong.append(seed)

    at_once(6, work)
    assert wrong == []


def test_calls_release_the_gil_and_survive_close(make, slow):
    entry = make.entry("spin", {"x": "i64[1]"}, {})
    model = Model(make.manifest({"spin": entry}), make.object(telling(entry) + SPIN), {})
    model(np.ones(1, np.int64))
    flag = np.zeros(1, np.int64)
    thread = threading.Thread(target=model, args=(flag,))
    thread.start()
    time.sleep(0.05)
    model.close()
    gc.collect()
    flag[0] = 1
    thread.join(10)
    assert not thread.is_alive()
    assert failure(model, flag) == (CallError, "SW0417: spin: the model is closed")


def test_a_child_may_call(scale):
    scale(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
        child = os.fork()
    if child == 0:
        right = [np.array_equal(scale(x), 2 * x + W) for x in (X, X[:1], X[:1])]
        os._exit(0 if all(right) else 1)
    assert os.waitpid(child, 0)[1] == 0
