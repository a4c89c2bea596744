"""How fast a device does a work: Stepwell, a copy and PyTorch take turns in one process."""

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, final

import numpy

import stepwell as sw
from benchmarks.gpu.work import Work
from benchmarks.interleaved import Sample, samples
from stepwell.runtime.artifact import Artifact
from stepwell.runtime.devices.array import DeviceArray
from stepwell.runtime.devices.device import Device
from stepwell.runtime.loading import instantiate, select

Call = Callable[[], object]
OURS, COPY, TORCH, LAUNCHED = "Stepwell", "copy", "torch", "without graphs"
CUDA = 2
"""DLPack's kind of NVIDIA's devices, which PyTorch can share memory with."""


@final
@dataclass(frozen=True)
class Speed:
    """The median seconds of a work by candidate, the error of Stepwell's answer, and why there is
    none. The copy has read and written as many bytes as the work moves."""

    work: Work
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    error: float | None = None
    failed: str = ""


@final
class Bench:
    """One device, and PyTorch where it has the same."""

    def __init__(self, device: Device, budget: float) -> None:
        """`budget` are the seconds of rounds for a work."""
        self.device, self._budget = device, budget
        self.torch = _torch() if device.place[0] == CUDA else None

    def speed(self, work: Work) -> Speed:
        """Checks the answer, and measures; what fails is said in the row."""
        try:
            return self._measured(work)
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            return Speed(work, failed=f"{type(error).__name__}: {reason}")

    def _measured(self, work: Work) -> Speed:
        inputs = work.inputs()
        there = [DeviceArray.of(self.device, each) for each in inputs]
        program = sw.compile(work.function, *work.specs(), target=self.device.name)
        error = work.difference(inputs, numpy.asarray(program(*there)))
        if not error <= work.error:
            raise ArithmeticError(f"the answer is wrong by {error:.1e}")
        calls = dict(self._candidates(work, program, there))
        taken = {name: _timed(call, wait) for name, (call, wait) in calls.items()}
        least = {name: min(sample(1) for _ in range(3)) for name, sample in taken.items()}
        found = samples(taken, least, self._budget)
        return Speed(work, {name: statistics.median(each) for name, each in found.items()}, error)

    def _candidates(
        self, work: Work, program: sw.Compiled, there: list[DeviceArray]
    ) -> Mapping[str, tuple[Call, Call]]:
        """Each one's call, and what waits for it."""
        wait = self.device.wait
        found: dict[str, tuple[Call, Call]] = {}
        if work.group == "small kernels":
            for name, recorded in ((OURS, True), (LAUNCHED, False)):
                model = self._loaded(program, recorded)
                found[name] = lambda model=model: model(*there), wait
        else:
            found[OURS] = lambda: program(*there), wait
        if work.group == "memory":
            found[COPY] = self._copying(work.bytes // 2), wait
        if self.torch is not None:
            torch = self.torch
            given = [torch.from_dlpack(each) for each in there]
            found[TORCH] = lambda: work.torch(torch, *given), torch.cuda.synchronize
        return found

    def _copying(self, size: int) -> Call:
        source = DeviceArray.of(self.device, numpy.ones(size, numpy.uint8))
        target = source.copy()
        return lambda: self.device.copy(target.address, source.address, size)

    def _loaded(self, program: sw.Compiled, recorded: bool) -> Callable[..., Any]:
        """The program from a file, which may say of it that it cannot be a graph."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "program.well"
            program.save(path)
            artifact = Artifact.open(path.read_bytes())
        target = select(artifact.manifest.targets, "the program", device=self.device)
        assert target.device is not None
        names = () if recorded else tuple(artifact.manifest.entries)
        code = dataclasses.replace(target.device, host_controlled=names)
        return instantiate(artifact, dataclasses.replace(target, device=code), self.device)


def _timed(call: Call, wait: Call) -> Sample:
    def sample(times: int) -> float:
        begin = time.perf_counter()
        for _ in range(times):
            call()
        wait()
        return (time.perf_counter() - begin) / times

    return sample


def _torch() -> Any:
    """PyTorch without tf32, if it is here and has a card."""
    try:
        torch = import_module("torch")
    except ImportError:
        return None
    torch.backends.cuda.matmul.allow_tf32 = False
    return torch if torch.cuda.is_available() else None
