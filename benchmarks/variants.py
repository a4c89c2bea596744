"""What is compared: Stepwell, its peers as they are installed and at their best, and the limits."""

import dataclasses
import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.peers.peer import Peer
from benchmarks.workloads.workload import Workload

OURS = "Stepwell"
BEST = "*"
"""Ends the name of a variant at its best settings, where these are not the default."""


@dataclass(frozen=True)
class Variant:
    """A peer in a process of its own: `place` is `module:class`, imported in there only.

    It is left out where `package` is not installed. A run of all peers leaves out the groups that
    it `skips`.
    """

    name: str
    place: str
    package: str
    kind: Literal["ours", "peer", "limit"] = "peer"
    skips: Sequence[str] = ()

    @property
    def best(self) -> bool:
        return self.name.endswith(BEST)

    @property
    def installed(self) -> bool:
        return importlib.util.find_spec(self.package) is not None

    def load(self) -> Callable[[], Peer]:
        module, _, name = self.place.partition(":")
        return getattr(importlib.import_module(f"benchmarks.{module}"), name)

    def runs(self, workload: Workload) -> bool:
        return workload.group not in self.skips


SLOW = ("transformers",)
LIBRARY = ("products",)
"""Inductor compiles nothing here: it calls the library that eager PyTorch calls."""
FROZEN = ("linear layers", "convolutions", "networks", "transformers")
"""With weights that are not frozen it takes longer, and compiling does, too."""
VARIANTS = (
    Variant(OURS, "peers.stepwell:Stepwell", "stepwell", "ours"),
    Variant("numpy", "peers.numpy:NumPy", "numpy", skips=SLOW),
    Variant("numpy*", "peers.numpy:NumPy", "numpy", skips=SLOW),
    Variant("numba", "peers.numba:Numba", "numba"),
    Variant("torch", "peers.torch:Torch", "torch"),
    Variant("torch*", "peers.torch:Torch", "torch"),
    Variant(
        "torch.compile",
        "peers.torch_compile:TorchCompile",
        "torch",
        skips=(*LIBRARY, *FROZEN),
    ),
    Variant("torch.compile*", "peers.torch_compile:TorchCompile", "torch", skips=LIBRARY),
    Variant("jax", "peers.jax:Jax", "jax"),
    Variant("jax*", "peers.jax:Jax", "jax"),
    Variant("onnxruntime", "peers.onnxruntime:OnnxRuntime", "onnxruntime"),
    Variant("openvino", "peers.openvino:OpenVino", "openvino"),
    Variant("arithmetic", "limits:Arithmetic", "stepwell", "limit"),
    Variant("memory", "limits:Memory", "stepwell", "limit"),
)
LIMITS = tuple(each.name for each in VARIANTS if each.kind == "limit")


def chosen(peers: Sequence[str]) -> list[Variant]:
    """Stepwell, the limits, and the peers whose name begins so; all of them if none is named.

    Raises ValueError where a name is that of no peer.
    """
    for name in peers:
        if not any(each.name.startswith(name) for each in VARIANTS):
            known = ", ".join(each.name for each in VARIANTS if each.kind == "peer")
            raise ValueError(f"there is no peer {name!r}, only {known}")
    if not peers:
        return list(VARIANTS)
    return [
        dataclasses.replace(each, skips=())
        for each in VARIANTS
        if each.kind != "peer" or any(each.name.startswith(name) for name in peers)
    ]
