"""Text for people within a program: printed in ASCII, since xDSL does not read other letters back.

`"ü"` is written `"\\\\xfc"`: Python's escapes, in which a backslash is escaped once more.
"""

from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer

from stepwell.compiler.dialects.define import Bracketed


def print_text(printer: Printer, text: str) -> None:
    printer.print_string_literal(text.encode("unicode_escape").decode("ascii"))


def parse_text(parser: AttrParser) -> str:
    return parser.parse_str_literal().encode("ascii").decode("unicode_escape")


@irdl_attr_definition
class TextAttr(Bracketed[str]):
    """A text: `<"x is {}">`."""

    name = "nd.text"
    read = staticmethod(parse_text)

    def write(self, printer: Printer) -> None:
        print_text(printer, self.data)
