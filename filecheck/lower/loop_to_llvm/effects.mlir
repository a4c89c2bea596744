// RUN: stepwell-opt %s -p loop-to-llvm | filecheck %s

// A function that may fail answers 1 if it did, having said why in the context.
loop.func @check(%x: !loop.buffer<[1] x i1>) -> () {
  %zero = loop.index 0
  %c = loop.load %x[%zero] : !loop.buffer<[1] x i1> to i1
  loop.assert %c site <7>
}
// CHECK:       llvm.func internal @check([[ctx:%\d+]]: !llvm.ptr, %{{\d+}}: !llvm.ptr {llvm.noalias}) -> i32 {
// CHECK:         [[one:%\d+]] = llvm.mlir.constant(1 : i32) : i32
// CHECK:         [[failed:%\d+]] = llvm.xor
// CHECK-NEXT:    llvm.cond_br [[failed]], ^bb2, ^bb3
// CHECK-NEXT:  ^bb2:
// CHECK-NEXT:    [[word:%\d+]] = llvm.getelementptr [[ctx]][6] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK-NEXT:    llvm.store %{{\d+}}, [[word]]
// CHECK-NEXT:    [[word:%\d+]] = llvm.getelementptr [[ctx]][7] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK-NEXT:    llvm.store %{{\d+}}, [[word]]
// CHECK-NEXT:    llvm.return [[one]] : i32

// So does whoever launched it; the host gets the sizes that the entry point was called with.
loop.func @run<N: 0>(%x: !loop.buffer<[1] x i1>) -> (%y: !loop.buffer<[N] x f32>) {
  loop.launch @check <> (%x) : !loop.buffer<[1] x i1>
  loop.host site <3> (%y) : !loop.buffer<[N] x f32>
}
// CHECK:       llvm.func internal @run.body([[ctx:%\d+]]: !llvm.ptr, [[sizes:%\d+]]: !llvm.ptr, [[x:%\d+]]: !llvm.ptr {llvm.noalias}, [[y:%\d+]]: !llvm.ptr {llvm.noalias}, %{{\d+}}: i64) -> i32 {
// CHECK:         [[places:%\d+]] = llvm.alloca
// CHECK:         [[status:%\d+]] = llvm.call @check([[ctx]], [[x]]) : (!llvm.ptr, !llvm.ptr) -> i32
// CHECK-NEXT:    [[failed:%\d+]] = llvm.icmp "ne" [[status]], %{{\d+}} : i32
// CHECK-NEXT:    llvm.cond_br [[failed]], ^bb2, ^bb3
// CHECK:         llvm.store [[y]], %{{\d+}} {alignment = 8 : i64} : !llvm.ptr, !llvm.ptr
// CHECK:         [[host:%\d+]] = llvm.load %{{\d+}} {alignment = 8 : i64} : !llvm.ptr -> !llvm.ptr
// CHECK-NEXT:    llvm.call [[host]]([[ctx]], %{{\d+}}, [[places]], [[sizes]])
