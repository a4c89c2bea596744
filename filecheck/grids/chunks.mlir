// RUN: stepwell-opt %s -p 'choose-plans{machine=sm_80},expand-plans' | filecheck %s
// RUN: stepwell-opt %s -p 'choose-plans{machine=sm_80},expand-plans,onto-grids,grids-to-llvm{machine=sm_80}' -t ptx | filecheck %s --check-prefix PTX

// 200 whole chunks of 4096 positions and a part of one: 16 threads for each chunk. Then a thread adds
// 192 results in a step, while it waits for others, and the last few, which are loaded together.
loop.kernel @sum(%x: !loop.buffer<[819300] x f32>) -> (%y: !loop.buffer<[] x f32>) {
  loop.nest [] {
    %s = loop.fold add <lanes, 4096> [%k : 819300] {
      %v = loop.read %x[%k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %s, %y[] : f32
  }
}

// CHECK-LABEL: loop.kernel @sum
// CHECK-SAME:    x i8>) plan <chunks, bytes = 16>
// CHECK:         [[results:%\d+]] = loop.view {{.*}} to !loop.buffer<[1, 204] x f32>
// CHECK:         arith.constant 3200 : index
// CHECK:         loop.parallel
// CHECK:           nvg.exchange
// CHECK:           loop.store {{.*}}, [[results]]
// CHECK:         arith.constant 16 : index
// CHECK:         loop.parallel
// CHECK:           nvg.exchange
// CHECK:           loop.store {{.*}}, [[results]]
// CHECK:         arith.constant 1 : index
// CHECK:         loop.parallel
// CHECK-COUNT-24:  loop.load [[results]]{{.*}} to vector<4xf32>
// CHECK:           nvg.sync group <1>
// CHECK-COUNT-9:   loop.load [[results]]{{.*}} to f32
// CHECK:           loop.store {{.*}}, %y

// A thread waits for itself, which is one instruction: what it loads before it, stays there.
// PTX:           .entry sum_0(
// PTX:           ld.global.nc.v4.b32
// PTX-COUNT-16:  shfl.sync.bfly.b32
// PTX:           st.global.b32
// PTX:           .entry sum_1(
// PTX-COUNT-16:  shfl.sync.bfly.b32
// PTX:           .entry sum_2(
// PTX-NOT:       .local
// PTX-COUNT-48:  ld.global.nc.v4.b32
// PTX:           mov.u32 [[lane:%r\d+]], %laneid;
// PTX:           shl.b32 [[own:%r\d+]], {{%r\d+}}, [[lane]];
// PTX-NEXT:      bar.warp.sync [[own]];
// PTX-COUNT-96:  add.rn.f32
// PTX:           bar.warp.sync [[own]];
// PTX:           .entry greatest_

// How long it is decides whether there are chunks: the host asks.
loop.kernel @greatest<N: 0>(%x: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[] x f32>) {
  loop.nest [] {
    %s = loop.fold max <any> [%k : N] {
      %v = loop.read %x[%k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %s, %y[] : f32
  }
}

// CHECK-LABEL: loop.kernel @greatest
// CHECK:         loop.index floordiv(N + 16383, 16384)
// CHECK:         [[long:%\d+]] = loop.compare gt
// CHECK:         [[pays:%\d+]] = arith.andi {{.*}}, [[long]] : i1
// CHECK-NEXT:    loop.if [[pays]] {
// CHECK:           [[threads:%\d+]] = loop.index 16*floordiv(N, 16384)
// CHECK:           loop.parallel {{.*}} to [[threads]]
// CHECK:         } else {
// CHECK:           loop.parallel {{.*}} attributes {narrow}
