// RUN: stepwell-opt %s -t llvm | filecheck %s

llvm.mlir.global internal constant @table(dense<[1.0, 2.0]> : tensor<2xf32>) {addr_space = 0 : i32, alignment = 64 : i64} : !llvm.array<2 x f32>
// CHECK: @table = internal dso_local constant [2 x float] [float 0x3FF0000000000000, float 0x4000000000000000], align 64
llvm.mlir.global external @counter(0 : i64) {addr_space = 1 : i32} : i64
// CHECK-NEXT: @counter = dso_local addrspace(1) global i64 0

llvm.func internal @plain(%p: !llvm.ptr {llvm.noalias, llvm.nocapture}, %q: !llvm.ptr<3>, %i: i64) attributes {no_inline, passthrough = ["noredzone", ["prefer-vector-width", "512"]]} {
  %t = llvm.mlir.addressof @table : !llvm.ptr
  %0 = llvm.getelementptr %t[%i, 1] : (!llvm.ptr, i64) -> !llvm.ptr, !llvm.array<2 x f32>
  %1 = llvm.load %0 {alignment = 4 : i64} : !llvm.ptr -> vector<8xf32>
  llvm.store %1, %q {alignment = 4 : i64} : vector<8xf32>, !llvm.ptr<3>
  llvm.store %1, %p {alignment = 32 : i64, nontemporal} : vector<8xf32>, !llvm.ptr
  %2 = llvm.load %p atomic acquire {alignment = 8 : i64} : !llvm.ptr -> i64
  %3 = llvm.atomicrmw _and %p, %2 acq_rel : !llvm.ptr, i64
  %4 = llvm.cmpxchg %p, %2, %3 seq_cst monotonic {alignment = 8 : i64} : !llvm.ptr, i64
  %5 = llvm.extractvalue %4[1] : !llvm.struct<(i64, i1)>
  llvm.fence release
  "llvm.intr.prefetch"(%p) <{rw = 1 : i32, hint = 2 : i32, cache = 1 : i32}> : (!llvm.ptr) -> ()
  llvm.return
}
// CHECK:      define internal dso_local void @plain(ptr noalias captures(none) %p.0, ptr addrspace(3) %q.1, i64 %i.2) nounwind "no-builtins" "reciprocal-estimates"="none" noinline noredzone "prefer-vector-width"="512" {
// CHECK-NEXT: bb0:
// CHECK-NEXT:   %4 = getelementptr [2 x float], ptr @table, i64 %i.2, i32 1
// CHECK-NEXT:   %5 = load <8 x float>, ptr %4, align 4
// CHECK-NEXT:   store <8 x float> %5, ptr addrspace(3) %q.1, align 4
// CHECK-NEXT:   store <8 x float> %5, ptr %p.0, align 32, !nontemporal !0
// CHECK-NEXT:   %6 = load atomic i64, ptr %p.0 acquire, align 8
// CHECK-NEXT:   %7 = atomicrmw and ptr %p.0, i64 %6 acq_rel
// CHECK-NEXT:   %8 = cmpxchg ptr %p.0, i64 %6, i64 %7 seq_cst monotonic, align 8
// CHECK-NEXT:   %9 = extractvalue { i64, i1 } %8, 1
// CHECK-NEXT:   fence release
// CHECK-NEXT:   call void @llvm.prefetch(ptr %p.0, i32 1, i32 2, i32 1)
// CHECK-NEXT:   ret void

llvm.func @masked(%p: !llvm.ptr, %ps: vector<4x!llvm.ptr>, %m: vector<4xi1>, %v: vector<4xf32>) {
  %0 = llvm.intr.masked.load %p, %m, %v {alignment = 4 : i32} : (!llvm.ptr, vector<4xi1>, vector<4xf32>) -> vector<4xf32>
  %1 = llvm.intr.masked.gather %ps, %m {alignment = 4 : i32} : (vector<4x!llvm.ptr>, vector<4xi1>) -> vector<4xf32>
  llvm.intr.masked.store %0, %p, %m {alignment = 4 : i32} : vector<4xf32>, vector<4xi1> into !llvm.ptr
  llvm.intr.masked.scatter %1, %ps, %m {alignment = 4 : i32} : vector<4xf32>, vector<4xi1> into vector<4x!llvm.ptr>
  llvm.return
}
// CHECK:   {{%\d+}} = call <4 x float> @llvm.masked.load(ptr align 4 %p.{{\d+}}, <4 x i1> %m.{{\d+}}, <4 x float> %v.{{\d+}})
// CHECK-NEXT:   {{%\d+}} = call <4 x float> @llvm.masked.gather(<4 x ptr> align 4 %ps.{{\d+}}, <4 x i1> %m.{{\d+}}, <4 x float> poison)
// CHECK-NEXT:   call void @llvm.masked.store(<4 x float> {{%\d+}}, ptr align 4 %p.{{\d+}}, <4 x i1> %m.{{\d+}})
// CHECK-NEXT:   call void @llvm.masked.scatter(<4 x float> {{%\d+}}, <4 x ptr> align 4 %ps.{{\d+}}, <4 x i1> %m.{{\d+}})
// CHECK: !0 = !{i32 1}
