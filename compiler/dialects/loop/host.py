"""The program between kernels: buffers, launches, control flow and ordered effects."""

from collections.abc import Sequence

from xdsl.dialects.builtin import LocationAttr, StringAttr, SymbolRefAttr, i1
from xdsl.ir import SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import (
    IsolatedFromAbove,
    IsTerminator,
    MemoryReadEffect,
    MemoryWriteEffect,
    NoTerminator,
    Pure,
    RecursiveMemoryEffect,
    SymbolOpInterface,
)
from xdsl.utils.exceptions import VerifyException

from stepwell.compiler.dialects.construct import construct
from stepwell.compiler.dialects.define import Computation, defined_in
from stepwell.compiler.dialects.loop.nests import YieldOp
from stepwell.compiler.dialects.loop.syntax import (
    INDEX,
    Access,
    Function,
    parse_carried,
    print_carried,
)
from stepwell.compiler.dialects.loop.types import AccessAttr, Affine, BufferType
from stepwell.compiler.dialects.sizes import BindingsAttr, NumberAttr
from stepwell.runtime.sizes import Size


@irdl_op_definition
class FuncOp(Function):
    """A function over buffers and scalars, with its symbols; it writes the last `outputs` of them.

    An entry point is one, and so is a micro-kernel that several kernels share.
    """

    name = "loop.func"
    traits = traits_def(IsolatedFromAbove(), SymbolOpInterface(), NoTerminator())


@irdl_op_definition
class LaunchOp(IRDLOperation):
    """Runs a kernel or a function: `loop.launch @dense <B = 2*N> (%x, %w, %y) : …`."""

    name = "loop.launch"
    callee = prop_def(SymbolRefAttr)
    bindings = prop_def(BindingsAttr)
    arguments = var_operand_def()
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "$callee $bindings `(` $arguments `)` attr-dict `:` type($arguments)"


@irdl_op_definition
class AllocOp(IRDLOperation):
    """Memory for one value: `share-buffers` may make two one, `assign-buffers` places them."""

    name = "loop.alloc"
    result = result_def(BufferType)
    assembly_format = "attr-dict `:` type($result)"


@irdl_op_definition
class ViewOp(Computation):
    """Part of a buffer, from an affine offset that counts the base's elements.

    ```
    %row = loop.view %x[(784) * %i] : !loop.buffer<[B, 784] x f32> to !loop.buffer<[784] x f32>
    ```
    """

    name = "loop.view"
    base = operand_def(BufferType)
    indices = var_operand_def(INDEX)
    access = prop_def(AccessAttr)
    result = result_def(BufferType)
    custom_directives = (Access,)
    assembly_format = (
        "$base custom<Access>($access, $indices) attr-dict `:` type($base) `to` type($result)"
    )


def view_at(base: SSAValue, offset: Size, type: BufferType, location: LocationAttr) -> ViewOp:
    """Part of a buffer, from so many of its elements on."""
    access = AccessAttr((Affine((), offset),))
    return construct(ViewOp, (base,), (type,), {"access": access}, location)


@irdl_op_definition
class CopyOp(IRDLOperation):
    """Copies a whole buffer into another of the same count and element."""

    name = "loop.copy"
    source = operand_def(BufferType)
    target = operand_def(BufferType)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "$source `,` $target attr-dict `:` type($source) `to` type($target)"


@irdl_op_definition
class WhileOp(IRDLOperation):
    """Repeats the body while the condition holds; both blocks take what is carried.

    The body takes what the condition passes on, too. In a nest each index goes its own way.

    ```
    %last, %spare = loop.while carry(%a = %x : T, %b = %y : T) {
      … loop.condition %c
    } do {
    ^bb0(%now : T, %next : T):
      … loop.yield %next, %now : T, T
    }
    ```
    """

    name = "loop.while"
    initial = var_operand_def()
    final = var_result_def()
    condition = region_def("single_block")
    body = region_def("single_block")
    traits = traits_def(NoTerminator(), RecursiveMemoryEffect())

    @property
    def test(self) -> "ConditionOp":
        last = self.condition.block.last_op
        assert isinstance(last, ConditionOp)
        return last

    @property
    def following(self) -> Sequence[SSAValue]:
        last = self.body.block.last_op
        assert last is not None
        return last.operands

    def verify_(self) -> None:
        carried, passed = list(self.initial.types), list(self.test.passed.types)
        if [*self.condition.block.arg_types] != carried:
            raise VerifyException("both blocks take the carried values")
        if [*self.body.block.arg_types] != [*carried, *passed]:
            raise VerifyException("the body takes what is carried and what is passed on")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        print_carried(printer, self.condition.block.args, self.initial)
        printer.print_region(self.condition, print_entry_block_args=False)
        printer.print_string(" do ")
        printer.print_region(self.body)

    @classmethod
    def parse(cls, parser: Parser) -> "WhileOp":
        carried, initial = parse_carried(parser)
        condition = parser.parse_region(carried)
        parser.parse_keyword("do")
        return cls.create(
            operands=initial,
            result_types=[value.type for value in initial],
            regions=[condition, parser.parse_region()],
        )


@irdl_op_definition
class ConditionOp(IRDLOperation):
    """Ends the condition of a `loop.while`: `loop.condition %c (%x : f32)` passes on a value."""

    name = "loop.condition"
    value = operand_def(i1)
    passed = var_operand_def()
    traits = traits_def(IsTerminator(), Pure())
    assembly_format = "$value (`(` $passed^ `:` type($passed) `)`)? attr-dict"


@irdl_op_definition
class HostOp(IRDLOperation):
    """An ordered effect outside, such as printing: the runtime's callback sees the operands."""

    name = "loop.host"
    site = prop_def(NumberAttr)
    arguments = var_operand_def(BufferType)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "`site` $site `(` $arguments `)` attr-dict `:` type($arguments)"


@irdl_op_definition
class AssertOp(IRDLOperation):
    """Leaves the program with the error of site `site` unless the condition holds."""

    name = "loop.assert"
    site = prop_def(NumberAttr)
    condition = operand_def(i1)
    traits = traits_def(MemoryWriteEffect())
    assembly_format = "$condition `site` $site attr-dict"


@irdl_op_definition
class CustomOp(IRDLOperation):
    """Calls a C symbol, `int32 f(void** buffers, int64* sizes)`, by its address at run time."""

    name = "loop.custom"
    symbol = prop_def(StringAttr)
    arguments = var_operand_def(BufferType)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "$symbol `(` $arguments `)` attr-dict `:` type($arguments)"


HOST_OPS = defined_in(__name__, IRDLOperation)
EFFECTS = (HostOp, AssertOp, CustomOp)
"""Ops that may leave the program with an error."""
TERMINATORS = (YieldOp, ConditionOp)
"""What blocks of loops and branches end with."""
