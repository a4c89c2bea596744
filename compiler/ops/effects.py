"""Ordered effects: printing, asserting, and calling a C function."""

import ctypes
from collections.abc import Sequence

import numpy as np
from xdsl.dialects.builtin import StringAttr, TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    prop_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect

from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.loop.host import AssertOp, CustomOp, HostOp
from stepwell.compiler.dialects.nd import (
    Tensor,
    TypesAttr,
    dtype_of,
    numpy_dtype,
    shape_of,
    text_of,
)
from stepwell.compiler.dialects.texts import TextAttr
from stepwell.compiler.ops.base import Array, Effect, concrete, expect, refusal
from stepwell.compiler.ops.host import Host
from stepwell.compiler.ops.regions import written
from stepwell.compiler.ops.scan import slice_of
from stepwell.compiler.ops.value import Value, again, emitted
from stepwell.runtime import system
from stepwell.runtime.entry import filled, placeholders
from stepwell.runtime.errors import CallError, CompileError
from stepwell.runtime.sizes import Size


@irdl_op_definition
class Print(Effect):
    """Prints a text with each operand in the place of a `{}`, which may hold a format: `{:.3f}`."""

    name = "nd.print"
    arguments = var_operand_def(TensorType)
    text = prop_def(TextAttr)
    traits = traits_def(MemoryWriteEffect())
    assembly_format = "$text (`(` $arguments^ `)`)? attr-dict (`:` type($arguments)^)?"

    @classmethod
    def infer(cls, *arguments: Tensor, text: str) -> Sequence[Tensor]:
        if placeholders(text) != [""] * len(arguments):
            raise refusal(
                cls,
                f"the text {text!r} has not one {{}} for each of {len(arguments)} operands",
                "write {{ and }} for braces that are printed",
            )
        return []

    def reference(self, *operands: Array) -> tuple[Array, ...]:
        print(filled(self.text.data, operands), flush=True)
        return ()

    def lower(self, h: Host, operands: Sequence[SSAValue], results: Sequence[SSAValue]) -> None:
        types = [argument.type for argument in self.arguments]
        h.write(HostOp, operands, (), {"site": h.site("print", self.text.data, types)})


@irdl_op_definition
class Assert(Effect):
    """Ends the call with an error of this text unless all elements of the condition are true.

    It is lowered for one element: `simplify` makes one of all.
    """

    name = "nd.assert"
    condition = operand_def(TensorType)
    text = prop_def(TextAttr)
    traits = traits_def(MemoryWriteEffect())
    assembly_format = "$condition `,` $text attr-dict `:` type($condition)"

    @classmethod
    def infer(cls, condition: Tensor, *, text: str) -> Sequence[Tensor]:
        expect(dtype_of(condition) == "bool", cls, f"the condition is {text_of(condition)}")
        return []

    def reference(self, *operands: Array) -> tuple[Array, ...]:
        if not operands[0].all():
            raise CallError("SW0410", self.text.data, where=source_line(self.location))
        return ()

    def lower(self, h: Host, operands: Sequence[SSAValue], results: Sequence[SSAValue]) -> None:
        site = h.site("assert", self.text.data, ())
        h.write(AssertOp, [h.truth(operands[0])], (), {"site": site})


@irdl_op_definition
class Custom(Effect):
    """Calls the C function `int32 symbol(void** arrays, int64* sizes)`, which returns 0.

    The arrays are the operands, then the results, dense and row-major; `sizes` are the sizes of all
    their axes, one after the other. The function must be in the process that runs the program.
    """

    name = "nd.custom"
    arguments = var_operand_def(TensorType)
    symbol = prop_def(StringAttr)
    types = prop_def(TypesAttr)
    outputs = var_result_def(TensorType)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = (
        "$symbol `(` $arguments `)` `gives` $types attr-dict"
        " `:` functional-type($arguments, $outputs)"
    )

    @classmethod
    def infer(cls, *arguments: Tensor, symbol: str, types: tuple[Tensor, ...]) -> Sequence[Tensor]:
        expect(symbol.isidentifier(), cls, f"{symbol!r} is no name of a C function")
        return types

    def reference(self, *operands: Array) -> tuple[Array, ...]:
        results = [
            np.zeros(concrete(shape_of(type)), numpy_dtype(dtype_of(type)))
            for type in self.types.data
        ]
        arrays = [*map(np.ascontiguousarray, operands), *results]
        sizes = [extent for array in (*operands, *results) for extent in array.shape]
        (address,) = system.addresses([self.symbol.data])
        function = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p)(address)
        pointers = (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))
        if function(pointers, (ctypes.c_int64 * len(sizes))(*sizes)):
            raise CallError("SW0412", f"the C function {self.symbol.data} failed")
        return tuple(results)

    def lower(self, h: Host, operands: Sequence[SSAValue], results: Sequence[SSAValue]) -> None:
        h.write(CustomOp, [*operands, *results], (), {"symbol": self.symbol})

    def missing(self, method: str, purpose: str) -> CompileError:
        """It lacks derivatives, which only its user can know."""
        return CompileError(
            "SW0212",
            f"the C function {self.symbol.data} has no derivative",
            hint="give it one with custom_gradient",
            where=source_line(self.location),
        )

    def batched(self, size: Size, on: Sequence[bool], *operands: Value) -> Sequence[Value]:
        """One call after the other."""
        fixed = [x for x, flag in zip(operands, on, strict=True) if not flag]
        slices = [x for x, flag in zip(operands, on, strict=True) if flag]

        def call(arguments: list[Value]) -> list[Value]:
            shared, own = iter(arguments[: len(fixed)]), iter(arguments[len(fixed) :])
            given = [next(own if flag else shared) for flag in on]
            return again(self, *given)

        types = [*(x.type for x in fixed), *(slice_of(x.type) for x in slices)]
        counts = {"constants": len(fixed), "carried": 0, "length": size, "reverse": 0}
        return emitted("scan", [*fixed, *slices], [written(types, call)], **counts)
