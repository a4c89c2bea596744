// RUN: stepwell-opt %s -t llvm | filecheck %s

llvm.func @integers(%x: i32, %v: vector<4xi32>) -> i32 {
  %c = llvm.mlir.constant(7 : i32) : i32
  %0 = llvm.add %x, %c overflow<nsw> : i32
  %1 = llvm.shl %0, %c overflow<nsw, nuw> : i32
  %2 = llvm.sdiv exact %1, %c : i32
  %3 = llvm.or disjoint %2, %x : i32
  %4 = llvm.intr.fshl(%3, %3, %c) : (i32, i32, i32) -> i32
  %5 = "llvm.intr.ctlz"(%4) <{is_zero_poison = true}> : (i32) -> i32
  %6 = llvm.icmp "ult" %5, %c : i32
  %7 = "llvm.intr.vector.reduce.add"(%v) : (vector<4xi32>) -> i32
  %8 = llvm.select %6, %7, %5 : i1, i32
  llvm.return %8 : i32
}
// CHECK:      define dso_local i32 @integers(i32 %x.0, <4 x i32> %v.1) nounwind "no-builtins" "reciprocal-estimates"="none" {
// CHECK-NEXT: bb0:
// CHECK-NEXT:   %3 = add nsw i32 %x.0, 7
// CHECK-NEXT:   %4 = shl nuw nsw i32 %3, 7
// CHECK-NEXT:   %5 = sdiv exact i32 %4, 7
// CHECK-NEXT:   %6 = or disjoint i32 %5, %x.0
// CHECK-NEXT:   %7 = call i32 @llvm.fshl(i32 %6, i32 %6, i32 7)
// CHECK-NEXT:   %8 = call i32 @llvm.ctlz(i32 %7, i1 true)
// CHECK-NEXT:   %9 = icmp ult i32 %8, 7
// CHECK-NEXT:   %10 = call i32 @llvm.vector.reduce.add(<4 x i32> %v.1)
// CHECK-NEXT:   %11 = select i1 %9, i32 %10, i32 %8
// CHECK-NEXT:   ret i32 %11
// CHECK-NEXT: }

llvm.func @floats(%x: f32, %v: vector<4xf32>, %h: bf16) -> f32 {
  %c = llvm.mlir.constant(1.0e-01 : f32) : f32
  %d = llvm.mlir.constant(dense<[1.0, -0.0, 2.0, 3.0]> : vector<4xf32>) : vector<4xf32>
  %e = llvm.mlir.constant(dense<5.0e-01> : vector<4xf32>) : vector<4xf32>
  %n = llvm.mlir.constant(1.5 : bf16) : bf16
  %0 = llvm.fadd %x, %c {fastmathFlags = #llvm.fastmath<nnan,contract>} : f32
  %1 = llvm.fmul %v, %d {fastmathFlags = #llvm.fastmath<fast>} : vector<4xf32>
  %2 = llvm.intr.fma(%1, %e, %v) {fastmathFlags = #llvm.fastmath<nsz>} : (vector<4xf32>, vector<4xf32>, vector<4xf32>) -> vector<4xf32>
  %3 = "llvm.intr.vector.reduce.fadd"(%0, %2) <{fastmathFlags = #llvm.fastmath<none>}> : (f32, vector<4xf32>) -> f32
  %4 = llvm.fneg %3 : f32
  %5 = llvm.fcmp "uno" %4, %x {fastmathFlags = #llvm.fastmath<ninf>} : f32
  %6 = llvm.select %5, %n, %h : i1, bf16
  %7 = llvm.bitcast %6 : bf16 to i16
  %8 = llvm.uitofp %7 : i16 to f32
  llvm.return %8 : f32
}
// CHECK:      define dso_local float @floats(float %x.{{.*}}, <4 x float> %v.{{.*}}, bfloat %h.{{.*}}) nounwind "no-builtins" "reciprocal-estimates"="none" {
// CHECK-NEXT: bb0:
// CHECK-NEXT:   [[a:%\d+]] = fadd nnan contract float %x.0, 0x3FB99999A0000000
// CHECK-NEXT:   [[b:%\d+]] = fmul fast <4 x float> %v.1, <float 0x3FF0000000000000, float 0x8000000000000000, float 0x4000000000000000, float 0x4008000000000000>
// CHECK-NEXT:   [[c:%\d+]] = call nsz <4 x float> @llvm.fma(<4 x float> [[b]], <4 x float> splat (float 0x3FE0000000000000), <4 x float> %v.1)
// CHECK-NEXT:   [[d:%\d+]] = call float @llvm.vector.reduce.fadd(float [[a]], <4 x float> [[c]])
// CHECK-NEXT:   [[e:%\d+]] = fneg float [[d]]
// CHECK-NEXT:   [[f:%\d+]] = fcmp ninf uno float [[e]], %x.0
// CHECK-NEXT:   [[g:%\d+]] = select i1 [[f]], bfloat 0xR3FC0, bfloat %h.2
// CHECK-NEXT:   [[h:%\d+]] = bitcast bfloat [[g]] to i16
// CHECK-NEXT:   [[i:%\d+]] = uitofp i16 [[h]] to float
// CHECK-NEXT:   ret float [[i]]
