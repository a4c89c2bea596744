// RUN: stepwell-opt %s -p onto-grids | filecheck %s

// What a program does to memory by itself one thread of the GPU does; a whole buffer is copied by the
// driver, and what decides the program's way is read by the host.
loop.func @add(%x: !loop.buffer<[8] x f32>, %at: !loop.buffer<[1] x i64>, %more: !loop.buffer<[1] x i1>) -> (%y: !loop.buffer<[8] x f32>) {
  loop.copy %x, %y : !loop.buffer<[8] x f32> to !loop.buffer<[8] x f32>
  %zero = loop.index 0
  %n = loop.load %at[%zero] : !loop.buffer<[1] x i64> to i64
  %i = loop.cast index %n : i64 to index
  %v = loop.load %y[%i] : !loop.buffer<[8] x f32> to f32
  %w = arith.addf %v, %v : f32
  loop.store %w, %y[%i] : f32 to !loop.buffer<[8] x f32>
  %c = loop.load %more[%zero] : !loop.buffer<[1] x i1> to i1
  loop.assert %c site <0>
}

// CHECK-LABEL: loop.func @add
// CHECK-NEXT:    loop.copy %x, %y
// CHECK-NEXT:    [[zero:%\w+]] = loop.index 0
// CHECK-NEXT:    [[one:%\d+]] = arith.constant 1 : index
// CHECK-NEXT:    "gpu.launch"([[one]], [[one]], [[one]], [[one]], [[one]], [[one]])
// CHECK:           loop.load %at[[[zero]]]
// CHECK:           loop.load %y
// CHECK:           loop.store
// CHECK-NEXT:      "gpu.terminator"
// CHECK:         %c = loop.load %more[[[zero]]]
// CHECK-NEXT:    loop.assert %c site <0>

// A loop around launches and copies is the host's; a parallel loop inside of it is a grid each time.
loop.func @steps<N: 0>(%x: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[N] x f32>) {
  %zero = loop.index 0
  %n = loop.index N
  loop.for %t = %zero to %n step 1 {
    loop.parallel %i to %n {
      %v = loop.load %x[%t] : !loop.buffer<[N] x f32> to f32
      loop.store %v, %y[%i] : f32 to !loop.buffer<[N] x f32>
    }
    loop.yield
  }
}

// CHECK-LABEL: loop.func @steps
// CHECK:         loop.for [[t:%\w+]] =
// CHECK:           "gpu.launch"
// CHECK:             loop.compare lt
// CHECK-NEXT:        loop.if
// CHECK-NEXT:          loop.load %x[[[t]]]
// CHECK:           loop.yield
