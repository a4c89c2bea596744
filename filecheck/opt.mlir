// RUN: stepwell-opt %s -p simplify,form-kernels --print-ir-after-all --verify-each 2>&1 | filecheck %s
// RUN: stepwell-opt %s -p "builtin.module(simplify,form-kernels)" --print-ir-after-all 2>&1 | filecheck %s

// The text after every pass, the last of which is the output; and each is verified. Passes are given
// by themselves, or as MLIR prints them, as those of a module.
nd.func @f(%x: tensor<4xf32>) {
  %y = nd.neg %x : tensor<4xf32>
  %z = nd.neg %x : tensor<4xf32>
  %s = nd.add %y, %z : tensor<4xf32>
  nd.return %s : tensor<4xf32>
}
// CHECK:       // ----- after simplify -----
// CHECK:         nd.add %y, %y
// CHECK:       // ----- after form-kernels -----
// CHECK:         nd.kernel
// CHECK:       builtin.module {
// CHECK:         nd.kernel
