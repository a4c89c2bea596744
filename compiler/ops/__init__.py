"""The tensor ops, one class each, gathered into the dialect `nd`."""

from xdsl.ir import Dialect

from stepwell.compiler.dialects.define import ops_of
from stepwell.compiler.dialects.nd import InfoAttr, LiteralAttr, RefAttr, TypesAttr
from stepwell.compiler.dialects.sizes import (
    BindingsAttr,
    IntsAttr,
    NumberAttr,
    SizeAttr,
    SizesAttr,
    SymbolsAttr,
)
from stepwell.compiler.dialects.texts import TextAttr
from stepwell.compiler.ops import (
    binary,
    calls,
    contraction,
    control,
    convolution,
    creation,
    cumulative,
    custom_gradient,
    dynamic_slices,
    effects,
    gathering,
    joining,
    movement,
    reduction,
    scan,
    sorting,
    staging,
    unary,
    while_loop,
    window,
)
from stepwell.compiler.ops.base import TensorOp
from stepwell.compiler.ops.calls import CalleeAttr
from stepwell.compiler.ops.structure import FuncOp, KernelOp, ReturnOp, YieldOp

_MODULES = (
    unary,
    binary,
    movement,
    creation,
    joining,
    reduction,
    contraction,
    convolution,
    window,
    gathering,
    dynamic_slices,
    cumulative,
    sorting,
    control,
    while_loop,
    scan,
    staging,
    custom_gradient,
    calls,
    effects,
)


TENSOR_OPS: list[type[TensorOp]] = [
    op for module in _MODULES for op in ops_of(module.__name__) if issubclass(op, TensorOp)
]
"""The catalogue: a new op is tested by standing here."""

ND = Dialect(
    "nd",
    [*TENSOR_OPS, FuncOp, ReturnOp, YieldOp, KernelOp],
    [
        InfoAttr,
        LiteralAttr,
        RefAttr,
        SizeAttr,
        SizesAttr,
        IntsAttr,
        NumberAttr,
        SymbolsAttr,
        BindingsAttr,
        TypesAttr,
        CalleeAttr,
        TextAttr,
    ],
)
