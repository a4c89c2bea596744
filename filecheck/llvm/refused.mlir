// RUN: stepwell-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

// A mask selects between vectors of as many lanes.
%m, %v = "test.op"() : () -> (vector<4xi1>, vector<8xf32>)
%0 = llvm.select %m, %v, %v : vector<4xi1>, vector<8xf32>
// CHECK: vector<4xi1> does not select between lanes of vector<8xf32>

// -----

// The result of a comparison has a bit for each lane.
%v = "test.op"() : () -> vector<8xf32>
%0 = "llvm.fcmp"(%v, %v) <{predicate = 4 : i64, fastmathFlags = #llvm.fastmath<none>}> : (vector<8xf32>, vector<8xf32>) -> i1
// CHECK: expected vector<8xi1>, one bit per compared lane, but got i1

// -----

// An exchange gives the old value and whether it took place.
%p, %i = "test.op"() : () -> (!llvm.ptr, i64)
%0 = "llvm.cmpxchg"(%p, %i, %i) <{success_ordering = 7 : i64, failure_ordering = 2 : i64}> : (!llvm.ptr, i64, i64) -> i64
// CHECK: expected !llvm.struct<(i64, i1)>, the old value and an i1, but got i64

// -----

%p, %i = "test.op"() : () -> (!llvm.ptr, i64)
%0 = llvm.atomicrmw plus %p, %i seq_cst : !llvm.ptr, i64
// CHECK: expected one of xchg, add, sub

// -----

%i = "test.op"() : () -> i64
%0 = llvm.intr.maximum(%i, %i) : (i64, i64) -> i64
// CHECK: Unexpected attribute i64
