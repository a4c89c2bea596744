"""An entry point of an artifact as data: what it takes, answers and says while it runs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from string import Formatter
from typing import Final, Literal, TypeAlias, final

import numpy as np

from stepwell.runtime import tree
from stepwell.runtime.devices.array import Value
from stepwell.runtime.dtypes import BY_NAME, Array, DType
from stepwell.runtime.errors import SourceLine
from stepwell.runtime.fields import Field, Json
from stepwell.runtime.sizes import LARGEST, Ranges, Size, SizeSyntaxError

Kind: TypeAlias = Literal["input", "constant", "state"]
KINDS: Final[tuple[Kind, ...]] = ("input", "constant", "state")
SiteKind: TypeAlias = Literal["print", "assert"]
SITE_KINDS: Final[tuple[SiteKind, ...]] = ("print", "assert")
NUMERICS: Final = ("strict", "fast")


@final
@dataclass(frozen=True, slots=True)
class ArrayType:
    """A dense array's dtype and shape, written `f32[B,784]`."""

    dtype: DType
    shape: tuple[Size, ...]

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"

    def admits(self, array: Value) -> bool:
        """Whether an array has this dtype and rank, and the sizes that are known."""
        return (
            array.dtype == self.dtype.numpy
            and array.ndim == len(self.shape)
            and all(
                size.static in (None, n) for size, n in zip(self.shape, array.shape, strict=True)
            )
        )

    def to_json(self) -> dict[str, Json]:
        """The members `dtype` and `shape`; a size that is known is a number, others are text."""
        shape = [str(size) if size.static is None else size.static for size in self.shape]
        return {"dtype": self.dtype.name, "shape": shape}

    @staticmethod
    def from_json(field: Field, ranges: Ranges) -> "ArrayType":
        """The type in an object's members `dtype` and `shape`."""
        dtype = BY_NAME[field["dtype"].choice(tuple(BY_NAME))]
        return ArrayType(dtype, tuple(read_size(item, ranges) for item in field["shape"].items()))


@final
@dataclass(frozen=True, slots=True)
class Argument:
    """An array that code reads: given by the caller, a constant, or the current state `name`.

    `sha256` is the key in the weights of a constant's value and of a state's first value.
    """

    kind: Kind
    name: str
    type: ArrayType
    sha256: str | None = None

    def to_json(self) -> Json:
        """The argument as it stands in a manifest."""
        digest: dict[str, Json] = {} if self.sha256 is None else {"sha256": self.sha256}
        return {"kind": self.kind, "name": self.name, **self.type.to_json(), **digest}

    @staticmethod
    def from_json(field: Field, ranges: Ranges) -> "Argument":
        """The argument that a manifest describes."""
        kind = field["kind"].choice(KINDS)
        digest = None if kind == "input" else field["sha256"].text()
        return Argument(kind, field["name"].text(), ArrayType.from_json(field, ranges), digest)


@final
@dataclass(frozen=True, slots=True)
class Result:
    """An array that code writes, which becomes the state of that name if it has one."""

    name: str
    type: ArrayType
    state: str | None = None

    def to_json(self) -> Json:
        """The result as it stands in a manifest."""
        state: dict[str, Json] = {} if self.state is None else {"state": self.state}
        return {"name": self.name, **self.type.to_json(), **state}

    @staticmethod
    def from_json(field: Field, ranges: Ranges, states: Sequence[str]) -> "Result":
        """The result that a manifest describes, for an entry with these states."""
        name = field.get("state")
        state = None if name is None else name.choice(states)
        return Result(field["name"].text(), ArrayType.from_json(field, ranges), state)


@final
@dataclass(frozen=True, slots=True)
class SizeRange:
    """A symbol and the values that it may take, both ends included; no maximum is None."""

    name: str
    minimum: int = 0
    maximum: int | None = None

    def __contains__(self, value: int) -> bool:
        return self.minimum <= value and (self.maximum is None or value <= self.maximum)

    def __str__(self) -> str:
        return f"{self.minimum}..{'' if self.maximum is None else self.maximum}"

    def to_json(self) -> Json:
        """The range as it stands in a manifest."""
        return {"name": self.name, "minimum": self.minimum, "maximum": self.maximum}

    @staticmethod
    def from_json(field: Field) -> "SizeRange":
        """The range that a manifest describes."""
        maximum = field.get("maximum")
        most = None if maximum is None else maximum.count()
        least = field["minimum"].count()
        if most is not None and most < least:
            raise field["maximum"].refusal(f"{least} or more, which is the minimum")
        return SizeRange(field["name"].text(), least, most)


@final
@dataclass(frozen=True, slots=True)
class Site:
    """A place in the user's program that prints, or that asserts, while compiled code runs.

    `text` is what is said; where it prints, with one `{}` (which may hold a format, `{:.3f}`) for
    each operand.
    """

    kind: SiteKind
    text: str
    operands: tuple[ArrayType, ...] = ()
    where: SourceLine | None = None

    def to_json(self) -> Json:
        """The site as it stands in a manifest."""
        where: Json = self.where and asdict(self.where)
        operands = [operand.to_json() for operand in self.operands]
        return {"kind": self.kind, "text": self.text, "operands": operands, "where": where}

    @staticmethod
    def from_json(field: Field, ranges: Ranges) -> "Site":
        """The site that a manifest describes."""
        kind = field["kind"].choice(SITE_KINDS)
        operands = tuple(ArrayType.from_json(item, ranges) for item in field["operands"].items())
        where = field.get("where")
        place = where and SourceLine(
            where["file"].text(),
            where["line"].count(),
            where["column"].count(),
            where["end_column"].count(),
        )
        text = field["text"].text()
        if kind == "print" and placeholders(text) != [""] * len(operands):
            raise field["text"].refusal(f"a text with {{}} for each of {len(operands)} operands")
        return Site(kind, text, operands, place)


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """One function. `parameters` names the items of the tuple `inputs`, whose leaves are the
    arguments of kind input, which come first; the leaves of `outputs` are results. `imports` are
    the C symbols that it calls; `effects` is whether calls must happen even if nobody looks.
    """

    symbol: str
    parameters: tuple[str, ...]
    arguments: tuple[Argument, ...]
    results: tuple[Result, ...]
    sizes: tuple[SizeRange, ...]
    inputs: tree.Items
    outputs: tree.Tree
    numerics: str = "strict"
    sites: tuple[Site, ...] = ()
    imports: tuple[str, ...] = ()
    effects: bool = False

    @property
    def ranges(self) -> Ranges:
        """The sizes' least and greatest values."""
        return _ranges(self.sizes)

    def may_overwrite(self, argument: int, result: int) -> bool:
        """Whether an input has the one number, and a result of its type the other."""
        return (
            argument < len(self.arguments)
            and result < len(self.results)
            and self.arguments[argument].kind == "input"
            and self.arguments[argument].type == self.results[result].type
        )

    def to_json(self) -> Json:
        """The entry as it stands in a manifest."""
        return {
            "symbol": self.symbol,
            "parameters": self.parameters,
            "arguments": [argument.to_json() for argument in self.arguments],
            "results": [result.to_json() for result in self.results],
            "sizes": [each.to_json() for each in self.sizes],
            "tree": {"inputs": tree.to_json(self.inputs), "outputs": tree.to_json(self.outputs)},
            "numerics": self.numerics,
            "sites": [site.to_json() for site in self.sites],
            "imports": self.imports,
            "effects": self.effects,
        }

    @staticmethod
    def from_json(field: Field) -> "Entry":
        """The entry that a manifest describes."""
        sizes = tuple(SizeRange.from_json(item) for item in field["sizes"].items())
        _expect_distinct(field["sizes"], [each.name for each in sizes])
        ranges = _ranges(sizes)
        arguments = tuple(Argument.from_json(item, ranges) for item in field["arguments"].items())
        _expect_distinct(field["arguments"], [(each.kind, each.name) for each in arguments])
        states = [argument.name for argument in arguments if argument.kind == "state"]
        results = tuple(Result.from_json(item, ranges, states) for item in field["results"].items())
        parameters = field["parameters"].texts()
        _expect_distinct(field["parameters"], parameters)
        return Entry(
            field["symbol"].text(),
            parameters,
            arguments,
            results,
            sizes,
            _inputs(field["tree"]["inputs"], len(parameters), arguments),
            _outputs(field["tree"]["outputs"], len(results)),
            field["numerics"].choice(NUMERICS),
            tuple(Site.from_json(item, ranges) for item in field["sites"].items()),
            field["imports"].texts(),
            field["effects"].flag(),
        )


def read_size(field: Field, ranges: Ranges) -> Size:
    """The size that a field holds, a number or text over symbols with these ranges."""
    if not isinstance(field.value, str):
        if field.count() > LARGEST:
            raise field.refusal(f"a size of {LARGEST} at most")
        return Size.of(field.count())
    try:
        found = Size.parse(field.value)
    except SizeSyntaxError:
        raise field.refusal("a size") from None
    if not found.symbols <= ranges.keys():
        raise field.refusal(f"a size made of {', '.join(sorted(ranges)) or 'numbers'}")
    _, most = found.bounds(ranges)
    if most is not None and most < 0:
        raise field.refusal("a size, which is not negative")
    return found


def _ranges(sizes: Sequence[SizeRange]) -> Ranges:
    return {each.name: (each.minimum, each.maximum) for each in sizes}


def _expect_distinct(field: Field, names: Sequence[object]) -> None:
    if len(set(names)) < len(names):
        raise field.refusal("different names")


def filled(text: str, arrays: Sequence[Array]) -> str:
    """A text with arrays in the places of its `{}`, whose formats are those of each element."""
    return text.format(*map(_Shown, arrays))


@final
@dataclass(frozen=True, slots=True)
class _Shown:
    """An array as it is printed."""

    array: Array

    def __format__(self, form: str) -> str:
        if not form:
            return str(self.array)
        if self.array.ndim == 0:
            return format(self.array.item(), form)
        return np.array2string(self.array, formatter={"all": lambda x: f"{x:{form}}"})


def placeholders(text: str) -> list[str]:
    """The names between a text's braces: one that is not empty could reach into objects."""
    try:
        return [name for _, name, _, _ in Formatter().parse(text) if name is not None]
    except ValueError:
        return ["unbalanced"]


def _inputs(field: Field, parameters: int, arguments: Sequence[Argument]) -> tree.Items:
    found = tree.from_json(field)
    if not isinstance(found, tree.Items) or len(found.items) != parameters:
        raise field.refusal(f"a tuple of {parameters}, one for each parameter")
    inputs = [i for i, argument in enumerate(arguments) if argument.kind == "input"]
    if inputs != list(range(len(inputs))) or sorted(tree.indices(found)) != inputs:
        raise field.refusal("a tree whose leaves are the inputs, which are the first arguments")
    return found


def _outputs(field: Field, results: int) -> tree.Tree:
    found = tree.from_json(field)
    if any(index >= results for index in tree.indices(found)):
        raise field.refusal(f"a tree whose leaves are below {results}, the number of results")
    return found
