"""Matrices of 8 rows of 16 bytes, which a warp holds together, and their products."""

from typing import ClassVar

from xdsl.dialects.builtin import StringAttr, UnitAttr
from xdsl.irdl import (
    AnyAttr,
    IRDLOperation,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect
from xdsl.utils.exceptions import VerifyException

from stepwell.compiler.dialects.define import Computation
from stepwell.compiler.dialects.gpu.memory import is_shared
from stepwell.compiler.dialects.llvm.types import element, lanes, size
from stepwell.compiler.dialects.loop.syntax import INDEX
from stepwell.compiler.dialects.loop.types import BufferType
from stepwell.compiler.machines.gpu.matrices import MATRICES, WARP, MatrixProduct


@irdl_op_definition
class LoadMatricesOp(IRDLOperation):
    """One, two or four matrices from shared memory: threads 8 i to 8 i + 7 say where the rows of
    matrix i begin, of sixteen bytes each. Thread t gets, of every matrix, a word of row t / 4; with
    `turned`, two elements of 16 bits of column t / 4.

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
        if element(self.result.type) != kind or size(kind) not in (1, 2):
            raise VerifyException("the elements of matrices have 8 or 16 bits")
        if self.turned is not None and size(kind) != 2:
            raise VerifyException("only elements of 16 bits are turned")
        if (lanes(self.result.type) or 0) * size(kind) not in (4, 8, 16):
            raise VerifyException("a thread gets a word of one, two or four matrices")
        if not is_shared(self.source):
            raise VerifyException("matrices are loaded from what a block shares")


@irdl_op_definition
class MmaOp(Computation):
    """Sums of 16 rows by 8 lanes, and the products of what is in 32 bytes of each: the left factor
    is four matrices, rows before positions, the right one two. Floats are added in the order
    `tensor`, integers wrap.

    ```
    %r = nvg.mma "bf16" %a, %b to %s : vector<8xbf16>, vector<4xbf16> to vector<4xf32>
    ```
    """

    name = "nvg.mma"
    S: ClassVar = VarConstraint("S", AnyAttr())
    kind = prop_def(StringAttr)
    left = operand_def()
    right = operand_def()
    sums = operand_def(S)
    result = result_def(S)
    assembly_format = (
        "$kind $left `,` $right `to` $sums attr-dict"
        " `:` type($left) `,` type($right) `to` type($result)"
    )

    def verify_(self) -> None:
        if self.kind.data not in MATRICES:
            raise VerifyException(f"{self.kind.data} is none of {', '.join(MATRICES)}")
        known = self.product
        scalar = "i8" if known.sums == "i32" else known.name
        parts = (
            (known.rows * known.depth, scalar),
            (known.lanes * known.depth, scalar),
            (known.rows * known.lanes, known.sums),
        )
        types = [f"vector<{count // WARP}x{kind}>" for count, kind in parts]
        if [str(each.type) for each in (self.left, self.right, self.sums)] != types:
            raise VerifyException(f"a thread has {', '.join(types)}")

    @property
    def product(self) -> MatrixProduct:
        return MATRICES[self.kind.data]
