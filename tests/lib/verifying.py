"""xDSL's verifier with a memory: how many operands and results a kind of op may have is found out
once for each number, not for each op, which took a third of the time of verifying."""

from xdsl.ir import Operation
from xdsl.irdl import OpDef, operations
from xdsl.irdl.operations import VarIRConstruct, get_attr_size_option

from stepwell.compiler.dialects.construct import operands_of

_verify = operations.verify_variadic_size
_right: dict[tuple[int, VarIRConstruct, int], OpDef] = {}
"""Kinds, which live on with their numbers, and what they may have as many of."""


def remember_numbers() -> None:
    operations.verify_variadic_size = _verify_number


def _verify_number(op: Operation, op_def: OpDef, construct: VarIRConstruct) -> None:
    """Refuses as xDSL does. Where an attribute says which operands are whose, each op is asked."""
    counted = operands_of(op) if construct is VarIRConstruct.OPERAND else op.results
    key = id(op_def), construct, len(counted)
    if key in _right:
        return
    _verify(op, op_def, construct)
    by_attribute = get_attr_size_option(construct)
    known = construct in (VarIRConstruct.OPERAND, VarIRConstruct.RESULT)
    if known and not any(isinstance(each, by_attribute) for each in op_def.options):
        _right[key] = op_def
