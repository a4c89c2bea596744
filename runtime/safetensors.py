"""The safetensors format: named dense arrays behind a bounds-checked JSON header, without pickle.

https://github.com/huggingface/safetensors#format. A file is the header's length (u64), the header
and the arrays, without gaps. Arrays that fill whole cache lines come first, so that they, like the
start of the data, are aligned to 64 bytes.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import cast

import numpy as np

from stepwell.runtime.dtypes import BY_NUMPY, BY_SAFETENSORS, Array, DType
from stepwell.runtime.errors import LoadError

ALIGNMENT = 64
LONGEST_HEADER = 100_000_000


def serialize(arrays: Mapping[str, Array]) -> bytes:
    """The bytes of a file that holds `arrays`; equal arrays under equal names give equal bytes."""
    header: dict[str, object] = {}
    offset = 0
    ordered = sorted(arrays.items(), key=_place)
    for name, array in ordered:
        end = offset + array.nbytes
        header[name] = {
            "dtype": BY_NUMPY[array.dtype].safetensors,
            "shape": list(array.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % ALIGNMENT)
    return b"".join((len(text).to_bytes(8, "little"), text, *(a.tobytes() for _, a in ordered)))


def parse(data: memoryview, name: str) -> dict[str, Array]:
    """Read-only arrays that look into `data`, by name; `name` is the file's, for the errors."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(LONGEST_HEADER, len(data) - 8):
        raise _malformed(name, "its header is longer than the file")
    body = data[8 + length :].toreadonly()
    arrays: dict[str, Array] = {}
    end = 0
    for key, entry in _entries(bytes(data[8 : 8 + length]), name):
        dtype, shape, (start, stop) = _fields(entry, f"{name}: {key}")
        if start != end or stop - start != math.prod(shape) * dtype.itemsize or stop > len(body):
            raise _malformed(name, f"the bytes of {key} do not fit its shape, or leave a gap")
        arrays[key] = np.frombuffer(body[start:stop], dtype.numpy).reshape(shape)
        end = stop
    if end != len(body):
        raise _malformed(name, f"{len(body) - end} bytes follow the last array")
    return arrays


def _place(item: tuple[str, Array]) -> tuple[bool, int, str]:
    """Whole cache lines first, then by element size: so every array is aligned to its elements."""
    name, array = item
    return array.nbytes % ALIGNMENT != 0, -array.itemsize, name


def _entries(text: bytes, name: str) -> Iterator[tuple[str, object]]:
    """The header's arrays in the order of their data, without the optional `__metadata__`."""
    try:
        header: object = json.loads(text)
    except (ValueError, RecursionError):
        raise _malformed(name, "its header is not JSON") from None
    if not isinstance(header, dict):
        raise _malformed(name, "its header is not a JSON object")
    entries = cast("dict[str, object]", header)
    entries.pop("__metadata__", None)
    yield from sorted(entries.items(), key=_offset)


def _offset(item: tuple[str, object]) -> tuple[int, int]:
    """The sort key of an entry; a malformed one is found by `_fields`, whatever its place."""
    match item[1]:
        case {"data_offsets": [int(start), int(stop)]}:
            return start, stop
        case _:
            return -1, -1


def _fields(entry: object, name: str) -> tuple[DType, tuple[int, ...], tuple[int, int]]:
    match entry:
        case {"dtype": str(code), "shape": list(), "data_offsets": [int(start), int(stop)]}:
            shape = cast("list[object]", cast("dict[str, object]", entry)["shape"])
        case _:
            raise _malformed(name, "dtype, shape or data_offsets is missing")
    sizes = tuple(size for size in shape if isinstance(size, int) and size >= 0)
    if len(sizes) != len(shape):
        raise _malformed(name, f"the shape {shape} is not a list of sizes")
    if code not in BY_SAFETENSORS:
        raise _malformed(name, f"the dtype {code} is unknown")
    return BY_SAFETENSORS[code], sizes, (start, stop)


def _malformed(name: str, reason: str) -> LoadError:
    return LoadError("SW0313", f"{name} is not a safetensors file: {reason}")
