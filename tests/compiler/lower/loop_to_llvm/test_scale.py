"""Scaling by powers of two: one instruction gives the bits of two multiplications."""

import ctypes
from math import inf, nan

import numpy as np
import pytest
from llvmlite import binding
from xdsl.dialects.builtin import ModuleOp

from stepwell.compiler.dialects.llvm.types import f32, f64, i64, lanes, ptr, vector
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.lower.arithmetic import FORMATS, Arithmetic
from stepwell.compiler.lower.loop_to_llvm.frame import FunctionFrame
from stepwell.compiler.lower.loop_to_llvm.math_functions import LlvmArithmetic
from stepwell.compiler.lower.loop_to_llvm.program import Program
from stepwell.compiler.machines import X86_64_V4
from stepwell.compiler.targets.cpu import compile_object
from stepwell.compiler.targets.llvm_text import module_text
from stepwell.runtime.code import load

here = pytest.mark.skipif(
    not X86_64_V4.runs_on([name for name, has in binding.get_host_cpu_features().items() if has]),
    reason="for processors with AVX-512",
)
TYPES = {32: vector(f32, 16), 64: vector(f64, 8)}


def different(x: np.ndarray, bits: int, exponents: list[float]) -> int:
    """How many products of any number and any power come out otherwise by the instruction."""
    type = TYPES[bits]
    scalar, width = type.element_type, lanes(type) or 1
    build = LlvmBuilder.define("run", [ptr, i64, ptr, i64, ptr])
    frame = FunctionFrame(Program({}, (), X86_64_V4, {}), build, {}, None, None)
    arithmetic = LlvmArithmetic(frame, "scale", type)
    numbers, count, powers, power_count, out = build.arguments
    whole = vector(i64, width)
    zero, none = build.constant(i64, 0), build.constant(whole, 0)
    with build.loop(zero, power_count, 1, [none]) as outer:
        exponent = build.splat(build.load(build.gep(powers, outer.index, scalar), scalar), width)
        with build.loop(zero, count, width, outer.carried) as inner:
            given = build.load(build.gep(numbers, inner.index, scalar), type)
            found = arithmetic.scale(given, exponent)
            wanted = Arithmetic.scale(arithmetic, given, exponent)
            wrong = build.icmp("ne", arithmetic.bits_of(found), arithmetic.bits_of(wanted))
            both = build.and_(build.fcmp("uno", found, 0.0), build.fcmp("uno", wanted, 0.0))
            wrong = build.and_(wrong, build.xor(both, 1))
            inner.yields(build.add(inner.carried[0], build.zext(wrong, i64)))
        outer.yields(*inner.results)
    build.store(build.reduce("add", outer.results[0]), out)
    build.ret()
    frame.close()
    code = load(compile_object(module_text(ModuleOp([build.function])), X86_64_V4), "test")
    given, scales = np.ascontiguousarray(x), np.array(exponents, x.dtype)
    result = ctypes.c_int64()
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p, ctypes.c_int64] * 2, ctypes.c_void_p)
    arguments = given.ctypes.data, len(given), scales.ctypes.data, len(scales)
    run(code.address("run"))(*arguments, ctypes.addressof(result))
    return result.value


def exponents(bits: int) -> list[float]:
    most = FORMATS[bits].bias * 5 // 4
    return [float(n) for n in range(-most, most + 1)]


def fractions(bits: int) -> np.ndarray:
    """Those next to the middle of what is left after any number of bits is dropped, and others."""
    digits, random = FORMATS[bits].fraction, np.random.default_rng(7)
    middles = [1 << n for n in range(digits)]
    near = [middle * odd + side for middle in middles for odd in (1, 3, 5) for side in (-1, 0, 1)]
    some = random.integers(0, 1 << digits, 2048)
    return np.concatenate([np.array(near) % (1 << digits), (1 << digits) - 1 - some, some])


@here
@pytest.mark.parametrize("bits", [32, 64])
def test_every_power_and_hard_numbers(bits: int) -> None:
    kind, digits = {32: np.float32, 64: np.float64}[bits], FORMATS[bits].fraction
    x = np.ldexp(1 + fractions(bits) * 2.0**-digits, np.arange(-2, 2)[:, None]).astype(kind)
    x = np.concatenate([x.ravel(), -x.ravel(), kind([4, -4])])
    assert different(np.resize(x, -(-len(x) // 16) * 16), bits, exponents(bits)) == 0
    assert different(np.full(16, nan, kind), bits, [nan]) == 0


@here
@pytest.mark.slow
def test_every_number_that_becomes_denormal_or_infinite() -> None:
    """From 1/4 to 4, all floats."""
    low, high = (int(np.float32(each).view(np.int32)) for each in (0.25, 4))
    ends = [float(n) for n in (*range(-158, -122), *range(124, 132))]
    assert different(np.arange(low, high, dtype=np.int32).view(np.float32), 32, ends) == 0


@here
def test_that_it_would_be_seen() -> None:
    assert different(np.full(16, 1, np.float32), 32, [inf]) > 0
