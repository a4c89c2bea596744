// RUN: STEPWELL_ROUNDTRIP
// RUN: STEPWELL_GENERIC_ROUNDTRIP

// What a program for a GPU takes from upstream's dialect: grids, barriers, and the module of kernels.
loop.kernel @grid<B: 1>(%x: !loop.buffer<[B] x f32>) -> () {
  %b = loop.index B
  %one = loop.index 1
  %t = loop.index 32
  "gpu.launch"(%b, %one, %one, %t, %one, %one) <{operandSegmentSizes = array<i32: 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0>}> ({
  ^bb0(%bx: index, %by: index, %bz: index, %tx: index, %ty: index, %tz: index, %gx: index, %gy: index, %gz: index, %sx: index, %sy: index, %sz: index):
    %v = loop.load %x[%bx] : !loop.buffer<[B] x f32> to f32
    "gpu.barrier"() : () -> ()
    loop.store %v, %x[%tx] : f32 to !loop.buffer<[B] x f32>
    "gpu.terminator"() : () -> ()
  }) {narrow} : (index, index, index, index, index, index) -> ()
}
// CHECK:       "gpu.launch"(%b, %one, %one, %t, %one, %one)
// CHECK:         "gpu.barrier"() : () -> ()
// CHECK:         "gpu.terminator"() : () -> ()
// CHECK-NEXT:  }) {narrow} : (index, index, index, index, index, index) -> ()

"gpu.module"() <{sym_name = "device"}> ({
  llvm.func @grid_0(%0: !llvm.ptr) attributes {nvvm.kernel} {
    llvm.return
  }
}) : () -> ()
// CHECK:       "gpu.module"() <{sym_name = "device"}> ({
// CHECK-NEXT:    llvm.func @grid_0(%{{\d+}}: !llvm.ptr) attributes {nvvm.kernel} {
