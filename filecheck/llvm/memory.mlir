// RUN: STEPWELL_ROUNDTRIP
// RUN: STEPWELL_GENERIC_ROUNDTRIP

%p, %ps, %v, %m, %n, %i = "test.op"() : () -> (!llvm.ptr, vector<8x!llvm.ptr>, vector<8xf32>, vector<8xi1>, vector<8xi32>, i32)
// CHECK: %p, %ps, %v, %m, %n, %i = "test.op"()

// Plain accesses are aligned as their type is, unless they say otherwise.
%0 = llvm.load %p : !llvm.ptr -> i32
// CHECK-NEXT: llvm.load %p : !llvm.ptr -> i32
%1 = llvm.load %p {alignment = 4 : i64} : !llvm.ptr -> vector<8xf32>
// CHECK-NEXT: llvm.load %p {alignment = 4 : i64} : !llvm.ptr -> vector<8xf32>
%2 = llvm.load %p atomic acquire {alignment = 4 : i64} : !llvm.ptr -> i32
// CHECK-NEXT: llvm.load %p atomic acquire {alignment = 4 : i64} : !llvm.ptr -> i32
llvm.store %0, %p atomic release {alignment = 4 : i64} : i32, !llvm.ptr
// CHECK-NEXT: llvm.store %{{.*}}, %p atomic release {alignment = 4 : i64} : i32, !llvm.ptr

%3 = llvm.getelementptr %p[%i, 3] : (!llvm.ptr, i32) -> !llvm.ptr, !llvm.array<4 x f32>
// CHECK-NEXT: llvm.getelementptr %p[%i, 3] : (!llvm.ptr, i32) -> !llvm.ptr, !llvm.array<4 x f32>
%4 = llvm.getelementptr %p[%n] : (!llvm.ptr, vector<8xi32>) -> vector<8x!llvm.ptr>, f32
// CHECK-NEXT: llvm.getelementptr %p[%n] : (!llvm.ptr, vector<8xi32>) -> vector<8x!llvm.ptr>, f32

%5 = llvm.atomicrmw _and %p, %i acq_rel {alignment = 4 : i64} : !llvm.ptr, i32
// CHECK-NEXT: llvm.atomicrmw _and %p, %i acq_rel {alignment = 4 : i64} : !llvm.ptr, i32
%6 = llvm.cmpxchg %p, %i, %i acq_rel monotonic : !llvm.ptr, i32
// CHECK-NEXT: llvm.cmpxchg %p, %i, %i acq_rel monotonic : !llvm.ptr, i32
llvm.store %v, %p {alignment = 32 : i64, nontemporal} : vector<8xf32>, !llvm.ptr
// CHECK-NEXT: llvm.store %v, %p {alignment = 32 : i64, nontemporal} : vector<8xf32>, !llvm.ptr
llvm.fence seq_cst
// CHECK-NEXT: llvm.fence seq_cst

%7 = llvm.intr.masked.load %p, %m, %v {alignment = 4 : i32} : (!llvm.ptr, vector<8xi1>, vector<8xf32>) -> vector<8xf32>
// CHECK-NEXT: llvm.intr.masked.load %p, %m, %v {alignment = 4 : i32} : (!llvm.ptr, vector<8xi1>, vector<8xf32>) -> vector<8xf32>
llvm.intr.masked.store %n, %p, %m {alignment = 4 : i32} : vector<8xi32>, vector<8xi1> into !llvm.ptr
// CHECK-NEXT: llvm.intr.masked.store %n, %p, %m {alignment = 4 : i32} : vector<8xi32>, vector<8xi1> into !llvm.ptr
%8 = llvm.intr.masked.gather %ps, %m {alignment = 4 : i32} : (vector<8x!llvm.ptr>, vector<8xi1>) -> vector<8xf32>
// CHECK-NEXT: llvm.intr.masked.gather %ps, %m {alignment = 4 : i32} : (vector<8x!llvm.ptr>, vector<8xi1>) -> vector<8xf32>
llvm.intr.masked.scatter %v, %ps, %m {alignment = 4 : i32} : vector<8xf32>, vector<8xi1> into vector<8x!llvm.ptr>
// CHECK-NEXT: llvm.intr.masked.scatter %v, %ps, %m {alignment = 4 : i32} : vector<8xf32>, vector<8xi1> into vector<8x!llvm.ptr>
"llvm.intr.prefetch"(%p) <{rw = 0 : i32, hint = 3 : i32, cache = 1 : i32}> : (!llvm.ptr) -> ()
// CHECK-NEXT: "llvm.intr.prefetch"(%p) <{rw = 0 : i32, hint = 3 : i32, cache = 1 : i32}> : (!llvm.ptr) -> ()
