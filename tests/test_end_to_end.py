"""From a Python function to a file and back: the same program, the same bits, the same bytes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from xdsl.parser import Parser

import stepwell.runtime
from stepwell import nn
from stepwell.array import asarray
from stepwell.compiler.pipeline import STAGES, context
from stepwell.compiler.targets.llvm_text import module_text
from stepwell.compiling import Compiled, compile, jit
from stepwell.control import cond, scan, while_loop
from stepwell.transforms import grad


def softmax_layer(x, w, b):
    return nn.softmax(x @ w + b)


def arrays(rows: int) -> list[np.ndarray]:
    random = np.random.default_rng(rows)
    shapes = [(rows, 33), (33, 20), (20,)]
    return [random.standard_normal(shape).astype(np.float32) for shape in shapes]


@pytest.fixture(scope="module")
def program() -> Compiled:
    return compile(softmax_layer, "f32[B: 0.., 33]", "f32[33, 20]", "f32[20]")


@pytest.mark.parametrize("rows", [0, 1, 7, 300])
def test_a_program_with_a_symbolic_size_runs_at_every_size(program: Compiled, rows: int) -> None:
    given = arrays(rows)
    expected = softmax_layer(*map(asarray, given)).value
    np.testing.assert_allclose(program(*given).value, expected, rtol=2e-6, atol=1e-7)


def test_a_saved_program_gives_the_same_bits(program: Compiled, tmp_path: Path) -> None:
    file = tmp_path / "m.well"
    program.save(file, sample={"softmax_layer": arrays(5)})
    model = stepwell.runtime.load(file)
    x, w, b = arrays(7)
    assert model(x, w, b).tobytes() == program(x, w, b).value.tobytes()
    assert model(b=b, w=w, x=x).tobytes() == program(x, w, b).value.tobytes()
    assert stepwell.runtime.verify(file).worst == 0.0


def test_entry_points_share_their_weights(tmp_path: Path) -> None:
    shared = np.random.default_rng(1).standard_normal((64, 64)).astype(np.float32)
    both = compile(
        {
            "twice": (lambda x: x @ shared @ shared, "f32[B, 64]"),
            "once": (lambda x: x @ shared, "f32[B, 64]"),
        }
    )
    both.save(tmp_path / "two.well")
    model = stepwell.runtime.load(tmp_path / "two.well")
    x = np.ones((3, 64), np.float32)
    once = model.once(x)
    np.testing.assert_allclose(model["twice"](x), once @ shared, rtol=1e-4, atol=1e-3)
    size = (tmp_path / "two.well").stat().st_size
    assert size < 2 * shared.nbytes + 100_000


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_bits_do_not_depend_on_threads(program: Compiled, threads: int) -> None:
    given = arrays(2000)
    before = stepwell.runtime.threads()
    try:
        stepwell.runtime.set_threads(1)
        alone = program(*given).value.tobytes()
        stepwell.runtime.set_threads(threads)
        assert program(*given).value.tobytes() == alone
    finally:
        stepwell.runtime.set_threads(before)


def test_control_flow_compiles() -> None:
    def steps(x):
        def body(carry, row):
            carry = cond(carry.sum() > 0, lambda c: c * 0.5, lambda c: -c, carry)
            return carry + row, carry

        last, all_of_them = scan(body, x.sum(0), x)
        doubled = while_loop(lambda v: (v * v).sum() < 50, lambda v: v * 2, last)
        return doubled, all_of_them

    x = np.random.default_rng(2).standard_normal((6, 5)).astype(np.float32)
    for compiled, eager in zip(jit(steps)(x), steps(asarray(x)), strict=True):
        np.testing.assert_allclose(compiled.value, eager.value, rtol=1e-5, atol=1e-6)


def test_gradients_compile() -> None:
    x, w, b = arrays(9)

    def loss(w, b):
        y = softmax_layer(asarray(x), w, b)
        return (y * y).sum()

    for compiled, eager in zip(
        jit(grad(loss, argnums=(0, 1)))(w, b), grad(loss, argnums=(0, 1))(w, b), strict=True
    ):
        np.testing.assert_allclose(compiled.value, eager.value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stage", [name for name, _ in STAGES if name != "llvm"])
def test_the_dump_of_every_stage_parses_back(program: Compiled, stage: str) -> None:
    text = program.ir(stage)
    module = Parser(context(), text).parse_module()
    module.verify()
    assert text.rstrip().endswith(str(module).rstrip())


def test_the_llvm_dump_parses_back_to_the_same_code() -> None:
    """Compared as LLVM's text, since upstream's parser moves properties of llvm.func.

    Without math functions: xDSL 0.74 reads the bits of a float in `dense<0x…>` as an integer.
    """
    program = compile(lambda x, w, b: nn.relu(x @ w + b), "f32[B, 33]", "f32[33, 20]", "f32[20]")
    module = Parser(context(), program.ir("llvm")).parse_module()
    module.verify()
    assert module_text(module) == program.ir("ll")


BUILD = """
import sys
import numpy as np
from stepwell.compiling import compile
w = np.arange(12, dtype=np.float32).reshape(3, 4)
v = np.arange(8, dtype=np.float32).reshape(4, 2)
compile(lambda x: (x @ w) @ v, "f32[B, 3]").save(sys.argv[1])
"""


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    files = [tmp_path / "a.well", tmp_path / "b.well"]
    for seed, file in enumerate(files):
        environment = {**os.environ, "PYTHONHASHSEED": str(seed + 1)}
        subprocess.run([sys.executable, "-c", BUILD, file], check=True, env=environment)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_environment_names_a_folder_for_dumps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_DUMP", str(tmp_path))
    one = compile(lambda x: x + 1, "f32[B]", target="x86-64-v3")
    names = [path.name for path in sorted(tmp_path.glob("0001-main/x86-64-v3/*"))]
    stages = [f"{number:02}-{name}.mlir" for number, (name, _) in enumerate(STAGES)]
    assert names == [*stages, "08-ll.ll", "09-asm.s"]
    for path in tmp_path.rglob("0001-main/*/*"):
        assert path.read_text() == one.ir(path.stem[3:])


def test_each_program_has_a_folder_for_dumps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_DUMP", str(tmp_path))
    up, down = (lambda x: x + 1, "f32[B]"), (lambda x: x - 1, "f32[B]")
    (tmp_path / "0041-of-another-process").mkdir()
    program = compile({"up": up, "down": down}, target=["x86-64-v3", "x86-64-v4"])
    compile({"down": down}, target="x86-64-v3")
    program.save(tmp_path / "m.well")
    found = sorted(str(each.relative_to(tmp_path)) for each in tmp_path.glob("*-*/*"))
    assert found == [
        "0042-up+down/x86-64-v3",
        "0042-up+down/x86-64-v4",
        "0043-down/x86-64-v3",
    ]


COMMANDS = Path(sys.executable).parent


def test_the_command_line_compiles_runs_inspects_and_verifies(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("def double(x):\n    return x * 2\n")
    np.save(tmp_path / "a.npy", np.arange(6, dtype=np.float32).reshape(2, 3))

    def stepwell_command(*arguments: str) -> str:
        command = [COMMANDS / "stepwell", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    stepwell_command("compile", "model.py:double", "--spec", "x=f32[B,3]", "-o", "m.well")
    stepwell_command("run", "m.well", "--input", "x=a.npy", "--output", "y.npy")
    assert np.load(tmp_path / "y.npy").tolist() == [[0, 2, 4], [6, 8, 10]]
    assert "double(x: f32[B,3]) -> (result: f32[B,3])" in stepwell_command("inspect", "m.well")
    assert "loop.kernel" in stepwell_command("inspect", "m.well", "--ir", "loop")
    assert "members have their SHA-256" in stepwell_command("verify", "m.well")


def test_a_reader_who_stops_early_is_no_error(tmp_path: Path) -> None:
    compile(lambda x: x * 2, "f32[B]").save(tmp_path / "m.well")
    command = [COMMANDS / "stepwell", "inspect", tmp_path / "m.well", "--ir", "loop"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_any_byte_but_zero_is_true() -> None:
    bytes_ = np.array([0, 1, 2, 255] * 20, np.uint8).view(np.bool_)
    program = compile(lambda b: (~b, b[2]), "bool[N: 3..]")
    negated, one = program(bytes_)
    np.testing.assert_array_equal(np.asarray(negated), bytes_.view(np.uint8) == 0)
    assert bool(one)
