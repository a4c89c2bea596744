"""The strategies by name, and which of them a kernel gets."""

from collections.abc import Mapping
from typing import TypeAlias

from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.loop.nests import FoldOp, KernelOp
from stepwell.compiler.dialects.loop.types import PAIRS, TENSOR
from stepwell.compiler.lower.strategies.attention import Attention
from stepwell.compiler.lower.strategies.base import Refusal as Refusal
from stepwell.compiler.lower.strategies.base import Strategy as Strategy
from stepwell.compiler.lower.strategies.dots import Dots
from stepwell.compiler.lower.strategies.gemm import Gemm
from stepwell.compiler.lower.strategies.map import Map
from stepwell.compiler.lower.strategies.prefix import Prefix
from stepwell.compiler.lower.strategies.rows import Rows
from stepwell.compiler.lower.strategies.sort import Sort
from stepwell.compiler.lower.strategies.wave import Wave
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.errors import CompileError

Strategies: TypeAlias = Mapping[str, type[Strategy]]

STRATEGIES: Strategies = {
    each.name: each for each in (Sort, Dots, Gemm, Attention, Rows, Prefix, Map, Wave)
}
"""Those of CPUs, in the order in which they are tried: `map` fits all but sums whose order has a
name; `wave` is for kernels that `join-steps` makes."""


def choose_plan(kernel: KernelOp, machine: Machine, known: Strategies = STRATEGIES) -> Strategy:
    """The first strategy that fits, with its parameters."""
    for kind in known.values():
        if refusal_by(kind, kernel, machine) is None:
            return kind.choose(kernel, machine)
    sentence = f"{machine.name} has no instruction for the sums of {kernel.sym_name.data}"
    raise CompileError("SW0235", sentence, where=source_line(kernel.location))


def refusal_by(kind: type[Strategy], kernel: KernelOp, machine: Machine) -> Refusal | None:
    """Why a strategy does not fit: an order with a name is what one instruction computes."""
    if (refusal := kind.fits(kernel, machine)) is not None:
        return refusal
    orders = {op.order.data.kind for op in kernel.walk() if isinstance(op, FoldOp)}
    named = orders & {PAIRS.kind, TENSOR.kind} - {kind.NAMED}
    return Refusal(f"it has sums in the order {named.pop()}") if named else None


def planned(kernel: KernelOp, known: Strategies = STRATEGIES) -> Strategy:
    """The strategy that the kernel's plan names. Raises CompileError for a plan that is none."""
    assert kernel.plan is not None
    plan = kernel.plan.data
    kind = known.get(plan.strategy)
    if kind is None:
        raise CompileError(
            "SW0230",
            f"there is no strategy {plan.strategy}",
            hint=f"there are {', '.join(known)}",
            where=source_line(kernel.location),
        )
    return kind.of(dict(plan.parameters))


def check_fit(
    kernel: KernelOp, strategy: Strategy, machine: Machine, known: Strategies = STRATEGIES
) -> None:
    """Raises CompileError (SW0232) for a plan that does not fit the kernel."""
    refusal = refusal_by(type(strategy), kernel, machine)
    if refusal is not None:
        raise CompileError(
            "SW0232",
            f"the plan {strategy.name} does not fit the kernel {kernel.sym_name.data}",
            details=[refusal.reason],
            hint=f"{choose_plan(kernel, machine, known).name} does",
            where=source_line(kernel.location),
        )
