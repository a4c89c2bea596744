"""An image as JSON beside its code, and back: without weights and lines, which it has by number."""

from collections.abc import Mapping, Sequence

import numpy as np

from stepwell.compiler.cache.entry import Entry
from stepwell.compiler.cache.structure import Structure
from stepwell.compiler.dialects.nd import MOVES, Weight
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.pipeline import Copied, Image
from stepwell.runtime.dtypes import BY_NAME, BY_NUMPY
from stepwell.runtime.entry import SITE_KINDS, ArrayType, Site
from stepwell.runtime.errors import SourceLine
from stepwell.runtime.fields import Field, Json
from stepwell.runtime.sizes import Size


def described(image: Image, structure: Structure) -> dict[str, Json]:
    """All of an image but its machine, which the key has, and its code."""
    weights = {weight: number for number, weight in enumerate(structure.weights)}
    places = {line: number for number, line in enumerate(structure.places)}
    numbers: dict[SourceLine | None, int | None] = {None: None, **places}
    return {
        "workspace": {name: str(size) for name, size in image.workspace.items()},
        "constants": {
            name: [[_origin(w.source or w, weights), w.moves] for w in constants]
            for name, constants in image.constants.items()
        },
        "sites": {name: [_site(s, numbers) for s in sites] for name, sites in image.sites.items()},
        "imports": image.imports,
        "plans": image.plans,
        "overwrites": image.overwrites,
        "copies": {name: [_copy(c, numbers) for c in cs] for name, cs in image.copies.items()},
        "ptx": image.ptx,
        "grids": image.grids,
        "host_controlled": sorted(image.host_controlled),
        "shared": image.shared,
    }


def _origin(weight: Weight, weights: Mapping[Weight, int]) -> Json:
    """The number of one that the program has, and all of a small one that the compiler made."""
    if weight in weights:
        return weights[weight]
    assert weight.values is not None
    return [BY_NUMPY[weight.values.dtype].name, weight.values.tolist()]


def _site(site: Site, numbers: Mapping[SourceLine | None, int | None]) -> Json:
    operands = [[each.dtype.name, [str(size) for size in each.shape]] for each in site.operands]
    return [site.kind, site.text, operands, numbers[site.where]]


def _copy(copied: Copied, numbers: Mapping[SourceLine | None, int | None]) -> Json:
    return [numbers[copied.where], copied.buffer, copied.reason, numbers[copied.needed]]


def restored(entry: Entry, structure: Structure, machine: Machine) -> Image:
    """The image of an entry, for a program of the same structure.

    Raises LoadError, ValueError or LookupError if the entry is of another form.
    """
    data, lines = entry.header.data, structure.places
    return Image(
        machine,
        entry.code,
        {name: _size(each) for name, each in data["workspace"].members().items()},
        {
            name: tuple(_weight(each, structure) for each in constants.items())
            for name, constants in data["constants"].members().items()
        },
        {
            name: tuple(_restored_site(each, lines) for each in sites.items())
            for name, sites in data["sites"].members().items()
        },
        {name: each.texts() for name, each in data["imports"].members().items()},
        {name: each.text() for name, each in data["plans"].members().items()},
        {name: _pairs(each) for name, each in data["overwrites"].members().items()},
        {
            name: tuple(_restored_copy(each, lines) for each in copies.items())
            for name, copies in data["copies"].members().items()
        },
        data["ptx"].text(),
        data["grids"].texts(),
        frozenset(data["host_controlled"].texts()),
        data["shared"].count(),
    )


def _weight(field: Field, structure: Structure) -> Weight:
    origin, moves = field.items()
    pairs = [each.items() for each in moves.items()]
    return _restored_origin(origin, structure).moved(
        tuple(
            (kind.choice(tuple(MOVES)), tuple(each.count() for each in numbers.items()))
            for kind, numbers in pairs
        )
    )


def _restored_origin(field: Field, structure: Structure) -> Weight:
    if isinstance(field.value, int):
        return structure.weights[field.count()]
    dtype, values = field.items()
    return Weight(values=np.array(values.json(), BY_NAME[dtype.text()].numpy))


def _size(field: Field) -> Size:
    return Size.parse(field.text())


def _restored_site(field: Field, lines: Sequence[SourceLine]) -> Site:
    kind, text, operands, line = field.items()
    types = tuple(_type(each) for each in operands.items())
    return Site(kind.choice(SITE_KINDS), text.text(), types, _line(line, lines))


def _type(field: Field) -> ArrayType:
    dtype, shape = field.items()
    return ArrayType(BY_NAME[dtype.text()], tuple(map(_size, shape.items())))


def _restored_copy(field: Field, lines: Sequence[SourceLine]) -> Copied:
    where, buffer, reason, needed = field.items()
    return Copied(_line(where, lines), buffer.text(), reason.text(), _line(needed, lines))


def _pairs(field: Field) -> tuple[tuple[int, int], ...]:
    return tuple((a.count(), r.count()) for a, r in (each.items() for each in field.items()))


def _line(field: Field, lines: Sequence[SourceLine]) -> SourceLine | None:
    return None if field.value is None else lines[field.count()]
