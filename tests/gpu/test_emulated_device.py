"""The emulated device: memory, arguments, and launches that it refuses in one sentence."""

import numpy as np
import pytest

from emulator.emulated import EmulatedDevice
from emulator.errors import AccessError, LaunchError
from small_kernels import HEAD, run, text, words

STORE = text("st.global.u32 [%g0], %t;", 1)


def kernel(parameters: str, body: str = "", bounds: str = "", top: str = "") -> str:
    return f"{HEAD}{top}\n.visible .entry k({parameters})\n{bounds}\n{{\n{body}\nret;\n}}\n"


def test_memory_goes_in_and_out() -> None:
    device = EmulatedDevice()
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    address = device.allocate(x.nbytes)
    assert address % 256 == 0
    device.copy_in(address, x)
    found = np.zeros_like(x)
    device.copy_out(found, address)
    assert (found == x).all()
    device.free(address)
    with pytest.raises(LaunchError, match="no buffer begins at"):
        device.copy_out(found, address)


def test_what_is_freed_is_used_no_more() -> None:
    device = EmulatedDevice()
    function = device.load(STORE).function("k")
    address = device.allocate(128)
    device.free(address)
    with pytest.raises(AccessError, match="where there is no global memory"):
        device.launch(function, (1, 1, 1), (32, 1, 1), 0, [address])


def test_what_no_thread_wrote_is_not_copied_out() -> None:
    device = EmulatedDevice()
    function = device.load(STORE).function("k")
    address = device.allocate(256, "half")
    device.launch(function, (1, 1, 1), (32, 1, 1), 0, [address])
    with pytest.raises(AccessError, match="byte 128 of half is copied out, but never written"):
        device.copy_out(words(64), address)


def test_arguments_are_laid_out_as_the_parameters_say() -> None:
    parameters = """
    .param .u64 .ptr .global .align 4 out, .param .u16 h, .param .f32 f, .param .f64 d,
    .param .align 8 .b8 s[16]"""
    body = """
    .reg .b64 %d<9>; .reg .b32 %r<9>; .reg .b16 %h<9>;
    ld.param.u64 %d1, [out];
    ld.param.u16 %h1, [h];
    ld.param.b32 %r1, [f];
    ld.param.b64 %d2, [d];
    ld.param.b32 %r2, [s+4];
    mov.u64 %d3, s;
    cvta.param.u64 %d4, %d3;
    ld.u32 %r3, [%d4+12];
    cvt.u32.u16 %r4, %h1;
    st.global.v4.u32 [%d1], {%r1, %r2, %r3, %r4};
    st.global.u64 [%d1+16], %d2;"""
    device = EmulatedDevice()
    address = device.allocate(24)
    struct = np.arange(4, dtype=np.uint32).tobytes()
    arguments = [address, np.int16(-2), np.float32(1.5), np.float64(0.1), struct]
    function = device.load(kernel(parameters, body)).function("k")
    device.launch(function, (1, 1, 1), (1, 1, 1), 0, arguments)
    found = words(6)
    device.copy_out(found, address)
    assert found[:4].tolist() == [0x3FC00000, 1, 3, 0xFFFE]
    assert found[4:].view(np.float64) == 0.1


def test_the_place_of_a_thread_in_the_grid() -> None:
    body = """
    .reg .b64 %d<9>; .reg .b32 %r<32>;
    mov.u32 %r1, %tid.x; mov.u32 %r2, %tid.y; mov.u32 %r3, %tid.z;
    mov.u32 %r4, %ntid.x; mov.u32 %r5, %ntid.y; mov.u32 %r6, %ntid.z;
    mov.u32 %r7, %ctaid.x; mov.u32 %r8, %ctaid.y; mov.u32 %r9, %ctaid.z;
    mov.u32 %r10, %nctaid.x; mov.u32 %r11, %nctaid.y;
    mad.lo.u32 %r20, %r9, %r11, %r8;
    mad.lo.u32 %r20, %r20, %r10, %r7;
    mad.lo.u32 %r20, %r20, %r6, %r3;
    mad.lo.u32 %r20, %r20, %r5, %r2;
    mad.lo.u32 %r20, %r20, %r4, %r1;
    ld.param.u64 %d1, [out];
    mad.wide.u32 %d1, %r20, 4, %d1;
    st.global.u32 [%d1], %r20;"""
    device = EmulatedDevice()
    count = 2 * 3 * 2 * 4 * 2 * 3
    address = device.allocate(4 * count)
    function = device.load(kernel(".param .u64 out", body)).function("k")
    device.launch(function, (2, 3, 2), (4, 2, 3), 0, [address])
    found = words(count)
    device.copy_out(found, address)
    assert found.tolist() == list(range(count))


def test_variables_keep_their_values_from_launch_to_launch() -> None:
    body = """
    .reg .b64 %d<9>; .reg .b32 %r<9>;
    ld.global.u32 %r1, [count];
    add.u32 %r1, %r1, 1;
    st.global.u32 [count], %r1;
    ld.param.u64 %d1, [out];
    st.global.u32 [%d1], %r1;"""
    device = EmulatedDevice()
    ptx = kernel(".param .u64 out", body, top=".global .align 4 .u32 count = 5;")
    function = device.load(ptx).function("k")
    address = device.allocate(4)
    for _ in range(3):
        device.launch(function, (1, 1, 1), (1, 1, 1), 0, [address])
    found = words(1)
    device.copy_out(found, address)
    assert found[0] == 8


SHARED = ".shared .align 4 .b8 tile[49152];\n.extern .shared .align 16 .b8 more[];"


@pytest.mark.parametrize(
    ("parameters", "bounds", "grid", "block", "arguments", "said"),
    [
        ("", "", (1, 1, 1), (1025, 1, 1), [], "k takes at most 1024 threads, not 1025"),
        ("", ".maxntid 64, 1, 1", (1, 1, 1), (65, 1, 1), [], "at most 64 threads, not 65"),
        ("", ".reqntid 64", (1, 1, 1), (32, 1, 1), [], "takes blocks of (64,), not (32, 1, 1)"),
        ("", "", (0, 1, 1), (1, 1, 1), [], "cannot be launched on a grid (0, 1, 1)"),
        ("", "", (1, 1 << 16, 1), (1, 1, 1), [], "cannot be launched on a grid (1, 65536, 1)"),
        (".param .u32 n", "", (1, 1, 1), (1, 1, 1), [], "k takes 1 arguments, not 0"),
        (".param .u32 n", "", (1, 1, 1), (1, 1, 1), [7], "n has 4 bytes, the argument 8"),
    ],
)
def test_launches_that_are_refused(parameters, bounds, grid, block, arguments, said) -> None:
    device = EmulatedDevice()
    function = device.load(kernel(parameters, bounds=bounds)).function("k")
    with pytest.raises(LaunchError) as error:
        device.launch(function, grid, block, 0, arguments)
    assert said in str(error.value)


def test_more_shared_memory_than_there_is() -> None:
    device = EmulatedDevice()
    body = ".reg .b32 %r<2>;\nst.shared.u32 [tile], 0;\nst.shared.u32 [more], 0;"
    module = device.load(kernel("", body, top=SHARED))
    device.launch(module.function("k"), (1, 1, 1), (1, 1, 1), 183_296, [])
    with pytest.raises(LaunchError, match="k takes 233472 bytes of shared memory; sm_90 has 23244"):
        device.launch(module.function("k"), (1, 1, 1), (1, 1, 1), 184_320, [])


def test_shared_memory_of_other_kernels_does_not_count() -> None:
    device = EmulatedDevice()
    module = device.load(kernel("", "", top=SHARED.replace("49152", "999999")))
    device.launch(module.function("k"), (1, 1, 1), (1, 1, 1), 0, [])


def test_dynamic_memory_has_the_size_of_the_launch() -> None:
    top = ".extern .shared .align 16 .b8 more[];"
    body = "mov.u64 %d1, more;\nmad.lo.u64 %d1, %i, 4, %d1;\nst.shared.u32 [%d1], %t;"
    run(body, top=top, dynamic=128)
    with pytest.raises(AccessError, match="byte 124 of more, which is outside: it has 124 bytes"):
        run(body, top=top, dynamic=124)


def test_shared_memory_is_new_for_every_block() -> None:
    body = """
    mov.u32 %r1, %ctaid.x;
    setp.eq.u32 %p1, %r1, 0;
    @%p1 st.shared.u32 [tile], 1;
    @!%p1 ld.shared.u32 %r2, [tile];"""
    with pytest.raises(AccessError, match=r"of block \(1, 0, 0\) .* was never written"):
        run(body, threads=1, blocks=2, top=".shared .align 4 .b8 tile[4];")


def test_kernels_that_are_not_there() -> None:
    device = EmulatedDevice()
    with pytest.raises(LaunchError, match="the module has no kernel other"):
        device.load(STORE).function("other")


def test_buffers_that_are_too_small() -> None:
    device = EmulatedDevice()
    address = device.allocate(4, "x")
    with pytest.raises(LaunchError, match="x has 4 bytes, not 8"):
        device.copy_in(address, words(2))
