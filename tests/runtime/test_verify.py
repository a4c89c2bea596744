"""Verification: every member is checked, every sample repeated on every target, in ulps."""

from dataclasses import replace

import numpy as np
import pytest

from stepwell.runtime import artifact, safetensors, verify
from stepwell.runtime.dtypes import BY_NAME
from stepwell.runtime.entry import Argument, Result
from stepwell.runtime.errors import LoadError
from stepwell.runtime.manifest import Manifest
from stepwell.runtime.samples import Sample, pack, unpack
from stepwell.runtime.sizes import Size
from stepwell.runtime.ulps import largest_error, repeats

W = np.float32([1, 2, 3, 4])
X = np.arange(8, dtype=np.float32).reshape(2, 4)


def with_samples(path, manifest, members, samples):
    packed = samples if isinstance(samples, dict) else pack(samples)
    artifact.write(path, manifest, {**members, artifact.SAMPLES: safetensors.serialize(packed)})
    return path


def refusal(source):
    with pytest.raises(LoadError) as caught:
        verify(source)
    return str(caught.value)


def test_an_artifact_that_does_what_it_did(scale_file):
    report = verify(scale_file)
    assert report.worst == 0
    assert str(report) == (
        f"{scale_file}: 3 members have their SHA-256\nbaseline: sample 0: scale.y: 0 ulp"
    )


def test_errors_are_told_in_ulps(make, tmp_path):
    expected = 2 * X + W
    nearly = np.nextafter(expected, np.float32(np.inf))
    samples = [Sample("scale", [X], [expected]), Sample("scale", [X], [nearly])]
    report = verify(with_samples(tmp_path / "m.well", *make.scale(), samples))
    assert [error.ulps for error in report.outputs] == [0, 1]
    assert report.worst == 1


def unrepeated(report):
    with pytest.raises(LoadError) as caught:
        report.expect_repeated()
    return str(caught.value)


def test_one_bit_is_too_much(make, tmp_path):
    expected = 2 * X + W
    nearly = expected.copy()
    nearly[1, 2] = np.nextafter(nearly[1, 2], np.float32(np.inf))
    samples = [Sample("scale", [X], [expected]), Sample("scale", [X], [nearly])]
    path = with_samples(tmp_path / "m.well", *make.scale(), samples)
    assert unrepeated(verify(path)) == (
        f"SW0319: {path} does not do here what it did where it was made: 1 of 2 results of its"
        " samples differ\n"
        "  baseline: sample 1: scale.y: 1 ulp\n"
        "  help: code and samples are not of one program, or this is an error of stepwell's"
    )


def test_the_sign_of_a_zero_is_a_bit(make, tmp_path):
    x = np.float32([[-0.5, -1, -1.5, -2]])
    path = with_samples(
        tmp_path / "m.well", *make.scale(), [Sample("scale", [x], [np.float32([[-0.0, 0, 0, 0]])])]
    )
    assert "scale.y: 0 ulp, and zeros of other signs" in unrepeated(verify(path))


def test_fast_numerics_have_a_tolerance(make, tmp_path):
    manifest, members = make.scale()
    entry = replace(manifest.entries["scale"], numerics="fast")
    manifest = replace(manifest, entries={"scale": entry})
    expected = 2 * X + W
    samples = [Sample("scale", [X], [expected + np.float32(0.006)])]  # 18 * sqrt(2 ** -23)
    verify(with_samples(tmp_path / "m.well", manifest, members, samples)).expect_repeated()
    samples = [Sample("scale", [X], [expected + np.float32(0.007)])]
    report = verify(with_samples(tmp_path / "m.well", manifest, members, samples))
    assert unrepeated(report).startswith("SW0319")


def test_every_target_that_can_run_is_tried(make, tmp_path):
    manifest, members = make.scale()
    (target,) = manifest.targets
    targets = (
        replace(target, name="best"),
        replace(target, name="other", features=("telepathy",)),
        target,
    )
    sample = Sample("scale", [X], [2 * X + W])
    path = with_samples(tmp_path / "m.well", replace(manifest, targets=targets), members, [sample])
    assert [error.target for error in verify(path).outputs] == ["best", "baseline"]


def test_samples_of_a_model_with_state_follow_each_other(make, programs, tmp_path):
    first = np.array(10)
    key = make.digest(first)
    count = Argument("state", "count", make.type("i64[]"), key)
    entry = make.entry("advance", {"step": "i64[]"}, {"total": "i64[]"}, others=[count])
    entry = replace(entry, results=(Result("total", make.type("i64[]"), "count"),))
    target = make.target("t", workspace={"f": Size.of(0)})
    members = {
        "code/t.o": make.object(programs["advance"]),
        artifact.WEIGHTS: safetensors.serialize({key: first}),
    }
    totals = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22]
    samples = [Sample("f", [np.array(1)], [np.array(total)]) for total in totals]
    path = with_samples(
        tmp_path / "m.well", Manifest("stepwell test", {"f": entry}, (target,)), members, samples
    )
    verify(path).expect_repeated()


def test_an_artifact_without_samples_is_checked_too(make, tmp_path):
    manifest, members = make.scale()
    del members[artifact.SAMPLES]
    artifact.write(tmp_path / "m.well", manifest, members)
    report = verify(tmp_path / "m.well")
    assert report.members == 2
    report.expect_repeated()
    assert str(report) == (
        f"{tmp_path / 'm.well'}: 2 members have their SHA-256\nno samples: nothing was run"
    )


def test_members_that_are_not_used_are_checked(make, tmp_path):
    path = tmp_path / "m.well"
    manifest, members = make.scale()
    artifact.write(path, manifest, {**members, "ir/loop.mlir": b"loop.kernel"})
    path.write_bytes(path.read_bytes().replace(b"loop.kernel", b"LOOP.kernel"))
    assert refusal(path) == (
        f"SW0306: {path} is damaged: ir/loop.mlir does not have its SHA-256 any more"
    )


def test_an_artifact_that_cannot_run_here_is_refused(make, tmp_path):
    path = tmp_path / "m.well"
    artifact.write(path, *make.scale(features=["telepathy"]))
    assert refusal(path) == (
        f"SW0308: {path} cannot run on this processor: baseline needs telepathy"
    )


@pytest.mark.parametrize(
    "packed",
    [
        {"x": X},
        {"0.f.inputs.0": X},
        {"0.scale.inputs.0": X},
        {"0.scale.results.0": X},
        {"a.scale.inputs.0": X, "a.scale.results.0": X},
        {"0.scale.inputs.0": X, "0.scale.results.0": X, "0.scale.inputs.1": X},
    ],
)
def test_samples_of_another_model_are_refused(make, tmp_path, packed):
    path = with_samples(tmp_path / "m.well", *make.scale(), packed)
    assert refusal(path) == (
        f"SW0318: {path}: samples.safetensors does not hold samples of these entry points"
    )


Y = "y: expected f32[B,4], got "


@pytest.mark.parametrize(
    ("inputs", "results", "reason"),
    [
        (X, X.astype("f8"), f"{Y}float64 array of shape (2, 4)"),
        (X, X[None], f"{Y}float32 array of shape (1, 2, 4)"),
        (X, X[:1], f"{Y}float32 array of shape (1, 4)"),
        (X, X[:, :3], f"{Y}float32 array of shape (2, 3)"),
        (X[0], X, "x: expected f32[B,4], got float32 array of shape (4,)"),
        (X[:, :3], X, "x: expected f32[B,4], got float32 array of shape (2, 3)"),
        (X.astype("f8"), X, "x: expected f32[B,4], got float64 array of shape (2, 4)"),
        (
            np.tile(X, (40, 1)),
            np.tile(X, (40, 1)),
            "x: expected f32[B,4] with B in 0..64, got float32 array of shape (80, 4)",
        ),
    ],
)
def test_samples_of_other_types_are_refused_before_any_runs(
    make, tmp_path, monkeypatch, inputs, results, reason
):
    samples = [Sample("scale", [X], [2 * X + W]), Sample("scale", [inputs], [results])]
    path = with_samples(tmp_path / "m.well", *make.scale(), samples)
    monkeypatch.setattr("stepwell.runtime.model.EntryPoint.run", None)
    assert refusal(path) == f"SW0318: {path}: samples.safetensors: sample 1: {reason}"


def test_samples_come_back_in_order(make):
    entries = {"a.b": make.entry("f", {"x": "f32[2,4]"}, {"y": "f32[4]", "z": "f32[4]"})}
    samples = [Sample("a.b", [X + i], [W, W + i]) for i in range(12)]
    packed = dict(reversed(pack(samples).items()))
    found = unpack(packed, entries, "m")
    assert [int(sample.results[1][0]) for sample in found] == list(range(1, 13))
    np.testing.assert_array_equal(found[3].inputs[0], X + 3)


FLOATS = ["f16", "bf16", "f32", "f64"]


@pytest.mark.parametrize("name", FLOATS)
def test_neighbours_are_one_ulp_apart(name):
    dtype = BY_NAME[name].numpy
    ones = np.array([1, -1, 0, 2, -0.0], dtype)
    bits = ones.view(f"i{dtype.itemsize}")
    assert largest_error((bits + 1).view(dtype), ones) == 1
    assert largest_error(ones, (bits + 3).view(dtype)) == 3


@pytest.mark.parametrize("name", FLOATS)
def test_special_values(name):
    dtype = BY_NAME[name].numpy
    nan, inf = np.array([np.nan], dtype), np.array([np.inf], dtype)
    one, zero = np.array([1], dtype), np.array([0], dtype)
    smallest = np.array([1], f"u{dtype.itemsize}").view(dtype)
    assert largest_error(nan, nan) == 0
    assert largest_error(nan, -nan) == 0
    assert largest_error(zero, -zero) == 0
    assert largest_error(smallest, -smallest) == 2
    assert largest_error(np.concatenate([nan, one]), np.concatenate([nan, one])) == 0
    for found, expected in [(nan, one), (one, nan), (inf, one), (one, inf), (inf, -inf)]:
        assert largest_error(found, expected) == float("inf")


@pytest.mark.parametrize("name", FLOATS)
def test_what_repeats(name):
    dtype = BY_NAME[name].numpy
    nan, zero, one = (np.array(value, dtype) for value in (np.nan, 0, 1))
    next_one = (one.view(f"i{dtype.itemsize}") + 1).view(dtype)
    for found, expected, strict, fast in [
        (nan, -nan, True, True),
        (zero, -zero, False, True),
        (one, next_one, False, True),
        (one, nan, False, False),
        (nan, one, False, False),
        (one, 2 * one, False, False),
        (one, one, True, True),
    ]:
        assert repeats(found, expected, "strict") is strict
        assert repeats(found, expected, "fast") is fast
    three, four = np.array(3), np.array(4)
    assert not repeats(three, four, "fast")


def test_the_ends_of_the_line_do_not_overflow():
    largest = np.array([np.finfo(np.float64).max])
    assert largest_error(largest, -largest) == pytest.approx(2.0**64 - 2.0**53)


@pytest.mark.parametrize("name", ["bool", "i8", "u8", "i32", "i64"])
def test_integers_are_equal_or_not(name):
    one, zero = (np.array([value], BY_NAME[name].numpy) for value in (1, 0))
    assert largest_error(one, one) == 0
    assert largest_error(one, zero) == float("inf")


def test_arrays_without_elements_agree():
    assert largest_error(np.zeros((0, 3)), np.zeros((0, 3))) == 0
