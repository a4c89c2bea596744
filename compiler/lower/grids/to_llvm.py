"""From loops and grids to instructions: the host's functions, and the GPU's in a module of theirs.

It is the walk of `loop_to_llvm`, with tables of its own for what differs on either side.
"""

from dataclasses import dataclass
from functools import partial
from typing import final

from xdsl.context import Context
from xdsl.dialects import gpu
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Block, Operation, Region
from xdsl.passes import ModulePass

from stepwell.compiler.dialects.construct import construct
from stepwell.compiler.dialects.gpu.copies import AsyncCopyOp
from stepwell.compiler.dialects.loop.explicit import LoadOp, StoreOp
from stepwell.compiler.dialects.loop.host import CopyOp, CustomOp, HostOp
from stepwell.compiler.lower.grids import (
    accesses,
    blocks,
    driver,
    matrices,
    narrow,
    together,
)
from stepwell.compiler.lower.grids.alignment import Alignments
from stepwell.compiler.lower.loop_to_llvm import STATEMENTS, program_of, replace_ops
from stepwell.compiler.lower.loop_to_llvm.frame import Frame
from stepwell.compiler.lower.loop_to_llvm.program import Program
from stepwell.compiler.machines import machine_named
from stepwell.compiler.machines.gpu.nvidia import SM_80
from stepwell.compiler.machines.machine import Machine

DEVICE = "device"
"""The name of the module that the GPU's functions are in."""


def lower(module: ModuleOp, machine: Machine) -> list[Operation]:
    """What the host runs, and then a `gpu.module` with what the GPU does, whose kernels have their
    numbers in this order."""
    alignments = Alignments(module)
    inside = {
        **STATEMENTS,
        **narrow.STATEMENTS,
        LoadOp: partial(accesses.load, alignments),
        StoreOp: partial(accesses.store, alignments),
        gpu.TerminatorOp: _nothing,
        **together.STATEMENTS,
        **blocks.STATEMENTS,
        **matrices.STATEMENTS,
        AsyncCopyOp: partial(matrices.copy, alignments),
    }
    device = driver.Device(Program({}, (), machine, inside))
    statements = {
        **STATEMENTS,
        gpu.LaunchOp: partial(driver.launch, device),
        LoadOp: driver.read_back,
        CopyOp: driver.copy,
        HostOp: driver.show,
        CustomOp: driver.refuse,
    }
    host = program_of(module, machine, statements)
    part = construct(gpu.ModuleOp, (), (), {"sym_name": StringAttr(DEVICE)}, module.location)
    part.add_region(Region(Block(device.program.operations)))
    return [*host.operations, part]


def _nothing(frame: Frame, op: Operation) -> None:
    """Ends a body, as the walk does anyway."""


@final
@dataclass(frozen=True)
class GridsToLlvm(ModulePass):
    """The pass `grids-to-llvm`: the module's contents give way to their instructions."""

    name = "grids-to-llvm"

    machine: str = SM_80.name

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        replace_ops(op, lower(op, machine_named(self.machine)))
