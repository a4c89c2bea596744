"""Arguments that a caller gives away: a result may lie in their place."""

from pathlib import Path

import numpy as np
import pytest

import stepwell as sw
from stepwell import Array, CompileError
from stepwell import numpy as snp
from stepwell.runtime.dtypes import Array as Values

TREE = {"w": "f32[N,4]", "b": "f32[4]"}


def step(p: dict[str, Array], g: dict[str, Array]) -> dict[str, Array]:
    return {name: p[name] - g[name] / 2 for name in p}


def ones(n: int) -> dict[str, Values]:
    return {"w": np.ones((n, 4), np.float32), "b": np.ones(4, np.float32)}


def test_a_result_lies_in_the_place_of_a_donated_argument(tmp_path: Path) -> None:
    program = sw.compile(step, TREE, TREE, donate="p")
    p = ones(3)
    result = program(p, ones(3))
    assert np.shares_memory(np.asarray(result["w"]), p["w"])
    assert p["b"].tolist() == [0.5] * 4
    program.save(tmp_path / "step.well")
    loaded = sw.load(tmp_path / "step.well")
    assert loaded(p, ones(3))["w"] is p["w"]
    assert p["w"][2].tolist() == [0.0] * 4


def test_an_array_is_given_away_like_any_other() -> None:
    program = sw.compile(lambda x: x + 1, "f32[3]", donate="x")
    x = snp.zeros(3)
    result = program(x)
    assert np.shares_memory(np.asarray(result), np.asarray(x))


def test_it_is_copied_if_it_is_given_twice_or_may_not_be_written() -> None:
    program = sw.compile(step, TREE, TREE, donate=["p"])
    p = ones(2)
    assert np.asarray(program(p, p)["w"]).tolist() == [[0.5] * 4] * 2
    p["b"].flags.writeable = False
    assert np.asarray(program(p, ones(2))["b"]).tolist() == [0.5] * 4
    assert p["b"].tolist() == [1] * 4


def test_it_is_kept_while_it_is_read() -> None:
    def turned(x: Array) -> Array:
        return x + snp.flip(x, 0)

    program = sw.compile(turned, "f32[4]", donate="x")
    x = np.arange(4, dtype=np.float32)
    assert np.asarray(program(x)).tolist() == [3] * 4
    assert x.tolist() == [0, 1, 2, 3]


def test_where_no_result_lies_nothing_else_does() -> None:
    def total(x: Array, y: Array) -> Array:
        return snp.sum(snp.dynamic_update_slice(x, snp.zeros(3), [0]) * snp.sort(y), 0)

    program = sw.compile(total, "f32[4]", "f32[4]", donate="x")
    x = np.float32([1, 2, 3, 4])
    assert np.asarray(program(x, x)) == 16
    assert x.tolist() == [1, 2, 3, 4]


def test_a_cache_is_changed_in_place() -> None:
    def write(cache: Array, row: Array, at: Array) -> Array:
        return snp.dynamic_update_slice(cache, row[None], [at, 0])

    kept = sw.compile(write, "f32[9,2]", "f32[2]", "i64[]")
    program = sw.compile(write, "f32[9,2]", "f32[2]", "i64[]", donate="cache")
    assert program.copies == {"write": ()}
    cache = np.zeros((9, 2), np.float32)
    row = np.ones(2, np.float32)
    expected = np.asarray(kept(cache, row, np.int64(4)))
    assert cache.sum() == 0
    program(cache, row, np.int64(4))
    np.testing.assert_array_equal(cache, expected)


def test_bytes_with_signs_lie_in_no_place_of_those_without(tmp_path: Path) -> None:
    program = sw.compile(lambda x: x.astype("u8"), "i8[N]", donate="x")
    program.save(tmp_path / "f.well")
    for each in (program, sw.load(tmp_path / "f.well")):
        result = np.asarray(each(np.int8([-1, 2])))
        assert (result.dtype, result.tolist()) == (np.uint8, [255, 2])


def test_what_has_to_be_copied_is_told() -> None:
    program = sw.compile(lambda x: (x, x), "f32[N]", donate="x")
    ((copy,),) = program.copies.values()
    assert copy.endswith("f32[N]: two results are two arrays")
    assert Path(__file__).name in copy


def test_there_must_be_such_an_argument() -> None:
    with pytest.raises(CompileError, match="SW0151: there is no argument q to donate"):
        sw.compile(step, TREE, TREE, donate="q")
