"""What a tile of a product asks for, while it multiplies, of what the one below it will take."""

from stepwell.compiler.lower.analysis import Axis
from stepwell.compiler.lower.bodies import BodyWriter
from stepwell.compiler.lower.costs import length
from stepwell.compiler.lower.writer import ONE
from stepwell.runtime.sizes import Size


def ask_below(body: BodyWriter, along: Axis) -> None:
    """What is due at a position of the fold's last axis: of rows that lie along it, one behind the
    other, as many elements as a tile has rows; of those that are read or written behind the fold,
    the lines of one row, so that all have been asked for at the end. Where a row that is computed
    lies is not known before."""
    ahead, tile, writer = body.ahead, body.tile, body.writer
    if ahead is None or tile.rows is None:
        return
    known = (each for each in ahead.below if each.at.terms.keys() <= body.bases.keys())
    for access in known:
        stride, position = access.stride(tile.rows), body.bases[along.value]
        terms = [(factor, body.bases[axis]) for axis, factor in access.at.terms.items()]
        behind = access.stride(along.value) != ONE
        if behind:
            row = writer.quotient(writer.multiply(position, tile.height), length(along.size))
            terms.append((stride, row))
        else:
            terms.append((Size.of(tile.height - 1), position))
        first = writer.affine(terms, access.at.offset + stride * tile.height)
        for column in range(tile.vectors if behind else 1):
            writer.prefetch(access.buffer, writer.add(first, column * tile.width), behind)
