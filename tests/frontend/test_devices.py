"""Programs on a device: the same functions and bits as on the CPU, and arrays that stay there."""

import copy
import pickle
import re
import zipfile
from itertools import pairwise

import numpy
import pytest

import stepwell as sw
import stepwell.numpy as np
import under_test
from stepwell import assert_, nn
from stepwell.cli import main
from stepwell.runtime.devices.array import DeviceArray

CARD = under_test.CHOICE.name
pytestmark = pytest.mark.device


def draw(*shape: int, seed: int = 0) -> numpy.ndarray:
    return numpy.random.default_rng(seed).standard_normal(shape, "f4")


def expect_same(function, *arguments) -> None:
    """On the device a function gives the CPU's bits, and its results lie there."""
    found = sw.jit(function, target=CARD)(*arguments)
    wanted = sw.jit(function)(*arguments)
    leaves, structure = sw.nested.flatten(found)
    others, same = sw.nested.flatten(wanted)
    assert structure == same
    assert {leaf.device for leaf in leaves} == {CARD}
    for one, other in zip(leaves, others, strict=True):
        numpy.testing.assert_array_equal(numpy.asarray(one), numpy.asarray(other), strict=True)


def mlp(params, x):
    for w, b in params[:-1]:
        x = np.maximum(x @ w + b, 0)
    w, b = params[-1]
    return x @ w + b


def parameters():
    widths = [5, 7, 3]
    return [(draw(m, n, seed=n), draw(n, seed=m)) for m, n in pairwise(widths)]


def test_fast_roots_and_quotients():
    """Are within two units in the last place, by the card's own approximations."""
    x, y = numpy.abs(draw(512, seed=1)), numpy.abs(draw(512, seed=2)) + 1
    program = sw.compile(
        lambda x, y: np.sqrt(x) / y,
        sw.spec("f32[512]"),
        sw.spec("f32[512]"),
        target=CARD,
        numerics="fast",
    )
    assert {"div.approx.f32", "sqrt.approx.f32"} <= {*program.ir("asm").split()}
    exact = numpy.sqrt(x.astype("f8")) / y
    numpy.testing.assert_allclose(numpy.asarray(program(x, y)), exact, rtol=4 * 2.0**-23)


@pytest.mark.parametrize("dtype", ["f32", "f64", "f16", "bf16", "i32", "u8", "bool"])
def test_maps(dtype):
    x = numpy.asarray(np.asarray(4 * draw(3, 11)).astype(dtype))
    expect_same(lambda x: np.where(x > x[0], x, x[:, ::-1]), x)


def test_arithmetic():
    expect_same(lambda x, y: (np.exp(x) / (1 + y * y), x.sum(axis=1)), draw(4, 33), draw(4, 33))


def test_a_perceptron():
    expect_same(mlp, parameters(), draw(4, 5))


def test_the_gradient_of_a_perceptron():
    def loss(params, x):
        return (mlp(params, x) ** 2).mean()

    expect_same(sw.grad(loss), parameters(), draw(4, 5))


def test_the_gradient_of_a_norm():
    """Sums of columns that go side by side, of which one is a sum of products."""

    def loss(scale, shift, x):
        centred = x - x.mean(axis=1, keepdims=True)
        normal = centred * np.rsqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
        return ((normal * scale + shift) ** 2).sum()

    expect_same(sw.grad(loss, argnums=(0, 1, 2)), draw(40), draw(40), draw(9, 40))


def test_a_loop_that_the_device_ends():
    def halved(x):
        def smaller(state):
            n, x = state
            return n + 1, x * 0.5

        return sw.while_loop(lambda state: state[1].max() > 0.1, smaller, (0, x))

    expect_same(halved, numpy.abs(draw(20)))


def test_a_branch_that_the_device_takes():
    def f(x):
        return sw.cond(x.sum() > 0, lambda x: x + 1, lambda x: x * 2, x)

    expect_same(f, numpy.ones(5, "f4"))
    expect_same(f, -numpy.ones(5, "f4"))


def test_a_scan():
    def f(xs):
        return sw.scan(lambda c, x: (c + x, c * x), np.zeros(3), xs)

    expect_same(f, draw(4, 3))


@pytest.fixture
def graphs(monkeypatch):
    """What the device is asked to repeat."""
    card, found = under_test.card(), []
    repeat = card.repeat
    monkeypatch.setattr(card, "repeat", lambda graph: (found.append(graph), repeat(graph)))
    return found


def test_calls_that_come_again_give_the_same_bits(graphs):
    def loss(params, x):
        return (mlp(params, x) ** 2).mean()

    graph = sw.jit(sw.grad(loss), target=CARD)
    params = sw.device_put(parameters(), CARD)
    for seed in range(8):
        x = draw(4, 5, seed=seed % 3)
        found, wanted = graph(params, x), sw.jit(sw.grad(loss))(parameters(), x)
        leaves, others = sw.nested.flatten(found)[0], sw.nested.flatten(wanted)[0]
        assert all(map(numpy.array_equal, leaves, others))
    assert graphs


def test_a_graph_is_of_one_shape():
    """Of other shapes arrays may lie in the same place."""
    f = sw.compile(lambda x: x.T + 1, "f32[M, N]", target=CARD)
    for shape in [(2, 3)] * 3 + [(3, 2)] * 3:
        x = sw.device_put(draw(*shape), CARD)
        assert numpy.array_equal(f(x), draw(*shape).T + 1)
        del x


def test_a_graph_has_its_own_workspace(monkeypatch):
    """What others have where that was before stays as it is."""
    card, sizes = under_test.card(), []
    allocate = card.allocate
    f = sw.compile(lambda x: np.cumsum(np.cumsum(x)[::-1])[:3], "f32[50]", target=CARD)
    x = sw.device_put(draw(50), CARD)
    with monkeypatch.context() as patched:
        patched.setattr(card, "allocate", lambda size: (sizes.append(size), allocate(size))[1])
        wanted = f(x).tolist()
    (size,) = {*sizes} - {12}
    for _ in range(3):
        assert f(x).tolist() == wanted
    other = DeviceArray.of(card, numpy.full(size, 7, "u1"))
    for _ in range(3):
        assert f(x).tolist() == wanted
    assert (numpy.asarray(other) == 7).all()


def test_loops_that_the_device_ends_are_no_graphs(graphs):
    f = sw.jit(lambda x: sw.while_loop(lambda y: y.max() > 1, lambda y: y * 0.5, x), target=CARD)
    x = sw.device_put(numpy.float32([8, 3]), CARD)
    for _ in range(4):
        assert f(x).tolist() == [1.0, 0.375]
    assert not graphs


def test_results_stay_on_the_device():
    f = sw.jit(lambda x: x * 2, target=CARD)
    x = draw(3)
    y = f(f(x))
    assert (y.device, y.shape, y.dtype) == (CARD, (3,), "f32")
    assert numpy.array_equal(y, 4 * x)
    assert y.tolist() == (4 * x).tolist()
    assert repr(f(numpy.float32([1]))) == f"Array([2.], f32, {CARD})"


def test_device_put():
    x = draw(2, 3)
    there = sw.device_put({"x": x, "n": 3}, CARD)
    assert (there["x"].device, there["n"].device) == (CARD, CARD)
    assert sw.device_put(there["x"], CARD) is there["x"]
    back = sw.device_put(there, "cpu")
    assert (back["x"].device, back["n"].item()) == ("cpu", 3)
    assert numpy.array_equal(back["x"], x)
    with pytest.raises(sw.LoadError, match="SW0328: there is no device tpu"):
        sw.device_put(x, "tpu")


def test_copies_and_pickles():
    """A deep copy stays on the device; what is read from a file lies on the CPU."""
    x = draw(2, 3)
    there = sw.device_put(x, CARD)
    twin = copy.deepcopy(there)
    assert twin.device == CARD
    assert twin.held.address != there.held.address
    assert numpy.array_equal(twin, x)
    back = pickle.loads(pickle.dumps(there))
    assert back.device == "cpu"
    assert numpy.array_equal(back, x)


def test_arrays_are_on_the_cpu_by_default():
    assert np.asarray([1.0]).device == "cpu"
    assert sw.jit(lambda x: x + 1)(np.ones(3)).device == "cpu"


def test_a_traced_array_has_no_device():
    with pytest.raises(sw.CompileError, match="SW0102"):
        sw.jit(lambda x: x.device)(draw(2))


def test_what_is_on_a_device_is_not_computed_with_elsewhere():
    x = sw.device_put(draw(3), CARD)
    with pytest.raises(sw.CallError, match=f"SW0423: an array on {CARD} is computed with"):
        x + 1
    with pytest.raises(sw.CallError, match=f"SW0420: x: the array lies on {CARD}, and"):
        sw.jit(lambda x: x + 1)(x)
    other = sw.device_put(draw(3), under_test.OTHER)
    with pytest.raises(sw.CallError, match="SW0420: x: the array lies on cuda-emulated:1, and"):
        sw.jit(lambda x: x + 1, target=CARD)(other)


def test_known_arrays_of_a_device_are_weights_elsewhere():
    w = sw.device_put(draw(3), CARD)
    x = draw(3)
    assert numpy.array_equal(sw.jit(lambda x: x + w)(x), x + draw(3))


def test_nothing_is_left_on_the_device():
    before = under_test.allocations()
    f = sw.jit(lambda x: (np.exp(x) * 2).sum(axis=0), target=CARD)
    for n in (3, 5):
        f(draw(4, n))
    kept = under_test.allocations()
    f(draw(4, 5))
    assert under_test.allocations() == kept
    del f
    assert under_test.allocations() == before


def test_symbolic_sizes():
    f = sw.compile(lambda x: x / x.sum(axis=1, keepdims=True), x="f32[B, 5]", target=CARD)
    for rows in (0, 1, 6):
        x = numpy.abs(draw(rows, 5))
        wanted = sw.jit(lambda x: x / x.sum(axis=1, keepdims=True))(x)
        assert numpy.array_equal(f(x), wanted)
        assert f(x).device == CARD


def test_positions_are_moved_into_ranges_that_are_not_known():
    """The best of the GPUs has an instruction for that."""

    def f(x, table, start, ids):
        part = np.dynamic_slice(x, (start,), (3,))
        return part, np.dynamic_update_slice(x, part + 1, (start + 1,)), table[ids]

    specs = "f32[N: 3..64]", "f32[V: 1..64, 3]", "i64[]", "i64[M]"
    there, here = sw.compile(f, *specs, target=CARD), sw.compile(f, *specs)
    ids = numpy.array([0, -1, 2, 9, -9, 2**32 + 1, -(2**32) - 3])
    for start in (-7, 0, 4, 99, 2**32 + 2, 1 - 2**32):
        for one, other in zip(
            there(draw(9), draw(4, 3), start, ids), here(draw(9), draw(4, 3), start, ids)
        ):
            assert numpy.array_equal(one, other)


def test_donated_arrays_hold_the_result():
    f = sw.compile(lambda x: x + 1, x="f32[64]", target=CARD, donate="x")
    x = sw.device_put(draw(64), CARD)
    address = x.held.address
    y = f(x)
    assert y.held.address == address
    assert numpy.array_equal(y, draw(64) + 1)


def test_a_donated_array_that_is_given_twice_stays():
    f = sw.compile(lambda x, y: x + y, x="f32[64]", y="f32[64]", target=CARD, donate="x")
    x = sw.device_put(draw(64), CARD)
    assert numpy.array_equal(f(x, x), 2 * draw(64))
    assert numpy.array_equal(x, draw(64))


def test_states_stay_on_the_device():
    total = sw.state("total", np.zeros(3))
    f = sw.compile(lambda x, total: (x.sum(), total + x), "f32[3]", total, target=CARD)
    for _ in range(3):
        f(numpy.float32([1, 2, 3]))
    assert f.state["total"].device == CARD
    assert f.state["total"].tolist() == [3, 6, 9]
    f.state["total"] = numpy.float32([1, 1, 1])
    f(numpy.float32([1, 2, 3]))
    assert f.state["total"].tolist() == [2, 3, 4]
    f.state.reset()
    assert f.state["total"].tolist() == [0, 0, 0]


@pytest.fixture
def both(tmp_path):
    """A file for the CPU and for GPUs, and what its function gives."""
    w, x = draw(5, 4), draw(3, 5)
    program = sw.compile(lambda x: x @ w, x="f32[B, 5]", target=["host", "cuda"])
    assert program(x).device == "cpu"
    program.save(tmp_path / "f.well", sample={"main": (x,)})
    return tmp_path / "f.well", x, numpy.asarray(program(x))


def test_files_hold_ptx_beside_the_host_code(both):
    names = zipfile.ZipFile(both[0]).namelist()
    for name in ("sm_80", "sm_90a"):
        assert {f"code/{name}.o", f"code/{name}.ptx"} <= {*names}


def test_a_file_runs_where_it_is_loaded(both):
    path, x, wanted = both
    here, there = sw.load(path), sw.load(path, device=CARD)
    assert there.target.name == "sm_90a"
    assert sw.load(path, device=CARD, target="sm_80").target.name == "sm_80"
    assert numpy.array_equal(here(x), wanted)
    found = there(x)
    assert isinstance(found, DeviceArray)
    assert numpy.array_equal(found, wanted)
    assert numpy.array_equal(there(sw.device_put(x, CARD)), wanted)
    with pytest.raises(sw.CallError, match="SW0420"):
        here(sw.device_put(x, CARD))


def test_the_command_verifies_both(both, capsys):
    path, *_ = both
    assert main(["verify", str(path), "--device", CARD]) == 0
    said = capsys.readouterr().out.splitlines()
    verified = {line.partition(":")[0] for line in said if line.endswith("0 ulp")}
    assert {"sm_90a", "sm_80", "x86-64-v3"} <= verified
    assert main(["verify", str(path), "--device", "tpu"]) == 0
    assert "sm_80: not verified here: there is no device tpu" in capsys.readouterr().out


def test_products_of_halves_repeat_nearly(tmp_path, capsys):
    """On the device their order is its own."""
    shapes = enumerate([(64, 512), (512, 64)])
    x, y = (np.asarray(draw(*shape, seed=seed)).astype("bf16") for seed, shape in shapes)
    program = sw.compile(
        lambda x, y: x @ y, x="bf16[64, 512]", y="bf16[512, 64]", target=["host", "cuda"]
    )
    program.save(tmp_path / "f.well", sample={"main": (x, y)})
    assert main(["verify", str(tmp_path / "f.well"), "--device", CARD]) == 0
    said = capsys.readouterr().out.splitlines()
    assert any(line.startswith("sm_") and not line.endswith(" 0 ulp") for line in said)
    assert all(line.endswith(" 0 ulp") for line in said[1:] if not line.startswith("sm_"))


def test_the_command_runs_on_a_device(both, tmp_path, capsys):
    path, x, wanted = both
    numpy.save(tmp_path / "x.npy", x)
    given = [str(path), "--device", CARD, "--input", f"x={tmp_path / 'x.npy'}"]
    assert main(["run", *given, "--output", str(tmp_path / "y.npy")]) == 0
    assert numpy.array_equal(numpy.load(tmp_path / "y.npy"), wanted)


def test_the_command_says_what_is_for_gpus(both, capsys):
    assert main(["inspect", str(both[0])]) == 0
    said = capsys.readouterr().out
    assert re.search(r"\d kernels for a GPU, which share \d+ bytes", said)
    assert "launched by code for x86_64 with these features" in said


@pytest.mark.parametrize("rows", ["f32[2, 8192]", "f32[B, S: 1..8192]"])
def test_memory_that_a_launch_adds_is_known_before_it(rows, tmp_path, monkeypatch, capsys):
    """Of rows that lie in it."""
    path = tmp_path / "f.well"
    sw.compile(nn.softmax, rows, target="sm_80").save(path)
    assert main(["inspect", str(path)]) == 0
    (shared,) = re.findall(r"which share (\d+) bytes", capsys.readouterr().out)
    assert 2 * 4 * 8192 < int(shared) < 2 * 4 * 8192 + 4096
    monkeypatch.setattr(under_test.card(), "block_memory", int(shared))
    sw.load(path, device=CARD)
    monkeypatch.setattr(under_test.card(), "block_memory", int(shared) - 1)
    with pytest.raises(sw.LoadError) as error:
        sw.load(path, device=CARD)
    assert str(error.value) == (
        f"SW0326: {path}: code/sm_80.ptx shares {shared} bytes in a block,"
        f" and {CARD} has {int(shared) - 1}"
    )


def test_plans_for_gpus_are_not_measured():
    f = sw.compile(lambda x: x + 1, x="f32[2]", target=CARD)
    with pytest.raises(sw.CompileError, match="SW0164: the program is for sm_90a, and plans"):
        f.tune()


def test_programs_come_from_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STEPWELL_CACHE", str(tmp_path))
    x = draw(3)
    for _ in range(2):
        assert numpy.array_equal(sw.jit(lambda x: x * 3, target=CARD)(x), x * 3)
        monkeypatch.setattr("stepwell.compiled.compile_module", None)


def test_files_are_made_where_they_cannot_run(tmp_path):
    program = sw.compile(lambda x: x + 1, x="f32[3]", target="sm_80")
    program.save(tmp_path / "f.well")
    assert [each.name for each in sw.load(tmp_path / "f.well", device=CARD).manifest.targets] == [
        "sm_80"
    ]
    with pytest.raises(sw.LoadError, match=r"SW0308: .* sm_80 needs a device"):
        sw.load(tmp_path / "f.well")


def test_samples_of_a_device_are_repeated_on_the_cpu(tmp_path):
    program = sw.compile(lambda x: np.exp(x), x="f32[9]", target=[CARD])
    x = draw(9)
    host = sw.compile(lambda x: np.exp(x), x="f32[9]")
    assert numpy.array_equal(program(x), host(x))
    program.save(tmp_path / "f.well", sample={"main": (sw.device_put(x, CARD),)})


def test_dlpack_goes_both_ways():
    x = sw.device_put(draw(2, 3), CARD)
    assert x.__dlpack_device__() == under_test.card().place
    again = np.from_dlpack(x)
    assert again.device == CARD
    assert numpy.array_equal(again, x)
    borrowed = np.asarray(x.held)
    assert borrowed.held.address == x.held.address
    assert not hasattr(np.ones(3), "__cuda_array_interface__")


def test_printing_and_asserting(capsys):
    def f(x):
        sw.print("x is {}", x)
        assert_((x > 0).all(), "x should be positive")
        return x * 2

    f = sw.jit(f, target=CARD)
    assert numpy.array_equal(f(numpy.float32([1, 2])), [2, 4])
    assert capsys.readouterr().out == "x is [1. 2.]\n"
    with pytest.raises(sw.CallError, match="SW0410: f: x should be positive"):
        f(numpy.float32([1, -2]))


def test_effects_happen_in_the_order_of_the_program(capsys):
    """Also between kernels, in a loop, and before an assertion that fails."""

    def f(x):
        def step(n, each):
            sw.print("{} {}", n, each * 2)
            return n + 1, each

        y = np.exp(x) * 0
        sw.print("before {}", y)
        n, _ = sw.scan(step, np.zeros((), "i32"), x + y)
        assert_(x < 3, "x is small")
        sw.print("after {}", n)
        return x

    f = sw.jit(f, target=CARD)
    lines = ["before [0. 0.]", "0 2.0", "1 4.0", "after 2"]
    f(numpy.float32([1, 2]))
    assert capsys.readouterr().out.splitlines() == lines
    with pytest.raises(sw.CallError, match="SW0410: f: x is small"):
        f(numpy.float32([1, 3]))
    assert capsys.readouterr().out.splitlines() == ["before [0. 0.]", "0 2.0", "1 6.0"]


def test_assertions_of_nothing_hold():
    def f(x, y):
        assert_(x > 0, "x")
        assert_(y > 0, "y")
        return x

    compiled = sw.compile(f, "f32[N]", "f32[0, 2]", target=CARD)
    assert compiled(draw(0), draw(0, 2)).shape == (0,)


def test_what_does_not_compile_for_a_gpu_says_so():
    f = sw.jit(lambda n: sw.custom_call("labs", n, results="i64[]"), target=CARD)
    with pytest.raises(sw.CompileError, match="SW0242: the C function labs cannot be called"):
        f(numpy.array(3))


def test_targets_that_are_not_there():
    with pytest.raises(sw.CompileError, match="SW0136: there is no target gpu"):
        sw.jit(lambda x: x, target="gpu")
    with pytest.raises(sw.CompileError, match="SW0136"):
        sw.compile(lambda x: x, x="f32[2]", target="cuda:x")
