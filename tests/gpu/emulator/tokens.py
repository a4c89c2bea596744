"""The words, numbers and signs that PTX text is made of, each with its line."""

import re
from dataclasses import dataclass
from typing import final

from emulator.errors import ParseError

PATTERN = re.compile(
    r"""
    (?P<blank>   [ \t\r]+ | //[^\n]* | /\*.*?\*/ )
  | (?P<line>    \n )
  | (?P<string>  "[^"]*" )
  | (?P<number>  0[fF][0-9a-fA-F]{8} | 0[dD][0-9a-fA-F]{16} | 0[xX][0-9a-fA-F]+U? | 0[bB][01]+U?
               | \d+\.\d+(?:[eE][+-]?\d+)? | \d+U? )
  | (?P<word>    \.?[%$_A-Za-z][\w$]*(?:(?:\.|::)[\w$]+)* )
  | (?P<sign>    [][{}()<>,;:=+\-!@|] )
    """,
    re.VERBOSE | re.DOTALL,
)


@final
@dataclass(frozen=True)
class Token:
    """A piece of text; `kind` is `word`, `number`, `string`, `sign` or, once, `end`."""

    kind: str
    text: str
    line: int


def tokens(text: str) -> list[Token]:
    """The tokens of a module, and a last one that stands for its end."""
    found: list[Token] = []
    place, line = 0, 1
    while place < len(text):
        match = PATTERN.match(text, place)
        if match is None:
            raise ParseError(f"line {line}: PTX has no {text[place]!r} here")
        kind = match.lastgroup or ""
        if kind not in ("blank", "line"):
            found.append(Token(kind, match.group(), line))
        line += match.group().count("\n")
        place = match.end()
    return [*found, Token("end", "the end", line)]
