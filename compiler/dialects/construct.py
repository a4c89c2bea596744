"""The fast constructor of the loop and llvm levels: what `Operation.create` builds, sooner."""

from abc import ABC
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

from xdsl.dialects.builtin import UNKNOWN_LOC, DenseArrayBase, LocationAttr, i32
from xdsl.ir import Attribute, Block, Operation, OpResult, Region, SSAValue, SSAValues, Use

OperationT = TypeVar("OperationT", bound=Operation)

NOTHING: Mapping[str, Attribute] = {}


class _OperationFields(Operation, ABC):
    """Where the fields that `Operation` keeps to its subclasses are written; never instantiated."""

    @staticmethod
    def construct(
        kind: type[OperationT],
        operands: Sequence[SSAValue] = (),
        result_types: Sequence[Attribute] = (),
        properties: Mapping[str, Attribute] = NOTHING,
        location: LocationAttr = UNKNOWN_LOC,
        successors: Sequence[Block] = (),
        regions: Sequence[Region] = (),
    ) -> OperationT:
        """A detached `kind`, unverified; `properties` are copied.

        `IRDLOperation.__init__` takes 20 us to sort out its arguments, `create` 6; a kernel has
        hundreds of ops, so the levels below tensors state operands, types and properties flatly:
        `operandSegmentSizes` is among the properties where the op has it.
        """
        op = kind.__new__(kind)
        op._operands = SSAValues(operands)
        op._operand_uses = tuple([Use(op, index) for index in range(len(operands))])
        for operand, use in zip(operands, op._operand_uses, strict=True):
            operand.add_use(use)
        op.results = SSAValues([OpResult(t, op, i) for i, t in enumerate(result_types)])
        op.properties = dict(properties)
        op.attributes = {}
        op.location = location
        if successors:
            op.successors = successors
        for region in regions:
            op.add_region(region)
        return op

    @staticmethod
    def operands_of(op: Operation) -> SSAValues:
        """The operands as a plain tuple, where `op.operands` builds a view: for long walks."""
        return op._operands

    @staticmethod
    def link(op: Operation, following: Operation) -> None:
        op._next_op = following
        following._prev_op = op


class _BlockFields(Block, ABC):
    """Where the fields that `Block` keeps to its subclasses are written; never instantiated."""

    @staticmethod
    def append(block: Block, op: Operation) -> None:
        """Put the new, detached `op`, which has no regions, at the end of `block`.

        `Block.add_op` walks the ancestors of the block to see that `op` does not hold it.
        """
        last = block._last_op
        if last is None:
            block._first_op = op
        else:
            _OperationFields.link(last, op)
        block._last_op = op
        op.parent = block


def result_of(op: Operation) -> OpResult:
    """The only result, unpacked: `op.results[0]` runs a method of Python's."""
    (result,) = op.results
    return result


@lru_cache(maxsize=1024)
def segments(*sizes: int) -> Mapping[str, Attribute]:
    """The property that says how many operands each variadic one has."""
    return {"operandSegmentSizes": DenseArrayBase.from_list(i32, sizes)}


construct = _OperationFields.construct
operands_of = _OperationFields.operands_of
append = _BlockFields.append
