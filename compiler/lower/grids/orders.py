"""Products of f16 and bf16 take the order `tensor` where a GPU's instructions can compute them."""

from xdsl.dialects import arith
from xdsl.dialects.builtin import f32
from xdsl.ir import Operation, SSAValue

from stepwell.compiler.dialects.construct import construct, segments
from stepwell.compiler.dialects.loop.nests import FoldOp, KernelOp, ReadOp
from stepwell.compiler.dialects.loop.scalar import CastOp, SelectOp, number
from stepwell.compiler.dialects.loop.types import TENSOR, OrderAttr
from stepwell.compiler.lower.contraction import Contraction, Factor
from stepwell.compiler.lower.grids.tensor import Tensor
from stepwell.compiler.lower.strategies.base import Refusal
from stepwell.compiler.machines.machine import Machine


def name_tensor(fold: FoldOp, kernel: KernelOp, machine: Machine) -> None:
    """Gives a fold the order `tensor` if there are instructions for the kernel then; of integers
    all orders are one. A position that it leaves out becomes a product with zero: matrices have no
    gaps."""
    found = Tensor.candidate(kernel)
    if isinstance(found, Refusal):
        return
    before = fold.clone()
    if fold.results[0].type == f32:
        fold.properties["order"] = OrderAttr(TENSOR)
    _fill_gaps(found)
    if Tensor.fits(kernel, machine) is not None:
        _insert_before(fold, before)
        _replace(fold, before.results[0])


def _fill_gaps(contraction: Contraction) -> None:
    """One factor is read whether its guard holds or not, if it may be, and only the other is zero
    where the guard does not hold."""
    guard = contraction.analysis.guards.get(contraction.fold)
    whole, other = contraction.right, contraction.left
    if not whole.may_pack:
        whole, other = other, whole
    if guard is not None and whole.may_pack:
        _read_anyway(whole, guard)
        _choose_before(other, guard)


def _read_anyway(factor: Factor, guard: SSAValue) -> None:
    for access in factor.reads:
        op = access.op
        if isinstance(op, ReadOp) and op.condition is guard:
            properties = {"access": op.access, **segments(1, len(op.indices), 0)}
            operands = (op.source, *op.indices)
            made = construct(ReadOp, operands, (op.result.type,), properties, op.location)
            _insert_before(op, made)
            _replace(op, made.result)
    select = factor.value.owner
    assert isinstance(select, SelectOp)
    _replace(select, select.true_value)


def _choose_before(factor: Factor, guard: SSAValue) -> None:
    """The choice stands before the conversion; what is read where the guard holds is zero elsewhere
    by itself."""
    select = factor.value.owner
    assert isinstance(select, SelectOp)
    cast = select.true_value.owner
    if not isinstance(cast, CastOp):
        return
    value, location = cast.operand, select.location
    if isinstance(value.owner, ReadOp) and value.owner.condition is guard:
        return _replace(select, cast.result)
    zero = construct(
        arith.ConstantOp, (), (value.type,), {"value": number(0, value.type)}, location
    )
    operands = (guard, value, zero.results[0])
    choice = construct(SelectOp, operands, (value.type,), location=location)
    made = construct(CastOp, (choice.result,), (select.result.type,), cast.properties, location)
    _insert_before(select, zero, choice, made)
    _replace(select, made.result)
    return None


def _insert_before(op: Operation, *made: Operation) -> None:
    assert op.parent is not None
    op.parent.insert_ops_before(made, op)


def _replace(op: Operation, value: SSAValue) -> None:
    """An op of one result gives way to a value."""
    op.results[0].replace_all_uses_with(value)
    op.detach()
    op.erase()
