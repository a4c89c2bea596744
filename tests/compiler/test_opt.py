"""The command `stepwell-opt`: passes meet only modules that they are for, and errors are short."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser
from xdsl.rewriter import Rewriter

from full_disk import full_disk
from stepwell import compile
from stepwell.compiler.dialects.nd import tensor
from stepwell.compiler.levels import LEVELS
from stepwell.compiler.lower.loop_to_llvm import LoopToLlvm
from stepwell.compiler.opt import main
from stepwell.compiler.passes.simplify import Simplify
from stepwell.compiler.pipeline import context
from stepwell.compiler.universe import PASSES
from stepwell.runtime.errors import LONGEST, StepwellError

PROGRAM = compile(lambda x: x @ x + 1, "f32[N, N]", target="x86-64-v3")
TEXTS = {stage: PROGRAM.ir(stage) for stage in ("tensor", "kernels", "nests", "explicit", "llvm")}
Command = Callable[..., str]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """What the command says of a file with some text when it fails."""
    monkeypatch.chdir(tmp_path)

    def command(text: str | bytes | None, *arguments: str) -> str:
        if text is not None:
            Path("m.mlir").write_bytes(text if isinstance(text, bytes) else text.encode())
        monkeypatch.setattr("sys.argv", ["stepwell-opt", "m.mlir", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        assert capsys.readouterr().out == ""
        assert isinstance(caught.value.code, str)  # which Python prints, and ends with 1
        assert len(caught.value.code.splitlines()) <= LONGEST
        return caught.value.code

    return command


def test_every_pass_says_what_it_is_for() -> None:
    assert list(LEVELS) == [each.name for each in PASSES]


@pytest.mark.parametrize("name", [name for name, level in LEVELS.items() if level == "tensor"])
@pytest.mark.parametrize(("stage", "op"), [("nests", "loop.kernel"), ("llvm", "llvm.mlir.global")])
def test_passes_of_the_tensor_level(command: Command, name: str, stage: str, op: str) -> None:
    assert command(TEXTS[stage], "-p", name) == (
        f"SW0221: the pass {name} is for the tensor level, and this module has {op}"
    )


@pytest.mark.parametrize("name", [name for name, level in LEVELS.items() if level == "loop"])
def test_passes_of_the_loop_level(command: Command, name: str) -> None:
    sentence = f"SW0221: the pass {name} is for the loop level, and this module has"
    assert command(TEXTS["tensor"], "-p", name) == (
        f"{sentence} nd.func\n  help: run tensor-to-loop first"
    )
    assert command(TEXTS["llvm"], "-p", name) == f"{sentence} llvm.mlir.global"


@pytest.mark.parametrize(("stage", "op"), [("tensor", "nd.func"), ("llvm", "llvm.mlir.global")])
def test_instructions_are_made_of_the_loop_level_only(stage: str, op: str) -> None:
    module = Parser(context(), TEXTS[stage]).parse_module()
    with pytest.raises(StepwellError, match=f"SW0240: {op} cannot become instructions"):
        LoopToLlvm().apply(context(), module)


def test_a_pass_is_shown_what_those_before_it_leave(command: Command) -> None:
    assert command(TEXTS["kernels"], "-p", "tensor-to-loop,simplify") == (
        "SW0221: the pass simplify is for the tensor level, and this module has loop.kernel"
    )


@pytest.mark.parametrize("target", ["llvm", "asm"])
def test_targets_are_for_the_llvm_level(command: Command, target: str) -> None:
    sentence = f"SW0221: the target {target} is for the llvm level, and this module has"
    assert command(TEXTS["tensor"], "-t", target) == (
        f"{sentence} nd.func\n  help: run tensor-to-loop to loop-to-llvm first"
    )
    assert command(TEXTS["nests"], "-t", target) == (
        f"{sentence} loop.kernel\n  help: run loop-to-llvm first"
    )


def test_passes_in_the_wrong_order(command: Command) -> None:
    assert command(TEXTS["tensor"], "-p", "tensor-to-loop") == (
        "SW0224: the pass tensor-to-loop needs kernels, and nd.dot stands outside of them\n"
        "  help: run form-kernels first"
    )
    for name in ("choose-plans", "expand-plans"):
        sentence, hint = command(TEXTS["explicit"], "-p", name).splitlines()
        assert sentence.startswith(f"SW0224: the pass {name} needs nests, and ")
        assert sentence.endswith(" has none any more")
        assert hint == "  help: run it before expand-plans, and once"


@pytest.mark.parametrize(
    ("passes", "message"),
    [
        ("simplfy", "SW0222: there is no pass simplfy\n  help: there is simplify"),
        (
            "builtin.module(inline,simplfy)",
            "SW0222: there is no pass simplfy\n  help: there is simplify",
        ),
        (
            "zzz",
            "SW0222: there is no pass zzz\n  help: there is inline, winograd, simplify,"
            " layouts, pack-weights, separate-loops, form-kernels, tensor-to-loop,"
            " name-orders, relax, join-steps, choose-plans, share-buffers, swap-buffers,"
            " assign-buffers,"
            " expand-plans, onto-grids, loop-to-llvm, grids-to-llvm",
        ),
        (
            "simplify{",
            "SW0222: the passes simplify{ cannot be read: Expected argument name here\n"
            "  pass-pipeline:1:10\n  simplify{\n           ^",
        ),
        (
            "choose-plans{machin=x}",
            "SW0222: the passes choose-plans{machin=x} cannot be read: Provided arguments"
            ' ["machin"] not found in expected arguments ["machine"]',
        ),
    ],
)
def test_passes_that_are_not_there(command: Command, passes: str, message: str) -> None:
    assert command(TEXTS["tensor"], "-p", passes) == message


def test_files_that_cannot_be_read_or_written(command: Command) -> None:
    assert command(None) == "SW0301: m.mlir cannot be read: No such file or directory"
    assert command(b"\xdd\xff\x00") == "SW0301: m.mlir cannot be read: it is not text"
    assert command(TEXTS["tensor"], "-o", "none/m.mlir") == (
        "SW0317: none/m.mlir cannot be written: No such file or directory"
    )


def test_a_file_that_finds_no_room_leaves_the_old_one(command: Command) -> None:
    Path("old.mlir").write_text("old")
    Path("m.mlir").write_text(TEXTS["explicit"])
    with full_disk():
        said = command(None, "-o", "old.mlir")
    assert said == "SW0317: old.mlir cannot be written: File too large"
    assert Path("old.mlir").read_text() == "old"
    assert sorted(map(str, Path().iterdir())) == ["m.mlir", "old.mlir"]


def test_a_file_that_goes_wrong_leaves_the_old_one(command: Command) -> None:
    Path("old.mlir").write_text("old")
    assert command(TEXTS["llvm"], "-p", "simplify", "-o", "old.mlir").startswith("SW0221")
    assert Path("old.mlir").read_text() == "old"


def test_text_that_cannot_be_parsed(command: Command) -> None:
    text = """
        SW0225: the text cannot be read: Operation foo is not registered
          m.mlir:1:22
          builtin.module { foo }
                               ^
    """
    assert command("builtin.module { foo }\n") == dedent(text).strip("\n").rstrip()


def test_a_module_that_does_not_verify(command: Command) -> None:
    wrong = """
        nd.func @f(%x: tensor<3xf32>) {
          %y = "nd.add"(%x, %x) : (tensor<3xf32>, tensor<3xf32>) -> tensor<4xf32>
          nd.return %y : tensor<4xf32>
        }
    """
    text = """
        SW0223: the module is wrong: result 'result' at position 0 does not verify:
          attribute tensor<3xf32> expected from variable 'T', but got tensor<4xf32>
          %y = "nd.add"(%x, %x) : (tensor<3xf32>, tensor<3xf32>) -> tensor<4xf32>
    """
    assert command(wrong) == dedent(text).strip("\n").rstrip()


def test_each_pass_is_verified(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(self: Simplify, ctx: object, op: ModuleOp) -> None:
        results = (result for each in op.walk() for result in each.results)
        Rewriter.replace_value_with_new_type(next(results), tensor("f32", ()))

    monkeypatch.setattr(Simplify, "apply", spoil)
    assert command(TEXTS["tensor"], "-p", "simplify,inline", "--verify-each").startswith("SW0223")
