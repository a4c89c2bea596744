"""Calls: of functions in the same text, with sizes for their symbols, and what is refused."""

import numpy as np
import pytest
from xdsl.context import Context

from derived import batch_of, evaluated, pullback_of, tangent_of
from programs import block_of, compiled, function_of, parsed
from stepwell.compiler.dialects.nd import tensor
from stepwell.compiler.interpret.tensors import run
from stepwell.compiler.ops.calls import Call, Callee
from stepwell.compiler.ops.emission import emit
from stepwell.compiler.ops.structure import FuncOp
from stepwell.compiler.ops.value import Value
from stepwell.compiler.passes.inline import Inline
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size

ROWS = "tensor<?x2xf32, #nd.info<dims = [N, 2]>>"
FLAT = "tensor<?xf32, #nd.info<dims = [2*N]>>"
ANY = "tensor<?xf32, #nd.info<dims = [B]>>"
TEXT = f"""
nd.func @doubled<B: 0>(%x: {ANY}) {{
  %y = nd.add %x, %x : {ANY}
  nd.return %y : {ANY}
}}
nd.func @four<B: 0>(%x: {ANY}) {{
  %y = nd.call @doubled<B = B>(%x) : ({ANY}) -> {ANY}
  %z = nd.call @doubled<B = B>(%y) : ({ANY}) -> {ANY}
  nd.return %z : {ANY}
}}
nd.func @main<N: 0>(%x: {ROWS}) {{
  %flat = nd.reshape %x to <[2*N]> : {ROWS} -> {FLAT}
  %y = nd.call @four<B = 2*N>(%flat) : ({FLAT}) -> {FLAT}
  nd.return %y : {FLAT}
}}
"""


def test_a_call_binds_the_symbols_of_its_callee() -> None:
    module, x = parsed(TEXT), np.arange(6, dtype=np.float32).reshape(3, 2)
    main = next(op for op in module.ops if isinstance(op, FuncOp) and op.sym_name.data == "main")
    (by_reference,) = run(main, [x])
    np.testing.assert_array_equal(by_reference, 4 * x.ravel())
    (by_code,) = compiled(module)["main"].run([x])
    np.testing.assert_array_equal(by_code, 4 * x.ravel())


def test_the_pass_leaves_no_call() -> None:
    module = parsed(TEXT)
    Inline().apply(Context(), module)
    module.verify()
    assert not any(isinstance(op, Call) for op in module.walk())


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        (("@doubled<B: 0>", "@tripled<B: 0>"), "SW0213", "no function doubled"),
        (
            ("nd.call @doubled<B = B>(%x)", "nd.call @four<B = B>(%x)"),
            "SW0214",
            "four calls itself",
        ),
        (("@four<B = 2*N>", "@four<B = N>"), "SW0201", "four takes (f32[N]), not (f32[2*N])"),
    ],
)
def test_calls_that_are_refused(change: tuple[str, str], code: str, sentence: str) -> None:
    with pytest.raises(CompileError) as caught:
        Inline().apply(Context(), parsed(TEXT.replace(*change)))
    assert caught.value.code == code
    assert sentence in caught.value.sentence


def test_private_functions_disappear() -> None:
    module = parsed(TEXT.replace("nd.func @four", "nd.func private @four"))
    assert "nd.func private @four<B: 0>" in str(module)
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    model = compiled(module.clone())
    assert list(model.entries) == ["doubled", "main"]
    np.testing.assert_array_equal(model["main"].run([x])[0], 4 * x.ravel())
    Inline().apply(Context(), module)
    module.verify()
    assert [op.sym_name.data for op in module.ops if isinstance(op, FuncOp)] == ["doubled", "main"]


def test_transforms_of_a_call_with_sizes() -> None:
    """A function of B elements, called for 2*N."""
    size = Size.parse("2*N")
    sine = Callee("sine", function_of(block_of([tensor("f64", (Size.of("B"),))], _sine), "sine"))

    def write(x: Value) -> list[Value]:
        bindings, types = (("B", size),), (x.type,)
        op = emit("call", [x.ssa], callee=sine, bindings=bindings, types=types)
        return [Value(op.results[0])]

    block, x = block_of([tensor("f64", (size,))], write), np.arange(4.0)
    (moved,) = evaluated(tangent_of(block, [True]), [x, x], N=2)
    np.testing.assert_allclose(moved, x * np.cos(x))
    (pulled,) = evaluated(pullback_of(block, [True]), [x, x], N=2)
    np.testing.assert_allclose(pulled, x * np.cos(x))
    batched, flags = batch_of(block, Size.of("S"), [True])
    (values,) = evaluated(batched, [np.stack([x, -x])], N=2, S=2)
    assert flags == (True,)
    np.testing.assert_allclose(values, np.sin(np.stack([x, -x])))


def _sine(x: Value) -> list[Value]:
    return [x.apply("sin")]
