"""The functions of a module, each translated when it is first linked for some sizes."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias, final

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from stepwell.compiler.dialects.loop.host import FuncOp
from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.types import BufferType
from stepwell.compiler.interpret.loops.memory import mismatch, name_of
from stepwell.compiler.interpret.loops.places import refuse
from stepwell.compiler.interpret.loops.translator import Call, Outside, Rules, Translator
from stepwell.compiler.interpret.loops.values import Value, dtype_of
from stepwell.compiler.interpret.loops.writes import WriteCounts

Function: TypeAlias = KernelOp | FuncOp


@final
class Machine:
    """Links and runs the functions below `root`, usually a module."""

    def __init__(self, rules: Rules, root: Operation, outside: Outside):
        self._rules = rules
        self._outside = outside
        ops = root.body.block.ops if isinstance(root, ModuleOp) else (root,)
        self._functions = {op.sym_name.data: op for op in ops if isinstance(op, Function)}
        self._linked: dict[tuple[str, tuple[tuple[str, int], ...]], Call] = {}

    def link(self, name: str, sizes: Mapping[str, int]) -> Call:
        """The function of this name for these sizes. Raises ValueError if there is none."""
        if name not in self._functions:
            raise ValueError(f"there is no kernel or function @{name}")
        key = name, tuple(sorted(sizes.items()))
        if (call := self._linked.get(key)) is None:
            call = self._linked[key] = self._translate(self._functions[name], sizes)
        return call

    def _translate(self, function: Function, sizes: Mapping[str, int]) -> Call:
        _check_sizes(function, sizes)
        scope = Translator(self._rules, sizes, self._outside, self.link)
        body = scope.body(function.body.block)
        counted = function if self._outside.count_writes else None

        def call(arguments: Sequence[Value]) -> None:
            _check_arguments(function, arguments, scope)
            frame = scope.frame()
            frame.assign(body.arguments, arguments)
            if not isinstance(counted, KernelOp):
                body.run(frame)
                return
            frame.counts = WriteCounts(counted, arguments)
            body.run(frame)
            frame.counts.check()

        return call


def _check_sizes(function: Function, sizes: Mapping[str, int]) -> None:
    for symbol, (low, high) in function.symbols.data:
        if symbol not in sizes:
            raise refuse(function, "SW0283", f"no value was given for {symbol}")
        if sizes[symbol] < low or (high is not None and sizes[symbol] > high):
            range_ = f"{low} or more" if high is None else f"{low} to {high}"
            raise refuse(function, "SW0283", f"{symbol} is {range_}, not {sizes[symbol]}")


def _check_arguments(function: Function, arguments: Sequence[Value], scope: Translator) -> None:
    for parameter, argument in zip(function.arguments, arguments, strict=True):
        type = parameter.type
        if not isinstance(type, BufferType):
            continue
        if reason := mismatch(argument, scope.shape(type.shape), dtype_of(type)):
            raise refuse(function, "SW0284", f"the argument {name_of(parameter)} {reason}")
