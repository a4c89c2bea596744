"""What a strategy is: a way to write a kernel's nests as explicit loops, with typed parameters."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import ClassVar, Self, TypeVar

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.types import BufferType, Parameter, Plan, PlanAttr
from stepwell.compiler.lower.writer import ZERO, Term, Writer
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.passes.assign_buffers import aligned
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size

TILE = {"bytes", "vectors", "rows", "mr", "nv", "band"}
"""The parameters that say what a tile is."""

K = TypeVar("K")


@dataclass(frozen=True)
class Refusal:
    """Why a strategy does not fit a kernel."""

    reason: str


@dataclass(frozen=True)
class Strategy(ABC):
    """One way to run a kernel. The fields are the parameters of its plan, and what can be tuned.

    Whatever the parameters, the expanded kernel computes the same bits as its nests.
    """

    name: ClassVar[str]
    IN_PLACE: ClassVar[bool] = False
    """Whether an output may lie where an input does that is read only where it is written."""
    NAMED: ClassVar[str | None] = None
    """The order of sums that it alone has, if there is one."""
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """The names that a parameter may have which is a list of names."""

    @classmethod
    @abstractmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        """None, or why not."""

    @classmethod
    @abstractmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        """The parameters expected to be fastest, for a kernel that fits."""

    def cached(self) -> Self:
        """What is chosen where the outputs are read soon."""
        return self

    def workspace(self, kernel: KernelOp) -> Size:
        """The bytes that the expanded kernel needs as its last argument, if not those of all that
        its nests leave to each other; 0 for no argument."""
        return total_bytes(kernel.locals.values())

    @abstractmethod
    def expand(self, kernel: KernelOp) -> None:
        """Replace the nests by explicit loops."""

    @property
    def plan(self) -> PlanAttr:
        """The strategy and its parameters as printed."""
        parameters = tuple((field.name, getattr(self, field.name)) for field in fields(self))
        return PlanAttr(Plan(self.name, parameters))

    @classmethod
    def of(cls, parameters: Mapping[str, Parameter]) -> Self:
        """From printed parameters; those that are missing have their defaults.

        Raises CompileError (SW0231) for one that the strategy has not, or not with such a value.
        """
        for name, value in parameters.items():
            if not cls.allows(name, value):
                known = ", ".join(f"{field.name} = {field.default}" for field in fields(cls))
                raise CompileError(
                    "SW0231",
                    f"the strategy {cls.name} has no parameter {name} = {value}",
                    hint=f"it has {known}",
                )
        return cls(**parameters)

    @classmethod
    def allows(cls, name: str, value: Parameter) -> bool:
        """Whether a parameter may have a value: `bytes`, the width of a vector, is a power of two;
        of what a tile has there is some, and 0 of anything else stands for doing without."""
        defaults = {field.name: field.default for field in fields(cls)}
        if name not in defaults or type(defaults[name]) is not type(value):
            return False
        if isinstance(value, int):
            powers = name != "bytes" or value & (value - 1) == 0
            return powers and value >= (1 if name in TILE else 0)
        names = {value} if isinstance(value, str) else {*value}
        return names <= {*cls.CHOICES.get(name, ())}


@contextmanager
def expanding(kernel: KernelOp) -> Generator[Writer]:
    """Writes into the kernel in place of its ops, which are still whole as long as that goes on."""
    ops = list(kernel.body.block.ops)
    for op in ops:
        op.detach()
    yield Writer(kernel.body.block)
    for op in reversed(ops):
        op.erase(safe_erase=False)


def buffer_bytes(type: BufferType) -> Size:
    """Bytes of a buffer, up to the next multiple of 64."""
    return aligned(type.bytes)


def place(
    writer: Writer,
    workspace: SSAValue,
    types: Mapping[K, BufferType],
    before: Sequence[Term] = (),
) -> dict[K, SSAValue]:
    """Buffers in the workspace, one after the other, behind so many bytes."""
    places: dict[K, SSAValue] = {}
    offset = ZERO
    for key, type in types.items():
        places[key] = writer.view(workspace, writer.affine(before, offset), type)
        offset = offset + buffer_bytes(type)
    return places


def total_bytes(types: Iterable[BufferType]) -> Size:
    """Bytes of several buffers, one after the other."""
    return sum(map(buffer_bytes, types), start=ZERO)
