"""Layers and functions of networks beside their formulas, gradients beside differences."""

import math
from typing import Any

import numpy
import pytest

from stepwell import nested, nn
from stepwell import numpy as np
from stepwell.array import Array, asarray
from stepwell.compiling import compile, jit
from stepwell.runtime.errors import CompileError
from stepwell.specs import spec
from stepwell.transforms import grad, jvp, vmap

rng = numpy.random.default_rng(3)
X = rng.normal(size=(2, 5, 6, 4))
V = rng.normal(size=(3, 7)) * 3


def close(actual: Any, expected: Any, tolerance: float = 1e-5) -> None:
    numpy.testing.assert_allclose(numpy.asarray(actual), expected, tolerance, tolerance)


def softmax(x: numpy.ndarray) -> numpy.ndarray:
    powers = numpy.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


ACTIVATIONS = {
    nn.relu: lambda x: numpy.maximum(x, 0),
    nn.sigmoid: lambda x: 1 / (1 + numpy.exp(-x)),
    nn.silu: lambda x: x / (1 + numpy.exp(-x)),
    nn.gelu: lambda x: x * (1 + numpy.vectorize(math.erf)(x / math.sqrt(2))) / 2,
    nn.softmax: softmax,
    nn.log_softmax: lambda x: numpy.log(softmax(x)),
    nn.layer_norm: lambda x: (
        (x - x.mean(-1, keepdims=True)) / numpy.sqrt(x.var(-1, keepdims=True) + 1e-5)
    ),
}


@pytest.mark.parametrize("function", ACTIVATIONS, ids=lambda f: f.__name__)
def test_functions_follow_their_formulas(function: Any) -> None:
    close(function(V), ACTIVATIONS[function](V))
    close(jit(function)(V.astype("f4")), ACTIVATIONS[function](V), 1e-4)


@pytest.mark.parametrize("function", ACTIVATIONS, ids=lambda f: f.__name__)
def test_their_gradients_are_differences(function: Any) -> None:
    weights = rng.normal(size=V.shape)

    def total(x: Any) -> Any:
        return (function(x) * weights).sum()

    close(grad(total)(V), differences(total, V), 1e-4)


def differences(function: Any, x: numpy.ndarray, step: float = 1e-6) -> numpy.ndarray:
    """The gradient of a function to one number by central differences, in f64."""
    result = numpy.zeros_like(x)
    for place in numpy.ndindex(*x.shape):
        moved = numpy.zeros_like(x)
        moved[place] = step
        result[place] = (float(function(x + moved)) - float(function(x - moved))) / (2 * step)
    return result


def test_softmax_does_not_overflow() -> None:
    close(nn.softmax([1e4, 0.0, -1e4]), [1, 0, 0])
    close(nn.log_softmax([1e4, 0.0]), [0, -1e4])


def test_cross_entropy_is_the_mean_surprise() -> None:
    labels = numpy.array([0, 6, 3])
    expected = -numpy.log(softmax(V)[range(3), labels]).mean()
    close(nn.cross_entropy(V, labels), expected)
    close(jit(nn.cross_entropy)(V, labels), expected)
    ones = numpy.eye(7)[labels]
    close(grad(nn.cross_entropy)(V, labels), (softmax(V) - ones) / 3)


def test_mean_squared_error() -> None:
    close(nn.mean_squared_error(V, V + 2), 4)


def convolved(x: numpy.ndarray, w: numpy.ndarray, stride: int, pad: tuple[int, int]) -> Any:
    x = numpy.pad(x, ((0, 0), pad, pad, (0, 0)))
    windows = numpy.lib.stride_tricks.sliding_window_view(x, w.shape[:2], axis=(1, 2))
    return numpy.einsum("nhwcij,ijco->nhwo", windows[:, ::stride, ::stride], w)


@pytest.mark.parametrize(
    ("options", "stride", "pad"),
    [
        ({}, 1, (0, 0)),
        ({"padding": "same"}, 1, (1, 1)),
        ({"padding": 2, "stride": 2}, 2, (2, 2)),
        ({"padding": [(1, 0), (1, 0)]}, 1, (1, 0)),
    ],
)
def test_convolutions_follow_their_formula(
    options: dict[str, Any], stride: int, pad: tuple[int, int]
) -> None:
    w = rng.normal(size=(3, 3, 4, 5))
    expected = convolved(X, w, stride, pad)
    close(nn.conv2d(X, w, **options), expected)
    close(jit(lambda x, w: nn.conv2d(x, w, **options))(X, w), expected)


def test_the_same_padding_with_a_stride_keeps_all_windows() -> None:
    w = rng.normal(size=(3, 3, 4, 5))
    assert nn.conv2d(X, w, stride=2, padding="same").shape == (2, 3, 3, 5)
    program = compile(
        lambda x: nn.conv2d(x, w.astype("f4"), stride=2, padding="same"), spec("f32[B,H,W,4]")
    )
    for shape in ((1, 4, 5, 4), (2, 1, 3, 4), (3, 7, 8, 4)):
        x = rng.normal(size=shape).astype("f4")
        close(program(x), nn.conv2d(x, w.astype("f4"), stride=2, padding="same"), 1e-4)


def test_groups_and_dilation() -> None:
    w = rng.normal(size=(2, 2, 2, 6))
    halves = [
        convolved(X[..., 2 * g : 2 * g + 2], w[..., 3 * g : 3 * g + 3], 1, (0, 0)) for g in (0, 1)
    ]
    close(nn.conv2d(X, w, groups=2), numpy.concatenate(halves, -1))
    wide = numpy.zeros((3, 3, 4, 5))
    wide[::2, ::2] = rng.normal(size=(2, 2, 4, 5))
    close(nn.conv2d(X, wide[::2, ::2], dilation=2), convolved(X, wide, 1, (0, 0)))


def test_pools() -> None:
    blocks = X[:, :4].reshape(2, 2, 2, 3, 2, 4)
    close(nn.max_pool(X, 2), blocks.max((2, 4)))
    close(nn.avg_pool(X, 2), blocks.mean((2, 4)))
    close(
        nn.max_pool(X, (1, 3), stride=(1, 1)),
        numpy.maximum.reduce([X[:, :, i : i + 4] for i in range(3)]),
    )


def test_padding_does_not_count_in_a_mean() -> None:
    close(
        nn.avg_pool(numpy.ones((1, 3, 3, 1)), 2, stride=1, padding="same"), numpy.ones((1, 3, 3, 1))
    )


def test_a_padding_that_is_not_there() -> None:
    with pytest.raises(CompileError) as caught:
        nn.max_pool(X, 2, padding="all")
    assert caught.value.sentence == "the padding 'all' is neither 'same' nor 'valid'"


@pytest.mark.parametrize("causal", [False, True])
def test_attention_follows_its_formula(causal: bool) -> None:
    layer = nn.Attention.init(8, 2, 0, causal=causal, dtype="f64")
    x = rng.normal(size=(3, 5, 8))

    def heads(linear: nn.Linear) -> numpy.ndarray:
        y = x @ numpy.asarray(linear.weight) + numpy.asarray(linear.bias)
        return y.reshape(3, 5, 2, 4).transpose(0, 2, 1, 3)

    scores = heads(layer.query) @ heads(layer.key).swapaxes(-1, -2) / 2
    if causal:
        scores = numpy.where(numpy.tril(numpy.ones((5, 5), bool)), scores, -numpy.inf)
    seen = (softmax(scores) @ heads(layer.value)).transpose(0, 2, 1, 3).reshape(3, 5, 8)
    close(layer(x), seen @ numpy.asarray(layer.output.weight))
    close(jit(layer)(x), layer(x))


def test_attention_of_unknown_sizes() -> None:
    layer = nn.Attention.init(8, 2, 0, causal=True)
    program = compile(layer, spec("f32[B, S, 8]"))
    for shape in ((1, 1, 8), (2, 7, 8)):
        x = rng.normal(size=shape).astype("f4")
        close(program(x), layer(x), 1e-4)


def test_a_query_may_come_late() -> None:
    """One query over all keys is the last row of the whole."""
    q, k, v = (asarray(rng.normal(size=(4, 3))) for _ in range(3))
    whole = nn.attention(q, k, v, causal=True)
    close(nn.attention(q[-1:], k, v, causal=True), whole[-1:])


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("causal", [False, True])
def test_heads_of_queries_may_share_keys(groups: int, causal: bool) -> None:
    q = asarray(rng.normal(size=(2, 6, 5, 3)))
    k, v = (rng.normal(size=(2, groups, 5, 3)) for _ in range(2))
    repeated = [asarray(numpy.repeat(x, 6 // groups, 1)) for x in (k, v)]

    def shared(q: Array, k: Array, v: Array) -> Array:
        return nn.attention(q, k, v, causal=causal)

    close(shared(q, asarray(k), asarray(v)), shared(q, *repeated))
    program = compile(shared, *(spec(f"f64[2,{heads},5,3]") for heads in (6, groups, groups)))
    close(program(q, k, v), shared(q, *repeated))
    assert "plan <attention" in program.ir("plans")


def test_embeddings_are_rows() -> None:
    layer = nn.Embedding.init(5, 3, 0)
    close(layer([[4, 0], [1, -1]]), numpy.asarray(layer.weight)[[[4, 0], [1, -1]]])


def test_layer_norm_scales_and_moves() -> None:
    layer = nn.LayerNorm(asarray(numpy.full(7, 2.0)), asarray(numpy.full(7, 1.0)))
    close(layer(V), 2 * ACTIVATIONS[nn.layer_norm](V) + 1)


def model(seed: int = 0) -> nn.Sequential:
    random = numpy.random.default_rng(seed)
    return nn.Sequential.of(
        nn.Conv2d.init(4, 3, 3, random, dtype="f64"),
        nn.silu,
        lambda x: nn.max_pool(x, 2),
        lambda x: x.reshape(x.shape[0], -1),
        nn.Linear.init(18, 3, random, dtype="f64"),
        nn.LayerNorm.init(3, dtype="f64"),
    )


def test_layers_are_drawn_alike_from_one_seed() -> None:
    leaves, structure = nested.flatten(model())
    again, _ = nested.flatten(model())
    other, _ = nested.flatten(model(1))
    assert [numpy.array_equal(a, b) for a, b in zip(leaves, again, strict=True)] == [True] * 6
    assert not numpy.array_equal(leaves[0], other[0])
    assert structure.paths()[:2] == [".layers[0].weight", ".layers[0].bias"]


def test_weights_have_the_variance_that_keeps_signals_alive() -> None:
    assert numpy.asarray(nn.Linear.init(400, 300, 0).weight).var() == pytest.approx(
        1 / 400, rel=0.05
    )
    drawn = numpy.asarray(nn.Conv2d.init(64, 64, 3, 0).weight)
    assert drawn.var() == pytest.approx(2 / 576, rel=0.05)
    assert nn.Linear.init(2, 2, 0, bias=False).bias is None
    assert nn.Linear.init(2, 2, 0, dtype="bf16").weight.dtype == "bf16"


def loss(network: nn.Sequential, x: Any, labels: Any) -> Any:
    return nn.cross_entropy(network(x), labels)


def test_the_gradient_of_a_network_is_a_network() -> None:
    """Each parameter's derivative is the difference quotient of the loss."""
    network, labels = model(), numpy.array([0, 2])
    gradient = jit(grad(loss))(network, X, labels)
    leaves, structure = nested.flatten(network)
    for place, (leaf, found) in enumerate(zip(leaves, nested.flatten(gradient)[0], strict=True)):

        def with_one(values: Any, place: int = place) -> Any:
            changed = [asarray(values) if n == place else each for n, each in enumerate(leaves)]
            return loss(structure.rebuild(changed), X, labels)

        direction = rng.normal(size=numpy.shape(leaf))
        value, step = numpy.asarray(leaf), 1e-6
        expected = float(with_one(value + step * direction)) - float(
            with_one(value - step * direction)
        )
        close((numpy.asarray(found) * direction).sum(), expected / (2 * step), 1e-6)


def test_both_modes_agree_about_a_network() -> None:
    network, labels = model(), numpy.array([0, 2])
    direction = nested.map(lambda leaf: numpy.ones(leaf.shape), network)
    _, forwards = jvp(lambda n: loss(n, X, labels), (network,), (direction,))
    backwards = sum(leaf.sum() for leaf in nested.flatten(grad(loss)(network, X, labels))[0])
    close(forwards, backwards)


def test_a_network_of_examples_one_by_one() -> None:
    network = model()
    one_by_one = jit(vmap(lambda x: network(x[None])[0]))
    close(one_by_one(X), network(X))


def test_a_network_is_compiled_for_any_batch() -> None:
    network = model()
    program = compile(network, spec("f64[B, 5, 6, 4]"))
    assert program(X[:0]).shape == (0, 3)
    for batch in (1, 2):
        close(program(X[:batch]), network(X[:batch]))


def test_narrow_floats_stay_narrow() -> None:
    x = np.asarray(V, "bf16")
    for function in (
        nn.relu,
        nn.gelu,
        nn.softmax,
        nn.layer_norm,
        nn.Linear.init(7, 2, 0, dtype="bf16"),
    ):
        assert function(x).dtype == "bf16"
