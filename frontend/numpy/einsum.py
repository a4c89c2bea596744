"""Einstein's notation: `ij,jk->ik` names axes, and sums over those that the result lacks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn, final

from stepwell.array import Array, ArrayLike, apply, promoted
from stepwell.numpy.manipulation import diagonal, moveaxis
from stepwell.places import user_line
from stepwell.runtime.errors import CompileError

DOTS = "..."
SPARE = "αβγδεζηθικλμνξοπ"
"""Labels for the axes that `...` stands for, the last one first."""


@final
@dataclass(frozen=True)
class Labelled:
    """An array and a label for each of its axes."""

    array: Array
    labels: str

    def without(self, labels: str) -> "Labelled":
        """Summed over the axes with these labels."""
        axes = [axis for axis, label in enumerate(self.labels) if label in labels]
        kept = "".join(label for label in self.labels if label not in labels)
        return Labelled(self.array.sum(axes), kept) if axes else self

    def once(self) -> "Labelled":
        """The diagonal of axes with one label."""
        for label in self.labels:
            first, last = self.labels.index(label), self.labels.rindex(label)
            if first != last:
                rest = self.labels.replace(label, "", 1)
                rest = rest.replace(label, "", 1) + label
                moved = moveaxis(self.array, (first, last), (-2, -1))
                return Labelled(diagonal(moved), rest).once()
        return self

    def ordered(self, labels: str) -> Array:
        return self.array.transpose([self.labels.index(label) for label in labels])


def einsum(subscripts: str, *operands: ArrayLike) -> Array:
    """The product of arrays, summed over the labels that do not stand behind `->`.

    `...` stands for any axes. Without `->` the result has the labels that appear once, in order.
    """
    arrays = promoted(*operands)
    names, result = _parsed(subscripts.replace(" ", ""), arrays)
    parts = [Labelled(x, labels).once() for x, labels in zip(arrays, names, strict=True)]
    product = parts[0]
    for place, part in enumerate(parts[1:], 2):
        product = _product(product, part, result + "".join(each.labels for each in parts[place:]))
    dropped = "".join(label for label in product.labels if label not in result)
    return product.without(dropped).ordered(result)


def _product(x: Labelled, y: Labelled, kept: str) -> Labelled:
    """The product of two, summed over what neither the other nor the rest needs."""
    x = x.without("".join(label for label in x.labels if label not in y.labels + kept))
    y = y.without("".join(label for label in y.labels if label not in x.labels + kept))
    shared = "".join(label for label in x.labels if label in y.labels and label in kept)
    summed = "".join(label for label in x.labels if label in y.labels and label not in kept)
    rows = "".join(label for label in x.labels if label not in y.labels)
    columns = "".join(label for label in y.labels if label not in x.labels)
    product = apply(
        "dot",
        x.ordered(shared + rows + summed),
        y.ordered(shared + summed + columns),
        batch=len(shared),
        left=tuple(len(shared + rows) + place for place in range(len(summed))),
        right=tuple(len(shared) + place for place in range(len(summed))),
    )
    return Labelled(product, shared + rows + columns)


def _parsed(text: str, arrays: Sequence[Array]) -> tuple[list[str], str]:
    """The labels of each operand and of the result."""
    left, arrow, result = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(arrays):
        _refuse(text, f"names {len(terms)} operands, and is given {len(arrays)}")
    names = [_expanded(text, term, x.ndim) for term, x in zip(terms, arrays, strict=True)]
    everything = "".join(names)
    spare = max((len([c for c in each if c in SPARE]) for each in names), default=0)
    dots = SPARE[:spare][::-1]
    if not arrow:
        once = sorted(c for c in set(everything) if everything.count(c) == 1 and c not in SPARE)
        return names, dots + "".join(once)
    expanded = result.replace(DOTS, dots)
    if len(set(expanded)) < len(expanded) or not set(expanded) <= set(everything):
        _refuse(text, "has a result with labels that repeat, or that no operand has")
    return names, expanded


def _expanded(text: str, term: str, rank: int) -> str:
    """An operand's labels, with `...` written out."""
    named = len(term.replace(DOTS, ""))
    spare = SPARE[: rank - named][::-1] if DOTS in term else ""
    labels = term.replace(DOTS, spare)
    letters = all(c.isalpha() for c in labels)
    if len(labels) != rank or not letters or named > rank:
        _refuse(text, f"has {term!r} for an array with {rank} axes")
    return labels


def _refuse(text: str, why: str) -> NoReturn:
    raise CompileError("SW0129", f"the einsum {text!r} {why}", where=user_line())
