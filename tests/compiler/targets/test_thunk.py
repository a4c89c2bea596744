"""The thunk's machine code: what it expects in memory is what the runtime, CPython and NumPy do."""

import ctypes
from typing import Any

import numpy as np
import pytest

from stepwell.compiler.targets.cpu import host
from stepwell.compiler.targets.llvm_text import module_text
from stepwell.compiler.targets.support import support_module, support_object
from stepwell.compiler.targets.support.structures import Field
from stepwell.compiler.targets.support.thunk import layout
from stepwell.runtime import code, thunk
from stepwell.runtime.context import Record, Words

RUNTIMES: dict[type, Any] = {layout.Thunk: thunk.Thunk, layout.Case: thunk.Case}


def fields(structure: type) -> dict[str, int]:
    """The offsets of a structure's fields, by name."""
    return {
        name.lower(): value.offset
        for name, value in vars(structure).items()
        if isinstance(value, Field)
    }


def offset(structure: Any, name: str) -> int:
    return getattr(structure, name).offset


@pytest.mark.parametrize("structure", RUNTIMES, ids=lambda each: each.__name__)
def test_the_runtime_has_the_same_structures(structure: type) -> None:
    runtimes = RUNTIMES[structure]
    found = fields(structure)
    assert found == {name: offset(runtimes, name) for name in found}
    assert list(found) == [name for name, _ in runtimes._fields_]
    assert ctypes.sizeof(runtimes) == 8 * len(found)


def test_the_runtime_has_the_same_context() -> None:
    found = fields(layout.Context)
    assert found.pop("room") == offset(Record, "room") == ctypes.sizeof(Words)
    assert found == {name: offset(Words, name) for name in found}


def test_the_runtime_has_the_same_names_and_limits() -> None:
    assert layout.SYMBOL == thunk.SYMBOL
    for name in ("MOST_INPUTS", "MOST_RESULTS", "MOST_ADDRESSES"):
        assert getattr(layout, name) == getattr(thunk, name)
    assert layout.Object.HEAD == thunk.HEAD


def test_arrays_and_structures_are_laid_out_so() -> None:
    array = np.zeros((2, 3), np.float32)

    def word(field: Field) -> int:
        return ctypes.c_uint64.from_address(id(array) + field.offset).value

    assert word(layout.Object.TYPE) == id(np.ndarray)
    assert word(layout.Ndarray.DATA) == array.ctypes.data
    assert word(layout.Ndarray.RANK) % 2**32 == 2
    assert list((ctypes.c_int64 * 2).from_address(word(layout.Ndarray.SHAPE))) == [2, 3]
    assert word(layout.Ndarray.DTYPE) == id(array.dtype)
    assert word(layout.Ndarray.FLAGS) % 2**32 == array.flags.num
    words = Words()
    memory = ctypes.c_uint64.from_address(id(words) + layout.Object.MEMORY.offset)
    assert memory.value == ctypes.addressof(words)


def test_the_table_is_described() -> None:
    loaded = code.load(support_object(host()), "support")
    names = code.names(loaded.address("stepwell_thunk_imports"))
    assert names == [function.name for function in layout.IMPORTS]
    assert [function.number for function in layout.IMPORTS] == list(range(len(names)))
    assert all(hasattr(ctypes.pythonapi, name) for name in names)


def test_every_processor_has_it() -> None:
    assert f"@{layout.SYMBOL}(" in module_text(support_module("aarch64"))
