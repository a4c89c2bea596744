"""Branches, loops, tables of labels and calls; and that every row of the table has a test."""

import ast
from pathlib import Path

import numpy as np
import pytest

from emulator.errors import EmulationError, ParseError
from emulator.rows import Kind
from emulator.table import TABLE
from small_kernels import covers, run, words

ROOT = """
.visible .func (.param .b32 result) root(.param .b32 x, .param .b64 where)
{
    .reg .b32 %r<4>; .reg .b64 %d<2>; .reg .pred %p<2>;
    ld.param.b32 %r1, [x];
    ld.param.b64 %d1, [where];
    and.b32 %r2, %r1, 1;
    setp.eq.u32 %p1, %r2, 0;
    @%p1 bra even;
    mad.lo.u32 %r1, %r1, 3, 1;
even:
    st.b32 [%d1], %r1;
    st.param.b32 [result], %r1;
    ret;
}
"""
CALL = """
    {{ // callseq 0, 0
    .param .b32 param0;
    .param .b64 param1;
    .param .b32 retval0;
    st.param.b32 [param0], {x};
    st.param.b64 [param1], %d1;
    call.uni (retval0), root, (param0, param1);
    ld.param.b32 {y}, [retval0];
    }} // callseq 0
"""


@pytest.mark.device
@covers("call{.uni}", "ret{.uni}")
def test_calls_from_two_places() -> None:
    body = f"""
    .local .align 4 .b8 own[4];
    mov.u64 %d2, own;
    cvta.local.u64 %d1, %d2;
    setp.lt.u32 %p1, %t, 7;
    @%p1 bra once;
    {CALL.format(x="%t", y="%r1")}
    {CALL.format(x="%r1", y="%r1")}
    bra out;
once:
    {CALL.format(x="%t", y="%r1")}
out:
    ld.local.b32 %r2, [own];
    add.u32 %r1, %r1, %r2;
    st.global.u32 [%g0], %r1;"""
    (found,) = run(body, [], [words(32)], top=ROOT)

    def step(x: int) -> int:
        return x if x % 2 == 0 else 3 * x + 1

    assert found.tolist() == [2 * (step(x) if x < 7 else step(step(x))) for x in range(32)]


def test_a_function_that_calls_itself() -> None:
    top = ROOT.replace("ret;", "call.uni root, (x, where);\nret;")
    with pytest.raises(ParseError, match="calls no function outside, and none twice"):
        run(f"mov.u64 %d1, %a0;{CALL.format(x='%t', y='%r1')}", [], [words(32)], top=top)


TABLED = """
    and.b32 %r1, %t, {most};
    table: .branchtargets one, two, three, one;
    brx.idx %r1, table;
one:
    mov.u32 %r2, 1;
    bra out;
two:
    mov.u32 %r2, 2;
    bra out;
three:
    mov.u32 %r2, 3;
out:
    st.global.u32 [%g0], %r2;"""


@pytest.mark.device
@covers("brx.idx{.uni}")
def test_tables_of_labels() -> None:
    (found,) = run(TABLED.format(most=3), [], [words(32)])
    assert found.tolist() == [1, 2, 3, 1] * 8


def test_a_label_that_a_table_lacks() -> None:
    with pytest.raises(EmulationError, match=r"thread \(4, 0, 0\) of block .* has no label 4"):
        run(TABLED.format(most=7), [], [words(32)])


@pytest.mark.device
def test_loops_in_loops_with_an_end_for_each_thread() -> None:
    """The sum over i < t of i mod 5, counted one by one."""
    body = """
    mov.u32 %r1, 0;
    mov.u32 %r2, 0;
outer:
    setp.ge.u32 %p1, %r2, %t;
    @%p1 bra done;
    rem.u32 %r3, %r2, 5;
inner:
    setp.eq.u32 %p2, %r3, 0;
    @%p2 bra next;
    add.u32 %r1, %r1, 1;
    sub.u32 %r3, %r3, 1;
    bra inner;
next:
    add.u32 %r2, %r2, 1;
    bra outer;
done:
    st.global.u32 [%g0], %r1;"""
    (found,) = run(body, [], [words(64)], threads=64)
    assert found.tolist() == [sum(i % 5 for i in range(t)) for t in range(64)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("foo.bar.f32 %r1, %r2;", "line 12, `foo.bar.f32 %r1, %r2`: the emulator knows no foo.bar"),
        ("add.f99 %r1, %r1, %r1;", "the emulator knows no add.f99"),
        ("add.u32 %r1, %r1;", "add.u32 has another number of operands"),
        ("lop3.b32 %r1, %r2, %r3, %r4, %r5;", "an operand of lop3.b32 is no constant"),
        ("add.u32 %r1, %d1, %h1;", "an operand of .u32 is declared otherwise"),
        ("add.u64 %r1, %d1, %d1;", "a result of .u64 is wider than that"),
        ("add.u32 %r1, %r1, %q1;", "the emulator knows no register %q1"),
        ("mov.u32 %r1, %clock;", "the emulator knows no register %clock"),
        ("mov.u64 %d1, nowhere;", "nothing is called nowhere"),
        ("bra nowhere;", "there is no label nowhere"),
        ("add.u32 %r1, %r1, ?;", "line 12: PTX has no '?' here"),
        ("add.u32 %r1, %r1, %r1", "line 12: `;` is missing after add.u32"),
        ("here:\nhere:", "the label here stands here again"),
    ],
)
def test_what_cannot_be_read(text: str, said: str) -> None:
    with pytest.raises(ParseError) as error:
        run(text)
    assert said in str(error.value)


@pytest.mark.device
def test_scopes_have_names_of_their_own() -> None:
    body = """
    { .reg .b32 x; mov.u32 x, 1; add.u32 %r1, x, %t; }
    { .reg .b64 x; cvt.u64.u32 x, %r1; cvt.u32.u64 %r1, x; }
    st.global.u32 [%g0], %r1;"""
    (found,) = run(body, [], [words(32)])
    assert found.tolist() == list(range(1, 33))


@pytest.mark.device
def test_parts_of_registers() -> None:
    body = """
    mov.b64 %d1, {%t, 7};
    mov.b64 {%r1, %r2}, %d1;
    mov.b32 {%h1, %h2}, %r1;
    mov.b32 %r3, {%h2, %h1};
    mov.b64 {_, %r4}, %d1;
    add.u32 %r3, %r3, %r4;
    add.u32 %r3, %r3, %r2;
    st.global.u32 [%g0], %r3;"""
    (found,) = run(body, [], [words(32)])
    assert (found == (np.arange(32) << 16) + 14).all()


def test_every_row_is_tested() -> None:
    """Rows that are functions of their operands are all tested in test_instructions.py."""
    named = {
        argument.value
        for path in Path(__file__).parent.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "covers"
        for argument in node.args
        if isinstance(argument, ast.Constant)
    }
    forms = {row.form for row in TABLE.rows if row.kind is not Kind.LANES}
    assert forms - named == set(), "rows without a test that says so"
    assert {form for form in named if form not in {row.form for row in TABLE.rows}} == set()
