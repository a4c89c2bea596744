"""The files of filecheck/llvm, checked in this process."""

from io import StringIO
from pathlib import Path

import pytest
from filecheck.finput import FInput
from filecheck.matcher import Matcher
from filecheck.options import Options
from filecheck.parser import Parser as Checks
from xdsl.context import Context
from xdsl.dialects.builtin import Builtin, ModuleOp
from xdsl.dialects.test import Test
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import ParseError, VerifyException

from source_tree import ROOT
from stepwell.compiler.dialects.llvm import LLVM
from stepwell.compiler.targets.llvm_text import module_text

FOLDER = ROOT / "filecheck" / "llvm"
PRINTED = ["instructions", "intrinsics", "memory", "switch"]
TEXTS = sorted(path.stem for path in (FOLDER / "text").glob("*.mlir"))


def parse(source: str) -> ModuleOp:
    context = Context()
    for dialect in (Builtin, LLVM, Test):
        context.load_dialect(dialect)
    module = Parser(context, source).parse_module()
    module.verify()
    return module


def printed(module: ModuleOp, *, generic: bool = False) -> str:
    stream = StringIO()
    Printer(stream, print_generic_format=generic).print_op(module)
    return stream.getvalue()


def expect(path: Path, output: str) -> None:
    options = Options(str(path))
    matcher = Matcher(options, FInput("output", output), Checks.from_opts(options))
    matcher.stderr = StringIO()
    assert matcher.run() == 0, f"{matcher.stderr.getvalue()}\n{output}"


@pytest.mark.parametrize("generic", [False, True])
@pytest.mark.parametrize("name", PRINTED)
def test_prints_what_it_parsed(name: str, generic: bool) -> None:
    path = FOLDER / f"{name}.mlir"
    module = parse(path.read_text())
    again = parse(printed(module, generic=generic))
    assert again.is_structurally_equivalent(module)
    expect(path, printed(again))


def test_refuses_what_is_wrong() -> None:
    path = FOLDER / "refused.mlir"
    messages: list[str] = []
    for case in path.read_text().split("// -----"):
        with pytest.raises((VerifyException, ParseError)) as caught:
            parse(case)
        messages.append(str(caught.value))
    expect(path, "\n".join(messages))


@pytest.mark.parametrize("name", TEXTS)
def test_text(name: str) -> None:
    path = FOLDER / "text" / f"{name}.mlir"
    expect(path, module_text(parse(path.read_text())))
