"""The tensor ops, one class each, gathered into the dialect `nd`."""

from xdsl.ir import Attribute, Dialect

from stepwell.compiler.dialects import nd, sizes, texts
from stepwell.compiler.dialects.define import defined_in
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
    op for module in _MODULES for op in defined_in(module.__name__, TensorOp)
]
"""The catalogue: a new op is tested by standing here."""

ND = Dialect(
    "nd",
    [*TENSOR_OPS, FuncOp, ReturnOp, YieldOp, KernelOp],
    [each for home in (nd, sizes, calls, texts) for each in defined_in(home.__name__, Attribute)],
)
