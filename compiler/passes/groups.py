"""Kernels in the making, and which of them become one since they reduce what they share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from xdsl.ir import Operation, OpResult, SSAValue

from stepwell.compiler.dialects.nd import shape_of
from stepwell.compiler.dialects.sizes import Shape, count_of
from stepwell.compiler.ops.base import Role, TensorOp
from stepwell.compiler.ops.reduction import Reduction
from stepwell.compiler.ops.structure import SEPARATE
from stepwell.compiler.ops.unary import Convert
from stepwell.runtime.sizes import Size

MOST_SIDE_BY_SIDE = 4
"""Reductions of one kernel that share what they fold, or results of one that goes by elements."""

FARTHEST = 64
"""Values behind a reduction among which it looks for what another one folds, too."""

Place = tuple[Operation, ...]
"""Where the kernel reads a value, for the index of its result: through which ops that move it."""


@final
@dataclass(eq=False)
class Group:
    """A kernel in the making; members from the last to the first, which is the last root."""

    members: list[TensorOp] = field(default_factory=list[TensorOp])
    roots: list[TensorOp] = field(default_factory=list[TensorOp])
    """The members whose results others may read, from the last to the first."""
    reductions: list[TensorOp] = field(default_factory=list[TensorOp])
    """The members that fold, or combine along an axis, but for the short ones."""
    short: set[Operation] = field(default_factory=set[Operation])
    """Members that fold a few elements for each term of a reduction."""
    contracts: bool = False
    scores: Shape | None = None
    """Of attention: the shape of what it keeps some rows of."""
    rows: int | None = None
    """How many leading axes are rows, once a reduction of the others has joined."""
    depths: dict[Operation, int] = field(default_factory=dict[Operation, int])
    """How many members lie between a member and the root."""
    places: dict[Operation, set[Place]] = field(default_factory=dict[Operation, set[Place]])

    @property
    def root(self) -> TensorOp:
        return self.roots[0]

    @property
    def folds(self) -> bool:
        return self.contracts or self.rows is not None

    def add(self, op: TensorOp) -> None:
        self.members.append(op)
        self.roots = self.roots or [op]
        depth = self.depths.get(op, 0) + 1
        places = self.places.get(op, {()})
        if op not in self.short:
            places = _places_of_operands(op, places)
        for operand in op.operands:
            if isinstance(operand, OpResult):
                self.depths[operand.op] = max(depth, self.depths.get(operand.op, 0))
                self.places.setdefault(operand.op, set()).update(places)
        if op.ROLE is Role.CONTRACT:
            self.contracts = True
        if op.ROLE in (Role.FOLD, Role.SCAN) and op not in self.short:
            self.reductions.append(op)
            self.rows = len(shape_of(op.results[0].type)) - (op.ROLE is Role.SCAN)

    def absorb(self, other: "Group", order: Mapping[Operation, int]) -> None:
        """Takes the members of another kernel, whose last root comes before its own."""
        members = dict.fromkeys((*self.members, *other.members))
        self.members = sorted(members, key=lambda op: -order[op])
        self.roots = sorted((*self.roots, *other.roots), key=lambda op: -order[op])
        self.reductions += other.reductions
        self.short |= other.short
        for op, depth in other.depths.items():
            self.depths[op] = max(depth, self.depths.get(op, 0))
            self.places.setdefault(op, set()).update(other.places[op])
        other.members = []


def _places_of_operands(op: TensorOp, places: set[Place]) -> set[Place]:
    """A fold is computed once for its rows, so that places begin anew behind it."""
    if same_index(op):
        return places
    return {(op, *place) for place in places} if op.ROLE is Role.FREE else {()}


def is_opaque(op: TensorOp) -> bool:
    """Whether an op is lowered by itself."""
    return op.ROLE is Role.OPAQUE or (op.ROLE is Role.LOOP and SEPARATE not in op.attributes)


def same_index(op: TensorOp) -> bool:
    return op.ROLE in (Role.MAP, Role.LOOP) or isinstance(op, Convert) or not op.operands


def unite(
    group: Group,
    latest: dict[object, Group],
    of: dict[Operation, list[Group]],
    order: Mapping[Operation, int],
) -> None:
    """Makes one kernel of two that fold the same values in the same way; `latest` are the last ones
    that fold in each way."""
    way = _way(group)
    if way is None:
        return
    other = latest.get(way)
    if other is not None and _way(other) == way and _go_together(group, other, order):
        if order[other.root] > order[group.root]:
            group, other = other, group
        group.absorb(other, order)
        for op in group.members:
            of[op] = list(dict.fromkeys(group if each is other else each for each in of[op]))
    latest[way] = group


def _way(group: Group) -> object:
    """Equal for kernels that fold arrays of one type along the same axes, all of them, for results
    of the shape that is left; None for others."""
    ways = {
        (type(op), op.x.type, op.axes) if isinstance(op, Reduction) else None
        for op in group.reductions
    }
    left = shape_of(group.reductions[0].results[0].type)
    if group.contracts or len(ways) != 1 or shape_of(group.root.results[0].type) != left:
        return None
    return ways.pop()


def _go_together(group: Group, other: Group, order: Mapping[Operation, int]) -> bool:
    """Whether they share values, are not too many, and nobody waits for one where the other is not
    there yet."""
    if group is other or len(group.reductions) + len(other.reductions) > MOST_SIDE_BY_SIDE:
        return False
    roots = [*group.roots, *other.roots]
    last = max(roots, key=lambda root: order[root])
    uses = (use for root in roots if root is not last for use in root.results[0].uses)
    if any(order.get(use.operation, -1) < order[last] for use in uses):
        return False
    return not _folded(group).isdisjoint(_folded(other))


def _folded(group: Group) -> set[SSAValue]:
    """What is computed or read from memory for every term, as far as that is not far away."""
    values = [op.operands[0] for op in group.reductions]
    terms = count_of(shape_of(values[0].type))
    seen = set(values)
    for value in values:
        owner = value.owner
        if isinstance(owner, TensorOp) and owner.ROLE in (Role.FREE, Role.MAP):
            new = [each for each in owner.operands if each not in seen]
            if len(seen) < FARTHEST:
                values.extend(new)
                seen.update(new)
    return {value for value in seen if _is_term(value, terms)}


def _is_term(value: SSAValue, terms: Size) -> bool:
    owner = value.owner
    is_free = isinstance(owner, TensorOp) and owner.ROLE is Role.FREE
    return not is_free and count_of(shape_of(value.type)) == terms


def are_side_by_side(group: Group) -> bool:
    """Whether all that is computed for every term is for reductions that need not wait for each
    other."""
    if not group.reductions or _way(group) is None:
        return False
    behind: set[SSAValue] = set()
    for op in reversed(group.members):
        waits = any(operand in behind for operand in op.operands)
        if waits and op in group.reductions:
            return False
        if waits or op in group.reductions:
            behind.update(op.results)
    return True
