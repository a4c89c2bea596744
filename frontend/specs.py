"""Specs: the dtype and the sizes of an argument before there is one, written `f32[B, 784]`."""

import keyword
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias, final, overload

from stepwell import nested
from stepwell.array import asarray
from stepwell.places import pointing_at_the_user
from stepwell.runtime import dtypes
from stepwell.runtime.errors import CompileError, StepwellError
from stepwell.runtime.sizes import Ranges, Size, SizeSyntaxError
from stepwell.runtime.symbols import solutions

Range: TypeAlias = tuple[int, int | None]

_DTYPE = re.compile(r"\s*(\w*)\s*")
_RANGE = re.compile(r"\s*(\d*)\s*\.\.\s*(\d*)\s*")
_HINT = "write a spec like i64, f32[784], f32[B, 2*S] or f32[B: 1..64]"


@final
@dataclass(frozen=True)
class Spec:
    """What is known of an array while a function is compiled: it stands in the array's place."""

    dtype: str
    sizes: tuple[Size, ...] = ()
    name: str | None = None
    ranges: Ranges = field(default_factory=dict[str, Range], hash=False)
    """Least and greatest value of some symbols; the others are 0 or more."""

    def __str__(self) -> str:
        """The text that `spec` reads; a range stands where its symbol first stands alone."""
        left = dict(self.ranges)
        sizes = [f"{size}{_written(left.pop(str(size), None))}" for size in self.sizes]
        return f"{self.dtype}[{','.join(sizes)}]" if sizes else self.dtype


@overload
def spec(given: str, *, name: str | None = None) -> Spec: ...
@overload
def spec(given: object) -> Any: ...
def spec(given: object, *, name: str | None = None) -> Any:
    """Reads `f32[B: 1..64, 2*S]`: a dtype, and sizes of which a symbol may have a range.

    A range has a least and a greatest value, both inclusive, and either may be left out: `1..`.
    Of an example, an array or a tree of arrays (and texts), these are the specs: of each array
    its dtype and shape.
    Raises StepwellError (SW0101) that points at the first character that is wrong.
    """
    with pointing_at_the_user():
        return _Parser(given).spec(name) if isinstance(given, str) else nested.map(_of_leaf, given)


def spec_tree(tree: object) -> Any:
    """The tree with its texts read as specs, and the specs in it as they are.

    Raises StepwellError (SW0101) for a text that is no spec and for any other leaf.
    """
    return nested.map(_as_spec, tree)


def ranges_of(all_specs: Iterable[Spec]) -> Ranges:
    """The ranges of the symbols of several specs together.

    Raises StepwellError (SW0113) where two give different ranges to one symbol.
    """
    found: dict[str, Range] = {}
    for each in all_specs:
        for symbol, limits in each.ranges.items():
            if found.setdefault(symbol, limits) != limits:
                _refuse_two_ranges(symbol, found[symbol], limits)
    return found


def expect_determined(all_specs: Iterable[Spec]) -> None:
    """Raises CompileError SW0157 unless each symbol follows from the shapes of a call."""
    shapes = [each.sizes for each in all_specs]
    symbols = frozenset[str]().union(*(size.symbols for shape in shapes for size in shape))
    unknown = sorted(symbols - solutions(shapes).keys())
    if unknown:
        raise CompileError(
            "SW0157",
            f"no argument's shape determines {unknown[0]}",
            hint=f"give an axis the size {unknown[0]}, or one linear in it like 2*{unknown[0]} + 1",
        )


def _of_leaf(leaf: object) -> Spec:
    """The spec of a text or of an example, which may be a number."""
    if isinstance(leaf, str | Spec):
        return _as_spec(leaf)
    try:
        array = asarray(leaf)
    except (TypeError, ValueError, CompileError):
        return _as_spec(leaf)
    return Spec(array.dtype, array.sizes)


def _as_spec(leaf: object) -> Spec:
    if isinstance(leaf, str):
        return spec(leaf)
    if isinstance(leaf, Spec):
        return leaf
    raise StepwellError("SW0101", f"a {type(leaf).__name__} is not a spec", hint=_HINT)


@final
@dataclass(frozen=True)
class _Parser:
    """Reads one text, and knows the offset of each piece for the caret of an error."""

    text: str

    def spec(self, name: str | None) -> Spec:
        start, dtype = self.dtype()
        ranges: dict[str, Range] = {}
        sizes = tuple(self.size(at, piece, ranges) for at, piece in self.pieces(start))
        return Spec(dtype, sizes, name, ranges)

    def dtype(self) -> tuple[int, str]:
        """The offset of what follows the dtype, and the dtype."""
        match = _DTYPE.match(self.text)
        assert match is not None, "every part of the pattern may be empty"
        if match[1] not in dtypes.BY_NAME:
            known = ", ".join(dtypes.BY_NAME)
            self.refuse(match.start(1), f"does not begin with a dtype ({known})")
        return match.end(), match[1]

    def pieces(self, start: int) -> Iterator[tuple[int, str]]:
        """What stands between the brackets and the commas outside of parentheses."""
        if start == len(self.text):
            return
        if self.text[start] != "[":
            self.refuse(start, "needs sizes in brackets, or nothing, after the dtype")
        stop = self.text.find("]")
        if stop < 0:
            self.refuse(len(self.text), "does not close its bracket")
        after = self.text[stop + 1 :]
        if after.strip():
            self.refuse(len(self.text) - len(after.lstrip()), "goes on after its bracket")
        if self.text[start + 1 : stop].strip():
            yield from _at_commas(self.text, start + 1, stop)

    def size(self, at: int, piece: str, ranges: dict[str, Range]) -> Size:
        """One size; its range goes into `ranges`."""
        written, colon, limits = piece.partition(":")
        try:
            size = Size.parse(written)
        except SizeSyntaxError as error:
            self.refuse(at + error.offset, f"has a size that cannot be read: {error}")
        start = at + len(written) - len(written.lstrip())
        for symbol in filter(keyword.iskeyword, sorted(size.symbols)):
            self.refuse(start, f"has the size {symbol}, which is a word of Python's")
        _, most = size.bounds({symbol: (1, None) for symbol in size.symbols})
        if most is not None and most < 0:
            self.refuse(start, "has a negative size")
        if colon:
            self.range(at + len(written) + 1, limits, size, ranges)
        return size

    def range(self, at: int, piece: str, size: Size, ranges: dict[str, Range]) -> None:
        start = at + len(piece) - len(piece.lstrip())
        symbol = str(size)
        if symbol not in size.symbols:
            self.refuse(start, f"gives a range to {size}, which is not a symbol")
        match = _RANGE.fullmatch(piece)
        if not match or not (match[1] or match[2]):
            self.refuse(start, "has a range that is not of the form 1..64, 1.. or ..64")
        limits = (int(match[1] or 0), int(match[2]) if match[2] else None)
        if limits[1] is not None and limits[1] < limits[0]:
            self.refuse(start, "has a range that holds nothing")
        if ranges.setdefault(symbol, limits) != limits:
            self.refuse(start, f"gives {symbol} two ranges")

    def refuse(self, offset: int, why: str) -> NoReturn:
        caret = " " * offset + "^"
        raise StepwellError("SW0101", f"the spec {why}", details=[self.text, caret], hint=_HINT)


def _at_commas(text: str, start: int, stop: int) -> Iterator[tuple[int, str]]:
    depth = 0
    for at in range(start, stop):
        depth += (text[at] == "(") - (text[at] == ")")
        if text[at] == "," and depth == 0:
            yield start, text[start:at]
            start = at + 1
    yield start, text[start:stop]


def _written(limits: Range | None) -> str:
    if limits is None:
        return ""
    low, high = limits
    return f": {low}..{'' if high is None else high}"


def _refuse_two_ranges(symbol: str, one: Range, other: Range) -> NoReturn:
    raise StepwellError(
        "SW0113",
        f"the specs give {symbol} two ranges",
        details=[f"{symbol}{_written(one)}", f"{symbol}{_written(other)}"],
        hint=f"give {symbol} its range once, or the same everywhere",
    )
