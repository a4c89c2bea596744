"""Attention is one kernel if nobody needs the scores as a whole, and takes no memory for them."""

import re
from collections.abc import Callable

import numpy as np
import pytest

import stepwell as sw
from stepwell import Array, nn
from stepwell import numpy as snp
from stepwell.runtime.sizes import Size

HEADS = "f32[2,3,40,8]"


def kernels(function: Callable[..., object], *specs: str) -> int:
    return sw.compile(function, *map(sw.spec, specs)).ir("kernels").count("nd.kernel")


def masked(q: Array, k: Array, v: Array, seen: Array) -> Array:
    scores = q @ k.mT / 8**0.5
    return nn.softmax(snp.where(seen, scores, -1e9)) @ v


def biased_heads(q: Array, k: Array, v: Array, slopes: Array) -> Array:
    """Attention with linear biases (Press, Smith and Lewis, 2022)."""
    apart = snp.abs(snp.arange(40)[:, None] - snp.arange(40)).astype("f32")
    return nn.softmax(q @ k.mT - slopes[:, None, None] * apart) @ v


@pytest.mark.parametrize(
    ("function", "more"),
    [
        (nn.attention, []),
        (lambda q, k, v: nn.attention(q, k, v, causal=True), []),
        (masked, ["bool[40,40]"]),
        (biased_heads, ["f32[3]"]),
    ],
)
def test_it_is_one_kernel(function: Callable[..., object], more: list[str]) -> None:
    specs = [HEADS] * 3 + more
    program = sw.compile(function, *map(sw.spec, specs))
    assert program.ir("kernels").count("nd.kernel") == 1
    assert "plan <attention" in program.ir("plans")


def scores_too(q: Array, k: Array, v: Array) -> tuple[Array, Array]:
    scores = q @ k.mT
    return scores, nn.softmax(scores) @ v


def columns(q: Array, k: Array, v: Array) -> Array:
    return nn.softmax(q @ k.mT, -2) @ v


def turned(q: Array, k: Array, v: Array) -> Array:
    return nn.softmax(q @ k.mT).mT @ v


def norm(x: Array, up: Array, down: Array) -> Array:
    return nn.layer_norm(x @ up) @ down


def layers(x: Array, up: Array, down: Array) -> Array:
    return nn.gelu(x @ up) @ down


def narrow(x: Array, up: Array, down: Array) -> Array:
    """The rows between the layers are four times as long as their sums, as is usual."""
    return nn.softmax(x @ up) @ down


@pytest.mark.parametrize(
    ("function", "specs"),
    [
        (layers, ["f32[100,8]", "f32[8,96]", "f32[96,8]"]),
        (narrow, ["f32[100,24]", "f32[24,96]", "f32[96,24]"]),
        (scores_too, [HEADS] * 3),
        (columns, [HEADS] * 3),
        (turned, [HEADS] * 3),
        (norm, ["f32[100,64]", "f32[64,64]", "f32[64,32]"]),
    ],
)
def test_what_is_needed_otherwise_is_stored(
    function: Callable[..., object], specs: list[str]
) -> None:
    assert kernels(function, *specs) > 1


def test_a_long_text_takes_no_memory_for_its_scores() -> None:
    """Twice the length takes twice the memory: for panels of keys, and for some rows of scores."""
    function = sw.compile(nn.Attention.init(64, 4, 0, causal=True), sw.spec("f32[1,S,64]"))
    found = re.search(r"%workspace: !loop.buffer<\[(.*?)\] x i8>", function.ir("buffers"))
    assert found is not None
    need = Size.parse(found[1])
    short, long = (need.evaluate({"S": length}) for length in (16384, 32768))
    assert long < 2.1 * short
    assert long < 4 * 32768 * 32768 * 4 / 40


def test_it_gives_what_its_steps_give() -> None:
    random = np.random.default_rng(0)
    q, k, v = (random.normal(size=(2, 3, 40, 8)).astype("f4") for _ in range(3))
    seen = random.random((40, 40)) < 0.9
    found = sw.jit(masked)(q, k, v, seen)
    expected = masked(*map(snp.asarray, (q, k, v, seen)))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


LONG, KEYS = "f32[2,3,24,8]", "f32[2,3,50,8]"


def gradients(q: Array, k: Array, v: Array, slope: Array) -> tuple[Array, ...]:
    seen, back = sw.vjp(lambda *x: nn.attention(*x, causal=True), q, k, v)
    return seen, *back(slope)


def test_gradients_are_two_kernels_that_keep_no_scores() -> None:
    """And one, as small as the result, of sums along its rows."""
    program = sw.compile(gradients, *map(sw.spec, (LONG, KEYS, KEYS, LONG)))
    assert program.ir("plans").count("plan <attention") == 3
    assert program.ir("kernels").count("nd.kernel") == 4


def test_gradients_take_no_memory_for_scores() -> None:
    spec = sw.spec("f32[12,S,64]")
    text = sw.compile(gradients, spec, spec, spec, spec).ir("buffers")
    found = re.search(r"%workspace: !loop.buffer<\[(.*?)\] x i8>", text)
    assert found is not None
    need = Size.parse(found[1])
    short, long = (need.evaluate({"S": length}) for length in (16384, 32768))
    assert long < 2.1 * short
    assert long < 12 * 32768 * 32768 * 4 / 25


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("lengths", [(24, 50), (50, 50), (1, 40), (3, 33), (5, 9)])
def test_gradients_are_those_of_the_steps(causal: bool, lengths: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    queries, keys = lengths
    arrays = [random.normal(size=(2, n, 4)) for n in (queries, keys, keys, queries)]

    def steps(q: Array, k: Array, v: Array) -> Array:
        scores = q @ k.mT / 2
        if causal:
            scores = snp.where(np.tri(queries, keys, keys - queries, dtype=bool), scores, -1e30)
        return nn.softmax(scores) @ v

    def both(function: Callable[..., Array]) -> Callable[..., tuple[Array, ...]]:
        def run(q: Array, k: Array, v: Array, slope: Array) -> tuple[Array, ...]:
            seen, back = sw.vjp(function, q, k, v)
            return seen, *back(slope)

        return sw.jit(run)

    found = both(lambda *x: nn.attention(*x, causal=causal))(*arrays)
    for one, other in zip(found, both(steps)(*arrays), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def test_derivatives_of_any_mode_follow() -> None:
    random = np.random.default_rng(0)
    q, k, v = (random.normal(size=(30, 2)) for _ in range(3))

    def energy(attend: Callable[..., Array]) -> Callable[[Array], Array]:
        return lambda x: snp.sum(attend(x, k, v) ** 2)

    def steps(q: Array, k: Array, v: Array) -> Array:
        return nn.softmax(q @ snp.asarray(k).T / 2**0.5) @ v

    for one, other in zip(
        *([run(energy(f), q) for run in MODES] for f in (nn.attention, steps)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-10)


def forward(function: Callable[[Array], Array], x: np.ndarray) -> Array:
    return sw.jvp(function, (x,), (np.ones_like(x),))[1]


def twice(function: Callable[[Array], Array], x: np.ndarray) -> Array:
    return sw.grad(lambda x: snp.sum(sw.grad(function)(x) ** 2))(x)


def many(function: Callable[[Array], Array], x: np.ndarray) -> Array:
    return sw.vmap(sw.grad(function))(np.stack([x, -x]))


MODES = (forward, twice, many)


def step(
    q: Array, k: Array, v: Array, at: Array, keys: Array, values: Array
) -> tuple[Array, Array, Array]:
    """One query more, that sees the keys and values before it, and its own."""
    keys, values = (
        snp.dynamic_update_slice(cache, new, (0, 0, at, 0))
        for cache, new in ((keys, k), (values, v))
    )
    scores = snp.where(snp.arange(keys.shape[2]) <= at, q @ keys.mT / 8**0.5, -np.inf)
    return nn.softmax(scores) @ values, keys, values


def test_a_cache_of_keys_is_state_of_any_length() -> None:
    random = np.random.default_rng(0)
    q, k, v = (random.normal(size=(1, 2, 12, 8)).astype("f4") for _ in range(3))
    caches = [
        sw.state(name, np.zeros((1, 2, 20, 8), "f4"), "f32[1,2,T,8]") for name in ("keys", "values")
    ]
    program = sw.compile(step, *["f32[1,2,1,8]"] * 3, "i64", *caches)
    text = program.ir("plans")
    assert text.count("plan <attention") == 1
    attention = text[text.index("loop.kernel @dot") :]
    assert " where " not in attention
    whole = nn.attention(*map(snp.asarray, (q, k, v)), causal=True)
    for n in range(12):
        found = program(*(x[:, :, n : n + 1] for x in (q, k, v)), n)
        np.testing.assert_allclose(found, whole[:, :, n : n + 1], rtol=1e-5, atol=1e-5)
