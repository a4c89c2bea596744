"""Sizes as instructions: polynomials of a function's symbols, each computed once, at its entry."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import final

from xdsl.dialects.builtin import IntegerType
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.cursor import Operand
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.lower.loop_to_llvm.scalars import floor_division
from stepwell.runtime.sizes import Operator, Size


@contextmanager
def at_entry(build: LlvmBuilder) -> Generator[None]:
    """What is emitted within goes to the end of the entry block, which is still open."""
    here, build.block = build.block, build.entry
    yield
    build.block = here


@final
class Sizes:
    """The sizes that one function has needed so far, and the steps that led to them."""

    def __init__(
        self, build: LlvmBuilder, symbol: Callable[[str], SSAValue], type: IntegerType
    ) -> None:
        self._build = build
        self._symbol = symbol
        self._type = type
        self._known: dict[Size, SSAValue] = {}
        self._steps: dict[tuple[Operator, Operand, Operand], SSAValue] = {}

    def operand(self, size: Size) -> Operand:
        """The size as a value; a static one as a number."""
        return self.value(size) if size.static is None else size.static

    def value(self, size: Size) -> SSAValue:
        """The size as a value."""
        if size.static is not None:
            return self._build.constant(self._type, size.static)
        found = self._known.get(size)
        if found is None:
            with at_entry(self._build):
                computed = size.build(int, self._symbol, self._apply)
                found = self._known[size] = self._build.value(computed, self._type)
        return found

    def _apply(self, operator: Operator, a: Operand, b: Operand) -> Operand:
        key = (operator, a, b)
        found = self._steps.get(key)
        if found is None:
            found = self._steps[key] = _STEPS[operator](self._build, a, b)
        return found


def _divide(build: LlvmBuilder, a: Operand, b: Operand) -> SSAValue:
    """Rounds down.

    The divisor may be 0 where a size is computed that is used under a condition only.
    """
    if isinstance(b, int) and b > 0 and b & (b - 1) == 0:
        return build.ashr(a, b.bit_length() - 1)
    return floor_division(build, a, b if isinstance(b, int) else build.umax(b, 1))


def _remainder(build: LlvmBuilder, a: Operand, b: Operand) -> SSAValue:
    """What rounding down leaves."""
    if isinstance(b, int) and b > 0 and b & (b - 1) == 0:
        return build.and_(a, b - 1)
    return build.sub(a, build.mul(_divide(build, a, b), b))


_STEPS: dict[Operator, Callable[[LlvmBuilder, Operand, Operand], SSAValue]] = {
    "add": LlvmBuilder.add,
    "mul": LlvmBuilder.mul,
    "floordiv": _divide,
    "mod": _remainder,
    "min": LlvmBuilder.smin,
    "max": LlvmBuilder.smax,
}
