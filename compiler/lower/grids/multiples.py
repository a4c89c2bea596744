"""Sizes that should be multiples of a vector's length, and a kernel that takes them to be.

In memory of any shape `[B, N]` a row begins at a multiple of N. If that is one of four floats,
vectors of sixteen bytes are aligned, and none lies across the end of a row. Wherever N stands as
`4*floordiv(N, 4)`, no strategy has to be told.
"""

from collections.abc import Iterator, Mapping
from itertools import chain

from xdsl.ir import Attribute
from xdsl.rewriter import Rewriter

from stepwell.compiler.dialects.llvm.types import size as bytes_of
from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.types import (
    AccessAttr,
    Affine,
    BufferType,
    buffer,
    buffer_type,
)
from stepwell.compiler.dialects.sizes import Shape, SizesAttr, SymbolsAttr
from stepwell.compiler.lower.analysis import Access, Analysis, divisor
from stepwell.compiler.lower.loop_to_llvm.types import in_memory
from stepwell.compiler.lower.writer import ONE
from stepwell.runtime.sizes import Size

BYTES = 16
"""Of a vector."""


def multiples_in(kernel: KernelOp) -> Mapping[str, int]:
    """Symbols that decide whether vectors are aligned, with what they should be multiples of."""
    nests = [Analysis(nest) for nest in kernel.nests]
    accesses = [(nest, access) for nest in nests for access in nest.accesses.values()]
    elements = [in_memory(buffer_type(access.buffer).element) for _, access in accesses]
    widest = max(map(bytes_of, elements), default=BYTES)
    number = max(BYTES // widest, 1)
    names: set[str] = set()
    for nest, access in accesses:
        names |= _deciding(nest, access, number)
    return dict.fromkeys(sorted(names), number)


def _deciding(nest: Analysis, access: Access, number: int) -> frozenset[str]:
    """The symbols in the length of a buffer's rows, if an access goes along these and is aligned
    just if they are multiples of a number."""
    last = next((size for size in reversed(buffer_type(access.buffer).shape) if size != ONE), ONE)
    known = _multiplied(dict.fromkeys(last.symbols, number))
    steps = [size for size in _steps(nest, access) if divisor(size) % number]
    helps = all(divisor(size.substitute(known)) % number == 0 for size in steps)
    return last.symbols if steps and helps else frozenset()


def _steps(nest: Analysis, access: Access) -> Iterator[Size]:
    """Between the places where an access begins that goes along one axis: all strides but that
    one's, and the offset."""
    inside = [*nest.inside, *nest.scans]
    walked = {axis.value for axis in chain(nest.axes(), *map(nest.axes_of, inside))}
    every = {*nest.nest.axes, *chain.from_iterable(op.axes for op in inside)}
    strides = [
        size for value, size in access.at.terms.items() if value in walked or value not in every
    ]
    if ONE in strides:
        strides.remove(ONE)
        yield from (*strides, access.at.offset)


def _multiplied(multiples: Mapping[str, int]) -> Mapping[str, Size]:
    """Symbols as what shows that they are multiples; as numbers, they stay what they are."""
    return {name: number * (Size.of(name) // number) for name, number in multiples.items()}


def substitute(kernel: KernelOp, multiples: Mapping[str, int]) -> Mapping[str, Size]:
    """Let some of the symbols be multiples of numbers, in all types, shapes and indices; gives what
    stands for them."""
    known = _multiplied(multiples)
    ranges = {
        name: (-(-low // multiples.get(name, 1)) * multiples.get(name, 1), high)
        for name, (low, high) in kernel.symbols.ranges.items()
    }
    for op in kernel.walk():
        op.properties = {name: _with(each, known) for name, each in op.properties.items()}
        arguments = (value for region in op.regions for value in region.block.args)
        for value in (*op.results, *arguments):
            if isinstance(value.type, BufferType):
                Rewriter.replace_value_with_new_type(value, _with(value.type, known))
    kernel.properties["symbols"] = SymbolsAttr.of(ranges)
    return known


def _with(attribute: Attribute, sizes: Mapping[str, Size]) -> Attribute:
    match attribute:
        case SizesAttr():
            return SizesAttr(_shape(attribute.data, sizes))
        case BufferType():
            return buffer(_shape(attribute.shape, sizes), attribute.element)
        case AccessAttr():
            return AccessAttr(tuple(_affine(each, sizes) for each in attribute.data))
        case _:
            return attribute


def _shape(shape: Shape, sizes: Mapping[str, Size]) -> Shape:
    return tuple(size.substitute(sizes) for size in shape)


def _affine(form: Affine, sizes: Mapping[str, Size]) -> Affine:
    terms = tuple((size.substitute(sizes), number) for size, number in form.terms)
    return Affine(terms, form.offset.substitute(sizes))
