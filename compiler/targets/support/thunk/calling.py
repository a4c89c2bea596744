"""How the call is made: a context taken, the table of addresses filled, the GIL let go of."""

from typing import Final

from xdsl.dialects.llvm import FuncOp
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import i1, i32, i64, ptr
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.targets.support.thunk.finding import is_null, word
from stepwell.compiler.targets.support.thunk.layout import (
    DECREF,
    ERR_CLEAR,
    INCREF,
    LIST_APPEND,
    LIST_GET_ITEM,
    LIST_SET_SLICE,
    LIST_SIZE,
    LONG_AS_VOID_PTR,
    MOST_ADDRESSES,
    MOST_INPUTS,
    MOST_RESULTS,
    RESTORE_THREAD,
    SAVE_THREAD,
    SYMBOL,
    VECTORCALL,
    Case,
    Context,
    Ndarray,
    Object,
    Thunk,
)

WORDS: Final = 4


def take() -> FuncOp:
    """A free context whose workspace is large enough, as Python's integer; null if there is none.

    ```
    object *take(thunk, case) {
        last = PyList_Size(case->contexts) - 1;
        if (last < 0) return null;
        address = PyList_GetItem(case->contexts, last);
        if (((context *)PyLong_AsVoidPtr(address))->room < case->workspace) return null;
        Py_IncRef(address);
        if (PyList_SetSlice(case->contexts, last, last + 1, null) == 0) return address;
        Py_DecRef(address);
        PyErr_Clear();
        return null;
    }
    ```
    """
    b = LlvmBuilder.define("take", [ptr, ptr], ptr, internal=True)
    thunk, case = b.arguments
    functions, contexts = Thunk.FUNCTIONS.load(b, thunk), Case.CONTEXTS.load(b, case)
    last = b.sub(LIST_SIZE.call(b, functions, contexts), 1)
    with b.if_(b.icmp("slt", last, 0)):
        b.ret(b.null())
    address = LIST_GET_ITEM.call(b, functions, contexts, last)
    room = Context.ROOM.load(b, LONG_AS_VOID_PTR.call(b, functions, address))
    with b.if_(b.icmp("ult", room, Case.WORKSPACE.load(b, case))):
        b.ret(b.null())
    INCREF.call_void(b, functions, address)
    failed = LIST_SET_SLICE.call(b, functions, contexts, last, b.add(last, 1), b.null())
    with b.if_(b.icmp("eq", failed, 0)):
        b.ret(address)
    DECREF.call_void(b, functions, address)
    ERR_CLEAR.call_void(b, functions)
    b.ret(b.null())
    return b.function


def enter() -> FuncOp:
    """What compiled code answers, called with a context, and without the GIL.

    ```
    i32 enter(thunk, case, context, arrays, results) {
        void *table[MOST_ADDRESSES];
        for (i = 0; i < case->inputs; i++) table[…] = arrays[i]->data;
        for (i = 0; i < case->constants; i++) table[…] = case->constant[i];
        for (i = 0; i < case->results; i++) table[…] = results[i]->data;
        for (i = 0; i < WORDS; i++) (&context->parallel_for)[i] = case->words[i];
        context->error = context->site = 0;
        state = PyEval_SaveThread();
        status = case->function(context, table, case->sizes);
        PyEval_RestoreThread(state);
        return status;
    }
    ```
    """
    b = LlvmBuilder.define("enter", [ptr, ptr, ptr, ptr, ptr], i32, internal=True)
    thunk, case, context, arrays, results = b.arguments
    functions, table = Thunk.FUNCTIONS.load(b, thunk), b.alloca(ptr, MOST_ADDRESSES)
    inputs, constants = Case.INPUTS.load(b, case), Case.CONSTANTS.load(b, case)
    _copy_data(b, arrays, table, inputs)
    _copy(b, Case.CONSTANT.load(b, case), word(b, table, inputs), constants)
    behind = word(b, table, b.add(inputs, constants))
    _copy_data(b, results, behind, Case.RESULTS.load(b, case))
    _copy(b, Case.WORDS.load(b, case), Context.PARALLEL_FOR.place(b, context), WORDS)
    Context.ERROR.store(b, context, 0)
    Context.SITE.store(b, context, 0)
    state = SAVE_THREAD.call(b, functions)
    status = b.call(Case.FUNCTION.load(b, case), [context, table, Case.SIZES.load(b, case)], i32)
    RESTORE_THREAD.call_void(b, functions, state)
    b.ret(status)
    return b.function


def _copy(b: LlvmBuilder, source: SSAValue, target: SSAValue, count: SSAValue | int) -> None:
    with b.loop(b.constant(i64, 0), count) as each:
        b.store(b.load(word(b, source, each.index), i64), word(b, target, each.index))


def _copy_data(b: LlvmBuilder, arrays: SSAValue, target: SSAValue, count: SSAValue) -> None:
    """The addresses of the arrays' elements."""
    with b.loop(b.constant(i64, 0), count) as each:
        array = b.load(word(b, arrays, each.index), ptr)
        b.store(Ndarray.DATA.load(b, array), word(b, target, each.index))


def run() -> FuncOp:
    """The answer of a case for its inputs; the slow path's, if no context is free.

    ```
    object *run(thunk, case, args, nargs, arrays) {
        object *results[MOST_RESULTS];
        if (!allocate(thunk, case, results)) return null;
        address = take(thunk, case);
        if (address == null) {
            release(thunk, results, case->results);
            return PyObject_Vectorcall(thunk->slow, args, nargs, null);
        }
        if (enter(thunk, case, PyLong_AsVoidPtr(address), arrays, results) != 0) {
            release(thunk, results, case->results);
            answer = PyObject_Vectorcall(case->failed, &address, 1, null);
        } else if (PyList_Append(case->contexts, address) != 0) {
            release(thunk, results, case->results);
            answer = null;
        } else answer = finish(thunk, case, results);
        Py_DecRef(address);
        return answer;
    }
    ```
    """
    b = LlvmBuilder.define("run", [ptr, ptr, ptr, i64, ptr], ptr, internal=True)
    thunk, case, args, nargs, arrays = b.arguments
    functions, count = Thunk.FUNCTIONS.load(b, thunk), Case.RESULTS.load(b, case)
    results, argument = b.alloca(ptr, MOST_RESULTS), b.alloca(ptr)
    made = b.call("allocate", [thunk, case, results], i1)
    with b.if_(b.xor(made, 1)):
        b.ret(b.null())
    address = b.call("take", [thunk, case], ptr)
    with b.if_(is_null(b, address)):
        b.call_void("release", [thunk, results, count])
        slow = Thunk.SLOW.load(b, thunk)
        b.ret(VECTORCALL.call(b, functions, slow, args, nargs, b.null()))
    context = LONG_AS_VOID_PTR.call(b, functions, address)
    status = b.call("enter", [thunk, case, context, arrays, results], i32)
    with b.if_(b.icmp("ne", status, 0)) as ended:
        b.call_void("release", [thunk, results, count])
        b.store(address, argument)
        failed = Case.FAILED.load(b, case)
        ended.yields(VECTORCALL.call(b, functions, failed, argument, 1, b.null()))
        ended.otherwise()
        lost = LIST_APPEND.call(b, functions, Case.CONTEXTS.load(b, case), address)
        with b.if_(b.icmp("ne", lost, 0)) as given:
            b.call_void("release", [thunk, results, count])
            given.yields(b.null())
            given.otherwise()
            given.yields(b.call("finish", [thunk, case, results], ptr))
        ended.yields(*given.results)
    DECREF.call_void(b, functions, address)
    b.ret(*ended.results)
    return b.function


def thunk() -> FuncOp:
    """A call from Python.

    ```
    object *stepwell_thunk_2(self, args, nargs, kwnames) {
        object *arrays[MOST_INPUTS];
        thunk = self->memory;
        object = kwnames == null ? find(thunk, args, nargs, arrays) : null;
        if (object == null) return PyObject_Vectorcall(thunk->slow, args, nargs, kwnames);
        Py_IncRef(object);
        answer = run(thunk, object->memory, args, nargs, arrays);
        Py_DecRef(object);
        return answer;
    }
    ```
    """
    b = LlvmBuilder.define(SYMBOL, [ptr, ptr, i64, ptr], ptr)
    self, args, nargs, names = b.arguments
    arrays = b.alloca(ptr, MOST_INPUTS)
    thunk = Object.MEMORY.load(b, self)
    functions = Thunk.FUNCTIONS.load(b, thunk)
    with b.if_(is_null(b, names)) as search:
        search.yields(b.call("find", [thunk, args, nargs, arrays], ptr))
        search.otherwise()
        search.yields(b.null())
    (found,) = search.results
    with b.if_(is_null(b, found)):
        slow = Thunk.SLOW.load(b, thunk)
        b.ret(VECTORCALL.call(b, functions, slow, args, nargs, names))
    INCREF.call_void(b, functions, found)
    case = Object.MEMORY.load(b, found)
    answer = b.call("run", [thunk, case, args, nargs, arrays], ptr)
    DECREF.call_void(b, functions, found)
    b.ret(answer)
    return b.function
