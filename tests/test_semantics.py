"""Every row of the tables in docs/semantics.md, eagerly and as compiled code."""

import re
from pathlib import Path
from typing import Any

import numpy
import pytest

import stepwell.numpy
from stepwell.array import asarray
from stepwell.compiling import jit

PAGE = Path(__file__).parent.parent / "docs" / "semantics.md"
ROW = re.compile(r"^\| `(?P<expression>.+?)` \| `(?P<result>.+?)` \|")


def rows() -> list[tuple[str, str]]:
    found = [ROW.match(line) for line in PAGE.read_text().splitlines()]
    return [(row["expression"], row["result"]) for row in found if row]


def names() -> dict[str, Any]:
    def of(dtype: str) -> Any:
        return lambda value: asarray(value, dtype)

    dtypes = ("i32", "i64", "u8", "f16", "bf16", "f32", "f64")
    known = {dtype: of(dtype) for dtype in dtypes}
    constants = {"nan": float("nan"), "inf": float("inf"), "abs": abs}
    return {**known, "bool_": of("bool"), "np": stepwell.numpy, **constants}


def evaluate(expression: str) -> Any:
    return eval(expression, names())


def same(actual: Any, expected: Any) -> bool:
    a, b = numpy.asarray(actual), numpy.asarray(expected)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.kind in "fV" and numpy.isnan(a.astype(float)) and numpy.isnan(b.astype(float)):
        return True
    return a.tobytes() == b.tobytes()


def test_the_page_has_rows() -> None:
    assert len(rows()) > 60


@pytest.mark.parametrize(("expression", "result"), rows())
def test_eager_arrays_mean_what_the_page_says(expression: str, result: str) -> None:
    assert same(evaluate(expression), evaluate(result))


@pytest.mark.parametrize(("expression", "result"), rows())
def test_compiled_code_means_what_the_page_says(expression: str, result: str) -> None:
    arguments = re.findall(r"(?:i32|i64|u8|f16|bf16|f32|f64|bool_)\([^()]*\)", expression)
    parameters = iter([f"x{n}" for n in range(len(arguments))])
    body = re.sub(
        r"(?:i32|i64|u8|f16|bf16|f32|f64|bool_)\([^()]*\)", lambda _: next(parameters), expression
    )
    listed = ", ".join(f"x{n}" for n in range(len(arguments)))
    function = eval(f"lambda {listed}: {body}", names())
    assert same(jit(function)(*map(evaluate, arguments)), evaluate(result))
