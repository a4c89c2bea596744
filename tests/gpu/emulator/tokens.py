"""The words, numbers and signs that PTX text is made of, each with its line."""

import re
from typing import NamedTuple

from emulator.errors import ParseError

PATTERN = re.compile(
    r"""
    [ \t\r]* (?:
    (?P<word>    \.?[%$_A-Za-z][\w$]*(?:(?:\.|::)[\w$]+)* )
  | (?P<sign>    [][{}()<>,;:=+\-!@|] )
  | (?P<line>    \n )
  | (?P<number>  0[fF][0-9a-fA-F]{8} | 0[dD][0-9a-fA-F]{16} | 0[xX][0-9a-fA-F]+U? | 0[bB][01]+U?
               | \d+\.\d+(?:[eE][+-]?\d+)? | \d+U? )
  | (?P<string>  "[^"]*" )
  | (?P<blank>   //[^\n]* | /\*.*?\*/ | \Z )
    )""",
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """A piece of text; `kind` is `word`, `number`, `string`, `sign` or, once, `end`."""

    kind: str
    text: str
    line: int


def tokens(text: str) -> list[Token]:
    """The tokens of a module, and a last one that stands for its end."""
    found: list[Token] = []
    place, line = 0, 1
    for match in PATTERN.finditer(text):
        if match.start() != place:
            break
        place, kind = match.end(), match.lastgroup or ""
        if kind == "line":
            line += 1
            continue
        piece = match[kind]
        if kind != "blank":
            found.append(Token(kind, piece, line))
        if kind in ("blank", "string"):
            line += piece.count("\n")
    if place < len(text):
        wrong = text[place:].lstrip(" \t\r")[0]
        raise ParseError(f"line {line}: PTX has no {wrong!r} here")
    return [*found, Token("end", "the end", line)]
