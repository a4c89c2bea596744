"""What suits a contraction on a machine: which operands to copy, which blocks, which tasks."""

from itertools import takewhile
from math import prod
from typing import final

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.loop.types import buffer_type
from stepwell.compiler.lower.analysis import Axis, lanes_of
from stepwell.compiler.lower.blocking import MOST_SHARED, TALLEST, TASK, Product
from stepwell.compiler.lower.contraction import Contraction, Factor, chunk_steps
from stepwell.compiler.lower.costs import length
from stepwell.compiler.lower.writer import ONE
from stepwell.compiler.machines.machine import Machine

UNKNOWN_STRIDES = 6
"""Rows of a tile if their distance is known at run time only, so that each takes a register."""


@final
class Suited:
    """What suits a contraction, one thought after the other. Rows of its right operand are so many
    elements apart, or columns if it is `turned`, and then copied. A tile has `mr` rows by `nv`
    vectors."""

    def __init__(self, contraction: Contraction, machine: Machine):
        self.contraction, self.machine = contraction, machine
        self.product = product_of(contraction, machine)
        self.distance = distance_of(contraction.right)
        self.turned = not contraction.right.is_contiguous and contraction.right.may_pack
        # Of squares half of the registers are the sums, the others are what is turned.
        rows = _tallest(contraction, machine.vector_registers // 2)
        height = self.product.square(rows) if self._lies_along() else 0
        self.squares = height > 0
        tile = self.product.tile(_tallest(contraction), self.turned, self.distance, machine)
        self.mr, self.nv = (height, 1) if self.squares else tile
        self.in_a_row = not self.turned and self.product.is_in_a_row(self.nv, self.distance)
        self.asked = self.product.is_asked(self.mr, self.nv, self.distance, machine)

    # How the operands are read.

    def _lies_along(self) -> bool:
        """Whether neighbours of the right operand follow each other along the fold, always."""
        fold, reads = self.contraction.fold, self.contraction.right.reads
        along = all(each.stride(fold.axes[-1]) == ONE for each in reads)
        return self.turned and along and fold not in self.contraction.analysis.guards

    def streams(self) -> bool:
        """Whether rows of the right operand are read to their ends, a few at a time."""
        known = not self.turned and self.may_be_cut()
        return known and self.product.streams(self.mr, self.nv, self.distance, self.machine)

    def packs_left(self) -> bool:
        """Whether to copy the left operand to panels: if its rows are the neighbours in memory."""
        left = self.contraction.left
        fits = left.may_pack and left.is_contiguous
        return fits and self.product.packs_left(self.nv, distance_of(left), self.machine)

    def packs_right(self) -> bool:
        """Whether to copy the right one, panel by panel."""
        if self.turned or self.streams() or not self.contraction.right.may_pack:
            return self.turned and not self.squares
        return self.product.packs_right(self.mr, self.nv, self.distance, self.machine)

    def pack(self) -> tuple[str, ...]:
        """The operands that are copied, by name."""
        sides = ("left", self.packs_left()), ("right", self.packs_right())
        return tuple(name for name, packs in sides if packs)

    def share(self) -> int:
        """Tiles of rows that each ask for a part of the next panel, which is read in a row, or, by
        a core that reads on, turned from rows that follow each other afar: all that use one, unless
        they are too many; 0 if there is nothing to share."""
        product, machine, lanes = self.product, self.machine, self.contraction.lanes.value
        follow = self._lies_along() and _apart(self.contraction.right, lanes) == product.k
        afar = machine.reads_on and product.exceeds(machine.l2) and not self.squares
        several = (follow and afar) or (self.in_a_row and product.columns > 1)
        tiles = product.middle * -(-product.m // self.mr)
        return tiles if several and 1 < tiles <= MOST_SHARED else 0

    def ahead(self) -> int:
        """How many positions ahead to ask for the right operand."""
        if self.share() and not self.turned:
            return self.product.k
        product, machine = self.product, self.machine
        if self.squares or (machine.reads_on and product.rows == 1 and self.in_a_row):
            return 0
        if self.streams() and machine.reads_on and (rows := product.abreast(machine)):
            return rows if product.exceeds(machine.l3) else 0
        packs = self.packs_right()
        return product.ahead(self.mr, self.nv, self.block(), self.asked, packs, machine)

    def below(self) -> tuple[str, ...]:
        """What to ask for of the tile below, by a core that reads on: rows of the left operand that
        follow each other, and the ends of the sums, if they do not stay in the second cache, the
        ones from one panel to the next, the others until all are written."""
        product, contraction, l2 = self.product, self.contraction, self.machine.l2
        if not self.machine.reads_on or self.block() or product.rows <= self.mr:
            return ()
        follow = distance_of(contraction.left) == 1 and product.apart == product.k
        left = follow and product.m * product.k * product.size > l2
        each = product.rows * product.lanes * product.outer * product.size
        sides = ("left", left), ("ends", len(contraction.ends) * each > l2)
        return tuple(name for name, asks in sides if asks)

    # What is computed at a time.

    def block(self) -> int:
        """Positions of the fold in a block; 0 if one is all."""
        if self.share() or not self.may_be_cut():
            return 0
        if self.streams():
            return self.product.abreast(self.machine)
        apart = not self.packs_left() and distance_of(self.contraction.left) != 1
        return self.product.block(self.mr, self.nv, self.turned or self.asked, apart, self.machine)

    def task(self) -> tuple[int, int]:
        """The rows and lanes of a task."""
        product, machine, mr, nv = self.product, self.machine, self.mr, self.nv
        if is_little(self.contraction, product, machine):
            return 0, 0
        if self.streams():
            return product.long_task(mr, nv, machine)
        if self.share():
            return product.wide_task(mr, nv, machine)
        if self.in_a_row and not product.exceeds(machine.l2):
            return product.short_task(mr)
        return product.task(mr, nv, self.block(), self.packs_right(), machine, self.asked)

    def may_be_cut(self) -> bool:
        """Whether blocks of the fold are worth their code, which is written for each form of a
        guard: not for a guess of how deep it is."""
        guarded = self.contraction.fold in self.contraction.analysis.guards
        return not guarded or self.contraction.depth.static is not None


def is_little(contraction: Contraction, product: Product, machine: Machine) -> bool:
    """Whether all is done before another thread would be of use: of sizes that are known."""
    whole = prod(contraction.analysis.nest.sizes.data, start=contraction.depth).static
    return whole is not None and product.effort(machine) < 2 * TASK


def product_of(contraction: Contraction, machine: Machine) -> Product:
    """The contraction in numbers."""
    width = lanes_of((contraction.fold.results[0].type,), machine.vector_bytes)
    m = 1 if contraction.rows is None else length(contraction.rows.size)
    columns = 1 if contraction.columns is None else length(contraction.columns.size)
    k = length(contraction.depth)
    middle, outer = _positions(contraction.middle), _positions(contraction.outer)
    rows = max(1, m * middle * outer)
    counts = [buffer_type(access.buffer).count.static for access in contraction.left.reads]
    kept = sum(k if count is None else min(k, -(-count // rows)) for count in counts)
    size = machine.vector_bytes // width
    lanes, fold = length(contraction.lanes.size), contraction.fold
    steps = chunk_steps(fold, contraction.analysis.axes_of(fold))
    unit = fold.order.data.chunk if steps else 0
    apart = 0 if contraction.rows is None else _apart(contraction.left, contraction.rows.value) or 0
    inside = _inside(contraction)
    return Product(m, lanes, columns, k, middle, outer, kept, width, size, unit, apart, inside)


def _inside(contraction: Contraction) -> int:
    """Positions of the fold that are in the padding or not as one: those along its last axes, of
    which the guard knows nothing. 0 if it does not differ along the rows."""
    analysis, fold, rows = contraction.analysis, contraction.fold, contraction.rows
    guard = analysis.guards.get(fold)
    along = frozenset[SSAValue]() if guard is None else analysis.dependences(guard)
    if rows is None or rows.value not in along:
        return 0
    inner = takewhile(lambda axis: axis.value not in along, analysis.axes_of(fold)[::-1])
    return prod(length(axis.size) for axis in inner)


def _positions(axes: tuple[Axis, ...]) -> int:
    return max(1, prod(length(axis.size) for axis in axes))


def _tallest(contraction: Contraction, most: int = TALLEST) -> int:
    """How many rows a tile may have: if they lie at known distances, one register addresses all."""
    rows, reads = contraction.rows, contraction.left.reads
    known = rows is None or all(read.stride(rows.value).static is not None for read in reads)
    return most if known else min(most, UNKNOWN_STRIDES)


def distance_of(factor: Factor) -> int | None:
    """Elements between what is read at one position of the fold and at the next."""
    return _apart(factor, factor.fold.axes[-1])


def _apart(factor: Factor, axis: SSAValue) -> int | None:
    """Elements between what is read at one position of an axis and at the next, if it is known."""
    strides = [access.stride(axis).static for access in factor.reads]
    known = [stride for stride in strides if stride is not None]
    return max(known, default=0) if len(known) == len(strides) else None
