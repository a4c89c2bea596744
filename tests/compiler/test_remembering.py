"""What tests remember of each other's work hides no failure of theirs."""

from collections.abc import Callable

import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import ParseError, VerifyException

import programs
from emulator import errors
from emulator.parser import parse
from loop_text import parse_module
from programs import expect_round_trip, parsed

KERNEL = """
loop.kernel @k(%x: !loop.buffer<[4] x f32>) -> (%y: !loop.buffer<[4] x f32>) {
  loop.nest [%i : 4] {
    %v = loop.read %x[%i] : f32
    loop.write %v, %y[%i] : f32
  }
}
"""
PTX = """
.version 8.0
.target sm_80
.address_size 64
.visible .entry k(.param .u64 k_param_0)
{
    .reg .b32 %r<2>;
    mov.b32 %r1, 7;
    ret;
}
"""


def test_a_program_is_read_as_it_is_written_whatever_was_done_to_another() -> None:
    one = parse_module(KERNEL)
    text = str(one)
    (kernel,) = one.ops
    kernel.detach()
    assert str(parse_module(KERNEL)) == text


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param("loop.kernel @k(%x: f31) -> () {\n}", ParseError, id="not read"),
        pytest.param("loop.kernel @k(%x: f32) -> () {\n}", VerifyException, id="not verified"),
    ],
)
def test_a_wrong_program_is_refused_each_time(text: str, error: type[Exception]) -> None:
    for _ in range(2):
        with pytest.raises(error):
            parse_module(text)


def test_wrong_ptx_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(errors.ParseError):
            parse(PTX.replace("mov.b32 %r1", "; 5"))
    assert parse(PTX) == parse.__wrapped__(PTX)


def other(read: Callable[[str], ModuleOp]) -> Callable[[str], ModuleOp]:
    return lambda text: read(text.replace("@k", "@l"))


def test_what_reads_as_another_module_is_refused_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    module = parse_module(KERNEL.replace("4", "44"))
    with monkeypatch.context() as patch:
        patch.setattr(programs, "parsed", other(parsed))
        for _ in range(2):
            with pytest.raises(AssertionError):
                expect_round_trip(module)
    for _ in range(2):
        expect_round_trip(module)
