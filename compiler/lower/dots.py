"""Factors of a contraction as words: neighbours along the fold, as many as an instruction takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial, reduce
from itertools import product
from typing import final

from xdsl.dialects import arith
from xdsl.dialects.builtin import StringAttr, bf16, f32, i8, i32
from xdsl.ir import Attribute, SSAValue

from stepwell.compiler.dialects.llvm.types import integer, vector
from stepwell.compiler.dialects.loop.explicit import TILE_LANES, DotOp
from stepwell.compiler.dialects.loop.scalar import Cast, CastOp
from stepwell.compiler.dialects.sizes import count_of
from stepwell.compiler.lower.analysis import Access, Analysis, Axis, collapse, divisor
from stepwell.compiler.lower.bodies import BodyWriter, Mask, Ready, Spread, Tile
from stepwell.compiler.lower.codes import cast, integer_op
from stepwell.compiler.lower.contraction import Contraction, Factor
from stepwell.compiler.lower.folds import NestWriter
from stepwell.compiler.lower.intervals import Intervals
from stepwell.compiler.lower.shuffles import extract, shuffle
from stepwell.compiler.lower.writer import ONE, ZERO, Bound, Writer
from stepwell.compiler.machines.dots import DOTS, TILE, TILE_DOTS, TILE_ROW, Dot
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.ops.functions import defaults
from stepwell.compiler.passes.pack_weights import WORD
from stepwell.runtime.sizes import Size

Bases = Mapping[SSAValue, Bound]
"""Where a tile begins along each axis."""

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

    @property
    def in_tiles(self) -> bool:
        return TILE in self.dot.intrinsics

    def add(self, writer: Writer, left: SSAValue, right: SSAValue, sums: SSAValue) -> SSAValue:
        """The sums with the products of two vectors of words."""
        first, second = (right, left) if self.swapped else (left, right)
        properties = {"instruction": StringAttr(self.dot.name)}
        return writer.pure(DotOp, (first, second, sums), sums.type, properties)


def recipe_of(contraction: Contraction, dot: Dot) -> Recipe | None:
    """How an instruction computes the products, if it does."""
    kinds, fold = [_kind(contraction.left), _kind(contraction.right)], contraction.fold
    sums = "f32" if fold.order.data.kind == "pairs" else "i32"
    if None in kinds or not dot.sums == sums == str(fold.results[0].type):
        return None
    if TILE in dot.intrinsics:
        fits = kinds == [dot.left, dot.right] and _fills_tiles(contraction)
        return Recipe(dot, False, False) if fits else None
    if dot.left == "i16":
        return Recipe(dot, False, False)
    found = [
        Recipe(dot, swapped, left != kinds[0])
        for swapped, left, right in ((False, dot.left, dot.right), (True, dot.right, dot.left))
        if right == kinds[1]
    ]
    return min(found, key=lambda each: each.moved, default=None)


def _fills_tiles(contraction: Contraction) -> bool:
    """Whether the sums are of whole rows of tiles, and a right operand in words lies in panels that
    are as wide as two."""
    depth, read = contraction.depth.static, words_read(contraction.right)
    panels = read is None or read.stride(contraction.fold.axes[0]) == TILE_LANES * WORD
    return depth is not None and depth % TILE_ROW == 0 and panels


def recipes(contraction: Contraction, machine: Machine) -> list[Recipe]:
    """Those of the machine's instructions, the best one first."""
    own = [dot for dot in DOTS.values() if machine.has(dot)]
    own += [dot for dot in TILE_DOTS.values() if machine.has(dot, TILE)]
    found = [recipe for dot in own if (recipe := recipe_of(contraction, dot)) is not None]
    return sorted(found, key=lambda each: (not each.in_tiles, -each.dot.group, each.moved))


KINDS: Mapping[tuple[Cast, Attribute, Attribute], str] = {
    (Cast.EXTSI, i8, i32): "i8",
    (Cast.EXTUI, i8, i32): "u8",
    (Cast.EXTF, bf16, f32): "bf16",
}
"""The numbers of instructions by the conversions that extend them."""


def _kind(factor: Factor) -> str | None:
    """The numbers that a factor is made from."""
    op = factor.value.owner
    return KINDS.get((op.cast, op.operand.type, op.result.type)) if isinstance(op, CastOp) else None


def is_linear(factor: Factor) -> bool:
    """Whether a step along any axis of the fold is one of some steps along the last."""
    fold, computed_with = factor.fold, factor.analysis.computed_with
    return len(collapse(fold.axes, fold.sizes.data, factor.reads, computed_with)) == 1


def words_read(factor: Factor) -> Access | None:
    """The only read of a factor that lies in memory as `pack-weights` lays it out: words of four
    bytes that are neighbours along the fold, for one position of its axis after the other."""
    axes, reads = factor.analysis.axes_of(factor.fold), factor.reads
    if len(axes) != 2 or len(factor.behind) != 2 or len(reads) != 1 or factor.axis is None:
        return None
    strides = [reads[0].stride(axis.value) for axis in (factor.axis, axes[1])]
    return reads[0] if [WORD, *strides] == [axes[1].size, WORD, ONE] else None


@final
@dataclass(frozen=True, eq=False)
class Words:
    """Panels of a factor: for each word along the fold, those of `length` positions of its axis.

    A word holds neighbours along the fold; behind its end there are zeros. Of a left factor for
    tiles, all words of a position stand side by side. Panels of the right
    factor have what the sums of their lanes `start` with behind them; they are nothing but that
    where its words are read where they lie.
    """

    analysis: Analysis
    recipe: Recipe
    factor: Factor
    width: int
    length: int
    starts: bool = False

    @property
    def fold(self) -> Axis:
        """The fold's axis; or the last of several, if steps along it are all there are."""
        fold = self.factor.fold
        return Axis(self.analysis.axes_of(fold)[-1].value, count_of(fold.sizes.data))

    @cached_property
    def source(self) -> Access | None:
        """The read of a right factor in memory that is what the instruction takes."""
        return words_read(self.factor) if self.starts and self.group == WORD else None

    @property
    def axis(self) -> Axis:
        assert self.factor.axis is not None
        return self.factor.axis

    @property
    def in_rows(self) -> bool:
        return self.recipe.in_tiles and not self.starts

    @property
    def group(self) -> int:
        return self.recipe.dot.group

    @property
    def depth(self) -> Size:
        """Words of one position of the factor's axis, with room for whole vectors of elements."""
        if self.source is not None:
            return ZERO
        return (self.fold.size + (self.width - 1)) // self.width * (self.width // self.group)

    @property
    def size(self) -> Size:
        """Words of a panel."""
        return (self.depth + int(self.starts)) * self.length

    def fill(
        self,
        writer: Writer,
        bases: Bases,
        masks: Sequence[Mask],
        target: SSAValue,
        part: Intervals,
        first: Bound = 0,
    ) -> None:
        """Write all of the panel of the tile at `bases` to `target`, from word `first` on.

        A mask for each vector along the axis tells what is inside.
        """
        filling = _Filling(self, writer, bases, target, first)
        with writer.memory():
            if (read := words_read(self.factor)) is not None and self.starts:
                filling.from_words(read, len(masks))
            elif self.in_rows or all(
                each.stride(self.fold.value) == ONE for each in self.factor.reads
            ):
                filling.along(min(self.length, len(masks) * self.width))
            else:
                filling.across(masks)
        if self.starts and self.recipe.moved:
            self._write_starts(writer, bases, target, len(masks))

    def _write_starts(self, writer: Writer, bases: Bases, target: SSAValue, vectors: int) -> None:
        """Minus what moving the left operand adds to the sums, vector by vector."""
        type = vector(i32, self.width)
        zero, moved = (writer.constant(number, type) for number in (0, HIGH_BITS))

        def add(word: Bound, sums: Sequence[SSAValue]) -> Sequence[SSAValue]:
            lanes = [self._vector(writer, bases, target, word, each) for each in range(vectors)]
            return [self.recipe.add(writer, moved, *pair) for pair in zip(lanes, sums, strict=True)]

        with writer.memory():
            totals = writer.loop(0, self._count(writer), 1, [zero] * vectors, add)
        for column, total in enumerate(totals):
            start = writer.pure(arith.SubiOp, (zero, total), zero.type, defaults(arith.SubiOp))
            writer.store(start, target, self._place(writer, writer.extent(self.depth), column))

    def sums(
        self,
        panel: SSAValue,
        left: "Words",
        left_panels: SSAValue,
        begin: Callable[[Writer, Bases], Bound],
    ) -> Ready:
        """The sums of tiles, from panels of this right factor and of the `left` one, in which that
        of a tile has a `begin`."""

        def of_tile(body: BodyWriter) -> Spread:
            writer, rows, columns = body.writer, range(body.tile.height), range(body.tile.vectors)
            first = begin(writer, body.bases)
            ends = [self._place(writer, writer.extent(self.depth), column) for column in columns]
            zero = writer.constant(0, vector(self.factor.value.type, self.width))
            moved = self.recipe.moved
            starts = [writer.reload(panel, end, zero.type) if moved else zero for end in ends]

            def add(word: Bound, sums: Sequence[SSAValue]) -> Sequence[SSAValue]:
                lanes = [self._vector(writer, body.bases, panel, word, each) for each in columns]
                terms = [(Size.of(left.length), word), (ONE, first)]
                places = [writer.affine([*terms, (ONE, row)]) for row in rows]
                loads = (writer.load(left_panels, at, i32) for at in places)
                ones = [writer.splat(each, self.width) for each in loads]
                pairs = zip(product(ones, lanes), sums, strict=True)
                return [self.recipe.add(writer, *pair, before) for pair, before in pairs]

            sums = writer.loop(0, self._count(writer), 1, starts * len(rows), add)
            return body.spread(sums, True, True)

        fold = self.factor.fold
        return Ready(fold.results[0], frozenset((fold,)), cache(of_tile))

    def _count(self, writer: Writer) -> Bound:
        """Words along the fold."""
        return writer.extent((self.fold.size + (self.group - 1)) // self.group)

    def _vector(
        self, writer: Writer, bases: Bases, panel: SSAValue, word: Bound, column: int
    ) -> SSAValue:
        type = vector(i32, self.width)
        if self.source is None:
            return writer.load(panel, self._place(writer, word, column), type)
        bytes = self.lying(writer, self.source, bases, word, column)
        return cast(writer, Cast.BITCAST, bytes, type)

    def lying(
        self, writer: Writer, read: Access, bases: Bases, word: Bound, column: int
    ) -> SSAValue:
        """The bytes of a vector of words of four."""
        place = self.place_of(writer, read, bases, word, column)
        return writer.load(read.buffer, place, vector(i8, WORD * self.width))

    def place_of(
        self, writer: Writer, read: Access, bases: Bases, word: Bound, column: int
    ) -> Bound:
        """Where such a vector begins."""
        fold, at = self.factor.fold, read.at
        bases = {**bases, **dict.fromkeys(fold.axes, 0), self.analysis.axes_of(fold)[0].value: word}
        terms = [(size, bases[axis]) for axis, size in at.terms.items()]
        return writer.affine(terms, at.offset + column * WORD * self.width)

    def _place(self, writer: Writer, word: Bound, column: int) -> Bound:
        """Where a vector of a word lies in a panel."""
        return writer.affine([(Size.of(self.length), word), (ONE, column * self.width)])


@final
@dataclass(frozen=True, eq=False)
class _Filling:
    """The filling of one panel."""

    words: Words
    writer: Writer
    bases: Bases
    target: SSAValue
    first: Bound

    def along(self, count: int) -> None:
        """Vectors along the fold, for one of so many positions of the axis after the other."""
        words, writer, width = self.words, self.writer, self.words.width
        wide = vector(i32, width // words.group)
        end, last = (writer.extent(each) for each in (words.fold.size, words.axis.size - 1))

        def some(place: Bound, index: Bound) -> None:
            exact = divisor(words.fold.size) % width == 0
            mask = None if exact else writer.mask(index, end, width)
            at = writer.smaller(writer.add(self.bases[words.axis.value], place), last)
            value = self._numbers(Tile(width, words.fold.value, (mask,)), at, index)
            packed = self._moved(cast(writer, Cast.BITCAST, self._inside(value, mask), wide))
            if words.in_rows:
                line = [(words.depth, place), (ONE, writer.quotient(index, words.group))]
                writer.store(packed, self.target, writer.affine([*line, (ONE, self.first)]))
                return
            for number in range(width // words.group):
                word = writer.add(writer.quotient(index, words.group), number)
                self._store(extract(writer, packed, number), word, place)

        writer.each(0, count, lambda at: writer.each(0, end, partial(some, at), width))

    def from_words(self, read: Access, count: int) -> None:
        """So many vectors of words of four bytes, of which each becomes several."""
        words, writer, group, width = self.words, self.writer, self.words.group, self.words.width
        op, parts = words.factor.value.owner, WORD // group
        type = vector(integer(32 // group), width * group)
        assert isinstance(op, CastOp)

        def some(index: Bound) -> None:
            for column, part in product(range(count), range(parts)):
                bytes = words.lying(writer, read, self.bases, index, column)
                lanes = [lane for lane in range(WORD * width) if lane % WORD // group == part]
                numbers = cast(writer, op.cast, shuffle(writer, bytes, bytes, lanes), type)
                value = cast(writer, Cast.BITCAST, numbers, vector(i32, width))
                word = writer.affine([(Size.of(parts), index), (ONE, part)])
                self._store(value, word, column * width)

        if parts > 1:
            writer.each(0, writer.extent(words.fold.size // WORD), some)

    def across(self, masks: Sequence[Mask]) -> None:
        """Vectors along the factor's axis, for one word of them after the other."""
        words, writer = self.words, self.writer

        def word(index: Bound) -> None:
            for first, mask in zip(range(0, words.length, words.width), masks, strict=False):
                parts = [self._part(index, n, first, mask) for n in range(words.group)]
                whole = reduce(lambda a, b: writer.pure(arith.OrIOp, (a, b), a.type), parts)
                rest = words.length - first
                inside = writer.mask(0, rest, words.width) if rest < words.width else None
                number = writer.quotient(index, words.group)
                self._store(self._moved(whole), number, first, inside)

        writer.each(0, writer.extent(words.fold.size), word, words.group)

    def _part(self, index: Bound, number: int, first: int, mask: Mask) -> SSAValue:
        """What a number of each word is to it, for a vector of positions."""
        writer, words, width = self.writer, self.words, 32 // self.words.group
        whole = vector(i32, words.width)
        at, end = writer.add(index, number), writer.extent(words.fold.size)
        inside = None
        if divisor(words.fold.size) % words.group:
            here = writer.compare("lt", writer.value(at), writer.value(end))
            inside = writer.splat(here, words.width)
            at = writer.smaller(at, writer.add(end, -1))
        place = writer.add(self.bases[words.axis.value], first)
        value = self._numbers(Tile(words.width, words.axis.value, (mask,)), place, at)
        value = cast(writer, Cast.EXTUI, self._inside(value, inside), whole)
        return integer_op(self.writer, arith.ShLIOp, value, number * width)

    def _numbers(self, tile: Tile, place: Bound, index: Bound) -> SSAValue:
        """A vector of the instruction's numbers, as integers, at a place of the factor's axis and
        an index of the fold."""
        words, fold = self.words, self.words.factor.fold
        bases = {**self.bases, **dict.fromkeys(fold.axes, 0), words.fold.value: index}
        bases[words.axis.value] = place
        body = NestWriter(self.writer, words.analysis, tile, bases, {})
        op = words.factor.value.owner
        assert isinstance(op, CastOp)
        for block in (words.analysis.nest.body.block, fold.body.block):
            body.write(block, words.factor.behind - {op})
        value, number = body.vector_at(body.value(op.operand), 0, 0), integer(32 // words.group)
        if op.operand.type == number:
            return value
        kind = Cast.BITCAST if op.cast is Cast.EXTF else op.cast
        return cast(self.writer, kind, value, vector(number, words.width))

    def _inside(self, value: SSAValue, mask: Mask) -> SSAValue:
        """The numbers in the lanes of the mask, and zeros."""
        if mask is None:
            return value
        return self.writer.select(mask, value, self.writer.constant(0, value.type))

    def _moved(self, words: SSAValue) -> SSAValue:
        moved = self.words.recipe.moved and not self.words.starts
        return integer_op(self.writer, arith.XOrIOp, words, HIGH_BITS) if moved else words

    def _store(self, value: SSAValue, word: Bound, place: Bound, mask: Mask = None) -> None:
        terms = [(Size.of(self.words.length), word), (ONE, place), (ONE, self.first)]
        self.writer.store(value, self.target, self.writer.affine(terms), mask)
