// RUN: stepwell-opt %s -p 'choose-plans{machine=sm_80},expand-plans' | filecheck %s
// RUN: stepwell-opt %s -p 'choose-plans{machine=sm_80},expand-plans,onto-grids' | filecheck %s --check-prefix GRIDS
// RUN: stepwell-opt %s -p 'choose-plans{machine=sm_80},expand-plans,onto-grids,grids-to-llvm{machine=sm_80}' -t ptx | filecheck %s --check-prefix PTX

// Rows of a length that is known at the call: if it is one of whole vectors, and all indices fit in 32
// bits, memory is read and written sixteen bytes at a time.
loop.kernel @add<B: 1, N: 1>(%x: !loop.buffer<[B, N] x f32>, %b: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[B, N] x f32>) {
  loop.nest [%i : B, %j : N] {
    %v = loop.read %x[%i, %j] : f32
    %w = loop.read %b[%j] : f32
    %s = arith.addf %v, %w : f32
    loop.write %s, %y[%i, %j] : f32
  }
}
loop.func @main<B: 1, N: 1>(%x: !loop.buffer<[B, N] x f32>, %b: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[B, N] x f32>) {
  loop.launch @add <B = B, N = N> (%x, %b, %y) : !loop.buffer<[B, N] x f32>, !loop.buffer<[N] x f32>, !loop.buffer<[B, N] x f32>
}

// CHECK-LABEL: loop.kernel @add
// CHECK:         [[elements:%\d+]] = loop.index B*N
// CHECK-NEXT:    [[room:%\d+]] = arith.constant 1073741824 : index
// CHECK-NEXT:    [[small:%\d+]] = loop.compare ult [[elements]], [[room]] : index
// CHECK-NEXT:    loop.if [[small]] {
// CHECK:           [[rest:%\d+]] = loop.index mod(N, 4)
// CHECK-NEXT:      [[whole:%\d+]] = loop.compare eq [[rest]],
// CHECK-NEXT:      loop.if [[whole]] {
// CHECK:             loop.index floordiv(N, 4)
// CHECK:             loop.parallel {{.*}} attributes {narrow} {
// CHECK-NOT:           loop.mask
// CHECK:               loop.load %x[{{.*}} to vector<4xf32>
// CHECK:           } else {
// CHECK:             loop.parallel {{.*}} attributes {narrow} {
// CHECK:               loop.mask
// CHECK:         } else {
// CHECK-NOT:       narrow
// CHECK:           loop.parallel
// CHECK:             loop.mask

// GRIDS:         "gpu.launch"
// GRIDS:         {narrow} : (
// GRIDS:         "gpu.launch"
// GRIDS:         {narrow} : (
// GRIDS:         "gpu.launch"
// GRIDS-NOT:     narrow

// PTX:           .entry add_0(
// PTX-NOT:       {{(div|rem|mul\.lo)\.[us]64}}
// PTX-NOT:       .global{{(.nc)?}}.b32
// PTX-COUNT-2:   ld.global.nc.v4.b32
// PTX:           st.global.v4.b32
// PTX:           .entry add_1(
// PTX-NOT:       {{(div|rem|mul\.lo)\.[us]64}}
// PTX:           ld.global.nc.b32
// PTX:           .entry add_2(
// PTX:           div.u64
