"""The search for faster plans, kernel by kernel, as long as a budget of seconds lasts."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

from xdsl.dialects.builtin import ModuleOp

from stepwell.compiler.dialects.loop.host import FuncOp, LaunchOp
from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.lower.costs import UNKNOWN
from stepwell.compiler.lower.strategies import Strategy, planned
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.pipeline import level_of, run_stages, without_collection
from stepwell.compiler.tuning.alone import Alone, Trial
from stepwell.compiler.tuning.neighbours import neighbours
from stepwell.compiler.tuning.plans import NONE, Place, Plans, Tuned
from stepwell.runtime.errors import CompileError

SAMPLE: Final = 2e-3
"""Seconds that a sample lasts at least: of several launches, if one is shorter."""
ROUNDS: Final = 5
"""Samples of two plans in turn, of which the least are compared: what disturbs only adds."""
MARGIN: Final = 1.03
"""A plan is better if it is so many times as fast."""


@dataclass(frozen=True)
class Subject:
    """A kernel, the plan that the program would run it under, and how it is launched."""

    kernel: KernelOp
    chosen: Strategy
    sizes: Mapping[str, int]
    launches: int


def subjects(
    module: ModuleOp, machine: Machine, sizes: Mapping[str, int], tuned: Plans = NONE
) -> list[Subject]:
    """The kernels of a module at the tensor level, which is consumed, with the plans that they have
    been `tuned` to or else are given. Symbols that `sizes` does not have are as large as cost
    models take them to be, within their ranges."""
    with without_collection():
        run_stages(module, machine, "nests")
        kernels = {op.sym_name.data: op.clone() for op in module.ops if isinstance(op, KernelOp)}
        run_stages(module, machine, "plans", after="nests", tuned=tuned)
    launched: dict[str, list[Mapping[str, int]]] = {}
    for function, launch in _launches(module):
        values = _values(function, sizes)
        bound = {name: size.evaluate(values) for name, size in launch.bindings.sizes.items()}
        launched.setdefault(launch.callee.string_value(), []).append(bound)
    return [
        Subject(kernels[name], planned(op), launched[name][0], len(launched[name]))
        for op in module.ops
        if isinstance(op, KernelOp) and (name := op.sym_name.data) in launched
    ]


def _launches(module: ModuleOp) -> Iterator[tuple[FuncOp, LaunchOp]]:
    for function in module.ops:
        if isinstance(function, FuncOp):
            yield from ((function, op) for op in function.walk() if isinstance(op, LaunchOp))


def _values(function: FuncOp, sizes: Mapping[str, int]) -> dict[str, int]:
    """A value for each of the function's symbols."""
    values: dict[str, int] = {}
    for name, (low, high) in function.symbols.ranges.items():
        usual = UNKNOWN if high is None else min(UNKNOWN, high)
        values[name] = sizes.get(name, max(low, usual))
    return values


@final
class Search:
    """What is known of one kernel: its best plan until now, and which others remain to be tried."""

    def __init__(self, subject: Subject, machine: Machine) -> None:
        self.subject = subject
        self.best = subject.chosen
        self._machine = machine
        self._alone = Alone(subject.kernel, machine, subject.sizes)
        self._trial = self._alone.under(subject.chosen.plan.data)
        self._answer = self._alone.answer(self._trial)
        self.seconds = _least([self._trial])[0]
        """Of a launch under the best plan."""
        self._tried = {subject.chosen}
        self.waiting = self._around()

    @property
    def promise(self) -> float:
        """What a try may save: much in a kernel that takes long, less after many tries."""
        return self.seconds * self.subject.launches / (1 + len(self._tried))

    def step(self) -> None:
        """Tries one plan, which becomes the best one if it is better."""
        candidate = self.waiting.pop(0)
        self._tried.add(candidate)
        trial = self._alone.under(candidate.plan.data)
        if self._alone.answer(trial) != self._answer:
            raise CompileError(
                "SW0261",
                f"the plan {candidate.plan} changes what {self.subject.kernel.sym_name.data} gives",
                hint="this is a defect of Stepwell: please report it with this program",
            )
        before, now = _least([self._trial, trial])
        if before > MARGIN * now:
            self.best, self._trial, self.seconds = candidate, trial, now
            self.waiting = self._around()

    def _around(self) -> list[Strategy]:
        around = neighbours(self.best, self.subject.kernel, self._machine)
        return [each for each in around if each not in self._tried]

    def tuned(self) -> Tuned | None:
        """The best plan, if it is better than the chosen one when both are measured again."""
        if self.best == self.subject.chosen:
            return None
        chosen = self._alone.under(self.subject.chosen.plan.data)
        before, now = _least([chosen, self._trial])
        if before <= MARGIN * now:
            return None
        name = self.subject.kernel.sym_name.data
        return Tuned(self.best.plan.data, round(now * 1e9), round(before * 1e9), name)


def search(found: Iterable[Subject], machine: Machine, budget: float) -> Plans:
    """Faster plans than the chosen ones, as far as they were found within a budget of seconds.

    Whichever kernel promises most has its turn: its best plan is compared with a neighbour, in
    turns, and gives way to it if that is faster. Raises CompileError SW0261 if a plan changes an
    answer.
    """
    deadline = time.monotonic() + budget
    searches = [Search(each, machine) for each in found]
    while time.monotonic() < deadline:
        most = max((each for each in searches if each.waiting), key=_promise, default=None)
        if most is None:
            break
        most.step()
    level = level_of(machine).name
    tuned = {Place.of(each.subject.kernel, level): each.tuned() for each in searches}
    return Plans({place: each for place, each in tuned.items() if each is not None})


def _promise(search: Search) -> float:
    return search.promise


def _least(trials: Sequence[Trial]) -> list[float]:
    """The least seconds of a launch of each, from samples in turn."""
    rounds = [[_sample(each) for each in trials] for _ in range(ROUNDS)]
    return [min(times) for times in zip(*rounds, strict=True)]


def _sample(trial: Trial) -> float:
    once = trial.seconds(1)
    return trial.seconds(max(1, round(SAMPLE / max(once, 1e-9))))
