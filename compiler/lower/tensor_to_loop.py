"""From the tensor to the loop level: tensors become buffers, kernels nests, functions host code."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, SymbolRefAttr
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from stepwell.compiler.dialects.construct import construct
from stepwell.compiler.dialects.loop.host import FuncOp as LoopFunc
from stepwell.compiler.dialects.loop.host import LaunchOp
from stepwell.compiler.dialects.loop.nests import KernelOp as LoopKernel
from stepwell.compiler.dialects.loop.sites import SITES, SiteAttr
from stepwell.compiler.dialects.nd import RefAttr, Weight
from stepwell.compiler.dialects.sizes import BindingsAttr, NumberAttr
from stepwell.compiler.lower.joined_folds import structure
from stepwell.compiler.lower.nests import lower_kernel, symbols_of
from stepwell.compiler.ops.base import Role, TensorOp
from stepwell.compiler.ops.creation import WeightOp
from stepwell.compiler.ops.host import Host, buffer_of
from stepwell.compiler.ops.structure import DONATED, NUMERICS, FuncOp, KernelOp, ReturnOp, YieldOp
from stepwell.runtime.sizes import Size

CONSTANTS = "constants"
"""The attribute of a `loop.func` with the weights among its arguments, in order."""


@dataclass(frozen=True)
class TensorToLoop(ModulePass):
    """The pass; equal kernels are lowered once."""

    name = "tensor-to-loop"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        functions = [each for each in op.ops if isinstance(each, FuncOp)]
        lowering = Lowering({each.sym_name.data for each in functions})
        lowered = [lowering.function(each) for each in functions]
        op.body.detach_block(op.body.block)
        op.body.add_block(Block([*lowering.kernels, *lowered]))


class Lowering:
    """The state of lowering one module: its kernels so far, by their structure."""

    def __init__(self, taken: Collection[str]) -> None:
        """`taken` are the names of the module's functions."""
        self.kernels: list[LoopKernel] = []
        self._known: dict[object, LoopKernel] = {}
        self._taken = taken

    def function(self, function: FuncOp) -> LoopFunc:
        """Arguments are the function's, then its weights, then its results."""
        weights = _weights(function.body.block)
        returned = function.returned
        inputs = function.body.block.args
        types = [buffer_of(value.type) for value in (*inputs, *weights.values(), *returned)]
        block = Block(arg_types=types)
        for argument, input in zip(block.args, inputs, strict=False):
            argument.name_hint = input.name_hint
        sites: list[SiteAttr] = []
        host = Host(block, function.location, sites, self._block)
        results = block.args[len(inputs) + len(weights) :]
        self._weights = dict(zip(weights, block.args[len(inputs) :], strict=False))
        self._ranges, self._numerics = function.symbols.ranges, function.attributes.get(NUMERICS)
        self._block(host, function.body.block, block.args[: len(inputs)], results)
        properties: dict[str, Attribute] = {
            "sym_name": function.sym_name,
            "symbols": function.symbols,
            "outputs": NumberAttr(len(returned)),
        }
        regions = [Region(block)]
        result = construct(LoopFunc, (), (), properties, function.location, regions=regions)
        if sites:
            result.attributes[SITES] = ArrayAttr(sites)
        if DONATED in function.attributes:
            result.attributes[DONATED] = function.attributes[DONATED]
        if weights:
            result.attributes[CONSTANTS] = ArrayAttr(map(RefAttr, weights))
        return result

    def _block(
        self,
        host: Host,
        block: Block,
        arguments: Sequence[SSAValue],
        results: Sequence[SSAValue],
    ) -> None:
        """Lowers the ops of a block; what it ends with goes into the result buffers."""
        buffers: dict[SSAValue, SSAValue] = dict(zip(block.args, arguments, strict=True))
        last = block.last_op
        assert isinstance(last, ReturnOp | YieldOp)
        direct: dict[SSAValue, SSAValue] = {}
        for value, target in zip(last.values, results, strict=True):
            direct.setdefault(value, target)
        for op in block.ops:
            host.location = op.location
            if isinstance(op, WeightOp):
                buffers[op.result] = self._weights[op.value.data]
            elif op is not last:
                targets = [
                    direct[result] if result in direct else host.alloc(buffer_of(result.type))
                    for result in op.results
                ]
                self._op(host, op, [buffers[operand] for operand in op.operands], targets)
                buffers.update(zip(op.results, targets, strict=True))
        for value, target in zip(last.values, results, strict=True):
            if buffers[value] is not target:
                host.copy(buffers[value], target)

    def _op(
        self, host: Host, op: Operation, operands: Sequence[SSAValue], targets: Sequence[SSAValue]
    ) -> None:
        if isinstance(op, KernelOp):
            self._launch(host, op, [*operands, *targets])
            return
        assert isinstance(op, TensorOp)
        op.lower(host, operands, targets)

    def _launch(self, host: Host, kernel: KernelOp, arguments: Sequence[SSAValue]) -> None:
        callee = self._kernel(kernel)
        symbols = callee.symbols.data
        bindings = BindingsAttr(tuple((symbol, Size.of(symbol)) for symbol, _ in symbols))
        name = SymbolRefAttr(callee.sym_name)
        host.write(LaunchOp, arguments, (), {"callee": name, "bindings": bindings})

    def _kernel(self, kernel: KernelOp) -> LoopKernel:
        """The loop kernel for a tensor kernel: an equal one if there is one.

        Of sizes in other ranges it is another kernel, which may have to expect that one is 0; and
        of other numerics.
        """
        block, ranges = kernel.body.block, self._ranges
        within = ((symbol, ranges.get(symbol)) for symbol in symbols_of(block))
        key = structure(block, {}), self._numerics, *within
        if key not in self._known:
            name = f"{_title(kernel)}_{len(self.kernels)}"
            while name in self._taken:
                name += "_"
            self._known[key] = lower_kernel(kernel, name, ranges)
            if self._numerics is not None:
                self._known[key].attributes[NUMERICS] = self._numerics
            self.kernels.append(self._known[key])
        return self._known[key]


def _title(kernel: KernelOp) -> str:
    """The name of the op that says most about a kernel: what it folds, or what it ends with."""
    ops = [op for op in kernel.body.block.ops if isinstance(op, TensorOp)]
    chief = max(reversed(ops), key=lambda op: 0 if op.ROLE is Role.OPAQUE else op.ROLE.value)
    return chief.name.removeprefix("nd.")


def _weights(block: Block) -> dict[Weight, SSAValue]:
    """The weights of a function, those in regions of its ops included."""
    weights: dict[Weight, SSAValue] = {}
    for op in block.walk():
        if isinstance(op, WeightOp):
            weights.setdefault(op.value.data, op.result)
    return weights
