"""Weights that products read are packed once: in memory, in files and from the cache, one copy."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stepwell as sw
from stepwell import Array, nn
from stepwell import numpy as snp
from stepwell.cli import main
from stepwell.compiler.dialects import nd
from stepwell.runtime import safetensors
from stepwell.runtime.artifact import WEIGHTS, Artifact

RANDOM = np.random.default_rng(3)
W = RANDOM.standard_normal((48, 96), np.float32)
KERNEL = RANDOM.standard_normal((3, 3, 8, 64), np.float32)
X = RANDOM.standard_normal((5, 48), np.float32)
IMAGE = RANDOM.standard_normal((2, 7, 7, 8), np.float32)


def convolved(x: Any, w: Any) -> Array:
    return nn.conv2d(x, w, padding="same")


@pytest.mark.parametrize(
    ("function", "x", "w"),
    [
        (lambda x, w: x @ w, X, W),
        (lambda x, w: x @ w, X[:1], W),
        (lambda x, w: x @ snp.transpose(w), X, W.T.copy()),
        (lambda x, w: snp.tanh(x @ w + 1), X, W),
        (convolved, IMAGE, KERNEL),
    ],
)
@pytest.mark.parametrize("machine", ["x86-64-v3", "host"])
def test_the_bits_are_those_of_a_weight_that_is_given(
    function: Callable[[Any, Any], Array], x: Any, w: Any, machine: str
) -> None:
    specs = [f"f32[{','.join(map(str, each.shape))}]" for each in (x, w)]
    given = sw.compile(function, *specs, target=machine)
    constant = sw.compile(lambda x: function(x, w), specs[0], target=machine)
    assert np.asarray(constant(x)).tobytes() == np.asarray(given(x, w)).tobytes()


@pytest.mark.parametrize("dtypes", ["u8 i8", "i8 i8", "i8 u8"])
@pytest.mark.parametrize("machine", ["x86-64-v3", "x86-64-v4", "host"])
def test_bytes_are_words_on_all_levels(machine: str, dtypes: str) -> None:
    of_x, of_w = (each.replace("8", "1") for each in dtypes.split())
    w = RANDOM.integers(0, 256, (44, 96)).astype("u1").view(of_w)
    spec = f"{dtypes[:2]}[B, 44]"
    program = sw.compile(lambda x: snp.matmul(x, w, dtype="i32"), spec, target=machine)
    assert "reshape [11, 4, 3, 32] transpose [2, 0, 3, 1]" in program.ir("simple")
    for rows in (1, 5, 40):
        x = RANDOM.integers(0, 256, (rows, 44)).astype("u1").view(of_x)
        np.testing.assert_array_equal(program(x), np.matmul(x, w, dtype="i4"))


def test_bytes_by_one_row_stay_in_rows() -> None:
    """For `gemm`, which reads them as they are."""
    w = RANDOM.integers(-128, 128, (44, 96)).astype("i1")
    program = sw.compile(lambda x: snp.matmul(x, w, dtype="i32"), "i8[1, 44]")
    assert "tensor<44x96xi8>" in program.ir("simple")


def weights_in(path: Path) -> dict[str, np.ndarray]:
    """What a file has by hash."""
    return safetensors.parse(Artifact.open(path).read(WEIGHTS), WEIGHTS)


def test_a_file_has_one_copy_for_all_levels(tmp_path: Path) -> None:
    program = sw.compile(lambda x: x @ W, "f32[B, 48]", target=["x86-64-v3", "x86-64-v4"])
    program.save(tmp_path / "m.well", sample={"main": (X,)})
    (packed,) = weights_in(tmp_path / "m.well").values()
    np.testing.assert_array_equal(packed, W.reshape(48, 3, 32).transpose(1, 0, 2))
    assert np.asarray(sw.load(tmp_path / "m.well")(X)).tobytes() == np.asarray(program(X)).tobytes()
    assert main(["verify", str(tmp_path / "m.well")]) == 0


def test_entry_points_share_panels(tmp_path: Path) -> None:
    program = sw.compile(
        {
            "prefill": (lambda x: snp.tanh(x @ W), "f32[S, 48]"),
            "decode": (lambda x: x @ W, "f32[1, 48]"),
        }
    )
    program.save(tmp_path / "m.well")
    (packed,) = weights_in(tmp_path / "m.well").values()
    assert packed.shape == (3, 48, 32)
    loaded = sw.load(tmp_path / "m.well")
    np.testing.assert_allclose(loaded.decode(X[:1]), X[:1] @ W, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(loaded.prefill(X), np.tanh(X @ W), rtol=1e-4, atol=1e-4)


def test_a_table_that_is_read_in_two_ways_stays_one(tmp_path: Path) -> None:
    table = W.T.copy()

    def tied(i: Any, x: Any) -> Any:
        return snp.take(table, i, axis=0), snp.einsum("bk,nk->bn", x, table)

    program = sw.compile(tied, "i64[B]", "f32[B, 48]")
    program.save(tmp_path / "m.well")
    (kept,) = weights_in(tmp_path / "m.well").values()
    np.testing.assert_array_equal(kept, table)
    rows, logits = program(np.array([95, 0, 3]), X[:3])
    np.testing.assert_array_equal(rows, table[[95, 0, 3]])
    np.testing.assert_allclose(logits, X[:3] @ W, rtol=1e-4, atol=1e-4)


def test_weights_are_moved_when_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[object] = []
    arranged = nd.arranged

    def counting(values: Any, moves: Any) -> Any:
        moved.append(moves)
        return arranged(values, moves)

    monkeypatch.setattr(nd, "arranged", counting)
    program = sw.compile(lambda x: snp.tanh(x @ W) @ W.T.copy(), "f32[5, 48]")
    assert moved == []
    for _ in range(2):
        program(X)
    assert len(moved) == 1, "the second one has 48 columns, and lies in rows"
