"""The builder of functions at the llvm level: instructions, and structured control flow."""

from abc import ABC
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import final

from xdsl.dialects import llvm
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, StringAttr, UnitAttr, i64
from xdsl.dialects.llvm import FuncOp, LinkageAttr
from xdsl.ir import Attribute, Block, BlockArgument, Region, SSAValue

from stepwell.compiler.dialects.construct import segments
from stepwell.compiler.dialects.llvm.access import Access
from stepwell.compiler.dialects.llvm.cursor import Operand
from stepwell.compiler.dialects.llvm.types import function, void

TERMINATORS = (llvm.BrOp, llvm.CondBrOp, llvm.ReturnOp, llvm.UnreachableOp)


@final
@dataclass(frozen=True)
class Parameter:
    """A function's parameter, and what callers promise of it: `noalias`, `readonly`, …"""

    type: Attribute
    promises: tuple[str, ...] = ()

    def attributes(self) -> DictionaryAttr:
        return DictionaryAttr({f"llvm.{promise}": UnitAttr() for promise in self.promises})


@dataclass
class Structure(ABC):
    """A structured statement in the making: `yields` ends a region with its values."""

    results: Sequence[SSAValue] = ()
    """The statement's values, after its `with` block."""
    yielded: Sequence[SSAValue] = ()

    def yields(self, *values: SSAValue) -> None:
        self.yielded = values


@final
@dataclass
class Loop(Structure):
    """A counted loop: `index`, and the values that each step hands to the next by `yields`."""

    index: SSAValue = field(kw_only=True)
    carried: Sequence[SSAValue] = field(kw_only=True)


@final
class If(Structure):
    """A choice: its then region comes first, its else region after `otherwise()`."""

    def __init__(self, build: "LlvmBuilder", condition: SSAValue) -> None:
        super().__init__()
        self._build = build
        self._condition = condition
        self._head = build.block
        self._then = build.enter(Block())
        self._else: Block | None = None
        self._ends: list[tuple[Block, Sequence[SSAValue]]] = []

    def otherwise(self) -> None:
        """What follows happens where the condition does not hold."""
        self._end_region()
        self._else = self._build.enter(Block())

    def close(self) -> None:
        """Joins the regions that do not return, behind them all."""
        self._end_region()
        build = self._build
        types = [value.type for value in self._ends[0][1]] if self._ends else []
        if types and self._else is None:
            raise ValueError("a choice yields values only if it has both sides: call `otherwise`")
        for _, values in self._ends:
            _expect(len(values) == len(types), "first side of a choice", len(types), len(values))
        join = Block(arg_types=types)
        for end, values in self._ends:
            build.block = end
            build.br(join, *values)
        build.block = self._head
        build.cond_br(self._condition, self._then, self._else or join)
        build.enter(join)
        self.results = join.args

    def _end_region(self) -> None:
        if not isinstance(self._build.block.last_op, TERMINATORS):
            self._ends.append((self._build.block, self.yielded))
        self.yielded = ()


@final
@dataclass
class While(Structure):
    """A loop that `test` leaves: it is evaluated before each step, on `carried`."""

    build: "LlvmBuilder" = field(kw_only=True)
    carried: Sequence[BlockArgument] = field(kw_only=True)
    exit: Block = field(kw_only=True)

    def test(self, condition: SSAValue) -> None:
        """What follows is the step, if the condition holds; if not, `carried` is the result."""
        body = Block()
        self.build.cond_br(condition, body, self.exit)
        self.build.enter(body)


@final
class LlvmBuilder(Access):
    """Emits at the end of a block; numbers as operands become constants of the entry block.

    ```
    b = LlvmBuilder.define("sum", [ptr, i64], f32)
    x, n = b.arguments
    with b.loop(0, n, carried=[b.constant(f32, 0.0)]) as loop:
        loop.yields(b.fadd(loop.carried[0], b.load(b.gep(x, loop.index, f32), f32)))
    b.ret(*loop.results)
    module = ModuleOp([b.function])
    ```
    """

    def __init__(self, function: FuncOp) -> None:
        entry = function.body.blocks.first
        if entry is None:
            raise ValueError(f"{function.sym_name.data} is a declaration: it has no entry block")
        super().__init__(entry)
        self.function = function
        self.region = function.body

    @classmethod
    def define(
        cls,
        name: str,
        parameters: Sequence[Attribute | Parameter] = (),
        result: Attribute = void,
        *,
        internal: bool = False,
        attributes: Sequence[str | tuple[str, str]] = (),
    ) -> "LlvmBuilder":
        """A new function, at its entry. Internal ones are seen only by their own module.

        `attributes` are LLVM's, by name or as a pair of strings: `("prefer-vector-width", "512")`.
        """
        given = [p if isinstance(p, Parameter) else Parameter(p) for p in parameters]
        types = tuple(p.type for p in given)
        properties: dict[str, Attribute | None] = {
            "arg_attrs": ArrayAttr([p.attributes() for p in given]) if given else None,
            "passthrough": ArrayAttr([_passed(a) for a in attributes]) if attributes else None,
        }
        return cls(
            FuncOp(
                name,
                function(types, result),
                linkage=LinkageAttr("internal" if internal else "external"),
                body=Region(Block(arg_types=types)),
                other_props=properties,
            )
        )

    @property
    def arguments(self) -> Sequence[SSAValue]:
        return self.entry.args

    def enter(self, block: Block) -> Block:
        """Go on at the end of `block`, which joins the function if it is new."""
        if block.parent is None:
            self.region.add_block(block)
        self.block = block
        return block

    # Terminators.

    def br(self, block: Block, *values: SSAValue) -> None:
        self.emit_effect(llvm.BrOp, values, successors=(block,))

    def cond_br(
        self,
        condition: SSAValue,
        then: Block,
        otherwise: Block,
        then_values: Sequence[SSAValue] = (),
        otherwise_values: Sequence[SSAValue] = (),
    ) -> None:
        operands = (condition, *then_values, *otherwise_values)
        properties = segments(1, len(then_values), len(otherwise_values))
        self.emit_effect(llvm.CondBrOp, operands, properties, (then, otherwise))

    def ret(self, value: Operand | None = None) -> None:
        result = self.function.function_type.output
        operands = () if value is None else (self.value(value, result),)
        self.emit_effect(llvm.ReturnOp, operands)

    # Structured control flow.

    @contextmanager
    def loop(
        self,
        low: Operand,
        high: Operand,
        step: Operand = 1,
        carried: Sequence[SSAValue] = (),
        *,
        nonempty: bool = False,
    ) -> Generator[Loop]:
        """For each index from `low` below `high`, by a positive step; numbers are i64.

        The test is at the end of the body, behind one at the start unless the loop is `nonempty`
        or its bounds are numbers that show it.
        """
        if isinstance(low, (int, float)) and isinstance(high, (int, float)):
            nonempty = nonempty or low < high
            high = self.constant(i64, high)
        low, high = self.values(low, high)
        step = self.value(step, low.type)
        types = [value.type for value in carried]
        body = Block(arg_types=[low.type, *types])
        exit = Block(arg_types=types)
        if nonempty:
            self.br(body, low, *carried)
        else:
            go = self.icmp("slt", low, high)
            self.cond_br(go, body, exit, (low, *carried), carried)
        self.enter(body)
        index, *values = body.args
        loop = Loop(index=index, carried=values)
        yield loop
        _expect(len(loop.yielded) == len(carried), "loop", len(carried), len(loop.yielded))
        following = self.add_exactly(index, step)
        again = self.icmp("slt", following, high)
        self.cond_br(again, body, exit, (following, *loop.yielded), loop.yielded)
        self.enter(exit)
        loop.results = exit.args

    @contextmanager
    def while_(self, *carried: SSAValue) -> Generator[While]:
        """Steps until a test fails: what comes before `test` is evaluated each time."""
        header = Block(arg_types=[value.type for value in carried])
        self.br(header, *carried)
        self.enter(header)
        loop = While(build=self, carried=header.args, exit=Block())
        yield loop
        _expect(len(loop.yielded) == len(carried), "while", len(carried), len(loop.yielded))
        self.br(header, *loop.yielded)
        self.enter(loop.exit)
        loop.results = loop.carried

    @contextmanager
    def if_(self, condition: SSAValue) -> Generator[If]:
        """What follows happens if the condition holds; `otherwise()` begins what happens if not."""
        choice = If(self, condition)
        yield choice
        choice.close()


def _expect(holds: bool, what: str, wanted: int, given: int) -> None:
    if not holds:
        raise ValueError(f"the {what} has {wanted} values, but {given} are yielded")


def _passed(attribute: str | tuple[str, str]) -> Attribute:
    if isinstance(attribute, str):
        return StringAttr(attribute)
    return ArrayAttr([StringAttr(part) for part in attribute])
