"""Modules as LLVM writes them, with what is only for debuggers and linkers."""

import pytest

from emulator.errors import ParseError
from emulator.parser import parse
from emulator.syntax import Address, Immediate, Instruction, Not, Register, Symbol, Vector

MODULE = """
// Generated
.version 8.0
.target sm_90a, debug
.address_size 64
    .file 1 "a.py"
/* two
   lines */
.extern .func (.param .b32 func_retval0) vprintf (.param .b64 a, .param .b64 b) ;
.visible .global .align 4 .u32 x = 5;
.const .align 4 .b8 t[4] = {1, 2, 0x3, 0b100};
.extern .shared .align 128 .b8 more[];
.visible .entry k(
    .param .u64 .ptr .global .align 16 k_param_0,
    .param .align 8 .b8 k_param_1[24]
)
.maxntid 256, 1, 1
.minnctapersm 2
{
    .local .align 8 .b8 __local_depot0[16];
    .reg .pred %p<2>;
    .reg .b32 %r<9>, one;
    .loc 1 3 5
    .pragma "nounroll";
    ld.global.v2.b32 {%r1, %r2}, [x+-4];
    @!%p1 bra $L__BB0_1;
    mov.f32 %r3, 0f3F800000; mov.b32 one, -7;
    st.b32 [%r4+8], %r3;
$L__BB0_1:
    ret;
}
.section .debug_info
{
.b32 77
.b8 1, 2
}
"""


def test_a_module() -> None:
    module = parse(MODULE)
    assert module.target == "sm_90a"
    assert [(each.space, each.name, each.count) for each in module.variables] == [
        ("global", "x", 1),
        ("const", "t", 4),
        ("shared", "more", 0),
    ]
    assert [each.value for each in module.variables[1].values] == [1, 2, 3, 4]
    assert list(module.functions) == ["k"]


def test_a_kernel() -> None:
    kernel = parse(MODULE).functions["k"]
    assert kernel.is_kernel
    assert [(each.name, each.count) for each in kernel.parameters] == [
        ("k_param_0", 1),
        ("k_param_1", 24),
    ]
    assert kernel.bounds == {"maxntid": (256, 1, 1), "minnctapersm": (2,)}
    assert kernel.labels == {"$L__BB0_1": 5}
    assert kernel.registers["%r3"] == "b32"
    load, branch, number, minus, store, _ = kernel.body
    parts = Vector((Register("%r1"), Register("%r2")))
    assert load.operands == (parts, Address(Symbol("x"), -4))
    assert branch.guard == Not(Register("%p1"))
    assert number.operands[1] == Immediate(0x3F800000, 32)
    assert minus.operands == (Register("one"), Immediate(-7))
    assert store.operands[0] == Address(Register("%r4"), 8)
    assert isinstance(store, Instruction)
    assert str(store) == "line 28, `st.b32 [%r4+8], %r3`"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (".nonsense", "line 1: '.nonsense' does not begin a declaration"),
        (".global .f99 x;", "a variable has a type and a name"),
        (".entry k()\n{\n.reg .b32 %r<2>;", "line 3: a body is not closed"),
        (".entry k()\n{\n.reg .b99 %r<2>;\n}", "there are no registers of type .b99"),
        (".entry k()\n{\n@7 ret;\n}", "line 3: a guard is a predicate"),
        (".entry k()\n{\nmov.b32 [7;\n}", "an integer is missing|a number is missing"),
    ],
)
def test_what_cannot_be_read(text: str, said: str) -> None:
    with pytest.raises(ParseError, match=said):
        parse(text)
