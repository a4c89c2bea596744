// RUN: stepwell-opt %s -p 'choose-plans{machine=sm_80},expand-plans,onto-grids,grids-to-llvm{machine=sm_80}' -t ptx | filecheck %s

// Vectors of sixteen bytes, each operation rounded, nothing joined that was not, and no memory of a
// thread's own. What nobody writes comes by the way of constants, `.nc`. The rows of x are as aligned as vectors are, those of z are not.
loop.kernel @add(%x: !loop.buffer<[512, 64] x f32>, %z: !loop.buffer<[512, 65] x f32>) -> (%y: !loop.buffer<[512, 64] x f32>) {
  loop.nest [%i : 512, %j : 64] {
    %v = loop.read %x[%i, %j] : f32
    %w = loop.read %z[%i, %j] : f32
    %p = arith.mulf %v, %w : f32
    %s = arith.addf %p, %v : f32
    %q = arith.divf %s, %v : f32
    %r = math.sqrt %q : f32
    loop.write %r, %y[%i, %j] : f32
  }
}
loop.func @main(%x: !loop.buffer<[512, 64] x f32>, %z: !loop.buffer<[512, 65] x f32>) -> (%y: !loop.buffer<[512, 64] x f32>) {
  loop.launch @add <> (%x, %z, %y) : !loop.buffer<[512, 64] x f32>, !loop.buffer<[512, 65] x f32>, !loop.buffer<[512, 64] x f32>
}

// CHECK:       .version 7.0
// CHECK:       .target sm_80
// CHECK:       .visible .entry add_0(
// CHECK:       .reqntid 64, 1, 1
// CHECK-NEXT:  .minnctapersm 1
// CHECK-NOT:     .local
// CHECK-NOT:     {{ld|st}}.global.b32
// CHECK:         ld.global.nc.v4.b32
// CHECK-COUNT-4: ld.global.nc.b32
// CHECK:         mul.rn.f32
// CHECK:         add.rn.f32
// CHECK:         div.rn.f32
// CHECK:         sqrt.rn.f32
// CHECK-NOT:     st.global.b32
// CHECK:         st.global.v4.b32
