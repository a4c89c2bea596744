"""Kernels of one instruction, with an operand for each thread, and values to try them on."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from device_of_kernels import device_of_kernels
from emulator.device import Device
from emulator.operations import named_type
from emulator.rows import Row
from emulator.types import UNSIGNED, Array, Type

How: TypeAlias = Mapping[str, str]
THREADS = 64
HEAD = ".version 8.0\n.target {}\n.address_size 64\n"
NEWER = re.compile(
    r"[us]16x2|^(min|max)\.relu\.s32$|^(add|sub|mul|ex2|tanh|setp)\b.*bf16"
    r"|^cvt\b.*\.(bf16\.(?!f32$)\w+|(?!f32)\w+\.bf16|ftz\.f32\.bf16|r[nz]\.(relu\.)?tf32\.f32)$"
)
"""What an A100 lacks."""
SPECIAL = (0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 0.5, 1.5, 2.5, -3.5)


def types_of(row: Row, how: How) -> tuple[list[Type], list[Type]]:
    """Of the results and of the sources."""
    signature = row.signature
    return (
        [named_type(each, how) for each in signature.results],
        [named_type(each.rstrip("?!"), how) for each in signature.sources],
    )


def constants(row: Row) -> list[int]:
    """The numbers of the sources that are no registers."""
    return [place for place, each in enumerate(row.signature.sources) if each.endswith("!")]


def values(type: Type, random: np.random.Generator) -> Array:
    """As many as there are threads: special ones, near ones, and any bits."""
    if type.name == "pred":
        return random.integers(0, 2, THREADS).astype(bool)
    count = THREADS * (type.bits // (8 * type.dtype.itemsize))
    bits = random.integers(0, 1 << 63, count, np.uint64, endpoint=True)
    found = bits.astype(UNSIGNED[8 * type.dtype.itemsize]).view(type.dtype).copy()
    some = random.permutation(count)
    if type.is_float:
        found[some[: count // 3]] = random.choice(SPECIAL, count // 3).astype(type.dtype)
        found[some[count // 3 : count // 2]] = random.standard_normal(count // 2 - count // 3)
        subnormal = np.array([3], UNSIGNED[8 * type.dtype.itemsize]).view(type.dtype)
        found[some[count // 2 : count // 2 + 2]] = subnormal
        return found
    info = np.iinfo(type.dtype)
    edges = [0, 1, 2, 31, 32, 33, 63, 64, info.max, info.max - 1, info.min, info.min + 1]
    found[some[: count // 3]] = random.choice(np.array(edges, type.dtype), count // 3)
    found[some[count // 3 : count // 2]] = random.integers(0, 70, count // 2 - count // 3)
    return found


def run(
    mnemonic: str,
    results: Sequence[Type],
    sources: Sequence[Type],
    given: Sequence[Array],
    fixed: Sequence[int] = (),
) -> list[Array]:
    """What the instruction gives for one operand of each source per thread; of the sources that are
    `fixed` all have the first one's."""
    device = device_of_kernels()
    known = {place: int(given[place][0]) for place in fixed}
    function = device.load(kernel(mnemonic, results, sources, known)).function("k")
    addresses = [_buffer(device, each) for each in given]
    out = [np.zeros(THREADS, UNSIGNED[each.bits]) for each in results]
    targets = [device.allocate(each.nbytes) for each in out]
    device.launch(function, (1, 1, 1), (THREADS, 1, 1), 0, [*addresses, *targets])
    for array, address in zip(out, targets, strict=True):
        device.copy_out(array, address)
    return [array.view(each.dtype) for array, each in zip(out, results, strict=True)]


def _buffer(device: Device, array: Array) -> int:
    address = device.allocate(array.nbytes)
    device.copy_in(address, array)
    return address


def kernel(
    mnemonic: str, results: Sequence[Type], sources: Sequence[Type], known: Mapping[int, int]
) -> str:
    """The text of a kernel that reads its operands, but for `known` ones, and stores its results,
    by thread."""
    count = len(sources) + len(results)
    parameters = ", ".join(f".param .u64 p{each}" for each in range(count))
    lines = [".reg .b32 %t;", ".reg .b64 %i;", "mov.u32 %t, %tid.x;", "cvt.u64.u32 %i, %t;"]
    for place, type in enumerate((*sources, *results)):
        lines += [
            f".reg .b64 %a{place};",
            f".reg .{declared(type)} %v{place};",
            f".reg .b16 %h{place};",
            f"ld.param.u64 %a{place}, [p{place}];",
            f"mad.lo.u64 %a{place}, %i, {type.bytes}, %a{place};",
        ]
    for place, type in enumerate(sources):
        lines += _loaded(place, type)
    first = len(sources)
    targets = "|".join(f"%v{first + each}" for each in range(len(results)))
    names = (str(known.get(each, f"%v{each}")) for each in range(first))
    operands = ", ".join([targets, *names])
    lines.append(f"{mnemonic} {operands};")
    for place, type in enumerate(results, first):
        lines += _stored(place, type)
    body = "\n".join(lines)
    head = HEAD.format(processor(mnemonic))
    return f"{head}.visible .entry k({parameters})\n{{\n{body}\nret;\n}}\n"


def processor(mnemonic: str) -> str:
    """The least one that has an instruction."""
    return "sm_90" if NEWER.search(mnemonic) else "sm_80"


def declared(type: Type) -> str:
    """Registers have 16 bits at least."""
    return "pred" if type.name == "pred" else f"b{max(16, type.bits)}"


def _loaded(place: int, type: Type) -> list[str]:
    if type.name == "pred":
        return [
            f"ld.global.u8 %h{place}, [%a{place}];",
            f"setp.ne.u16 %v{place}, %h{place}, 0;",
        ]
    return [f"ld.global.b{type.bits} %v{place}, [%a{place}];"]


def _stored(place: int, type: Type) -> list[str]:
    if type.name == "pred":
        return [
            f"selp.u16 %h{place}, 1, 0, %v{place};",
            f"st.global.u8 [%a{place}], %h{place};",
        ]
    return [f"st.global.b{type.bits} [%a{place}], %v{place};"]


def scalars(array: Array) -> list[Any]:
    """As Python's integers, floats and truth values."""
    if array.dtype.kind in "biu":
        return array.tolist()
    with np.errstate(invalid="ignore"):
        return array.astype(np.float64).tolist()
