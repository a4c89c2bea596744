"""Strands: threads that are at one place of a program together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, final

from emulator.operations import Operation
from emulator.syntax import Function
from emulator.types import Array


@final
@dataclass(frozen=True, eq=False)
class Code:
    """A function whose instructions are bound; `places` says where its parameters lie."""

    function: Function
    operations: list[Operation]
    places: Mapping[str, tuple[int, int]]


Frame: TypeAlias = tuple[Code, int]
"""Who called, and where."""


@final
@dataclass(frozen=True, eq=False)
class Strand:
    """Threads of one team; only those of a team wait for each other to go on side by side."""

    team: int
    lanes: Array
    code: Code
    pc: int = 0
    frames: tuple[Frame, ...] = ()

    @property
    def operation(self) -> Operation:
        return self.code.operations[self.pc]

    @property
    def rank(self) -> tuple[int, int, int]:
        """Who is first: what is called before who called, and what stands further up."""
        return self.team, -len(self.frames), self.pc

    def meets(self, other: "Strand") -> bool:
        """Whether both are at one place."""
        mine, yours = (self.team, self.pc, self.code), (other.team, other.pc, other.code)
        return mine == yours and self.frames == other.frames

    def at(self, pc: int, lanes: Array | None = None) -> "Strand":
        """All of it, or some lanes, at a place of the same code."""
        lanes = self.lanes if lanes is None else lanes
        return Strand(self.team, lanes, self.code, pc, self.frames)

    def of(self, lanes: Array) -> "Strand":
        return self.at(self.pc, lanes)
