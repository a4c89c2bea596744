"""Calls of functions: with sizes in the place of their symbols, and then as what they do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Attribute, Block, Data, Region, SSAValue
from xdsl.irdl import (
    irdl_attr_definition,
    irdl_op_definition,
    prop_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer

from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.nd import (
    Tensor,
    TypesAttr,
    dtype_of,
    is_tensor,
    shape_of,
    tensor,
    text_of,
)
from stepwell.compiler.dialects.sizes import BindingsAttr
from stepwell.compiler.ops.base import Array, Gradient, TensorOp, Transforms, evaluate, expect
from stepwell.compiler.ops.control import floating, select
from stepwell.compiler.ops.emission import emit, emitting, emitting_before
from stepwell.compiler.ops.regions import close, inline, replace
from stepwell.compiler.ops.structure import FuncOp
from stepwell.compiler.ops.value import Value, Zero, dense
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size


@dataclass(frozen=True)
class Callee:
    """A function by name; of parsed text it is looked up in the module around the call."""

    name: str
    function: FuncOp | None = field(default=None, compare=False, repr=False)


@irdl_attr_definition
class CalleeAttr(Data[Callee]):
    """`#nd.callee<@f>`; the function rides along and is no part of the text."""

    name = "nd.callee"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Callee:
        with parser.in_angle_brackets():
            return Callee(parser.parse_symbol_name().data)

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_symbol_name(self.data.name)


@irdl_op_definition
class Call(TensorOp):
    """What a function gives for these arguments, with sizes in the place of its symbols.

    ```
    %y = nd.call @f<B = 2*N>(%x) : (tensor<?xf32, …>) -> tensor<?xf32, …>
    ```
    Differentiation and vectorisation look into the function; the pass `inline` puts it in place.
    """

    name = "nd.call"
    arguments = var_operand_def(TensorType)
    callee = prop_def(CalleeAttr)
    bindings = prop_def(BindingsAttr)
    types = prop_def(TypesAttr)
    outputs = var_result_def(TensorType)

    @classmethod
    def infer(
        cls,
        *arguments: Tensor,
        callee: Callee,
        bindings: tuple[tuple[str, Size], ...],
        types: tuple[Tensor, ...],
    ) -> Sequence[Tensor]:
        if callee.function is not None:
            _expect_fit(callee.function, dict(bindings), arguments, types)
        return types

    def body(self) -> Block:
        """What is called, as a closed program of its own."""
        function, sizes = self.function(), self.bindings.sizes
        _expect_fit(function, sizes, self.arguments.types, self.types.data)
        return instance(function.block, sizes)

    def function(self) -> FuncOp:
        """The function, or CompileError SW0213."""
        callee, module = self.callee.data, self.get_toplevel_object()
        known = module.ops if isinstance(module, ModuleOp) else ()
        named = (op for op in known if isinstance(op, FuncOp) and op.sym_name.data == callee.name)
        if (function := callee.function or next(named, None)) is None:
            sentence = f"there is no function {callee.name} to call"
            raise CompileError("SW0213", sentence, where=source_line(self.location))
        return function

    def reference(self, *operands: Array) -> tuple[Array, ...]:
        return tuple(evaluate(self.body(), operands))

    def pullback(
        self, transforms: Transforms, wanted: Sequence[bool], *cotangents: Value | Zero
    ) -> Gradient:
        body, active, count = self.body(), floating(self.results), len(self.results)
        half = transforms.split(body, wanted, active)
        last = body.last_op
        assert last is not None
        last.operands = [*last.operands, *half.residuals]
        types = [Value(operand).type for operand in self.operands]
        with emitting_before(self):
            values = inline(body, [Value(operand) for operand in self.operands])
        replace(self, values[:count])
        seeds = [dense(each) for each in select(active, cotangents)]
        gradients = iter(inline(half.back, [*values[count:], *seeds]))
        return [
            next(gradients) if want else Zero(type)
            for want, type in zip(wanted, types, strict=True)
        ]

    def pushforward(
        self, transforms: Transforms, *tangents: Value | Zero
    ) -> tuple[Sequence[SSAValue], Gradient]:
        on = [isinstance(each, Value) for each in tangents]
        block, flags = transforms.forward(self.body(), on)
        given = [t for t in tangents if isinstance(t, Value)]
        values = inline(block, [*map(Value, self.operands), *given])
        found = iter(values[len(flags) :])
        results = values[: len(flags)]
        return [value.ssa for value in results], [
            next(found) if flag else Zero(value.type)
            for flag, value in zip(flags, results, strict=True)
        ]

    def vectorised(
        self, transforms: Transforms, size: Size, on: Sequence[bool], *operands: Value
    ) -> tuple[Sequence[Value], Sequence[bool]]:
        block, flags = transforms.batch(self.body(), size, on)
        return inline(block, operands), flags

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.callee.data.name)
        self.bindings.print_parameter(printer)
        printer.print_operands(self.operands)
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        printer.print_operation_type(self)

    @classmethod
    def parse(cls, parser: Parser) -> "Call":
        callee = CalleeAttr(Callee(parser.parse_symbol_name().data))
        bindings = BindingsAttr(BindingsAttr.parse_parameter(parser))
        arguments = parser.parse_comma_separated_list(
            parser.Delimiter.PAREN, parser.parse_unresolved_operand
        )
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        type = parser.parse_function_type()
        types = TypesAttr(tuple(each for each in type.outputs if is_tensor(each)))
        return cls.create(
            operands=parser.resolve_operands(arguments, type.inputs.data, parser.pos),
            result_types=types.data,
            properties={"callee": callee, "bindings": bindings, "types": types},
            attributes=attributes,
        )


def _expect_fit(
    function: FuncOp,
    sizes: Mapping[str, Size],
    arguments: Sequence[Attribute],
    results: Sequence[Attribute],
) -> None:
    """Checks that a function takes and gives these types, with these sizes for its symbols."""
    for what, wanted, given in (
        ("takes", [value.type for value in function.arguments], arguments),
        ("gives", [value.type for value in function.returned], results),
    ):
        found = [substituted(type, sizes) for type in wanted]
        texts = [f"({', '.join(map(text_of, types))})" for types in (found, given)]
        sentence = f"{function.sym_name.data} {what} {texts[0]}, not {texts[1]}"
        expect(found == list(given), Call, sentence)


def instance(block: Block, sizes: Mapping[str, Size]) -> Block:
    """A closed block, or that of a function, with sizes in the place of its symbols."""
    result = Block(arg_types=[substituted(argument.type, sizes) for argument in block.args])
    copies: dict[SSAValue, SSAValue] = dict(zip(block.args, result.args, strict=True))
    for op in block.ops:
        operands = [copies[operand] for operand in op.operands]
        with emitting(result, op.location):
            if op is block.last_op:
                close(result, operands)
                break
            assert isinstance(op, TensorOp)
            regions = [Region(instance(region.block, sizes)) for region in op.regions]
            parameters = {name: substituted(each, sizes) for name, each in op.parameters.items()}
            if isinstance(op, Call):
                parameters["callee"] = Callee(op.callee.data.name, op.function())
            again = emit(op.name.removeprefix("nd."), operands, regions, **parameters)
        copies.update(zip(op.results, again.results, strict=True))
    return result


def substituted(value: Any, sizes: Mapping[str, Size]) -> Any:
    """A parameter or a type with sizes in the place of symbols."""
    if isinstance(value, Size):
        return value.substitute(sizes)
    if isinstance(value, tuple):
        return tuple(substituted(each, sizes) for each in cast(tuple[Any, ...], value))
    if isinstance(value, Attribute) and is_tensor(value):
        return tensor(dtype_of(value), substituted(shape_of(value), sizes))
    return value
