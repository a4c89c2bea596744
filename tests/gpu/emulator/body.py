"""A function's body read: declarations in scopes, labels, instructions, operands."""

from typing import final

from emulator.errors import ParseError
from emulator.stream import Stream
from emulator.syntax import (
    Address,
    Immediate,
    Instruction,
    Not,
    Nowhere,
    Operand,
    Pair,
    Register,
    Special,
    Symbol,
    Variable,
    Vector,
)
from emulator.tokens import Token
from emulator.types import TYPES

CLOSING = {"{": "}", "(": ")"}
IGNORED = {".loc", ".pragma", ".file"}


@final
class Body:
    """Reads one body; registers and variables of inner scopes get names of their own."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.registers: dict[str, str] = {}
        self.variables: list[Variable] = []
        self.instructions: list[Instruction] = []
        self.labels: dict[str, int] = {}
        self.tables: dict[str, tuple[str, ...]] = {}
        self._scopes: list[dict[str, Register | Symbol]] = []
        self._ranges: dict[str, str] = {}
        self._opened = 0

    def read(self) -> None:
        """From the brace that opens the body to the one that closes it."""
        stream = self.stream
        stream.expect("{")
        self._scopes.append({})
        while self._scopes:
            token = stream.next()
            if token.text == "{":
                self._opened += 1
                self._scopes.append({})
            elif token.text == "}":
                self._scopes.pop()
            elif token.text == ".reg":
                self._declare_registers()
            elif token.text in (".local", ".shared", ".param"):
                self._declare_variables(token.text[1:])
            elif token.text in IGNORED:
                stream.rest_of_line(token)
            elif stream.accept(":"):
                self._label(token)
            elif token.kind == "end":
                raise ParseError(f"line {token.line}: a body is not closed")
            elif token.text != ";":
                self._instruction(token)

    def _declare_registers(self) -> None:
        stream = self.stream
        type = stream.next().text[1:]
        if type not in TYPES:
            raise ParseError(f"line {stream.peek().line}: there are no registers of type .{type}")
        while not stream.accept(";"):
            name = stream.next().text
            if stream.accept("<"):
                stream.integer()
                stream.expect(">")
                self._ranges[name] = type
            else:
                self._scopes[-1][name] = Register(self._unique(name))
                self.registers[self._unique(name)] = type
            stream.accept(",")

    def _declare_variables(self, space: str) -> None:
        for each in self.stream.variables(space):
            name = self._unique(each.name)
            self._scopes[-1][each.name] = Symbol(name)
            self.variables.append(
                Variable(space, each.type, name, each.alignment, each.count, each.values)
            )

    def _unique(self, name: str) -> str:
        return name if len(self._scopes) == 1 else f"{name}#{self._opened}"

    def _label(self, token: Token) -> None:
        stream = self.stream
        if stream.accept(".branchtargets"):
            names: list[str] = []
            while not stream.accept(";"):
                names.append(stream.next().text)
                stream.accept(",")
            self.tables[token.text] = tuple(names)
        elif token.text in self.labels:
            raise ParseError(f"line {token.line}: the label {token.text} stands here again")
        else:
            self.labels[token.text] = len(self.instructions)

    def _instruction(self, token: Token) -> None:
        guard: Register | Not | None = None
        if token.text == "@":
            found = self._operand()
            if not isinstance(found, (Register, Not)):
                raise ParseError(f"line {token.line}: a guard is a predicate")
            guard, token = found, self.stream.next()
        if token.kind != "word":
            raise ParseError(f"line {token.line}: {token.text!r} does not begin an instruction")
        operands: list[Operand] = []
        while not self.stream.accept(";"):
            operands.append(self._operand())
            if self.stream.peek().text not in (",", ";"):
                raise ParseError(f"line {token.line}: `;` is missing after {token.text}")
            self.stream.accept(",")
        line = self.stream.lines[token.line - 1].partition("//")[0]
        text = " ".join(line.split()).rstrip(";")
        self.instructions.append(Instruction(token.line, text, token.text, tuple(operands), guard))

    def _operand(self) -> Operand:
        first = self._single()
        if self.stream.accept("|"):
            return Pair(first, self._single())
        return first

    def _single(self) -> Operand:
        stream = self.stream
        token = stream.peek()
        if token.kind == "word":
            return self._named(stream.next())
        if token.text == "[":
            return self._address()
        if token.text in CLOSING:
            stream.next()
            return self._parts(CLOSING[token.text])
        if token.text == "!":
            stream.next()
            inner = self._single()
            if not isinstance(inner, Register):
                raise ParseError(f"line {token.line}: `!` stands before a predicate")
            return Not(inner)
        if token.kind == "number" or token.text == "-":
            return stream.number()
        raise ParseError(f"line {token.line}: {token.text!r} is no operand")

    def _parts(self, closing: str) -> Vector:
        parts: list[Operand] = []
        while not self.stream.accept(closing):
            parts.append(self._operand())
            self.stream.accept(",")
        return Vector(tuple(parts))

    def _address(self) -> Address:
        stream = self.stream
        stream.expect("[")
        base = self._single()
        if not isinstance(base, (Register, Symbol, Immediate)):
            raise ParseError(f"line {stream.peek().line}: an address begins with what it is from")
        offset = 0
        while not stream.accept("]"):
            sign = -1 if stream.next().text == "-" else 1
            offset += sign * stream.integer()
        return Address(base, offset)

    def _named(self, token: Token) -> Operand:
        name = token.text
        if name == "_":
            return Nowhere()
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        prefix = name.rstrip("0123456789")
        if prefix in self._ranges:
            self.registers[name] = self._ranges[prefix]
            return self._scopes[0].setdefault(name, Register(name))
        return Special(name) if name.startswith("%") else Symbol(name)
