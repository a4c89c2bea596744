"""Roots and quotients without the divider: every estimate that is allowed, and all hard cases."""

import ctypes
from collections.abc import Callable

import numpy as np
import pytest
from llvmlite import binding
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

import stepwell
import stepwell.numpy as snp
from stepwell.compiler.dialects.llvm.types import f32, f64, i32, i64, ptr, vector
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.lower.loop_to_llvm import newton
from stepwell.compiler.machines import X86_64_V4
from stepwell.compiler.targets.cpu import compile_object
from stepwell.compiler.targets.llvm_text import module_text
from stepwell.runtime.code import load

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
Steps = Callable[[LlvmBuilder, SSAValue, SSAValue], SSAValue]
Exact = Callable[[LlvmBuilder, SSAValue], SSAValue]

here = pytest.mark.skipif(
    not X86_64_V4.runs_on([name for name, has in binding.get_host_cpu_features().items() if has]),
    reason="for processors with AVX-512",
)
LANES, BOUND = 16, 2.0**-14
ONE = 0x3F800000


def root(build: LlvmBuilder, x: SSAValue) -> SSAValue:
    return build.sqrt(x)


def reciprocal_root(build: LlvmBuilder, x: SSAValue) -> SSAValue:
    return build.fdiv(1.0, build.sqrt(x))


def reciprocal(build: LlvmBuilder, x: SSAValue) -> SSAValue:
    return build.fdiv(1.0, x)


def loaded(build: LlvmBuilder) -> int:
    """The address of a function that is all of a module, which stays in memory."""
    code = load(compile_object(module_text(ModuleOp([build.function])), X86_64_V4), "test")
    KEPT.append(code)
    return code.address("run")


KEPT: list[object] = []


def misses(steps: Steps, exact: Exact, estimated: Exact, first: int, last: int, step: int) -> int:
    """From how many estimates the steps do not end where the instruction does.

    Of the floats whose encodings are `first`, `first + step`, … past that of 1, and for each of
    every float that is within the bound of what is estimated.
    """
    b = LlvmBuilder.define("run", [i64, i64, i64, ptr])
    integers = vector(i32, LANES)
    low, high, stride, out = b.arguments
    none = b.constant(integers, 0)
    with b.loop(low, high, stride, [none]) as numbers:
        x = b.bitcast(b.add(b.trunc(numbers.index, i32), ONE), f32)
        wanted = estimated(b, b.fpext(x, f64))
        ends = [b.fptrunc(b.fmul(wanted, 1 + side), f32) for side in (-BOUND, BOUND)]
        least, greatest = (b.sext(b.bitcast(end, i32), i64) for end in ends)
        x, expected = b.splat(x, LANES), b.splat(exact(b, x), LANES)
        with b.loop(least, b.add(greatest, 1), LANES, numbers.carried) as estimates:
            lowest = b.splat(b.trunc(estimates.index, i32), LANES)
            estimate = b.add(lowest, b.iota(integers))
            inside = b.icmp("sle", estimate, b.splat(b.trunc(greatest, i32), LANES))
            wrong = b.fcmp("une", steps(b, x, b.bitcast(estimate, f32)), expected)
            wrong = b.and_(wrong, inside)
            estimates.yields(b.add(estimates.carried[0], b.zext(wrong, i32)))
        numbers.yields(*estimates.results)
    b.store(b.reduce("add", numbers.results[0]), out)
    b.ret()
    count = ctypes.c_int32()
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3, ctypes.c_void_p)(loaded(b))
    run(first, last, step, ctypes.addressof(count))
    return count.value


def roots(first: int, last: int, step: int) -> int:
    return misses(newton.root_from, root, reciprocal_root, first, last, step)


def reciprocals(first: int, last: int, step: int) -> int:
    def negative(build: LlvmBuilder, x: SSAValue, estimate: SSAValue) -> SSAValue:
        return build.fneg(newton.reciprocal_from(build, build.fneg(x), build.fneg(estimate)))

    return misses(negative, reciprocal, reciprocal, first, last, step)


@here
def test_roots_from_estimates() -> None:
    """From 1 to 4 is one of all exponents' parities with all fractions."""
    assert roots(0, 1 << 24, 1009) == 0
    assert roots((1 << 24) - 1000, 1 << 24, 1) == 0


@here
def test_reciprocals_from_estimates() -> None:
    assert reciprocals(0, 1 << 23, 1009) == 0
    assert reciprocals((1 << 23) - 1000, 1 << 23, 1) == 0


@here
@pytest.mark.slow
def test_every_root_from_every_estimate() -> None:
    assert roots(0, 1 << 24, 1) == 0


@here
@pytest.mark.slow
def test_every_reciprocal_from_every_estimate() -> None:
    assert reciprocals(0, 1 << 23, 1) == 0


def quotient_by(build: LlvmBuilder, x: SSAValue, y: SSAValue) -> SSAValue:
    return newton.quotient_by(build, x, newton.inverse(build, y))


def quotients(x: Floats, y: Floats, steps: Steps = newton.quotient) -> Floats:
    """By Newton's steps, in all lanes."""
    b = LlvmBuilder.define("run", [i64, ptr, ptr, ptr])
    count, *places = b.arguments
    with b.loop(0, count, LANES) as loop:
        left, right, out = (b.gep(place, loop.index, f32) for place in places)
        floats = vector(f32, LANES)
        operands = b.load(left, floats), b.load(right, floats)
        b.store(steps(b, *operands), out)
    b.ret()
    result = np.empty_like(x)
    run = ctypes.CFUNCTYPE(None, ctypes.c_int64, *[ctypes.c_void_p] * 3)(loaded(b))
    run(len(x), *(array.ctypes.data for array in (x, y, result)))
    return result


def hard_quotients(y: np.ndarray[tuple[int], np.dtype[np.int64]]) -> tuple[Floats, Floats]:
    """All pairs x / y, x and y in [2^23, 2^24), within 8 / y of the middle between two floats.

    With m an odd number of 25 bits, twice such a middle, and 0 < |k| <= 8, they are the solutions
    of y m + k = 2^s x, where s is 24 or 25 as x is below y or not. If y has t factors of two, so
    has k. (What is farther from a middle than this comes out right by the bounds on the errors.)
    """
    found: list[tuple[Floats, Floats]] = []
    for twos in range(4):
        at = y[(y & ((2 << twos) - 1)) == 1 << twos]
        odd = at >> twos
        inverse = odd.copy()
        for _ in range(5):
            inverse = (inverse * (2 - odd * inverse)) & 0xFFFFFFFF
        for s in (24, 25):
            bits = s - twos
            for k in range(-8 >> twos, (8 >> twos) + 1):
                first = (-k * inverse) & ((1 << bits) - 1)
                for m in (first + turn for turn in range(1 << 24, 1 << 25, 1 << bits)):
                    x = (at * m + (k << twos)) >> s
                    fits = (m % 2 == 1) & (k != 0) & (x >= 1 << 23) & (x < 1 << 24)
                    fits &= (m >= 1 << 24) & (m < 1 << 25)
                    found.append((x[fits].astype(np.float32), at[fits].astype(np.float32)))
    x, y32 = (np.concatenate(each) for each in zip(*found, strict=True))
    even = len(x) // LANES * LANES
    return x[:even], y32[:even]


def check_quotients(x: Floats, y: Floats, steps: Steps = newton.quotient) -> None:
    assert len(x) > 0
    found, exact = quotients(x, y, steps), x / y
    np.testing.assert_array_equal(found.view(np.int32), exact.view(np.int32))


@here
def test_hard_quotients() -> None:
    every = np.arange(1 << 23, 1 << 24)
    for some in (every[::127], every[-20_000:], every[:2000]):
        x, y = hard_quotients(some)
        check_quotients(x, y)
        check_quotients(-x * np.float32(2.0**-87), y * np.float32(2.0**-55))
        check_quotients(x * np.float32(2.0**40), -y * np.float32(2.0**8))


@here
def test_hard_quotients_by_what_does_not_change() -> None:
    """At all ends of both ranges too."""
    every = np.arange(1 << 23, 1 << 24)
    for some in (every[::127], every[-20_000:], every[:2000]):
        x, y = hard_quotients(some)
        check_quotients(-x, y, quotient_by)
        for n, m in ((-96, -64), (-96, 27), (31, -64), (31, 27)):
            scaled = np.ldexp(x, n - 23), np.ldexp(y, m - 23)
            check_quotients(*scaled, quotient_by)


@here
@pytest.mark.slow
@pytest.mark.parametrize("steps", [newton.quotient, quotient_by])
def test_all_hard_quotients(steps: Steps) -> None:
    for low in range(1 << 23, 1 << 24, 1 << 19):
        check_quotients(*hard_quotients(np.arange(low, low + (1 << 19))), steps)


@here
def test_random_quotients() -> None:
    random = np.random.default_rng(5)
    x, y = (random.integers(ONE, ONE + (1 << 23), 1 << 21, np.int32) for _ in range(2))
    check_quotients(x.view(np.float32), y.view(np.float32))
    check_quotients(x.view(np.float32), y.view(np.float32), quotient_by)
    # A zero has the sign of both.
    x = np.tile(np.float32([0.0, -0.0, 0.0, -0.0]), 4)
    check_quotients(x, np.repeat(np.float32([3, -3]), 8))
    check_quotients(x, np.full_like(x, 3), quotient_by)


def specimens(random: np.random.Generator) -> Floats:
    """Every special number, what lies around the ends of all ranges, and any encodings."""
    exponents = (-149, -126, -89, -88, -87, -65, -64, -63, -33, -32, 0, 31, 32, 39, 40, 63, 64, 127)
    exact = np.float32([0.0, np.inf, np.nan, 1.7, *(2.0**e for e in exponents)])
    around = [np.nextafter(exact, np.float32(side)) for side in (0, np.inf)]
    other = [exact * np.float32(random.uniform(1, 2)) for _ in range(2)]
    some = random.integers(-(1 << 31), 1 << 31, 64).astype(np.int32).view(np.float32)
    positive = np.concatenate([exact, *around, *other])
    return np.concatenate([positive, -positive, some])


def alone(x: Floats) -> Floats:
    """Each number in all of 64 lanes, so that no other one keeps them from Newton's steps."""
    return np.repeat(x, 64)


def same(found: object, expected: Floats) -> None:
    result = np.asarray(found)
    different = result.view(np.int32) != expected.view(np.int32)
    assert not np.any(different & ~(np.isnan(result) & np.isnan(expected)))


@np.errstate(all="ignore")
def test_quotients_of_all_kinds_of_numbers() -> None:
    random = np.random.default_rng(3)
    pairs = np.meshgrid(specimens(random), specimens(random))
    for a, b in (map(np.ravel, pairs), map(alone, map(np.ravel, pairs))):
        spec = stepwell.spec(f"f32[{len(a)}]")
        same(stepwell.compile(lambda a, b: a / b, spec, spec)(a, b), a / b)


@np.errstate(all="ignore")
def test_quotients_of_rows_of_all_kinds_of_numbers() -> None:
    random = np.random.default_rng(6)
    y = specimens(random)
    for row in (specimens(random), alone(specimens(random)), alone(np.float32([0.0, -0.0, 1.5]))):
        x = np.tile(row, (len(y), 1))
        specs = f"f32[{len(y)},{len(row)}]", f"f32[{len(y)}]"
        divided = stepwell.compile(lambda x, y: x / y[:, None], *specs)
        same(divided(x, y), x / y[:, None])


@np.errstate(all="ignore")
def test_roots_of_all_kinds_of_numbers() -> None:
    x = specimens(np.random.default_rng(4))
    for each in (x, alone(x)):
        spec = stepwell.spec(f"f32[{len(each)}]")
        same(stepwell.compile(snp.sqrt, spec)(each), np.sqrt(each))
        same(stepwell.compile(snp.rsqrt, spec)(each), 1 / np.sqrt(each))


@here
def test_that_rows_are_divided_both_ways() -> None:
    specs = "f32[64,4096]", "f32[64]"
    program = stepwell.compile(lambda x, y: x / y[:, None], *specs, target="x86-64-v4")
    words = {word[:6] for word in program.ir("asm").split()}
    assert {"vfmsub", "vdivps"} <= words


@here
@pytest.mark.parametrize(
    ("function", "arguments", "estimates"),
    [(lambda x, y: x / y, 2, {"vrcp14ps"}), (snp.sqrt, 1, {"vrsqrt14ps"})],
)
def test_that_the_tests_above_are_of_both(
    function: Callable[..., object], arguments: int, estimates: set[str]
) -> None:
    program = stepwell.compile(function, *["f32[4096]"] * arguments, target="x86-64-v4")
    words = set(program.ir("asm").split())
    assert words & {"vrcp14ps", "vrsqrt14ps"} == estimates
    assert words & {"vdivps", "vsqrtps"}


def in_each_lane(x: Floats) -> Floats:
    """Each number in both halves of 64: Newton's steps take the first, the divider the other."""
    rows = np.resize(x, (-(-len(x) // 32), 32))
    return np.concatenate([rows, rows], 1).ravel()


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
@np.errstate(all="ignore")
def test_roots_everywhere(part: int) -> None:
    spec = stepwell.spec(f"f32[{1 << 17}]")
    root = stepwell.compile(snp.sqrt, spec)
    for low in range(part << 29, (part + 1) << 29, 1 << 16):
        x = in_each_lane(np.arange(low, low + (1 << 16), dtype=np.uint32).view(np.float32))
        same(root(x), np.sqrt(x))
