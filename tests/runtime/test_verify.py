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
from stepwell.runtime.ulps import largest_error

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
    assert verify(path).worst == 0


def test_an_artifact_without_samples_is_checked_too(make, tmp_path):
    manifest, members = make.scale()
    del members[artifact.SAMPLES]
    artifact.write(tmp_path / "m.well", manifest, members)
    assert verify(tmp_path / "m.well").members == 2


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
    ],
)
def test_samples_of_another_model_are_refused(make, tmp_path, packed):
    path = with_samples(tmp_path / "m.well", *make.scale(), packed)
    assert refusal(path) == (
        f"SW0318: {path}: samples.safetensors does not hold samples of these entry points"
    )


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


def test_the_ends_of_the_line_do_not_overflow():
    largest = np.array([np.finfo(np.float64).max])
    assert largest_error(largest, -largest) == pytest.approx(2.0**64 - 2.0**53)


@pytest.mark.parametrize("name", ["bool", "u8", "i32", "i64"])
def test_integers_are_equal_or_not(name):
    one, zero = (np.array([value], BY_NAME[name].numpy) for value in (1, 0))
    assert largest_error(one, one) == 0
    assert largest_error(one, zero) == float("inf")


def test_arrays_without_elements_agree():
    assert largest_error(np.zeros((0, 3)), np.zeros((0, 3))) == 0
