"""From a module of the llvm dialect to LLVM IR text: modules, globals and functions.

Values are numbered as they are in the printed module, constants stand where they are used, and a
block's arguments become phi nodes. What has no text is an error: nothing is left out silently.
"""

from collections.abc import Iterator, Mapping

from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    IntegerAttr,
    ModuleOp,
    StringAttr,
    UnitAttr,
)
from xdsl.dialects.llvm import FuncOp, GlobalOp
from xdsl.ir import Attribute, Operation

from stepwell.compiler.targets.llvm_constants import constant_text, quoted, symbol
from stepwell.compiler.targets.llvm_instruction_text import CONSTANTS, WRITERS, Writer
from stepwell.compiler.targets.llvm_scope import Scope, Types
from stepwell.runtime.errors import CompileError

ALWAYS = 'nounwind "no-builtins"'
"""What holds of every function: nothing is thrown, and no loop becomes a call of memcpy or memset."""

PROMISES = {
    "llvm.noalias": "noalias",
    "llvm.readonly": "readonly",
    "llvm.writeonly": "writeonly",
    "llvm.nocapture": "captures(none)",
    "llvm.nonnull": "nonnull",
    "llvm.noundef": "noundef",
    "llvm.signext": "signext",
    "llvm.zeroext": "zeroext",
}
"""Parameter attributes that are there or not."""

MEASURES = {"llvm.align": "align {}", "llvm.dereferenceable": "dereferenceable({})"}
"""Parameter attributes with a number."""

FUNCTION_FLAGS = {
    "no_inline": "noinline",
    "no_unwind": "nounwind",
    "optimize_none": "optnone",
    "always_inline": "alwaysinline",
}
FUNCTION_STRINGS = {"target_cpu": "target-cpu", "tune_cpu": "tune-cpu"}
VISIBILITY = ("", "hidden ", "protected ")
UNNAMED = ("", "local_unnamed_addr ", "unnamed_addr ")


def module_text(module: ModuleOp) -> str:
    """The module as LLVM IR: functions and globals, with a target where the module states one."""
    types = Types()
    parts = [*_target(module)]
    for op in module.body.block.ops:
        match op:
            case FuncOp():
                parts.append(_function(types, op))
            case GlobalOp():
                parts.append(_global(types, op))
            case _:
                raise CompileError("SW0250", f"{op.name} has no place in a module of LLVM IR")
    return "".join(parts)


def _target(module: ModuleOp) -> Iterator[str]:
    for name, keyword in (("llvm.data_layout", "datalayout"), ("llvm.target_triple", "triple")):
        if isinstance(value := module.attributes.get(name), StringAttr):
            yield f"target {keyword} = {quoted(value.data)}\n"


def _global(types: Types, op: GlobalOp) -> str:
    if op.body.blocks:
        raise CompileError("SW0250", f"the global @{op.sym_name.data} is initialised by a region")
    _refuse_unknown(op, GLOBAL_PROPERTIES)
    value = op.value
    words = [
        op.linkage.linkage.data if value is not None or op.linkage.linkage.data != "external" else "",
    ]
    raise NotImplementedError
