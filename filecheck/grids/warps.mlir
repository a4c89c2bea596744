// RUN: stepwell-opt %s -p 'choose-plans{machine=sm_80},expand-plans' | filecheck %s
// RUN: stepwell-opt %s -p 'choose-plans{machine=sm_80},expand-plans,onto-grids,grids-to-llvm{machine=sm_80}' -t ptx | filecheck %s --check-prefix PTX

// Sixteen threads for a row, each with four of the 64 accumulators; where a chunk is longer than is
// written out, a loop over 64 positions. Then halves: between threads, and in a thread's vector.
loop.kernel @sums<B: 1>(%x: !loop.buffer<[B, 4096] x f32>) -> (%y: !loop.buffer<[B] x f32>) {
  loop.nest [%i : B] {
    %s = loop.fold add <lanes, 4096> [%k : 4096] {
      %v = loop.read %x[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %s, %y[%i] : f32
  }
}

// CHECK-LABEL: loop.kernel @sums
// CHECK-SAME:    plan <warps, bytes = 16>
// CHECK:         loop.index 16*B
// CHECK:         loop.parallel [[number:%\d+]] to
// CHECK:           [[row:%\d+]] = arith.divui [[number]]
// CHECK:           [[lane:%\d+]] = arith.andi [[number]]
// CHECK:           [[sum:%\d+]] = loop.for {{.*}} step 64 carry
// CHECK:             loop.load %x[{{.*}} to vector<4xf32>
// CHECK:           [[other:%\d+]] = nvg.exchange [[sum]] distance <8> group <16> : vector<4xf32>
// CHECK-NEXT:      arith.addf [[sum]], [[other]]
// CHECK:           nvg.exchange {{.*}} distance <4>
// CHECK:           nvg.exchange {{.*}} distance <2>
// CHECK:           nvg.exchange {{.*}} distance <1>
// CHECK-NOT:       nvg.exchange
// CHECK:           loop.shuffle
// CHECK:           [[first:%\d+]] = loop.compare eq [[lane]]
// CHECK-NEXT:      loop.if [[first]] {
// CHECK-NEXT:        loop.store

// The bits of the sixteen threads among those of the warp.
// PTX:         mov.u32 [[lane:%r\d+]], %laneid;
// PTX:         and.b32 [[group:%r\d+]], [[lane]], 16;
// PTX:         shl.b32 [[members:%r\d+]], %r{{\d+}}, [[group]];
// PTX:         shfl.sync.bfly.b32 %r{{\d+}}, %r{{\d+}}, 8, 31, [[members]];
// PTX-NOT:     .local
