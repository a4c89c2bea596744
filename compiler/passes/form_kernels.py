"""Groups tensor ops into kernels, and marks what is stored inside one.

From the last op to the first, each op joins the kernel of its readers, or begins one. It joins when
all its readers are in one kernel, and that kernel can read it through:

* movement, constants and conversions always; a copy goes to each kernel that reads them;
* elementwise ops, except into a contraction, which would compute them again for every element;
* a reduction of the last axes into a kernel over the same rows (softmax, norms);
* a contraction into elementwise ops at the same index (bias, activation).

So every kernel has one result that others may read, and no two kernels can wait for each other.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnitAttr
from xdsl.ir import Block, Operation, OpResult, Region, SSAValue
from xdsl.passes import ModulePass

from stepwell.compiler.dialects.construct import append, construct
from stepwell.compiler.dialects.nd import shape_of
from stepwell.compiler.dialects.sizes import count_of
from stepwell.compiler.ops.base import Role, TensorOp
from stepwell.compiler.ops.structure import KEEP, FuncOp, KernelOp, YieldOp
from stepwell.compiler.ops.unary import Convert

DEEPEST = 100
"""Ops in a chain inside one kernel: each is a level of recursion when its nest is written."""


@dataclass(eq=False)
class _Group:
    """A kernel in the making; members from the last to the first. The first is the root."""

    members: list[TensorOp] = field(default_factory=list[TensorOp])
    contracts: bool = False
    rows: int | None = None
    """How many leading axes are rows, once a reduction of the others has joined."""
    depths: dict[Operation, int] = field(default_factory=dict[Operation, int])
    """How many members lie between a member and the root."""

    @property
    def root(self) -> TensorOp:
        return self.members[0]

    @property
    def folds(self) -> bool:
        return self.contracts or self.rows is not None

    def add(self, op: TensorOp) -> None:
        self.members.append(op)
        depth = self.depths.get(op, 0) + 1
        for operand in op.operands:
            if isinstance(operand, OpResult):
                self.depths[operand.op] = max(depth, self.depths.get(operand.op, 0))
        if op.ROLE is Role.CONTRACT:
            self.contracts = True
        if op.ROLE is Role.FOLD:
            self.rows = len(shape_of(op.results[0].type))


@dataclass(frozen=True)
class FormKernels(ModulePass):
    """The pass; docs/levels.md shows what it does to a softmax."""

    name = "form-kernels"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in op.body.block.ops:
            if isinstance(function, FuncOp):
                form(function.body.block)


def form(block: Block) -> None:
    """Forms the kernels of one block, and of the regions in it."""
    for op in block.ops:
        if not isinstance(op, KernelOp):
            for region in op.regions:
                form(region.block)
    groups = _group(block)
    for group in groups:
        _replace(group)
    _erase_dead(block)


def _group(block: Block) -> list[_Group]:
    """The kernels, in the order of their roots."""
    groups: list[_Group] = []
    of: dict[Operation, list[_Group]] = {}
    for op in reversed(tuple(block.ops)):
        if not isinstance(op, TensorOp) or op.ROLE is Role.OPAQUE:
            continue
        readers = [use.operation for result in op.results for use in result.uses]
        if not readers:
            continue
        mine = list(dict.fromkeys(group for reader in readers for group in of.get(reader, ())))
        leaves = any(reader not in of for reader in readers)
        joins = not leaves and len(mine) == 1 and _joins(op, mine[0])
        if op.ROLE is not Role.FREE and not joins:
            mine = []
        if not mine or leaves:
            groups.append(_Group())
            mine.append(groups[-1])
        for group in mine:
            group.add(op)
        of[op] = mine
    return groups[::-1]


def _joins(op: TensorOp, group: _Group) -> bool:
    """Whether the kernel may read the op through."""
    if group.depths[op] > DEEPEST:
        return False
    match op.ROLE:
        case Role.MAP:
            return not any(reader.ROLE is Role.CONTRACT for reader in _readers(op))
        case Role.FOLD:
            return _shares_rows(op, group)
        case Role.CONTRACT:
            return not group.folds and all(map(_same_index, _followers(op, group)))
        case _:
            return True


def _readers(op: Operation) -> Iterator[TensorOp]:
    """The ops that read the results, also through ops that only move them."""
    for use in (use for result in op.results for use in result.uses):
        reader = use.operation
        if isinstance(reader, TensorOp):
            yield reader
            if reader.ROLE is Role.FREE:
                yield from _readers(reader)


def _followers(op: TensorOp, group: _Group) -> Iterator[TensorOp]:
    """The members that need the op, directly or through one another."""
    needing: set[Operation] = {op}
    for member in reversed(group.members):
        if any(operand.owner in needing for operand in member.operands):
            needing.add(member)
            yield member


def _same_index(op: TensorOp) -> bool:
    return op.ROLE is Role.MAP or isinstance(op, Convert) or not op.operands


def _shares_rows(op: TensorOp, group: _Group) -> bool:
    """Whether a reduction folds the last axes, and keeps the first of the kernel's result."""
    rows = shape_of(op.results[0].type)
    whole = shape_of(op.operands[0].type)
    root = shape_of(group.root.results[0].type)
    return (
        not group.contracts
        and len(rows) > 0
        and group.rows in (None, len(rows))
        and whole[: len(rows)] == rows == root[: len(rows)]
        and count_of(rows) != count_of(whole)
    )


def _replace(group: _Group) -> None:
    """Puts the kernel where its root stands."""
    members = group.members[::-1]
    _mark_kept(members)
    inside = set(members)
    inputs = list(
        dict.fromkeys(
            operand for op in members for operand in op.operands if operand.owner not in inside
        )
    )
    block = Block(arg_types=[value.type for value in inputs])
    copies: dict[SSAValue, SSAValue] = dict(zip(inputs, block.args, strict=True))
    for op in members:
        _copy(op, block, copies)
    root = group.root
    append(block, construct(YieldOp, [copies[root.results[0]]], (), {}, root.location))
    kernel = construct(KernelOp, inputs, root.result_types, {}, root.location)
    kernel.add_region(Region(block))
    home = root.parent_block()
    assert home is not None
    home.insert_op_before(kernel, root)
    kernel.results[0].name_hint = root.results[0].name_hint
    root.results[0].replace_all_uses_with(kernel.results[0])


def _copy(op: TensorOp, block: Block, copies: dict[SSAValue, SSAValue]) -> None:
    operands = [copies[operand] for operand in op.operands]
    copy = construct(type(op), operands, op.result_types, op.properties, op.location)
    copy.attributes = dict(op.attributes)
    append(block, copy)
    for old, new in zip(op.results, copy.results, strict=True):
        new.name_hint = old.name_hint
        copies[old] = new


def _mark_kept(members: Sequence[TensorOp]) -> None:
    """Marks what several nests read: no fold in a fold, and no dear value twice."""
    inside = set(members)
    uses = Counter(operand for op in members for operand in op.operands)
    folds: set[SSAValue] = set()
    dear: set[SSAValue] = set()

    def keep(value: SSAValue) -> None:
        owner = value.owner
        if owner not in inside or not isinstance(owner, TensorOp):
            return
        if owner.ROLE is Role.FREE:
            for operand in owner.operands:
                keep(operand)
        else:
            owner.attributes[KEEP] = UnitAttr()
            folds.discard(value)
            dear.discard(value)

    for op in members:
        for operand in op.operands:
            repeats = op.ROLE in (Role.FOLD, Role.CONTRACT) or _repeats(op, operand)
            if (repeats and operand in folds) or (_repeats(op, operand) and operand in dear):
                keep(operand)
        (result,) = op.results
        if op.ROLE in (Role.FOLD, Role.CONTRACT) or any(x in folds for x in op.operands):
            folds.add(result)
        if op.COSTLY or any(x in dear for x in op.operands):
            dear.add(result)
        if op.ROLE is Role.MAP and result in dear and uses[result] > 1:
            if any(reader.ROLE is Role.FOLD for reader in _readers(op)):
                keep(result)


def _repeats(op: TensorOp, operand: SSAValue) -> bool:
    """Whether elements of the operand are read more than once, or under a condition."""
    return op.ROLE is Role.FREE and count_of(shape_of(op.results[0].type)) != count_of(
        shape_of(operand.type)
    )


def _erase_dead(block: Block) -> None:
    for op in reversed(tuple(block.ops)):
        fusible = isinstance(op, TensorOp) and op.ROLE is not Role.OPAQUE
        if fusible and not any(tuple(result.uses) for result in op.results):
            op.detach()
            op.erase()
