"""The catalogue of tensor ops as test cases: each op with its samples and variants of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from xdsl.ir import Block, Operation, Region

from arrays import Array, smooth
from op_samples import domain, plain_samples
from programs import block_of
from region_samples import REGION_SAMPLES, Program
from stepwell.compiler.dialects.nd import Tensor, dtype_of, shape_of, tensor, text_of
from stepwell.compiler.dialects.sizes import Shape, SizeAttr, SizesAttr
from stepwell.compiler.ops.base import TensorOp
from stepwell.compiler.ops.emission import emit, parameter_kinds
from stepwell.compiler.ops.regions import written
from stepwell.compiler.ops.structure import yielded
from stepwell.compiler.ops.value import Value
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size
from tensor_types import tensor_of

Resize: TypeAlias = Callable[[Size], Size]


@dataclass(frozen=True)
class Case:
    """An op with the types of its operands, its parameters and its regions."""

    kind: type[TensorOp]
    types: tuple[Tensor, ...]
    parameters: Mapping[str, Any]
    regions: tuple[Program, ...] = ()

    def __str__(self) -> str:
        operands = ", ".join(map(text_of, self.types))
        rest = "".join(f" {name}={_text(value)}" for name, value in self.parameters.items())
        return f"{self.kind.name}({operands}){rest}"

    @property
    def accepted(self) -> bool:
        """Whether the type rule has a result for it; ops with regions are as they were written."""
        try:
            return bool(self.regions) or self.kind.infer(*self.types, **self.parameters) is not None
        except CompileError:
            return False

    def op(self, *operands: Value) -> Operation:
        """The op on these operands, at the end of the current block."""
        regions = [_region(each) for each in self.regions]
        given = [x.ssa for x in operands]
        return emit(mnemonic(self.kind), given, regions, **self.parameters)

    def write(self, *operands: Value) -> list[Value]:
        return list(map(Value, self.op(*operands).results))

    def block(self) -> Block:
        """A program of this op alone."""
        return block_of(self.types, self.write)

    @property
    def result_types(self) -> list[Tensor]:
        return [Value(result).type for result in yielded(self.block())]

    def arrays(self, seed: int = 0) -> list[Array]:
        """Operands in the op's domain."""
        return smooth(self.types, domain(self.kind), seed)

    def resized(self, change: Resize) -> "Case":
        """Other sizes in the operands' types and in the parameters."""
        types = tuple(_resized(type, change) for type in self.types)
        kinds = parameter_kinds(self.kind)
        given = {k: _changed(kinds[k], v, change) for k, v in self.parameters.items()}
        return replace(self, types=types, parameters=given)

    def with_dtype(self, dtype: str, wanted: str) -> "Case":
        """The operands of `dtype` in the dtype that is wanted."""
        types = [
            tensor(wanted, shape_of(type)) if dtype_of(type) == dtype else type
            for type in self.types
        ]
        return replace(self, types=tuple(types))


def mnemonic(kind: type[TensorOp]) -> str:
    """The op's name as `emit` takes it."""
    return kind.name.removeprefix("nd.")


def samples(kind: type[TensorOp]) -> list[Case]:
    """The op's samples, without regions and with."""
    plain = [_case(kind, types, given, ()) for types, given in plain_samples(kind)]
    return plain + [
        _case(kind, each.types, each.parameters, each.regions)
        for each in REGION_SAMPLES.get(mnemonic(kind), ())
    ]


def sized(case: Case) -> Iterator[Case]:
    """The sample with each of its sizes made 0 and 1, as far as the type rule accepts that."""
    for old in sizes_in(case.types):
        for new in (0, 1):
            changed = case.resized(lambda size, old=old, new=new: _swap(size, old, Size.of(new)))
            if not case.regions and old != Size.of(new) and changed.accepted:
                yield changed


def symbolic(case: Case) -> list[tuple[Case, dict[str, int]]]:
    """The sample with symbols for as many of its sizes as the type rule accepts.

    With the values that the symbols stand for, and with each of them 0 and 1.
    """
    values: dict[str, int] = {}
    changed = case
    for old in [] if case.regions else sizes_in(case.types):
        name = "BSKTUVW"[len(values)]
        trial = changed.resized(lambda size, old=old, name=name: _swap(size, old, Size.of(name)))
        if old.static is not None and trial.accepted:
            changed, values = trial, {**values, name: old.static}
    trials = [values, *({**values, name: number} for name in values for number in (0, 1))]
    return [(changed, each) for each in trials if values and with_values(changed, each).accepted]


def with_values(case: Case, values: Mapping[str, int]) -> Case:
    """A symbolic case with values for its symbols."""
    sizes = {symbol: Size.of(value) for symbol, value in values.items()}
    return case.resized(lambda size: size.substitute(sizes))


def sizes_in(types: Sequence[Tensor]) -> list[Size]:
    """The different sizes of some types, in order."""
    return list(dict.fromkeys(size for type in types for size in shape_of(type)))


def in_every_dtype(case: Case) -> Iterator[Case]:
    """The sample in each dtype that the type rule accepts instead of the first operand's."""
    if case.types and not case.regions:
        first = dtype_of(case.types[0])
        for wanted in ("bool", "i8", "i32", "i64", "u8", "f16", "bf16", "f32", "f64"):
            changed = case.with_dtype(first, wanted)
            if changed.accepted:
                yield changed


def distinct(cases: Iterable[Case]) -> list[Case]:
    return list({str(case): case for case in cases}.values())


def functions(cases: Iterable[tuple[Case, object]]) -> tuple[list[Block], list[str]]:
    """The programs of cases, of which one with other values is none of its own; and for each case
    what its function in a module of them is called."""
    found: dict[object, tuple[str, Block]] = {}
    names: list[str] = []
    for case, _ in cases:
        key = str(case), *map(id, case.regions)
        if key not in found:
            found[key] = f"f{len(found)}", case.block()
        names.append(found[key][0])
    return [block for _, block in found.values()], names


def _case(
    kind: type[TensorOp],
    types: Sequence[str],
    given: Mapping[str, Any],
    regions: Sequence[Program],
) -> Case:
    """Sizes among the parameters may be numbers."""
    kinds = parameter_kinds(kind)
    case = Case(kind, tuple(map(tensor_of, types)), given, tuple(regions))
    return replace(case, parameters={k: _changed(kinds[k], v, Size.of) for k, v in given.items()})


def _text(value: object) -> str:
    return f"({', '.join(map(str, value))})" if isinstance(value, tuple) else str(value)


def _changed(kind: type[Any], value: Any, change: Resize) -> Any:
    if kind is SizesAttr:
        return tuple(change(Size.of(each)) for each in value)
    return change(Size.of(value)) if kind is SizeAttr else value


def _resized(type: Tensor, change: Resize) -> Tensor:
    shape: Shape = tuple(change(size) for size in shape_of(type))
    return tensor(dtype_of(type), shape)


def _swap(size: Size, old: Size, new: Size) -> Size:
    return new if size == old else size


def _region(program: Program) -> Region:
    return written(
        [tensor_of(each) for each in program.takes],
        lambda arguments: program.write(*arguments),
    )
