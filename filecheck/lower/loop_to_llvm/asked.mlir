// RUN: stepwell-opt %s -p "loop-to-llvm{machine=x86-64-v4}" | filecheck %s --check-prefixes=CHECK,FIRST
// RUN: stepwell-opt %s -p "loop-to-llvm{machine=znver4}" | filecheck %s --check-prefixes=CHECK,SECOND

// A line is asked for into the first cache; one of rows that lie apart into the second, for a core that
// by itself fills the first one with what follows along them.
loop.kernel @asks(%x: !loop.buffer<[64] x f32>) -> (%y: !loop.buffer<[64] x f32>) {
  %i = loop.index 3
  loop.prefetch %x[%i] : !loop.buffer<[64] x f32>
  loop.prefetch %y[%i] apart : !loop.buffer<[64] x f32>
}
// CHECK-LABEL: llvm.func internal @asks
// CHECK:       "llvm.intr.prefetch"{{.*}}hint = 3 : i32
// FIRST:       "llvm.intr.prefetch"{{.*}}hint = 3 : i32
// SECOND:      "llvm.intr.prefetch"{{.*}}hint = 2 : i32
