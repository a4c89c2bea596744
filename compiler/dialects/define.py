"""What dialects are made of: the ops, and the attributes, that their modules define."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

from xdsl.ir import Attribute, Block, Data
from xdsl.irdl import IRDLOperation, region_def, traits_def
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer
from xdsl.traits import Pure

T = TypeVar("T")


class Bracketed(Data[T], ABC):
    """A value that stands in angle brackets in the text."""

    @staticmethod
    @abstractmethod
    def read(parser: AttrParser, /) -> T:
        """What is between the brackets."""

    def write(self, printer: Printer) -> None:
        """Prints what is between the brackets."""
        printer.print_string(str(self.data))

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> T:
        with parser.in_angle_brackets():
            return cls.read(parser)

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            self.write(printer)


class Computation(IRDLOperation, ABC):
    """An op that only computes its results."""

    traits = traits_def(Pure())


class Bodied(IRDLOperation, ABC):
    """An op whose text ends with its attributes, and with its only region."""

    body = region_def("single_block")

    def print_body(self, printer: Printer) -> None:
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False, print_empty_block=False)

    @classmethod
    def with_body(
        cls,
        parser: Parser,
        arguments: Sequence[Parser.Argument],
        types: Callable[[Block], Sequence[Attribute]] = lambda _: (),
        **fields: Any,
    ) -> Self:
        """The op with what was read of it, the block's arguments too, and with what follows; its
        results have the `types` of such a body."""
        found = parser.parse_optional_attr_dict_with_keyword()
        region = parser.parse_region(arguments)
        return cls.create(
            attributes=found.data if found else {},
            regions=[region],
            result_types=types(region.block),
            **fields,
        )


def defined_in(module: str, kind: type[T]) -> list[type[T]]:
    """The classes of a kind that a module has defined so far, in order; without a name they are
    abstract."""
    return [
        member
        for member in vars(sys.modules[module]).values()
        if isinstance(member, type) and member.__module__ == module
        if "name" in member.__dict__ and issubclass(member, kind)
    ]
