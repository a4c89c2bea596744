"""PyTorch, one op at a time."""

from collections.abc import Mapping
from typing import Any, final

import torch
from torch import Tensor

from benchmarks.peers.peer import Call, Peer, threads
from benchmarks.peers.torch_words import WORDS, tensors
from benchmarks.workloads.workload import Arrays, Training, Weights, Workload


@final
class Torch(Peer):
    """Eager, in inference mode; trains with its own optimizers."""

    def __init__(self) -> None:
        torch.set_num_threads(threads())

    def prepare(self, workload: Workload, weights: Weights, inputs: Arrays) -> Call:
        given = [torch.from_numpy(each) for each in inputs]
        values = tensors(weights)
        if workload.training:
            return training(workload.training, lambda w: workload.program(WORDS, w, *given), values)

        @torch.inference_mode()
        def call() -> object:
            return workload.program(WORDS, values, *given)

        return call


def training(options: Training, loss: Any, values: Mapping[str, Tensor]) -> Call:
    """Steps that change the weights in place."""
    for each in values.values():
        each.requires_grad_()
    parameters = list(values.values())
    if options.optimizer == "sgd":
        optimizer = torch.optim.SGD(parameters, options.rate, fused=True)
    else:
        optimizer = torch.optim.Adam(parameters, options.rate, fused=True)

    def step() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        found = loss(values)
        found.backward()
        optimizer.step()
        return found.detach()

    return step
