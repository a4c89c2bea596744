"""The main job: train a small convolutional network, ship it as one file, run that file elsewhere.

    python examples/digits.py [folder]

Trains on scikit-learn's handwritten digits, compiles the network for any batch size into
digits.well, and starts a new process (digits_serve.py) that has no compiler, xDSL or llvmlite.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import stepwell as sw
from stepwell import Array, nn, optim

SEED, EPOCHS, BATCH, TRAINED = 0, 24, 64, 1437


def network(seed: int) -> nn.Sequential:
    """Images [B, 8, 8, 1] to logits [B, 10]."""
    random = np.random.default_rng(seed)
    return nn.Sequential.of(
        nn.Conv2d.init(1, 16, 3, random),
        nn.relu,
        nn.Conv2d.init(16, 32, 3, random),
        nn.relu,
        lambda x: nn.max_pool(x, 2),
        nn.Conv2d.init(32, 32, 3, random),
        nn.relu,
        lambda x: nn.max_pool(x, 2),
        lambda x: x.reshape((x.shape[0], 128)),
        nn.Linear.init(128, 10, random),
    )


OPTIMIZER = optim.Adam(learning_rate=2e-3, weight_decay=1e-4)


def loss(model: nn.Sequential, images: Array, labels: Array) -> Array:
    return nn.cross_entropy(model(images), labels)


@sw.jit
def train_step(model, state, images, labels):
    value, gradients = sw.value_and_grad(loss)(model, images, labels)
    model, state = OPTIMIZER.update(gradients, state, model)
    return value, model, state


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Images in [0, 1] of shape [1797, 8, 8, 1] and labels, shuffled in a fixed way."""
    data = load_digits()
    order = np.random.default_rng(SEED).permutation(len(data.images))
    images = (data.images[order, :, :, None] / 16).astype(np.float32)
    return images, data.target[order].astype(np.int64)


def train(images: np.ndarray, labels: np.ndarray) -> nn.Sequential:
    """The network after some passes over the data, with a line of progress for each fourth."""
    model, random = network(SEED), np.random.default_rng(SEED + 1)
    state = OPTIMIZER.init(model)
    begin = time.perf_counter()
    for epoch in range(1, EPOCHS + 1):
        order, losses = random.permutation(len(images)), []
        for first in range(0, len(order) - BATCH + 1, BATCH):
            batch = order[first : first + BATCH]
            value, model, state = train_step(model, state, images[batch], labels[batch])
            losses.append(float(value))
        if epoch % 4 == 0:
            seconds = time.perf_counter() - begin
            print(f"epoch {epoch:2}: loss {np.mean(losses):.4f} after {seconds:.1f} s", flush=True)
    return model


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="digits-"))
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = digits()
    model = train(images[:TRAINED], labels[:TRAINED])
    held_out, expected = images[TRAINED:], labels[TRAINED:]

    os.environ["STEPWELL_DUMP"] = str(folder / "levels")
    begin = time.perf_counter()
    program = sw.compile(lambda images: model(images), sw.spec("f32[B: 1.., 8, 8, 1]"))
    print(f"compiled for any batch size in {time.perf_counter() - begin:.2f} s", flush=True)
    program.save(folder / "digits.well", sample={"main": [held_out[:3]]})
    print(f"each level's IR is in {folder / 'levels'}")

    weights = [np.asarray(leaf) for leaf in sw.nested.flatten(model)[0]]
    np.savez(folder / "held_out.npz", images=held_out, labels=expected)
    np.savez(folder / "weights.npz", *weights)
    server = Path(__file__).with_name("digits_serve.py")
    subprocess.run([sys.executable, server, folder], check=True)


if __name__ == "__main__":
    main()
