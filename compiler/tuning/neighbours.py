"""Which plans to try next: those that differ from a good one in one parameter, by one step."""

from collections.abc import Iterator
from dataclasses import fields, replace

from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.types import Parameter
from stepwell.compiler.lower.strategies import STRATEGIES, Strategy
from stepwell.compiler.machines.machine import Machine


def neighbours(strategy: Strategy, kernel: KernelOp, machine: Machine) -> list[Strategy]:
    """Strategies for the kernel that differ in one parameter, and what other kinds would choose.

    What may be kept past the caches is not asked here, where nobody reads what a kernel leaves:
    that stays out of the plans if it was left out.
    """
    found = [*_steps(strategy, machine), *_others(strategy, kernel, machine)]
    if strategy.cached() == strategy:
        found = [each.cached() for each in found]
    return [each for each in dict.fromkeys(found) if each != strategy]


def _steps(strategy: Strategy, machine: Machine) -> Iterator[Strategy]:
    for field in fields(strategy):
        for value in _values(getattr(strategy, field.name), strategy.CHOICES.get(field.name, ())):
            too_wide = field.name == "bytes" and value == 2 * machine.vector_bytes
            if strategy.allows(field.name, value) and not too_wide:
                yield replace(strategy, **{field.name: value})


def _values(value: Parameter, choices: tuple[str, ...]) -> Iterator[Parameter]:
    """A little less and more of a number, half and twice as much; one name more, or one fewer."""
    if isinstance(value, int):
        found = dict.fromkeys((value // 2, value - 1, value + 1, value * 2))
        yield from (each for each in found if each != value)
    elif isinstance(value, tuple):
        for name in choices:
            yield tuple(each for each in choices if (each in value) != (each == name))


def _others(strategy: Strategy, kernel: KernelOp, machine: Machine) -> Iterator[Strategy]:
    for kind in STRATEGIES.values():
        if not isinstance(strategy, kind) and kind.fits(kernel, machine) is None:
            yield kind.choose(kernel, machine)
