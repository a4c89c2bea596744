"""Matrices that a warp holds together, against the manual's tables and products in fractions."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import under_test
from emulator.errors import ParseError
from near import ERROR
from oracles.formats import FORMATS, rounded
from small_kernels import covers, numbers, run, words

WARP = 32
TILE = ".shared .align 16 .b8 tile[1024];"


@pytest.mark.device
@covers("ldmatrix.sync.aligned.m8n8.many{.trans}{.space}.b16")
@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("trans", ["", ".trans"])
def test_load(count: int, trans: str) -> None:
    """Lane 8i + j gives row j of matrix i; lane l gets two elements of row l / 4."""
    x = numbers(32 * count).view(np.uint16).reshape(count, 8, 8)
    registers = ", ".join(f"%r{each + 1}" for each in range(count))
    stores = "\n".join(f"st.global.b32 [%g1+{128 * each}], %r{each + 1};" for each in range(count))
    body = f"""
    mov.u64 %d1, tile;
    {_fill(count)}
    and.b32 %r9, %t, {8 * count - 1};
    mul.wide.u32 %d3, %r9, 16;
    add.u64 %d3, %d3, %d1;
    bar.sync 0;
    ldmatrix.sync.aligned.m8n8.x{count}{trans}.shared.b16 {{{registers}}}, [%d3];
    {stores}"""
    (found,) = run(body, [x.view(np.uint32)], [words(32 * count)], top=TILE)
    halves = found.view(np.uint16).reshape(count, WARP, 2)
    for matrix in range(count):
        for lane in range(WARP):
            row, column = lane // 4, lane % 4 * 2
            wanted = [
                x[matrix, column + e, row] if trans else x[matrix, row, column + e] for e in (0, 1)
            ]
            assert halves[matrix, lane].tolist() == wanted


def _fill(count: int) -> str:
    return "\n".join(
        f"ld.global.u32 %r{each + 1}, [%g0+{128 * each}];\n"
        f"mad.lo.u64 %d2, %i, 4, %d1;\nst.shared.u32 [%d2+{128 * each}], %r{each + 1};"
        for each in range(count)
    )


@pytest.mark.device
@covers("stmatrix.sync.aligned.m8n8.many{.trans}{.space}.b16")
@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("trans", ["", ".trans"])
def test_store_is_load_the_other_way(count: int, trans: str) -> None:
    x = numbers(32 * count)
    registers = ", ".join(f"%r{each + 1}" for each in range(count))
    loads = "\n".join(f"ld.global.b32 %r{each + 1}, [%g0+{128 * each}];" for each in range(count))
    stores = "\n".join(f"st.global.b32 [%g1+{128 * each}], %r{each + 1};" for each in range(count))
    body = f"""
    {loads}
    and.b32 %r9, %t, {8 * count - 1};
    mul.wide.u32 %d3, %r9, 16;
    mov.u64 %d1, tile;
    add.u64 %d3, %d3, %d1;
    stmatrix.sync.aligned.m8n8.x{count}{trans}.shared.b16 [%d3], {{{registers}}};
    bar.sync 0;
    ldmatrix.sync.aligned.m8n8.x{count}{trans}.shared.b16 {{{registers}}}, [%d3];
    {stores}"""
    (found,) = run(body, [x], [words(32 * count)], top=TILE)
    assert (found == x).all()


Place = Callable[[int, int], tuple[int, int]]
DTYPES = {
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "tf32": np.float32,
    "f32": np.float32,
    "f64": np.float64,
    "s8": np.int8,
    "u8": np.uint8,
    "s32": np.int32,
}
PRODUCTS = [
    ("m16n8k8", "f32", "f16", "f16"),
    ("m16n8k8", "f32", "bf16", "bf16"),
    ("m16n8k16", "f32", "f16", "f16"),
    ("m16n8k16", "f32", "bf16", "bf16"),
    ("m16n8k16", "f16", "f16", "f16"),
    ("m16n8k4", "f32", "tf32", "tf32"),
    ("m16n8k8", "f32", "tf32", "tf32"),
    ("m16n8k16", "s32", "s8", "u8"),
    ("m16n8k32", "s32", "s8", "s8"),
    ("m16n8k32", "s32", "u8", "u8"),
    ("m8n8k4", "f64", "f64", "f64"),
]
ERRORS = {"f16": 2.0**-9, "f32": 2 * ERROR, "f64": 8 * 2.0**-53}
"""Of a card, times all that meets in a sum of floats: its order is its own, and so is how often it
rounds."""


@pytest.mark.device
@covers("mma.sync.aligned.shape.row.col.to.type.type.to")
@covers("mma.sync.aligned.shape.row.col{.satfinite}.to.type.right.to")
@covers("mma.sync.aligned.shape.row.col.to.to.to.to")
@pytest.mark.parametrize(("shape", "to", "left", "right"), PRODUCTS)
def test_products(shape: str, to: str, left: str, right: str) -> None:
    m, n, k = map(int, shape[1:].replace("n", " ").replace("k", " ").split())
    random = np.random.default_rng(0)
    a, b, c = (
        _random(random, (rows, columns), DTYPES[type])
        for rows, columns, type in ((m, k, left), (k, n, right), (m, n, to))
    )
    given, (a, b) = (a, b), map(_tf32, (a, b)) if left == "tf32" else (a, b)
    one, other = given if under_test.is_emulated() else (a, b)
    parts = {
        "a": _fragment(one, list(_a_places(m, k, left))),
        "b": _fragment(other, list(_b_places(k, right))),
        "c": _fragment(c, list(_c_places(m, to))),
    }
    found = _product(f"mma.sync.aligned.{shape}.row.col.{to}.{left}.{right}.{to}", parts)
    wanted = _fragment(_exact(a, b, c, to), list(_c_places(m, to)))
    if to == "s32" or under_test.is_emulated():
        assert (found == wanted).all()
        return
    met = np.abs(a.astype(float)) @ np.abs(b.astype(float)) + np.abs(c.astype(float))
    room = _fragment(met, list(_c_places(m, to))).view(float).ravel()
    one, other = (each.view(c.dtype).astype(float).ravel() for each in (found, wanted))
    finite = room < float(ml_dtypes.finfo(c.dtype).max)
    assert finite.sum() > finite.size // 2
    assert (np.abs(one - other) <= ERRORS[to] * room)[finite].all()


def _random(random: np.random.Generator, shape: tuple[int, int], dtype: Any) -> Any:
    if np.dtype(dtype).kind in "iu":
        info = np.iinfo(dtype)
        return random.integers(info.min, info.max, shape, dtype, endpoint=True)
    return (random.standard_normal(shape) * 4.0 ** random.integers(-4, 4, shape)).astype(dtype)


def _a_places(m: int, k: int, type: str) -> Iterator[list[list[tuple[int, int]]]]:
    """By lane, register and part: "Matrix Fragments for mma" of the manual, type by type."""
    for lane in range(WARP):
        group, place = lane // 4, lane % 4
        if type == "f64":
            yield [[(group, place)]]
        elif type == "tf32":
            every = [(group, place), (group + 8, place), (group, place + 4), (group + 8, place + 4)]
            yield [[each] for each in every[: k // 2]]
        elif type in ("f16", "bf16"):
            yield [
                [(group + 8 * (i // 2 % 2), place * 2 + i % 2 + 8 * (i // 4)) for i in (j, j + 1)]
                for j in range(0, k // 2, 2)
            ]
        else:
            yield [
                [
                    (group + 8 * (i // 4 % 2), place * 4 + i % 4 + 16 * (i // 8))
                    for i in range(j, j + 4)
                ]
                for j in range(0, k // 2, 4)
            ]


def _b_places(k: int, type: str) -> Iterator[list[list[tuple[int, int]]]]:
    for lane in range(WARP):
        group, place = lane // 4, lane % 4
        if type == "f64":
            yield [[(place, group)]]
        elif type == "tf32":
            yield [[(place + 4 * j, group)] for j in range(k // 4)]
        elif type in ("f16", "bf16"):
            yield [[(place * 2 + i + 8 * j, group) for i in (0, 1)] for j in range(k // 8)]
        else:
            yield [[(place * 4 + i + 16 * j, group) for i in range(4)] for j in range(k // 16)]


def _c_places(m: int, type: str) -> Iterator[list[list[tuple[int, int]]]]:
    for lane in range(WARP):
        group, place = lane // 4, lane % 4
        every = [(group + 8 * (i // 2), place * 2 + i % 2) for i in range(m // 4)]
        yield [every[:2], every[2:]] if type == "f16" else [[each] for each in every]


def _fragment(matrix: Any, places: list[list[list[tuple[int, int]]]]) -> Any:
    """Registers by lane."""
    rows = [[[matrix[each] for each in register] for register in lane] for lane in places]
    return np.array(rows, matrix.dtype).reshape(WARP, -1).view(f"u{max(4, matrix.itemsize)}")


def _product(mnemonic: str, parts: dict[str, Any]) -> Any:
    """Registers of the result, by lane."""
    size = parts["c"].itemsize
    bank, lines = ("d", list[str]()) if size == 8 else ("r", list[str]())
    names, first = dict[str, str](), 10
    for place, (name, each) in enumerate(parts.items()):
        count = each.shape[1]
        registers = [f"%{bank}{first + i}" for i in range(count)]
        first += count
        names[name] = "{" + ", ".join(registers) + "}"
        lines.append(f"mad.lo.u64 %d1, %i, {size * count}, %a{place};")
        lines += [
            f"ld.global.b{8 * size} {one}, [%d1+{size * i}];" for i, one in enumerate(registers)
        ]
    count = parts["c"].shape[1]
    results = [f"%{bank}{first + i}" for i in range(count)]
    lines.append(f"{mnemonic} {{{', '.join(results)}}}, {names['a']}, {names['b']}, {names['c']};")
    lines.append(f"mad.lo.u64 %d1, %i, {size * count}, %a3;")
    lines += [f"st.global.b{8 * size} [%d1+{size * i}], {one};" for i, one in enumerate(results)]
    (found,) = run("\n".join(lines), list(parts.values()), [parts["c"]])
    return found


def _tf32(x: Any) -> Any:
    """Without the bits that the type does not have; what a card does with these no manual says."""
    return (x.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)


def _exact(a: Any, b: Any, c: Any, to: str) -> Any:
    """Every element as a sum of exact products, rounded once."""
    found = np.zeros_like(c)
    for row, column in np.ndindex(*c.shape):
        if to == "f64":
            found[row, column] = _chain(a[row].tolist(), b[:, column].tolist(), c[row, column])
            continue
        terms = zip(a[row].tolist(), b[:, column].tolist(), strict=True)
        total = sum((Fraction(x) * Fraction(y) for x, y in terms), Fraction(c[row, column].item()))
        if to == "s32":
            found[row, column] = (int(total) + (1 << 31)) % (1 << 32) - (1 << 31)
        else:
            found[row, column] = rounded(total or 0.0, FORMATS[to])
    return found


def _chain(a: list[float], b: list[float], c: float) -> float:
    """Rounded after each product."""
    for x, y in zip(a, b, strict=True):
        c = rounded(Fraction(x) * Fraction(y) + Fraction(c), FORMATS["f64"])
    return c


def test_registers_of_another_shape() -> None:
    body = "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%r1, %r2, %r3, %r4}, "
    body += "{%r1, %r2}, {%r3}, {%r5, %r6, %r7, %r8};"
    with pytest.raises(ParseError, match="m16n8k16 has another number of registers"):
        run(body)
