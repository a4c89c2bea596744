"""The artifact: written whole or not at all, the same bytes each time, refused when it is wrong."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from stepwell.runtime import artifact, container, load, system
from stepwell.runtime.errors import LoadError


def refusal(source, **options):
    with pytest.raises(LoadError) as caught:
        load(source, **options)
    return str(caught.value)


def repacked(path, change):
    """The file with other members, as `change` leaves them."""
    members = {
        name: bytes(data) for name, data in container.read(memoryview(path.read_bytes())).items()
    }
    change(members)
    with path.open("wb") as file:
        container.write(file, members)
    return path


def test_the_same_model_gives_the_same_bytes(make, tmp_path):
    manifest, members = make.scale()
    backwards = dict(reversed(members.items()))
    artifact.write(tmp_path / "a.well", manifest, members)
    artifact.write(tmp_path / "b.well", manifest, backwards)
    assert (tmp_path / "a.well").read_bytes() == (tmp_path / "b.well").read_bytes()


WRITE_ONE = """
import sys
from stepwell.runtime import artifact
from stepwell.runtime.manifest import Manifest
names = {f"ir/{name}.mlir" for name in "abcdefgh"}
artifact.write(sys.argv[1], Manifest("p", {}, ()), {name: name.encode() for name in names})
"""


def test_the_same_bytes_come_from_processes_with_other_hash_seeds(tmp_path):
    digests = set()
    for seed in "1", "2":
        path = tmp_path / f"{seed}.well"
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", WRITE_ONE, path], env=environment, check=True)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_an_artifact_holds_what_was_written(make, scale_file):
    manifest, members = make.scale()
    found = artifact.Artifact.open(scale_file)
    assert found.manifest == replace(manifest, members=found.manifest.members)
    assert list(container.read(memoryview(scale_file.read_bytes()))) == [
        "stepwell",
        "manifest.json",
        "code/baseline.o",
        "samples.safetensors",
        "weights.safetensors",
    ]
    assert {name: bytes(found.read(name)) for name in members} == members
    assert artifact.WEIGHTS in found
    assert "ir/loop.mlir" not in found


def test_a_file_appears_whole_or_not_at_all(make, tmp_path, monkeypatch):
    path = tmp_path / "m.well"
    path.write_text("the old one")
    manifest, members = make.scale()

    def interrupted(file, members):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(container, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        artifact.write(path, manifest, members)
    assert path.read_text() == "the old one"
    assert os.listdir(tmp_path) == ["m.well"]


def test_a_killed_writer_leaves_the_old_file(make, tmp_path):
    path = tmp_path / "m.well"
    path.write_text("the old one")
    kill = "\nimport os, signal\nos.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
    killed = subprocess.run([sys.executable, "-c", kill + WRITE_ONE, path], check=False)
    assert killed.returncode == -9
    assert path.read_text() == "the old one"


def test_a_loaded_file_may_be_replaced(make, scale_file):
    found = artifact.Artifact.open(scale_file)
    before = bytes(found.read(artifact.WEIGHTS))
    manifest, members = make.scale()
    artifact.write(scale_file, manifest, {**members, artifact.WEIGHTS: b"other"})
    assert found.read(artifact.WEIGHTS) == before


def test_a_place_that_cannot_be_written_is_named(make, tmp_path):
    path = tmp_path / "nowhere" / "m.well"
    with pytest.raises(LoadError) as caught:
        artifact.write(path, *make.scale())
    assert str(caught.value) == f"SW0317: {path} cannot be written: No such file or directory"


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    missing = tmp_path / "m.well"
    assert refusal(missing) == f"SW0301: {missing} cannot be read: No such file or directory"
    assert refusal(tmp_path) == f"SW0301: {tmp_path} cannot be read: Is a directory"


@pytest.mark.parametrize(
    "content", [b"", b"x", b"\x93NUMPY" + bytes(200), b"PK\3\4" + bytes(200), b"PK\5\6" + bytes(18)]
)
def test_another_kind_of_file_is_refused(tmp_path, content):
    path = tmp_path / "m.well"
    path.write_bytes(content)
    assert refusal(path) == f"SW0302: {path} is not a stepwell artifact"
    assert refusal(content) == "SW0302: the artifact is not a stepwell artifact"


def test_a_truncated_file_is_refused(scale_file):
    data = scale_file.read_bytes()
    for length in (200, len(data) // 2, len(data) - 1):
        scale_file.write_bytes(data[:length])
        assert refusal(scale_file) == (
            f"SW0303: {scale_file} is damaged: it ends too early, or its directory is garbled"
        )


def test_a_newer_format_is_refused_before_anything_else_is_read(scale_file):
    data = scale_file.read_bytes()
    data = data.replace(b"stepwell artifact 1", b"stepwell artifact 2", 1)
    scale_file.write_bytes(data[:300])
    assert refusal(scale_file) == (
        f"SW0304: {scale_file} has format 2, and this runtime reads formats up to 1\n"
        "  help: install a newer stepwell"
    )


def test_a_newer_runtime_is_asked_for(make, scale_file):
    manifest, members = make.scale()
    artifact.write(scale_file, replace(manifest, minimum_runtime=2), members)
    assert refusal(scale_file) == (
        f"SW0305: {scale_file}: manifest.json needs runtime 2, and this is runtime 1\n"
        "  help: install a newer stepwell; the file was made by stepwell test"
    )


@pytest.mark.parametrize("member", ["code/baseline.o", "weights.safetensors", "manifest.json"])
def test_a_changed_member_is_refused(scale_file, member):
    def change(members):
        members[member] = members[member][:-1] + bytes([members[member][-1] ^ 1])

    assert refusal(repacked(scale_file, change)) == (
        f"SW0306: {scale_file} is damaged: {member} does not have its SHA-256 any more"
    )


def test_weights_are_not_compared_if_that_is_asked_for(make, scale_file):
    def change(members):
        weights = members["weights.safetensors"]
        members["weights.safetensors"] = weights[:-1] + bytes([weights[-1] ^ 1])

    load(repacked(scale_file, change), check_weights=False)


def test_any_changed_byte_is_noticed(scale_file):
    data = bytearray(scale_file.read_bytes())
    for place in range(len(data)):
        data[place] ^= 0x10
        with pytest.raises(LoadError):
            artifact.Artifact.open(bytes(data)).check()
        data[place] ^= 0x10
    artifact.Artifact.open(bytes(data)).check()


def test_members_and_manifest_must_agree(scale_file):
    def add(members):
        members["extra"] = b""

    def remove(members):
        del members["extra"]
        del members["weights.safetensors"]

    assert refusal(repacked(scale_file, add)) == (
        f"SW0303: {scale_file} is damaged: extra is not both a member and in the manifest"
    )
    assert refusal(repacked(scale_file, remove)) == (
        f"SW0303: {scale_file} is damaged: "
        "weights.safetensors is not both a member and in the manifest"
    )


def test_a_wrong_manifest_is_named_with_its_file(scale_file):
    def change(members):
        document = json.loads(members["manifest.json"])
        document["entries"]["scale"]["results"][0]["dtype"] = "f31"
        text = json.dumps(document).encode()
        digest = hashlib.sha256(text).hexdigest()
        members["manifest.json"] = text
        members["stepwell"] = f"stepwell artifact 1\nmanifest sha256 {digest}\n".encode()

    assert refusal(repacked(scale_file, change)).startswith(
        f"SW0307: {scale_file}: manifest.json: entries.scale.results[0].dtype: expected bool or i8"
    )


def test_missing_features_are_named(make, scale_file, monkeypatch):
    monkeypatch.setattr(system, "cpu_features", lambda: frozenset(["avx2"]))
    manifest, members = make.scale()
    (target,) = manifest.targets
    targets = (
        replace(target, name="v4", features=("avx512vl", "avx2", "avx512f")),
        replace(target, name="v3", features=("fma",)),
    )
    artifact.write(scale_file, replace(manifest, targets=targets), members)
    assert refusal(scale_file) == (
        f"SW0308: {scale_file} cannot run on this processor: "
        "v4 needs avx512f, avx512vl; v3 needs fma"
    )
    assert refusal(scale_file, target="v3") == (
        f"SW0308: {scale_file} cannot run on this processor: v3 needs fma"
    )
    assert (
        refusal(scale_file, target="v5")
        == f"SW0309: {scale_file} has no code for v5; it has v4, v3"
    )


def test_an_artifact_without_code_is_refused(make, scale_file):
    manifest, _ = make.scale()
    artifact.write(scale_file, replace(manifest, targets=()), {})
    assert refusal(scale_file) == f"SW0309: {scale_file} holds no code"


def test_another_architecture_is_named(make, scale_file):
    manifest, members = make.scale()
    (target,) = manifest.targets
    other = replace(target, name="rv64", architecture="riscv64")
    artifact.write(scale_file, replace(manifest, targets=(other,)), members)
    assert refusal(scale_file) == (
        f"SW0308: {scale_file} cannot run on this processor: rv64 needs the architecture riscv64"
    )


def test_the_best_target_that_can_run_is_taken(make, scale_file):
    manifest, members = make.scale()
    (target,) = manifest.targets
    targets = (
        replace(target, name="best", features=("telepathy",)),
        replace(target, name="good"),
        replace(target, name="fair"),
    )
    artifact.write(scale_file, replace(manifest, targets=targets), members)
    assert load(scale_file).target.name == "good"
    assert load(scale_file, target="fair").target.name == "fair"
