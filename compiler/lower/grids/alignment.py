"""How places in memory are aligned: what vectors of sixteen bytes need on a GPU."""

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from math import gcd
from typing import final

from xdsl.dialects import arith
from xdsl.dialects.builtin import IntegerAttr, ModuleOp
from xdsl.ir import Block, BlockArgument, Operation, OpResult, SSAValue

from stepwell.compiler.dialects.construct import operands_of
from stepwell.compiler.dialects.gpu.memory import SharedOp
from stepwell.compiler.dialects.llvm.types import size as bytes_of
from stepwell.compiler.dialects.loop.explicit import ForOp, IfOp, LoadOp, StackOp, StoreOp
from stepwell.compiler.dialects.loop.host import FuncOp, LaunchOp, ViewOp, WhileOp
from stepwell.compiler.dialects.loop.nests import IndexOp, KernelOp
from stepwell.compiler.dialects.loop.scalar import SelectOp
from stepwell.compiler.dialects.loop.types import AccessAttr, BufferType, buffer_type
from stepwell.compiler.lower.analysis import divisor
from stepwell.compiler.lower.loop_to_llvm.types import in_memory

GIVEN = 16
"""What the caller of an entry point aligns its arrays to, at least."""
ANY = 0
"""The greatest common divisor of nothing."""


@final
class Alignments:
    """Numbers that divide indices, and the addresses at which buffers begin, whatever the sizes."""

    def __init__(self, module: ModuleOp) -> None:
        self._launches: dict[str, list[LaunchOp]] = {}
        for op in module.walk():
            if isinstance(op, LaunchOp):
                self._launches.setdefault(op.callee.string_value(), []).append(op)
        self._known: dict[SSAValue, int] = {}

    def of_access(self, op: LoadOp | StoreOp) -> int:
        """In bytes, of the place where an access begins; 1 or more."""
        buffer = op.source if isinstance(op, LoadOp) else op.target
        element = bytes_of(in_memory(buffer_type(buffer).element))
        return gcd(self.of(buffer), element * self.of(op.offset), GIVEN)

    def of(self, value: SSAValue) -> int:
        """What divides an index, or a buffer's address in bytes."""
        if (found := self._known.get(value)) is None:
            # A value that leads back to itself is divided by what divides where it comes from.
            self._known[value] = ANY
            found = self._known[value] = self._found(value)
        return found

    def _found(self, value: SSAValue) -> int:
        if isinstance(value, OpResult):
            rule = RULES.get(type(value.op))
            return 1 if rule is None else rule(self, value)
        assert isinstance(value, BlockArgument)
        return self._argument(value, value.owner)

    def _argument(self, value: BlockArgument, block: Block) -> int:
        match block.parent_op():
            case ForOp() as loop if value.index == 0:
                return gcd(self.of(loop.low), loop.step.data)
            case ForOp() as loop:
                return self._any([loop.initial[value.index - 1], *_yielded(loop, value.index - 1)])
            case WhileOp() as loop if value.index < len(loop.initial):
                return self._any([loop.initial[value.index], loop.following[value.index]])
            case FuncOp() | KernelOp() as function if isinstance(value.type, BufferType):
                launches = self._launches.get(function.sym_name.data)
                if launches is None:
                    return GIVEN
                return self._any(each.arguments[value.index] for each in launches)
            case _:
                return 1

    def _any(self, values: Iterable[SSAValue]) -> int:
        return gcd(*map(self.of, values))

    # Rules.

    def affine(self, access: AccessAttr, indices: Iterable[SSAValue]) -> int:
        (form,), operands = access.data, list(indices)
        terms = [divisor(size) * self.of(operands[number]) for size, number in form.terms]
        return gcd(divisor(form.offset), *terms)

    def index(self, value: OpResult) -> int:
        assert isinstance(value.op, IndexOp)
        return self.affine(value.op.access, value.op.indices)

    def view(self, value: OpResult) -> int:
        op = value.op
        assert isinstance(op, ViewOp)
        element = bytes_of(in_memory(buffer_type(op.base).element))
        return gcd(self.of(op.base), element * self.affine(op.access, op.indices))

    def constant(self, value: OpResult) -> int:
        match value.op:
            case arith.ConstantOp(value=IntegerAttr() as number):
                return abs(number.value.data)
            case _:
                return 1

    def common(self, value: OpResult) -> int:
        return self._any(operands_of(value.op))

    def chosen(self, value: OpResult) -> int:
        return self._any(operands_of(value.op)[1:])

    def product(self, value: OpResult) -> int:
        return reduce(lambda a, b: a * b, map(self.of, operands_of(value.op)))

    def bits(self, value: OpResult) -> int:
        """Of a conjunction: the lowest bit of either operand."""
        return max(each & -each for each in map(self.of, operands_of(value.op)))

    def lowest_bit(self, value: OpResult) -> int:
        """That any of the operands may have."""
        known = [each for each in map(self.of, operands_of(value.op)) if each]
        return min((each & -each for each in known), default=ANY)

    def result(self, value: OpResult) -> int:
        """Of a structure: what any of its ways gives."""
        values = [*_yielded(value.op, value.index)]
        if isinstance(value.op, ForOp | WhileOp):
            values.append(value.op.initial[value.index])
        return self._any(values)


def _yielded(op: Operation, number: int) -> Iterable[SSAValue]:
    """What the regions of a structure give as one of its values."""
    if isinstance(op, WhileOp):
        return [op.following[number]]
    ends = (region.block.last_op for region in op.regions)
    return [operands_of(end)[number] for end in ends if end is not None]


def _sixty_four(alignments: Alignments, value: OpResult) -> int:
    return 64


RULES: Mapping[type[Operation], Callable[[Alignments, OpResult], int]] = {
    IndexOp: Alignments.index,
    ViewOp: Alignments.view,
    arith.ConstantOp: Alignments.constant,
    arith.MuliOp: Alignments.product,
    arith.AndIOp: Alignments.bits,
    SelectOp: Alignments.chosen,
    ForOp: Alignments.result,
    IfOp: Alignments.result,
    WhileOp: Alignments.result,
    arith.XOrIOp: Alignments.lowest_bit,
    StackOp: _sixty_four,
    SharedOp: _sixty_four,
    **dict.fromkeys(
        (arith.AddiOp, arith.SubiOp, arith.MinSIOp, arith.MaxSIOp, arith.RemUIOp),
        Alignments.common,
    ),
}
