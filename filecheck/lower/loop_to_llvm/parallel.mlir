// RUN: stepwell-opt %s -p loop-to-llvm | filecheck %s

// The body of a parallel loop is a function of a range. What it takes from outside comes in slots:
// here a buffer, a number and a size, but no constant.
loop.kernel @scale<N: 0>(%s: !loop.buffer<[1] x f32>) -> (%y: !loop.buffer<[N, 2] x f32>) {
  %zero = loop.index 0
  %n = loop.index N
  %two = arith.constant 2.0 : f32
  %f = loop.load %s[%zero] : !loop.buffer<[1] x f32> to f32
  loop.parallel %i to %n {
    %g = arith.mulf %f, %two : f32
    %o = loop.index %i + N
    loop.store %g, %y[%o] : f32 to !loop.buffer<[N, 2] x f32>
  }
}
// CHECK:       llvm.func internal @scale([[ctx:%\d+]]: !llvm.ptr, [[s:%\d+]]: !llvm.ptr {llvm.noalias}, [[y:%\d+]]: !llvm.ptr {llvm.noalias}, [[N:%\d+]]: i64) {
// CHECK:         [[slots:%\d+]] = llvm.alloca %{{\d+}} x i64
// CHECK:         [[f:%\d+]] = llvm.load %{{\d+}} {alignment = 4 : i64} : !llvm.ptr -> f32
// CHECK-NEXT:    [[slot:%\d+]] = llvm.getelementptr [[slots]][0] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK-NEXT:    llvm.store [[f]], [[slot]] {alignment = 4 : i64} : f32, !llvm.ptr
// CHECK-NEXT:    [[slot:%\d+]] = llvm.getelementptr [[slots]][1] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK-NEXT:    llvm.store [[N]], [[slot]] {alignment = 8 : i64} : i64, !llvm.ptr
// CHECK-NEXT:    [[slot:%\d+]] = llvm.getelementptr [[slots]][2] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK-NEXT:    llvm.store [[y]], [[slot]] {alignment = 8 : i64} : !llvm.ptr, !llvm.ptr
// CHECK-NEXT:    [[word:%\d+]] = llvm.getelementptr [[ctx]][2] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK-NEXT:    [[for:%\d+]] = llvm.load [[word]] {alignment = 8 : i64} : !llvm.ptr -> !llvm.ptr
// CHECK-NEXT:    [[word:%\d+]] = llvm.getelementptr [[ctx]][3] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK-NEXT:    [[pool:%\d+]] = llvm.load [[word]] {alignment = 8 : i64} : !llvm.ptr -> !llvm.ptr
// CHECK-NEXT:    llvm.call [[for]]([[pool]], %{{\d+}}, [[slots]], [[N]])

// CHECK:       llvm.func internal @scale.task1([[slots:%\d+]]: !llvm.ptr {llvm.noalias, llvm.readonly}, [[begin:%\d+]]: i64, [[end:%\d+]]: i64) {
// CHECK:         [[slot:%\d+]] = llvm.getelementptr [[slots]][0] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK-NEXT:    [[f:%\d+]] = llvm.load [[slot]] {alignment = 4 : i64} : !llvm.ptr -> f32
// CHECK-NEXT:    llvm.mlir.constant(2.000000e+00 : f32) : f32
// CHECK:         llvm.icmp "slt" [[begin]], [[end]] : i64
// CHECK:         llvm.fmul [[f]], %{{\d+}} : f32

// The context is handed down to whoever needs it.
loop.func @run<N: 0>(%s: !loop.buffer<[1] x f32>) -> (%y: !loop.buffer<[N, 2] x f32>) {
  loop.launch @scale <N = N> (%s, %y) : !loop.buffer<[1] x f32>, !loop.buffer<[N, 2] x f32>
}
// CHECK:       llvm.func internal @run.body([[ctx:%\d+]]: !llvm.ptr,
// CHECK:         llvm.call @scale([[ctx]], %
// CHECK:       llvm.func @run([[ctx:%\d+]]: !llvm.ptr,
// CHECK:         llvm.call @run.body([[ctx]], %

// A body that takes whole ranges is a function without a loop around it.
loop.kernel @ranges(%x: !loop.buffer<[64] x f32>) -> (%y: !loop.buffer<[64] x f32>) {
  %n = loop.index 64
  loop.parallel %first, %behind to %n {
    %f = loop.load %x[%first] : !loop.buffer<[64] x f32> to f32
    loop.for %i = %first to %behind step 1 {
      loop.store %f, %y[%i] : f32 to !loop.buffer<[64] x f32>
      loop.yield
    }
  }
}
// CHECK:       llvm.func internal @ranges.task{{.*}}([[slots:%\d+]]: !llvm.ptr {llvm.noalias, llvm.readonly}, [[begin:%\d+]]: i64, [[end:%\d+]]: i64) {
// CHECK:         llvm.getelementptr %{{\d+}}[[[begin]]]
// CHECK-NEXT:    [[f:%\d+]] = llvm.load
// CHECK:         llvm.icmp "slt" {{.*}}[[end]]
// CHECK:         llvm.store [[f]]
