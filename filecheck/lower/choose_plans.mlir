// RUN: stepwell-opt %s -p "choose-plans{machine=x86-64-v3}" --split-input-file --verify-diagnostics | filecheck %s --check-prefixes=CHECK,V3
// RUN: stepwell-opt %s -p "choose-plans{machine=x86-64-v4}" --split-input-file --verify-diagnostics | filecheck %s --check-prefixes=CHECK,V4
// RUN: stepwell-opt %s -p "choose-plans{machine=z80}" --split-input-file --verify-diagnostics | filecheck %s --check-prefix=Z80

// Each kernel gets the first strategy that fits, with parameters for the machine, here the bytes of its
// vectors. A product of two operands is for gemm. Its right operand lies across, so that it is packed
// first; the memory for that is the kernel's last argument, which the launch allocates.
loop.kernel @product<B: 0>(%x: !loop.buffer<[B, 64] x f32>, %w: !loop.buffer<[64, 64] x f32>) -> (%y: !loop.buffer<[B, 64] x f32>) {
  loop.nest [%m : B, %n : 64] {
    %s = loop.fold fma <serial, 1024> [%k : 64] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%n, %k] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}
loop.func @entry<N: 0>(%x: !loop.buffer<[2*N, 64] x f32>, %w: !loop.buffer<[64, 64] x f32>) -> (%y: !loop.buffer<[2*N, 64] x f32>) {
  loop.launch @product <B = 2*N> (%x, %w, %y) : !loop.buffer<[2*N, 64] x f32>, !loop.buffer<[64, 64] x f32>, !loop.buffer<[2*N, 64] x f32>
}
// CHECK:       loop.kernel @product<B: 0>(%x: !loop.buffer<[B, 64] x f32>, %w: !loop.buffer<[64, 64] x f32>) -> (%y: !loop.buffer<[B, 64] x f32>, %{{\d+}}: !loop.buffer<[{{.*}}B{{.*}}] x i8>) plan
// V3-SAME:       <gemm, bytes = 32,
// V4-SAME:       <gemm, bytes = 64,
// CHECK-SAME:    pack = [right], ahead = 0, share = 0, below = []>
// CHECK:       loop.func @entry<N: 0>
// CHECK-NEXT:    [[ROOM:%\d+]] = loop.alloc : !loop.buffer<[{{.*}}N{{.*}}] x i8>
// CHECK-NEXT:    loop.launch @product <B = 2*N>(%x, %w, %y, [[ROOM]])
// Z80:         SW0233: there is no machine z80

// -----

// Several nests over the same rows are for rows: a task takes some of them through all nests, and what
// lies between takes no memory that a caller would have to know of.
loop.kernel @shares<B: 0>(%x: !loop.buffer<[B, 128] x f32>) -> (%y: !loop.buffer<[B, 128] x f32>) {
  %sums = loop.local : !loop.buffer<[B] x f32>
  loop.nest [%m : B] {
    %s = loop.fold add <lanes, 4096> [%k : 128] {
      %u = loop.read %x[%m, %k] : f32
      loop.yield %u : f32
    } : f32
    loop.write %s, %sums[%m] : f32
  }
  loop.nest [%m : B, %n : 128] {
    %u = loop.read %x[%m, %n] : f32
    %s = loop.read %sums[%m] : f32
    %v = arith.divf %u, %s : f32
    loop.write %v, %y[%m, %n] : f32
  }
}
// CHECK:       loop.kernel @shares<B: 0>(%x: !loop.buffer<[B, 128] x f32>) -> (%y: !loop.buffer<[B, 128] x f32>) plan
// V3-SAME:       <rows, bytes = 32,
// V4-SAME:       <rows, bytes = 64,

// -----

// Columns are no rows: all of the first nest comes before the second one. That is map, which fits every
// kernel; what lies between is whole, in memory that the kernel is given.
loop.kernel @columns<B: 0>(%x: !loop.buffer<[B, 128] x f32>) -> (%y: !loop.buffer<[B, 128] x f32>) {
  %sums = loop.local : !loop.buffer<[128] x f32>
  loop.nest [%n : 128] {
    %s = loop.fold add <serial, 1024> [%k : B] {
      %u = loop.read %x[%k, %n] : f32
      loop.yield %u : f32
    } : f32
    loop.write %s, %sums[%n] : f32
  }
  loop.nest [%m : B, %n : 128] {
    %u = loop.read %x[%m, %n] : f32
    %s = loop.read %sums[%n] : f32
    %v = arith.divf %u, %s : f32
    loop.write %v, %y[%m, %n] : f32
  }
}
// CHECK:       loop.kernel @columns<B: 0>({{.*}}) -> (%y: !loop.buffer<[B, 128] x f32>, %{{\d+}}: !loop.buffer<[512] x i8>) plan
// V3-SAME:       <map, bytes = 32,
// V4-SAME:       <map, bytes = 64,

// -----

// A plan that is there is kept, so that one can be set by hand; what it does not say has its default.
// A kernel that runs element by element says which input its output may overwrite, here 0 and 2.
loop.kernel @by_hand<N: 0>(%x: !loop.buffer<[N] x f32>, %z: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[N] x f32>) plan <map, bytes = 16> {
  loop.nest [%i : N] {
    %u = loop.read %x[%i] : f32
    %v = loop.read %z[(-1) * %i + N - 1] : f32
    %w = arith.addf %u, %v : f32
    loop.write %w, %y[%i] : f32
  }
}
// CHECK:       loop.kernel @by_hand
// CHECK-SAME:    plan <map, bytes = 16> attributes {overwrites = #nd.ints<[0, 2]>}

// -----

// A plan by hand has to name a strategy, ...
loop.kernel @guessed(%x: !loop.buffer<[4] x f32>) -> (%y: !loop.buffer<[4] x f32>) plan <magic> {
  loop.nest [%i : 4] {
    %u = loop.read %x[%i] : f32
    loop.write %u, %y[%i] : f32
  }
}
// CHECK:       SW0230: there is no strategy magic

// -----

// ... its parameters ...
loop.kernel @misspelled(%x: !loop.buffer<[4] x f32>) -> (%y: !loop.buffer<[4] x f32>) plan <map, byte = 16> {
  loop.nest [%i : 4] {
    %u = loop.read %x[%i] : f32
    loop.write %u, %y[%i] : f32
  }
}
// CHECK:       SW0231: the strategy map has no parameter byte = 16

// -----

// ... and has to fit.
loop.kernel @unfit(%x: !loop.buffer<[4] x f32>) -> (%y: !loop.buffer<[4] x f32>) plan <gemm> {
  loop.nest [%i : 4] {
    %u = loop.read %x[%i] : f32
    loop.write %u, %y[%i] : f32
  }
}
// CHECK:       SW0232: the plan gemm does not fit the kernel unfit
