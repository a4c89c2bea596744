// RUN: stepwell-opt %s -p 'onto-grids,grids-to-llvm{machine=sm_80}' | filecheck %s

// What is said of a vector's place, in bytes, is true on every way to it. A loop that goes on by four
// from 2, or a choice of which one is 2, leads to multiples of 8; one that begins at 4 to those of 16.
loop.kernel @places(%x: !loop.buffer<[64] x f32>) -> (%y: !loop.buffer<[64] x f32>) {
  %one = loop.index 1
  loop.parallel %t to %one {
    %two = arith.constant 2 : index
    %four = arith.constant 4 : index
    %high = arith.constant 62 : index
    loop.for %i = %two to %high step 4 {
      %v = loop.load %x[%i] : !loop.buffer<[64] x f32> to vector<4xf32>
      loop.store %v, %y[%i] : vector<4xf32> to !loop.buffer<[64] x f32>
      loop.yield
    }
    %first = loop.compare eq %t, %two : index
    %at = loop.select %first, %four, %two : i1, index
    %w = loop.load %x[%at] : !loop.buffer<[64] x f32> to vector<4xf32>
    %u = arith.mulf %w, %w : vector<4xf32>
    loop.store %u, %y[%at] : vector<4xf32> to !loop.buffer<[64] x f32>
    loop.for %i = %four to %high step 4 {
      %v = loop.load %x[%i] : !loop.buffer<[64] x f32> to vector<4xf32>
      %s = arith.addf %v, %v : vector<4xf32>
      loop.store %s, %y[%i] : vector<4xf32> to !loop.buffer<[64] x f32>
      loop.yield
    }
  }
}
loop.func @main(%x: !loop.buffer<[64] x f32>) -> (%y: !loop.buffer<[64] x f32>) {
  loop.launch @places <> (%x, %y) : !loop.buffer<[64] x f32>, !loop.buffer<[64] x f32>
}

// CHECK:       llvm.func @places_0
// CHECK-COUNT-3: {alignment = 8 : i64} : {{.*}}vector<4xf32>
// CHECK:         llvm.fmul
// CHECK-NOT:     {{load|store}}{{.*}}alignment = 16
// CHECK:         llvm.store {{.*}} {alignment = 8 : i64}
// CHECK:         llvm.load {{.*}} {alignment = 16 : i64}
// CHECK:         llvm.store {{.*}} {alignment = 16 : i64}
