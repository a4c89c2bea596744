"""A module made ready for blocks of one shape: memory laid out, instructions bound."""

from collections.abc import Iterable, Mapping, Sequence
from typing import final

import numpy as np

from emulator.memory import CALLS, WINDOW, WINDOWS, Place, Region, laid_out
from emulator.operands import Binder
from emulator.operations import Linker
from emulator.strands import Code
from emulator.syntax import Function, Module, Variable
from emulator.table import TABLE
from emulator.threads import WARP, Threads
from emulator.types import TYPES, Array

GAP = 256
"""Bytes between two variables that are no memory."""

CALLED = (CALLS - WINDOWS["param"]) << WINDOW
"""Where the parameters of functions begin among those of kernels."""


@final
class Layout:
    """Variables one after another, with gaps between them."""

    def __init__(self, gap: int) -> None:
        self.gap = gap
        self.places: list[Place] = []
        self.size = 0
        self.used = 0

    def add(self, variable: Variable, dynamic: int = 0) -> Place:
        size = size_of(variable) or dynamic
        start = -(-self.size // variable.alignment) * variable.alignment
        place = Place(variable.name, start, size)
        self.places.append(place)
        self.size = start + size + self.gap
        self.used = -(-self.used // variable.alignment) * variable.alignment + size
        return place

    def region(self, name: str, count: int = 0) -> Region:
        """Of `count` threads, or of all together."""
        stride = -(-self.size // WARP) * WARP
        region = Region(name, stride * (count or 1), stride=stride if count else 0)
        return laid_out(region, self.places)


@final
class Program:
    """The kernel `function` with all it calls, for blocks of one shape; registers and memory are
    used for every block of every launch."""

    def __init__(
        self,
        module: Module,
        function: Function,
        threads: Threads,
        dynamic: int,
        symbols: Mapping[str, int],
    ) -> None:
        self.shared, self.local, self.calls = Layout(GAP), Layout(GAP), Layout(0)
        self.count = threads.count
        self.special = special_registers(threads, dynamic)
        self.binders: list[Binder] = []
        functions = _reached(module, function)
        used = set[str]().union(*(each.names for each in functions))
        shared = [each for each in module.variables if each.space == "shared" and each.name in used]
        known = dict(symbols)
        known |= {each.name: self.shared.add(each).start for each in shared if each.count}
        placed = [(each, self._places(each)) for each in functions]
        known |= self._dynamic([each for each in shared if not each.count], dynamic)
        self.functions = {
            each.name: self._code(each, places, {**known, **names})
            for each, (places, names) in placed
        }
        self.kernel = self.functions[function.name]

    def _dynamic(self, variables: Sequence[Variable], size: int) -> dict[str, int]:
        """What the launch adds stands behind all else, under every name alike."""
        if not variables:
            return {}
        strictest = max(variables, key=lambda variable: variable.alignment)
        start = self.shared.add(strictest, size).start
        return dict.fromkeys((each.name for each in variables), start)

    def _places(self, function: Function) -> tuple[dict[str, tuple[int, int]], dict[str, int]]:
        """Where the function's parameters lie for calls, and the addresses of all its names."""
        names, places = dict[str, int](), dict[str, tuple[int, int]]()
        passed = [each for each in function.variables if each.space == "param"]
        if function.is_kernel:
            names |= {each.name: start for each, start in parameter_starts(function.parameters)}
        else:
            passed += [*function.parameters, *function.results]
        for each in passed:
            place = self.calls.add(each)
            places[each.name] = place.start, place.size
            names[each.name] = CALLED + place.start
        for each in function.variables:
            if each.space != "param":
                layout = self.local if each.space == "local" else self.shared
                names[each.name] = layout.add(each).start
        return places, names

    def _code(
        self, function: Function, places: dict[str, tuple[int, int]], names: dict[str, int]
    ) -> Code:
        binder = Binder(self.count, function.registers, self.special, names)
        self.binders.append(binder)
        linker = Linker(TABLE, binder)
        return Code(function, [linker.bind(each) for each in function.body], places)

    def begin(self, threads: Threads) -> None:
        """Forgets what the last block left in registers, and tells where this one is."""
        for each in self.binders:
            each.forget()
        for axis, number, count in zip("xyz", threads.block, threads.grid, strict=True):
            self.special[f"%ctaid.{axis}"][:] = number
            self.special[f"%nctaid.{axis}"][:] = count


def _reached(module: Module, kernel: Function) -> list[Function]:
    """The kernel and the functions that it may call."""
    found, names = [kernel], [*kernel.names]
    while names:
        function = module.functions.get(names.pop())
        if function is not None and function not in found:
            found.append(function)
            names += function.names
    return found


def parameter_starts(parameters: Iterable[Variable]) -> list[tuple[Variable, int]]:
    """A kernel's parameters, and where each begins."""
    found, end = list[tuple[Variable, int]](), 0
    for each in parameters:
        start = -(-end // each.alignment) * each.alignment
        found.append((each, start))
        end = start + size_of(each)
    return found


def size_of(variable: Variable) -> int:
    return variable.count * TYPES[variable.type].bytes


def special_registers(threads: Threads, dynamic: int) -> dict[str, Array]:
    """What every thread knows about where it is, but for what `begin` tells."""
    one = np.ones(threads.count, np.uint32)
    lane = threads.lane
    below = (one << lane) - one
    found = {
        "%laneid": lane,
        "%warpid": threads.warp,
        "%nwarpid": one * np.uint32(threads.warps),
        "%lanemask_eq": one << lane,
        "%lanemask_lt": below,
        "%lanemask_le": below | (one << lane),
        "%lanemask_gt": ~(below | (one << lane)),
        "%lanemask_ge": ~below,
        "%dynamic_smem_size": one * np.uint32(dynamic),
    }
    for place, axis in enumerate("xyz"):
        found[f"%tid.{axis}"] = threads.coordinates()[place]
        found[f"%ntid.{axis}"] = one * np.uint32(threads.shape[place])
        found[f"%nctaid.{axis}"] = one.copy()
        found[f"%ctaid.{axis}"] = one.copy()
    return found
