"""The structure of functions as text, which is equal where they become the same machine code.

Values are numbered in the order in which they are made, and attributes where they first stand; a
weight is its number among the different ones, since code depends on a weight's type only. Where an
op stands in the user's files is kept apart: code depends on none of it, and an image names lines by
their numbers, so that files may be moved and lines be put in between.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import final

from xdsl.dialects.builtin import LocationAttr, StringAttr
from xdsl.ir import Attribute, Operation, Region, SSAValue

from stepwell.compiler.dialects.construct import operands_of
from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.nd import (
    NAMES,
    LiteralAttr,
    RefAttr,
    Weight,
    dtype_of,
    is_tensor,
    shape_of,
    tensor,
    text_of,
)
from stepwell.compiler.dialects.sizes import (
    BindingsAttr,
    IntsAttr,
    NumberAttr,
    SizeAttr,
    SizesAttr,
    SymbolsAttr,
)
from stepwell.compiler.dialects.texts import TextAttr
from stepwell.compiler.ops.calls import Call
from stepwell.compiler.ops.structure import FuncOp
from stepwell.runtime.errors import SourceLine

OWN = "stepwell.compiler."
"""The modules whose classes the key knows: it has the hash of their sources."""

PLAIN = (
    BindingsAttr,
    IntsAttr,
    LiteralAttr,
    NumberAttr,
    SizeAttr,
    SizesAttr,
    StringAttr,
    SymbolsAttr,
    TextAttr,
)
"""Attributes of texts, numbers and sizes: `repr` of these is as exact as their text, and faster."""


@dataclass(frozen=True)
class Structure:
    """What a key has of a program, and what an image of it leaves out."""

    signature: str
    """The entry points with their types, for people."""
    operations: str
    """The hash of all that code depends on."""
    lines: str
    """The hash of which ops stand on a line together."""
    weights: tuple[Weight, ...]
    """The different ones, by their numbers."""
    places: tuple[SourceLine, ...]
    """The different lines, by their numbers."""


def structure_of(functions: Mapping[FuncOp, str]) -> Structure | None:
    """The structure of functions by these names; all that are called must be there.

    None where an op's class is not ours: what its methods do may change, and leave no trace here.
    """
    ops = (type(op) for function in functions for op in function.walk())
    if not all(kind.__module__.startswith(OWN) for kind in ops):
        return None
    writer = _Writer(functions)
    return Structure(
        "; ".join(_signature(f, name) for f, name in functions.items() if not f.private),
        _hash(writer.text()),
        _hash(map(str, writer.lines)),
        tuple(writer.weights),
        tuple(writer.places),
    )


def operations_of(op: Operation) -> str:
    """The hash of all that the code of one op depends on, wherever it stands in the source."""
    writer = _Writer({})
    writer.write(op)
    return _hash(writer.text())


def _signature(function: FuncOp, name: str) -> str:
    arguments = ", ".join(text_of(value.type) for value in function.block.args)
    return f"{name}({arguments}) -> ({', '.join(text_of(v.type) for v in function.returned)})"


def _hash(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@final
class _Writer:
    """Goes through functions once, in order."""

    def __init__(self, functions: Mapping[FuncOp, str]) -> None:
        self.weights: dict[Weight, int] = {}
        self.places: dict[SourceLine, int] = {}
        self.lines: list[int] = []
        self._functions = {function: number for number, function in enumerate(functions)}
        self._text: list[str] = []
        self._values: dict[SSAValue, int] = {}
        self._attributes: dict[str, int] = {}
        # By identity: the ops, which stay while this does, keep what is in here.
        self._known: dict[int, int] = {}
        self._lines: dict[int, int] = {}
        for function, name in functions.items():
            self._text.append(repr(name))
            self.write(function)

    def text(self) -> Iterable[str]:
        """The ops, and then the attributes that they name by number."""
        yield from self._text
        yield from map(repr, self._attributes)

    def write(self, op: Operation) -> None:
        values = self._values
        operands = ",".join([str(values[operand]) for operand in operands_of(op)])
        types = ",".join([str(self._attribute(result.type)) for result in op.results])
        properties, attributes = self._named(op, op.properties), self._named(op, op.attributes)
        self._text.append(f"{op.name}({operands}){properties}{attributes}:{types}")
        for result in op.results:
            values[result] = len(values)
        self.lines.append(self._line(op.location))
        for region in op.regions:
            self._region(region)

    def _region(self, region: Region) -> None:
        for block in region.blocks:
            arguments = ",".join([str(self._attribute(value.type)) for value in block.args])
            self._text.append(f"{{{arguments}")
            for argument in block.args:
                self._values[argument] = len(self._values)
            for op in block.ops:
                self.write(op)
            self._text.append("}")

    def _named(self, op: Operation, attributes: Mapping[str, Attribute]) -> str:
        if not attributes:
            return "[]"
        pairs = sorted(attributes.items(), key=lambda pair: pair[0])
        texts = [f"{name}={self._of(op, name, attribute)}" for name, attribute in pairs]
        return f"[{','.join(texts)}]"

    def _of(self, op: Operation, name: str, attribute: Attribute) -> str:
        if isinstance(op, Call) and name == "callee":
            return f"f{self._functions[op.function()]}"
        return str(self._attribute(attribute))

    def _attribute(self, attribute: Attribute) -> int:
        """The number of an attribute, the same for all of one text."""
        number = self._known.get(id(attribute))
        if number is None:
            text = self._attribute_text(attribute)
            number = self._attributes.setdefault(text, len(self._attributes))
            self._known[id(attribute)] = number
        return number

    def _attribute_text(self, attribute: Attribute) -> str:
        if isinstance(attribute, RefAttr):
            return f"weight {self.weights.setdefault(attribute.data, len(self.weights))}"
        if isinstance(attribute, PLAIN):
            return f"{attribute.name} {attribute.data!r}"
        return _printed(attribute)

    def _line(self, location: LocationAttr) -> int:
        """The number of a line, -1 where there is none."""
        number = self._lines.get(id(location))
        if number is None:
            line = source_line(location)
            number = -1 if line is None else self.places.setdefault(line, len(self.places))
            self._lines[id(location)] = number
        return number


@lru_cache(maxsize=8192)
def _printed(attribute: Attribute) -> str:
    """The text of a type, and of whatever else; xDSL's printer takes 30 us and more to warm up."""
    if is_tensor(attribute) and attribute.element_type in NAMES:
        dtype, shape = dtype_of(attribute), shape_of(attribute)
        if attribute == tensor(dtype, shape):
            return f"{dtype} {shape!r}"
    return str(attribute)
