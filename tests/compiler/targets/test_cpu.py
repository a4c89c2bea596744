"""Objects: the same bytes each time, no library calls, errors where LLVM would end the process."""

import subprocess
import sys

import pytest

from stepwell.compiler.machines import X86_64_V3, X86_64_V4, Machine
from stepwell.compiler.targets.cpu import assembly, compile_object
from stepwell.runtime import elf
from stepwell.runtime.errors import CompileError

TEXT = """
@table = internal constant [4 x float] [float 1.0, float 2.0, float 3.0, float 4.0], align 16
define internal float @entry(i64 %i) noinline {
  %p = getelementptr float, ptr @table, i64 %i
  %v = load float, ptr %p
  ret float %v
}
define dso_local float @f(i64 %i, float %x) nounwind "no-builtins" {
  %j = and i64 %i, 3
  %v = call float @entry(i64 %j)
  %w = fmul float %v, 1.5
  ret float %w
}
"""


def function(body: str, result: str = "void") -> str:
    return f'define dso_local {result} @f(ptr %p, float %x) nounwind "no-builtins" {{\n{body}\n}}\n'


def test_the_same_text_gives_the_same_bytes(machine: Machine) -> None:
    assert compile_object(TEXT, machine) == compile_object(TEXT, machine)


def test_only_external_functions_are_exported(machine: Machine) -> None:
    found = elf.parse(compile_object(TEXT, machine), "it", "x86_64")
    assert [symbol.name for symbol in found.symbols if symbol.binding == 1] == ["f"]


def test_nothing_is_written_for_unwinding(machine: Machine) -> None:
    assert b".eh_frame" not in compile_object(function("  ret void"), machine)


def test_assembly_is_for_the_machine() -> None:
    text = function(
        "  %v = load <16 x float>, ptr %p, align 4\n"
        "  %w = fadd <16 x float> %v, %v\n"
        "  store <16 x float> %w, ptr %p, align 4\n  ret void"
    )
    assert "zmm" in assembly(text, X86_64_V4)
    assert "zmm" not in assembly(text, X86_64_V3)
    assert "ymm" in assembly(text, X86_64_V3)


def test_a_loop_that_copies_stays_a_loop(machine: Machine) -> None:
    compile_object(
        """
define dso_local void @copy(ptr noalias %x, ptr noalias %y, i64 %n) nounwind "no-builtins" {
e:
  br label %l
l:
  %i = phi i64 [ 0, %e ], [ %j, %l ]
  %a = getelementptr i8, ptr %x, i64 %i
  %b = getelementptr i8, ptr %y, i64 %i
  %v = load i8, ptr %a
  store i8 %v, ptr %b
  %j = add i64 %i, 1
  %c = icmp ult i64 %j, %n
  br i1 %c, label %l, label %d
d:
  ret void
}
""",
        machine,
    )


LIBRARY_CALLS = {
    "fmodf": ("frem float %x, 3.0", "float", "floor and fma"),
    "powf": ("call float @llvm.pow(float %x, float %x)", "float", None),
    "expf": ("call float @llvm.exp(float %x)", "float", None),
    "__truncsfbf2": ("fptrunc float %x to bfloat", "bfloat", "truncate_float"),
    "__truncdfhf2": ("fptrunc double 0x3FF123456789ABCD to half", "half", None),
    "elsewhere": ("call float @elsewhere(float %x)", "float", None),
}


@pytest.mark.parametrize("symbol", ["fmodf", "powf", "expf", "__truncsfbf2", "elsewhere"])
def test_a_library_call_is_named(symbol: str, machine: Machine) -> None:
    instruction, result, hint = LIBRARY_CALLS[symbol]
    text = function(f"  %r = {instruction}\n  ret {result} %r", result)
    declared = "declare float @elsewhere(float)\n"
    with pytest.raises(CompileError) as caught:
        compile_object(declared + text, machine)
    assert caught.value.code == "SW0255"
    assert f"does not define {symbol}" in caught.value.sentence
    assert (hint or "") in (caught.value.hint or "")


def test_what_llvm_does_not_take_is_an_error(machine: Machine) -> None:
    with pytest.raises(CompileError, match=r"SW0253(.|\n)*expected instruction opcode"):
        compile_object(function("  nonsense"), machine)
    with pytest.raises(CompileError, match=r"SW0253(.|\n)*value doesn't match"):
        compile_object(function("  ret i32 1", "i64"), machine)
    twice = "  br label %a\na:\n  %u = add i32 %t, 1\n  %t = add i32 1, 1\n  ret void"
    with pytest.raises(CompileError, match=r"SW0253(.|\n)*does not dominate"):
        compile_object(function(twice), machine)


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("x86.avx512.permvar.sf.512", "avx512bw"),
        ("x86.avx512.vpdpbusd.512", "avx512vnni or avxvnni"),
        ("aarch64.neon.sdot.v4i32.v16i8", "dotprod"),
        ("x86.avx512bf16.dpbf16ps.512", "avx512bf16"),
        ("nvvm.read.ptx.sreg.tid.x", "a processor of type nvvm"),
        ("x86.tbm.bextri.u32", "a feature that X86_GROUPS should name for 'tbm'"),
    ],
)
def test_an_intrinsic_of_another_machine_is_refused(name: str, missing: str) -> None:
    text = function(f"  call void @llvm.{name}()\n  ret void")
    with pytest.raises(CompileError, match=f"SW0254: llvm.{name} needs {missing}"):
        compile_object(text, X86_64_V3)


def test_vnni_is_beyond_the_level() -> None:
    text = function("  call void @llvm.x86.avx512.vpdpbusd.512()\n  ret void")
    with pytest.raises(CompileError, match="needs avx512vnni or avxvnni, which x86-64-v4 does not"):
        compile_object(text, X86_64_V4)


def test_an_intrinsic_of_the_machine_is_compiled(machine: Machine) -> None:
    compile_object(function("  call void @llvm.x86.sse2.pause()\n  ret void"), machine)


def test_inline_assembly_is_refused(machine: Machine) -> None:
    body = '  %r = call i64 asm sideeffect "mov $1, $0", "=r,r"(i64 7)\n  ret i64 %r'
    with pytest.raises(CompileError, match="SW0254: inline assembly is not compiled"):
        compile_object(function(body, "i64"), machine)


FORK = """
import os, signal, threading
from stepwell.compiler.machines import X86_64_V3
from stepwell.compiler.targets.cpu import compile_object

def text(n):
    body = "\\n".join(f"  %v{i + 1} = fadd float %v{i}, {i}.5" for i in range(n))
    return f"define float @f(float %v0) {{\\n{body}\\n  ret float %v{n}\\n}}"

def compile_on():
    while not done:
        compile_object(text(1000), X86_64_V3)

done = []
compile_object(text(1), X86_64_V3)
other = threading.Thread(target=compile_on)
other.start()
for _ in range(8):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        compile_object(text(1), X86_64_V3)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    done += [status] if status else []
done.append(0)
other.join()
assert done == [0]
"""


def test_a_process_forks_while_a_thread_compiles() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], check=True, timeout=120)
