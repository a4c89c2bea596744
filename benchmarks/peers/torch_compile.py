"""PyTorch compiled by Inductor, with weights that are frozen or not."""

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, final

import torch
from torch import Tensor, nn
from torch._inductor import config

from benchmarks.peers import torch_words
from benchmarks.peers.peer import Call, Peer, UnsupportedError, threads
from benchmarks.peers.torch import training
from benchmarks.peers.torch_words import tensors
from benchmarks.workloads.workload import Arrays, Weights, Workload

FREEZING = "BENCHMARKS_FREEZING"
"""The environment's variable that asks for weights which are constants."""
UNROLLED = 2
"""Steps of Mandelbrot that are compiled together: more take minutes to compile."""


@final
class TorchCompile(Peer):
    """Compiles whole programs, and of a loop one step, as unrolling it would take minutes."""

    def __init__(self) -> None:
        torch.set_num_threads(threads())
        config.freezing = FREEZING in os.environ

    def prepare(self, workload: Workload, weights: Weights, inputs: Arrays) -> Call:
        torch.compiler.reset()
        given = [torch.from_numpy(each) for each in inputs]
        if workload.training:
            loss = torch.compile(
                lambda w, *each: workload.program(torch_words.WORDS, w, *each), dynamic=False
            )
            return training(workload.training, lambda w: loss(w, *given), tensors(weights))
        if workload.loops and weights:
            raise UnsupportedError("its loop over steps is eager, too")
        program = _Program(workload, weights).eval()
        compiled = program if workload.loops else torch.compile(program, dynamic=False)

        @torch.no_grad()
        def call() -> object:
            return compiled(*given)

        return call


@final
class _Program(nn.Module):
    """A workload with its weights, which freezing looks for in a module."""

    def __init__(self, workload: Workload, weights: Weights) -> None:
        super().__init__()
        self.run = workload.program
        self.words = _compiled_steps() if workload.loops else torch_words.WORDS
        self.places = {name: name.replace(".", "_") for name in weights}
        for name, each in tensors(weights).items():
            self.register_parameter(self.places[name], nn.Parameter(each, requires_grad=False))

    def forward(self, *inputs: Tensor) -> Any:
        weights = {name: getattr(self, place) for name, place in self.places.items()}
        return self.run(self.words, weights, *inputs)


def _compiled_steps() -> SimpleNamespace:
    words = SimpleNamespace(**vars(torch_words.WORDS))
    words.repeat, words.mandelbrot = _repeat, _mandelbrot
    return words


_steps: dict[object, Any] = {}


def _repeat(times: int, step: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The steps of one program have the same code."""
    compiled = _steps.get(step.__code__)
    if compiled is None:
        compiled = _steps[step.__code__] = torch.compile(step, dynamic=False)
    for _ in range(times):
        x = compiled(x)
    return x


@torch.compile(dynamic=False)
def _mandelbrot_steps(*carried: Tensor) -> Any:
    for _ in range(UNROLLED):
        carried = torch_words.mandelbrot_step(*carried)
    return carried


def _mandelbrot(real: Tensor, imaginary: Tensor, steps: int) -> Tensor:
    carried = torch_words.grid(real, imaginary)
    for _ in range(steps // UNROLLED):
        carried = _mandelbrot_steps(*carried)
    return carried[-1]
