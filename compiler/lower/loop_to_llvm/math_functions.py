"""The math functions' programs as instructions, on scalars or vectors of f32 or f64."""

from collections.abc import Callable, Mapping, Sequence
from typing import final

import numpy as np
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.compiler.dialects.llvm.types import bits, element, i1, integer, lanes, like, vector
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.lower.arithmetic import Arithmetic
from stepwell.compiler.lower.loop_to_llvm import avx512
from stepwell.compiler.lower.loop_to_llvm.frame import Frame
from stepwell.compiler.lower.loop_to_llvm.scalars import any_lane
from stepwell.compiler.lower.polynomials import FUNCTIONS
from stepwell.compiler.ops.functions import FLOAT

NAMES: Mapping[type[Operation], str] = {FLOAT[name]: name for name in FUNCTIONS}


def evaluate(frame: Frame, op: Operation) -> None:
    """The function's program in the place of the op."""
    operands = frame.operands(op)
    name = NAMES[type(op)]
    frame.values[op.results[0]] = FUNCTIONS[name](
        LlvmArithmetic(frame, name, operands[0].type), *operands
    )


def _emitted(instruction: Callable[..., SSAValue]) -> Callable[..., SSAValue]:
    """The method that emits an instruction, one of the builder's methods."""

    def method(self: "LlvmArithmetic", *operands: SSAValue | int) -> SSAValue:
        return instruction(self.build, *operands)

    return method


@final
class LlvmArithmetic(Arithmetic[SSAValue, SSAValue]):
    """Emits each operation where the frame's builder is; floats and integers differ in type."""

    def __init__(self, frame: Frame, name: str, type: Attribute) -> None:
        self.build = frame.build
        self._program = frame.program
        self._name = name
        self._rare = 0
        self._floats = type
        self.bits = bits(type)
        self._integers = like(type, integer(self.bits))

    def constant(self, value: float) -> SSAValue:
        rounded = float(np.float32(value)) if self.bits == 32 else value
        return self.build.constant(self._floats, rounded)

    def integer(self, value: int) -> SSAValue:
        half = 1 << (self.bits - 1)
        return self.build.constant(self._integers, (value + half) % (2 * half) - half)

    def lookup(self, table: tuple[float, ...], index: SSAValue) -> SSAValue:
        scalar = element(self._floats)
        symbol = self._program.table(table, scalar, self.build.location)
        base = self.build.address_of(symbol)
        places = self.build.gep(base, index, scalar)
        count = lanes(self._floats)
        if count is None:
            return self.build.load(places, scalar)
        every = self.build.constant(vector(i1, count), 1)
        return self.build.masked_load(places, every, self.build.constant(self._floats, 0.0))

    add = _emitted(LlvmBuilder.fadd)
    sub = _emitted(LlvmBuilder.fsub)
    mul = _emitted(LlvmBuilder.fmul)
    div = _emitted(LlvmBuilder.fdiv)
    fma = _emitted(LlvmBuilder.fma)
    round_even = _emitted(LlvmBuilder.roundeven)
    neg = _emitted(LlvmBuilder.fneg)
    abs = _emitted(LlvmBuilder.fabs)
    copysign = _emitted(LlvmBuilder.copysign)
    mask_and = _emitted(LlvmBuilder.and_)
    mask_or = _emitted(LlvmBuilder.or_)
    select = _emitted(LlvmBuilder.select)
    int_add = _emitted(LlvmBuilder.add)
    int_sub = _emitted(LlvmBuilder.sub)
    int_and = _emitted(LlvmBuilder.and_)
    int_xor = _emitted(LlvmBuilder.xor)
    shift_left = _emitted(LlvmBuilder.shl)
    shift_right = _emitted(LlvmBuilder.ashr)

    def less(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self.build.fcmp("olt", a, b)

    def equal(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self.build.fcmp("oeq", a, b)

    def unordered(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self.build.fcmp("uno", a, b)

    def mask_not(self, a: SSAValue) -> SSAValue:
        return self.build.xor(a, 1)

    def rarely(
        self, mask: SSAValue, slow: Callable[..., SSAValue], usual: SSAValue, *operands: SSAValue
    ) -> SSAValue:
        """A jump over the call of a function that all callers of this program share."""
        # A program has no branches, so that its n-th rare part is the same function each time.
        self._rare += 1
        build = self.build
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
        here, self.build = self.build, build
        result = slow(*arguments)
        self.build = here
        return result

    def scale(self, x: SSAValue, exponent: SSAValue) -> SSAValue:
        able = avx512.FEATURE in self._program.machine.features
        if not able or self.bits * (lanes(self._floats) or 1) != avx512.WHOLE:
            return super().scale(x, exponent)
        return avx512.instruction(self.build, "mask.scalef", [x, exponent], rounds=True)

    def bits_of(self, a: SSAValue) -> SSAValue:
        return self.build.bitcast(a, element(self._integers))

    def float_of(self, a: SSAValue) -> SSAValue:
        return self.build.bitcast(a, element(self._floats))

    def to_float(self, a: SSAValue) -> SSAValue:
        return self.build.sitofp(a, element(self._floats))
