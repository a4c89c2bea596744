"""The command `stepwell`: what it writes, and one clear message for whatever is wrong."""

import linecache
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import numpy
import pytest

from full_disk import full_disk
from source_tree import ROOT
from stepwell import compile
from stepwell.cli import COMMANDS, main
from stepwell.runtime import artifact
from stepwell.runtime.errors import LONGEST

X, Y = numpy.arange(3, dtype="f4"), numpy.ones(3, "f4")
MODEL = """\
def add(x, y=1.0):
    return x + y

def plus_undefined(x):
    return x + undefined

def inverse(x):
    import numpy
    return numpy.linalg.inv(numpy.zeros((2, 2))) + x

three = 3
"""
Refusal = Callable[..., str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command runs, with a model and two arrays."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])  # the command adds the folder of the model
    linecache.clearcache()  # of the files of these names that other tests wrote
    Path("model.py").write_text(MODEL)
    numpy.save("x.npy", X)
    numpy.save("y.npy", Y)
    return tmp_path


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Refusal:
    """What the command says when it fails."""

    def refusal(*arguments: str) -> str:
        assert main(arguments) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert len(said.err.splitlines()) <= LONGEST
        return said.err.rstrip("\n")

    return refusal


def expect(text: str, wanted: str) -> None:
    assert text == dedent(wanted).strip("\n")


@pytest.fixture
def nested() -> str:
    """A file whose results are nested."""
    program = compile(lambda x, y: {"a": x + y, "b": (x * 2, y)}, x="f32[N]", y="f32[N]")
    program.save("nested.well")
    return "nested.well"


INPUTS = ("--input", "x=x.npy", "--input", "y=y.npy")


WITHOUT_COMPILER = """
import sys
from stepwell.cli import COMMANDS, main
status = main(sys.argv[1:])
compiler = ("stepwell.compiler", "xdsl", "llvmlite")
loaded = [name for name in sys.modules if name.startswith(compiler)]
assert not loaded, loaded
sys.exit(status)
"""


@pytest.mark.parametrize("arguments", [("run", *INPUTS), ("inspect",), ("verify",)])
def test_what_uses_files_loads_no_compiler(nested: str, arguments: tuple[str, ...]) -> None:
    command, *more = arguments
    called = [sys.executable, "-c", WITHOUT_COMPILER, command, nested, *more]
    run = subprocess.run(called, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    said = capsys.readouterr().out
    assert all(f"    {name}" in said and purpose[:20] in said for name, purpose in COMMANDS.items())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    assert "options:" in capsys.readouterr().out


def test_results_go_to_files_by_name(nested: str) -> None:
    names = ("--output", "result['b'][0]=double.npy", "--output", "result['a']=sum.npy")
    assert main(["run", nested, *INPUTS, *names]) == 0
    numpy.testing.assert_array_equal(numpy.load("double.npy"), X * 2)
    numpy.testing.assert_array_equal(numpy.load("sum.npy"), X + Y)


def test_without_files_all_results_are_printed(
    nested: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", nested, *INPUTS]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "result['a']: [1. 2. 3.]",
        "result['b'][0]: [0. 2. 4.]",
        "result['b'][1]: [1. 1. 1.]",
    ]


def test_arguments_are_given_by_the_names_of_their_leaves(
    capsys: pytest.CaptureFixture[str],
) -> None:
    program = compile(lambda p: p["w"] * p["b"], {"w": "f32[N]", "b": "f32[N]"})
    program.save("m.well")
    assert main(["run", "m.well", "--input", "p['w']=x.npy", "--input", "p['b']=y.npy"]) == 0
    assert capsys.readouterr().out == "[0. 1. 2.]\n"


@pytest.mark.parametrize("output", ["sum", "result=sum"])
def test_a_single_result_needs_no_name(output: str) -> None:
    compile(lambda x: x + 1, x="f32[N]").save("one.well")
    assert main(["run", "one.well", "--input", "x=x.npy", "--output", output]) == 0
    numpy.testing.assert_array_equal(numpy.load("sum"), X + 1)


def test_outputs_that_name_no_result(nested: str, refusal: Refusal) -> None:
    there = "there is result['a'], result['b'][0], result['b'][1]"
    assert refusal("run", nested, *INPUTS, "--output", "sum=a.npy") == (
        f"SW0504: there is no result sum; {there}"
    )
    assert refusal("run", nested, *INPUTS, "--output", "a.npy") == (
        "SW0504: --output a.npy does not say which of 3 results\n"
        f"  help: {there}: write --output \"result['a']=a.npy\""
    )
    assert not Path("a.npy").exists()


def test_entry_points(refusal: Refusal, capsys: pytest.CaptureFixture[str]) -> None:
    compile({"up": (lambda x: x + 1, "f32[N]"), "down": (lambda x: x - 1, "f32[N]")}).save("m.well")
    assert main(["run", "m.well", "--entry", "down", "--input", "x=y.npy"]) == 0
    assert capsys.readouterr().out == "[0. 0. 0.]\n"
    assert refusal("run", "m.well", "--entry", "nope") == (
        "SW0418: there is no entry point nope; there is down, up"
    )
    assert refusal("run", "m.well") == (
        "SW0416: this model has the entry points down, up\n  help: name one: --entry down"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "SW0301: z.npy cannot be read: No such file or directory"),
        (b"", "SW0508: z.npy is not a .npy file with an array"),
        (b"junk", "SW0508: z.npy is not a .npy file with an array"),
        (b"PK\3\4", "SW0508: z.npy is not a .npy file with an array"),
    ],
)
def test_inputs_that_are_no_arrays(
    nested: str, refusal: Refusal, content: bytes | None, message: str
) -> None:
    if content is not None:
        Path("z.npy").write_bytes(content)
    assert refusal("run", nested, "--input", "x=z.npy") == message


def test_an_archive_is_no_array(nested: str, refusal: Refusal) -> None:
    numpy.savez("z.npz", X)
    assert refusal("run", nested, "--input", "x=z.npz") == (
        "SW0508: z.npz is not a .npy file with an array"
    )


def test_missing_and_unknown_inputs(nested: str, refusal: Refusal) -> None:
    signature = "signature: main(x: f32[N], y: f32[N]) -> {a: f32[N], b: (f32[N], f32[N])}"
    assert refusal("run", nested) == f"SW0401: main: missing x, y\n  {signature}"
    assert refusal("run", nested, "--input", "z=x.npy") == (
        f"SW0401: main: there is no argument z\n  {signature}"
    )


def test_options_that_are_given_twice(nested: str, refusal: Refusal) -> None:
    assert refusal("run", nested, *INPUTS, "--input", "x=y.npy") == "SW0511: --input gives x twice"
    outputs = ("--output", "result['a']=a.npy", "--output", "result['b'][0]=a.npy")
    assert refusal("run", nested, *INPUTS, *outputs) == "SW0511: --output gives one file twice"
    assert not Path("a.npy").exists()


def test_an_output_that_cannot_be_written(nested: str, refusal: Refusal) -> None:
    assert refusal("run", nested, *INPUTS, "--output", "result['a']=none/a.npy") == (
        "SW0317: none/a.npy cannot be written: No such file or directory"
    )


def test_an_output_that_finds_no_room_leaves_the_old_one(refusal: Refusal) -> None:
    compile(lambda x: x + 1, x="f32[N]").save("m.well")
    numpy.save("large.npy", numpy.ones(10**6, "f4"))
    before = Path("y.npy").read_bytes()
    there = sorted(Path().iterdir())
    with full_disk():
        said = refusal("run", "m.well", "--input", "x=large.npy", "--output", "y.npy")
    assert said == "SW0317: y.npy cannot be written: 1000000 requested and 224 written"
    assert Path("y.npy").read_bytes() == before
    assert sorted(Path().iterdir()) == there


def test_an_output_may_be_a_link_or_a_device() -> None:
    compile(lambda x: x + 1, x="f32[N]").save("m.well")
    Path("link.npy").symlink_to("y.npy")
    outputs = ("--output", "link.npy", "--output", "/dev/null")
    assert main(["run", "m.well", "--input", "x=x.npy", *outputs]) == 0
    numpy.testing.assert_array_equal(numpy.load("y.npy"), X + 1)
    assert Path("link.npy").is_symlink()
    assert Path("/dev/null").is_char_device()


def compiling(function: str, *specs: str) -> list[str]:
    options = [word for spec in specs for word in ("--spec", spec)]
    return ["compile", function, *options, "-o", "m.well", "--target", "x86-64-v3"]


@pytest.mark.parametrize("specs", [["x=f32[N]"], ["x=f32[N]", "y=f32[N]"], ["y=f32", "x=f32"]])
def test_compile(specs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(compiling("model.py:add", *specs)) == 0
    assert capsys.readouterr().out.startswith("m.well: ")


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ([], 'SW0507: add needs a --spec for x\n  help: write --spec "x=f32[B, 784]"'),
        (["y=f32"], 'SW0507: add needs a --spec for x\n  help: write --spec "x=f32[B, 784]"'),
        (["z=f32"], "SW0507: add has no argument z; it takes x, y"),
        (["x"], "SW0501: --spec 'x' is not of the form name=value"),
        (["x=f32", "y=f32", "x=f64"], "SW0511: --spec gives x twice"),
        (
            ["x=f32["],
            "SW0101: the spec does not close its bracket\n  f32[\n      ^\n"
            "  help: write a spec like i64, f32[784], f32[B, 2*S] or f32[B: 1..64]",
        ),
        (
            ["x=f32[B//2]"],
            "SW0157: no argument's shape determines B\n"
            "  help: give an axis the size B, or one linear in it like 2*B + 1",
        ),
    ],
)
def test_specs_that_do_not_fit(refusal: Refusal, specs: list[str], message: str) -> None:
    assert refusal(*compiling("model.py:add", *specs)) == message


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            "model.py",
            "SW0503: model.py is not of the form module.py:function\n"
            "  help: write model.py:function",
        ),
        ("no.py:f", "SW0502: there is no file 'no.py'\n  help: give module.py:function"),
        (
            "model.py:f",
            "SW0503: model.py defines no function 'f'\n"
            "  help: it defines add, inverse, plus_undefined",
        ),
        (
            "model.py:three",
            "SW0503: model.py defines no function 'three'\n"
            "  help: it defines add, inverse, plus_undefined",
        ),
    ],
)
def test_functions_that_are_not_there(refusal: Refusal, function: str, message: str) -> None:
    assert refusal(*compiling(function)) == message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "def f(x:\n    return x\n",
            """
            SW0506: user.py: SyntaxError: '(' was never closed
              --> user.py:1
               |     def f(x:
               |          ^
            """,
        ),
        (
            "x = 1\nimport nonesuch\n",
            """
            SW0506: user.py: ModuleNotFoundError: No module named 'nonesuch'
              --> user.py:2
               |     import nonesuch
               |     ^^^^^^^^^^^^^^^
            """,
        ),
        (
            "import json\nx = json.loads('')\n",
            """
            SW0506: user.py: JSONDecodeError: Expecting value: line 1 column 1 (char 0)
              --> user.py:2
               |     x = json.loads('')
               |         ^^^^^^^^^^^^^^
            """,
        ),
        (
            "raise ValueError\n",
            """
            SW0506: user.py: ValueError
              --> user.py:1
               |     raise ValueError
               |     ^^^^^^^^^^^^^^^^
            """,
        ),
    ],
)
def test_a_module_that_fails(refusal: Refusal, source: str, message: str) -> None:
    Path("user.py").write_text(source)
    expect(refusal(*compiling("user.py:f")), message)


def test_a_function_that_raises(refusal: Refusal) -> None:
    expect(
        refusal(*compiling("model.py:plus_undefined", "x=f32")),
        """
        SW0506: model.py: NameError: name 'undefined' is not defined
          --> model.py:5
           |     return x + undefined
           |                ^^^^^^^^^
        """,
    )


def test_the_line_is_the_users_and_not_one_of_a_library(refusal: Refusal) -> None:
    expect(
        refusal(*compiling("model.py:inverse", "x=f32")),
        """
        SW0506: model.py: LinAlgError: Singular matrix
          --> model.py:9
           |     return numpy.linalg.inv(numpy.zeros((2, 2))) + x
           |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        """,
    )


def test_samples_that_do_not_repeat(capsys: pytest.CaptureFixture[str]) -> None:
    compile(lambda x: x - 1, x="f32[N]").save("down.well", sample={"main": [X]})
    compile(lambda x: x + 1, x="f32[N]").save("up.well", sample={"main": [X]})
    assert main(["verify", "up.well"]) == 0
    up = artifact.Artifact.open("up.well")
    members = {name: up.read(name) for name in up.manifest.members}
    members[artifact.SAMPLES] = artifact.Artifact.open("down.well").read(artifact.SAMPLES)
    artifact.write("up.well", up.manifest, {name: bytes(each) for name, each in members.items()})
    assert main(["verify", "up.well"]) == 1
    assert capsys.readouterr().err.startswith("SW0319: up.well does not do here what it did")


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert capsys.readouterr().out == f"stepwell {project['version']}\n"


def test_every_option_of_run_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for said in (
        "file the .well file",
        "the entry point to call; needed if the file has several",
        "the array for an argument, by the name that `inspect` shows; one for each",
        "the file for a result, by the name that `inspect` shows (which may be left out if there is"
        " one result); without any, results are printed",
    ):
        assert said in text
