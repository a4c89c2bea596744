"""The strategies by name, and which of them a kernel gets."""

from collections.abc import Mapping

from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.lower.strategies.base import Refusal as Refusal
from stepwell.compiler.lower.strategies.base import Strategy as Strategy
from stepwell.compiler.lower.strategies.gemm import Gemm
from stepwell.compiler.lower.strategies.map import Map
from stepwell.compiler.lower.strategies.rows import Rows
from stepwell.compiler.machines.machine import Machine

STRATEGIES: Mapping[str, type[Strategy]] = {each.name: each for each in (Gemm, Rows, Map)}
"""In the order in which they are tried: the last one always fits."""


def choose_plan(kernel: KernelOp, machine: Machine) -> Strategy:
    """The first strategy that fits, with its parameters."""
    for kind in STRATEGIES.values():
        if kind.fits(kernel, machine) is None:
            return kind.choose(kernel, machine)
    raise AssertionError("map fits every kernel")


def planned(kernel: KernelOp) -> Strategy:
    """The strategy that the kernel's plan names."""
    assert kernel.plan is not None
    plan = kernel.plan.data
    return STRATEGIES[plan.strategy].of(dict(plan.parameters))
