"""Emission: the one function that makes tensor ops, with types inferred and the location set."""

import abc
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, cast

from xdsl.dialects.builtin import UNKNOWN_LOC, LocationAttr
from xdsl.ir import Attribute, Block, Data, Operation, Region, SSAValue
from xdsl.irdl import BaseAttr, IRDLOperation
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.utils.exceptions import VerifyException

from stepwell.compiler.dialects.construct import append, construct
from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.nd import Tensor, symbols_of_tensor
from stepwell.runtime.errors import CompileError

Parameters = Mapping[str, Any]


class Inferring(IRDLOperation, abc.ABC):
    """An op whose result types follow from its operands' types, its parameters and its regions."""

    REGISTRY: ClassVar[dict[str, type["Inferring"]]] = {}
    """The ops by mnemonic: our own without `nd.`, those of other dialects by their full names."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        name = cls.__dict__.get("name")
        if isinstance(name, str):
            cls.REGISTRY[cls.mnemonic()] = cls

    @classmethod
    def mnemonic(cls) -> str:
        """The name that `emit` takes."""
        return cls.name.removeprefix("nd.")

    @classmethod
    @abc.abstractmethod
    def infer(cls, *operands: Any, **parameters: Any) -> Sequence[Tensor]:
        """The result types, or a CompileError that names the operand and the sizes."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters by name, as `infer` and `emit` take them."""
        kinds = parameter_kinds(type(self))
        return {name: cast(Any, self.properties[name]).data for name in kinds}

    def verify_(self) -> None:
        for type in (*self.operand_types, *self.result_types):
            symbols_of_tensor(type)
        regions = {"regions": tuple(self.regions)} if self.regions else {}
        try:
            expected = tuple(self.infer(*self.operand_types, **self.parameters, **regions))
        except CompileError as error:
            raise VerifyException(error.sentence) from error
        if expected != tuple(self.result_types):
            raise VerifyException(
                f"{self.name}: expected {', '.join(map(str, expected))}, "
                f"got {', '.join(map(str, self.result_types))}"
            )


@cache
def parameter_kinds(kind: type[IRDLOperation]) -> dict[str, type[Data[Any]]]:
    """The attribute class of each property that is a parameter."""
    definitions = kind.get_irdl_definition().properties
    return {
        name: cast(type[Data[Any]], definition.constr.attr)
        for name, definition in definitions.items()
        if isinstance(definition.constr, BaseAttr) and issubclass(definition.constr.attr, Data)
    }


@dataclass
class Emitter:
    """Where ops go, and the location they get."""

    block: Block
    location: LocationAttr = UNKNOWN_LOC


_CURRENT: ContextVar[Emitter] = ContextVar("emitter")


def current() -> Emitter:
    """The emitter in whose scope this code runs."""
    return _CURRENT.get()


def current_or_none() -> Emitter | None:
    return _CURRENT.get(None)


@contextmanager
def emitting(block: Block, location: LocationAttr = UNKNOWN_LOC) -> Generator[Emitter]:
    """Within this scope, ops go to the end of `block`."""
    emitter = Emitter(block, location)
    token = _CURRENT.set(emitter)
    try:
        yield emitter
    finally:
        _CURRENT.reset(token)


@contextmanager
def emitting_before(op: Operation) -> Generator[None]:
    """Within this scope, ops go before `op`, with its location."""
    with emitting(Block(), op.location) as aside:
        yield
    Rewriter.inline_block(aside.block, InsertPoint.before(op))


@contextmanager
def located(location: LocationAttr) -> Generator[None]:
    """Within this scope, ops get this location."""
    emitter = current()
    outer, emitter.location = emitter.location, location
    try:
        yield
    finally:
        emitter.location = outer


def emit(
    mnemonic: str, operands: Sequence[SSAValue], regions: Sequence[Region] = (), **parameters: Any
) -> Operation:
    """A new op at the end of the current block: ours by mnemonic, others by their full names."""
    emitter = current()
    kind = Inferring.REGISTRY[mnemonic]
    types = [operand.type for operand in operands]
    try:
        given = {**parameters, "regions": tuple(regions)} if regions else parameters
        results = kind.infer(*types, **given)
    except CompileError as error:
        error.where = error.where or source_line(emitter.location)
        raise
    properties = attributes_of(kind, parameters)
    op = construct(kind, operands, results, properties, emitter.location, regions=regions)
    append(emitter.block, op)
    return op


def attributes_of(kind: type[IRDLOperation], parameters: Parameters) -> dict[str, Attribute]:
    """Parameters as the properties that the op declares."""
    kinds = parameter_kinds(kind)
    return {name: kinds[name](value) for name, value in parameters.items()}
