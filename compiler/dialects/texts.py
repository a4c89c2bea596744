"""Text for people within a program: printed in ASCII, since xDSL does not read other letters back.

`"ü"` is written `"\\\\xfc"`: Python's escapes, in which a backslash is escaped once more.
"""

from xdsl.ir import Data
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer


def print_text(printer: Printer, text: str) -> None:
    printer.print_string_literal(text.encode("unicode_escape").decode("ascii"))


def parse_text(parser: AttrParser) -> str:
    return parser.parse_str_literal().encode("ascii").decode("unicode_escape")


@irdl_attr_definition
class TextAttr(Data[str]):
    """A text: `<"x is {}">`."""

    name = "nd.text"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> str:
        with parser.in_angle_brackets():
            return parse_text(parser)

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            print_text(printer, self.data)
