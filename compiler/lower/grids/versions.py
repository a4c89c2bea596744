"""Versions of a kernel, among which the host chooses by the sizes of a call.

A vector of sixteen bytes has to be aligned, and an index of 32 bits takes a fraction of the
instructions that one of 64 takes. Whether rows are whole vectors, and all indices that small, is
known of fixed sizes; of others the host asks before it launches.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod

from xdsl.dialects import gpu
from xdsl.dialects.builtin import UnitAttr
from xdsl.ir import Block, Region, SSAValue

from stepwell.compiler.dialects.construct import append, construct
from stepwell.compiler.dialects.loop.explicit import IfOp, ParallelOp
from stepwell.compiler.dialects.loop.nests import FoldOp, IndexOp, KernelOp, NestOp, YieldOp
from stepwell.compiler.dialects.loop.types import BufferType
from stepwell.compiler.lower.grids.multiples import multiples_in, substitute
from stepwell.compiler.lower.strategies.base import Strategy, expanding
from stepwell.compiler.lower.writer import ONE, Writer
from stepwell.runtime.sizes import Size, at_most, equal
from stepwell.runtime.sizes.polynomial import Call

ROOM = 1 << 30
"""Positions and elements up to which indices have 32 bits: a tile goes a little beyond the end."""
NARROW = "narrow"
"""The attribute of a grid whose indices have 32 bits."""

Ask = Callable[[Writer], Sequence[SSAValue]]
"""Writes what has to hold for a version."""


@dataclass(frozen=True)
class Sometimes(Strategy):
    """A strategy for some sizes only, which may not be known before a call."""

    @abstractmethod
    def otherwise(self, kernel: KernelOp) -> tuple[Ask, Strategy] | None:
        """What the host asks of the sizes, and the strategy for others; None if all are such."""


def expand(kernel: KernelOp, strategy: Strategy) -> None:
    """Replace the nests by explicit loops, in as many versions as the sizes leave open; of what is
    for some sizes only there is one."""
    other = strategy.otherwise(kernel) if isinstance(strategy, Sometimes) else None
    if other is None:
        found = _versions(kernel, strategy)
    else:
        ask, usual = other
        found = _choice(kernel, ask, _version(kernel, strategy), _versions(kernel, usual))
    with expanding(kernel):
        for op in list(found.ops):
            op.detach()
            kernel.body.block.add_op(op)


def _versions(kernel: KernelOp, strategy: Strategy) -> Block:
    multiples, usual = multiples_in(kernel), _version(kernel, strategy)
    aligned = _version(kernel, strategy, multiples) if multiples else None
    large = _large(kernel, usual)
    any_size = _version(kernel, strategy) if large else None
    if large is not None:
        for op in (op for block in (usual, aligned) if block for op in block.walk()):
            if isinstance(op, ParallelOp | gpu.LaunchOp):
                op.attributes[NARROW] = UnitAttr()
    if aligned is not None:
        usual = _choice(kernel, partial(are_multiples, multiples), aligned, usual)
    if large and any_size is not None:
        usual = _choice(kernel, partial(_are_small, large), usual, any_size)
    return usual


def _version(kernel: KernelOp, strategy: Strategy, multiples: Mapping[str, int] = {}) -> Block:
    """The explicit loops, where some symbols are known to be multiples of numbers."""
    clone = kernel.clone()
    if multiples:
        known = substitute(clone, multiples)
        planned = strategy.workspace(kernel).substitute(known)
        assert equal(planned, strategy.workspace(clone), {}) is not False, "versions share it"
    strategy.expand(clone)
    block = clone.body.block
    clone.body.detach_block(block)
    for own, argument in zip(list(block.args), kernel.arguments, strict=True):
        own.replace_all_uses_with(argument)
        block.erase_arg(own)
    return block


def _choice(kernel: KernelOp, ask: Ask, first: Block, second: Block) -> Block:
    """The first one if all holds that is asked."""
    block = Block()
    writer = Writer(block)
    writer.location = kernel.location
    choice = construct(IfOp, (writer.all_of(ask(writer)),), location=kernel.location)
    for each in (first, second):
        append(each, construct(YieldOp, location=kernel.location))
        choice.add_region(Region(each))
    block.add_op(choice)
    return block


def are_multiples(multiples: Mapping[str, int], writer: Writer) -> Sequence[SSAValue]:
    """Asks whether symbols are multiples of numbers."""
    zero = writer.value(0)
    rests = [writer.extent(Size.of(symbol) % number) for symbol, number in multiples.items()]
    return [writer.compare("eq", writer.value(rest), zero) for rest in rests]


def _are_small(sizes: Sequence[Size], writer: Writer) -> Sequence[SSAValue]:
    """What is negative is not small, either."""
    extents = [writer.value(writer.extent(size)) for size in sizes]
    return [writer.compare("ult", each, writer.value(ROOM)) for each in extents]


def _large(kernel: KernelOp, explicit: Block) -> Sequence[Size] | None:
    """Sizes that may be too large for indices of 32 bits; None if some are. Of those
    that are soon compared, the ones that exceed no other are left out."""
    ranges = kernel.symbols.ranges
    found: list[Size] = []
    for size in dict.fromkeys([*_sizes(kernel), *_extents(explicit)]):
        low, high = size.bounds(ranges)
        if low is not None and low >= ROOM:
            return None
        if high is None or high >= ROOM:
            plain = list(filter(_is_plain, found)) if _is_plain(size) else []
            if not any(at_most(size, each, ranges) for each in plain):
                found = [x for x in found if x not in plain or not at_most(x, size, ranges)]
                found.append(size)
    return found


def _is_plain(size: Size) -> bool:
    """Whether it has one quotient or the like, of a sum of products, or none."""
    calls = {atom for atom in size.polynomial.atoms if isinstance(atom, Call)}
    inner = (atom for call in calls for each in call.arguments for atom in each.atoms)
    return len(calls) <= 1 and not any(isinstance(atom, Call) for atom in inner)


def _sizes(kernel: KernelOp) -> Iterator[Size]:
    """Of what indices go to: the positions of nests and folds, and the elements of buffers."""
    for op in kernel.walk():
        if isinstance(op, NestOp | FoldOp):
            yield prod(op.sizes.data, start=ONE)
        for value in (*op.results, *(each for region in op.regions for each in region.block.args)):
            if isinstance(value.type, BufferType):
                yield value.type.count


def _extents(explicit: Block) -> Iterator[Size]:
    """The sizes that explicit loops compute."""
    for op in explicit.walk():
        if isinstance(op, IndexOp) and not op.indices:
            yield op.access.data[0].offset
