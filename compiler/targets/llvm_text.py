"""From a module of the llvm dialect to LLVM IR text: modules, globals and functions.

Values are numbered as they are in the printed module, constants stand where they are used, and a
block's arguments become phi nodes. What has no text is an error: nothing is left out silently.
"""

from collections.abc import Container, Iterator, Sequence
from typing import cast

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr, UnitAttr
from xdsl.dialects.llvm import (
    FramePointerKindAttr,
    FuncOp,
    GlobalOp,
    LinkageAttr,
    TargetFeaturesAttr,
)
from xdsl.ir import Attribute, Block, Operation

from stepwell.compiler.dialects.construct import result_of
from stepwell.compiler.targets.llvm_constants import constant_text, quoted, symbol
from stepwell.compiler.targets.llvm_families import number
from stepwell.compiler.targets.llvm_instruction_text import CONSTANTS, WRITERS, Writer
from stepwell.compiler.targets.llvm_memory_text import NONTEMPORAL, ONE
from stepwell.compiler.targets.llvm_scope import Scope, Texts
from stepwell.runtime.errors import CompileError

ALWAYS = 'nounwind "no-builtins" "reciprocal-estimates"="none"'
"""True of every function: it throws nothing, no loop becomes a call of memcpy or memset, and 1 / √x
is no estimate of LLVM's, which would be NaN for 0 and infinity wherever quotients need not be the
nearest float."""

PROMISES = {
    "llvm.noalias": "noalias",
    "llvm.readonly": "readonly",
    "llvm.nocapture": "captures(none)",
}
"""Parameter attributes; none has a number."""

FUNCTION_FLAGS = {
    "no_inline": "noinline",
    "optimize_none": "optnone",
    "always_inline": "alwaysinline",
}
FUNCTION_STRINGS = {"target_cpu": "target-cpu", "tune_cpu": "tune-cpu"}
KERNEL = "nvvm.kernel"
"""MLIR's attribute of a function that a host launches on a GPU."""
VISIBILITY = ("", "hidden ", "protected ")
UNNAMED = ("", "local_unnamed_addr ", "unnamed_addr ")


def module_text(module: ModuleOp) -> str:
    """The module as LLVM IR: functions and globals, with a target where the module states one."""
    texts = Texts()
    parts = [*_target(module)]
    for op in module.body.block.ops:
        match op:
            case FuncOp():
                parts.append(_function(texts, op))
            case GlobalOp():
                parts.append(_global(texts, op))
            case _:
                raise CompileError("SW0250", f"{op.name} has no place in a module of LLVM IR")
    if any(NONTEMPORAL in part for part in parts):
        parts.append(ONE)
    return "".join(parts)


def _target(module: ModuleOp) -> Iterator[str]:
    for name, keyword in (("llvm.data_layout", "datalayout"), ("llvm.target_triple", "triple")):
        if isinstance(value := module.attributes.get(name), StringAttr):
            yield f"target {keyword} = {quoted(value.data)}\n"


def _global(texts: Texts, op: GlobalOp) -> str:
    name = op.sym_name.data
    if op.body.blocks:
        raise CompileError("SW0250", f"the global @{name} is initialised by a region")
    _refuse_unknown(op, f"the global @{name}", GLOBAL_PROPERTIES)
    kind = texts[op.global_type]
    given = "" if op.linkage.linkage.data == "external" else " undef"
    value = given if op.value is None else f" {constant_text(op.value, op.global_type)}"
    space = op.addr_space.value.data
    words = (
        f"{op.linkage.linkage.data} " if op.value is None else _linkage(op.linkage),
        VISIBILITY[number(op, "visibility_")],
        "thread_local " if op.thread_local_ else "",
        UNNAMED[number(op, "unnamed_addr")],
        f"addrspace({space}) " if space else "",
        "constant " if op.constant else "global ",
    )
    section = f", section {quoted(op.section.data)}" if op.section else ""
    alignment = f", align {op.alignment.value.data}" if op.alignment else ""
    return f"{symbol(name)} = {''.join(words)}{kind}{value}{section}{alignment}\n"


def _function(texts: Texts, op: FuncOp) -> str:
    _refuse_unknown(op, f"the function @{op.sym_name.data}", FUNCTION_PROPERTIES)
    entry = op.body.blocks.first
    return _declaration(texts, op) if entry is None else _definition(Scope(texts, entry), op)


def _declaration(texts: Texts, op: FuncOp) -> str:
    inputs = [f"{texts[t]}{_promised(op, i)}" for i, t in enumerate(op.function_type.inputs)]
    linkage = op.linkage.linkage.data
    weak = f"{linkage} " if linkage != "external" else ""
    return f"declare {weak}{_signature(texts, op, inputs)}nounwind\n"


def _definition(scope: Scope, op: FuncOp) -> str:
    work = _named(scope, op)
    inputs = [
        f"{scope.texts[argument.type]}{_promised(op, i)} {scope.name(argument)}"
        for i, argument in enumerate(scope.entry.args)
    ]
    head = f"define {_linkage(op.linkage)}{_signature(scope.texts, op, inputs)}"
    return f"{head}{ALWAYS}{_function_attributes(op)} {{\n{_body(scope, work)}}}\n"


def _signature(texts: Texts, op: FuncOp, inputs: list[str]) -> str:
    convention = "ptx_kernel" if KERNEL in op.attributes else op.CConv.cconv_name
    words = (
        VISIBILITY[number(op, "visibility_")],
        f"{convention} " if convention != "ccc" else "",
        "".join([f"{word} " for word in _promises(op.res_attrs, 0)]),
        texts[op.function_type.output],
    )
    everything = ", ".join([*inputs, "..."] if op.function_type.is_variadic else inputs)
    unnamed = UNNAMED[number(op, "unnamed_addr")]
    return f"{''.join(words)} {symbol(op.sym_name.data)}({everything}) {unnamed}"


def _linkage(linkage: LinkageAttr) -> str:
    """Of what the object defines: it is `dso_local`, so its code reaches it without a table."""
    name = linkage.linkage.data
    return "dso_local " if name == "external" else f"{name} dso_local "


Work = list[tuple[Block, list[tuple[Writer, Operation]]]]


def _named(scope: Scope, function: FuncOp) -> Work:
    """Name all values and blocks, since a use may precede its definition in the text."""
    work: Work = []
    for block in function.body.blocks:
        scope.name_block(block)
        for argument in block.args:
            scope.define(argument)
            if block is not scope.entry and block.first_use is None:
                scope.names[id(argument)] = "poison"  # in a block that is never reached
        writers: list[tuple[Writer, Operation]] = []
        for op in block.ops:
            kind = type(op)
            if op.attributes:
                _refuse_unknown(op, op.name, op.properties)
            if (constant := CONSTANTS.get(kind)) is not None:
                scope.stand_in(result_of(op), constant(op))
                continue
            for result in op.results:
                scope.define(result)
            writer = WRITERS.get(kind)
            if writer is None:
                raise CompileError("SW0250", f"{op.name} has no text in LLVM IR")
            writers.append((writer, op))
        work.append((block, writers))
    return work


def _body(scope: Scope, work: Work) -> str:
    written: list[tuple[Block, str]] = []
    for block, writers in work:
        scope.label = scope.labels[id(block)]
        lines = "".join([f"  {write(scope, op)}\n" for write, op in writers])
        written.append((block, lines))
    parts: list[str] = []
    for block, lines in written:
        parts.append(f"{scope.labels[id(block)]}:\n")
        if block is not scope.entry and block.first_use is not None:
            parts += [scope.phi(argument) for argument in block.args]
        parts.append(lines)
    return "".join(parts + scope.trampolines)


def _function_attributes(op: FuncOp) -> str:
    words: list[str] = []
    for name, value in (op.properties | op.attributes).items():
        if name in FUNCTION_FLAGS:
            words.append(FUNCTION_FLAGS[name])
        elif name in FUNCTION_STRINGS and isinstance(value, StringAttr):
            words.append(f"{quoted(FUNCTION_STRINGS[name])}={quoted(value.data)}")
        elif name == "passthrough":
            words += [_passed_through(attribute) for attribute in _elements(value)]
        elif isinstance(value, TargetFeaturesAttr):
            features = ",".join(feature.data for feature in value.features)
            words.append(f'"target-features"={quoted(features)}')
        elif isinstance(value, FramePointerKindAttr):
            words.append(f'"frame-pointer"={quoted(value.data.value)}')
    return "".join([f" {word}" for word in words])


def _passed_through(attribute: Attribute) -> str:
    """An attribute of LLVM's that MLIR does not know: a keyword, or a pair of strings."""
    strings = [part.data for part in _elements(attribute) if isinstance(part, StringAttr)]
    if len(strings) == 1 and strings[0].isidentifier():
        return strings[0]
    return "=".join(map(quoted, strings))


def _elements(attribute: Attribute) -> Sequence[Attribute]:
    """The elements of an array, or the attribute alone."""
    if isinstance(attribute, ArrayAttr):
        return cast(ArrayAttr[Attribute], attribute).data
    return (attribute,)


def _promised(op: FuncOp, index: int) -> str:
    """What callers promise of a parameter, with a blank before each word."""
    return "".join([f" {word}" for word in _promises(op.arg_attrs, index)])


def _promises(attributes: ArrayAttr[DictionaryAttr] | None, index: int) -> Iterator[str]:
    if attributes is None:
        return
    for name, value in attributes.data[index].data.items():
        if name not in PROMISES or not isinstance(value, UnitAttr):
            raise CompileError("SW0250", f"{name} = {value} is no attribute of a parameter")
        yield PROMISES[name]


def _refuse_unknown(op: Operation, what: str, known: Container[str]) -> None:
    """An attribute with a dialect's prefix may be discarded; one without it is part of the op."""
    for name in (*op.attributes, *op.properties):
        if name not in known and "." not in name:
            raise CompileError("SW0250", f"{what}: the attribute {name} has no text in LLVM IR")


GLOBAL_PROPERTIES = GlobalOp.get_irdl_definition().properties
FUNCTION_PROPERTIES = {*FuncOp.get_irdl_definition().properties, *FUNCTION_FLAGS, "dso_local"}
