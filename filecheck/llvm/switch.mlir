// RUN: STEPWELL_ROUNDTRIP
// RUN: STEPWELL_GENERIC_ROUNDTRIP

llvm.func @choose(%i: i32, %x: f32) -> f32 {
  llvm.switch %i : i32, ^bb1(%x : f32) [
    0: ^bb2,
    -1: ^bb1(%x : f32)
  ]
^bb1(%y: f32):
  llvm.return %y : f32
^bb2:
  llvm.switch %i : i32, ^bb1(%x : f32) []
}
// CHECK:      llvm.func @choose(%i: i32, %x: f32) -> f32 {
// CHECK-NEXT:   llvm.switch %i : i32, ^bb1(%x : f32) [
// CHECK-NEXT:     0: ^bb2,
// CHECK-NEXT:     -1: ^bb1(%x : f32)
// CHECK-NEXT:   ]
// CHECK-NEXT: ^bb1(%y: f32):
// CHECK-NEXT:   llvm.return %y : f32
// CHECK-NEXT: ^bb2:
// CHECK-NEXT:   llvm.switch %i : i32, ^bb1(%x : f32) []
