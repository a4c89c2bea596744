"""Tensor programs for tests, written as blocks, and run at every level."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from io import StringIO
from typing import Any, Final, TypeAlias
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr, UnknownLoc
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.parser import Parser
from xdsl.printer import Printer

from stepwell.compiler import pipeline
from stepwell.compiler.dialects.construct import append, construct
from stepwell.compiler.dialects.locations import file_location, source_line
from stepwell.compiler.dialects.loop.host import FuncOp as LoopFunc
from stepwell.compiler.dialects.nd import Tensor, dtype_of, numpy_dtype, shape_of
from stepwell.compiler.dialects.sizes import Range, SymbolsAttr
from stepwell.compiler.interpret.loops import run_function
from stepwell.compiler.interpret.loops.values import dtype_of as memory_dtype
from stepwell.compiler.interpret.loops.values import fresh
from stepwell.compiler.interpret.tensors import run
from stepwell.compiler.lower.tensor_to_loop import CONSTANTS
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.ops.emission import emitting
from stepwell.compiler.ops.regions import inline, written_block
from stepwell.compiler.ops.structure import FuncOp, ReturnOp
from stepwell.compiler.ops.value import Value
from stepwell.compiler.targets.cpu import host
from stepwell.compiler.targets.support import support_object
from stepwell.compiler.tuning.plans import NONE
from stepwell.runtime import program
from stepwell.runtime.dtypes import BY_NAME, BY_NUMPY
from stepwell.runtime.entry import Argument, ArrayType, Entry, Result, SizeRange
from stepwell.runtime.manifest import Manifest, Target
from stepwell.runtime.model import Model
from stepwell.runtime.sizes import Size
from stepwell.runtime.tree import Items, Leaf

Array: TypeAlias = NDArray[Any]
Write: TypeAlias = Callable[..., Sequence[Value]]
LOCATION = file_location("sample.py", 7, 4)
"""Where every program of the tests is from."""


def block_of(types: Sequence[Tensor], write: Write) -> Block:
    """A closed block over arguments of these types, which yields what `write` makes of them."""
    with emitting(Block(), LOCATION):
        return written_block(types, lambda arguments: write(*arguments))


def transformed(write: Callable[[], Any]) -> Any:
    """What a transform gives, with the location of the tests' programs."""
    with emitting(Block(), LOCATION):
        return write()


def function_of(
    block: Block, name: str = "main", ranges: Mapping[str, Range] | None = None
) -> FuncOp:
    """A block as a function; symbols are 0 or more where `ranges` does not tell."""
    body = Block(arg_types=block.arg_types)
    with emitting(body, LOCATION):
        values = inline(block, list(map(Value, body.args)))
        append(body, construct(ReturnOp, [value.ssa for value in values], (), {}, LOCATION))
    found = {s for type in block.arg_types for size in shape_of(type) for s in size.symbols}
    limits = {symbol: (ranges or {}).get(symbol, (0, None)) for symbol in sorted(found)}
    properties = {"sym_name": StringAttr(name), "symbols": SymbolsAttr.of(limits)}
    function = construct(FuncOp, (), (), properties, LOCATION)
    function.add_region(Region(body))
    return function


def module_of(*blocks: Block, ranges: Mapping[str, Range] | None = None) -> ModuleOp:
    """A module of the blocks as functions @f0, @f1, …"""
    functions = [function_of(block, f"f{n}", ranges) for n, block in enumerate(blocks)]
    module = ModuleOp(functions)
    module.location = LOCATION
    return module


def sizes_of(function: FuncOp, arrays: Sequence[Array]) -> dict[str, int]:
    """The symbols of a function, which its arguments' shapes hold by themselves."""
    return {
        str(size): extent
        for argument, array in zip(function.block.args, arrays, strict=True)
        for size, extent in zip(shape_of(argument.type), array.shape, strict=True)
        if str(size) in size.symbols
    }


def by_reference(module: ModuleOp, name: str, arrays: Sequence[Array]) -> list[Array]:
    """The results of a function of the tensor level, by the references of its ops."""
    return [np.asarray(value) for value in run(function_named(module, name), arrays)]


def function_named(module: ModuleOp, name: str) -> FuncOp:
    functions = (op for op in module.ops if isinstance(op, FuncOp))
    return next(op for op in functions if op.sym_name.data == name)


class Interpreter:
    """The functions of a module, lowered as far as a stage and run in the loop interpreter."""

    def __init__(self, module: ModuleOp, stage: str = "nests", machine: Machine | None = None):
        self.sources = {op.sym_name.data: op for op in module.ops if isinstance(op, FuncOp)}
        self.module = module.clone()
        pipeline.run_stages(self.module, machine or host(), stage)
        found = (op for op in self.module.ops if isinstance(op, LoopFunc))
        self.functions = {op.sym_name.data: op for op in found}

    def __call__(
        self,
        name: str,
        arrays: Sequence[Array],
        host: Callable[[int, Sequence[Array]], None] = lambda site, operands: None,
    ) -> list[Array]:
        function, sizes = self.functions[name], sizes_of(self.sources[name], arrays)
        inputs = [array.copy() for array in arrays]
        constants = [each.data.values for each in function.attributes.get(CONSTANTS, ArrayAttr([]))]
        results = [
            fresh(
                [size.evaluate(sizes) for size in argument.type.shape], memory_dtype(argument.type)
            )
            for argument in function.arguments[len(inputs) + len(constants) :]
        ]
        run_function(self.module, name, [*inputs, *constants, *results], sizes, host)
        for given, after in zip(arrays, inputs, strict=True):
            assert given.tobytes() == after.tobytes(), "an argument was written"
        returned = self.sources[name].returned
        return [
            array.view(numpy_dtype(dtype_of(value.type))) if array.dtype == np.uint8 else array
            for array, value in zip(results, returned, strict=False)
        ]


def compiled(module: ModuleOp, machine: Machine | None = None) -> Model:
    """The functions of a module as machine code."""
    machine = machine or host()
    functions = [op for op in module.ops if isinstance(op, FuncOp) and not op.private]
    image = pipeline.compile_module(module.clone(), machine)
    constants = (each for found in image.constants.values() for each in found)
    weights = {each.sha: each.values for each in constants if each.values is not None}
    entries = {f.sym_name.data: _entry(f, image, weights) for f in functions}
    target = Target(machine.name, machine.architecture, machine.features, "o", image.workspace, "p")
    manifest = Manifest("test", entries, (target,))
    return Model(manifest, image.code, weights, pool=_pool(machine))


GUARD = 128
"""Bytes before and behind each result of `guarded`, of which none may change."""


@contextmanager
def guarded() -> Iterator[None]:
    """Code that writes beside its results within this scope is an error."""
    places: list[Array] = []

    def empty(shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
        count = math.prod(shape) * dtype.itemsize
        places.append(np.full(count + 2 * GUARD, 0xA5, np.uint8))
        return places[-1][GUARD : GUARD + count].view(dtype).reshape(shape)

    with mock.patch.object(program, "empty", empty):
        yield
    for place in places:
        beside = np.concatenate([place[:GUARD], place[-GUARD:]])
        assert (beside == 0xA5).all(), "bytes beside a result were written"


@cache
def _pool(machine: Machine) -> bytes:
    return support_object(machine)


def _entry(function: FuncOp, image: pipeline.Image, weights: Mapping[str, Array]) -> Entry:
    name = function.sym_name.data
    inputs = [
        Argument("input", f"x{n}", _array_type(value))
        for n, value in enumerate(function.block.args)
    ]
    constants = [
        Argument("constant", each.sha[:8], _type_like(weights[each.sha]), each.sha)
        for each in image.constants[name]
    ]
    results = [Result(f"y{n}", _array_type(value)) for n, value in enumerate(function.returned)]
    return Entry(
        symbol=name,
        parameters=tuple(each.name for each in inputs),
        arguments=(*inputs, *constants),
        results=tuple(results),
        sizes=tuple(SizeRange(name, *limits) for name, limits in function.symbols.data),
        inputs=Items("tuple", tuple(map(Leaf, range(len(inputs))))),
        outputs=Items("tuple", tuple(map(Leaf, range(len(results))))),
        sites=image.sites[name],
        imports=image.imports[name],
        effects=bool(image.sites[name] or image.imports[name]),
    )


def _array_type(value: SSAValue) -> ArrayType:
    return ArrayType(BY_NAME[dtype_of(value.type)], shape_of(value.type))


def _type_like(array: Array) -> ArrayType:
    return ArrayType(BY_NUMPY[array.dtype], tuple(map(Size.of, array.shape)))


def stages(module: ModuleOp, machine: Machine | None = None) -> Iterator[tuple[str, ModuleOp]]:
    """The module after each pass of each stage, by the names of both."""
    module = module.clone()
    yield "tensor", module
    level = pipeline.level_of(machine or host()).name
    for stage, passes in pipeline.STAGES:
        for each in passes(level, NONE):
            each.apply(Context(), module)
            yield f"{stage}: {each.name}", module


@contextmanager
def named(what: object) -> Iterator[None]:
    """An error within this scope says what it was about."""
    try:
        yield
    except Exception as error:
        error.add_note(str(what))
        raise


# What every stage's module must be.


def parsed(text: str) -> ModuleOp:
    module = Parser(pipeline.context(), text).parse_module()
    module.verify()
    return module


_read_again: Final = set[tuple[bool, bytes]]()
"""Hashes of texts, and whether they are generic."""


def expect_round_trip(module: Operation) -> None:
    """The text, short and generic, reads as the same module. Many passes change nothing: what was
    read and printed again once is not once more."""
    for generic in (False, True):
        text = printed(module, generic)
        key = generic, sha256(text.encode()).digest()
        if key not in _read_again:
            again = parsed(text)
            assert printed(again, generic) == text
            _read_again.add(key)


def printed(module: Operation, generic: bool = False) -> str:
    stream = StringIO()
    Printer(stream, print_generic_format=generic).print_op(module)
    return stream.getvalue()


def unlocated(module: Operation) -> list[str]:
    """The ops that lead back to no line of the user's."""
    return [
        op.name
        for op in module.walk()
        if isinstance(op.location, UnknownLoc) or source_line(op.location) is None
    ]
