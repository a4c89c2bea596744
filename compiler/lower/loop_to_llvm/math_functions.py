"""The math functions' programs as instructions, on scalars or vectors of f32 or f64."""

from collections.abc import Callable, Mapping, Sequence
from typing import final

import numpy as np
from xdsl.dialects import math
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.compiler.dialects.construct import operands_of
from stepwell.compiler.dialects.llvm.types import bits, element, i1, integer, lanes, like, vector
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.lower.arithmetic import Arithmetic
from stepwell.compiler.lower.loop_to_llvm.frame import Frame
from stepwell.compiler.lower.loop_to_llvm.scalars import any_lane
from stepwell.compiler.lower.polynomials import FUNCTIONS

NAMES: Mapping[type[Operation], str] = {
    math.CosOp: "cos",
    math.ErfOp: "erf",
    math.ExpOp: "exp",
    math.LogOp: "log",
    math.PowFOp: "pow",
    math.RsqrtOp: "rsqrt",
    math.SinOp: "sin",
    math.TanhOp: "tanh",
}


def evaluate(frame: Frame, op: Operation) -> None:
    """The function's program in the place of the op."""
    operands = [frame.values[operand] for operand in operands_of(op)]
    name = NAMES[type(op)]
    frame.values[op.results[0]] = FUNCTIONS[name](
        LlvmArithmetic(frame, name, operands[0].type), *operands
    )


@final
class LlvmArithmetic(Arithmetic[SSAValue, SSAValue]):
    """Emits each operation where the frame's builder is; floats and integers differ in type."""

    def __init__(self, frame: Frame, name: str, type: Attribute) -> None:
        self._build = frame.build
        self._program = frame.program
        self._name = name
        self._rare = 0
        self._floats = type
        self._bits = bits(type)
        self._integers = like(type, integer(self._bits))

    @property
    def bits(self) -> int:
        return self._bits

    def constant(self, value: float) -> SSAValue:
        rounded = float(np.float32(value)) if self._bits == 32 else value
        return self._build.constant(self._floats, rounded)

    def integer(self, value: int) -> SSAValue:
        half = 1 << (self._bits - 1)
        return self._build.constant(self._integers, (value + half) % (2 * half) - half)

    def lookup(self, table: tuple[float, ...], index: SSAValue) -> SSAValue:
        scalar = element(self._floats)
        symbol = self._program.table(table, scalar, self._build.location)
        base = self._build.address_of(symbol)
        places = self._build.gep(base, index, scalar)
        count = lanes(self._floats)
        if count is None:
            return self._build.load(places, scalar)
        every = self._build.constant(vector(i1, count), 1)
        return self._build.gather(places, every, self._build.constant(self._floats, 0.0))

    def add(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self._build.fadd(a, b)

    def sub(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self._build.fsub(a, b)

    def mul(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self._build.fmul(a, b)

    def div(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self._build.fdiv(a, b)

    def fma(self, a: SSAValue, b: SSAValue, c: SSAValue) -> SSAValue:
        return self._build.fma(a, b, c)

    def sqrt(self, a: SSAValue) -> SSAValue:
        return self._build.sqrt(a)

    def round_even(self, a: SSAValue) -> SSAValue:
        return self._build.roundeven(a)

    def neg(self, a: SSAValue) -> SSAValue:
        return self._build.fneg(a)

    def abs(self, a: SSAValue) -> SSAValue:
        return self._build.fabs(a)

    def copysign(self, magnitude: SSAValue, sign: SSAValue) -> SSAValue:
        return self._build.copysign(magnitude, sign)

    def less(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self._build.fcmp("olt", a, b)

    def equal(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self._build.fcmp("oeq", a, b)

    def unordered(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self._build.fcmp("uno", a, b)

    def mask_and(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self._build.and_(a, b)

    def mask_or(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self._build.or_(a, b)

    def mask_not(self, a: SSAValue) -> SSAValue:
        return self._build.xor(a, 1)

    def select(self, mask: SSAValue, a: SSAValue, b: SSAValue) -> SSAValue:
        return self._build.select(mask, a, b)

    def rarely(
        self,
        mask: SSAValue,
        slow: Callable[..., SSAValue],
        usual: SSAValue,
        *operands: SSAValue,
    ) -> SSAValue:
        """A jump over the call of a function that all callers of this program share."""
        # A program has no branches, so that its n-th rare part is the same function each time.
        self._rare += 1
        build = self._build
        symbol = self._program.rare(
            f"{self._name}.rare{self._rare}.",
            operands,
            usual.type,
            build.location,
            lambda inner, arguments: self._emit_into(inner, slow, arguments),
        )
        with build.if_(any_lane(build, mask)) as choice:
            choice.yields(build.select(mask, build.call(symbol, operands, usual.type), usual))
            choice.otherwise()
            choice.yields(usual)
        return choice.results[0]

    def _emit_into(
        self, build: LlvmBuilder, slow: Callable[..., SSAValue], arguments: Sequence[SSAValue]
    ) -> SSAValue:
        """What `slow` gives in another function."""
        here, self._build = self._build, build
        result = slow(*arguments)
        self._build = here
        return result

    def bits_of(self, a: SSAValue) -> SSAValue:
        return self._build.bitcast(a, element(self._integers))

    def float_of(self, a: SSAValue) -> SSAValue:
        return self._build.bitcast(a, element(self._floats))

    def to_float(self, a: SSAValue) -> SSAValue:
        return self._build.sitofp(a, element(self._floats))

    def int_add(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self._build.add(a, b)

    def int_sub(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self._build.sub(a, b)

    def int_and(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self._build.and_(a, b)

    def int_xor(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self._build.xor(a, b)

    def shift_left(self, a: SSAValue, count: int) -> SSAValue:
        return self._build.shl(a, count)

    def shift_right(self, a: SSAValue, count: int) -> SSAValue:
        return self._build.ashr(a, count)
