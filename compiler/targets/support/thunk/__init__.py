"""The thunk: machine code by which Python calls compiled code without running any Python.

```
object *stepwell_thunk_2(self, object **args, i64 nargs, object *kwnames)
i8[] stepwell_thunk_imports            names of the C functions in its table, as the pool has them
```
CPython calls it as a function of the flags `METH_FASTCALL | METH_KEYWORDS`. `self` is an instance
of a ctypes structure, the `Thunk`, which the runtime has filled.

* **Cases.** Nothing symbolic is computed here. For inputs of exact dtypes and shapes the runtime
  has worked out the sizes, the results' shapes and the workspace, and has left them as a `Case`.
  The thunk compares the arguments with its few cases, one after another.
* **All else is Python's.** Where no case fits, or no context is free, `slow` is called with the
  same arguments before anything has run. It has every check and every error, and adds a case.
* **Boxes.** A type of the frontend's whose instances hold an array in one slot, and in the others
  what all of them hold, is unwrapped and wrapped here, too.
* **The GIL** is held but for the call itself, so that steps on the thunk, its cases and the list
  of contexts are atomic. A case is held while it runs: another thread may replace it.

It serves builds of CPython with a GIL, and no debugging counters in the head of an object.
"""

from xdsl.ir import Operation

from stepwell.compiler.targets.support.structures import import_names
from stepwell.compiler.targets.support.thunk import calling, finding, results
from stepwell.compiler.targets.support.thunk.layout import IMPORTS


def thunk_functions() -> list[Operation]:
    """The thunk's code at the llvm level, the same for every processor."""
    return [
        import_names("stepwell_thunk_imports", IMPORTS),
        finding.unwrap(),
        finding.fits(),
        finding.find(),
        results.release(),
        results.allocate(),
        results.wrap(),
        results.finish(),
        calling.take(),
        calling.enter(),
        calling.run(),
        calling.thunk(),
    ]
