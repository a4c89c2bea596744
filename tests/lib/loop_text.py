"""Reads programs of the loop level from text, for tests."""

from functools import lru_cache

from xdsl.context import Context
from xdsl.dialects.arith import Arith
from xdsl.dialects.builtin import Builtin, ModuleOp
from xdsl.dialects.math import Math
from xdsl.ir import Dialect
from xdsl.parser import Parser

from stepwell.compiler.dialects.loop import LOOP
from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.sizes import (
    BindingsAttr,
    IntsAttr,
    NumberAttr,
    SizeAttr,
    SizesAttr,
    SymbolsAttr,
)

SIZES = Dialect("nd", [], [SizeAttr, SizesAttr, NumberAttr, IntsAttr, SymbolsAttr, BindingsAttr])


def parse_module(text: str) -> ModuleOp:
    """A module that `text` writes, verified, of which another has no part."""
    return _read(text).clone()


@lru_cache(maxsize=64)
def _read(text: str) -> ModuleOp:
    """A program is read for each plan that it is tried under, and once for its nests: to read takes
    five times as long as to copy."""
    context = Context()
    for dialect in (Builtin, Arith, Math, LOOP, SIZES):
        context.load_dialect(dialect)
    module = Parser(context, text).parse_module()
    module.verify()
    return module


def parse_kernel(text: str) -> KernelOp:
    """The first kernel that `text` writes."""
    return next(op for op in parse_module(text).walk() if isinstance(op, KernelOp))
