"""The names within one function of LLVM IR text: values, blocks, and the edges between blocks."""

from collections.abc import Sequence
from typing import cast, final

from xdsl.dialects.builtin import DenseArrayBase, IntegerType
from xdsl.ir import Attribute, Block, BlockArgument, SSAValue

from stepwell.compiler.targets.llvm_constants import type_text
from stepwell.runtime.errors import CompileError


@final
class Texts:
    """The text of each type, found by identity: the llvm level interns its types."""

    def __init__(self) -> None:
        self._types: dict[int, str] = {}
        self._integers: dict[int, Sequence[int]] = {}
        self._kept: list[Attribute] = []  # so that no id is used twice

    def __getitem__(self, type: Attribute) -> str:
        text = self._types.get(id(type))
        if text is None:
            text = self._types[id(type)] = type_text(type)
            self._kept.append(type)
        return text

    def integers(self, array: Attribute) -> Sequence[int]:
        """The elements of a dense array of integers, unpacked once."""
        found = self._integers.get(id(array))
        if found is None:
            self._kept.append(array)
            elements = cast(DenseArrayBase[IntegerType], array).get_values()
            found = self._integers[id(array)] = elements
        return found


@final
class Scope:
    """The names of a function's values; phi nodes gather while its branches are written."""

    def __init__(self, texts: Texts, entry: Block) -> None:
        self.texts = texts
        self.entry = entry
        self.names: dict[int, str] = {}
        self.labels: dict[int, str] = {}
        self.label = ""
        """Of the block that is being written."""
        self.trampolines: list[str] = []
        self._incoming: dict[int, list[str]] = {}
        self._edges: set[tuple[str, int]] = set()
        self._count = 0

    def define(self, value: SSAValue) -> None:
        hint = value.name_hint
        number = self._count
        self.names[id(value)] = f"%{hint}.{number}" if hint else f"%{number}"
        self._count = number + 1

    def stand_in(self, value: SSAValue, text: str) -> None:
        """`value` is a constant, written where it is used; its number stays free."""
        self.names[id(value)] = text
        self._count += 1

    def name_block(self, block: Block) -> None:
        self.labels[id(block)] = f"bb{len(self.labels)}"

    def name(self, value: SSAValue) -> str:
        return self.names[id(value)]

    def typed(self, value: SSAValue) -> str:
        return f"{self.texts[value.type]} {self.names[id(value)]}"

    def typed_list(self, values: Sequence[SSAValue]) -> str:
        return ", ".join([f"{self.texts[v.type]} {self.names[id(v)]}" for v in values])

    def edge(self, target: Block, values: Sequence[SSAValue]) -> str:
        """The label of `target`, to which the current block hands `values`.

        A phi node has one value for each predecessor, so a second edge from the same block goes
        through a block of its own.
        """
        if target is self.entry:
            raise CompileError("SW0252", "a branch to the entry block of a function")
        label = self.labels[id(target)]
        if not target.args:
            return f"label %{label}"
        source = self.label
        if (source, id(target)) in self._edges:
            source = f"{source}.{label}.{len(self.trampolines)}"
            self.trampolines.append(f"{source}:\n  br label %{label}\n")
        self._edges.add((source, id(target)))
        for argument, value in zip(target.args, values, strict=True):
            pair = f"[ {self.names[id(value)]}, %{source} ]"
            self._incoming.setdefault(id(argument), []).append(pair)
        return f"label %{label}" if source is self.label else f"label %{source}"

    def phi(self, argument: BlockArgument) -> str:
        pairs = ", ".join(self._incoming[id(argument)])
        return f"  {self.names[id(argument)]} = phi {self.texts[argument.type]} {pairs}\n"
