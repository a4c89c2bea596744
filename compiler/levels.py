"""What the passes expect of a module, so that `stepwell-opt` refuses what they would pass over."""

from collections.abc import Iterable, Mapping

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from stepwell.compiler.dialects.loop.nests import KernelOp as LoopKernel
from stepwell.compiler.dialects.loop.nests import NestOp, PrefixOp, SortOp
from stepwell.compiler.ops.base import TensorOp
from stepwell.compiler.ops.creation import WeightOp
from stepwell.compiler.ops.structure import KernelOp
from stepwell.runtime.errors import CompileError

PREFIXES = {"tensor": "nd.", "loop": "loop.", "llvm": ("llvm.", "gpu.module")}
"""What the names of the ops begin with that stand in a module of each level."""

LEVELS: Mapping[str, str] = {
    **dict.fromkeys(
        ("inline", "winograd", "simplify", "layouts", "pack-weights", "separate-loops"), "tensor"
    ),
    **dict.fromkeys(("form-kernels", "tensor-to-loop"), "tensor"),
    **dict.fromkeys(("name-orders", "relax", "join-steps", "choose-plans"), "loop"),
    **dict.fromkeys(("share-buffers", "swap-buffers", "assign-buffers"), "loop"),
    **dict.fromkeys(("expand-plans", "onto-grids", "loop-to-llvm", "grids-to-llvm"), "loop"),
}
"""The level of the modules that each pass takes; passes of other packages may take any."""

WITH_NESTS = ("join-steps", "choose-plans", "expand-plans")
STATEMENTS = (NestOp, PrefixOp, SortOp)
"""What a kernel holds until its plan is expanded."""


def expect_fit(name: str, module: ModuleOp) -> None:
    """Raises CompileError SW0221 or SW0224 unless the pass `name` has something to do here."""
    if name in LEVELS:
        expect_level(f"pass {name}", LEVELS[name], module)
    if name == "tensor-to-loop":
        _expect_kernels(name, module)
    if name in WITH_NESTS:
        _expect_nests(name, module)


def expect_level(what: str, level: str, module: ModuleOp) -> None:
    """Raises CompileError SW0221 for a module that is of another level."""
    for op in module.ops:
        if not op.name.startswith(PREFIXES[level]):
            raise CompileError(
                "SW0221",
                f"the {what} is for the {level} level, and this module has {op.name}",
                hint=_passes(op.name, level),
            )


def _passes(name: str, level: str) -> str | None:
    """The pass that leads from an op's level down to another."""
    match name.partition(".")[0], level:
        case "nd", "loop":
            return "run tensor-to-loop first"
        case "nd", "llvm":
            return "run tensor-to-loop to loop-to-llvm first"
        case "loop", "llvm":
            return "run loop-to-llvm first"
        case _:
            return None


def _expect_kernels(name: str, module: ModuleOp) -> None:
    for op in _outside_of_kernels(module.ops):
        if not isinstance(op, TensorOp) or isinstance(op, WeightOp):
            continue
        if type(op).lower is TensorOp.lower:
            sentence = f"the pass {name} needs kernels, and {op.name} stands outside of them"
            raise CompileError("SW0224", sentence, hint="run form-kernels first")


def _outside_of_kernels(ops: Iterable[Operation]) -> Iterable[Operation]:
    for op in ops:
        yield op
        if not isinstance(op, KernelOp):
            for region in op.regions:
                for block in region.blocks:
                    yield from _outside_of_kernels(block.ops)


def _expect_nests(name: str, module: ModuleOp) -> None:
    for op in module.ops:
        if not isinstance(op, LoopKernel) or op.plan is None:
            continue
        if not any(isinstance(each, STATEMENTS) for each in op.walk()):
            sentence = f"the pass {name} needs nests, and {op.sym_name.data} has none any more"
            raise CompileError("SW0224", sentence, hint="run it before expand-plans, and once")
