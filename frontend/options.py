"""What commands are told of a function and of its arguments, by name."""

import argparse
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stepwell.runtime.errors import StepwellError


def add_function(parser: argparse.ArgumentParser) -> None:
    """Adds a function and the specs of its arguments."""
    parser.add_argument("function", help="module.py:function")
    parser.add_argument(
        "--spec",
        action="append",
        default=[],
        metavar="NAME=SPEC",
        help="the dtype and sizes of an argument, such as x=f32[B,784]; one for each",
    )


def named(texts: Sequence[str], option: str) -> dict[str, str]:
    """What an option gives by name, each name once (SW0501, SW0511)."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise StepwellError("SW0501", f"{option} {text!r} is not of the form name=value")
        if name in found:
            raise StepwellError("SW0511", f"{option} gives {name} twice")
        found[name] = value
    return found


def in_order(function: Callable[..., Any], specs: Mapping[str, str]) -> list[str]:
    """The specs by position: for every parameter that has no default, or stands before another."""
    known = {
        name: each.default is each.empty
        for name, each in inspect.signature(function).parameters.items()
        if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    }
    names = list(known)
    name = getattr(function, "__name__", "the function")
    for each in specs:
        if each not in known:
            takes = ", ".join(names) or "none"
            raise StepwellError("SW0507", f"{name} has no argument {each}; it takes {takes}")
    last = max((names.index(each) + 1 for each in specs), default=0)
    missing = [
        each for each in names if each not in specs and (known[each] or each in names[:last])
    ]
    if missing:
        sentence = f"{name} needs a --spec for {', '.join(missing)}"
        raise StepwellError("SW0507", sentence, hint=f'write --spec "{missing[0]}=f32[B, 784]"')
    return [specs[each] for each in names[:last]]
