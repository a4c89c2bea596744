"""What dialects are made of: the ops, and the attributes, that their modules define."""

import sys
from abc import ABC, abstractmethod
from typing import TypeVar

from xdsl.ir import Data
from xdsl.irdl import IRDLOperation, traits_def
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.traits import Pure

T = TypeVar("T")


class Bracketed(Data[T], ABC):
    """A value that stands in angle brackets in the text."""

    @staticmethod
    @abstractmethod
    def read(parser: AttrParser) -> T:
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


def defined_in(module: str, kind: type[T]) -> list[type[T]]:
    """The classes of a kind that a module has defined so far, in order; without a name they are
    abstract."""
    members = vars(sys.modules[module]).values()
    return [
        member
        for member in members
        if isinstance(member, type)
        and issubclass(member, kind)
        and member.__module__ == module
        and "name" in member.__dict__
    ]
