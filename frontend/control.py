"""Control flow on arrays, and functions with rules of their own for differentiation.

The arguments come in the order of JAX's functions of these names.
"""

from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any

from xdsl.ir import Block, Region, SSAValue

from stepwell import nested
from stepwell.array import Array, ArrayLike, apply, argument, asarray, lifted
from stepwell.compiler.dialects.construct import append, construct
from stepwell.compiler.dialects.nd import Tensor, tensor, text_of
from stepwell.compiler.ops.emission import emit, located
from stepwell.compiler.ops.regions import free_variables, lift
from stepwell.compiler.ops.structure import YieldOp, yielded
from stepwell.compiler.ops.value import Value
from stepwell.nested import Structure
from stepwell.places import user_line, user_location
from stepwell.promotion import KINDS
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size
from stepwell.settings import count
from stepwell.trace import current_trace, tracing
from stepwell.tracing import (
    TracedBlock,
    expect_like,
    expect_pair,
    flatten_arguments,
    flatten_arrays,
    trace_block,
    weakness,
)
from stepwell.transforms import in_a_program, unpacking


def _emit(
    mnemonic: str, operands: Sequence[SSAValue], regions: Sequence[Block], **parameters: Any
) -> list[Array]:
    try:
        with located(user_location()):
            op = emit(mnemonic, operands, [Region(block) for block in regions], **parameters)
    except CompileError as error:
        error.where = user_line()
        raise
    return [Array(None, result, current_trace()) for result in op.results]


def _types(arrays: Sequence[Array]) -> list[Tensor]:
    return [array.type for array in arrays]


def _share(blocks: Sequence[TracedBlock]) -> list[SSAValue]:
    """Gives all blocks the captured values of each, in front, in one order."""
    captured = list(dict.fromkeys(value for block in blocks for value in block.captured))
    for traced in blocks:
        own = {value: n for n, value in enumerate(traced.captured)}
        arguments = list(traced.block.args[: len(own)])
        for position, value in enumerate(captured):
            argument = traced.block.insert_arg(value.type, position)
            if value in own:
                arguments[own[value]].replace_all_uses_with(argument)
        for argument in arguments:
            traced.block.erase_arg(argument)
    return captured


def _expect_alike(one: TracedBlock, other: TracedBlock, what: str) -> None:
    """Both results must be nested alike and have the same types."""
    first = [Value(value).type for value in yielded(one.block)]
    second = [Value(value).type for value in yielded(other.block)]
    nested.expect_same(one.structure, other.structure, what, "the other")
    for path, a, b in zip(one.structure.paths(), first, second, strict=True):
        if a != b:
            raise CompileError(
                "SW0119",
                f"{what}{path} is {text_of(a)} on one side and {text_of(b)} on the other",
                hint="convert or broadcast one of them",
                where=user_line(),
            )


def cond(
    pred: ArrayLike, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any
) -> Any:
    """`true_fun(*operands)` where `pred`, a boolean or a number, holds; else `false_fun(…)`."""
    condition = asarray(pred).astype("bool")
    return in_a_program(partial(_cond, true_fun, false_fun))(condition, *operands)


def _cond(
    true_fun: Callable[..., Any], false_fun: Callable[..., Any], pred: Array, *operands: Any
) -> Any:
    leaves, structure = flatten_arguments(operands, what="operand ")
    values = [lifted(leaf).ssa for leaf in leaves]
    branches = [
        trace_block(function, structure, _types(leaves), weak=weakness(leaves), close=True)
        for function in (true_fun, false_fun)
    ]
    _expect_alike(branches[0], branches[1], "the result")
    captured = _share(branches)
    operand_values = [lifted(pred).ssa, *captured, *values]
    results = _emit("if", operand_values, [branch.block for branch in branches])
    return branches[0].structure.rebuild(results)


def while_loop(
    cond_fun: Callable[[Any], Any],
    body_fun: Callable[[Any], Any],
    init_val: Any,
    max_steps: int | None = None,
) -> Any:
    """`body_fun` again and again, as long as `cond_fun` holds of the value.

    With `max_steps`, at most so many times: such a loop has a reverse mode.
    """
    if max_steps is None:
        return in_a_program(partial(_while, cond_fun, body_fun))(init_val)

    def step(value: Any, _: Any) -> tuple[Any, None]:
        return cond(cond_fun(value), body_fun, _same, value), None

    return scan(step, init_val, None, count(max_steps, "max_steps"))[0]


def _same(value: Any) -> Any:
    return value


def _while(cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], value: Any) -> Any:
    leaves, structure = flatten_arguments((value,), what="the initial value")
    leaves = _met(
        leaves,
        lambda weak: trace_block(body_fun, structure, _types(leaves), weak=weak, close=True),
    )
    types = _types(leaves)
    condition = trace_block(cond_fun, structure, types, close=True)
    body = trace_block(body_fun, structure, types, close=True)
    (inner,) = structure.children
    nested.expect_same(inner, body.structure, "the initial value", "the body's result")
    _expect_carried(inner, types, body, "the body's result")
    captured = _share([condition, body])
    values = [*captured, *(lifted(leaf).ssa for leaf in leaves)]
    results = _emit("while", values, [condition.block, body.block], constants=len(captured))
    return inner.rebuild(results)


def _met(
    carried: Sequence[Array], first_step: Callable[[Sequence[bool]], TracedBlock]
) -> list[Array]:
    """The initial values of a loop: a Python number has the dtype that the first step gives it.

    As with operators, it takes that of arrays that it meets, unless their kind is higher.
    """
    weak = weakness(carried)
    if not any(weak):
        return list(carried)
    found = [Value(value).dtype for value in yielded(first_step(weak).block)]
    dtypes = [*found, *(x.dtype for x in carried[len(found) :])]
    return [
        x.astype(dtype if KINDS[dtype] == KINDS[x.dtype] else x.dtype) if x.weak else x
        for x, dtype in zip(carried, dtypes, strict=False)
    ]


def _expect_carried(
    structure: Structure, types: Sequence[Tensor], traced: TracedBlock, what: str
) -> None:
    """What a loop carries keeps its types."""
    found = [Value(value).type for value in yielded(traced.block)][: len(types)]
    for path, before, after in zip(structure.paths(), types, found, strict=True):
        if before != after:
            raise CompileError(
                "SW0131",
                f"{what}{path} is {text_of(after)}, and began as {text_of(before)}",
                hint="a loop carries values of one type: convert the initial value or the result",
                where=user_line(),
            )


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | Size | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """`carry, y = f(carry, x)` for each slice x of xs along axis 0.

    Gives the last carry, and the ys stacked.
    """
    return in_a_program(partial(_scan, f, length, reverse))(init, xs)


def _scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    length: int | Size | None,
    reverse: bool,
    init: Any,
    xs: Any,
) -> tuple[Any, Any]:
    carried, carry_structure = flatten_arrays(init, "the initial carry", argument)
    inputs, _ = flatten_arrays(xs, "xs")
    steps = _length(inputs, length)
    slices = [tensor(x.dtype, x.sizes[1:]) for x in inputs]
    _, structure = nested.flatten((init, xs))

    def step(carry: Any, x: Any) -> Any:
        result = f(carry, x)
        expect_pair(result, "the function of scan", "the carry and what is stacked")
        return result

    def trace(weak: Sequence[bool]) -> TracedBlock:
        flags = [*weak, *(False for _ in slices)] if weak else ()
        return trace_block(step, structure, [*_types(carried), *slices], weak=flags, close=True)

    carried = _met(carried, trace)
    traced = trace(())
    carry_out, ys = traced.structure.children
    nested.expect_same(carry_structure, carry_out, "the initial carry", "the carry that f gives")
    _expect_carried(carry_structure, _types(carried), traced, "the carry")
    values = [*traced.captured, *(lifted(x).ssa for x in (*carried, *inputs))]
    results = _emit(
        "scan",
        values,
        [traced.block],
        constants=len(traced.captured),
        carried=len(carried),
        length=steps,
        reverse=int(reverse),
    )
    return (
        carry_structure.rebuild(results[: len(carried)]),
        ys.rebuild(results[len(carried) :]),
    )


def _length(inputs: Sequence[Array], length: int | Size | None) -> Size:
    given = [] if length is None else [count(length, "length")]
    found = {*given, *(size for x in inputs for size in x.sizes[:1])}
    numbers = ["a number without axes"] if any(x.ndim == 0 for x in inputs) else []
    if len(found) == 1 and not numbers:
        return found.pop()
    lengths = " and ".join([*sorted(map(str, found)), *numbers]) or "none"
    raise CompileError(
        "SW0132",
        f"scan needs one length, and has {lengths}",
        hint="give xs with equal leading sizes, or length",
        where=user_line(),
    )


def checkpoint(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, of which reverse mode keeps the arguments only, and computes the rest again."""

    @wraps(function)
    def transformed(*arguments: Any, **named: Any) -> Any:
        def rematerialised(*given: Any, **by_name: Any) -> Any:
            return _remat(function, given, by_name)

        return in_a_program(rematerialised)(*arguments, **named)

    return transformed


def _remat(function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    leaves, structure = flatten_arguments(arguments, named)
    types, weak = _types(leaves), weakness(leaves)
    traced = trace_block(unpacking(function), structure, types, weak=weak, close=True)
    values = [*traced.captured, *(lifted(leaf).ssa for leaf in leaves)]
    return traced.structure.rebuild(_emit("remat", values, [traced.block]))


def custom_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function with derivatives of its own.

    It returns its value, and the function from a cotangent of that to those of its arguments, which
    is linear: forward mode is its transpose, by reverse mode of it at zero (CompileError SW0216
    where it has none). What it reads besides its arguments is a constant: to differentiate by that
    is an error (CompileError SW0215).
    """

    @wraps(function)
    def transformed(*arguments: Any) -> Any:
        return in_a_program(lambda *given: _custom(function, given))(*arguments)

    return transformed


def _custom(function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    leaves, structure = flatten_arrays(tuple(arguments), "argument ")
    forward, backward = _trace_both_ways(function, structure, _types(leaves))
    values = [*forward.captured, *(lifted(leaf).ssa for leaf in leaves)]
    blocks, kept = [forward.block, backward.block], len(backward.captured)
    results = _emit("custom_gradient", values, blocks, residuals=kept, kept=0)
    return forward.structure.rebuild(results)


def _pair(result: Any) -> tuple[Any, Callable[[Any], Any]]:
    """What the function of `custom_gradient` gives."""
    expect_pair(result, "the function of custom_gradient", "its value and its pullback")
    return result


def _trace_both_ways(
    function: Callable[..., Any], structure: Structure, types: Sequence[Tensor]
) -> tuple[TracedBlock, TracedBlock]:
    """The forward program, which also gives what the backward program, the second, begins with."""
    block = Block(arg_types=types)
    with tracing(block) as trace:
        given = structure.rebuild([Array(None, x, trace) for x in block.args])
        value, pull_back = _pair(function(*given))
        results, out = flatten_arrays(value, "the result")
        outputs = [lifted(result).ssa for result in results]

        def back(cotangent: Any) -> list[Array]:
            return _cotangents(pull_back(cotangent), structure, types)

        backward = trace_block(
            back,
            nested.flatten((out.rebuild(results),))[1],
            [Value(output).type for output in outputs],
            close=True,
        )
    append(block, construct(YieldOp, [*outputs, *backward.captured]))
    captured = free_variables(block)
    lift(block, captured)
    return TracedBlock(block, out, captured), backward


def _cotangents(given: Any, structure: Structure, types: Sequence[Tensor]) -> list[Array]:
    """What a custom rule gives, checked; that of a single argument need not be in a tuple."""
    single = nested.flatten(given)[1].kind is not tuple and len(structure.children) == 1
    leaves, found = flatten_arrays((given,) if single else given, "the cotangent ")
    nested.expect_same(structure, found, "the arguments", "the cotangents of custom_gradient")
    expect_like(_types(leaves), types, structure.paths(), "cotangent of argument ")
    return leaves


def stop_gradient(x: Any) -> Any:
    """The argument as it is, which derivatives take for a constant."""
    return nested.map(_stopped, x)


def _stopped(leaf: Any) -> Array:
    return apply("stop_gradient", asarray(leaf))
