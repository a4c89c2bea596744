// RUN: stepwell-opt %s -p "loop-to-llvm{machine=x86-64-v4}" | filecheck %s --check-prefixes=CHECK,V4
// RUN: stepwell-opt %s -p "loop-to-llvm{machine=x86-64-v3}" | filecheck %s --check-prefixes=CHECK,V3

// Where a processor scales by powers of two, it is one instruction for a whole vector.
loop.kernel @growth(%x: !loop.buffer<[16] x f32>) -> (%y: !loop.buffer<[16] x f32>) {
  %zero = loop.index 0
  %a = loop.load %x[%zero] : !loop.buffer<[16] x f32> to vector<16xf32>
  %b = math.exp %a : vector<16xf32>
  loop.store %b, %y[%zero] : vector<16xf32> to !loop.buffer<[16] x f32>
}
// CHECK-LABEL: llvm.func internal @growth(
// V4-NOT:        llvm.shl
// V4:            llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"(
// V4-NOT:        llvm.shl
// V3-NOT:        llvm.call_intrinsic
// V3-COUNT-2:    llvm.shl
// CHECK:         llvm.return
