"""The program between kernels: what ops that are no function of an index are lowered with."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from xdsl.dialects.builtin import i1, i8
from xdsl.ir import Attribute, Block, Region, SSAValue

from stepwell.compiler.dialects.construct import segments
from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.loop.explicit import ForOp, IfOp, LoadOp, StoreOp
from stepwell.compiler.dialects.loop.host import AllocOp, CopyOp, ViewOp
from stepwell.compiler.dialects.loop.nests import YieldOp
from stepwell.compiler.dialects.loop.sites import SiteAttr
from stepwell.compiler.dialects.loop.syntax import INDEX
from stepwell.compiler.dialects.loop.types import AccessAttr, BufferType, buffer
from stepwell.compiler.dialects.nd import dtype_of, is_tensor, shape_of, ui8
from stepwell.compiler.dialects.sizes import NumberAttr
from stepwell.compiler.ops.indices import ZERO, Index, linear
from stepwell.compiler.ops.scalars import Scalar, Scalars, Writer, scalar_type
from stepwell.runtime.dtypes import BY_NAME
from stepwell.runtime.entry import ArrayType, Site, SiteKind
from stepwell.runtime.sizes import Size

LowerBlock = Callable[["Host", Block, Sequence[SSAValue], Sequence[SSAValue]], None]


def buffer_of(type: Attribute) -> BufferType:
    """Where a tensor of this type lies; the loop level has no unsigned types."""
    assert is_tensor(type)
    element = type.element_type
    return buffer(shape_of(type), i8 if element == ui8 else element)


@dataclass(eq=False)
class Host(Writer):
    """Writes host code at the end of a block. Tensors are buffers, made before they are filled."""

    sites: list[SiteAttr]
    lower_block: LowerBlock | None = None

    def alloc(self, type: BufferType) -> SSAValue:
        """Memory for one value."""
        return self.write(AllocOp, (), (type,)).results[0]

    def load(self, source: SSAValue, element: Attribute, offset: Index | int = 0) -> SSAValue:
        """One element of a buffer as a scalar, or consecutive ones as a vector."""
        operands = [source, self.index(offset)]
        return self.write(LoadOp, operands, (element,), segments(1, 1, 0)).results[0]

    def element(
        self, source: SSAValue, dtype: str, offset: Index | int = 0, lanes: int = 1
    ) -> Scalar:
        """One element of a buffer, or several, as a number to compute with."""
        return Scalar(self.load(source, scalar_type(dtype, lanes), offset), dtype)

    def store(self, value: Scalar, target: SSAValue, offset: Index | int = 0) -> None:
        """Writes one element of a buffer."""
        operands = [value.value, target, self.index(offset)]
        self.write(StoreOp, operands, (), segments(1, 1, 1, 0))

    def reader(self, source: SSAValue, type: Attribute) -> Callable[[tuple[Index, ...]], Scalar]:
        """A tensor of this type in a buffer as a function of an index."""
        shape, dtype = shape_of(type), dtype_of(type)
        return lambda at: self.element(source, dtype, linear(at, shape))

    def scalars(self, lanes: int = 1) -> Scalars:
        """Writes numbers at the end of the current block."""
        return Scalars(self.block, self.location, lanes=lanes)

    def truth(self, source: SSAValue) -> SSAValue:
        """The element of a boolean of rank 0."""
        return self.load(source, i1)

    def view(self, base: SSAValue, offset: Index | Size | int, type: BufferType) -> SSAValue:
        """Part of a buffer, `offset` elements from its start."""
        if type == base.type:
            return base
        operands: list[SSAValue] = []
        access = AccessAttr((Index.of(offset).affine(operands),))
        return self.write(ViewOp, [base, *operands], (type,), {"access": access}).results[0]

    def copy(self, source: SSAValue, target: SSAValue) -> None:
        self.write(CopyOp, [source, target])

    def block_into(
        self, block: Block, arguments: Sequence[SSAValue], results: Sequence[SSAValue]
    ) -> None:
        """The ops of a region here: these buffers are its arguments, what it yields fills those."""
        assert self.lower_block is not None
        self.lower_block(self, block, arguments, results)

    def site(self, kind: SiteKind, text: str, types: Sequence[Attribute]) -> NumberAttr:
        """A new place with an effect, which the artifact's manifest describes."""
        operands = [ArrayType(BY_NAME[dtype_of(type)], shape_of(type)) for type in types]
        place = source_line(self.location)
        self.sites.append(SiteAttr(Site(kind, text, tuple(operands), place)))
        return NumberAttr(len(self.sites) - 1)

    @contextmanager
    def counting(self, count: Size, first: Size = ZERO, step: int = 1) -> Generator[Index]:
        """A loop from `first` to `count`, as an index; its body is written within this scope."""
        if first + 1 == count:
            yield Index.of(first)
            return
        body = Block(arg_types=[INDEX])
        operands = [self.index(first), self.index(count)]
        self.write(ForOp, operands, (), {"step": NumberAttr(step)}, [Region(body)])
        with self.within(body):
            yield Index.axis(body.args[0])
            self.write(YieldOp)

    @contextmanager
    def where(self, condition: Scalar) -> Generator[None]:
        """What is written within this scope runs only if the condition holds."""
        then, otherwise = Block(), Block()
        self.write(IfOp, [condition.value], (), {}, [Region(then), Region(otherwise)])
        with self.within(otherwise):
            self.write(YieldOp)
        with self.within(then):
            yield
            self.write(YieldOp)
