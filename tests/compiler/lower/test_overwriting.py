"""Which inputs a kernel says it can overwrite."""

import numpy as np
import pytest
from xdsl.ir import Operation

import stepwell as sw
from programs import parsed
from stepwell import numpy as snp
from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.lower.overwriting import overwritable

X = "!loop.buffer<[4] x f32>"


def pairs(body: str, given: str = X) -> list[tuple[int, int]]:
    module = parsed(f"loop.kernel @k(%x: {given}, %y: {X}) -> (%z: {X}) {{\n{body}\n}}")
    kernel = next(op for op in module.ops if isinstance(op, KernelOp))
    assert isinstance(kernel, Operation)
    return list(overwritable(kernel))


def nest(*lines: str) -> str:
    return "loop.nest [%i : 4] {\n" + "\n".join(lines) + "\n}\n"


READ, WRITE = "%v = loop.read %x[%i] : f32", "loop.write %v, %z[%i] : f32"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(nest(READ, WRITE), [(0, 2)], id="read where it is written"),
        pytest.param(
            nest(READ, "%w = loop.read %y[%i] : f32", "%s = arith.addf %v, %w : f32", WRITE),
            [(0, 2), (1, 2)],
            id="either of two",
        ),
        pytest.param(nest("%v = loop.read %x[(-1) * %i + 3] : f32", WRITE), [], id="elsewhere"),
        pytest.param(nest(READ, "%w = loop.read %x[0] : f32", WRITE), [], id="elsewhere, too"),
        pytest.param(nest(READ, WRITE, "%w = loop.read %x[%i] : f32"), [], id="afterwards"),
        pytest.param(
            nest(READ, WRITE) + nest("%v = loop.read %x[%i] : f32", "loop.write %v, %y[%i] : f32"),
            [],
            id="in a later nest",
        ),
        pytest.param(
            nest(
                READ,
                "%s = loop.fold add <lanes, 64> [%k : 4] {",
                "  %w = loop.read %x[%k] : f32",
                "  loop.yield %w : f32",
                "} : f32",
                WRITE,
            ),
            [],
            id="in a fold",
        ),
    ],
)
def test_an_input_is_overwritten_only_where_it_was_read(
    body: str, expected: list[tuple[int, int]]
) -> None:
    assert pairs(body) == expected


def test_an_input_of_another_type_is_not() -> None:
    body = nest("%v = loop.read %x[%i, 0] : f32", WRITE)
    assert pairs(body, "!loop.buffer<[4, 1] x f32>") == []


@pytest.mark.parametrize("size", [1, 7, 63, 64, 65, 200, 5000])
def test_code_that_overwrites_gives_the_same(size: int) -> None:
    def step(c: sw.Array, x: sw.Array) -> tuple[sw.Array, None]:
        return snp.where(c > 1, c - x, c * 3 + x), None

    program = sw.compile(lambda c, xs: sw.scan(step, c, xs)[0], f"f32[{size}]", f"f32[3,{size}]")
    assert "loop.copy" not in program.ir("buffers").partition("loop.for")[2]
    random = np.random.default_rng(0)
    c, xs = random.random(size, np.float32), random.random((3, size), np.float32)
    expected = c
    for x in xs:
        expected = np.where(expected > 1, expected - x, expected * 3 + x)
    np.testing.assert_array_equal(np.asarray(program(c, xs)), expected)
