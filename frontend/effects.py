"""Ordered effects of programs: printing, asserting, and calling C functions.

They happen when the program runs, in the order in which they stand, eagerly and compiled alike.
"""

from typing import Any, cast

from stepwell import nested
from stepwell.array import ArrayLike, apply_all, asarray
from stepwell.compiler.dialects.nd import tensor
from stepwell.places import user_line
from stepwell.runtime.errors import CallError
from stepwell.specs import Spec, spec_tree


def print(text: str | ArrayLike, *values: ArrayLike) -> None:
    """Prints `text` with values in the places of its `{}`, as in `print("loss {:.3f}", loss)`.

    Without a text, the values alone.
    """
    if not isinstance(text, str):
        text, values = " ".join("{}" for _ in (text, *values)), (text, *values)
    apply_all("print", *map(asarray, values), text=text)


def assert_(condition: ArrayLike, text: str = "an assertion does not hold") -> None:
    """Raises CallError SW0410 with this text unless all elements of the condition are true."""
    try:
        apply_all("assert", asarray(condition), text=text)
    except CallError as error:
        error.where = error.where or user_line()
        raise


def custom_call(symbol: str, *arrays: ArrayLike, results: Any) -> Any:
    """What the C function `int32_t symbol(void **arrays, int64_t *sizes)` writes.

    It is given the arrays, then one for each result, all dense and row-major, and the sizes of
    all their axes one after the other; 0 is success. `results` has specs such as `"f32[B, 3]"`,
    nested as the results will be. The function must be in the process, also in that of a saved
    program. It has no derivative, unless `custom_gradient` gives it one.
    """
    leaves, structure = nested.flatten(spec_tree(results))
    types = tuple(tensor(each.dtype, each.sizes) for each in cast(list[Spec], leaves))
    values = apply_all("custom", *map(asarray, arrays), symbol=symbol, types=types)
    return structure.rebuild(values)
