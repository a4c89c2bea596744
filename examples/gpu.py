"""A classifier on a GPU: trained there, saved once for both kinds of machine, run on both.

    python examples/gpu.py [device] [file.well] [steps]

The device is `cuda` if none is named. Parameters stay on it from step to step; what is computed
in one call after the first with the same sizes is launched as one CUDA graph.
"""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

import stepwell as sw
from stepwell import Array, nn, optim
from stepwell import numpy as snp

POINTS, WIDTH = 256, 64
OPTIMIZER = optim.Adam(learning_rate=1e-2)


def rings(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of two rings around 0, and in which ring each is."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % 2
    angle = random.uniform(0, 2 * np.pi, count)
    radius = 1 + labels + random.normal(0, 0.1, count)
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    return points.astype(np.float32), labels


def network(width: int) -> nn.Sequential:
    """Points [B, 2] to logits [B, 2]."""
    random = np.random.default_rng(1)
    return nn.Sequential.of(
        nn.Linear.init(2, width, random), snp.tanh, nn.Linear.init(width, 2, random)
    )


def loss(model: nn.Sequential, points: Array, labels: Array) -> Array:
    return nn.cross_entropy(model(points), labels)


def step(model, state, points, labels):
    value, gradients = sw.value_and_grad(loss)(model, points, labels)
    model, state = OPTIMIZER.update(gradients, state, model)
    return value, model, state


def train(device: str, steps: int, count: int, width: int) -> tuple[nn.Sequential, list[float]]:
    """The trained network, which lies on the device, and the losses."""
    run = sw.jit(step, target=device)
    points, labels = sw.device_put(rings(count), device)
    model = sw.device_put(network(width), device)
    state, losses = OPTIMIZER.init(model), list[Array]()
    for _ in range(steps):
        value, model, state = run(model, state, points, labels)
        losses.append(value)  # nothing waits here
    return model, [float(each) for each in losses]


def main(
    device: str = "cuda",
    file: str = "rings.well",
    steps: int = 200,
    count: int = POINTS,
    width: int = WIDTH,
) -> None:
    model, losses = train(device, steps, count, width)
    print(f"loss {losses[0]:.3f} at first, {losses[-1]:.3f} after {steps} steps on {device}")
    classify = sw.compile(lambda points: model(points), "f32[B, 2]", target=["host", "cuda"])
    classify.save(file)
    points, labels = rings(count)
    here, there = sw.load(file), sw.load(file, device=device)
    logits = here(points)
    right = np.mean(np.argmax(logits, 1) == labels)
    same = np.array_equal(logits, np.asarray(there(points)))
    print(
        f"{right:.0%} are right; the CPU and {device} give {'the same' if same else 'other'} bits"
    )


def arguments(given: Sequence[str]) -> dict[str, Any]:
    steps = {"steps": int(each) for each in given[2:3]}
    return dict(zip(("device", "file"), given, strict=False)) | steps


if __name__ == "__main__":
    main(**arguments(sys.argv[1:]))
