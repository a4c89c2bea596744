"""The host form: memory, launches, loops over conditions in buffers, and ordered effects."""

from collections.abc import Sequence
from typing import final

import numpy as np
from xdsl.ir import Operation

from stepwell.compiler.dialects.loop.host import (
    AllocOp,
    AssertOp,
    CopyOp,
    CustomOp,
    HostOp,
    LaunchOp,
    ViewOp,
    WhileOp,
)
from stepwell.compiler.interpret.loops.frames import Frame, Step
from stepwell.compiler.interpret.loops.memory import span
from stepwell.compiler.interpret.loops.places import refuse
from stepwell.compiler.interpret.loops.translator import Rule, Translator
from stepwell.compiler.interpret.loops.values import Value, dtype_of, fresh


@final
class SiteError(Exception):
    """An assertion did not hold; `site` is its number in the manifest."""

    def __init__(self, site: int):
        super().__init__(f"the assertion of site {site} does not hold")
        self.site = site


def launch(op: LaunchOp, scope: Translator) -> Step:
    sizes = {symbol: scope.size(size) for symbol, size in op.bindings.data}
    arguments = scope.slots(op.arguments)
    call = scope.link(op.callee.string_value(), sizes)
    return lambda frame: call(frame.read(arguments))


def alloc(op: AllocOp, scope: Translator) -> Step:
    result, dtype = scope.slot(op.result), dtype_of(op.result.type)
    shape = scope.shape(op.result.type.shape)

    def run(frame: Frame) -> None:
        frame[result] = fresh(shape, dtype)

    return run


def view(op: ViewOp, scope: Translator) -> Step:
    """Of other elements than the base's too: a workspace is bytes."""
    base, result = scope.slots((op.base, op.result))
    offset = scope.affine(op.access.data[0], op.indices)
    shape, dtype = scope.shape(op.result.type.shape), dtype_of(op.result.type)
    width = dtype_of(op.base.type).itemsize
    bytes_ = int(np.prod(shape)) * dtype.itemsize

    def run(frame: Frame) -> None:
        memory = frame[base].reshape(-1).view(np.uint8)
        part = span(op, op.base, memory, int(offset(frame)) * width, bytes_)
        frame[result] = part.view(dtype).reshape(shape)

    return run


def copy(op: CopyOp, scope: Translator) -> Step:
    source, target = scope.slots((op.source, op.target))

    def run(frame: Frame) -> None:
        if frame[source].size != frame[target].size:
            raise refuse(op, "SW0284", "the buffers have different numbers of elements")
        frame[target].reshape(-1)[:] = frame[source].reshape(-1)

    return run


def repeat(op: WhileOp, scope: Translator) -> Step:
    """In a nest, where the condition no longer holds for an index, that keeps its values."""
    condition, body = scope.body(op.condition.block), scope.body(op.body.block)
    initial, final = scope.slots(op.initial), scope.slots(op.final)

    def run(frame: Frame) -> None:
        def asked(values: Sequence[Value]) -> tuple[Value, Sequence[Value]]:
            frame.assign(condition.arguments, values)
            holds, *passed = condition.run(frame)
            return holds, passed

        values: Sequence[Value] = frame.read(initial)
        holds, passed = asked(values)
        while np.any(holds):
            frame.assign(body.arguments, (*values, *passed))
            after = body.run(frame)
            pairs = zip(after, values, strict=True)
            values = [np.where(holds, *pair) for pair in pairs] if np.ndim(holds) else after
            holds, passed = asked(values)
        frame.assign(final, values)

    return run


def host(op: HostOp, scope: Translator) -> Step:
    site, arguments, callback = op.site.data, scope.slots(op.arguments), scope.outside.host
    return lambda frame: callback(site, frame.read(arguments))


def asserted(op: AssertOp, scope: Translator) -> Step:
    condition = scope.slot(op.condition)

    def run(frame: Frame) -> None:
        if not frame[condition]:
            raise SiteError(op.site.data)

    return run


def custom(op: CustomOp, scope: Translator) -> Step:
    symbol, arguments = op.symbol.data, scope.slots(op.arguments)
    function = scope.outside.custom.get(symbol)
    if function is None:
        raise refuse(op, "SW0285", f"no Python function was given for the C symbol {symbol}")

    def run(frame: Frame) -> None:
        if status := function(frame.read(arguments), scope.sizes):
            raise refuse(op, "SW0285", f"{symbol} returned {status}")

    return run


HOST_RULES: dict[type[Operation], Rule] = {
    LaunchOp: launch,
    AllocOp: alloc,
    ViewOp: view,
    CopyOp: copy,
    WhileOp: repeat,
    HostOp: host,
    AssertOp: asserted,
    CustomOp: custom,
}
