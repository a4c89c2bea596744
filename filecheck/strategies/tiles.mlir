// RUN: stepwell-opt %s -p "choose-plans{machine=x86-64-v4}" | filecheck %s --check-prefixes=CHECK,V4
// RUN: stepwell-opt %s -p "choose-plans{machine=znver4}" | filecheck %s --check-prefixes=CHECK,ZEN4

// Rows of 4 KiB: whatever a tile reads at one position of k has one place in the first cache, which holds
// eight such lines. So a tile has no more rows than that.
loop.kernel @whole_pages(%x: !loop.buffer<[196, 1024] x f32>, %w: !loop.buffer<[8, 1024, 32] x f32>) -> (%y: !loop.buffer<[196, 8, 32] x f32>) {
  loop.nest [%m : 196, %p : 8, %n : 32] {
    %s = loop.fold fma <serial, 1024> [%k : 1024] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%p, %k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %p, %n] : f32
  }
}
// CHECK:       loop.kernel @whole_pages
// V4-SAME:       plan <gemm, bytes = 64, mr = 7, nv = 2,
// ZEN4-SAME:     plan <gemm, bytes = 64, mr = 8, nv = 2,

// Rows of a line more lie in as many places.
loop.kernel @a_line_more(%x: !loop.buffer<[196, 1040] x f32>, %w: !loop.buffer<[8, 1024, 32] x f32>) -> (%y: !loop.buffer<[196, 8, 32] x f32>) {
  loop.nest [%m : 196, %p : 8, %n : 32] {
    %s = loop.fold fma <serial, 1024> [%k : 1024] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%p, %k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %p, %n] : f32
  }
}
// CHECK:       loop.kernel @a_line_more
// CHECK-SAME:    plan <gemm, bytes = 64, mr = 14, nv = 2,

// At the ends of a row of an image a tile keeps sums that the padding has no part in, which takes as long
// as three channels do. Where one multiply-add begins in a cycle, lower tiles are as fast otherwise.
loop.kernel @window(%x: !loop.buffer<[112, 3] x f32>, %w: !loop.buffer<[2, 7, 3, 32] x f32>) -> (%y: !loop.buffer<[112, 2, 32] x f32>) {
  loop.nest [%m : 112, %p : 2, %n : 32] {
    %s = loop.fold fma <serial> [%d : 7, %k : 3] {
      %low = arith.constant 0 : index
      %high = loop.index 112
      %at = loop.index %m + %d + -3
      %a = loop.compare ge %at, %low : index
      %b = loop.compare lt %at, %high : index
      %c = arith.andi %a, %b : i1
      %u = loop.read %x[%m + %d + -3, %k] where %c : f32
      %v = loop.read %w[%p, %d, %k, %n] where %c : f32
      %zero = arith.constant 0.0 : f32
      %nothing = arith.constant -0.0 : f32
      %f = loop.select %c, %u, %zero : i1, f32
      %g = loop.select %c, %v, %nothing : i1, f32
      loop.yield %f, %g : f32, f32
    } : f32
    loop.write %s, %y[%m, %p, %n] : f32
  }
}
// CHECK:       loop.kernel @window
// V4-SAME:       plan <gemm, bytes = 64, mr = 14, nv = 2,
// ZEN4-SAME:     plan <gemm, bytes = 64, mr = 8, nv = 2,
