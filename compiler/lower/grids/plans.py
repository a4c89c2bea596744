"""The strategies of each kind of machine."""

from stepwell.compiler.lower.grids.chunks import Chunks
from stepwell.compiler.lower.grids.crews import Crews
from stepwell.compiler.lower.grids.grid import Grid
from stepwell.compiler.lower.grids.sort import GridSort
from stepwell.compiler.lower.grids.tensor import Tensor
from stepwell.compiler.lower.grids.tiles import Tiles
from stepwell.compiler.lower.grids.transposed import Transposed
from stepwell.compiler.lower.grids.warps import Warps
from stepwell.compiler.lower.strategies import STRATEGIES, Strategies
from stepwell.compiler.machines.machine import Machine

GRIDS: Strategies = {
    each.name: each for each in (GridSort, Tensor, Tiles, Crews, Chunks, Warps, Transposed, Grid)
}
"""Those of GPUs, in the order in which they are tried: the last one always fits."""


def strategies_of(machine: Machine) -> Strategies:
    """By name, in the order in which they are tried."""
    return GRIDS if machine.is_gpu else STRATEGIES
