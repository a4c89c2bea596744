"""The text form of sizes, read: `2*B*S + floordiv(B, 2) - 1`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from stepwell.runtime.sizes import folding
from stepwell.runtime.sizes.polynomial import Polynomial, Symbol, atom, constant

_TOKEN = re.compile(r"(?:([0-9]+)|([A-Za-z_][A-Za-z0-9_]*)|(//|[-+*%(),]))\s*")

LARGEST = 2**63 - 1
"""The largest number in a size."""


@final
class SizeSyntaxError(ValueError):
    """A text that is no size; `offset` counts the characters before the wrong one."""

    def __init__(self, sentence: str, offset: int) -> None:
        super().__init__(sentence)
        self.offset = offset


def is_symbol(name: str) -> bool:
    """Whether `name` can name a symbol."""
    return name.isascii() and name.isidentifier() and name not in _FUNCTIONS


def parse(source: str) -> Polynomial:
    """The polynomial that `source` writes. Raises SizeSyntaxError."""
    reader = _Reader(source, len(source) - len(source.lstrip()))
    try:
        value = reader.sum()
    except RecursionError:
        raise SizeSyntaxError("it is nested too deeply", reader.offset) from None
    if reader.offset < len(source):
        raise reader.error("an operator or the end")
    return value


@final
@dataclass
class _Reader:
    """A recursive-descent reader: a sum of products of factors; it stands before a token."""

    source: str
    offset: int

    def sum(self) -> Polynomial:
        value = self.product()
        while token := self.take("+", "-"):
            right = self.product()
            value = value + right if token == "+" else value - right
        return value

    def product(self) -> Polynomial:
        value = self.factor()
        while token := self.take("*", "//", "%"):
            at = self.offset
            value = self.apply(_INFIX[token], value, self.factor(), at=at)
        return value

    def factor(self) -> Polynomial:
        if self.take("-"):
            return -self.factor()
        if self.take("("):
            value = self.sum()
            self.expect(")")
            return value
        return self.word()

    def word(self) -> Polynomial:
        at = self.offset
        match = _TOKEN.match(self.source, at)
        if not match or match[3]:
            raise self.error("a number or a name of a size")
        self.offset = match.end()
        if match[1]:
            if len(match[1]) > len(str(LARGEST)) or int(match[1]) > LARGEST:
                raise SizeSyntaxError(f"a number is beyond {LARGEST}", at)
            return constant(int(match[1]))
        return self.call(match[2], at) if match[2] in _FUNCTIONS else atom(Symbol(match[2]))

    def call(self, name: str, at: int) -> Polynomial:
        self.expect("(")
        arguments = [self.sum()]
        while self.take(","):
            arguments.append(self.sum())
        self.expect(")")
        if name in ("floordiv", "mod") and len(arguments) != 2:
            raise SizeSyntaxError(f"{name} takes two sizes, not {len(arguments)}", at)
        return self.apply(_FUNCTIONS[name], *arguments, at=at)

    def apply(
        self, function: Callable[..., Polynomial], *arguments: Polynomial, at: int
    ) -> Polynomial:
        try:
            return function(*arguments)
        except ValueError as error:
            raise SizeSyntaxError(str(error), at) from None

    def take(self, *wanted: str) -> str | None:
        match = _TOKEN.match(self.source, self.offset)
        if not match or match[3] not in wanted:
            return None
        self.offset = match.end()
        return match[3]

    def expect(self, token: str) -> None:
        if not self.take(token):
            raise self.error(f"{token!r}")

    def error(self, wanted: str) -> SizeSyntaxError:
        rest = self.source[self.offset :]
        found = f"before {rest!r}" if rest else "at the end"
        sentence = f"the size {self.source!r} needs {wanted} {found}"
        return SizeSyntaxError(sentence, self.offset)


_INFIX: dict[str, Callable[..., Polynomial]] = {
    "*": Polynomial.__mul__,
    "//": folding.floordiv,
    "%": folding.mod,
}
_FUNCTIONS: dict[str, Callable[..., Polynomial]] = {
    "floordiv": folding.floordiv,
    "mod": folding.mod,
    "min": lambda *arguments: folding.extremum("min", arguments),
    "max": lambda *arguments: folding.extremum("max", arguments),
}
