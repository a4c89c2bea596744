"""The declarative half of the loop level: kernels of nests, which say what is computed, not how."""

from abc import ABC
from collections.abc import Sequence
from typing import ClassVar, Self

from xdsl.dialects.builtin import StringAttr, UnitAttr, i1
from xdsl.ir import Attribute, Block, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.irdl.declarative_assembly_format import AttributeVariable, irdl_custom_directive
from xdsl.parser import Parser, UnresolvedOperand
from xdsl.printer import Printer
from xdsl.traits import (
    HasParent,
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

from stepwell.compiler.dialects.define import Bodied, Computation, defined_in
from stepwell.compiler.dialects.llvm.constraints import Same
from stepwell.compiler.dialects.loop.syntax import (
    INDEX,
    Access,
    Function,
    Known,
    Word,
    parse_affine_of,
    parse_axes,
    print_affine,
    print_axes,
)
from stepwell.compiler.dialects.loop.types import (
    AccessAttr,
    BufferType,
    Combine,
    OrderAttr,
    PlanAttr,
)
from stepwell.compiler.dialects.sizes import NumberAttr, SizesAttr

TERMS_AND_RESULTS = {
    Combine.FMA: (2, 1),
    Combine.ARGMAX: (2, 2),
    Combine.ARGMIN: (2, 2),
}


@irdl_op_definition
class KernelOp(Function):
    """One function over buffers: its nests run in order. The last `outputs` arguments are written.

    ```
    loop.kernel @scale<B: 1>(%x: !loop.buffer<[B] x f32>) -> (%y: !loop.buffer<[B] x f32>) { … }
    ```
    """

    name = "loop.kernel"
    plan = opt_prop_def(PlanAttr)
    traits = traits_def(IsolatedFromAbove(), SymbolOpInterface(), NoTerminator())

    @property
    def nests(self) -> "list[NestOp]":
        return [op for op in self.body.block.ops if isinstance(op, NestOp)]

    @property
    def locals(self) -> dict[SSAValue, BufferType]:
        """What the nests leave to each other."""
        ops = self.body.block.ops
        return {op.result: op.result.type for op in ops if isinstance(op, LocalOp)}

    def verify_(self) -> None:
        if any(not isinstance(argument.type, BufferType) for argument in self.arguments):
            raise VerifyException("a kernel's arguments are buffers")
        if self.outputs.data > len(self.arguments):
            raise VerifyException("a kernel writes no more buffers than it has")


@irdl_op_definition
class LocalOp(IRDLOperation):
    """Memory inside one kernel; its plan says where it lies (register, row, tile, arena)."""

    name = "loop.local"
    result = result_def(BufferType)
    assembly_format = "attr-dict `:` type($result)"


class OverAxes(Bodied, ABC):
    """The body for indices of some axes: `[%m : B, %n : 512] { … }`."""

    sizes = prop_def(SizesAttr)

    @property
    def axes(self) -> tuple[SSAValue, ...]:
        return tuple(self.body.block.args)

    def verify_(self) -> None:
        if len(self.axes) != len(self.sizes.data):
            raise VerifyException(f"{len(self.axes)} axes, but {len(self.sizes.data)} sizes")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        print_axes(printer, self.axes, self.sizes.data)
        self.print_body(printer)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        axes, sizes = parse_axes(parser)
        return cls.with_body(parser, axes, properties={"sizes": SizesAttr(sizes)})


@irdl_op_definition
class NestOp(OverAxes):
    """The body for every index of the axes, in any order: `loop.nest [%m : B, %n : 512] { … }`."""

    name = "loop.nest"
    traits = traits_def(NoTerminator(), RecursiveMemoryEffect(), HasParent(KernelOp))


@irdl_op_definition
class YieldOp(IRDLOperation):
    """Ends the body of a fold, a loop or a branch with its values."""

    name = "loop.yield"
    values = var_operand_def()
    traits = traits_def(IsTerminator(), Pure())
    assembly_format = "attr-dict ($values^ `:` type($values))?"


class Combining(IRDLOperation, ABC):
    """Terms that are combined into one."""

    combine = prop_def(StringAttr)

    @property
    def kind(self) -> Combine:
        return Combine(self.combine.data)


@irdl_op_definition
class FoldOp(Combining, OverAxes):
    """The terms of all indices of the reduced axes, combined in the given order.

    ```
    %s = loop.fold fma <serial, 1024> [%k : 784] { …  loop.yield %a, %b : f32, f32 } : f32
    ```
    `fma` takes two terms (their product is added with one rounding); `argmax` and `argmin` take a
    value and an index, and give both; the others take one, or several of one type, each of which
    has an accumulator of its own.
    """

    name = "loop.fold"
    order = prop_def(OrderAttr)
    accumulators = var_result_def()
    traits = traits_def(RecursiveMemoryEffect())

    @property
    def terms(self) -> tuple[SSAValue, ...]:
        last = self.body.block.last_op
        assert isinstance(last, YieldOp)
        return tuple(last.values)

    def verify_(self) -> None:
        super().verify_()
        if self.kind not in TERMS_AND_RESULTS:
            types = [term.type for term in self.terms]
            if len(set(types)) != 1 or types != list(self.accumulators.types):
                raise VerifyException(f"{self.kind} folds each term into a result, of one type all")
            return
        terms, results = TERMS_AND_RESULTS[self.kind]
        if len(self.terms) != terms or len(self.accumulators) != results:
            raise VerifyException(f"{self.kind} folds {terms} term(s) into {results} result(s)")

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.combine.data} ")
        self.order.print_parameter(printer)
        super().print(printer)
        printer.print_string(" : ")
        printer.print_list(self.result_types, printer.print_attribute)

    @classmethod
    def parse(cls, parser: Parser) -> "FoldOp":
        combine = parser.parse_str_enum(Combine)
        order = OrderAttr(OrderAttr.parse_parameter(parser))
        axes, sizes = parse_axes(parser)
        properties = {"combine": StringAttr(combine), "order": order, "sizes": SizesAttr(sizes)}

        def types(_: Block) -> Sequence[Attribute]:
            parser.parse_punctuation(":")
            return parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)

        return cls.with_body(parser, axes, types, properties=properties)


@irdl_op_definition
class ScanOp(OverAxes):
    """The body for every index of the axes in ascending order, with what its prefixes come to.

    ```
    loop.scan [%k : 784] {
      %v = loop.read %x[%i, %k] : f32
      %s = loop.prefix add %v : f32
      loop.write %s, %y[%i, %k] : f32
    }
    ```
    """

    name = "loop.scan"
    traits = traits_def(NoTerminator(), RecursiveMemoryEffect())


@irdl_custom_directive
class CombineWord(Word):
    """`add`, and so on."""

    attribute: AttributeVariable
    WORDS: ClassVar = Combine


@irdl_op_definition
class PrefixOp(Combining):
    """The terms of the scan's positions up to this one, combined in ascending order in one chain
    that starts at the identity, as a `serial` fold of them would."""

    name = "loop.prefix"
    term = operand_def(Same)
    result = result_def(Same)
    traits = traits_def(Pure(), HasParent(ScanOp))
    custom_directives = (CombineWord,)
    assembly_format = "custom<CombineWord>($combine) $term attr-dict `:` type($term)"

    def verify_(self) -> None:
        if self.kind in TERMS_AND_RESULTS:
            raise VerifyException(f"{self.kind} has no prefixes")


@irdl_op_definition
class SortOp(IRDLOperation):
    """The inputs along an axis, in the ascending order of the first, to the outputs.

    Equal keys keep their order, among which are 0 and -0; NaN comes last; i1 and i8 have no sign,
    but for the i8 of a sort that is `signed`.
    ```
    loop.sort %x, %p to %y, %q axis <1> : !loop.buffer<[B, 9] x f32>, … to …
    ```
    """

    name = "loop.sort"
    inputs = var_operand_def(BufferType)
    outputs = var_operand_def(BufferType)
    axis = prop_def(NumberAttr)
    signed = opt_prop_def(UnitAttr)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect(), HasParent(KernelOp))
    assembly_format = (
        "(`signed` $signed^)? $inputs `to` $outputs `axis` $axis attr-dict"
        " `:` type($inputs) `to` type($outputs)"
    )

    def verify_(self) -> None:
        types = [operand.type for operand in self.inputs]
        if not types or types != [operand.type for operand in self.outputs]:
            raise VerifyException("a sort has an output of the same type for each input")
        shapes = {type.shape for type in types if isinstance(type, BufferType)}
        if len(shapes) != 1 or not 0 <= self.axis.data < len(shapes.pop()):
            raise VerifyException("the inputs have one shape, and the axis is one of theirs")


@irdl_op_definition
class ReadOp(IRDLOperation):
    """One element at an affine index; with a condition, zero and no access where it does not hold.

    ```
    %v = loop.read %x[%m, (2) * %h + %kh + -1] where %inside : f32
    ```
    """

    name = "loop.read"
    source = operand_def(BufferType)
    indices = var_operand_def(INDEX)
    condition = opt_operand_def(i1)
    access = prop_def(AccessAttr)
    result = result_def()
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(MemoryReadEffect())
    custom_directives = (Known, Access)
    assembly_format = (
        "custom<Known>($source, type($source)) custom<Access>($access, $indices)"
        " (`where` $condition^)? attr-dict `:` type($result)"
    )


@irdl_op_definition
class WriteOp(IRDLOperation):
    """Stores one element at an affine index: `loop.write %v, %y[%m, %n] : f32`."""

    name = "loop.write"
    value = operand_def()
    target = operand_def(BufferType)
    indices = var_operand_def(INDEX)
    access = prop_def(AccessAttr)
    traits = traits_def(MemoryWriteEffect())
    custom_directives = (Known, Access)
    assembly_format = (
        "$value `,` custom<Known>($target, type($target)) custom<Access>($access, $indices)"
        " attr-dict `:` type($value)"
    )


@irdl_op_definition
class IndexOp(Computation):
    """An affine index, or a size, as a value: `loop.index (2) * %h + -1`, `loop.index 2*B`."""

    name = "loop.index"
    indices = var_operand_def(INDEX)
    access = prop_def(AccessAttr)
    result = result_def(INDEX)

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        print_affine(printer, self.access.data[0], self.indices)

    @classmethod
    def parse(cls, parser: Parser) -> "IndexOp":
        operands: list[UnresolvedOperand] = []
        affine = parse_affine_of(parser, operands)
        return cls.create(
            operands=[parser.resolve_operand(each, INDEX) for each in operands],
            properties={"access": AccessAttr((affine,))},
            result_types=[INDEX],
        )


NEST_OPS = defined_in(__name__, IRDLOperation)
