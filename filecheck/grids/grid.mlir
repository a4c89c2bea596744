// RUN: stepwell-opt %s -p 'choose-plans{machine=sm_80},expand-plans,onto-grids' | filecheck %s

// A thread for each vector of sixteen bytes: 64 of them in a block, so that there are many blocks.
loop.kernel @map(%x: !loop.buffer<[16384] x f32>) -> (%y: !loop.buffer<[16384] x f32>) {
  loop.nest [%i : 16384] {
    %v = loop.read %x[%i] : f32
    %w = arith.addf %v, %v : f32
    loop.write %w, %y[%i] : f32
  }
}

// CHECK-LABEL: loop.kernel @map
// CHECK-SAME:    plan <grid, bytes = 16, rows = 1>
// CHECK-DAG:     [[blocks:%\d+]] = arith.constant 64 : index
// CHECK-DAG:     [[one:%\d+]] = arith.constant 1 : index
// CHECK:         "gpu.launch"([[blocks]], [[one]], [[one]], {{%\d+}}, [[one]], [[one]])
// CHECK-NEXT:    ^bb0([[block:%\d+]]: index, %{{\d+}}: index, %{{\d+}}: index, [[thread:%\d+]]: index,
// CHECK-NEXT:      [[first:%\d+]] = loop.index (64) * [[block]]
// CHECK-NEXT:      [[number:%\d+]] = loop.index [[first]] + [[thread]]
// CHECK-NEXT:      [[inside:%\d+]] = loop.compare lt [[number]],
// CHECK-NEXT:      loop.if [[inside]] {
// CHECK:             [[place:%\d+]] = loop.index (4) * [[number]]
// CHECK:             loop.load %x[[[place]]] : !loop.buffer<[16384] x f32> to vector<4xf32>
// CHECK:             loop.store %{{\d+}}, %y[[[place]]] : vector<4xf32>
// CHECK-NOT:         loop.for
// CHECK:           "gpu.terminator"()

// The last vector of an unknown number of elements may lie outside in part, and of none there is no grid.
loop.kernel @cut<N: 0>(%x: !loop.buffer<[N] x f64>) -> (%y: !loop.buffer<[N] x f64>) {
  loop.nest [%i : N] {
    %v = loop.read %x[%i] : f64
    loop.write %v, %y[%i] : f64
  }
}

// CHECK-LABEL: loop.kernel @cut
// CHECK:         loop.compare gt
// CHECK:         loop.if
// CHECK:           arith.divui
// CHECK:           "gpu.launch"
// CHECK:             [[whole:%\d+]] = loop.compare le
// CHECK:             [[mask:%\d+]] = loop.mask
// CHECK:             loop.if [[whole]] {
// CHECK-NEXT:          [[v:%\d+]] = loop.load %x[%{{\d+}}] : !loop.buffer<[N] x f64> to vector<2xf64>
// CHECK-NEXT:          loop.store [[v]],
// CHECK:             } else {
// CHECK:               loop.load %x[%{{\d+}}] where [[mask]]

// Of a short row every thread finds the place of one element.
loop.kernel @sorted(%x: !loop.buffer<[8, 100] x f32>) -> (%y: !loop.buffer<[8, 100] x f32>) {
  loop.sort %x to %y axis <1> : !loop.buffer<[8, 100] x f32> to !loop.buffer<[8, 100] x f32>
}

// CHECK-LABEL: loop.kernel @sorted
// CHECK-SAME:    plan <grid_sort, bytes = 16, short = 2048>
// CHECK:         "gpu.launch"
// CHECK:           loop.for
// CHECK:             loop.compare ule
// CHECK:           loop.for
// CHECK:             loop.compare ult
// CHECK-COUNT-1:   loop.store
