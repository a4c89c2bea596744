"""What becomes of a call's results: arrays made before it, wrapped and put together after it."""

from xdsl.dialects.llvm import FuncOp

from stepwell.compiler.dialects.llvm.types import i1, i64, ptr
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.targets.support.thunk.finding import is_null, word
from stepwell.compiler.targets.support.thunk.layout import (
    DECREF,
    GENERIC_ALLOC,
    INCREF,
    TUPLE_NEW,
    TUPLE_SET_ITEM,
    VECTORCALL,
    Case,
    Object,
    Thunk,
)


def release() -> FuncOp:
    """Lets go of the results, some of which may be null.

    ```
    void release(thunk, results, count) { for (i = 0; i < count; i++) Py_DecRef(results[i]); }
    ```
    """
    b = LlvmBuilder.define("release", [ptr, ptr, i64], internal=True)
    thunk, results, count = b.arguments
    functions = Thunk.FUNCTIONS.load(b, thunk)
    with b.loop(b.constant(i64, 0), count) as each:
        DECREF.call_void(b, functions, b.load(word(b, results, each.index), ptr))
    b.ret()
    return b.function


def allocate() -> FuncOp:
    """Makes the arrays of the results; false, with Python's error set, if one cannot be made.

    ```
    bool allocate(thunk, case, results) {
        for (i = 0; i < case->results; i++) {
            [make, shape, dtype] = case->result[i];
            results[i] = PyObject_Vectorcall(make, [shape, dtype], 2, null);
            if (results[i] == null) { release(thunk, results, i); return false; }
        }
        return true;
    }
    ```
    """
    b = LlvmBuilder.define("allocate", [ptr, ptr, ptr], i1, internal=True)
    thunk, case, results = b.arguments
    functions, result = Thunk.FUNCTIONS.load(b, thunk), Case.RESULT.load(b, case)
    with b.loop(b.constant(i64, 0), Case.RESULTS.load(b, case)) as each:
        made_by = b.gep(result, b.mul(each.index, 24))
        make = b.load(made_by, ptr)
        array = VECTORCALL.call(b, functions, make, b.gep(made_by, 8), 2, b.null())
        with b.if_(is_null(b, array)):
            b.call_void("release", [thunk, results, each.index])
            b.ret(0)
        b.store(array, word(b, results, each.index))
    b.ret(1)
    return b.function


def wrap() -> FuncOp:
    """A box around an array, which is taken over even if there is no memory for one (null).

    ```
    object *wrap(thunk, array) {
        box = PyType_GenericAlloc(thunk->box, 0);
        if (box == null) { Py_DecRef(array); return null; }
        for (at = HEAD; at < thunk->end; at += 8) {
            if (at == thunk->slot) box[at] = array;
            else Py_IncRef(box[at] = thunk->empty[at]);
        }
        return box;
    }
    ```
    """
    b = LlvmBuilder.define("wrap", [ptr, ptr], ptr, internal=True)
    thunk, array = b.arguments
    functions = Thunk.FUNCTIONS.load(b, thunk)
    slot, empty = Thunk.SLOT.load(b, thunk), Thunk.EMPTY.load(b, thunk)
    box = GENERIC_ALLOC.call(b, functions, Thunk.BOX.load(b, thunk), 0)
    with b.if_(is_null(b, box)):
        DECREF.call_void(b, functions, array)
        b.ret(b.null())
    with b.loop(b.constant(i64, Object.HEAD), Thunk.END.load(b, thunk), 8) as slots:
        place = b.gep(box, slots.index)
        with b.if_(b.icmp("eq", slots.index, slot)) as choice:
            b.store(array, place)
            choice.otherwise()
            value = b.load(b.gep(empty, slots.index), ptr)
            INCREF.call_void(b, functions, value)
            b.store(value, place)
    b.ret(box)
    return b.function


def finish() -> FuncOp:
    """The answer of the results, which are taken over; null if Python has an error.

    ```
    object *finish(thunk, case, results) {
        count = case->results;
        if (thunk->box != null)
            for (i = 0; i < count; i++)
                if ((results[i] = wrap(thunk, results[i])) == null) goto failed;
        if (case->alone) return results[0];
        if ((tuple = PyTuple_New(count)) == null) goto failed;
        for (i = 0; i < count; i++) PyTuple_SetItem(tuple, i, results[i]);
        if (case->rebuild == null) return tuple;
        answer = PyObject_Vectorcall(case->rebuild, &tuple, 1, null);
        Py_DecRef(tuple);
        return answer;
    failed:
        release(thunk, results, count);
        return null;
    }
    ```
    """
    b = LlvmBuilder.define("finish", [ptr, ptr, ptr], ptr, internal=True)
    thunk, case, results = b.arguments
    functions, count = Thunk.FUNCTIONS.load(b, thunk), Case.RESULTS.load(b, case)
    with b.if_(b.xor(is_null(b, Thunk.BOX.load(b, thunk)), 1)), b.loop(0, count) as each:
        place = word(b, results, each.index)
        box = b.call("wrap", [thunk, b.load(place, ptr)], ptr)
        b.store(box, place)
        with b.if_(is_null(b, box)):
            b.call_void("release", [thunk, results, count])
            b.ret(b.null())
    with b.if_(b.icmp("ne", Case.ALONE.load(b, case), 0)):
        b.ret(b.load(results, ptr))
    tuple = TUPLE_NEW.call(b, functions, count)
    with b.if_(is_null(b, tuple)):
        b.call_void("release", [thunk, results, count])
        b.ret(b.null())
    with b.loop(0, count) as each:
        result = b.load(word(b, results, each.index), ptr)
        TUPLE_SET_ITEM.call(b, functions, tuple, each.index, result)
    rebuild = Case.REBUILD.load(b, case)
    with b.if_(is_null(b, rebuild)):
        b.ret(tuple)
    argument = b.alloca(ptr)
    b.store(tuple, argument)
    answer = VECTORCALL.call(b, functions, rebuild, argument, 1, b.null())
    DECREF.call_void(b, functions, tuple)
    b.ret(answer)
    return b.function
