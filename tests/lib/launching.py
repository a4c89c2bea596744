"""A program written by hand that launches one kernel: f(x) = 2 x + w, its host code and its PTX."""

from dataclasses import replace

from stepwell.runtime.devices.image import DeviceCode
from stepwell.runtime.manifest import Manifest
from stepwell.runtime.sizes import Size
from stepwell.runtime.system import architecture

HOST = """
@scale.takes = constant [2 x i64] [i64 3, i64 1]
define i32 @scale(ptr %ctx, ptr %args, ptr %sizes) nounwind {
entry:
  %n = alloca i64
  %params = alloca [4 x ptr]
  %b = load i64, ptr %sizes
  %count = mul i64 %b, 4
  store i64 %count, ptr %n
  %second = getelementptr ptr, ptr %args, i64 1
  %third = getelementptr ptr, ptr %args, i64 2
  store ptr %args, ptr %params
  %p1 = getelementptr ptr, ptr %params, i64 1
  store ptr %second, ptr %p1
  %p2 = getelementptr ptr, ptr %params, i64 2
  store ptr %third, ptr %p2
  %p3 = getelementptr ptr, ptr %params, i64 3
  store ptr %n, ptr %p3
  %some = icmp sgt i64 %count, 0
  br i1 %some, label %launch, label %good
launch:
  %lp = getelementptr ptr, ptr %ctx, i64 8
  %f = load ptr, ptr %lp
  %kp = getelementptr ptr, ptr %ctx, i64 9
  %table = load ptr, ptr %kp
  %kernel = load ptr, ptr %table
  %sp = getelementptr ptr, ptr %ctx, i64 10
  %stream = load ptr, ptr %sp
  %more = add i64 %count, 31
  %blocks = udiv i64 %more, 32
  %grid = trunc i64 %blocks to i32
  %failed = call i32 %f(ptr %kernel, i32 %grid, i32 1, i32 1, i32 32, i32 1, i32 1, i32 0,
                        ptr %stream, ptr %params, ptr null)
  %bad = icmp ne i32 %failed, 0
  br i1 %bad, label %fail, label %good
fail:
  %code = getelementptr i64, ptr %ctx, i64 6
  store i64 4, ptr %code
  %site = getelementptr i64, ptr %ctx, i64 7
  %status = zext i32 %failed to i64
  store i64 %status, ptr %site
  ret i32 1
good:
  ret i32 0
}
"""

PTX = """.version 8.0
.target sm_80
.address_size 64
.visible .entry scale(.param .u64 x, .param .u64 w, .param .u64 y, .param .u64 n)
{
.reg .pred %p<2>; .reg .b32 %r<6>; .reg .b64 %d<16>; .reg .f32 %f<4>;
mov.u32 %r1, %ctaid.x;
mov.u32 %r2, %ntid.x;
mov.u32 %r3, %tid.x;
mad.lo.s32 %r4, %r1, %r2, %r3;
cvt.u64.u32 %d1, %r4;
ld.param.u64 %d2, [n];
setp.ge.u64 %p1, %d1, %d2;
@%p1 bra DONE;
ld.param.u64 %d3, [x];
ld.param.u64 %d4, [w];
ld.param.u64 %d5, [y];
mad.lo.u64 %d6, %d1, 4, %d3;
and.b32 %r5, %r4, 3;
cvt.u64.u32 %d7, %r5;
mad.lo.u64 %d8, %d7, 4, %d4;
mad.lo.u64 %d9, %d1, 4, %d5;
ld.global.f32 %f1, [%d6];
ld.global.f32 %f2, [%d8];
fma.rn.f32 %f3, %f1, 0f40000000, %f2;
st.global.f32 [%d9], %f3;
DONE:
ret;
}
"""


def scale_on_device(make, name: str = "sm_80") -> tuple[Manifest, dict[str, bytes]]:
    """The model of `make.scale` with a second target, which is for devices."""
    manifest, members = make.scale()
    code, ptx = f"code/{name}.o", f"code/{name}.ptx"
    target = make.target(
        name,
        architecture="nvptx64",
        code=code,
        workspace={"scale": Size.parse("16*B")},
        device=DeviceCode(ptx, ("scale",), 0, architecture()),
    )
    members = {**members, code: make.object(HOST), ptx: PTX.encode()}
    return replace(manifest, targets=(target, *manifest.targets)), members
