// RUN: stepwell-opt %s -p "loop-to-llvm{machine=sapphirerapids}" | filecheck %s

// Registers of tiles are set up and given back around the product. Four tiles of sums are kept while two of rows and
// two of lanes come by, 64 bytes of each row at a time; at the end one tile of rows may be left.
loop.kernel @product(%x: !loop.buffer<[48, 128] x i8>, %w: !loop.buffer<[32, 32, 4] x i8>)
    -> (%y: !loop.buffer<[48, 32] x i32>) attributes {entry} {
  %at = loop.index 0
  %by = loop.index 128
  %rows = loop.index 48
  %words = loop.index 32
  loop.dot_tiles "tdpbsud" %x[%at] by %by, %w[%at] to %y[%at] rows %rows words %words : !loop.buffer<[48, 128] x i8>, !loop.buffer<[32, 32, 4] x i8> to !loop.buffer<[48, 32] x i32>
}

// CHECK:               llvm.call_intrinsic "llvm.x86.ldtilecfg"
// CHECK-COUNT-4:       llvm.call_intrinsic "llvm.x86.tilezero"
// CHECK-COUNT-3:       llvm.call_intrinsic "llvm.x86.tileloadd64"
// CHECK-COUNT-2:       llvm.call_intrinsic "llvm.x86.tdpbsud"
// CHECK-NEXT:          {{.*}}
// CHECK:               llvm.call_intrinsic "llvm.x86.tileloadd64"
// CHECK-COUNT-2:       llvm.call_intrinsic "llvm.x86.tdpbsud"
// CHECK-COUNT-4:       llvm.call_intrinsic "llvm.x86.tilestored64"
// CHECK-COUNT-2:       llvm.call_intrinsic "llvm.x86.tilezero"
// CHECK-COUNT-2:       llvm.call_intrinsic "llvm.x86.tdpbsud"
// CHECK-COUNT-2:       llvm.call_intrinsic "llvm.x86.tilestored64"
// CHECK:               llvm.call_intrinsic "llvm.x86.tilerelease"
