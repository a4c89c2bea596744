// RUN: STEPWELL_ROUNDTRIP
// RUN: STEPWELL_GENERIC_ROUNDTRIP

// One of each family; those with a flag, and reductions of integers, have only the generic form in
// MLIR.

%v, %n, %i, %x = "test.op"() : () -> (vector<8xf32>, vector<8xi32>, i32, f32)
// CHECK: %v, %n, %i, %x = "test.op"()

%0 = llvm.intr.roundeven(%v) : (vector<8xf32>) -> vector<8xf32>
// CHECK-NEXT: llvm.intr.roundeven(%v) : (vector<8xf32>) -> vector<8xf32>
%1 = llvm.intr.maximum(%x, %x) {fastmathFlags = #llvm.fastmath<nsz>} : (f32, f32) -> f32
// CHECK-NEXT: llvm.intr.maximum(%x, %x) {fastmathFlags = #llvm.fastmath<nsz>} : (f32, f32) -> f32
%2 = llvm.intr.ctpop(%i) : (i32) -> i32
// CHECK-NEXT: llvm.intr.ctpop(%i) : (i32) -> i32
%3 = "llvm.intr.ctlz"(%i) <{is_zero_poison = false}> : (i32) -> i32
// CHECK-NEXT: "llvm.intr.ctlz"(%i) <{is_zero_poison = false}> : (i32) -> i32
%4 = llvm.intr.smin(%n, %n) : (vector<8xi32>, vector<8xi32>) -> vector<8xi32>
// CHECK-NEXT: llvm.intr.smin(%n, %n) : (vector<8xi32>, vector<8xi32>) -> vector<8xi32>
%5 = llvm.intr.fshl(%i, %i, %i) : (i32, i32, i32) -> i32
// CHECK-NEXT: llvm.intr.fshl(%i, %i, %i) : (i32, i32, i32) -> i32
%6 = llvm.intr.fptosi.sat(%v) : (vector<8xf32>) -> vector<8xi32>
// CHECK-NEXT: llvm.intr.fptosi.sat(%v) : (vector<8xf32>) -> vector<8xi32>
%7 = "llvm.intr.vector.reduce.add"(%n) : (vector<8xi32>) -> i32
// CHECK-NEXT: "llvm.intr.vector.reduce.add"(%n) : (vector<8xi32>) -> i32
