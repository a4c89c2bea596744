"""Calls of functions: with sizes in the place of their symbols, and then as what they do."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.irdl import (
    irdl_attr_definition,
    irdl_op_definition,
    prop_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer

from stepwell.compiler.dialects.define import Bracketed
from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.nd import (
    Literal,
    Tensor,
    TypesAttr,
    dtype_of,
    is_tensor,
    shape_of,
    tensor,
    text_of,
)
from stepwell.compiler.dialects.sizes import BindingsAttr, SymbolsAttr
from stepwell.compiler.ops import creation
from stepwell.compiler.ops.base import (
    Array,
    Gradient,
    Moved,
    Path,
    TensorOp,
    Transforms,
    evaluate,
    refusal,
)
from stepwell.compiler.ops.emission import emit, emitting, emitting_before
from stepwell.compiler.ops.paths import paths
from stepwell.compiler.ops.regions import as_function, close, copied, end_of, replace
from stepwell.compiler.ops.structure import FuncOp, yielded
from stepwell.compiler.ops.value import Value, Zero, emitted, parted, placed, present
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size

T = TypeVar("T")
NONE = Size.of(0)


@dataclass(frozen=True)
class Callee:
    """A function by name; of parsed text it is looked up in the module around the call."""

    name: str
    function: FuncOp | None = field(default=None, compare=False, repr=False)
    derived: dict[Hashable, Any] = field(
        default_factory=dict[Hashable, Any], compare=False, repr=False
    )
    """Its derivatives and batches: each is made once, for all the calls that ask for it."""
    paths: dict[Sequence[Path], Sequence[Path]] = field(
        default_factory=dict[Sequence[Path], Sequence[Path]], compare=False, repr=False
    )
    """The paths from its arguments, by those from its results."""

    def once(self, kind: str, flags: Hashable, make: Callable[["Callee"], T]) -> T:
        """What `make` makes of this function for these flags."""
        if (kind, flags) not in self.derived:
            self.derived[kind, flags] = make(self)
        return self.derived[kind, flags]

    def another(self, kind: str, block: Block, more: Size = NONE) -> "Callee":
        """A private function of a block that was derived from this one's, `@f.kind`.

        Its symbols are this one's, and those of `more`.
        """
        assert self.function is not None
        ranges = {symbol: (0, None) for symbol in sorted(more.symbols)}
        symbols = SymbolsAttr.of({**ranges, **self.function.symbols.ranges})
        number = f"_{len(self.derived)}" if self.derived else ""
        name = f"{self.name}.{kind}{number}"
        location = self.function.location
        return Callee(name, as_function(name, symbols, block, location, private=True))


@dataclass(frozen=True)
class Half:
    """A callee's pullback: what is called instead of it, and then backwards.

    `residuals` says where the residuals are among the operands and the results of `forward`.
    `back` takes them and the cotangents, and gives the cotangents of the operands marked `given`.
    """

    forward: Callee
    back: Callee
    residuals: tuple[int, ...]
    given: tuple[bool, ...]


@irdl_attr_definition
class CalleeAttr(Bracketed[Callee]):
    """`#nd.callee<@f>`; the function rides along and is no part of the text."""

    name = "nd.callee"

    @staticmethod
    def read(parser: AttrParser) -> Callee:
        return Callee(parser.parse_symbol_name().data)

    def write(self, printer: Printer) -> None:
        printer.print_symbol_name(self.data.name)


@irdl_op_definition
class Call(TensorOp):
    """What a function gives for these arguments, with sizes in the place of its symbols.

    ```
    %y = nd.call @f<B = 2*N>(%x) : (tensor<?xf32, …>) -> tensor<?xf32, …>
    ```
    Differentiation and vectorisation make functions of this one, `@f.forward` and `@f.pullback`,
    once for all of its calls; the pass `inline` puts them in place.
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
        return tuple(evaluate(self.target().block, operands))

    def pullback(
        self, transforms: Transforms, wanted: Sequence[bool], *cotangents: Value | Zero
    ) -> Gradient:
        active = tuple(isinstance(each, Value) for each in cotangents)
        half = self._callee().once(
            "pullback",
            (tuple(wanted), active),
            lambda callee: _half(transforms, callee, wanted, active),
        )
        operands = [Value(operand) for operand in self.operands]
        with emitting_before(self):
            values = call(half.forward, operands)
        replace(self, values[: len(active)])
        known = [*operands, *values]
        residuals = [known[position] for position in half.residuals]
        gradients = call(half.back, [*residuals, *present(cotangents)])
        return placed(gradients, half.given, operands)

    def paths(self, *onward: Path) -> Sequence[Path]:
        known = self.callee.data.paths
        if onward not in known:
            known[onward] = paths(self.function().block, onward)
        return known[onward]

    def pushforward(self, transforms: Transforms, *tangents: Value | Zero) -> Moved:
        on = tuple(isinstance(each, Value) for each in tangents)

        def make(callee: Callee) -> tuple[Callee, Sequence[bool]]:
            block, flags = transforms.forward(_block(callee), on)
            return callee.another("tangent", block), flags

        callee, flags = self._callee().once("tangent", on, make)
        return parted(call(callee, [*map(Value, self.operands), *present(tangents)]), flags)

    def vectorised(
        self, transforms: Transforms, size: Size, on: Sequence[bool], *operands: Value
    ) -> tuple[Sequence[Value], Sequence[bool]]:
        def make(callee: Callee) -> tuple[Callee, Sequence[bool]]:
            block, flags = transforms.batch(_block(callee), size, on)
            return callee.another("batched", block, size), flags

        callee, flags = self._callee().once("batched", (size, tuple(on)), make)
        return call(callee, operands), flags

    def _callee(self) -> Callee:
        """The function with this call's sizes in it, and with what was derived from it."""
        callee, function = self.callee.data, self.target()
        return callee if callee.function is function else Callee(callee.name, function)

    def target(self) -> FuncOp:
        """The function: itself, if its symbols stand for themselves, or else a copy."""
        function, sizes = self.function(), self.bindings.sizes
        _expect_fit(function, sizes, self.arguments.types, self.types.data)
        if _same(sizes):
            return function
        used = {symbol: (0, None) for size in sizes.values() for symbol in size.symbols}
        block, name = instance(function.block, sizes), function.sym_name.data
        return as_function(name, SymbolsAttr.of(used), block, function.location, private=True)

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


def call(callee: Callee, operands: Sequence[Value]) -> list[Value]:
    """Calls a function whose symbols stand for themselves here."""
    function = callee.function
    assert function is not None
    bindings = tuple((symbol, Size.of(symbol)) for symbol in function.symbols.ranges)
    types = tuple(Value(value).type for value in function.returned)
    return emitted("call", operands, callee=callee, bindings=bindings, types=types)


def calls_in(op: Operation) -> list[Call]:
    return [inner for inner in op.walk() if isinstance(inner, Call)]


def _half(
    transforms: Transforms, callee: Callee, wanted: Sequence[bool], active: Sequence[bool]
) -> Half:
    """The two halves of a callee; operands and results are residuals without being given again."""
    block = _block(callee)
    half = transforms.split(block, wanted, active)
    known = [*block.args, *yielded(block)]
    more = [value for value in half.residuals if value not in known]
    end_of(block).operands = [*yielded(block), *more]
    places = [*known, *more]
    gradients = yielded(half.back)
    end_of(half.back).operands = [value for value in gradients if not _is_zero(value)]
    found = iter(gradients)
    return Half(
        callee.another("forward", block) if more else callee,
        callee.another("pullback", half.back),
        tuple(places.index(value) for value in half.residuals),
        tuple(want and not _is_zero(next(found)) for want in wanted),
    )


def _block(callee: Callee) -> Block:
    assert callee.function is not None
    return copied(callee.function.block)


def _is_zero(value: SSAValue) -> bool:
    owner = value.owner
    return isinstance(owner, creation.Constant) and owner.value.data == Literal.of(
        0, dtype_of(value.type)
    )


def _same(sizes: Mapping[str, Size]) -> bool:
    """Whether symbols stand for themselves."""
    return all(size == Size.of(symbol) for symbol, size in sizes.items())


def _expect_fit(
    function: FuncOp,
    sizes: Mapping[str, Size],
    arguments: Sequence[Attribute],
    results: Sequence[Attribute],
) -> None:
    """Checks that a function takes and gives these types, with these sizes for its symbols."""
    for what, wanted, given in (
        ("takes", list(function.block.arg_types), arguments),
        ("gives", [value.type for value in function.returned], results),
    ):
        found = wanted if _same(sizes) else [substituted(type, sizes) for type in wanted]
        if found != list(given):
            texts = [f"({', '.join(map(text_of, types))})" for types in (found, given)]
            raise refusal(Call, f"{function.sym_name.data} {what} {texts[0]}, not {texts[1]}")


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
            again = emit(op.mnemonic(), operands, regions, **parameters)
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
