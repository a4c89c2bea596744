"""The host's side of a program for a GPU: what it launches, copies and reads, and how it fails."""

import re

import numpy as np
import pytest

from emulator.errors import LaunchError
from gpu_kernels import ptx_of_kernel
from gpu_programs import Failed, OnGpu
from products import KERNELS, fixed
from programs import block_of, module_of
from stepwell.compiler.lower.grids import driver
from stepwell.compiler.machines.gpu.nvidia import GPUS, SM_80
from stepwell.compiler.ops.emission import emit
from stepwell.compiler.ops.value import Value
from stepwell.compiler.targets.gpu.ptx import Device, compile_ptx
from stepwell.runtime.context import Error
from stepwell.runtime.devices.cuda import OLDEST_DRIVER
from stepwell.runtime.errors import CompileError
from tensor_types import tensor_of

VECTOR = tensor_of("f32[4]")
X = np.arange(4, dtype=np.float32)


def compiled(write) -> OnGpu:
    return OnGpu(module_of(block_of([VECTOR], write)))


def test_an_assertion_is_read_by_the_host() -> None:
    def checked(x: Value) -> list[Value]:
        emit("assert", [x.compare("ge", 0).ssa], text="x is no less than 0")
        return [x * 2]

    gpu = compiled(checked)
    assert gpu("f0", [X])[0].tolist() == [0, 2, 4, 6]
    assert gpu.card.copied == [1]
    with pytest.raises(Failed) as error:
        gpu("f0", [-X])
    assert error.value.args == (Error.ASSERTION, 0)


def test_what_the_driver_refuses_ends_the_call() -> None:
    gpu = compiled(lambda x: [x * 2])
    gpu.device.launch = _refuse
    with pytest.raises(LaunchError, match="no room"):
        gpu("f0", [X])
    assert len(gpu.card.launched) == 1


def _refuse(*arguments: object) -> None:
    raise LaunchError("no room")


def test_a_result_that_is_an_argument_is_copied_by_the_driver() -> None:
    gpu = compiled(lambda x: [x])
    assert gpu("f0", [X])[0].tolist() == X.tolist()
    assert (gpu.card.launched, gpu.card.copied) == ([], [16])


def test_functions_of_the_host_are_refused() -> None:
    def custom(x: Value) -> list[Value]:
        return [Value(emit("custom", [x.ssa], symbol="f", types=(x.type,)).results[0])]

    with pytest.raises(CompileError, match="SW0242: the C function f cannot be called"):
        compiled(custom)


def test_intrinsics_that_llvm_might_end_the_process_over_are_refused() -> None:
    text = "declare float @llvm.sin.f32(float)\n"
    with pytest.raises(CompileError, match=r"SW0257: llvm\.sin is not compiled for a GPU"):
        compile_ptx(Device(text, ()), SM_80)


def test_more_shared_memory_than_a_block_may_have_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver, "SHARED_BYTES", 8191)
    text = fixed(KERNELS["plain"], 64, 64, 64)
    with pytest.raises(CompileError, match=r"SW0258: a block of .* takes 16384 bytes of shared"):
        ptx_of_kernel(text)


@pytest.mark.parametrize("machine", GPUS)
def test_the_oldest_driver_knows_the_version(machine: str) -> None:
    """CUDA 12.0 takes PTX up to 8.0
    (https://docs.nvidia.com/cuda/parallel-thread-execution/#release-notes)."""
    assert OLDEST_DRIVER == 12_000
    ptx = ptx_of_kernel(fixed(KERNELS["plain"], 64, 64, 64), GPUS[machine])
    found = re.search(r"^\.version (\d+)\.(\d+)$", ptx, re.MULTILINE)
    assert found is not None
    assert tuple(map(int, found.groups())) <= (8, 0)
