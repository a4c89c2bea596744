"""What LLVM has no instructions for on a GPU is refused: it would end the process.

All else that our dialect of LLVM's has is compiled, in a process of its own.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stepwell.compiler.dialects.llvm import LLVM
from stepwell.compiler.machines.gpu.nvidia import GPUS, SM_80
from stepwell.compiler.targets.gpu.ptx import Device, compile_ptx
from stepwell.runtime.errors import CompileError

LANES = (1, 2, 4, 8, 16)
WHOLE = ("i1", "i8", "i16", "i32", "i64")
FLOATS = ("half", "float", "double")
SUFFIX = {"half": "f16", "float": "f32", "double": "f64"}
BINARY = "add sub mul shl lshr ashr sdiv udiv srem urem and or xor".split()
EXTREMES = "smax smin umax umin".split()
SWITCHED = "abs ctlz cttz".split()
FLOAT_BINARY = "fadd fsub fmul fdiv frem".split()
FLOAT_UNARY = "fabs sqrt floor roundeven".split()
FLOAT_PAIRS = "copysign maximum minimum".split()
REDUCED = "add and or".split()
IN_EVERY_KERNEL = """
    addressof alloca bitcast br call_intrinsic call cond_br constant extractvalue func global
    getelementptr insertvalue inttoptr load ptrtoint return store undef unreachable zero poison
    addrspacecast extractelement insertelement shufflevector select fcmp icmp trunc zext sext fpext
    fptrunc
    sitofp uitofp fneg atomicrmw cmpxchg fence
""".split()
"""What the emitted kernels have, or has no types."""
REFUSED = """
    ceil cos exp exp2 log log2 pow sin stackrestore stacksave maxnum minnum vector.reduce.fadd
    vector.reduce.fmul vector.reduce.xor prefetch inline_asm
""".split()


def suffixed(type: str) -> str:
    """A type as the names of intrinsics have it."""
    lanes, _, element = type.strip("<>").rpartition(" x ")
    return f"{f'v{lanes}' if lanes else ''}{SUFFIX.get(element, element)}"


def like(type: str, element: str) -> str:
    lanes, _, _ = type.strip("<>").rpartition(" x ")
    return f"<{lanes} x {element}>" if lanes else element


def call(name: str, result: str, *operands: str) -> str:
    return f"call {result} @llvm.{name}({', '.join(operands)})"


def steps(type: str) -> Iterator[tuple[str, str]]:
    """What is computed of two operands and a truth value of each lane, with the result's type."""
    element, suffix = type.strip("<>").split(" x ")[-1], suffixed(type)
    a, b, bits = f"{type} %a", f"{type} %b", like(type, "i1")
    yield f"select {bits} %m, {a}, {b}", type
    if element in FLOATS:
        yield from ((f"{name} {a}, %b", type) for name in FLOAT_BINARY)
        yield from ((call(f"{name}.{suffix}", type, a), type) for name in FLOAT_UNARY)
        yield from ((call(f"{name}.{suffix}", type, a, b), type) for name in FLOAT_PAIRS)
        yield call(f"fma.{suffix}", type, a, b, a), type
        for whole in (like(type, each) for each in WHOLE[1:]):
            for name in ("fptosi.sat", "fptoui.sat"):
                yield call(f"{name}.{suffixed(whole)}.{suffix}", whole, a), whole
        return
    yield from ((f"{name} {a}, %b", type) for name in BINARY)
    yield from ((call(f"{name}.{suffix}", type, a, b), type) for name in EXTREMES)
    yield from ((call(f"{name}.{suffix}", type, a, "i1 false"), type) for name in SWITCHED)
    yield from ((call(f"{name}.{suffix}", type, a, b, a), type) for name in ("fshl", "fshr"))
    yield call(f"ctpop.{suffix}", type, a), type
    for number in (like(type, each) for each in FLOATS):
        yield from ((f"{name} {a} to {number}", number) for name in ("sitofp", "uitofp"))
    if type != element:
        yield from (
            (call(f"vector.reduce.{name}.{suffix}", element, a), element) for name in REDUCED
        )


def accesses(type: str) -> Iterator[str]:
    """What is done under a mask."""
    lanes, _, element = type.strip("<>").partition(" x ")
    if not element or element == "i1":
        return
    mask, places, suffix = f"<{lanes} x i1> %m", f"<{lanes} x ptr> %places", suffixed(type)
    yield f"call {type} @llvm.masked.load.{suffix}.p0(ptr %p, i32 1, {mask}, {type} %a)"
    yield f"call void @llvm.masked.store.{suffix}.p0({type} %a, ptr %q, i32 1, {mask})"
    gather = f"{suffix}.v{lanes}p0"
    yield f"call {type} @llvm.masked.gather.{gather}({places}, i32 1, {mask}, {type} %a)"
    yield f"call void @llvm.masked.scatter.{gather}({type} %a, {places}, i32 1, {mask})"


def kernels() -> Iterator[str]:
    """For each type one with all that is done with it, the truth values stored as bytes."""
    for element in (*WHOLE, *FLOATS):
        for count in LANES:
            type = element if count == 1 else f"<{count} x {element}>"
            name = f"k{suffixed(type)}"
            yield f"define ptx_kernel void @{name}(ptr %p, ptr %q, {like(type, 'ptr')} %places) {{"
            for letter, of in (("a", element), ("b", element), ("m", "i1")):
                stored = "i8" if of == "i1" else of
                yield f"%{letter}0 = load volatile {like(type, stored)}, ptr %p"
                how = "trunc" if of == "i1" else "bitcast"
                yield f"%{letter} = {how} {like(type, stored)} %{letter}0 to {like(type, of)}"
            for number, (step, result) in enumerate(steps(type)):
                yield f"%r{number} = {step}"
                value = f"%r{number}"
                if re.search(r"\bi1\b", result):
                    wide = like(result, "i8")
                    yield f"%w{number} = zext {result} {value} to {wide}"
                    value, result = f"%w{number}", wide
                yield f"store volatile {result} {value}, ptr %q"
            for number, access in enumerate(accesses(type)):
                yield access if "call void" in access else f"%g{number} = {access}"
                if "call void" not in access:
                    yield f"store volatile {type} %g{number}, ptr %q"
            yield "ret void\n}"


def declared(text: str) -> str:
    """The text with the intrinsics that it calls."""
    found: dict[str, str] = {}
    for result, name, operands in re.findall(r"call ([^@]+) (@llvm[\w.]+)\((.*)\)", text):
        types = ", ".join(each.rpartition(" ")[0] for each in operands.split(", "))
        found[name] = f"declare {result} {name}({types})"
    return "\n".join(found.values()) + f"\n{text}"


@pytest.mark.parametrize("machine", GPUS)
def test_all_other_ops_are_compiled(machine: str, tmp_path: Path) -> None:
    text = declared("\n".join(kernels()))
    (tmp_path / "text.ll").write_text(text)
    command = [sys.executable, "-c", COMPILE, str(tmp_path / "text.ll"), machine]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) == len(LANES) * len((*WHOLE, *FLOATS))


COMPILE = """
import sys
from pathlib import Path
from stepwell.compiler.machines.gpu.nvidia import GPUS
from stepwell.compiler.targets.gpu.ptx import Device, compile_ptx
_, file, machine = sys.argv
print(compile_ptx(Device(Path(file).read_text(), ()), GPUS[machine]).count(".entry"))
"""


def test_no_op_of_the_dialect_is_left_out() -> None:
    tried = {
        *BINARY,
        *EXTREMES,
        *SWITCHED,
        *FLOAT_BINARY,
        *FLOAT_UNARY,
        *FLOAT_PAIRS,
        *IN_EVERY_KERNEL,
    }
    tried |= {"fma", "fshl", "fshr", "ctpop", "fptosi.sat", "fptoui.sat", *REFUSED}
    tried |= {f"masked.{each}" for each in ("load", "store", "gather", "scatter")}
    tried |= {f"vector.reduce.{each}" for each in REDUCED}
    names = {re.sub(r"^llvm\.(intr\.|mlir\.)?", "", op.name) for op in LLVM.operations}
    assert names == tried


KERNEL = "define ptx_kernel void @k(ptr %p) {{\n{}\nret void\n}}\n"
FATAL = {
    "%a = load i65, ptr %p": "a number of more than 64 bits",
    "%a = load i72, ptr %p": "a number of more than 64 bits",
    "%a = load i128, ptr %p": "a number of more than 64 bits",
    "%a = load fp128, ptr %p": "a number of more than 64 bits",
    "store <4 x i1> zeroinitializer, ptr %p": "a vector of bits in memory",
    "%a = addrspacecast ptr %p to ptr addrspace(9)": "another address space than a GPU's",
    "}\ndeclare void @f()\ndefine void @g() {": "a function of another module",
    "%a = call float @llvm.pow.f32(float 1.0, float 1.0)": "llvm.pow",
    "%a = call float @llvm.canonicalize.f32(float 1.0)": "llvm.canonicalize",
    "call void @llvm.nvvm.wgmma.fence.sync.aligned()": "llvm.nvvm.wgmma.fence.sync.aligned",
}


@pytest.mark.parametrize("body", FATAL)
def test_what_llvm_would_end_the_process_over_is_refused(body: str) -> None:
    with pytest.raises(CompileError, match=f"SW0257: {FATAL[body]} is not compiled for a GPU"):
        compile_ptx(Device(KERNEL.format(body), ()), SM_80)


@pytest.mark.parametrize("name", REFUSED)
def test_intrinsics_that_are_not_known_are_refused(name: str) -> None:
    text = f"declare float @llvm.{name}.f32(float)\n"
    if name == "inline_asm":
        text = KERNEL.format('call void asm sideeffect "exit;", ""()')
    with pytest.raises(CompileError, match=r"SW025[47]"):
        compile_ptx(Device(text, ()), SM_80)
