"""Matrices of a warp, and copies that threads do not wait for, as instructions."""

from collections.abc import Callable, Mapping

from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.compiler.dialects.gpu.copies import AsyncCopyOp, CommitOp, WaitOp
from stepwell.compiler.dialects.gpu.matrices import LoadMatricesOp, MmaOp
from stepwell.compiler.dialects.llvm.types import bits, element, f16, i32, lanes, struct, vector
from stepwell.compiler.dialects.llvm.types import size as bytes_of
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.dialects.loop.types import buffer_type
from stepwell.compiler.lower.grids.alignment import Alignments
from stepwell.compiler.lower.loop_to_llvm.frame import Frame
from stepwell.compiler.lower.loop_to_llvm.types import in_memory

GLOBAL = 1
PIECE = 16
"""Bytes of a row of a matrix, and of a copy."""
LDMATRIX = "llvm.nvvm.ldmatrix.sync.aligned.m8n8"
COPY = "llvm.nvvm.cp.async.cg.shared.global.16.s"


def load(frame: Frame, op: LoadMatricesOp) -> None:
    build, result = frame.build, frame.type_of(op.result)
    count = _words_in(result)
    turned = "" if op.turned is None else ".trans"
    name, place = f"{LDMATRIX}.x{count}{turned}.b16.p3", frame.place(op.source, op.offset)
    if count == 1:
        words = build.intrinsic(name, [place], i32)
    else:
        words = _vector(build, build.intrinsic(name, [place], struct(*[i32] * count)), i32, count)
    frame.values[op.result] = build.bitcast(words, result)


def multiply(frame: Frame, op: MmaOp) -> None:
    build, known = frame.build, op.product
    left, right, sums = (frame.values[each] for each in (op.left, op.right, op.sums))
    word = vector(f16, 2) if known.in_pairs else i32
    factors = [*_words(build, left, word), *_words(build, right, word)]
    scalar, count = element(sums.type), lanes(sums.type) or 1
    given = [*factors, *(build.extract_element(sums, number) for number in range(count))]
    result = build.intrinsic(known.intrinsic, given, struct(*[scalar] * count))
    frame.values[op.result] = _vector(build, result, scalar, count)


def copy(alignments: Alignments, frame: Frame, op: AsyncCopyOp) -> None:
    """Of a buffer that does not begin at a multiple of sixteen bytes, by loads and a store."""
    build, condition = frame.build, frame.values[op.condition]
    source = frame.place(op.source, op.offset)
    target = frame.place(op.target, op.place)
    if alignments.of(op.source) % PIECE == 0:
        size = build.select(condition, build.constant(i32, PIECE), build.constant(i32, 0))
        build.intrinsic_void(COPY, [target, build.addrspacecast(source, GLOBAL), size])
        return
    scalar = in_memory(buffer_type(op.source).element)
    type = vector(scalar, PIECE // bytes_of(scalar))
    with build.if_(condition) as choice:
        choice.yields(build.load(source, type, bytes_of(scalar)))
        choice.otherwise()
        choice.yields(build.constant(type, 0))
    build.store(choice.results[0], target, PIECE)


def commit(frame: Frame, op: CommitOp) -> None:
    frame.build.intrinsic_void("llvm.nvvm.cp.async.commit.group", [])


def wait(frame: Frame, op: WaitOp) -> None:
    pending = frame.build.constant(i32, op.pending.data)
    frame.build.intrinsic_void("llvm.nvvm.cp.async.wait.group", [pending])


def _words_in(type: Attribute) -> int:
    return (lanes(type) or 1) * bits(type) // 32


def _words(build: LlvmBuilder, value: SSAValue, word: Attribute) -> list[SSAValue]:
    """What a vector is as words of 32 bits."""
    count = _words_in(value.type)
    words = build.bitcast(value, vector(i32, count))
    found = [build.extract_element(words, number) for number in range(count)]
    return found if word == i32 else [build.bitcast(each, word) for each in found]


def _vector(build: LlvmBuilder, fields: SSAValue, element: Attribute, count: int) -> SSAValue:
    """The fields of a structure as a vector."""
    result = build.poison(vector(element, count))
    for number in range(count):
        result = build.insert_element(result, build.extract_value(fields, number), number)
    return result


STATEMENTS: Mapping[type[Operation], Callable[..., None]] = {
    LoadMatricesOp: load,
    MmaOp: multiply,
    CommitOp: commit,
    WaitOp: wait,
}
