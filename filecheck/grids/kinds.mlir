// RUN: stepwell-opt %s -p 'choose-plans{machine=sm_80},expand-plans,onto-grids,grids-to-llvm{machine=sm_80}' -t ptx | filecheck %s

// The PTX of the kinds of kernels that are loops of a thread: sorts, scans and what goes on until a
// condition fails. None has memory of a thread's own.

// A thread counts the keys before its own, and then moves it. A key is compared as an integer.
loop.kernel @sorted(%x: !loop.buffer<[8, 100] x f32>) -> (%y: !loop.buffer<[8, 100] x f32>) {
  loop.sort %x to %y axis <1> : !loop.buffer<[8, 100] x f32> to !loop.buffer<[8, 100] x f32>
}

// A chain of sums along each row.
loop.kernel @sums(%x: !loop.buffer<[64, 100] x f32>) -> (%y: !loop.buffer<[64, 100] x f32>) {
  loop.nest [%i : 64] {
    loop.scan [%k : 100] {
      %v = loop.read %x[%i, %k] : f32
      %s = loop.prefix add %v : f32
      loop.write %s, %y[%i, %k] : f32
    }
  }
}

// Each element is halved until it is less than one.
loop.kernel @halved(%x: !loop.buffer<[64] x f32>) -> (%y: !loop.buffer<[64] x f32>) {
  loop.nest [%i : 64] {
    %v = loop.read %x[%i] : f32
    %half = arith.constant 0.5 : f32
    %one = arith.constant 1.0 : f32
    %r = loop.while carry(%a = %v : f32) {
      %c = loop.compare ge %a, %one : f32
      loop.condition %c
    } do {
    ^bb0(%d: f32):
      %b = arith.mulf %d, %half : f32
      loop.yield %b : f32
    }
    loop.write %r, %y[%i] : f32
  }
}
loop.func @main(%x: !loop.buffer<[8, 100] x f32>, %s: !loop.buffer<[64, 100] x f32>, %h: !loop.buffer<[64] x f32>) -> (%y: !loop.buffer<[8, 100] x f32>, %t: !loop.buffer<[64, 100] x f32>, %r: !loop.buffer<[64] x f32>) {
  loop.launch @sorted <> (%x, %y) : !loop.buffer<[8, 100] x f32>, !loop.buffer<[8, 100] x f32>
  loop.launch @sums <> (%s, %t) : !loop.buffer<[64, 100] x f32>, !loop.buffer<[64, 100] x f32>
  loop.launch @halved <> (%h, %r) : !loop.buffer<[64] x f32>, !loop.buffer<[64] x f32>
}

// CHECK-NOT:     .local
// CHECK:       .entry sorted_0(
// CHECK:         ld.global.nc.b32
// CHECK:         setp.{{[a-z]+}}.{{[us]}}32
// CHECK:         bra
// CHECK:         st.global.b32

// CHECK:       .entry sums_1(
// CHECK:         [[loop:\$L\w+]]:
// CHECK:         ld.global.nc.b32
// CHECK:         add.rn.f32
// CHECK:         st.global.b32
// CHECK:         bra{{.*}}[[loop]];

// CHECK:       .entry halved_2(
// CHECK:         ld.global.nc.v4.b32
// CHECK:         [[loop:\$L\w+]]:
// CHECK-COUNT-4: setp.ge.f32
// CHECK:         bra
// CHECK-COUNT-4: mul.rn.f32
// CHECK-COUNT-4: selp.f32
// CHECK:         bra{{.*}}[[loop]];
// CHECK:         st.global
// CHECK-NOT:     .local
