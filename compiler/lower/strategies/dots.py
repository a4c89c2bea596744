"""The strategy `dots`: products of bytes by instructions that add several products at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import ClassVar, Self, final

from xdsl.dialects import arith
from xdsl.dialects.builtin import i32
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import vector
from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.types import buffer
from stepwell.compiler.lower.analysis import Analysis
from stepwell.compiler.lower.blocking import TASK
from stepwell.compiler.lower.bodies import BodyWriter, Mask, Ready, Spread, masks
from stepwell.compiler.lower.contraction import Contraction, contraction_of
from stepwell.compiler.lower.dots import HIGH_BITS, Recipe, Words, recipe_of, recipes
from stepwell.compiler.lower.folds import ALL, Intervals
from stepwell.compiler.lower.strategies.base import (
    Refusal,
    Strategy,
    expanding,
    locals_of,
    nests_of,
    view,
)
from stepwell.compiler.lower.strategies.gemm import (
    Extents,
    before,
    count_of,
    product_of,
    tasks_by,
    tiling_by,
)
from stepwell.compiler.lower.tiling import NestLoops, Tasks, unless_empty
from stepwell.compiler.lower.writer import ONE, Bound, Writer
from stepwell.compiler.machines.dots import DOTS
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.ops.functions import defaults
from stepwell.compiler.passes.assign_buffers import aligned
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size

Link = Callable[[Bound, Sequence[SSAValue]], Sequence[SSAValue]]

WORD = 4
"""Bytes of a word, and of a sum."""


@final
@dataclass(frozen=True)
class Dots(Strategy):
    """Tiles of `mr` rows by `nv` vectors of `bytes` bytes, summed by the instruction `dot`.

    Both operands are copied to panels of words (see `lower/dots.py`): all of the left one first, of
    the right one each panel before the tiles that use it. A task takes `mc` rows by `nc` lanes;
    `mc = 0` leaves all to one thread. Where the instruction takes bytes from 0 on and those of the
    left operand have signs, or the other way round, the copy is moved by 128, and a tile starts
    with what that adds to its sums: 128 times those of the right operand.
    """

    name: ClassVar[str] = "dots"
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {"dot": tuple(DOTS)}
    bytes: int = 64
    mr: int = 8
    nv: int = 3
    mc: int = 0
    nc: int = 0
    dot: str = "vpmaddwd"

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        nests = nests_of(kernel)
        if len(nests) != 1 or locals_of(kernel):
            return Refusal("it is not one nest")
        found = contraction_of(Analysis(nests[0]))
        if isinstance(found, str):
            return Refusal(found)
        if not recipes(found, machine):
            return Refusal(f"{machine.name} has no instruction for such products")
        factors = (found.left, found.right)
        guarded = found.fold in found.analysis.guards
        if guarded or not all(each.axis is None or each.may_pack for each in factors):
            return Refusal("not all positions of the fold may be read")
        return None if found.analysis.axes_of(found.fold) else Refusal("it sums nothing up")

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        contraction = _contraction(kernel)
        dot = recipes(contraction, machine)[0].dot
        product = product_of(contraction, machine)
        words = [-(-each // dot.group) for each in (product.k, product.kept)]
        product = replace(product, k=words[0], kept=words[1])
        mr, nv = product.tile(product.m, False, machine)
        mc, nc = product.task(mr, nv, 0, True, machine)
        whole = prod(contraction.analysis.nest.sizes.data, start=contraction.depth).static
        if whole is not None and product.work < 2 * TASK:
            mc = nc = 0
        return cls(machine.vector_bytes, mr, nv, mc, nc, dot.name)

    def workspace(self, kernel: KernelOp) -> Size:
        return _Dots(self, kernel).workspace

    def expand(self, kernel: KernelOp) -> None:
        dots = _Dots(self, kernel)
        with expanding(kernel) as writer:
            writer.location = dots.nest.location
            sizes, ranges = dots.nest.sizes.data, kernel.symbols.ranges
            unless_empty(writer, sizes, ranges, lambda: dots.write(writer))


def _contraction(kernel: KernelOp) -> Contraction:
    found = contraction_of(Analysis(nests_of(kernel)[0]))
    assert not isinstance(found, str)
    return found


def _recipe(plan: Dots, contraction: Contraction) -> Recipe:
    recipe = recipe_of(contraction, DOTS[plan.dot])
    if recipe is None or plan.bytes not in recipe.dot.intrinsics:
        sentence = f"{plan.dot} does not compute these products in vectors of {plan.bytes} bytes"
        raise CompileError("SW0234", sentence, hint="leave the choice of `dot` to the compiler")
    return recipe


@final
class _Dots:
    """One kernel under one plan."""

    def __init__(self, plan: Dots, kernel: KernelOp):
        self.plan = plan
        self.kernel = kernel
        self.contraction = _contraction(kernel)
        self.recipe = _recipe(plan, self.contraction)
        self.analysis = self.contraction.analysis
        self.nest = self.analysis.nest
        self.width = plan.bytes // WORD
        self.type = vector(i32, self.width)
        rows = 1 if self.contraction.rows is None else plan.mr
        group, moved = self.recipe.dot.group, self.recipe.moved
        left, right = self.contraction.left, self.contraction.right
        self.left = Words(self.analysis, left, group, self.width, rows, moved)
        self.right = Words(self.analysis, right, group, self.width, self.width * plan.nv)
        self.tasks = tasks_by(self.contraction, self.right.length, rows, plan.mc, plan.nc)

    @property
    def _left_tiles(self) -> Extents:
        """The axes along which the left operand varies, and their positions in whole tiles."""
        rows, length = self.contraction.rows, self.left.length
        return [
            (axis, (axis.size + (length - 1)) // length * length if axis is rows else axis.size)
            for axis in self.contraction.axes
            if axis is rows or axis.value in self.contraction.left.axes
        ]

    @property
    def _left_bytes(self) -> Size:
        return aligned(count_of(self._left_tiles) * self.left.depth * WORD)

    @property
    def _panel_bytes(self) -> Size:
        """Of a panel of the right operand, with what its tiles start with."""
        return aligned((self.right.size + self.right.length) * WORD)

    @property
    def workspace(self) -> Size:
        return self._left_bytes + self._panel_bytes * (self.tasks.count if self.plan.mc else ONE)

    def write(self, writer: Writer) -> None:
        words = buffer((count_of(self._left_tiles) * self.left.depth,), i32)
        left = view(writer, self.kernel.arguments[-1], 0, words)
        self._write_left(writer, left)
        if self.plan.mc:
            self.tasks.write(writer, partial(self._task, writer, left))
        else:
            self._task(writer, left, ALL, 0)

    def _write_left(self, writer: Writer, target: SSAValue) -> None:
        rows = self.contraction.rows
        blocks = [(axis, self.left.length if axis is rows else 1) for axis, _ in self._left_tiles]

        def panel(intervals: Intervals, _: Bound) -> None:
            bases: dict[SSAValue, Bound] = dict.fromkeys(self.nest.axes, 0)
            bases.update((axis, interval.low) for axis, interval in intervals.items())
            inside: tuple[Mask, ...] = (None,)
            if rows is not None:
                low, high = intervals[rows.value].low, intervals[rows.value].high
                count = -(-self.left.length // self.width)
                inside = masks(writer, low, high, self.width, count)
            self.left.fill(writer, bases, inside, target, self._left_panel(writer, bases))

        if blocks:
            Tasks(tuple(blocks)).write(writer, panel, parallel=self.plan.mc > 0)
        else:
            panel(ALL, 0)

    def _left_panel(self, writer: Writer, bases: Mapping[SSAValue, Bound]) -> Bound:
        """The word with which the panel of the tile at `bases` begins."""
        return writer.affine(before(self._left_tiles, bases, self.left.depth))

    def _task(self, writer: Writer, left: SSAValue, intervals: Intervals, number: Bound) -> None:
        """The tiles in the intervals, panel by panel."""
        at = writer.affine([(self._panel_bytes, number)], self._left_bytes)
        words = buffer((self.right.size + self.right.length,), i32)
        right = view(writer, self.kernel.arguments[-1], at, words)

        def fill(bases: Mapping[SSAValue, Bound], inside: tuple[Mask, ...]) -> None:
            self.right.fill(writer, bases, inside, right)
            if self.recipe.moved:
                self._write_starts(writer, right, len(inside))

        known: dict[BodyWriter, Spread] = {}

        def sums(body: BodyWriter) -> Spread:
            if body not in known:
                known[body] = self._sums(left, right, body)
            return known[body]

        fold = self.contraction.fold
        ready = Ready(fold.results[0], frozenset((fold,)), sums)
        tiling = tiling_by(self.contraction, self.width, self.left.length, self.plan.nv)
        NestLoops(writer, self.analysis, tiling, {}, None, [ready], fill).write(intervals)

    def _write_starts(self, writer: Writer, right: SSAValue, vectors: int) -> None:
        """Behind a panel, minus what moving the left operand adds to the sums of its lanes."""
        zero = writer.splat(writer.constant(0, i32), self.width)
        moved = writer.splat(writer.constant(HIGH_BITS, i32), self.width)

        def add(word: Bound, sums: Sequence[SSAValue]) -> Sequence[SSAValue]:
            lanes = [self._load_right(writer, right, word, column) for column in range(vectors)]
            pairs = zip(lanes, sums, strict=True)
            return [self.recipe.add(writer, moved, each, before) for each, before in pairs]

        with writer.memory():
            totals = self._each_word(writer, [zero] * vectors, add)
        for column, total in enumerate(totals):
            start = writer.pure(arith.SubiOp, (zero, total), self.type, defaults(arith.SubiOp))
            writer.store(start, right, writer.extent(self._start(column)))

    def _start(self, column: int) -> Size:
        """Where it lies what a vector of a panel's sums starts with."""
        return self.right.size + column * self.width

    def _load_right(self, writer: Writer, right: SSAValue, word: Bound, column: int) -> SSAValue:
        terms = [(Size.of(self.right.length), word), (ONE, column * self.width)]
        return writer.load(right, writer.affine(terms), self.type)

    def _each_word(
        self, writer: Writer, initial: Sequence[SSAValue], add: Link
    ) -> Sequence[SSAValue]:
        """What is carried through all words along the fold."""

        def whole(number: Bound, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
            first = writer.multiply(number, self.right.stride)

            def inside(index: Bound, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
                return add(writer.add(first, index), carried)

            return writer.loop(0, writer.extent(self.right.count), 1, carried, inside)

        return writer.loop(0, writer.extent(self.right.rounds), 1, initial, whole)

    def _sums(self, left: SSAValue, right: SSAValue, body: BodyWriter) -> Spread:
        """Those of a tile, from the panels of both operands."""
        writer, rows, columns = body.writer, body.tile.height, range(body.tile.vectors)
        first = self._left_panel(writer, body.bases)
        zero = writer.splat(writer.constant(0, i32), self.width)
        starts = [
            writer.reload(right, writer.extent(self._start(column)), self.type)
            if self.recipe.moved
            else zero
            for column in columns
        ]

        def add(word: Bound, sums: Sequence[SSAValue]) -> Sequence[SSAValue]:
            lanes = [self._load_right(writer, right, word, column) for column in columns]
            after: list[SSAValue] = []
            for row in range(rows):
                terms = [(Size.of(self.left.length), word), (ONE, first), (ONE, row)]
                one = writer.splat(writer.load(left, writer.affine(terms), i32), self.width)
                before = sums[row * len(lanes) : (row + 1) * len(lanes)]
                pairs = zip(lanes, before, strict=True)
                after.extend(self.recipe.add(writer, one, each, sum) for each, sum in pairs)
            return after

        sums = self._each_word(writer, starts * rows, add)
        return body.spread(sums, self.contraction.rows is not None, True)
