"""The safetensors format: named dense arrays behind a bounds-checked JSON header, without pickle.

https://github.com/huggingface/safetensors#format. A file is the header's length (u64), the header
and the arrays, without gaps. Arrays that fill whole cache lines come first, so that they, like the
start of the data, are aligned to 64 bytes.
"""

import json
import math
from collections.abc import Mapping

import numpy as np

from stepwell.runtime.dtypes import BY_NUMPY, BY_SAFETENSORS, Array
from stepwell.runtime.errors import LoadError
from stepwell.runtime.fields import Field

ALIGNMENT = 64
LARGEST = 2**60
"""Elements of an array if empty axes had one: NumPy's own bound, which it keeps for those too."""


def serialize(arrays: Mapping[str, Array]) -> bytes:
    """The bytes of a file that holds `arrays`; equal arrays under equal names give equal bytes."""
    header: dict[str, object] = {}
    offset = 0
    ordered = sorted(arrays.items(), key=_place)
    for name, array in ordered:
        end = offset + array.nbytes
        header[name] = {
            "dtype": BY_NUMPY[array.dtype].name.upper(),
            "shape": list(array.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % ALIGNMENT)
    return b"".join((len(text).to_bytes(8, "little"), text, *(a.tobytes() for _, a in ordered)))


def parse(data: memoryview, name: str) -> dict[str, Array]:
    """Read-only arrays that look into `data`, by name.

    `name` is the file's in LoadError SW0313, and SW0307 where a field of the header is wrong.
    """
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8:
        raise _malformed(name, "its header is longer than the file")
    header = Field.parse(bytes(data[8 : 8 + length]), name).members()
    header.pop("__metadata__", None)
    body = data[8 + length :].toreadonly()
    arrays: dict[str, Array] = {}
    end = 0
    for start, stop, key, dtype, shape in sorted(map(_described, header.keys(), header.values())):
        fits = stop - start == math.prod(shape) * BY_SAFETENSORS[dtype].numpy.itemsize
        if start != end or stop > len(body) or not fits:
            raise _malformed(name, f"the bytes of {key} do not fit its shape, or leave a gap")
        array = np.frombuffer(body[start:stop], BY_SAFETENSORS[dtype].numpy)
        arrays[key] = array.reshape(shape)
        end = stop
    if end != len(body):
        raise _malformed(name, f"{len(body) - end} bytes follow the last array")
    return arrays


def _place(item: tuple[str, Array]) -> tuple[bool, int, str]:
    """Whole cache lines first, then by element size: so every array is aligned to its elements."""
    name, array = item
    return array.nbytes % ALIGNMENT != 0, -array.itemsize, name


def _described(key: str, field: Field) -> tuple[int, int, str, str, tuple[int, ...]]:
    """Where an array begins and ends, its name, dtype and shape."""
    offsets = field["data_offsets"]
    shape = tuple(size.count() for size in field["shape"].items())
    if math.prod(size or 1 for size in shape) > LARGEST:
        raise field["shape"].refusal("a shape that NumPy allows")
    match offsets.items():
        case [start, stop]:
            dtype = field["dtype"].choice(tuple(BY_SAFETENSORS))
            return start.count(), stop.count(), key, dtype, shape
        case _:
            raise offsets.refusal("the begin and the end")


def _malformed(name: str, reason: str) -> LoadError:
    return LoadError("SW0313", f"{name} is not a safetensors file: {reason}")
