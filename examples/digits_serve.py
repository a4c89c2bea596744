"""Runs digits.well in a process that has no compiler, and compares it with the network in NumPy."""

import sys
import time
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import stepwell.runtime

WANTED = 0.975


def network(weights: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """The same network in NumPy."""
    w1, b1, w2, b2, w3, b3, w4, b4 = weights

    def convolve(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        windows = sliding_window_view(padded, (3, 3), (1, 2)).transpose(0, 1, 2, 4, 5, 3)
        flat = windows.reshape(*x.shape[:3], -1)
        return np.maximum(flat @ w.reshape(-1, w.shape[-1]) + b, 0)

    def pool(x: np.ndarray) -> np.ndarray:
        n, h, w, c = x.shape
        return x.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))

    x = pool(convolve(convolve(x, w1, b1), w2, b2))
    x = pool(convolve(x, w3, b3))
    return x.reshape(len(x), -1) @ w4 + b4


def median(function, *arguments) -> float:
    """Seconds of a call: the median of 20."""
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def main() -> None:
    folder = Path(sys.argv[1])
    begin = time.perf_counter()
    model = stepwell.runtime.load(folder / "digits.well")
    loading = time.perf_counter() - begin
    absent = ("xdsl", "llvmlite", "stepwell.compiler")
    assert not [name for name in absent if name in sys.modules], "the compiler has been imported"

    data = np.load(folder / "held_out.npz")
    images, labels = data["images"], data["labels"]
    with np.load(folder / "weights.npz") as file:
        weights = [file[name] for name in file.files]
    size = (folder / "digits.well").stat().st_size
    print(f"digits.well: {size / 1000:.0f} kB, loaded in {loading * 1e3:.1f} ms by a new process")
    print("batch  accuracy  Stepwell      NumPy     ratio")
    for batch in (1, 10, 60, len(images)):
        parts = np.split(images, range(batch, len(images), batch))
        logits = np.concatenate([model(part) for part in parts])
        np.testing.assert_allclose(logits, network(weights, images), rtol=1e-3, atol=1e-3)
        accuracy = float((logits.argmax(1) == labels).mean())
        assert accuracy >= WANTED, f"an accuracy of {accuracy:.3f} is below {WANTED}"
        ours, theirs = median(model, parts[0]), median(network, weights, parts[0])
        print(
            f"{batch:5}  {accuracy:8.1%}  {ours * 1e6:6.0f} us  {theirs * 1e6:6.0f} us"
            f"  {theirs / ours:6.1f}"
        )


if __name__ == "__main__":
    main()
