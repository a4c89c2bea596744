"""A stream of tokens, with what is read alike at the top level and in bodies."""

import struct
from collections.abc import Sequence
from typing import final

from emulator.errors import ParseError
from emulator.syntax import Address, Immediate, Symbol, Variable
from emulator.tokens import Token
from emulator.types import TYPES

FLOAT_BITS = {"0f": 32, "0d": 64}
"""What a number begins with that gives the bits of a float."""


@final
class Stream:
    """Where the reader is in a text, of which `lines` are the lines."""

    def __init__(self, tokens: Sequence[Token], lines: Sequence[str]) -> None:
        self.tokens = tokens
        self.lines = lines
        self.place = 0

    def peek(self) -> Token:
        return self.tokens[self.place]

    def next(self) -> Token:
        """The last one, which stands for the end, again and again."""
        token = self.tokens[self.place]
        if token.kind != "end":
            self.place += 1
        return token

    def accept(self, text: str) -> bool:
        found = self.tokens[self.place].text == text
        self.place += found
        return found

    def expect(self, text: str) -> None:
        token = self.next()
        if token.text != text:
            raise ParseError(f"line {token.line}: {text!r} is missing before {token.text!r}")

    def rest_of_line(self, start: Token) -> list[Token]:
        found: list[Token] = []
        while self.peek().line == start.line and self.peek().kind != "end":
            found.append(self.next())
        return found

    def integer(self) -> int:
        number = self.number()
        if number.bits:
            raise ParseError(f"line {self.peek().line}: an integer is missing")
        return number.value

    def number(self) -> Immediate:
        negative = self.accept("-")
        token = self.next()
        if token.kind != "number":
            raise ParseError(f"line {token.line}: a number is missing before {token.text!r}")
        found = _number(token.text)
        return Immediate(-found.value, found.bits) if negative else found

    def variables(self, space: str) -> list[Variable]:
        """What follows `.shared` and the like, up to the semicolon."""
        alignment = self.integer() if self.accept(".align") else 0
        type = self.next().text[1:]
        found = [self.variable(space, type, alignment)]
        while self.accept(","):
            found.append(self.variable(space, type, alignment))
        self.expect(";")
        return found

    def variable(self, space: str, type: str, alignment: int) -> Variable:
        token = self.next()
        if type not in TYPES or token.kind != "word":
            raise ParseError(f"line {token.line}: a variable has a type and a name")
        count, values = 1, tuple[Immediate | Address, ...]()
        if self.accept("["):
            count = 0 if self.peek().text == "]" else self.integer()
            self.expect("]")
        if self.accept("="):
            values = self._values()
        return Variable(space, type, token.text, alignment or TYPES[type].bytes, count, values)

    def _values(self) -> tuple[Immediate | Address, ...]:
        if not self.accept("{"):
            return (self._value(),)
        found: list[Immediate | Address] = []
        while not self.accept("}"):
            found.append(self._value())
            self.accept(",")
        return tuple(found)

    def _value(self) -> Immediate | Address:
        """A number, or the address of a variable: `x+4`, `generic(x)`."""
        if self.peek().kind != "word":
            return self.number()
        if self.accept("generic"):
            self.expect("(")
        base = Symbol(self.next().text)
        self.accept(")")
        return Address(base, self.integer() if self.accept("+") else 0)


def _number(text: str) -> Immediate:
    kind = text[:2].lower()
    if kind in FLOAT_BITS:
        return Immediate(int(text[2:], 16), FLOAT_BITS[kind])
    if "." in text:
        return Immediate(int.from_bytes(struct.pack(">d", float(text))), 64)
    digits = text.rstrip("U")
    return Immediate(int(digits, 8 if digits.startswith("0") and digits.isdigit() else 0))
