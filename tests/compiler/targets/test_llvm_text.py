"""Everything of the llvm dialect has a text or an error; nothing is dropped."""

import pytest
from xdsl.context import Context
from xdsl.dialects import llvm as upstream
from xdsl.dialects import test as unknown
from xdsl.dialects.builtin import Builtin, ModuleOp, StringAttr, UnitAttr
from xdsl.ir import Block
from xdsl.parser import Parser

from stepwell.compiler.dialects.llvm import LLVM, OURS
from stepwell.compiler.dialects.llvm.types import f32, i1, i64, vector
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.targets.llvm_instruction_text import CONSTANTS, WRITERS
from stepwell.compiler.targets.llvm_text import module_text
from stepwell.runtime.errors import CompileError

TEXTLESS = {"llvm.func", "llvm.mlir.global"}
"""Written by `module_text` itself."""


def text_of(source: str) -> str:
    context = Context()
    for dialect in (Builtin, LLVM, unknown.Test):
        context.load_dialect(dialect)
    return module_text(Parser(context, source).parse_module())


def refused(source: str, sentence: str) -> None:
    with pytest.raises(CompileError, match=sentence):
        text_of(source)


def test_every_op_of_the_dialect_has_a_text() -> None:
    known = WRITERS.keys() | CONSTANTS.keys()
    missing = {op.name for op in LLVM.operations if op not in known} - TEXTLESS
    assert not missing
    assert set(OURS) <= known
    assert not {op for op in known if op not in set(LLVM.operations)}


def test_an_unknown_op_is_an_error() -> None:
    b = LlvmBuilder.define("f")
    b.block.add_op(unknown.TestOp())
    b.ret()
    with pytest.raises(CompileError, match=r"SW0250: test\.op has no text in LLVM IR"):
        module_text(ModuleOp([b.function]))
    with pytest.raises(CompileError, match=r"SW0250: test\.op has no place in a module"):
        module_text(ModuleOp([unknown.TestOp()]))


def test_an_unknown_attribute_is_an_error() -> None:
    refused("llvm.func @f() attributes {convergent} { llvm.return }", "the attribute convergent")
    refused(
        "llvm.func @f(%p: !llvm.ptr {llvm.byval}) { llvm.return }",
        "llvm.byval = unit is no attribute of a parameter",
    )
    refused(
        "llvm.func @f(%p: !llvm.ptr) {\n"
        "  %0 = llvm.load %p {tbaa = [1]} : !llvm.ptr -> i32\n  llvm.return\n}",
        "llvm.load: the attribute tbaa has no text",
    )


def test_every_property_of_functions_and_globals_has_a_text() -> None:
    """These are all that upstream's have; `no_unwind` is true of every function."""
    shared = {"sym_name", "linkage", "visibility_", "unnamed_addr"}
    flags = {"no_inline", "no_unwind", "optimize_none"}
    strings = {"target_cpu", "target_features", "tune_cpu", "frame_pointer", "passthrough"}
    signature = {"function_type", "CConv", "sym_visibility", "arg_attrs", "res_attrs"}
    place = {"alignment", "addr_space", "section", "dso_local", "thread_local_"}
    functions = upstream.FuncOp.get_irdl_definition().properties
    assert functions.keys() == shared | flags | strings | signature
    variables = upstream.GlobalOp.get_irdl_definition().properties
    assert variables.keys() == shared | place | {"global_type", "constant", "value"}


def test_a_dialect_may_leave_its_marks() -> None:
    assert "define" in text_of('llvm.func @f() attributes {my.mark = "x"} { llvm.return }')


@pytest.mark.parametrize(
    ("type", "sentence"),
    [
        ("index", "SW0251: LLVM has no type index"),
        ("ui8", "SW0251: LLVM has no type ui8"),
        ("vector<2x2xf32>", "SW0251: LLVM has no type vector<2x2xf32>"),
        ("vector<[4]xf32>", "SW0251: LLVM has no type vector"),
        ('!llvm.struct<"name", (i32)>', "SW0251: LLVM has no type"),
    ],
)
def test_a_type_that_llvm_lacks_is_an_error(type: str, sentence: str) -> None:
    refused(
        f"llvm.func @f(%p: !llvm.ptr) {{\n"
        f"  %0 = llvm.load %p : !llvm.ptr -> {type}\n  llvm.return\n}}",
        sentence,
    )


def test_a_branch_to_the_entry_is_an_error() -> None:
    b = LlvmBuilder.define("f")
    b.br(b.entry)
    with pytest.raises(CompileError, match="SW0252: a branch to the entry block"):
        module_text(ModuleOp([b.function]))


def test_an_unreachable_block_needs_no_phi() -> None:
    b = LlvmBuilder.define("f", (), i64)
    b.ret(1)
    block = b.enter(Block(arg_types=[i64]))
    b.ret(block.args[0])
    assert "bb1:\n  ret i64 poison\n" in module_text(ModuleOp([b.function]))


def test_a_use_may_stand_before_its_definition() -> None:
    b = LlvmBuilder.define("f", [i64], i64)
    first, second = Block(), Block()
    b.br(second)
    b.enter(first)
    b.enter(second)
    value = b.add(b.arguments[0], 1)
    b.br(first)
    b.block = first
    b.ret(value)
    assert "bb1:\n  ret i64 %2\nbb2:\n  %2 = add i64 %0, 1" in module_text(ModuleOp([b.function]))


def test_symbols_and_strings_are_quoted() -> None:
    b = LlvmBuilder.define('odd "name"')
    b.ret()
    assert r'@"odd \22name\22"()' in module_text(ModuleOp([b.function]))
    assert 'c"a\\0A\\00"' in text_of(
        'llvm.mlir.global internal constant @s("a\\0A\\00") {addr_space = 0 : i32}'
        " : !llvm.array<3 x i8>"
    )


def test_a_module_may_state_its_target() -> None:
    module = ModuleOp([], {"llvm.target_triple": StringAttr("x86_64-unknown-linux-gnu")})
    assert module_text(module) == 'target triple = "x86_64-unknown-linux-gnu"\n'


def test_attributes_of_functions() -> None:
    b = LlvmBuilder.define("f", attributes=["cold", ("a", "b"), "no-jump-tables"])
    b.function.properties["tune_cpu"] = StringAttr("znver4")
    b.function.properties["target_features"] = upstream.TargetFeaturesAttr(
        upstream.ArrayAttr([StringAttr("+avx2"), StringAttr("-fma")])
    )
    b.function.properties["no_inline"] = UnitAttr()
    b.function.properties["optimize_none"] = UnitAttr()
    b.ret()
    head = module_text(ModuleOp([b.function])).splitlines()[0]
    for word in (
        "noinline",
        "optnone",
        'cold "a"="b" "no-jump-tables"',
        '"tune-cpu"="znver4"',
        '"target-features"="+avx2,-fma"',
    ):
        assert word in head


@pytest.mark.parametrize("flags", ["nnan", "reassoc,nnan,ninf,nsz,arcp,contract,afn", "none"])
def test_fast_math_flags_stand_in_order(flags: str) -> None:
    text = text_of(
        "llvm.func @f(%x: f32) -> f32 {\n"
        f"  %0 = llvm.fadd %x, %x {{fastmathFlags = #llvm.fastmath<{flags}>}} : f32\n"
        "  llvm.return %0 : f32\n}"
    )
    words = {"nnan": " nnan", "none": ""}.get(flags, " fast")
    assert f"fadd{words} float" in text


def test_numbers_keep_every_bit() -> None:
    b = LlvmBuilder.define("f", [f32, vector(f32, 2), i1], f32)
    x, v, _ = b.arguments
    for number in (0.1, -0.0, float("inf"), float("nan"), 1e-45):
        b.fadd(x, number)
    b.fadd(v, b.constant(v.type, [1.0, 3.402823466e38]))
    b.ret(x)
    text = module_text(ModuleOp([b.function]))
    for bits in (
        "0x3FB99999A0000000",
        "0x8000000000000000",
        "0x7FF0000000000000",
        "0x7FF8000000000000",
        "0x36A0000000000000",
        "<float 0x3FF0000000000000, float 0x47EFFFFFE0000000>",
    ):
        assert bits in text
