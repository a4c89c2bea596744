"""From a tensor kernel to a loop kernel: what is stored becomes a nest, the rest is read through.

An op is asked for its scalar at an index, given its operands as functions of an index; to give an
operand's own scalar there, instead of a read from memory, is fusion.
"""

from collections.abc import Mapping, Sequence

from numpy import ndindex
from xdsl.dialects.builtin import UNKNOWN_LOC, LocationAttr, StringAttr
from xdsl.ir import Block, Operation, OpResult, Region, SSAValue

from stepwell.compiler.dialects.construct import append, construct, segments
from stepwell.compiler.dialects.loop.nests import KernelOp as LoopKernel
from stepwell.compiler.dialects.loop.nests import LocalOp, NestOp, ReadOp, WriteOp
from stepwell.compiler.dialects.loop.types import AccessAttr, Affine
from stepwell.compiler.dialects.nd import dtype_of, shape_of
from stepwell.compiler.dialects.sizes import NumberAttr, Range, SizeAttr, SizesAttr, SymbolsAttr
from stepwell.compiler.lower.joined_folds import join_folds
from stepwell.compiler.ops.base import Role, TensorOp, read_through
from stepwell.compiler.ops.host import Host, buffer_of
from stepwell.compiler.ops.indices import Index
from stepwell.compiler.ops.scalars import SCALARS, AxisFactors, Chain, Read, Scalar, Scalars
from stepwell.compiler.ops.structure import KEEP, SPREAD, KernelOp, yielded

Stored = Mapping[SSAValue, Sequence[SSAValue]]
"""Values of one shape, each with the buffers that it is written to."""

Form = tuple[AxisFactors, Chain | None]
"""Into what the axes of a nest are split, and the one that is gone through in order."""


def lower_kernel(kernel: KernelOp, name: str, ranges: Mapping[str, Range]) -> LoopKernel:
    """The loop kernel that computes a tensor kernel; inputs first, then the buffers it writes."""
    region = kernel.body.block
    results = yielded(region)
    types = [buffer_of(value.type) for value in (*region.args, *results)]
    block = Block(arg_types=types)
    for argument, input in zip(block.args, region.args, strict=False):
        argument.name_hint = input.name_hint
    _Kernel(block, region, results).write()
    symbols = {symbol: ranges.get(symbol, (0, None)) for symbol in symbols_of(region)}
    properties = {
        "sym_name": StringAttr(name),
        "symbols": SymbolsAttr.of(symbols),
        "outputs": NumberAttr(len(results)),
    }
    return construct(LoopKernel, (), (), properties, kernel.location, regions=[Region(block)])


class _Kernel:
    """The nests of one kernel, written in the order of the values they store."""

    def __init__(self, block: Block, region: Block, results: Sequence[SSAValue]):
        self.block = block
        self.region = region
        inputs = block.args[: len(region.args)]
        self.memory: dict[SSAValue, SSAValue] = dict(zip(region.args, inputs, strict=True))
        self.targets: dict[SSAValue, list[SSAValue]] = {}
        for value, target in zip(results, block.args[len(region.args) :], strict=True):
            self.targets.setdefault(value, []).append(target)

    def write(self) -> None:
        for value, targets in self.targets.items():
            if not isinstance(value, OpResult):
                self._nest({value: targets}, UNKNOWN_LOC)
        together = self._together()
        for op in self.region.ops:
            if isinstance(op, TensorOp) and op.ROLE is Role.ALONE:
                self._alone(op)
                continue
            for value in op.results:
                stored: Stored = together.get(value, {})
                if KEEP in op.attributes and value not in self.targets:
                    local = construct(LocalOp, (), (buffer_of(value.type),), {}, op.location)
                    append(self.block, local)
                    stored = {value: [local.result]}
                if stored:
                    self._nest(stored, op.location)
                    self.memory.update({value: targets[0] for value, targets in stored.items()})

    def _together(self) -> dict[SSAValue, Stored]:
        """What is yielded, by the last of the values of one shape, which share a nest; contractions
        do not."""
        found: dict[object, dict[SSAValue, Sequence[SSAValue]]] = {}
        for op in self.region.ops:
            apart = op if isinstance(op, TensorOp) and op.ROLE is Role.CONTRACT else None
            for value in op.results:
                if value in self.targets:
                    key = shape_of(value.type), apart
                    found.setdefault(key, {})[value] = self.targets[value]
        return {list(values)[-1]: values for values in found.values()}

    def _alone(self, op: TensorOp) -> None:
        """An op that is the kernel, and has no regions, writes what it does."""
        host = Host(self.block, op.location, [])
        operands = [self.memory[operand] for operand in op.operands]
        op.lower(host, operands, [self.targets[result][0] for result in op.results])

    def _nest(self, stored: Stored, location: LocationAttr) -> None:
        """One nest that stores some values; its axes are split as far as their reshapes ask for,
        one of them is that of a scan if there are prefixes, and folds go side by side."""
        form: Form = {}, None
        while True:
            nest, wanted = self._attempt(stored, location, form)
            if wanted == form:
                join_folds(nest.body.block)
                append(self.block, nest)
                return
            nest.drop_all_references()
            form = wanted

    def _attempt(self, stored: Stored, location: LocationAttr, form: Form) -> tuple[NestOp, Form]:
        block = Block()
        s = Scalars(block, location, *form)
        shape, owners = shape_of(next(iter(stored)).type), {value.owner for value in stored}
        spread = any(isinstance(op, Operation) and SPREAD in op.attributes for op in owners)
        few = shape[-1:] if spread else ()
        at, sizes = s.axes(block, shape[: len(shape) - len(few)])
        with s.along_the_chain():
            for place in ndindex(*(size.static or 0 for size in few)):
                here = *at, *map(Index.of, place)
                scalars = [self._reader(value, s)(here) for value in stored]
                for scalar, targets in zip(scalars, stored.values(), strict=True):
                    for target in targets:
                        _write(s, scalar, target, here)
        properties = {"sizes": SizesAttr(sizes)}
        nest = construct(NestOp, (), (), properties, location, regions=[Region(block)])
        return nest, (s.wanted, s.chain)

    def _reader(self, value: SSAValue, s: Scalars) -> Read:
        """A value as a function of an index: a read from memory, or its op's own scalar."""
        source = self.memory.get(value)
        if source is not None:
            return lambda at: s.once(
                ("read", source, *(index.key for index in at), s.condition),
                lambda: _read(s, source, at, dtype_of(value.type)),
            )
        return read_through(s, value, lambda operand: self._reader(operand, s))


def _read(s: Scalars, source: SSAValue, at: tuple[Index, ...], dtype: str) -> Scalar:
    access, operands = _access(at)
    conditions = [] if s.condition is None else [s.condition.value]
    properties = {"access": access, **segments(1, len(operands), len(conditions))}
    operands = [source, *operands, *conditions]
    return Scalar(s.write(ReadOp, operands, (SCALARS[dtype],), properties).result, dtype)


def _write(s: Scalars, scalar: Scalar, target: SSAValue, at: tuple[Index, ...]) -> None:
    access, operands = _access(at)
    operands = [scalar.value, target, *operands]
    s.write(WriteOp, operands, (), {"access": access})


def _access(at: tuple[Index, ...]) -> tuple[AccessAttr, list[SSAValue]]:
    operands: list[SSAValue] = []
    affines: tuple[Affine, ...] = tuple(index.affine(operands) for index in at)
    return AccessAttr(affines), operands


def symbols_of(block: Block) -> list[str]:
    """The symbols of a block's values and parameters, in the order of the alphabet."""
    types = {argument.type for argument in block.args}
    types.update(result.type for op in block.walk() for result in op.results)
    sizes = {size for type in types for size in shape_of(type)}
    for each in (each for op in block.walk() for each in op.properties.values()):
        sizes.update(each.data if isinstance(each, SizesAttr) else ())
        sizes.update([each.data] if isinstance(each, SizeAttr) else ())
    return sorted({name for size in sizes for name in size.symbols})
