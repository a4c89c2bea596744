"""What tensor programs are made of: functions with symbols, their ends, and kernels."""

import abc

from xdsl.dialects.builtin import StringAttr, SymbolNameConstraint, TensorType
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import IsolatedFromAbove, IsTerminator, Pure, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from stepwell.compiler.dialects.define import Bodied
from stepwell.compiler.dialects.loop.syntax import parse_bindings, print_binding
from stepwell.compiler.dialects.nd import symbols_of_tensor
from stepwell.compiler.dialects.sizes import (
    PARENTHESES,
    SymbolsAttr,
    parse_tuple,
)

PRIVATE = "private"
KEEP = "nd.keep"
"""The attribute of an op inside a kernel whose result is stored, for several nests to read."""
SPREAD = "nd.spread"
"""The attribute of a reduction with few results along the last axis: folds of one nest each."""
SEPARATE = "nd.separate"
"""The attribute of a loop that each element goes through by itself."""


DONATED = "donated"
"""The attribute of a function with the numbers of the arguments that its caller gives away."""
NUMERICS = "numerics"
"""The attribute of a function whose results need not have the bits that its ops define: `fast`."""


@irdl_op_definition
class FuncOp(Bodied):
    """A function of tensors, with the symbols that its argument types bind.

    ```
    nd.func @f<B: 1>(%x: tensor<?x3xf32, #nd.info<dims = [B, 3]>>) { …  nd.return %y : … }
    ```
    One that is `private` is there for others to call: it is no entry point.
    """

    name = "nd.func"
    sym_name = prop_def(SymbolNameConstraint())
    sym_visibility = opt_prop_def(StringAttr)
    symbols = prop_def(SymbolsAttr)
    traits = traits_def(IsolatedFromAbove(), SymbolOpInterface())

    @property
    def block(self) -> Block:
        return self.body.block

    @property
    def returned(self) -> tuple[SSAValue, ...]:
        return yielded(self.body.block)

    @property
    def private(self) -> bool:
        return self.sym_visibility is not None

    def verify_(self) -> None:
        if not isinstance(self.body.block.last_op, ReturnOp):
            raise VerifyException("a function ends with nd.return")
        bound = self.symbols.ranges
        values = (value for op in self.walk() for value in (*op.results, *_arguments(op)))
        for value in values:
            for symbol in symbols_of_tensor(value.type) - bound.keys():
                raise VerifyException(f"the symbol {symbol} has no range: nd.func @f<{symbol}: 0>")

    def print(self, printer: Printer) -> None:
        printer.print_string(" private " if self.private else " ")
        printer.print_symbol_name(self.sym_name.data)
        self.symbols.print_parameter(printer)
        with printer.in_parens():
            printer.print_list(self.body.block.args, printer.print_block_argument)
        self.print_body(printer)

    @classmethod
    def parse(cls, parser: Parser) -> "FuncOp":
        private = parser.parse_optional_keyword(PRIVATE)
        properties: dict[str, Attribute] = {
            "sym_name": parser.parse_symbol_name(),
            "symbols": SymbolsAttr(SymbolsAttr.parse_parameter(parser)),
        }
        if private:
            properties["sym_visibility"] = StringAttr(private)
        arguments = parse_tuple(parser, parser.parse_argument, PARENTHESES)
        return cls.with_body(parser, arguments, properties=properties)


def _arguments(op: Operation) -> list[SSAValue]:
    return [value for region in op.regions for block in region.blocks for value in block.args]


class End(IRDLOperation, abc.ABC):
    """Ends a block with its values."""

    values = var_operand_def(TensorType)
    traits = traits_def(IsTerminator(), Pure())
    assembly_format = "attr-dict ($values^ `:` type($values))?"


@irdl_op_definition
class ReturnOp(End):
    """Ends a function with its results."""

    name = "nd.return"


@irdl_op_definition
class YieldOp(End):
    """Ends the region of a tensor op with its values."""

    name = "nd.yield"


@irdl_op_definition
class KernelOp(Bodied):
    """Ops that become one loop kernel. Its results are stored; `keep` marks what is stored inside.

    ```
    %y = nd.kernel(%a = %x : tensor<4xf32>) { …  nd.yield %b : tensor<4xf32> }
    ```
    """

    name = "nd.kernel"
    inputs = var_operand_def(TensorType)
    outputs = var_result_def(TensorType)
    traits = traits_def(IsolatedFromAbove(), Pure())

    def verify_(self) -> None:
        inside = [value.type for value in yielded(self.body.block)]
        if inside != list(self.outputs.types):
            raise VerifyException("a kernel yields what it results in")
        if list(self.inputs.types) != list(self.body.block.arg_types):
            raise VerifyException("a kernel's block takes its operands")

    def print(self, printer: Printer) -> None:
        pairs = tuple(zip(self.body.block.args, self.inputs, strict=True))
        with printer.in_parens():
            printer.print_list(pairs, lambda pair: print_binding(printer, *pair))
        self.print_body(printer)

    @classmethod
    def parse(cls, parser: Parser) -> "KernelOp":
        arguments, operands = parse_bindings(parser)
        return cls.with_body(
            parser, arguments, lambda body: [x.type for x in yielded(body)], operands=operands
        )


def yielded(block: Block) -> tuple[SSAValue, ...]:
    """What the block of a function or of a region ends with."""
    last = block.last_op
    assert isinstance(last, End)
    return tuple(last.values)


def is_fast(op: Operation) -> bool:
    """Whether a function of tensors, or a kernel of loops that it launches, has fast numerics."""
    return op.attributes.get(NUMERICS) == StringAttr("fast")
