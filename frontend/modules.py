"""What is compiled together: traced functions, and those that they call."""

from collections.abc import Iterable, Mapping

from xdsl.dialects.builtin import ModuleOp, StringAttr

from stepwell.compiler.ops.calls import Callee, CalleeAttr, calls_in
from stepwell.compiler.ops.structure import NUMERICS, FuncOp

STRICT = "strict"
"""The numerics of functions without the attribute."""


def with_callees(functions: Iterable[FuncOp]) -> list[FuncOp]:
    """Functions, and behind them all that are called in them, each once."""
    found = dict.fromkeys(functions)
    waiting = list(found)
    while waiting:
        called = [call.function() for call in calls_in(waiting.pop(0))]
        new = [each for each in dict.fromkeys(called) if each not in found]
        found.update(dict.fromkeys(new))
        waiting += new
    return list(found)


def named(functions: Iterable[FuncOp]) -> dict[FuncOp, str]:
    """Functions, whose names stay, and those that they call, by names that differ."""
    names: dict[FuncOp, str] = {}
    taken: set[str] = set()
    for function in with_callees(functions):
        name, number = function.sym_name.data, 0
        while name in taken:
            number += 1
            name = f"{function.sym_name.data}_{number}"
        names[function] = name
        taken.add(name)
    return names


def module_of(names: Mapping[FuncOp, str], numerics: str = STRICT) -> ModuleOp:
    """Copies of functions by these names in one module, of these numerics."""
    copies = [_copy(function, names) for function in names]
    if numerics != STRICT:
        for function in copies:
            function.attributes[NUMERICS] = StringAttr(numerics)
    return ModuleOp(copies)


def _copy(function: FuncOp, names: Mapping[FuncOp, str]) -> FuncOp:
    result = function.clone()
    result.properties["sym_name"] = StringAttr(names[function])
    for call in calls_in(result):
        call.properties["callee"] = CalleeAttr(Callee(names[call.function()]))
    return result
