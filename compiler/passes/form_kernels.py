"""Groups tensor ops into kernels, and marks what is stored inside one.

From the last op to the first, each op joins the kernel of its readers, or begins one. It joins when
all its readers are in one kernel, and that kernel can read it through:

* movement, constants, conversions and what is made of indices alone always; a copy goes to each
  kernel that reads them;
* elementwise ops, except into a contraction, which would compute them again for every element; a
  copy goes to each kernel if that may as well read the only array it is computed from;
* a reduction of the last axes into a kernel over the same rows (softmax, norms);
* a reduction of a few neighbours into the terms of another one (distances of points);
* a contraction, a cumulative op or a loop for each element into elementwise ops at the same
  index (bias, activation).

What goes by the rows of a product, up to the next products, is one kernel with them (attention).
What comes from several arrays, as keys do with a cache, is stored before that: it is read often.

Kernels that reduce along the same axes what they share become one with several results, so that
what is shared is computed or read once: sums over all pairs, the gradients of a norm. What an
elementwise kernel computes for itself and others read later is a result, too: an optimizer's state.

An op that only changes part of an operand which nobody reads later stays by itself, if the operand
is in memory anyway, or has been changed so before: it is carried out there (a cache, one row of
which is new).

What a kernel would read at too many places, and so compute as often, is stored: the steps of a
stencil, one after the other, would else grow by a factor with each step.

A kernel stands where its last result does, and nobody reads the others before; so no two kernels
can wait for each other.
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnitAttr
from xdsl.ir import Block, BlockArgument, Operation, OpResult, Region, SSAValue
from xdsl.passes import ModulePass

from stepwell.compiler.dialects.construct import append, construct
from stepwell.compiler.dialects.nd import shape_of
from stepwell.compiler.dialects.sizes import IntsAttr, count_of
from stepwell.compiler.ops.base import Role, TensorOp
from stepwell.compiler.ops.indices import ONE
from stepwell.compiler.ops.reduction import Reduction
from stepwell.compiler.ops.regions import again
from stepwell.compiler.ops.structure import (
    DONATED,
    KEEP,
    SEPARATE,
    SPREAD,
    FuncOp,
    KernelOp,
    YieldOp,
)
from stepwell.compiler.passes.attention import attentions, is_product
from stepwell.compiler.passes.groups import (
    MOST_SIDE_BY_SIDE,
    Group,
    are_side_by_side,
    is_opaque,
    same_index,
    unite,
)
from stepwell.compiler.passes.simplify import erase_dead

SHORT = 8
"""Terms of a reduction that is written out for each term of another."""

DEEPEST = 100
"""Ops in a chain inside one kernel: each is a level of recursion when its nest is written."""

MOST_COMPUTED, MOST_MOVED = 4, 16
"""Places at which a kernel reads what has to be computed, and what is only moved."""


@final
@dataclass(frozen=True)
class FormKernels(ModulePass):
    """The pass; docs/walkthrough.md shows what it does to a softmax."""

    name = "form-kernels"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in op.body.block.ops:
            if isinstance(function, FuncOp):
                form(function.body.block)


def form(block: Block) -> None:
    """Forms the kernels of one block, and of the regions in it."""
    for op in block.ops:
        if not isinstance(op, KernelOp) and SEPARATE not in op.attributes:
            for region in op.regions:
                form(region.block)
    groups = _group(block)
    kernels = [_kernel(group) for group in groups]
    for group, kernel in zip(groups, kernels, strict=True):
        for result, new in zip(_results(group), kernel.results, strict=True):
            new.name_hint = result.name_hint
            result.replace_all_uses_with(new)
    erase_dead(block)


def _group(block: Block) -> list[Group]:
    """The kernels, in the order of their roots."""
    groups: list[Group] = []
    of: dict[Operation, list[Group]] = {}
    latest: dict[object, Group] = {}
    order = {op: number for number, op in enumerate(block.ops)}
    attended: dict[Operation, Group] = {}
    for ops in attentions(block):
        attended.update(dict.fromkeys(ops, Group(scores=shape_of(ops[0].results[0].type))))
    made, epilogues = _made_of_indices(order), _epilogues(order)
    for op in reversed(order):
        if not isinstance(op, TensorOp) or is_opaque(op) or _is_in_place(op, order):
            continue
        readers = [use.operation for result in op.results for use in result.uses]
        if not readers:
            continue
        if op.ROLE is Role.ALONE:
            groups.append(Group([op], [op]))
            continue
        wanted = list(dict.fromkeys(group for reader in readers for group in of.get(reader, ())))
        leaves = any(reader not in of for reader in readers)
        if (group := attended.get(op)) is not None:
            _attend(op, group, groups, is_read=leaves or wanted != [group])
            of[op] = [group]
            continue
        mine = [group for group in wanted if _joins(op, group)]
        again_everywhere = mine == wanted and not leaves and _is_as_cheap_again(op, made)
        is_free = op.ROLE is Role.FREE or op in made or again_everywhere
        first = min(mine, key=lambda group: order[group.root], default=None)
        if not is_free and (leaves or len(wanted) != 1):
            mine = []
        is_other = op.ROLE is Role.MAP and not is_free and op not in epilogues
        if is_other and not mine and first and _is_result_too(op, first, order):
            mine = [first]
            first.roots.append(op)
        elif leaves or len(mine) < len(wanted):
            groups.append(Group())
            mine.append(groups[-1])
        for group in mine:
            if group.members and op.ROLE is Role.FOLD and not _shares_rows(op, group):
                group.short.add(op)
            group.add(op)
        of[op] = mine
        if isinstance(op, Reduction):
            unite(mine[0], latest, of, order)
    return [group for group in reversed(groups) if group.members]


def _is_result_too(op: TensorOp, group: Group, order: Mapping[Operation, int]) -> bool:
    """Whether the kernel that computes an elementwise op may also write it, for all other readers:
    it does so at the index of its own result, and they come later."""
    is_full = group.folds or group.scores is not None or len(group.roots) == MOST_SIDE_BY_SIDE
    if is_full or group.places[op] != {()}:
        return False
    readers = {use.operation for use in op.results[0].uses}.difference(group.members)
    return all(order.get(reader, -1) > order[group.root] for reader in readers)


def _epilogues(ops: Iterable[Operation]) -> set[Operation | Block]:
    """Products, and what follows from one element by element without another reader."""
    found: set[Operation | Block] = set()
    for op in ops:
        if isinstance(op, TensorOp) and op.ROLE in (Role.CONTRACT, Role.MAP):
            follows = any(x.owner in found and x.has_one_use() for x in op.operands)
            if follows or op.ROLE is Role.CONTRACT:
                found.add(op)
    return found


def _made_of_indices(ops: Iterable[Operation]) -> set[Operation | Block]:
    """What is made cheaply of numbers that are not read from memory."""
    made: set[Operation | Block] = set()
    for op in ops:
        if isinstance(op, TensorOp) and op.ROLE in (Role.FREE, Role.MAP) and not op.COSTLY:
            if all(operand.owner in made for operand in op.operands):
                made.add(op)
    return made


def _is_as_cheap_again(op: TensorOp, made: Container[Operation | Block]) -> bool:
    """Whether each reader may as well read what an elementwise op is computed from."""
    read = [operand.type for operand in op.operands if operand.owner not in made]
    return op.ROLE is Role.MAP and not op.COSTLY and read == [op.results[0].type]


def _attend(op: TensorOp, group: Group, groups: list[Group], *, is_read: bool) -> None:
    """Adds an op to the attention that it is part of; others may read it, too."""
    if not group.members:
        groups.append(group)
    elif is_read:
        group.roots.append(op)
    group.add(op)


def _is_in_place(op: TensorOp, order: Mapping[Operation, int]) -> bool:
    """Whether an op is best carried out on the operand that it overwrites."""
    if op.OVERWRITES is None:
        return False
    operand = op.operands[op.OVERWRITES]
    if any(order.get(use.operation, len(order)) > order[op] for use in operand.uses):
        return False
    match operand.owner:
        case TensorOp() as source:
            return source.OVERWRITES is not None or source.ROLE not in (Role.FREE, Role.MAP)
        case Block() as block:
            return not isinstance(block.parent_op(), FuncOp) or _is_donated(operand)
        case _:
            return True


def _is_donated(argument: SSAValue) -> bool:
    assert isinstance(argument, BlockArgument)
    function = argument.block.parent_op()
    donated = None if function is None else function.attributes.get(DONATED)
    return isinstance(donated, IntsAttr) and argument.index in donated.data


def _joins(op: TensorOp, group: Group) -> bool:
    """Whether the kernel may read the op through."""
    if not op.operands:
        return True
    most = MOST_MOVED if op.ROLE is Role.FREE else MOST_COMPUTED
    if group.depths[op] > DEEPEST or len(group.places[op]) > most:
        return False
    match op.ROLE:
        case Role.MAP:
            return not any(reader.ROLE is Role.CONTRACT for reader in _readers(op))
        case Role.FOLD:
            return _shares_rows(op, group) or _is_short(op, group)
        case Role.CONTRACT if group.scores == shape_of(op.results[0].type):
            return is_product(op) and group.places[op] == {()}
        case Role.CONTRACT | Role.SCAN | Role.LOOP:
            follows = all(map(same_index, _followers(op, group)))
            return follows and not group.folds and len(group.roots) == 1
        case _:
            return group.scores is None or len(op.operands) == 1


def _readers(op: Operation) -> Iterator[TensorOp]:
    """The ops that read the results, also through ops that only move them."""
    seen: set[Operation] = set()
    asked = [op]
    while asked:
        for use in (use for result in asked.pop().results for use in result.uses):
            reader = use.operation
            if isinstance(reader, TensorOp) and reader not in seen:
                seen.add(reader)
                yield reader
                if reader.ROLE is Role.FREE:
                    asked.append(reader)


def _followers(op: TensorOp, group: Group) -> Iterator[TensorOp]:
    """The members that need the op, directly or through one another."""
    needing: set[Operation] = {op}
    for member in reversed(group.members):
        if any(operand.owner in needing for operand in member.operands):
            needing.add(member)
            yield member


def _shares_rows(op: TensorOp, group: Group) -> bool:
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


def _is_short(op: TensorOp, group: Group) -> bool:
    """Whether a reduction has so few terms that another one may compute it for each of its own."""
    if not isinstance(op, Reduction) or group.contracts or not group.reductions:
        return False
    shape = shape_of(op.x.type)
    count = count_of([shape[axis] for axis in op.axes.data]).static
    return len(shape) - 1 in op.axes.data and count is not None and 0 < count <= SHORT


def _kernel(group: Group) -> KernelOp:
    """The kernel, where its root stands; whoever needs the root still reads it there."""
    members = group.members[::-1]
    attends = group.scores is not None
    _mark_kept(members, group.short, are_side_by_side(group), attends)
    inside = set(members)
    inputs = list(
        dict.fromkeys(
            operand for op in members for operand in op.operands if operand.owner not in inside
        )
    )
    block = Block(arg_types=[value.type for value in inputs])
    copies: dict[SSAValue, SSAValue] = dict(zip(inputs, block.args, strict=True))
    for op in members:
        append(block, again(op, copies))
    root = group.root
    results = _results(group)
    yielded = [copies[result] for result in results]
    append(block, construct(YieldOp, yielded, (), {}, root.location))
    types = [result.type for result in results]
    kernel = construct(KernelOp, inputs, types, {}, root.location, regions=[Region(block)])
    home = root.parent_block()
    assert home is not None
    home.insert_op_before(kernel, root)
    return kernel


def _results(group: Group) -> list[OpResult]:
    """What the kernel results in, in the order of the program: of a loop what is used."""
    results = (result for root in reversed(group.roots) for result in root.results)
    return [x for x in results if group.root.ROLE is not Role.LOOP or tuple(x.uses)]


def _mark_kept(
    members: Sequence[TensorOp], short: Container[Operation], side_by_side: bool, attends: bool
) -> None:
    """Marks what several nests read: no fold in a fold but short ones, and no dear value twice; nor
    are a contraction's operands computed in it. Reductions side by side are one fold, in which
    nothing is computed twice. What attention makes of its scores, which may be in one nest with
    other products, is stored, too."""
    inside = set(members)
    uses = Counter(operand for op in members for operand in op.operands)
    folds: set[SSAValue] = set()
    dear: set[SSAValue] = set()

    def keep(value: SSAValue) -> None:
        owner = value.owner
        if owner not in inside or not isinstance(owner, TensorOp):
            return
        folds.discard(value)
        dear.discard(value)
        if owner.ROLE is Role.FREE:
            for operand in owner.operands:
                keep(operand)
        else:
            owner.attributes[KEEP] = UnitAttr()

    for op in members:
        for operand in op.operands:
            repeats = op.ROLE in (Role.FOLD, Role.LOOP) or _repeats(op, operand)
            dearly = _repeats(op, operand) and operand in dear
            if dearly and operand not in folds and _is_repeated_for(members[-1], op, operand):
                members[-1].attributes[SPREAD] = UnitAttr()
            elif op.ROLE is Role.CONTRACT or (repeats and operand in folds) or dearly:
                keep(operand)
        result = op.results[0]
        if op.ROLE in (Role.FOLD, Role.CONTRACT) or any(x in folds for x in op.operands):
            folds.add(result)
        if op in short:
            folds.discard(result)
            dear.add(result)
        if op.COSTLY or any(x in dear for x in op.operands):
            dear.add(result)
        if attends and op.COSTLY and result in folds:
            keep(result)
        if op.ROLE is Role.MAP and result in dear and uses[result] > 1 and not side_by_side:
            if any(reader.ROLE is Role.FOLD for reader in _readers(op)):
                keep(result)


def _repeats(op: TensorOp, operand: SSAValue) -> bool:
    """Whether elements of the operand are read more than once, or under a condition."""
    return op.ROLE is Role.FREE and count_of(shape_of(op.results[0].type)) != count_of(
        shape_of(operand.type)
    )


def _is_repeated_for(root: TensorOp, op: TensorOp, operand: SSAValue) -> bool:
    """Whether elements are read again only for other results of a reduction that lie side by side,
    a few along the last axis: folds that share what they compute."""
    *rows, count = shape_of(root.results[0].type) or (ONE,)
    return (
        isinstance(root, Reduction)
        and len(rows) > 0
        and 0 < (count.static or 0) <= MOST_SIDE_BY_SIDE
        and shape_of(op.results[0].type) == (*shape_of(operand.type), count)
        and len(shape_of(root.x.type)) - 1 not in root.axes.data
    )
