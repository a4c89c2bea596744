"""Matrices of 8 by 8 elements of 16 bits, which a warp holds together, and their products."""

from typing import ClassVar

from xdsl.dialects.builtin import UnitAttr
from xdsl.irdl import (
    AnyAttr,
    IRDLOperation,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect
from xdsl.utils.exceptions import VerifyException

from stepwell.compiler.dialects.define import Computation
from stepwell.compiler.dialects.llvm.types import element, lanes, size
from stepwell.compiler.dialects.loop.syntax import INDEX
from stepwell.compiler.dialects.loop.types import BufferType
from stepwell.compiler.machines.matrices import MATRICES, WARP, MatrixProduct


@irdl_op_definition
class LoadMatricesOp(IRDLOperation):
    """One, two or four matrices from shared memory: threads 8 i to 8 i + 7 say where the rows of
    matrix i begin, of sixteen bytes each. Thread t gets, of every matrix, two neighbours of row
    t / 4; with `turned`, of column t / 4.

    ```
    %m = nvg.ldmatrix %shared[%at] turned : !loop.buffer<[4096] x f16> to vector<8xf16>
    ```
    """

    name = "nvg.ldmatrix"
    source = operand_def(BufferType)
    offset = operand_def(INDEX)
    turned = opt_prop_def(UnitAttr)
    result = result_def()
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = (
        "$source `[` $offset `]` (`turned` $turned^)? attr-dict"
        " `:` type($source) `to` type($result)"
    )

    def verify_(self) -> None:
        assert isinstance(self.source.type, BufferType)
        kind = self.source.type.element
        if element(self.result.type) != kind or size(kind) != 2:
            raise VerifyException("the elements of matrices have 16 bits")
        if lanes(self.result.type) not in (2, 4, 8):
            raise VerifyException("a thread gets two elements of one, two or four matrices")


@irdl_op_definition
class MmaOp(Computation):
    """Sums of 16 rows by 8 lanes and the products of 16 positions, in the order `tensor`: the left
    factor is four matrices, rows before positions; the right one two, turned.

    ```
    %r = nvg.mma %a, %b to %s : vector<8xbf16>, vector<4xbf16> to vector<4xf32>
    ```
    """

    name = "nvg.mma"
    S: ClassVar = VarConstraint("S", AnyAttr())
    left = operand_def()
    right = operand_def()
    sums = operand_def(S)
    result = result_def(S)
    assembly_format = (
        "$left `,` $right `to` $sums attr-dict `:` type($left) `,` type($right) `to` type($result)"
    )

    def verify_(self) -> None:
        kinds = {str(element(factor.type)) for factor in (self.left, self.right)}
        if len(kinds) != 1 or not kinds <= MATRICES.keys():
            raise VerifyException(f"the elements of both factors are one of {', '.join(MATRICES)}")
        known = self.product
        sums = f"vector<{known.rows * known.lanes // WARP}x{known.sums}>"
        if str(self.sums.type) != sums:
            raise VerifyException(f"a thread has sums of type {sums}")
        counts = known.rows * known.depth // WARP, known.lanes * known.depth // WARP
        if (lanes(self.left.type), lanes(self.right.type)) != counts:
            raise VerifyException(f"a thread has {counts[0]} and {counts[1]} elements")

    @property
    def product(self) -> MatrixProduct:
        """What multiplies such elements."""
        return MATRICES[str(element(self.left.type))]
