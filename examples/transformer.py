"""A transformer block, symbolic in batch and sequence length, with two entry points in one file.

    python examples/transformer.py [file.well]

`hidden` gives the block's output, `logits` those of the next token; they share their weights.
"""

import math
import sys
from dataclasses import dataclass

import numpy as np

import stepwell as sw
from stepwell import Array, nn
from stepwell import numpy as snp

VOCABULARY, WIDTH, HEADS = 100, 64, 4


@dataclass(frozen=True)
class Block:
    """Pre-norm attention and an MLP (Vaswani et al., 2017; Xiong et al., 2020)."""

    embedding: nn.Embedding
    first: nn.LayerNorm
    queries_keys_values: nn.Linear
    joined: nn.Linear
    second: nn.LayerNorm
    wide: nn.Linear
    narrow: nn.Linear

    @staticmethod
    def init(seed: int) -> "Block":
        random = np.random.default_rng(seed)
        return Block(
            nn.Embedding.init(VOCABULARY, WIDTH, random),
            nn.LayerNorm.init(WIDTH),
            nn.Linear.init(WIDTH, 3 * WIDTH, random),
            nn.Linear.init(WIDTH, WIDTH, random),
            nn.LayerNorm.init(WIDTH),
            nn.Linear.init(WIDTH, 4 * WIDTH, random),
            nn.Linear.init(4 * WIDTH, WIDTH, random),
        )

    def hidden(self, tokens: Array) -> Array:
        """tokens[B, S] to [B, S, width]; rows of B*S tokens wherever positions do not matter."""
        batch, length = tokens.shape
        rows = self.embedding(tokens).reshape((batch * length, WIDTH))
        rows = rows + self.joined(self._attend(self.first(rows), batch, length))
        rows = rows + self.narrow(nn.gelu(self.wide(self.second(rows))))
        return rows.reshape((batch, length, WIDTH))

    def _attend(self, rows: Array, batch, length) -> Array:
        """Each position looks at itself and what came before."""
        parts = self.queries_keys_values(rows).reshape((batch, length, 3, HEADS, WIDTH // HEADS))
        query, key, value = (parts[:, :, part].swapaxes(1, 2) for part in range(3))
        scores = query @ key.swapaxes(2, 3) / math.sqrt(WIDTH // HEADS)
        position = snp.arange(length)
        earlier = position[None, :] <= position[:, None]
        seen = nn.softmax(snp.where(earlier, scores, -1e9)) @ value
        return seen.swapaxes(1, 2).reshape((batch * length, WIDTH))

    def logits(self, tokens: Array) -> Array:
        """tokens[B, S] to [B, vocabulary]: of the token that comes next."""
        return self.hidden(tokens)[:, -1] @ self.embedding.weight.T


def reference(block: Block, tokens: np.ndarray) -> np.ndarray:
    """`hidden` in NumPy, in f64."""

    def weights(layer: nn.Linear) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(layer.weight, np.float64), np.asarray(layer.bias, np.float64)

    def norm(x: np.ndarray) -> np.ndarray:
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)

    def apply(layer: nn.Linear, x: np.ndarray) -> np.ndarray:
        weight, bias = weights(layer)
        return x @ weight + bias

    (batch, length), size = tokens.shape, WIDTH // HEADS
    x = np.asarray(block.embedding.weight, np.float64)[tokens]
    parts = apply(block.queries_keys_values, norm(x)).reshape(batch, length, 3, HEADS, size)
    query, key, value = parts.transpose(2, 0, 3, 1, 4)
    scores = query @ key.swapaxes(2, 3) / math.sqrt(size)
    scores = np.where(np.tril(np.ones((length, length), bool)), scores, -np.inf)
    chances = np.exp(scores - scores.max(-1, keepdims=True))
    seen = chances / chances.sum(-1, keepdims=True) @ value
    x = x + apply(block.joined, seen.swapaxes(1, 2).reshape(batch, length, WIDTH))
    y = apply(block.wide, norm(x))
    return x + apply(block.narrow, 0.5 * y * (1 + np.vectorize(math.erf)(y / math.sqrt(2))))


def main() -> None:
    file = sys.argv[1] if len(sys.argv) > 1 else "transformer.well"
    block = Block.init(seed=0)
    tokens = sw.spec("i64[B: 1.., S: 1..2048]")
    program = sw.compile(
        {
            "hidden": (lambda tokens: block.hidden(tokens), tokens),
            "logits": (lambda tokens: block.logits(tokens), tokens),
        }
    )
    program.save(file)
    model = sw.load(file)
    random = np.random.default_rng(1)
    for batch, length in ((1, 1), (2, 7), (3, 64)):
        given = random.integers(0, VOCABULARY, (batch, length))
        expected = reference(block, given)
        hidden, logits = model.hidden(given), model.logits(given)
        np.testing.assert_allclose(hidden, expected, rtol=2e-4, atol=2e-4)
        last = expected[:, -1] @ np.asarray(block.embedding.weight, np.float64).T
        np.testing.assert_allclose(logits, last, rtol=5e-4, atol=5e-4)
        print(f"batch {batch}, length {length}: as NumPy, to {abs(hidden - expected).max():.1e}")


if __name__ == "__main__":
    main()
