"""Samples of ops with regions: which programs stand in them, by the op's mnemonic."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from programs import block_of, function_of
from stepwell.compiler.dialects.nd import tensor
from stepwell.compiler.ops.calls import Callee
from stepwell.compiler.ops.value import Value, full
from stepwell.runtime.sizes import Size


@final
@dataclass(frozen=True)
class Program:
    """A region: the types that its block takes, and what it writes."""

    takes: tuple[str, ...]
    write: Callable[..., Sequence[Value]]


@final
@dataclass(frozen=True)
class RegionSample:
    """Operand types, regions and parameters, as op_samples.py has for other ops."""

    types: tuple[str, ...]
    regions: tuple[Program, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])


def _exp(x: Value) -> Value:
    return x.apply("exp")


def _sin(x: Value) -> Value:
    return x.apply("sin")


PAIR = ("f64[3]", "f64[3]")
IF = (
    RegionSample(  # branches that keep different things for reverse mode
        ("bool[]", *PAIR),
        (
            Program(PAIR, lambda x, y: [_exp(x) * y, x.sum([0])]),
            Program(PAIR, lambda x, y: [_sin(y), y.sum([0]) * 2.0]),
        ),
    ),
    RegionSample(  # a branch that gives what it takes, one that does not read it, and integers
        ("bool[]", "f64[2]", "i32[2]"),
        (
            Program(("f64[2]", "i32[2]"), lambda x, n: [x, n + 1, x]),
            Program(("f64[2]", "i32[2]"), lambda x, n: [full(2, "f64", x.shape), n, x * x]),
        ),
    ),
)

COUNTED = ("f64[2]", "i64[]", "f64[2]")
WHILE = (
    RegionSample(  # up to three times, whatever n is
        COUNTED,
        (
            Program(COUNTED, lambda c, n, x: [n.with_("and", 3).compare("lt", 3)]),
            Program(COUNTED, lambda c, n, x: [n + 1, _sin(x) * c]),
        ),
        {"constants": 1},
    ),
    RegionSample(  # how often it runs depends on the values; two that change places
        ("f64[3]", "f64[3]"),
        (
            Program(("f64[3]", "f64[3]"), lambda x, y: [(x * x).sum([0]).compare("lt", 40.0)]),
            Program(("f64[3]", "f64[3]"), lambda x, y: [y * 1.5 + 0.75, x]),
        ),
        {"constants": 0},
    ),
)

STEP = ("f64[2]", "f64[2]", "f64[2]", "f64[]")
SCAN = (
    *(
        RegionSample(  # constants, carried values, slices; results carried and stacked
            ("f64[2]", "f64[2]", f"f64[{length},2]", f"f64[{length}]"),
            (
                Program(
                    STEP,
                    lambda c, h, x, w: [
                        _sin(h * c) + x * w.broadcast(x.shape, ()),
                        _exp(x) * h,
                        (h * c).sum([0]),
                    ],
                ),
            ),
            {"constants": 1, "carried": 1, "length": length, "reverse": reverse},
        )
        for length, reverse in ((4, 0), (3, 1), (1, 0), (0, 0))
    ),
    RegionSample(  # nothing but a count; an integer is carried too
        ("f64[2]", "i64[]"),
        (Program(("f64[2]", "i64[]"), lambda x, n: [_sin(x), n + 2]),),
        {"constants": 0, "carried": 2, "length": 5, "reverse": 0},
    ),
    RegionSample(  # nothing carried; a constant and a slice given back as they came
        ("f64[2]", "f64[3,2]"),
        (Program(("f64[2]", "f64[2]"), lambda c, x: [c, x, c * x]),),
        {"constants": 1, "carried": 0, "length": 3, "reverse": 0},
    ),
    RegionSample(  # two carried values that change places
        ("f64[2]", "f64[2]", "f64[4,2]"),
        (Program(("f64[2]", "f64[2]", "f64[2]"), lambda a, b, x: [b, a * x, a]),),
        {"constants": 0, "carried": 2, "length": 4, "reverse": 1},
    ),
)

REMAT = (
    RegionSample(PAIR, (Program(PAIR, lambda x, y: [_exp(_sin(x)) * y, y]),)),
    RegionSample(
        ("f64[3]", "i32[3]"),
        (Program(("f64[3]", "i32[3]"), lambda x, n: [_exp(x) * n.convert("f64"), n]),),
    ),
)


def _raised(x: Value, y: Value) -> list[Value]:
    result = _exp(x) * y
    return [result, result, y, _sin(result)]


RULE = (
    Program(PAIR, lambda x, y: [_exp(x) * y, _exp(x), y]),
    Program((*PAIR, "f64[3]"), lambda e, y, g: [g * e * y, g * e]),
)
CUSTOM_GRADIENT = (
    RegionSample(PAIR, RULE, {"residuals": 2, "kept": 0}),
    RegionSample(PAIR, RULE, {"residuals": 2, "kept": 1}),
    RegionSample(  # the result, an operand, and what is made of the result are kept
        PAIR,
        (
            Program(PAIR, _raised),
            Program(("f64[3]",) * 4, lambda r, y, _, g: [g * r, g * r / y]),
        ),
        {"residuals": 3, "kept": 1},
    ),
    RegionSample(  # an operand that is captured
        ("i32[3]", "f64[3]"),
        (
            Program(("i32[3]", "f64[3]"), lambda n, x: [x * n.convert("f64"), n]),
            Program(("i32[3]", "f64[3]"), lambda n, g: [g * n.convert("f64")]),
        ),
        {"residuals": 1, "kept": 0},
    ),
)


def _called() -> Mapping[str, Any]:
    """A function with a symbol for the length of its arguments, called with three elements."""
    argument = tensor("f64", (Size.of("B"),))
    block = block_of([argument, argument], lambda x, y: [_exp(x) * y, x.sum([0])])
    return {
        "callee": Callee("called", function_of(block, "called")),
        "bindings": (("B", Size.of(3)),),
        "types": (tensor("f64", (Size.of(3),)), tensor("f64")),
    }


CALL = (RegionSample(PAIR, (), _called()),)

REGION_SAMPLES: Mapping[str, Sequence[RegionSample]] = {
    "if": IF,
    "while": WHILE,
    "scan": SCAN,
    "remat": REMAT,
    "custom_gradient": CUSTOM_GRADIENT,
    "call": CALL,
}
