"""Effects happen once, in their order: eagerly, compiled, transformed, and from a saved file."""

import ctypes
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stepwell
import stepwell.runtime
from programs import parsed
from stepwell import Array, assert_, checkpoint, cond, custom_gradient, grad, jvp, scan, spec, vmap
from stepwell.array import apply, asarray
from stepwell.compiler.pipeline import STAGES
from stepwell.compiling import compile, jit
from stepwell.runtime import system
from stepwell.runtime.errors import CallError, CompileError

X = np.array([1.0, 3.0], np.float32)


def total(x: Array) -> Array:
    return apply("reduce_sum", x, axes=(0,))


def talkative(x: Array) -> Array:
    stepwell.print("x is {}, its sum {:.2f}", x, total(x))

    def loud(y: Array) -> Array:
        stepwell.print("large {{}}")
        return y

    def step(so_far: Array, element: Array) -> tuple[Array, Array]:
        stepwell.print("{} and {}", so_far, element)
        return so_far + element, so_far

    cond(total(x) > 2, loud, lambda y: y, x)
    scan(step, asarray(0.0, "f32"), x)
    assert_(x < 50, "x is too large")
    return total(x * x)


SAID = "x is [1. 3.], its sum 4.00\nlarge {}\n0.0 and 1.0\n1.0 and 3.0\n"


@pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "compiled"])
@pytest.mark.parametrize("transform", [lambda f: f, grad], ids=["plain", "gradient"])
def test_effects_happen_in_order_though_nobody_uses_a_result(
    run: Any, transform: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    run(transform(talkative))(asarray(X))
    assert capfd.readouterr().out == SAID


def test_a_saved_program_has_its_effects(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "talkative.well"
    compile(talkative, spec("f32[B]")).save(path)
    with stepwell.runtime.load(path) as model:
        assert model.manifest.entries["talkative"].effects
        assert model(X) == 10
        assert capfd.readouterr().out == SAID
        with pytest.raises(CallError) as caught:
            model(np.array([60.0], np.float32))
    assert str(caught.value).startswith("SW0410: talkative: x is too large\n  --> ")
    assert 'assert_(x < 50, "x is too large")' in str(caught.value)


@pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "compiled"])
def test_an_assertion_names_the_line(run: Any) -> None:
    with pytest.raises(CallError) as caught:
        run(talkative)(asarray(X * 100))
    assert caught.value.code == "SW0410"
    assert caught.value.where is not None
    assert Path(caught.value.where.file).name == Path(__file__).name


@pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "compiled"])
def test_a_batch_is_printed_at_once(run: Any, capfd: pytest.CaptureFixture[str]) -> None:
    def f(x: Array) -> Array:
        stepwell.print("{:.1f}", x)
        assert_(x > 0)
        return x

    run(vmap(f))(asarray(X))
    assert capfd.readouterr().out == "[1.0 3.0]\n"
    with pytest.raises(CallError, match="SW0410"):
        run(vmap(f))(asarray(-X))


@pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "compiled"])
def test_what_is_computed_again_does_not_speak_again(
    run: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    def f(x: Array) -> Array:
        stepwell.print("once")
        return total(x * x)

    def in_a_branch(x: Array) -> Array:
        return cond(total(x) > total(x) - 1, f, total, x)

    for function in (f, in_a_branch):
        run(grad(checkpoint(function)))(asarray(X))
        assert capfd.readouterr().out == "once\n"


def test_a_text_has_a_place_for_each_value() -> None:
    with pytest.raises(CompileError, match=r"one \{\} for each of 1 operands"):
        stepwell.print("{} {}", asarray(1.0))


@pytest.fixture
def calls() -> list[int]:
    """The lengths that the C function was called with."""
    return []


@pytest.fixture
def triple(calls: list[int], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A C function that multiplies by 3, and refuses arrays of 13 elements."""

    def multiply(arrays: int, sizes: int) -> int:
        (length,) = (ctypes.c_int64 * 1).from_address(sizes)
        calls.append(length)
        source, target = (ctypes.c_int64 * 2).from_address(arrays)
        floats = ctypes.c_float * length
        values = [3 * value for value in floats.from_address(source)]
        floats.from_address(target)[:] = values
        return int(length == 13)

    kind = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p)
    function = kind(multiply)
    address = ctypes.cast(function, ctypes.c_void_p).value
    addresses = system.addresses

    def found(symbols: Sequence[str], *library: ctypes.CDLL) -> list[int]:
        if "triple" in symbols:
            return [address or 0 for _ in symbols]
        return addresses(symbols, *library)

    monkeypatch.setattr(system, "addresses", found)
    yield "triple"
    del function


@pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "compiled"])
def test_a_c_function_is_called(run: Any, triple: str) -> None:
    def f(x: Array) -> Array:
        return stepwell.custom_call(triple, x, results="f32[2]")

    np.testing.assert_array_equal(run(f)(asarray(X)).value, 3 * X)
    batch = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.testing.assert_array_equal(run(vmap(f))(asarray(batch)).value, 3 * batch)


def test_a_c_function_that_fails(triple: str) -> None:
    program = compile(lambda x: stepwell.custom_call(triple, x, results="f32[B]"), spec("f32[B]"))
    np.testing.assert_array_equal(program(X).value, 3 * X)
    with pytest.raises(CallError) as caught:
        program(np.ones(13, np.float32))
    assert caught.value.code == "SW0412"
    assert caught.value.sentence == "main: the C function triple failed"
    with pytest.raises(CallError, match="the C function triple failed"):
        stepwell.custom_call(triple, np.ones(13, np.float32), results="f32[13]")


def test_a_c_function_has_the_derivative_that_it_is_given(triple: str) -> None:
    def f(x: Array) -> Array:
        return stepwell.custom_call(triple, x, results="f32[2]")

    with pytest.raises(CompileError) as caught:
        grad(lambda x: total(f(x)))(asarray(X))
    assert caught.value.code == "SW0212"
    known = custom_gradient(lambda x: (f(x), lambda g: g * 3))
    gradient = jit(grad(lambda x: total(known(x))))(asarray(X))
    np.testing.assert_array_equal(gradient.value, [3, 3])


def test_all_derivatives_of_a_c_function_follow_from_its_pullback(triple: str) -> None:
    """The rule says that its slope is x, which the function in C does not have."""

    @custom_gradient
    def ruled(x: Array) -> tuple[Array, Any]:
        return stepwell.custom_call(triple, x, results="f32[2]"), lambda g: g * x

    def energy(x: Array) -> Array:
        return total(ruled(x) * ruled(x))

    x, v = asarray(X), asarray(np.array([2, 5], np.float32))
    for run in (lambda f: f, jit):
        value, slope = run(lambda x: jvp(ruled, (x,), (v,)))(x)
        np.testing.assert_array_equal(value.value, 3 * X)
        np.testing.assert_array_equal(slope.value, X * v.value)
        np.testing.assert_array_equal(run(grad(energy))(x).value, 6 * X * X)
        second = 2 * X * X + 6 * X
        for order in (
            grad(lambda x: total(grad(energy)(x) * v)),
            grad(lambda x: jvp(energy, (x,), (v,))[1]),
            lambda x: jvp(grad(energy), (x,), (v,))[1],
        ):
            np.testing.assert_allclose(run(order)(x).value, second * v.value, rtol=1e-6)
        batch = asarray(np.stack([X, 2 * X]))
        found = run(vmap(lambda x: jvp(ruled, (x,), (v,))[1]))(batch)
        np.testing.assert_array_equal(found.value, batch.value * v.value)


def test_a_pullback_in_c_has_a_forward_mode_by_a_rule_of_its_own(triple: str) -> None:
    def f(x: Array) -> Array:
        return stepwell.custom_call(triple, x, results="f32[2]")

    alone = custom_gradient(lambda x: (f(x), f))
    transposed = custom_gradient(lambda g: (f(g), f))
    x, v = asarray(X), asarray(np.ones(2, np.float32))
    for function in (alone, custom_gradient(lambda x: (f(x), transposed))):
        np.testing.assert_array_equal(grad(lambda x: total(function(x)))(x).value, [3, 3])
    moved = jvp(custom_gradient(lambda x: (f(x), transposed)), (x,), (v,))[1]
    np.testing.assert_array_equal(moved.value, [3, 3])
    with pytest.raises(CompileError) as caught:
        jvp(alone, (x,), (v,))
    assert caught.value.code == "SW0216"
    assert caught.value.sentence == (
        "forward mode of custom_gradient is its pullback transposed,"
        " where the C function triple has no derivative"
    )


def test_a_c_function_with_a_rule_is_called_once(calls: list[int], triple: str) -> None:
    @custom_gradient
    def ruled(x: Array) -> tuple[Array, Any]:
        y = stepwell.custom_call(triple, x, results="f32[2]")
        return y, lambda g: g * y

    for order in (
        lambda x: jvp(ruled, (x,), (x,))[1],
        grad(lambda x: total(ruled(x))),
        grad(lambda x: total(grad(lambda x: total(ruled(x)))(x))),
        lambda x: jvp(grad(lambda x: total(ruled(x))), (x,), (x,))[1],
    ):
        calls.clear()
        jit(order)(asarray(X))
        assert len(calls) == 1


def test_a_c_function_that_is_not_there() -> None:
    with pytest.raises(stepwell.runtime.errors.LoadError, match="SW0316"):
        stepwell.custom_call("stepwell_has_no_such_function", asarray(X), results="f32[2]")


def test_any_text_is_read_back_from_a_dump() -> None:
    text = 'ü → "{}" \\ 文\n'

    def told(x: Array) -> Array:
        stepwell.print(text, x)
        assert_(x.sum() < 9, text)
        return x

    program = compile(told, "f32[3]")
    for stage, _ in STAGES:
        dump = program.ir(stage)
        assert str(parsed(dump)).strip() == dump.partition("\n")[2].strip()


def test_values_are_printed_without_a_text(capfd: pytest.CaptureFixture[str]) -> None:
    stepwell.print(np.float32(2), np.int64(3))
    assert capfd.readouterr().out == "2.0 3\n"
