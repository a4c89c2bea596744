"""The explicit half of the loop level: loops, threads, vectors and accesses as they will run."""

from abc import ABC
from collections.abc import Mapping
from typing import ClassVar

from xdsl.dialects.builtin import StringAttr, UnitAttr, VectorType, i1
from xdsl.irdl import (
    AnyAttr,
    AttrSizedOperandSegments,
    IRDLOperation,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect, NoTerminator, RecursiveMemoryEffect
from xdsl.utils.exceptions import VerifyException

from stepwell.compiler.dialects.define import Bodied, Computation, defined_in
from stepwell.compiler.dialects.llvm.constraints import Same
from stepwell.compiler.dialects.loop.syntax import INDEX, parse_carried, parse_known, print_carried
from stepwell.compiler.dialects.loop.types import BufferType
from stepwell.compiler.dialects.sizes import IntsAttr, NumberAttr
from stepwell.compiler.machines.dots import DOTS, TILE_DOTS, Dot

TILE_LANES = 32
"""Lanes of a panel that is multiplied by tiles: those of two."""


@irdl_op_definition
class ForOp(IRDLOperation):
    """A counted loop, with carried values: the block takes the index and what is carried.

    ```
    %s = loop.for %i = %low to %high step 16 carry(%a = %zero : f32) { … loop.yield %b : f32 }
    ```
    """

    name = "loop.for"
    low = operand_def(INDEX)
    high = operand_def(INDEX)
    initial = var_operand_def()
    step = prop_def(NumberAttr)
    final = var_result_def()
    body = region_def("single_block")
    traits = traits_def(RecursiveMemoryEffect())

    def verify_(self) -> None:
        if self.step.data < 1:
            raise VerifyException("a loop's step is positive")
        if len(self.body.block.args) != 1 + len(self.initial):
            raise VerifyException("the block takes the index and the carried values")

    def print(self, printer: Printer) -> None:
        index, *carried = self.body.block.args
        printer.print_string(" ")
        printer.print_ssa_value(index)
        printer.print_string(" = ")
        printer.print_operand(self.low)
        printer.print_string(" to ")
        printer.print_operand(self.high)
        printer.print_string(f" step {self.step.data} ")
        print_carried(printer, carried, self.initial)
        printer.print_region(self.body, print_entry_block_args=False)

    @classmethod
    def parse(cls, parser: Parser) -> "ForOp":
        index = parser.parse_argument(expect_type=False).resolve(INDEX)
        parser.parse_punctuation("=")
        low = parse_known(parser)
        parser.parse_keyword("to")
        high = parse_known(parser)
        parser.parse_keyword("step")
        step = parser.parse_integer(allow_boolean=False)
        carried, initial = parse_carried(parser)
        return cls.create(
            operands=[low, high, *initial],
            properties={"step": NumberAttr(step)},
            result_types=[argument.type for argument in carried],
            regions=[parser.parse_region([index, *carried])],
        )


@irdl_op_definition
class ParallelOp(Bodied):
    """The body for each index below the bound, shared among threads: `loop.parallel %i to %n`. With
    two arguments it is for ranges of indices, each from the first one to before the second, which
    cover all: `loop.parallel %first, %behind to %n`."""

    name = "loop.parallel"
    bound = operand_def(INDEX)
    traits = traits_def(NoTerminator(), RecursiveMemoryEffect())

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_list(self.body.block.args, printer.print_ssa_value)
        printer.print_string(" to ")
        printer.print_operand(self.bound)
        self.print_body(printer)

    @classmethod
    def parse(cls, parser: Parser) -> "ParallelOp":
        indices = [parser.parse_argument(expect_type=False).resolve(INDEX)]
        if parser.parse_optional_punctuation(","):
            indices.append(parser.parse_argument(expect_type=False).resolve(INDEX))
        parser.parse_keyword("to")
        return cls.with_body(parser, indices, operands=[parse_known(parser)])


@irdl_op_definition
class IfOp(IRDLOperation):
    """One of two branches, which yield the results: `%r = loop.if %c { … } else { … } : f32`."""

    name = "loop.if"
    condition = operand_def(i1)
    results_ = var_result_def()
    then = region_def("single_block")
    otherwise = region_def("single_block")
    traits = traits_def(RecursiveMemoryEffect())
    assembly_format = "$condition $then `else` $otherwise attr-dict (`:` type($results_)^)?"


class Masked(IRDLOperation, ABC):
    """An access, of which a mask may leave lanes out; it is the last operand."""

    mask = opt_operand_def()
    irdl_options = (AttrSizedOperandSegments(as_property=True),)


@irdl_op_definition
class LoadOp(Masked):
    """One element or consecutive ones, from a linear offset in elements; masked lanes give 0."""

    name = "loop.load"
    source = operand_def(BufferType)
    offset = operand_def(INDEX)
    result = result_def()
    traits = traits_def(MemoryReadEffect())
    assembly_format = (
        "$source `[` $offset `]` (`where` $mask^ `:` type($mask))? attr-dict"
        " `:` type($source) `to` type($result)"
    )


@irdl_op_definition
class StoreOp(Masked):
    """Stores one element or consecutive ones at a linear offset in elements, unless masked.

    A vector may be `streamed` past the caches to where it is aligned. Other threads see that behind
    a `loop.fence` only.
    """

    name = "loop.store"
    value = operand_def()
    target = operand_def(BufferType)
    offset = operand_def(INDEX)
    streamed = opt_prop_def(UnitAttr)
    traits = traits_def(MemoryWriteEffect())
    assembly_format = (
        "$value `,` $target `[` $offset `]` (`where` $mask^ `:` type($mask))?"
        " (`streamed` $streamed^)? attr-dict `:` type($value) `to` type($target)"
    )


@irdl_op_definition
class GatherOp(Masked):
    """Elements at a vector of linear offsets; masked lanes give zero and are not accessed."""

    name = "loop.gather"
    source = operand_def(BufferType)
    offsets = operand_def(VectorType)
    result = result_def(VectorType)
    traits = traits_def(MemoryReadEffect())
    assembly_format = (
        "$source `[` $offsets `:` type($offsets) `]` (`where` $mask^ `:` type($mask))? attr-dict"
        " `:` type($source) `to` type($result)"
    )


@irdl_op_definition
class ScatterOp(Masked):
    """Stores lanes at a vector of distinct linear offsets; masked lanes do not."""

    name = "loop.scatter"
    value = operand_def(VectorType)
    target = operand_def(BufferType)
    offsets = operand_def(VectorType)
    traits = traits_def(MemoryWriteEffect())
    assembly_format = (
        "$value `,` $target `[` $offsets `:` type($offsets) `]` (`where` $mask^ `:` type($mask))?"
        " attr-dict `:` type($value) `to` type($target)"
    )


@irdl_op_definition
class StackOp(IRDLOperation):
    """Memory of fixed size that lives as long as the function or thread that runs it."""

    name = "loop.stack"
    result = result_def(BufferType)
    assembly_format = "attr-dict `:` type($result)"


@irdl_op_definition
class MaskOp(Computation):
    """The lanes that are inside: lane l of `loop.mask %i, %n` tells whether i + l < n."""

    name = "loop.mask"
    first = operand_def(INDEX)
    bound = operand_def(INDEX)
    result = result_def(VectorType)
    assembly_format = "$first `,` $bound attr-dict `:` type($result)"


@irdl_op_definition
class AnyOp(Computation):
    """Whether some lane of a mask is set."""

    name = "loop.any"
    mask = operand_def()
    result = result_def(i1)
    assembly_format = "$mask attr-dict `:` type($mask)"


@irdl_op_definition
class ShuffleOp(Computation):
    """Lanes picked from two vectors, numbered through: `loop.shuffle %a, %b <[0, 16]> : …`."""

    name = "loop.shuffle"
    first = operand_def(Same)
    second = operand_def(Same)
    lanes = prop_def(IntsAttr)
    result = result_def(VectorType)
    assembly_format = "$first `,` $second $lanes attr-dict `:` type($first) `to` type($result)"


@irdl_op_definition
class ExtractOp(Computation):
    """One lane of a vector as a scalar."""

    name = "loop.extract"
    vector = operand_def(VectorType)
    lane = prop_def(NumberAttr)
    result = result_def()
    assembly_format = "$vector `at` $lane attr-dict `:` type($vector) `to` type($result)"


class ByInstruction(IRDLOperation, ABC):
    """What one of some instructions computes."""

    instruction = prop_def(StringAttr)
    KNOWN: ClassVar[Mapping[str, Dot]]

    def verify_(self) -> None:
        if self.instruction.data not in self.KNOWN:
            raise VerifyException(f"{self.instruction.data} is none of {', '.join(self.KNOWN)}")

    @property
    def dot(self) -> Dot:
        return self.KNOWN[self.instruction.data]


@irdl_op_definition
class DotOp(ByInstruction, Computation):
    """Sums, to which an instruction adds products of the numbers in words, `group` in each.

    ```
    %r = loop.dot "vpdpbusd" %a, %b to %s : vector<16xi32> to vector<16xi32>
    ```
    """

    name = "loop.dot"
    KNOWN: ClassVar = DOTS
    S: ClassVar = VarConstraint("S", AnyAttr())
    left = operand_def(Same)
    right = operand_def(Same)
    sums = operand_def(S)
    result = result_def(S)
    assembly_format = (
        "$instruction $left `,` $right `to` $sums attr-dict `:` type($left) `to` type($result)"
    )


@irdl_op_definition
class DotTilesOp(ByInstruction):
    """Sums of the products of rows with a panel, by an instruction whose operands are tiles.

    ```
    loop.dot_tiles "tdpbusd" %x[%a] by %stride, %panel[%b] to %sums[%c] rows %m words %k : …
    ```

    So many rows begin at the linear offset `first` and lie `stride` apart; the panel has
    `TILE_LANES` words for each word of a row, and the sums are rows of as many. Rows and words are
    multiples of 16.
    """

    name = "loop.dot_tiles"
    KNOWN: ClassVar = TILE_DOTS
    left = operand_def(BufferType)
    first = operand_def(INDEX)
    stride = operand_def(INDEX)
    panel = operand_def(BufferType)
    begin = operand_def(INDEX)
    sums = operand_def(BufferType)
    place = operand_def(INDEX)
    rows = operand_def(INDEX)
    words = operand_def(INDEX)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = (
        "$instruction $left `[` $first `]` `by` $stride `,` $panel `[` $begin `]` `to`"
        " $sums `[` $place `]` `rows` $rows `words` $words attr-dict"
        " `:` type($left) `,` type($panel) `to` type($sums)"
    )


@irdl_op_definition
class PrefetchOp(IRDLOperation):
    """A hint that the cache line at a linear offset will be used. It may be one of rows that are
    read side by side, and lie `apart` in memory."""

    name = "loop.prefetch"
    source = operand_def(BufferType)
    offset = operand_def(INDEX)
    apart = opt_prop_def(UnitAttr)
    traits = traits_def(MemoryWriteEffect())
    assembly_format = "$source `[` $offset `]` (`apart` $apart^)? attr-dict `:` type($source)"


@irdl_op_definition
class AlignedOp(Computation):
    """Whether a buffer begins where vectors of any width are aligned."""

    name = "loop.aligned"
    buffer = operand_def(BufferType)
    result = result_def(i1)
    assembly_format = "$buffer attr-dict `:` type($buffer)"


@irdl_op_definition
class FenceOp(IRDLOperation):
    """From here on, other threads see what was streamed before."""

    name = "loop.fence"
    traits = traits_def(MemoryWriteEffect())
    assembly_format = "attr-dict"


EXPLICIT_OPS = defined_in(__name__, IRDLOperation)
