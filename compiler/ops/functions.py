"""The scalar functions by name, as ops of the loop level: one table for each kind of number."""

from collections.abc import Mapping
from functools import cache

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Attribute
from xdsl.irdl import IRDLOperation

OpClass = type[IRDLOperation]

FLOAT: Mapping[str, OpClass] = {
    "neg": arith.NegfOp,
    "abs": math.AbsFOp,
    "sqrt": math.SqrtOp,
    "exp": math.ExpOp,
    "log": math.LogOp,
    "sin": math.SinOp,
    "cos": math.CosOp,
    "tanh": math.TanhOp,
    "erf": math.ErfOp,
    "floor": math.FloorOp,
    "add": arith.AddfOp,
    "sub": arith.SubfOp,
    "mul": arith.MulfOp,
    "div": arith.DivfOp,
    "pow": math.PowFOp,
    "max": arith.MaximumfOp,
    "min": arith.MinimumfOp,
}
SIGNED: Mapping[str, OpClass] = {
    "abs": math.AbsIOp,
    "add": arith.AddiOp,
    "sub": arith.SubiOp,
    "mul": arith.MuliOp,
    "quotient": arith.DivSIOp,
    "remainder": arith.RemSIOp,
    "floordiv": arith.FloorDivSIOp,
    "max": arith.MaxSIOp,
    "min": arith.MinSIOp,
    "and": arith.AndIOp,
    "or": arith.OrIOp,
    "xor": arith.XOrIOp,
    "shift_left": arith.ShLIOp,
    "shift_right": arith.ShRSIOp,
}
UNSIGNED: Mapping[str, OpClass] = {
    **SIGNED,
    "quotient": arith.DivUIOp,
    "remainder": arith.RemUIOp,
    "max": arith.MaxUIOp,
    "min": arith.MinUIOp,
    "shift_right": arith.ShRUIOp,
}
BOOL: Mapping[str, OpClass] = {
    "and": arith.AndIOp,
    "or": arith.OrIOp,
    "xor": arith.XOrIOp,
    "max": arith.OrIOp,
    "min": arith.AndIOp,
}
TABLES: Mapping[str, Mapping[str, OpClass]] = {
    "f32": FLOAT,
    "f64": FLOAT,
    "i8": SIGNED,
    "i32": SIGNED,
    "i64": SIGNED,
    "index": SIGNED,
    "u8": UNSIGNED,
    "bool": BOOL,
}

COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")


@cache
def defaults(kind: OpClass) -> Mapping[str, Attribute]:
    """The properties of an op that nothing was asked of: no fast-math, wrapping integers."""
    definitions = kind.get_irdl_definition().properties
    return {
        name: definition.default_value
        for name, definition in definitions.items()
        if definition.default_value is not None
    }


@cache
def comparison(name: str, dtype: str) -> Mapping[str, Attribute]:
    """The properties of the `loop.compare` of two values of a dtype."""
    unsigned = dtype in ("u8", "bool") and name not in ("eq", "ne")
    return {"predicate": StringAttr(f"u{name}" if unsigned else name)}
