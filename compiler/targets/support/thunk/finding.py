"""How the case of a call is found: its arguments as arrays, compared with what cases expect."""

from xdsl.dialects.llvm import FuncOp
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import i1, i32, i64, ptr
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.targets.support.thunk.layout import MOST_INPUTS, Case, Ndarray, Object, Thunk


def word(b: LlvmBuilder, base: SSAValue, index: SSAValue) -> SSAValue:
    """The place of an eight-byte word, counted from `base`."""
    return b.gep(base, index, i64)


def is_null(b: LlvmBuilder, pointer: SSAValue) -> SSAValue:
    return b.icmp("eq", b.ptrtoint(pointer), 0)


def unwrap() -> FuncOp:
    """The array that an argument is, or holds in a box like all others; null for anything else.

    ```
    object *unwrap(thunk, object) {
        if (object->type == thunk->box) {
            for (at = HEAD; at < thunk->end; at += 8)
                if (at != thunk->slot && object[at] != thunk->empty[at]) return null;
            object = object[thunk->slot];
        }
        return object->type == thunk->array ? object : null;
    }
    ```
    """
    b = LlvmBuilder.define("unwrap", [ptr, ptr], ptr, internal=True)
    thunk, given = b.arguments
    box = b.ptrtoint(Thunk.BOX.load(b, thunk))
    with b.if_(b.icmp("eq", Object.TYPE.load(b, given), box)) as choice:
        slot, empty = Thunk.SLOT.load(b, thunk), Thunk.EMPTY.load(b, thunk)
        with b.loop(b.constant(i64, Object.HEAD), Thunk.END.load(b, thunk), 8) as slots:
            at = slots.index
            same = b.icmp("eq", b.load(b.gep(given, at), i64), b.load(b.gep(empty, at), i64))
            with b.if_(b.xor(b.or_(same, b.icmp("eq", at, slot)), 1)):
                b.ret(b.null())
        choice.yields(b.load(b.gep(given, slot), ptr))
        choice.otherwise()
        choice.yields(given)
    (array,) = choice.results
    with b.if_(b.icmp("eq", Object.TYPE.load(b, array), Thunk.ARRAY.load(b, thunk))):
        b.ret(array)
    b.ret(b.null())
    return b.function


def fits() -> FuncOp:
    """Whether the arrays are those that a case is for.

    ```
    bool fits(case, nargs, arrays) {
        if (nargs != case->inputs) return false;
        for (guard = case->guard, i = 0; i < nargs; i++) {
            array = arrays[i], [dtype, flags, rank] = *guard, guard += 3;
            if (array->dtype != dtype || ~array->flags & flags || array->rank != rank)
                return false;
            for (axis = 0; axis < rank; axis++) if (array->shape[axis] != *guard++) return false;
        }
        return true;
    }
    ```
    """
    b = LlvmBuilder.define("fits", [ptr, i64, ptr], i1, internal=True)
    case, nargs, arrays = b.arguments
    with b.if_(b.icmp("ne", nargs, Case.INPUTS.load(b, case))):
        b.ret(0)
    with b.loop(b.constant(i64, 0), nargs, carried=[Case.GUARD.load(b, case)]) as inputs:
        (guard,) = inputs.carried
        array = b.load(word(b, arrays, inputs.index), ptr)
        rank = b.load(b.gep(guard, 16), i64)
        with b.if_(b.xor(_has_type(b, array, guard, rank), 1)):
            b.ret(0)
        extents, shape = b.gep(guard, 24), Ndarray.SHAPE.load(b, array)
        with b.loop(b.constant(i64, 0), rank) as axes:
            extent = b.load(word(b, shape, axes.index), i64)
            with b.if_(b.icmp("ne", extent, b.load(word(b, extents, axes.index), i64))):
                b.ret(0)
        inputs.yields(word(b, extents, rank))
    b.ret(1)
    return b.function


def _has_type(b: LlvmBuilder, array: SSAValue, guard: SSAValue, rank: SSAValue) -> SSAValue:
    dtype = b.icmp("eq", Ndarray.DTYPE.load(b, array), b.load(guard, i64))
    missing = b.xor(Ndarray.FLAGS.load(b, array), -1)
    wanted = b.load(b.gep(guard, 8), i32)
    flags = b.icmp("eq", b.and_(missing, wanted), 0)
    same = b.icmp("eq", Ndarray.RANK.load(b, array), b.trunc(rank, i32))
    return b.and_(b.and_(dtype, flags), same)


def find() -> FuncOp:
    """The object of the first case that fits, whose inputs are then in `arrays`; or null.

    ```
    object *find(thunk, args, nargs, arrays) {
        if (nargs > MOST_INPUTS) return null;
        for (i = 0; i < nargs; i++)
            if ((arrays[i] = unwrap(thunk, args[i])) == null) return null;
        for (place = thunk->cases; (object = *place) != null; place++)
            if (fits(object->memory, nargs, arrays)) return object;
        return null;
    }
    ```
    """
    b = LlvmBuilder.define("find", [ptr, ptr, i64, ptr], ptr, internal=True)
    thunk, args, nargs, arrays = b.arguments
    with b.if_(b.icmp("ugt", nargs, MOST_INPUTS)):
        b.ret(b.null())
    with b.loop(b.constant(i64, 0), nargs) as inputs:
        array = b.call("unwrap", [thunk, b.load(word(b, args, inputs.index), ptr)], ptr)
        with b.if_(is_null(b, array)):
            b.ret(b.null())
        b.store(array, word(b, arrays, inputs.index))
    with b.while_(Thunk.CASES.load(b, thunk)) as cases:
        (place,) = cases.carried
        found = b.load(place, ptr)
        cases.test(b.xor(is_null(b, found), 1))
        with b.if_(b.call("fits", [Object.MEMORY.load(b, found), nargs, arrays], i1)):
            b.ret(found)
        cases.yields(b.gep(place, 8))
    b.ret(b.null())
    return b.function
