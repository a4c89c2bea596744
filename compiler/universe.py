"""What other tools built on xDSL see of Stepwell: the dialects `nd` and `loop`, and the passes.

`llvm` stays out: upstream has a dialect of that name, and a tool may load only one.
"""

from collections.abc import Callable

from xdsl.ir import Dialect
from xdsl.passes import ModulePass
from xdsl.universe import Universe

from stepwell.compiler.dialects.gpu import NVG
from stepwell.compiler.dialects.loop import LOOP
from stepwell.compiler.lower.choose_plans import ChoosePlans
from stepwell.compiler.lower.expand_plans import ExpandPlans
from stepwell.compiler.lower.grids.onto_grids import OntoGrids
from stepwell.compiler.lower.grids.to_llvm import GridsToLlvm
from stepwell.compiler.lower.join_steps import JoinSteps
from stepwell.compiler.lower.loop_to_llvm import LoopToLlvm
from stepwell.compiler.lower.name_orders import NameOrders
from stepwell.compiler.lower.tensor_to_loop import TensorToLoop
from stepwell.compiler.ops import ND
from stepwell.compiler.passes.assign_buffers import AssignBuffers
from stepwell.compiler.passes.form_kernels import FormKernels
from stepwell.compiler.passes.inline import Inline
from stepwell.compiler.passes.layouts import Layouts
from stepwell.compiler.passes.pack_weights import PackWeights
from stepwell.compiler.passes.relax import Relax
from stepwell.compiler.passes.separate_loops import SeparateLoops
from stepwell.compiler.passes.share_buffers import ShareBuffers
from stepwell.compiler.passes.simplify import Simplify
from stepwell.compiler.passes.swap_buffers import SwapBuffers
from stepwell.compiler.passes.winograd import Winograd

PASSES: tuple[type[ModulePass], ...] = (
    Inline,
    Winograd,
    Simplify,
    Layouts,
    PackWeights,
    SeparateLoops,
    FormKernels,
    TensorToLoop,
    NameOrders,
    Relax,
    JoinSteps,
    ChoosePlans,
    ShareBuffers,
    SwapBuffers,
    AssignBuffers,
    ExpandPlans,
    OntoGrids,
    LoopToLlvm,
    GridsToLlvm,
)


def _always(kind: type[ModulePass]) -> Callable[[], type[ModulePass]]:
    return lambda: kind


def _nd() -> Dialect:
    return ND


def _loop() -> Dialect:
    return LOOP


def _nvg() -> Dialect:
    return NVG


UNIVERSE = Universe(
    all_dialects={"nd": _nd, "loop": _loop, "nvg": _nvg},
    all_passes={kind.name: _always(kind) for kind in PASSES},
)
