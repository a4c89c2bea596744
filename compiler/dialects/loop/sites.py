"""The places where a program prints or asserts, as the artifact's manifest describes them."""

from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer

from stepwell.compiler.dialects.define import Bracketed
from stepwell.compiler.dialects.sizes import PARENTHESES, parse_shape, parse_tuple, shape_text
from stepwell.compiler.dialects.texts import parse_text, print_text
from stepwell.runtime.dtypes import BY_NAME
from stepwell.runtime.entry import SITE_KINDS, ArrayType, Site
from stepwell.runtime.errors import SourceLine

SITES = "sites"
"""The attribute of a function with the sites that its effects name by number."""


@irdl_attr_definition
class SiteAttr(Bracketed[Site]):
    """`#loop.site<print "x is {}" (f32 [B, 3]) at "model.py" 12 4 5>`: the line, two columns."""

    name = "loop.site"

    @staticmethod
    def read(parser: AttrParser) -> Site:
        kind = SITE_KINDS[SITE_KINDS.index(parser.parse_keyword_in(SITE_KINDS))]
        text = parse_text(parser)
        operands = parse_tuple(parser, lambda: _parse_operand(parser), PARENTHESES)
        found = parser.parse_optional_keyword("at")
        return Site(kind, text, operands, _parse_place(parser) if found else None)

    def write(self, printer: Printer) -> None:
        site = self.data
        printer.print_string(f"{site.kind} ")
        print_text(printer, site.text)
        operands = [f"{each.dtype} {shape_text(each.shape)}" for each in site.operands]
        printer.print_string(f" ({', '.join(operands)})")
        if (place := site.where) is not None:
            printer.print_string(" at ")
            print_text(printer, place.file)
            printer.print_string(f" {place.line} {place.column} {place.end_column}")


def _parse_operand(parser: AttrParser) -> ArrayType:
    dtype = BY_NAME[parser.parse_identifier(" as a dtype")]
    return ArrayType(dtype, parse_shape(parser))


def _parse_place(parser: AttrParser) -> SourceLine:
    file = parse_text(parser)
    numbers = [parser.parse_integer(allow_boolean=False) for _ in range(3)]
    return SourceLine(file, *numbers)
