"""Factors of a contraction as words: neighbours along the fold, as many as an instruction takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import prod
from typing import final

from xdsl.dialects import arith
from xdsl.dialects.builtin import StringAttr, i8, i32
from xdsl.ir import SSAValue
from xdsl.irdl import IRDLOperation

from stepwell.compiler.dialects.llvm.types import integer, vector
from stepwell.compiler.dialects.llvm.types import lanes as lanes_of
from stepwell.compiler.dialects.loop.explicit import DotOp
from stepwell.compiler.dialects.loop.scalar import Cast, CastOp
from stepwell.compiler.lower.analysis import Analysis, Axis
from stepwell.compiler.lower.bodies import Mask, Tile
from stepwell.compiler.lower.codes import cast
from stepwell.compiler.lower.contraction import Contraction, Factor
from stepwell.compiler.lower.folds import NestWriter
from stepwell.compiler.lower.shuffles import extract
from stepwell.compiler.lower.writer import ONE, Bound, Writer
from stepwell.compiler.machines.dots import DOTS, Dot
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.ops.functions import defaults
from stepwell.runtime.sizes import Size

HIGH_BITS = 0x80808080 - (1 << 32)
"""The highest bit of four bytes: turned around, it moves a byte by 128, from signed to unsigned or
back. As bytes these are 128, or -128 each."""


@final
@dataclass(frozen=True)
class Recipe:
    """How an instruction serves a product: its own left operand is the right one if it is
    `swapped`, and the left one's numbers are moved by 128 if they are `moved`."""

    dot: Dot
    swapped: bool
    moved: bool

    def add(self, writer: Writer, left: SSAValue, right: SSAValue, sums: SSAValue) -> SSAValue:
        """The sums with the products of two vectors of words."""
        first, second = (right, left) if self.swapped else (left, right)
        properties = {"instruction": StringAttr(self.dot.name)}
        return writer.pure(DotOp, (first, second, sums), sums.type, properties)


def recipe_of(contraction: Contraction, dot: Dot) -> Recipe | None:
    """How an instruction computes the products, if it does."""
    kinds = [_kind(contraction.left), _kind(contraction.right)]
    if None in kinds:
        return None
    if dot.left == "i16":
        return Recipe(dot, False, False)
    found = [
        Recipe(dot, swapped, left != kinds[0])
        for swapped, left, right in ((False, dot.left, dot.right), (True, dot.right, dot.left))
        if right == kinds[1]
    ]
    return min(found, key=lambda each: each.moved, default=None)


def recipes(contraction: Contraction, machine: Machine) -> list[Recipe]:
    """Those of the machine's instructions, the best one first."""
    own = [dot for dot in DOTS.values() if machine.has(dot)]
    found = [recipe for dot in own if (recipe := recipe_of(contraction, dot)) is not None]
    return sorted(found, key=lambda each: (-each.dot.group, each.moved))


def _kind(factor: Factor) -> str | None:
    """The bytes that an i32 factor is made from."""
    op = factor.value.owner
    if not isinstance(op, CastOp) or op.operand.type != i8 or op.result.type != i32:
        return None
    return {Cast.EXTSI: "i8", Cast.EXTUI: "u8"}.get(op.cast)


@final
@dataclass(frozen=True, eq=False)
class Words:
    """Panels of a factor: for each word along the fold, those of `length` positions of its axis.

    A word holds `group` neighbours along the fold's last axis; behind its end there are zeros. The
    words of one round, a position along the fold's outer axes, take whole vectors of elements.
    """

    analysis: Analysis
    factor: Factor
    group: int
    width: int
    length: int
    moved: bool = False

    @cached_property
    def axes(self) -> Sequence[Axis]:
        return self.analysis.axes_of(self.factor.fold)

    @property
    def rounds(self) -> Size:
        return prod((axis.size for axis in self.axes[:-1]), start=ONE)

    @property
    def count(self) -> Size:
        """Words of one round."""
        return (self.axes[-1].size + (self.group - 1)) // self.group

    @property
    def stride(self) -> Size:
        """Words from one round to the next."""
        return (self.axes[-1].size + (self.width - 1)) // self.width * (self.width // self.group)

    @property
    def depth(self) -> Size:
        """Words of one position of the factor's axis."""
        return self.rounds * self.stride

    @property
    def size(self) -> Size:
        """Words of a panel."""
        return self.depth * self.length

    def fill(
        self,
        writer: Writer,
        bases: Mapping[SSAValue, Bound],
        masks: Sequence[Mask],
        target: SSAValue,
        first: Bound = 0,
    ) -> None:
        """Write the panel of the tile at `bases` to `target`, from word `first` on.

        A mask for each vector along the axis tells what is inside.
        """
        with writer.memory():
            _Filling(self, writer, bases, masks, target, first).write(self.axes[:-1], 0)


@final
class _Filling:
    """The filling of one panel."""

    def __init__(
        self,
        words: Words,
        writer: Writer,
        bases: Mapping[SSAValue, Bound],
        masks: Sequence[Mask],
        target: SSAValue,
        first: Bound,
    ):
        self.words, self.writer, self.target, self.first = words, writer, target, first
        self.factor, self.axis = words.factor, words.factor.axis
        self.bases = {**bases, **dict.fromkeys(words.factor.fold.axes, 0)}
        self.masks = masks
        self.start = 0 if self.axis is None else bases[self.axis.value]
        self.last = words.axes[-1].value
        self.end = writer.extent(words.axes[-1].size)

    def write(self, outer: Sequence[Axis], number: Bound) -> None:
        """All rounds, of which so many have gone by along the axes before these."""
        if not outer:
            word = self.writer.multiply(number, self.words.stride)
            along = all(each.stride(self.last) == ONE for each in self.factor.reads)
            return self._along(word) if along or self.axis is None else self._across(word)

        def inside(index: Bound) -> None:
            self.bases[outer[0].value] = index
            before = self.writer.multiply(number, outer[0].size)
            self.write(outer[1:], self.writer.add(before, index))

        return self.writer.each(0, self.writer.extent(outer[0].size), inside)

    def _along(self, word: Bound) -> None:
        """Vectors along the fold, for one position of the factor's axis after the other."""
        words, writer, group = self.words, self.writer, self.words.group
        narrow, wide = integer(32 // group), vector(i32, words.width // group)

        def some(place: Bound, index: Bound, mask: Mask = None) -> None:
            tile = Tile(words.width, self.last, (mask,))
            value = self._inside(self._numbers(tile, index), mask)
            packed = cast(writer, Cast.TRUNCI, value, vector(narrow, words.width))
            packed = self._moved(cast(writer, Cast.BITCAST, packed, wide))
            first = writer.add(word, writer.quotient(index, group))
            for number in range(words.width // group):
                self._store(extract(writer, packed, number), first, number, place)

        def position(place: Bound) -> None:
            if self.axis is not None:
                end = writer.add(writer.extent(self.axis.size), -1)
                self.bases[self.axis.value] = writer.smaller(writer.add(self.start, place), end)
            whole = writer.round_down(self.end, words.width)
            writer.each(0, whole, partial(some, place), words.width)
            if whole is not self.end:
                mask = writer.mask(whole, self.end, words.width)
                writer.each(whole, self.end, lambda at: some(place, at, mask), words.width)

        writer.each(0, min(words.length, len(self.masks) * words.width), position)

    def _across(self, word: Bound) -> None:
        """Vectors along the factor's axis, for one word of them after the other."""
        writer, group, width = self.writer, self.words.group, self.words.width
        whole = writer.round_down(self.end, group)

        def some(index: Bound, *, is_last: bool = False) -> None:
            for number, mask in enumerate(self.masks):
                packed = self._packed(index, number * width, mask, is_last)
                inside = None
                if (left := self.words.length - number * width) < width:
                    inside = writer.mask(0, left, width)
                first = writer.add(word, writer.quotient(index, group))
                self._store(packed, first, 0, number * width, inside)

        writer.each(0, whole, some, group)
        writer.each(whole, self.end, partial(some, is_last=True), group)

    def _packed(self, index: Bound, place: int, mask: Mask, is_last: bool) -> SSAValue:
        """The words at an index of the fold for a vector of positions."""
        writer, bits, width = self.writer, 32 // self.words.group, self.words.width
        assert self.axis is not None
        self.bases[self.axis.value] = writer.add(self.start, place)
        total: SSAValue | None = None
        for number in range(self.words.group):
            at = writer.add(index, number)
            if is_last:
                at = writer.smaller(at, writer.add(self.end, -1))
            value = self._numbers(Tile(width, self.axis.value, (mask,)), at)
            if is_last:
                inside = writer.mask(writer.add(index, number), self.end, 1)
                value = self._inside(value, writer.splat(extract(writer, inside, 0), width))
            if number < self.words.group - 1:
                value = self._integer(arith.AndIOp, value, (1 << bits) - 1)
            value = self._integer(arith.ShLIOp, value, number * bits)
            total = value if total is None else self._or(total, value)
        assert total is not None
        return self._moved(total)

    def _numbers(self, tile: Tile, index: Bound) -> SSAValue:
        """A vector of the factor's numbers."""
        bases = {**self.bases, self.last: index}
        body = NestWriter(self.writer, self.words.analysis, tile, bases, {})
        for block in (self.words.analysis.nest.body.block, self.factor.fold.body.block):
            body.write(block, self.factor.behind)
        return body.vector_at(body.value(self.factor.value), 0, 0)

    def _inside(self, value: SSAValue, mask: Mask) -> SSAValue:
        """The numbers in the lanes of the mask, and zeros."""
        zero = self.writer.constant(0, i32)
        nothing = self.writer.splat(zero, self.words.width)
        return value if mask is None else self.writer.select(mask, value, nothing)

    def _moved(self, words: SSAValue) -> SSAValue:
        return self._integer(arith.XOrIOp, words, HIGH_BITS) if self.words.moved else words

    def _integer(self, kind: type[IRDLOperation], words: SSAValue, number: int) -> SSAValue:
        lanes = lanes_of(words.type) or 1
        other = self.writer.splat(self.writer.constant(number, i32), lanes)
        return self.writer.pure(kind, (words, other), words.type, defaults(kind))

    def _or(self, one: SSAValue, other: SSAValue) -> SSAValue:
        return self.writer.pure(arith.OrIOp, (one, other), one.type)

    def _store(
        self, value: SSAValue, first: Bound, number: int, place: Bound, mask: Mask = None
    ) -> None:
        """A word, or those of neighbours, of the word so many behind the first."""
        length = Size.of(self.words.length)
        terms = [(length, first), (length, number), (ONE, place), (ONE, self.first)]
        self.writer.store(value, self.target, self.writer.affine(terms), mask)
