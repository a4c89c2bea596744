"""What the dialects below the tensor level are defined with: the list of a module's ops."""

import sys

from xdsl.ir import Operation


def ops_of(module: str) -> list[type[Operation]]:
    """The ops that a module has defined so far, in order; classes without a name are no ops."""
    members = vars(sys.modules[module]).values()
    return [
        member
        for member in members
        if isinstance(member, type)
        and issubclass(member, Operation)
        and member.__module__ == module
        and "name" in member.__dict__
    ]
