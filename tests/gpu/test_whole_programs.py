"""Programs as users write them, for each of the GPUs and for sizes that are not known: what
NVIDIA's assembler gives them is within budgets, and the emulator knows what is in them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

import stepwell as sw
import stepwell.numpy as np
from assembler import assemble, most, needs_assembler, within_budget
from emulator.parser import parse
from emulator.table import TABLE
from stepwell import nn
from stepwell.compiler.machines.gpu.nvidia import GPUS

Function = Callable[..., Any]


def norm(x: Any, scale: Any, shift: Any) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    return centred * np.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * scale + shift


def attention(q: Any, k: Any, v: Any) -> Any:
    return nn.softmax(q @ np.swapaxes(k, -1, -2) * 0.125) @ v


def loss(weights: Any, x: Any, labels: Any) -> Any:
    for here, behind in pairwise(weights):
        x = nn.relu(x @ here) if behind is not None else x @ here
    return nn.cross_entropy(x, labels).mean()


def images(x: Any, kernel: Any, top: Any) -> Any:
    x = np.dynamic_slice(x, (0, top, 0, 0), (x.shape[0], 12, 12, 8))
    return nn.max_pool(nn.relu(nn.conv2d(x, kernel, padding="same")), 2)


def best(scores: Any, table: Any) -> Any:
    order = np.argsort(-scores, 1)[:, :5]
    return table[order], np.cumsum(np.take_along_axis(scores, order, 1), 1)


PROGRAMS: dict[str, tuple[Function, Sequence[Any]]] = {
    "softmax": (nn.softmax, ["bf16[B, N]"]),
    "norm_backwards": (
        sw.grad(lambda *given: (norm(*given) ** 2).sum(), (0, 1, 2)),
        ["f32[B, 768]", "f32[768]", "f32[768]"],
    ),
    "attention": (attention, ["f16[B, 4, 64, 64]"] * 3),
    "training_step": (
        sw.value_and_grad(lambda a, b, *given: loss((a, b, None), *given), (0, 1)),
        ["f32[64, 32]", "f32[32, 10]", "f32[B, 64]", "i64[B]"],
    ),
    "images": (images, ["bf16[B, H: 12..99, 12, 8]", "bf16[3, 3, 8, 32]", "i64[]"]),
    "best": (best, ["f32[N, M: 5..9999]", "f32[V: 1.., 3]"]),
}


@needs_assembler
@pytest.mark.parametrize("name", PROGRAMS)
def test_nothing_is_beyond_its_budget_or_unknown(name: str, tmp_path: Path) -> None:
    function, specs = PROGRAMS[name]
    sw.compile(function, *specs, target=[*GPUS]).save(tmp_path / "f.well")
    file = ZipFile(tmp_path / "f.well")
    shared = {
        each["name"]: each["device"]["shared"]
        for each in json.loads(file.read("manifest.json"))["targets"]
    }
    for machine in GPUS:
        ptx = file.read(f"code/{machine}.ptx").decode()
        for function in parse(ptx).functions.values():
            for instruction in function.body:
                TABLE.find(instruction)
        kernels = most(assemble(ptx, machine, tmp_path).values())
        taken = replace(kernels, shared=shared[machine])
        assert within_budget(f"program_{name}", taken), taken


def standard(x: Any) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    return centred * np.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5)


def back(x: Any, cotangent: Any) -> Any:
    return sw.grad(lambda x: (standard(x) * cotangent).sum())(x)


@pytest.mark.parametrize("shape", ["64, 1024", "32, 8192", "5000, 4096"])
@pytest.mark.parametrize(("function", "count"), [(standard, 1), (back, 2)])
def test_norms_are_one_launch_that_reads_once(
    function: Function, count: int, shape: str, tmp_path: Path
) -> None:
    """As many vectors of each operand as a thread writes of the result."""
    specs = [f"f32[{shape}]"] * count
    sw.compile(function, *specs, target="sm_80").save(tmp_path / "f.well")
    ptx = ZipFile(tmp_path / "f.well").read("code/sm_80.ptx").decode()
    assert ptx.count(".entry") == 1
    stores = ptx.count("st.global.v4.b32")
    assert stores == ptx.count("st.global")
    loads = ptx.count("ld.global.nc.v4.b32")
    assert loads == ptx.count("ld.global") == count * stores
