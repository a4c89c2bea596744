// RUN: stepwell-opt %s -p choose-plans,expand-plans --split-input-file | filecheck %s

// Short rows are sorted by ranks. Keys become codes, unsigned integers of the same order; the rank of
// a code is how many come before it: of those behind it only smaller ones. Then everything moves there.
loop.kernel @short(%x: !loop.buffer<[3, 20] x f32>, %p: !loop.buffer<[3, 20] x i64>)
    -> (%y: !loop.buffer<[3, 20] x f32>, %q: !loop.buffer<[3, 20] x i64>) {
  loop.sort %x, %p to %y, %q axis <1>
      : !loop.buffer<[3, 20] x f32>, !loop.buffer<[3, 20] x i64>
      to !loop.buffer<[3, 20] x f32>, !loop.buffer<[3, 20] x i64>
}

// CHECK-LABEL: loop.kernel @short
// CHECK-SAME:    %q: !loop.buffer<[3, 20] x i64>) plan <sort, bytes = 64, short = 128, tasks = 1, chunk = 0>
// CHECK:         [[CODES:%\d+]] = loop.stack : !loop.buffer<[128] x i32>
// CHECK:         [[RANKS:%\d+]] = loop.stack : !loop.buffer<[128] x i32>
// CHECK:         loop.for
// CHECK:           loop.cast bitcast %{{.*}} : f32 to i32
// CHECK:           loop.store %{{.*}}, [[CODES]][{{.*}}] : i32
// CHECK:         loop.for %{{.*}} step 16 {
// CHECK:           loop.compare ule %{{.*}} : vector<16xi32>
// CHECK:           loop.compare eq %{{.*}} : vector<16xi32>
// CHECK:           loop.compare ult %{{.*}} : vector<16xi32>
// CHECK:           loop.compare ult %{{.*}} : vector<16xi32>
// CHECK:           loop.store %{{.*}}, [[RANKS]][{{.*}}] : vector<16xi32>
// CHECK:         loop.for
// CHECK:           loop.load [[RANKS]]
// CHECK:           loop.store %{{.*}}, %y
// CHECK:           loop.store %{{.*}}, %q

// -----

// Long rows are sorted by one byte of the codes after the other. Its values are counted, the counts
// become places, and keys go from one half of the workspace to the other; not where all bytes are
// equal. Many rows are shared as they are: each task has a part of the workspace.
loop.kernel @rows(%x: !loop.buffer<[512, 1000] x i32>) -> (%y: !loop.buffer<[512, 1000] x i32>) {
  loop.sort %x to %y axis <1> : !loop.buffer<[512, 1000] x i32> to !loop.buffer<[512, 1000] x i32>
}

// CHECK-LABEL: loop.kernel @rows
// CHECK-SAME:    [[ROOM:%\d+]]: !loop.buffer<[323584] x i8>) plan <sort, bytes = 64, short = 128, tasks = 32, chunk = 0>
// CHECK:         loop.parallel
// CHECK:           [[COUNTS:%\d+]] = loop.view [[ROOM]][{{.*}}] : {{.*}} to !loop.buffer<[256] x i64>
// CHECK:           loop.load %x
// CHECK:           loop.for %{{.*}} step 1 carry(
// CHECK:             arith.shrui
// CHECK:             arith.andi
// CHECK:             loop.store %{{.*}}, [[COUNTS]][{{.*}}] : i64
// CHECK:             loop.for %{{.*}} step 1 carry(
// CHECK:               loop.store %{{.*}}, [[COUNTS]][{{.*}}] : i64
// CHECK:             loop.if
// CHECK:             else
// CHECK:               arith.shrui
// CHECK:               loop.store %{{.*}}, [[COUNTS]][{{.*}}] : i64
// CHECK:               loop.store %{{.*}} : i32 to !loop.buffer<[1000] x i32>
// CHECK:           loop.store %{{.*}}, %y

// -----

// A single long row is shared in chunks, each with counts of its own. A place is behind all lower
// digits, and behind the same digit in the chunks before: so it does not depend on the threads.
loop.kernel @long(%x: !loop.buffer<[1000000] x f32>) -> (%y: !loop.buffer<[1000000] x f32>) {
  loop.sort %x to %y axis <0> : !loop.buffer<[1000000] x f32> to !loop.buffer<[1000000] x f32>
}

// CHECK-LABEL: loop.kernel @long
// CHECK-SAME:    chunk = 65536>
// CHECK:         to !loop.buffer<[4096] x i64>
// CHECK:         loop.parallel
// CHECK:           loop.load %x
// CHECK:         loop.for %{{.*}} step 1 carry(
// CHECK:           loop.parallel
// CHECK:           loop.if
// CHECK:           else
// CHECK:             loop.parallel
// CHECK:         loop.parallel
// CHECK:           loop.store %{{.*}}, %y
