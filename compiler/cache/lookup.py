"""Looking up before compiling: the image of a program, and the support code of a machine."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache

from stepwell.compiler.cache.folder import Folder
from stepwell.compiler.cache.images import described, restored
from stepwell.compiler.cache.key import image_key, support_key
from stepwell.compiler.cache.structure import structure_of
from stepwell.compiler.dump import VARIABLE
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.ops.structure import FuncOp
from stepwell.compiler.pipeline import Image
from stepwell.compiler.targets.support import support_object
from stepwell.compiler.tuning.plans import Plans
from stepwell.runtime.errors import LoadError


def image_of(
    functions: Mapping[FuncOp, str],
    machine: Machine,
    numerics: str,
    tuned: Plans,
    make: Callable[[], Image],
) -> Image:
    """The image of functions by these names: from the cache, or what `make` gives.

    While stages are dumped everything is made, since a dump is of what runs.
    """
    folder = Folder.from_environment()
    structure = structure_of(functions) if folder else None
    key = image_key(structure, machine, numerics, tuned) if structure else None
    if folder is None or structure is None or key is None:
        return make()
    entry = None if os.environ.get(VARIABLE) else folder.read(key)
    if entry is not None:
        with suppress(LoadError, LookupError, ValueError):
            return restored(entry, structure, machine)
    image = make()
    folder.write(key, described(image, structure), image.code)
    return image


@cache
def support_of(machine: Machine) -> bytes:
    """The object of the support code for a machine, the thread pool, once for each process."""
    folder = Folder.from_environment()
    key = support_key(machine) if folder else None
    if folder is None or key is None:
        return support_object(machine)
    if (entry := folder.read(key)) is not None:
        return entry.code
    code = support_object(machine)
    folder.write(key, {}, code)
    return code
