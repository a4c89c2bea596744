// RUN: stepwell-opt %s -p loop-to-llvm | filecheck %s

// An entry point says how many buffers and sizes it takes.
// CHECK:       llvm.mlir.global external constant @run.takes(dense<2> : vector<2xi64>)

// A kernel is an internal function of its buffers and of its symbols.
loop.kernel @fill<M: 0>() -> (%y: !loop.buffer<[M, 4] x f32>) {
  %zero = loop.index 0
  %n = loop.index 4*M
  %v = arith.constant 1.5 : f32
  loop.for %i = %zero to %n step 1 {
    loop.store %v, %y[%i] : f32 to !loop.buffer<[M, 4] x f32>
    loop.yield
  }
}
// CHECK:       llvm.func internal @fill(%0: !llvm.ptr {llvm.noalias}, %1: i64) {
// CHECK:         [[n:%\d+]] = llvm.mul %1, %{{\d+}} : i64
// CHECK-NEXT:    llvm.br ^bb1
// CHECK:         [[more:%\d+]] = llvm.icmp "slt" %{{\d+}}, [[n]] : i64
// CHECK-NEXT:    llvm.cond_br [[more]], ^bb2(%{{\d+}} : i64), ^bb3
// CHECK-NEXT:  ^bb2([[i:%\d+]]: i64):
// CHECK-NEXT:    [[place:%\d+]] = llvm.getelementptr %0[[[i]]] : (!llvm.ptr, i64) -> !llvm.ptr, f32
// CHECK-NEXT:    llvm.store %{{\d+}}, [[place]] {alignment = 4 : i64} : f32, !llvm.ptr

// A function is one too, and leads to the functions that it launches.
loop.func @run<N: 1, K: 1>(%x: !loop.buffer<[K] x f32>)
    -> (%y: !loop.buffer<[2*N, 4] x f32>, %w: !loop.buffer<[64*N] x i8>) attributes {workspace} {
  loop.launch @fill <M = 2*N> (%y) : !loop.buffer<[2*N, 4] x f32>
}
// CHECK:       llvm.func internal @run.body(%{{\d+}}: !llvm.ptr {llvm.noalias}, [[y:%\d+]]: !llvm.ptr {llvm.noalias}, %{{\d+}}: !llvm.ptr {llvm.noalias}, [[N:%\d+]]: i64, %{{\d+}}: i64) {
// CHECK:         [[m:%\d+]] = llvm.mul [[N]], %{{\d+}} : i64
// CHECK:         llvm.call @fill([[y]], [[m]]) : (!llvm.ptr, i64) -> ()
// CHECK-NEXT:    llvm.return

// What nothing launches is an entry point: it takes its buffers and sizes from arrays, and its
// workspace from the context.
// CHECK:       llvm.func @run([[ctx:%\d+]]: !llvm.ptr, [[args:%\d+]]: !llvm.ptr, [[sizes:%\d+]]: !llvm.ptr) -> i32 {
// CHECK:         [[p:%\d+]] = llvm.getelementptr [[args]][0] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK-NEXT:    [[x:%\d+]] = llvm.load [[p]] {alignment = 8 : i64} : !llvm.ptr -> !llvm.ptr
// CHECK-NEXT:    [[p:%\d+]] = llvm.getelementptr [[args]][1] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK-NEXT:    [[y:%\d+]] = llvm.load [[p]] {alignment = 8 : i64} : !llvm.ptr -> !llvm.ptr
// CHECK-NEXT:    [[p:%\d+]] = llvm.getelementptr [[ctx]][1] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK-NEXT:    [[w:%\d+]] = llvm.load [[p]] {alignment = 8 : i64} : !llvm.ptr -> !llvm.ptr
// CHECK-NEXT:    [[p:%\d+]] = llvm.getelementptr [[sizes]][0] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK-NEXT:    [[N:%\d+]] = llvm.load [[p]] {alignment = 8 : i64} : !llvm.ptr -> i64
// CHECK-NEXT:    [[p:%\d+]] = llvm.getelementptr [[sizes]][1] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK-NEXT:    [[K:%\d+]] = llvm.load [[p]] {alignment = 8 : i64} : !llvm.ptr -> i64
// CHECK-NEXT:    llvm.call @run.body([[x]], [[y]], [[w]], [[N]], [[K]]) : (!llvm.ptr, !llvm.ptr, !llvm.ptr, i64, i64) -> ()
// CHECK-NEXT:    llvm.return %{{\d+}} : i32
