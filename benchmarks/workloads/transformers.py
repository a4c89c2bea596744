"""Transformers with random weights: BERT-base, and GPT-2 reading a text and adding a word to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.workloads.workload import Draw, Workload, integers, normal


@dataclass(frozen=True)
class Size:
    """Of a transformer."""

    width: int
    heads: int
    layers: int
    vocabulary: int
    positions: int

    def operations(self, tokens: int, seen: int) -> int:
        """Of all blocks, for so many tokens that see so many keys each."""
        return self.layers * tokens * (24 * self.width**2 + 4 * seen * self.width)


BERT_BASE = Size(768, 12, 12, 30522, 512)
GPT2_SMALL = Size(768, 12, 12, 50257, 1024)


def workloads() -> Iterator[Workload]:
    for batch in (1, 8):
        yield bert(BERT_BASE, batch, 128)
    yield gpt2_decode(GPT2_SMALL, 127)
    yield gpt2(GPT2_SMALL, 64)


def bert(size: Size, batch: int, length: int) -> Workload:
    """BERT (Devlin et al., 2019): tokens to the last hidden states."""

    def program(words: Any, w: Any, tokens: Any) -> Any:
        x = words.take(w["tokens"], tokens) + words.part(w["positions"], 0, length)
        x = normed(words, w, "first", x + words.part(w["kinds"], 0, 1))
        for name in map(str, range(size.layers)):
            attended, *_ = attend(words, w, name, x, size.heads, causal=False)
            x = normed(words, w, f"{name}.1", x + attended)
            x = normed(words, w, f"{name}.2", x + fed(words, w, name, x))
        return x

    kinds = normal(2, size.width, deviation=0.02)
    return Workload(
        f"BERT-base, {batch} x {length} tokens",
        "transformers",
        program,
        [integers(size.vocabulary, batch, length)],
        _weights(size) | {"kinds": kinds} | _norm("first", size.width),
        size.operations(batch * length, length),
        error=1e-4,
    )


def gpt2(size: Size, length: int) -> Workload:
    """GPT-2 (Radford et al., 2019): a text to the logits of all next words."""
    return Workload(
        f"GPT-2, {length} tokens",
        "transformers",
        lambda words, w, tokens: _gpt2(words, w, size, tokens, 0)[0],
        [integers(size.vocabulary, 1, length)],
        _weights(size) | _norm("last", size.width),
        size.operations(length, length) + 2 * length * size.width * size.vocabulary,
        error=1e-4,
    )


def gpt2_decode(size: Size, past: int) -> Workload:
    """One token more: the keys and values [layers, 1, heads, past, width] of those before are
    given, and its own come with the logits."""
    cache = normal(size.layers, 1, size.heads, past, size.width // size.heads)
    return Workload(
        f"GPT-2, 1 token after {past}",
        "transformers",
        lambda words, w, token, keys, values: _gpt2(words, w, size, token, past, keys, values),
        [integers(size.vocabulary, 1, 1), cache, cache],
        _weights(size) | _norm("last", size.width),
        size.operations(1, past + 1) + 2 * size.width * size.vocabulary,
        error=1e-4,
    )


def _weights(size: Size) -> dict[str, Draw]:
    blocks = (block_weights(str(layer), size.width) for layer in range(size.layers))
    return {name: draw for block in blocks for name, draw in block.items()} | {
        "tokens": normal(size.vocabulary, size.width, deviation=0.02),
        "positions": normal(size.positions, size.width, deviation=0.02),
    }


def block_weights(name: str, width: int) -> dict[str, Draw]:
    """Those of a block of attention and of a perceptron."""
    found: dict[str, Draw] = _norm(f"{name}.1", width) | _norm(f"{name}.2", width)
    outer = {"qkv": (width, 3 * width), "joined": (width, width)}
    inner = {"wide": (width, 4 * width), "narrow": (4 * width, width)}
    for part, (inputs, outputs) in (outer | inner).items():
        found[f"{name}.{part}.weight"] = normal(inputs, outputs, deviation=inputs**-0.5)
        found[f"{name}.{part}.bias"] = normal(outputs, deviation=0.02)
    return found


def _norm(name: str, width: int) -> dict[str, Draw]:
    return {
        f"{name}.scale": lambda random: 1 + normal(width, deviation=0.1)(random),
        f"{name}.shift": normal(width, deviation=0.1),
    }


def _gpt2(words: Any, w: Any, size: Size, tokens: Any, past: int, *cache: Any) -> Any:
    """The logits, and the keys and the values of these tokens."""
    length = tokens.shape[1]
    x = words.take(w["tokens"], tokens) + words.part(w["positions"], past, past + length)
    kept: list[tuple[Any, Any]] = []
    for layer in range(size.layers):
        name = str(layer)
        before = tuple(words.row(each, layer) for each in cache)
        y = normed(words, w, f"{name}.1", x)
        attended, *own = attend(words, w, name, y, size.heads, causal=True, before=before)
        x = x + attended
        x = x + fed(words, w, name, normed(words, w, f"{name}.2", x))
        kept.append((own[0], own[1]))
    keys, values = (words.concat(list(each), 0) for each in zip(*kept, strict=True))
    logits = normed(words, w, "last", x) @ words.transpose(w["tokens"], (1, 0))
    return logits, keys, values


def attend(
    words: Any, w: Any, name: str, x: Any, heads: int, *, causal: bool, before: Any = ()
) -> tuple[Any, Any, Any]:
    """Attention of x[B, S, width] to itself and to what was before; its keys and values."""
    batch, length, width = x.shape
    joined = x @ w[f"{name}.qkv.weight"] + w[f"{name}.qkv.bias"]
    parts = words.split(joined, 3)
    query, own_key, own_value = (
        words.transpose(words.reshape(part, (batch, length, heads, width // heads)), (0, 2, 1, 3))
        for part in parts
    )
    key, value = own_key, own_value
    if before:
        key, value = words.concat([before[0], key], 2), words.concat([before[1], value], 2)
    seen = words.attention(query, key, value, causal and length > 1)
    seen = words.reshape(words.transpose(seen, (0, 2, 1, 3)), (batch, length, width))
    out = seen @ w[f"{name}.joined.weight"] + w[f"{name}.joined.bias"]
    return out, own_key, own_value


def fed(words: Any, w: Any, name: str, x: Any) -> Any:
    """A perceptron with one layer inside."""
    x = words.gelu(x @ w[f"{name}.wide.weight"] + w[f"{name}.wide.bias"])
    return x @ w[f"{name}.narrow.weight"] + w[f"{name}.narrow.bias"]


def normed(words: Any, w: Any, name: str, x: Any) -> Any:
    return words.layer_norm(x, w[f"{name}.scale"], w[f"{name}.shift"])
