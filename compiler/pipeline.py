"""The stages from a tensor program to machine code, named once, in order.

A stage's name is the name of its dump, of `--stop-after`, and of what `ir` shows.
"""

import gc
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith, gpu, math
from xdsl.dialects.builtin import UNKNOWN_LOC, ArrayAttr, Builtin, ModuleOp, StringAttr
from xdsl.passes import ModulePass
from xdsl.utils.hints import isa

from stepwell.compiler.dialects.gpu import NVG
from stepwell.compiler.dialects.llvm import LLVM
from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.loop import LOOP
from stepwell.compiler.dialects.loop.host import CopyOp, CustomOp, FuncOp
from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.sites import SITES, SiteAttr
from stepwell.compiler.dialects.loop.types import BufferType, buffer_type
from stepwell.compiler.dialects.nd import RefAttr, Weight
from stepwell.compiler.dump import Dump
from stepwell.compiler.lower.choose_plans import ChoosePlans
from stepwell.compiler.lower.expand_plans import ExpandPlans
from stepwell.compiler.lower.grids.blocks import most_shared
from stepwell.compiler.lower.grids.host_control import host_controlled
from stepwell.compiler.lower.grids.onto_grids import OntoGrids
from stepwell.compiler.lower.grids.to_llvm import GridsToLlvm
from stepwell.compiler.lower.join_steps import JoinSteps
from stepwell.compiler.lower.loop_to_llvm import LoopToLlvm
from stepwell.compiler.lower.name_orders import NameOrders
from stepwell.compiler.lower.tensor_to_loop import CONSTANTS, TensorToLoop
from stepwell.compiler.machines import GPUS, LEVELS, MACHINES, X86_64_V3, Machine
from stepwell.compiler.ops import ND
from stepwell.compiler.passes.assign_buffers import WORKSPACE, AssignBuffers
from stepwell.compiler.passes.form_kernels import FormKernels
from stepwell.compiler.passes.inline import Inline
from stepwell.compiler.passes.interference import BECAUSE, NEEDED, pairs
from stepwell.compiler.passes.layouts import Layouts
from stepwell.compiler.passes.pack_weights import PackWeights
from stepwell.compiler.passes.relax import Relax
from stepwell.compiler.passes.separate_loops import SeparateLoops
from stepwell.compiler.passes.share_buffers import ShareBuffers
from stepwell.compiler.passes.simplify import Simplify
from stepwell.compiler.passes.swap_buffers import SwapBuffers
from stepwell.compiler.passes.winograd import Winograd
from stepwell.compiler.targets.cpu import assembly, compile_object
from stepwell.compiler.targets.gpu.ptx import compile_ptx, take_device
from stepwell.compiler.targets.llvm_text import module_text
from stepwell.compiler.tuning.apply_plans import ApplyPlans
from stepwell.compiler.tuning.plans import NONE, Plans
from stepwell.runtime.entry import Site
from stepwell.runtime.errors import CompileError, SourceLine
from stepwell.runtime.sizes import Size


def level_of(machine: Machine) -> Machine:
    """The machine whose plans it has: the one of its name, or the best level of x86-64 that it is
    of, so that plans are few."""
    if machine.is_gpu:
        return machine
    if (known := MACHINES.get(machine.name)) is not None and known.runs_on(machine.features):
        return known
    return next(level for level in reversed(LEVELS) if level.runs_on(machine.features))


Stage = tuple[str, Callable[[str, Plans], list[ModulePass]]]

STAGES: tuple[Stage, ...] = (
    ("tensor", lambda level, plans: []),
    (
        "simple",
        lambda level, plans: [
            Inline(),
            Winograd(),
            Simplify(),
            Layouts(),
            PackWeights(),
            Simplify(),
            SeparateLoops(),
        ],
    ),
    ("kernels", lambda level, plans: [FormKernels()]),
    ("nests", lambda level, plans: [TensorToLoop(), NameOrders(machine=level), Relax()]),
    (
        "plans",
        lambda level, plans: [JoinSteps(level), ApplyPlans(plans, level), ChoosePlans(level)],
    ),
    ("buffers", lambda level, plans: [ShareBuffers(), SwapBuffers(), AssignBuffers()]),
    (
        "explicit",
        lambda level, plans: [ExpandPlans(), OntoGrids()] if level in GPUS else [ExpandPlans()],
    ),
    (
        "llvm",
        lambda level, plans: [GridsToLlvm(level) if level in GPUS else LoopToLlvm(machine=level)],
    ),
)
"""Their passes, for a level of machines and the plans that were tuned."""

TEXTS = {"ll": "ll", "asm": "s"}
"""The forms beyond the last module, LLVM's own text and assembly, and how their files end."""


def context() -> Context:
    """All dialects of all levels."""
    result = Context()
    for dialect in (Builtin, arith.Arith, math.Math, gpu.GPU, NVG, ND, LOOP, LLVM):
        result.load_dialect(dialect)
    return result


@dataclass(frozen=True)
class Copied:
    """A whole buffer that is copied: where, which, why, and the line that needs both, if any."""

    where: SourceLine | None
    buffer: str
    reason: str
    needed: SourceLine | None

    def __str__(self) -> str:
        place = f"{self.where.file}:{self.where.line}: " if self.where else ""
        needed = f" at {self.needed.file}:{self.needed.line}" if self.needed else ""
        return f"{place}{self.buffer}: {self.reason}{needed}"


@dataclass(frozen=True)
class Image:
    """What a module becomes on one machine."""

    machine: Machine
    code: bytes
    """Of a GPU, the program around its kernels, for a CPU."""
    workspace: Mapping[str, Size]
    """Bytes that each entry point needs, by its name."""
    constants: Mapping[str, tuple[Weight, ...]]
    """The weights that each entry point takes after its arguments."""
    sites: Mapping[str, tuple[Site, ...]]
    """Where each entry point prints or asserts."""
    imports: Mapping[str, tuple[str, ...]]
    """The C functions that each entry point finds in its table of addresses."""
    plans: Mapping[str, str]
    """The plan of each kernel, as printed."""
    overwrites: Mapping[str, tuple[tuple[int, int], ...]]
    """Of each entry point, the pairs (argument, result) that lie in the same place."""
    copies: Mapping[str, tuple[Copied, ...]]
    """Which whole buffers each entry point has to copy, where and why."""
    ptx: str = ""
    """The kernels of a GPU."""
    grids: tuple[str, ...] = ()
    """Their names, in the order in which the code numbers them."""
    host_controlled: frozenset[str] = frozenset()
    """The entry points that wait for numbers of the GPU's to know how they go on."""
    shared: int = 0
    """Bytes that the threads of a block share at most."""


def compile_module(
    module: ModuleOp, machine: Machine, dump: Dump | None = None, tuned: Plans = NONE
) -> Image:
    """Machine code for a module at the tensor level, which is consumed."""
    with without_collection():
        run_stages(module, machine, "plans", dump, tuned=tuned)
        plans = {
            kernel.sym_name.data: str(kernel.plan)
            for kernel in module.ops
            if isinstance(kernel, KernelOp)
        }
        run_stages(module, machine, "buffers", dump, after="plans")
        functions = [op for op in module.ops if isinstance(op, FuncOp)]
        workspace = {f.sym_name.data: workspace_of(f) for f in functions}
        constants = {f.sym_name.data: _constants(f) for f in functions}
        sites = {f.sym_name.data: _sites(f) for f in functions}
        imports = _imports(functions)
        overwrites = {f.sym_name.data: _overwrites(f) for f in functions}
        copies = {f.sym_name.data: tuple(_copies(f)) for f in functions}
        run_stages(module, machine, "explicit", dump, after="buffers")
        waiting = host_controlled(module) if machine.is_gpu else frozenset[str]()
        shared = most_shared(module) if machine.is_gpu else 0
        run_stages(module, machine, "llvm", dump, after="explicit")
        device = take_device(module)
        text, host = module_text(module), X86_64_V3 if device else machine
        ptx = compile_ptx(device, machine) if device else ""
        if dump is not None:
            _write(dump, machine, "ll", text + (device.text if device else ""))
            _write(dump, machine, "asm", assembly(text, host) + ptx)
        code = compile_object(text, host)
    return Image(
        machine,
        code,
        workspace,
        constants,
        sites,
        imports,
        plans,
        overwrites,
        copies,
        ptx,
        device.kernels if device else (),
        waiting.intersection(workspace),
        shared,
    )


def run_stages(
    module: ModuleOp,
    machine: Machine,
    last: str,
    dump: Dump | None = None,
    after: str | None = None,
    tuned: Plans = NONE,
) -> None:
    """Runs the stages up to `last`, from the one behind `after`; kernels that were tuned have their
    plans."""
    names = [name for name, _ in STAGES]
    if last not in names:
        known = ", ".join([*names, *TEXTS])
        raise CompileError("SW0220", f"there is no stage {last}", hint=f"there are {known}")
    first = names.index(after) + 1 if after else 0
    nothing, level = Context(), level_of(machine).name
    for number, (name, passes) in enumerate(STAGES[: names.index(last) + 1]):
        if number < first:
            continue
        for each in passes(level, tuned):
            each.apply(nothing, module)
        if dump is not None:
            _write(dump, machine, name, _headed(name, module))


def text_at(module: ModuleOp, machine: Machine, stage: str, tuned: Plans = NONE) -> str:
    """The text of a module, which is consumed: at a stage, as LLVM IR (`ll`) or as assembly."""
    run_stages(module, machine, stage if stage not in TEXTS else "llvm", tuned=tuned)
    if stage not in TEXTS:
        return _headed(stage, module)
    device = take_device(module)
    if device:
        return device.text if stage == "ll" else compile_ptx(device, machine)
    text = module_text(module)
    return text if stage == "ll" else assembly(text, machine)


def _headed(stage: str, module: ModuleOp) -> str:
    return f"// stepwell {stage} 1\n{module!s}\n"


def _write(dump: Dump, machine: Machine, stage: str, text: str) -> None:
    number = [*(name for name, _ in STAGES), *TEXTS].index(stage)
    dump.write(machine.name, f"{number:02}-{stage}.{TEXTS.get(stage, 'mlir')}", text)


def workspace_of(function: FuncOp) -> Size:
    """The bytes of arena that a function takes as its last argument."""
    if WORKSPACE not in function.attributes:
        return Size.of(0)
    last = function.arguments[-1].type
    assert isinstance(last, BufferType)
    return last.count


def _constants(function: FuncOp) -> tuple[Weight, ...]:
    found = function.attributes.get(CONSTANTS, ArrayAttr[RefAttr]([]))
    assert isa(found, ArrayAttr[RefAttr])
    return tuple(each.data for each in found)


def _sites(function: FuncOp) -> tuple[Site, ...]:
    found = function.attributes.get(SITES, ArrayAttr[SiteAttr]([]))
    assert isa(found, ArrayAttr[SiteAttr])
    return tuple(each.data for each in found)


def _overwrites(function: FuncOp) -> tuple[tuple[int, int], ...]:
    first = len(function.arguments) - function.outputs.data
    return tuple((argument, result - first) for argument, result in pairs(function))


def _copies(function: FuncOp) -> Iterator[Copied]:
    for op in function.walk():
        reason = op.attributes.get(BECAUSE)
        if isinstance(op, CopyOp) and isinstance(reason, StringAttr):
            type = buffer_type(op.source)
            buffer = f"{type.element}[{', '.join(map(str, type.shape))}]"
            needed = op.attributes.get(NEEDED, UNKNOWN_LOC)
            yield Copied(source_line(op.location), buffer, reason.data, source_line(needed))


def _imports(functions: Sequence[FuncOp]) -> dict[str, tuple[str, ...]]:
    """A function that calls any C function gets the table of all, in which they are numbered."""
    called = {
        f.sym_name.data: [op.symbol.data for op in f.walk() if isinstance(op, CustomOp)]
        for f in functions
    }
    table = tuple(dict.fromkeys(symbol for symbols in called.values() for symbol in symbols))
    return {name: table if symbols else () for name, symbols in called.items()}


@contextmanager
def without_collection() -> Generator[None]:
    """Without the cyclic garbage collector, which triples the cost of building IR."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
