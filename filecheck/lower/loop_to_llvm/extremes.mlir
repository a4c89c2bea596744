// RUN: stepwell-opt %s -p "loop-to-llvm{machine=x86-64-v4}" | filecheck %s --check-prefixes=CHECK,V4
// RUN: stepwell-opt %s -p "loop-to-llvm{machine=x86-64-v3}" | filecheck %s --check-prefixes=CHECK,V3

// The greater of two numbers is one instruction, which knows 0 from -0; NaN takes two more. What is compared
// with a constant is left to LLVM.
loop.kernel @greater(%x: !loop.buffer<[16] x f32>) -> (%y: !loop.buffer<[16] x f32>) {
  %zero = loop.index 0
  %one = arith.constant 1.0 : f32
  %ones = loop.splat %one : f32 to vector<16xf32>
  %a = loop.load %x[%zero] : !loop.buffer<[16] x f32> to vector<16xf32>
  %b = loop.load %y[%zero] : !loop.buffer<[16] x f32> to vector<16xf32>
  %c = arith.maximumf %a, %b : vector<16xf32>
  %d = arith.minimumf %c, %ones : vector<16xf32>
  loop.store %d, %y[%zero] : vector<16xf32> to !loop.buffer<[16] x f32>
}
// CHECK-LABEL: llvm.func internal @greater(
// V4:            [[number:%\d+]] = llvm.call_intrinsic "llvm.x86.avx512.mask.range.ps.512"([[a:%\d+]], [[b:%\d+]],
// V4-NEXT:       [[none:%\d+]] = llvm.fcmp "uno" [[a]], [[b]]
// V4-NEXT:       llvm.select [[none]], %{{\d+}}, [[number]] :
// V3:            llvm.intr.maximum(
// CHECK:         llvm.intr.minimum(
// CHECK:         llvm.return
