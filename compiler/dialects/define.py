"""What dialects are made of: the ops, and the attributes, that their modules define."""

import sys
from typing import TypeVar

T = TypeVar("T")


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
