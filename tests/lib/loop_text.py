"""Reads programs of the loop level from text, for tests."""

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
    """The module that `text` writes, verified."""
    context = Context()
    for dialect in (Builtin, Arith, Math, LOOP, SIZES):
        context.load_dialect(dialect)
    module = Parser(context, text).parse_module()
    module.verify()
    return module


def parse_kernel(text: str) -> KernelOp:
    """The first kernel that `text` writes."""
    return next(op for op in parse_module(text).walk() if isinstance(op, KernelOp))
