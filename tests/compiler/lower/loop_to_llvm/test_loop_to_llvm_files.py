"""The files of filecheck/lower/loop_to_llvm, checked in this process."""

from collections.abc import Callable
from pathlib import Path

import pytest
from filecheck.finput import FInput
from filecheck.matcher import Matcher
from filecheck.options import Options
from filecheck.parser import Parser as CheckParser
from stepwell.compiler.lower.loop_to_llvm import LoopToLlvm
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

FOLDER = Path(__file__).parents[4] / "filecheck" / "lower" / "loop_to_llvm"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.mlir")), ids=lambda path: path.stem)
def test_file(parse: Callable[[str], ModuleOp], path: Path) -> None:
    module = parse(path.read_text())
    LoopToLlvm().apply(Context(), module)
    module.verify()
    options = Options(str(path))
    found = FInput("output", f"{module}\n")
    assert Matcher(options, found, CheckParser.from_opts(options)).run() == 0
