"""A grid's body under construction: a kernel of the GPU, which takes what it uses as parameters."""

from collections.abc import Set
from typing import final

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, IntegerType, UnitAttr
from xdsl.dialects.llvm import AddressOfOp, AllocaOp, GEPOp
from xdsl.ir import Attribute, Block, BlockArgument, SSAValue

from stepwell.compiler.dialects.llvm.memory import GEPOp as VectorGEPOp
from stepwell.compiler.dialects.llvm.memory import MaskedScatterOp, MaskedStoreOp, StoreOp
from stepwell.compiler.dialects.llvm.types import function, i32, i64, ptr, void
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.lower.grids.narrow import narrowed
from stepwell.compiler.lower.loop_to_llvm.frame import Frame, OutlinedFrame
from stepwell.compiler.lower.loop_to_llvm.program import Program
from stepwell.compiler.lower.loop_to_llvm.sizes import at_entry

KERNEL = "nvvm.kernel"
"""MLIR's attribute of a function that a host launches."""
STORES = (StoreOp, MaskedStoreOp, MaskedScatterOp)
PLACES = ("ctaid", "tid", "nctaid", "ntid")
"""LLVM's names of what the arguments of a launch's body are, three of each."""


@final
class GridFrame(OutlinedFrame):
    """What the host's function defines comes as a parameter; pointers that nothing else leads to
    are promised to do so alone."""

    def __init__(
        self, outer: Frame, device: Program, build: LlvmBuilder, body: Block, index: IntegerType
    ) -> None:
        super().__init__(device, build, outer, index=index)
        self._body = body
        self.given: list[SSAValue] = []
        """The host's values, in the order of the parameters."""

    def fetch(self, value: SSAValue) -> SSAValue:
        if value.owner is not self._body or not isinstance(value, BlockArgument):
            return self._resized(super().fetch(value))
        kind, axis = divmod(value.index, 3)
        name = f"llvm.nvvm.read.ptx.sreg.{PLACES[kind]}.{'xyz'[axis]}"
        with at_entry(self.build):
            place = self.build.intrinsic(name, (), i32)
            return place if self.index == i32 else self.build.zext(place, self.index)

    def symbol(self, name: str) -> SSAValue:
        return self._resized(super().symbol(name))

    def type_of(self, value: SSAValue) -> Attribute:
        return narrowed(value.type) if self.index == i32 else super().type_of(value)

    def _resized(self, given: SSAValue) -> SSAValue:
        """An index of the host's as one of the grid's; what is none stays."""
        if given.type != i64 or self.index == i64:
            return given
        with at_entry(self.build):
            return self.build.trunc(given, self.index)

    def hand_over(self, value: SSAValue) -> SSAValue:
        self.given.append(value)
        return self.build.entry.insert_arg(value.type, len(self.given) - 1)

    def close(self) -> None:
        super().close()
        made = self.build.function
        made.properties["function_type"] = function(tuple(each.type for each in self.given), void)
        made.attributes[KERNEL] = UnitAttr()
        stores = (op for op in made.walk() if isinstance(op, STORES))
        written = {_root(op.operands[1]) for op in stores}
        pairs = zip(self.given, self.build.entry.args, strict=True)
        made.properties["arg_attrs"] = ArrayAttr([self._promises(*each, written) for each in pairs])

    def _promises(
        self, value: SSAValue, parameter: SSAValue, written: Set[SSAValue]
    ) -> DictionaryAttr:
        """What LLVM needs to know to read through the cache that is never written."""
        if value.type != ptr or not self._is_alone(value):
            return DictionaryAttr({})
        known = all(_is_known(root, self.build.entry) for root in written)
        names = ["noalias", "readonly"] if known and parameter not in written else ["noalias"]
        return DictionaryAttr({f"llvm.{name}": UnitAttr() for name in names})

    def _is_alone(self, value: SSAValue) -> bool:
        """Whether a pointer begins where one of the function's arguments does that is alone, and
        no other pointer given leads there."""
        root, host = _root(value), self.outer.build
        roots = [_root(each) for each in self.given if each.type == ptr]
        if roots.count(root) > 1 or any(each not in host.arguments for each in roots):
            return False
        attributes = host.function.arg_attrs
        assert attributes is not None
        assert isinstance(root, BlockArgument)
        return "llvm.noalias" in attributes.data[root.index].data


def _is_known(root: SSAValue, entry: Block) -> bool:
    """Whether a pointer is a parameter, or leads to memory of the thread's own, or of its block."""
    return root.owner is entry or isinstance(root.owner, AllocaOp | AddressOfOp)


def _root(pointer: SSAValue) -> SSAValue:
    """Where the memory of a pointer begins, as far as that can be seen."""
    while isinstance(pointer.owner, GEPOp | VectorGEPOp):
        pointer = pointer.owner.operands[0]
    return pointer
