// RUN: STEPWELL_ROUNDTRIP
// RUN: STEPWELL_GENERIC_ROUNDTRIP

// What xDSL lacks, or takes for scalars only, prints and parses as in MLIR.

%v, %m, %n, %i, %x, %q = "test.op"() : () -> (vector<8xf32>, vector<8xi1>, vector<8xi32>, i32, f32, !llvm.ptr<3>)
// CHECK: %v, %m, %n, %i, %x, %q = "test.op"()

%0 = llvm.extractelement %v[%i : i32] : vector<8xf32>
// CHECK-NEXT: llvm.extractelement %v[%i : i32] : vector<8xf32>
%1 = llvm.select %m, %v, %v : vector<8xi1>, vector<8xf32>
// CHECK-NEXT: llvm.select %m, %v, %v : vector<8xi1>, vector<8xf32>
%2 = llvm.fcmp "olt" %v, %v : vector<8xf32>
// CHECK-NEXT: llvm.fcmp "olt" %v, %v : vector<8xf32>
%3 = llvm.fcmp "une" %x, %x {fastmathFlags = #llvm.fastmath<ninf>} : f32
// CHECK-NEXT: llvm.fcmp "une" %x, %x {fastmathFlags = #llvm.fastmath<ninf>} : f32
%4 = llvm.uitofp nneg %n : vector<8xi32> to vector<8xf64>
// CHECK-NEXT: llvm.uitofp nneg %n : vector<8xi32> to vector<8xf64>
%5 = llvm.addrspacecast %q : !llvm.ptr<3> to !llvm.ptr
// CHECK-NEXT: llvm.addrspacecast %q : !llvm.ptr<3> to !llvm.ptr
%6 = llvm.mlir.poison : vector<8xf32>
// CHECK-NEXT: llvm.mlir.poison : vector<8xf32>
