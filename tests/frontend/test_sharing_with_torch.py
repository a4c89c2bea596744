"""Memory that PyTorch shares on a card, in both directions and in both streams."""

import numpy
import pytest

import stepwell as sw
import stepwell.numpy as np
import under_test

torch = pytest.importorskip("torch")
CARD = under_test.CHOICE.name
pytestmark = [
    pytest.mark.device,
    pytest.mark.skipif(not CARD.startswith("cuda:") and CARD != "cuda", reason="no card of NVIDIA"),
]
DTYPES = ["bool", "i8", "i32", "i64", "u8", "f16", "bf16", "f32", "f64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_goes_and_comes(dtype):
    x = np.asarray(numpy.arange(6).reshape(2, 3) % 2).astype(dtype)
    there = sw.device_put(x, CARD)
    given = torch.from_dlpack(there)
    assert (given.data_ptr(), tuple(given.shape)) == (there.held.address, (2, 3))
    back = np.from_dlpack(given)
    assert (back.dtype, back.device, back.held.address) == (dtype, CARD, there.held.address)
    assert numpy.array_equal(back, x)


def test_a_program_waits_for_what_torch_is_computing():
    f = sw.jit(lambda x: x.sum(), target=CARD)
    for _ in range(4):
        x = torch.ones(1 << 24, device="cuda")
        for _ in range(16):
            x = x * 2
        assert float(f(x)) == float(1 << 40)


def test_torch_sees_what_a_program_has_finished():
    x = sw.device_put(numpy.ones(1 << 22, "f4"), CARD)
    f = sw.jit(lambda x: x * 2 + 1, target=CARD)
    for _ in range(3):
        x = f(x)
    assert float(torch.from_dlpack(x).max()) == 15.0


def test_memory_of_torch_outlives_its_name():
    given = torch.arange(1 << 16, device="cuda", dtype=torch.float32)
    x = np.from_dlpack(given)
    del given
    torch.zeros(1 << 16, device="cuda")
    assert numpy.array_equal(x, numpy.arange(1 << 16, dtype="f4"))


def test_graphs_of_both_go_side_by_side():
    f = sw.jit(lambda x: x @ x, target=CARD)
    x = torch.rand(64, 64, device="cuda")
    wanted = np.asarray(sw.jit(lambda x: x @ x)(x.cpu().numpy()))
    stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        y = x + 1
    for _ in range(4):
        graph.replay()
        assert numpy.array_equal(f(x), wanted)
    assert torch.equal(y, x + 1)
