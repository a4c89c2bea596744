"""Calls of compiled and jitted functions: the thunk's are like those of Python."""

import ctypes
import functools
import gc
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

import stepwell as sw
import stepwell.numpy as xp
from at_once import at_once
from stepwell import compiling, entry_points
from stepwell.effects import assert_
from stepwell.runtime import pool, system
from stepwell.runtime.errors import StepwellError

X = np.float32([1, 2, 3])


@pytest.fixture(autouse=True)
def slow(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The arguments of the users' calls that were made in Python."""
    calls: list[Any] = []
    _count(monkeypatch, entry_points.EntryPoint, calls)
    _count(monkeypatch, compiling._Jitted, calls)
    return calls


def _count(monkeypatch: pytest.MonkeyPatch, kind: Any, calls: list[Any]) -> None:
    called = kind._called

    @functools.wraps(called)
    def counted(self: object, *arguments: Any, **named: Any) -> Any:
        if sys._getframe(2).f_code.co_name != "of_leaves":
            calls.append((arguments, named))
        return called(self, *arguments, **named)

    monkeypatch.setattr(kind, "_called", counted)


def twice(x: Any) -> Any:
    return x + x


def both(x: Any, y: Any) -> Any:
    return x + y, x * y


WAYS = {
    "compile": lambda: sw.compile(twice, "f32[N]"),
    "entry": lambda: sw.compile({"f": (twice, "f32[N]"), "g": (both, "f32[2]", "f32[2]")})["f"],
    "jit": lambda: sw.jit(twice),
}


@pytest.fixture(params=WAYS)
def program(request: pytest.FixtureRequest) -> Any:
    return WAYS[request.param]()


def test_arrays_of_both_kinds_are_called_without_python(program: Any, slow: list[Any]) -> None:
    for given in (X, sw.Array(X), X * 2, xp.asarray(X) * 3):
        for _ in range(2):
            result = program(given)
            assert type(result) is sw.Array
            assert not result.traced
            assert not result.weak
            np.testing.assert_array_equal(result, 2 * np.asarray(given))
    assert len(slow) == 1
    assert repr(program(X)) == "Array([2., 4., 6.], f32)"


def test_the_first_program_of_a_process_brings_the_thunk(
    slow: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_process", type(pool._process)())
    jitted = sw.jit(twice)
    for _ in range(3):
        np.testing.assert_array_equal(jitted(X), 2 * X)
    assert len(slow) == 1


def test_results_are_arguments(program: Any, slow: list[Any]) -> None:
    x = X
    for _ in range(5):
        x = program(x)
    np.testing.assert_array_equal(x, 32 * X)
    assert len(slow) == 1


def test_other_arguments_are_for_python(program: Any, slow: list[Any]) -> None:
    program(X)
    for given in (X[::-1], np.repeat(X, 2)[::2], X.view(type("Sub", (np.ndarray,), {}))):
        np.testing.assert_array_equal(program(given), 2 * np.asarray(given))
    np.testing.assert_array_equal(program(x=X), 2 * X)
    assert len(slow) == 5


def test_errors_point_at_the_user(program: Any) -> None:
    program(X)
    for wrong in ((), (X, X), ("text",), (None,)):
        with pytest.raises((StepwellError, TypeError)):
            program(*wrong)
    with pytest.raises(StepwellError) as caught:
        program([X, "text"])
    assert caught.value.where is not None
    assert caught.value.where.file == __file__


def test_a_traced_array_is_for_python(slow: list[Any]) -> None:
    program = sw.compile(twice, "f32[N]")
    program(X)
    with pytest.raises(StepwellError, match="SW0102"):
        sw.jit(lambda x: program(x))(X)
    assert len(slow) == 3


def test_a_jitted_function_is_traced_within_another(slow: list[Any]) -> None:
    inner = sw.jit(twice)
    inner(X)
    seen: list[type] = []

    def outer(x: Any) -> Any:
        seen.append(type(inner(X)))  # as if it were not jitted
        return inner(x) + inner(X)

    np.testing.assert_array_equal(sw.jit(outer)(X), 4 * X)
    assert seen == [np.ndarray]
    assert len(slow) == 2


def test_programs_of_a_jitted_function_share_a_thunk(slow: list[Any]) -> None:
    program = sw.jit(both)
    given = [
        (X, X),
        (X[:2], X[:2]),
        (X.astype(np.float64), X),
        (np.float32(X[:1])[:, None], X),
    ]
    for _ in range(3):
        for x, y in given:
            total, product = program(x, y)
            np.testing.assert_array_equal(total, x + y)
            np.testing.assert_array_equal(product, x * y)
    assert len(slow) == len(given)


def test_pythons_numbers_have_programs_of_their_own(slow: list[Any]) -> None:
    program = sw.jit(both)
    settled, weak = np.float64(1).reshape(()), 1.0
    for _ in range(2):
        assert program(X, np.asarray(settled))[0].dtype == "f64"
        assert program(X, weak)[0].dtype == "f32"
        assert program(X, np.asarray(settled))[0].dtype == "f64"
    assert len(slow) == 3


def test_a_weak_array_is_for_python(slow: list[Any]) -> None:
    weak = sw.Array(np.asarray(2.0), weak=True)
    program = sw.jit(both)
    for _ in range(2):
        assert program(X, np.asarray(2.0))[0].dtype == "f64"
        assert program(X, weak)[0].dtype == "f32"
    assert len(slow) == 3


class Pair(NamedTuple):
    total: Any
    product: Any


NESTED: dict[str, Callable[[Any, Any], Any]] = {
    "tuple": lambda a, b: (a, b),
    "single": lambda a, b: (a,),
    "list": lambda a, b: [a, b],
    "dict": lambda a, b: {"b": b, "a": (a, None)},
    "named": Pair,
}


@pytest.mark.parametrize("how", NESTED)
@pytest.mark.parametrize("compiled", [True, False])
def test_results_are_nested(how: str, compiled: bool, slow: list[Any]) -> None:
    def function(x: Any, y: Any) -> Any:
        return NESTED[how](x + y, x * y)

    program: Any = sw.compile(function, "f32[N]", "f32[N]") if compiled else sw.jit(function)
    expected = sw.nested.flatten(NESTED[how](2 * X, X * X))
    for _ in range(3):
        leaves, structure = sw.nested.flatten(program(X, X))
        assert structure == expected[1]
        for leaf, wanted in zip(leaves, expected[0], strict=True):
            np.testing.assert_array_equal(leaf, wanted)
    assert len(slow) == 1


@pytest.mark.parametrize("count", [2, 70])
def test_nested_arguments_are_taken_apart_in_python(
    slow: list[Any], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = sw.jit(lambda given, factor: {"sum": sum(given, 0.0) * factor})
    runs: list[Any] = []
    run = entry_points.EntryPoint.run
    monkeypatch.setattr(
        entry_points.EntryPoint, "run", lambda *given: runs.append(given) or run(*given)
    )
    for _ in range(3):
        result = program([X] * count, 3.0)
        np.testing.assert_array_equal(result["sum"], 3 * count * X)
    assert len(slow) == 3
    # The program of the leaves is a case of its thunk, if they are few.
    assert len(runs) == (1 if count == 2 else 3)


def test_an_assertion_points_at_the_users_line(slow: list[Any]) -> None:
    def checked(x: Any) -> Any:
        assert_(xp.all(x > 0), "not positive")
        return x

    program = sw.jit(checked)
    program(X)
    for _ in range(2):
        with pytest.raises(StepwellError, match="not positive") as caught:
            program(-X)
        assert caught.value.where is not None
        assert "assert_(" in str(caught.value)
    np.testing.assert_array_equal(program(X), X)
    assert len(slow) == 1


def test_a_c_function_that_fails_points_at_the_call(
    slow: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [0, 0, 1, 0]
    kind = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p)
    function = kind(lambda arrays, sizes: answers.pop(0))
    address, addresses = ctypes.cast(function, ctypes.c_void_p).value or 0, system.addresses

    def found(symbols: Sequence[str], *library: ctypes.CDLL) -> list[int]:
        return [address] if list(symbols) == ["mine"] else addresses(symbols, *library)

    monkeypatch.setattr(system, "addresses", found)
    program = sw.compile(lambda x: sw.custom_call("mine", x, results="f32[3]"), "f32[3]")
    program(X)
    program(X)
    with pytest.raises(StepwellError, match="the C function mine failed") as caught:
        program(X)
    assert "|     program(X)" in str(caught.value)
    program(X)
    assert (len(slow), answers) == (1, [])


def test_references_are_exact(program: Any, slow: list[Any]) -> None:
    x, held = X.copy(), sw.Array(X)
    counted = [x, held, held.value, sw.Array, x.dtype]
    program(x)
    slow.clear()

    def counts() -> Iterator[int]:
        gc.collect()
        return (sys.getrefcount(each) for each in counted)

    before, shared = list(counts()), sys.getrefcount(None)
    for _ in range(300):
        program(x)
        program(held)
    assert list(counts()) == before
    assert abs(sys.getrefcount(None) - shared) < 100
    result = program(x)
    assert sys.getrefcount(result) == sys.getrefcount(sw.Array(x))
    value = weakref.ref(result.value)
    del result
    assert value() is None


def test_a_function_goes_with_its_last_reference() -> None:
    def function(x: Any) -> Any:
        return x + 1

    gc.collect()
    gc.disable()
    try:
        jitted, compiled = sw.jit(function), sw.compile(function, "f32[N]")
        for _ in range(3):
            jitted(X)
            compiled(X)
        entry = compiled["function"]
        gone = weakref.ref(compiled)
        del compiled
        assert gone() is None
        np.testing.assert_array_equal(entry(X), X + 1)
        np.testing.assert_array_equal(entry(X[:1]), X[:1] + 1)
        inside = weakref.ref(entry)
        del entry
        assert inside() is None
        del jitted
    finally:
        gc.enable()


def test_threads_may_make_the_first_calls() -> None:
    program, wrong = sw.jit(twice), list[int]()

    def work(seed: int) -> None:
        random = np.random.default_rng(seed)
        for _ in range(100):
            x = random.normal(size=random.integers(1, 4)).astype(np.float32)
            if not np.array_equal(program(x), 2 * x):
                wrong.append(seed)

    at_once(4, work)
    assert wrong == []
