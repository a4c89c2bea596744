"""Rows of the table of instructions: how each is written, what its operands are, what it does."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import product
from typing import Any, final

from emulator.errors import ParseError
from emulator.syntax import Instruction

PART = re.compile(r"\{\.([\w:]+)\}|\.([\w:]+)")


class Kind(Enum):
    """What a row's meaning is called with."""

    LANES = auto()
    """The modifiers; gives a function of arrays, with an element for each thread."""
    EFFECT = auto()
    """The state of the block, the operation and its threads."""
    CONTROL = auto()
    """The same with a strand; gives the strands that go on."""


@final
@dataclass(frozen=True)
class Signature:
    """The operands of an instruction by their types.

    A type is one of PTX's or names a modifier (`type`, twice as wide as `type*2`). `[]` is an
    address, `{type}` one or several registers, `mask` the lanes that take part, `*` names that the
    row reads itself. What ends in `?` may be left out, and what ends in `!` is a constant.
    """

    results: tuple[str, ...]
    sources: tuple[str, ...]

    @staticmethod
    def parse(text: str) -> "Signature":
        left, right = text.split("=")
        results = tuple(re.split(r"[|,]", left.replace(" ", ""))) if left.strip() else ()
        sources = tuple(each.strip() for each in right.split(",")) if right.strip() else ()
        return Signature(results, sources)


@final
@dataclass(frozen=True)
class Row:
    """`form` is written as in the PTX manual: what is in braces may be left out; `choices` says
    what a part stands for that is not meant literally."""

    form: str
    signature: Signature
    kind: Kind
    meaning: Callable[..., Any]
    choices: Mapping[str, tuple[str, ...]]
    meets: bool = False
    """Whether it waits for other lanes: those in its last operand if that is a `mask`, or all."""

    def __str__(self) -> str:
        return f"{self.form} of {' '.join(self.choices.get('type') or self.choices.get('of', ()))}"

    @property
    def name(self) -> str:
        return self.form.partition(".")[0].partition("{")[0]

    @property
    def masked(self) -> bool:
        """Whether its last operand says which lanes of the warp take part."""
        return self.signature.sources[-1:] == ("mask",)

    def parts(self) -> Iterator[tuple[str, tuple[str, ...], bool]]:
        """Each modifier: its name, what it may be, and whether it may be left out."""
        for match in PART.finditer(self.form):
            part = match[1] or match[2]
            yield part.lower().replace("::", "_"), self.choices.get(part, (part,)), bool(match[1])

    def mnemonics(self) -> Iterator[str]:
        """Everything that the form stands for."""
        parts = list(self.parts())
        names = list(dict.fromkeys(name for name, _, _ in parts))
        choices = {name: ["", *each] if free else [*each] for name, each, free in reversed(parts)}
        for chosen in product(*(choices[name] for name in names)):
            values = dict(zip(names, chosen, strict=True))
            yield ".".join((self.name, *filter(None, (values[name] for name, _, _ in parts))))

    def pattern(self) -> "re.Pattern[str]":
        """What a part that stands here for the second time is, it is both times."""
        found, seen = re.escape(self.name), set[str]()
        for name, choices, free in self.parts():
            either = "|".join(map(re.escape, choices))
            part = rf"\.(?P={name})" if name in seen else rf"\.(?P<{name}>{either})"
            found += f"(?:{part})?" if free else part
            seen.add(name)
        return re.compile(found)


@final
class Table:
    """Rows, found by mnemonic."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self._named: dict[str, list[tuple[re.Pattern[str], Row]]] = {}
        for row in rows:
            self._named.setdefault(row.name, []).append((row.pattern(), row))
        self._known: dict[str, tuple[Row, Mapping[str, str]]] = {}

    def find(self, instruction: Instruction) -> tuple[Row, Mapping[str, str]]:
        """The row of an instruction, and its modifiers."""
        if (known := self._known.get(instruction.mnemonic)) is not None:
            return known
        for pattern, row in self._named.get(instruction.mnemonic.partition(".")[0], ()):
            if (match := pattern.fullmatch(instruction.mnemonic)) is not None:
                how = {name: value for name, value in match.groupdict().items() if value}
                return self._known.setdefault(instruction.mnemonic, (row, how))
        raise ParseError(f"{instruction}: the emulator knows no {instruction.mnemonic}")


def lanes(
    form: str, signature: str, meaning: Callable[..., Any], **choices: str | Iterable[str]
) -> Row:
    """An instruction that is a function of its operands, thread by thread."""
    return Row(form, Signature.parse(signature), Kind.LANES, meaning, _split(choices))


def effect(
    form: str, signature: str, meaning: Callable[..., Any], **choices: str | Iterable[str]
) -> Row:
    """An instruction that reads or writes what threads share."""
    return Row(form, Signature.parse(signature), Kind.EFFECT, meaning, _split(choices))


def meeting(
    form: str, signature: str, meaning: Callable[..., Any], **choices: str | Iterable[str]
) -> Row:
    """An instruction that lanes of a warp execute together."""
    return Row(form, Signature.parse(signature), Kind.EFFECT, meaning, _split(choices), True)


def controls(
    form: str,
    signature: str,
    meaning: Callable[..., Any],
    meets: bool = False,
    **choices: str | Iterable[str],
) -> Row:
    """An instruction after which threads go on elsewhere, later, or not at all."""
    return Row(form, Signature.parse(signature), Kind.CONTROL, meaning, _split(choices), meets)


def _split(choices: Mapping[str, str | Iterable[str]]) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(each.split() if isinstance(each, str) else each)
        for name, each in choices.items()
    }
