"""The functions of a module, translated when they are first called with some sizes."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, final

import numpy as np
from stepwell.compiler.dialects.loop.host import FuncOp
from stepwell.compiler.dialects.loop.nests import KernelOp, WriteOp
from stepwell.compiler.dialects.loop.types import BufferType
from stepwell.compiler.interpret.loops.frames import Body, Frame
from stepwell.compiler.interpret.loops.memory import mismatch, name_of
from stepwell.compiler.interpret.loops.places import refuse
from stepwell.compiler.interpret.loops.translator import Call, Outside, Rules, Translator
from stepwell.compiler.interpret.loops.values import DType, Value, dtype_of
from xdsl.ir import Operation

Function: TypeAlias = KernelOp | FuncOp
_Key: TypeAlias = tuple[Function, tuple[tuple[str, int], ...]]


@final
class Machine:
    """Runs the functions below `root`, usually a module."""

    def __init__(self, rules: Rules, root: Operation, outside: Outside):
        self._rules = rules
        self._outside = outside
        self._functions = {
            op.sym_name.data: op for op in root.walk() if isinstance(op, Function)
        }
        self._translated: dict[_Key, Call] = {}

    def linked(self, name: str, sizes: Mapping[str, int]) -> Call:
        """The function of this name. Raises ValueError if there is none."""
        if name not in self._functions:
            raise ValueError(f"there is no kernel or function @{name}")
        return self.translated(self._functions[name], sizes)

    def translated(self, function: Function, sizes: Mapping[str, int]) -> Call:
        key = function, tuple(sorted(sizes.items()))
        if (known := self._translated.get(key)) is None:
            known = self._translated[key] = self._translate(function, sizes)
        return known

    def _translate(self, function: Function, sizes: Mapping[str, int]) -> Call:
        _check_symbols(function, sizes)
        scope = Translator(self._rules, sizes, self._outside, self.linked)
        body = scope.body(function.body.block)
        expected = [_expected(argument.type, scope) for argument in function.arguments]
        writes = _write_slots(function, scope) if self._outside.count_writes else None

        def call(arguments: Sequence[Value]) -> None:
            _check_arguments(function, arguments, expected)
            frame = scope.frame()
            frame.assign(body.arguments, arguments)
            ...

        return call
