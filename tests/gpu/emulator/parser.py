"""PTX text read into a module: the top level, and functions up to their bodies."""

from functools import lru_cache

from emulator.body import Body
from emulator.errors import ParseError
from emulator.stream import Stream
from emulator.syntax import Function, Module, Variable
from emulator.tokens import Token, tokens

LINKAGE = {".visible", ".extern", ".weak", ".common"}
SPACES = {".global", ".const", ".shared"}
SKIPPED_LINES = {".version", ".address_size", ".file", ".loc"}
BOUNDS = {".maxntid", ".reqntid", ".minnctapersm", ".maxnreg"}


@lru_cache(maxsize=32)
def parse(text: str) -> Module:
    """The module that `text` holds, which nobody changes; names the line of what it cannot read.
    The same one is often run once more in another order."""
    return _Parser(text).module()


class _Parser:
    """Descends through the top level of one text."""

    def __init__(self, text: str) -> None:
        self.stream = Stream(tokens(text), text.splitlines())

    def module(self) -> Module:
        target, variables, functions = "", list[Variable](), dict[str, Function]()
        stream = self.stream
        while (token := stream.next()).kind != "end":
            if token.text == ".target":
                target = stream.rest_of_line(token)[0].text
            elif token.text in SKIPPED_LINES:
                stream.rest_of_line(token)
            elif token.text == ".section":
                self._skip_section()
            elif token.text in SPACES:
                variables += stream.variables(token.text[1:])
            elif token.text in (".entry", ".func"):
                if (function := self._function(token)) is not None:
                    functions[function.name] = function
            elif token.text not in LINKAGE:
                raise ParseError(f"line {token.line}: {token.text!r} does not begin a declaration")
        return Module(target, tuple(variables), functions)

    def _skip_section(self) -> None:
        while self.stream.next().text != "}":
            pass

    def _function(self, start: Token) -> Function | None:
        """None for what is only declared."""
        stream = self.stream
        results = self._parameters() if stream.peek().text == "(" else ()
        name = stream.next().text
        parameters = self._parameters() if stream.peek().text == "(" else ()
        bounds = dict(self._bounds())
        if stream.accept(";"):
            return None
        body = Body(stream)
        body.read()
        return Function(
            name,
            start.text == ".entry",
            results,
            parameters,
            bounds,
            body.registers,
            tuple(body.variables),
            tuple(body.instructions),
            body.labels,
            body.tables,
        )

    def _bounds(self) -> list[tuple[str, tuple[int, ...]]]:
        found: list[tuple[str, tuple[int, ...]]] = []
        while (token := self.stream.peek()).text not in ("{", ";"):
            self.stream.next()
            if token.text in BOUNDS:
                found.append((token.text[1:], self._integers()))
        return found

    def _integers(self) -> tuple[int, ...]:
        numbers = [self.stream.integer()]
        while self.stream.accept(","):
            numbers.append(self.stream.integer())
        return tuple(numbers)

    def _parameters(self) -> tuple[Variable, ...]:
        stream = self.stream
        stream.expect("(")
        found: list[Variable] = []
        while not stream.accept(")"):
            stream.expect(".param")
            found.append(self._parameter())
            stream.accept(",")
        return tuple(found)

    def _parameter(self) -> Variable:
        """`.param .align 4 .b8 name[16]`, or `.param .u64 .ptr .global .align 16 name`."""
        stream = self.stream
        alignment = stream.integer() if stream.accept(".align") else 0
        type = stream.next().text[1:]
        while stream.peek().text.startswith("."):
            if stream.next().text == ".align":
                stream.integer()
        return stream.variable("param", type, alignment)
