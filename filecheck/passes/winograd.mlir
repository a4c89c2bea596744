// RUN: stepwell-opt %s -p winograd | filecheck %s

// Tiles of 6 by 6 elements, of which each has 4 by 4 of its own: 36 products instead of 144.
nd.func @fast(%x: tensor<1x14x14x64xf32>) attributes {numerics = "fast"} {
  %w = nd.weight <"aa"> "f32" <[3, 3, 64, 64]> : tensor<3x3x64x64xf32>
  %y = nd.convolution %x, %w stride <[1, 1]> low <[1, 1]> high <[1, 1]> dilation <[1, 1]> groups <1> : tensor<1x14x14x64xf32>, tensor<3x3x64x64xf32> -> tensor<1x14x14x64xf32>
  nd.return %y : tensor<1x14x14x64xf32>
}
// CHECK-LABEL: nd.func @fast
// CHECK:         nd.pad %x with %{{.*}} low <[0, 1, 1, 0]> high <[0, 5, 5, 0]>
// The matrix by the rows of each tile, then by its columns.
// CHECK:         nd.concatenate {{.*}} -> tensor<1x4x6x1280xf32>
// CHECK:         nd.dot {{.*}} tensor<6x6xf32>, tensor<1x4x6x1280xf32> -> tensor<6x1x4x1280xf32>
// CHECK:         nd.concatenate {{.*}} -> tensor<24x4x6x64xf32>
// CHECK:         nd.dot {{.*}} tensor<6x6xf32>, tensor<24x4x6x64xf32> -> tensor<6x24x4x64xf32>
// What becomes of a kernel that is a weight is computed when the program is compiled.
// CHECK:         nd.weight <"aa" winograd [4]> "f32" <[36, 64, 64]>
// CHECK:         nd.dot {{.*}} tensor<36x16x64xf32>, tensor<36x64x64xf32> -> tensor<36x16x64xf32>
// And back.
// CHECK:         nd.dot {{.*}} -> tensor<4x6144xf32>
// CHECK:         nd.dot {{.*}} -> tensor<4x4x1024xf32>
// CHECK:         nd.slice {{.*}} -> tensor<1x14x14x64xf32>
// CHECK:         nd.return

// Without the attribute the order of sums is that of the convolution.
nd.func @strict(%x: tensor<1x8x8x16xf32>, %w: tensor<3x3x16x32xf32>) {
  %y = nd.convolution %x, %w stride <[1, 1]> low <[1, 1]> high <[1, 1]> dilation <[1, 1]> groups <1> : tensor<1x8x8x16xf32>, tensor<3x3x16x32xf32> -> tensor<1x8x8x32xf32>
  nd.return %y : tensor<1x8x8x32xf32>
}
// CHECK-LABEL: nd.func @strict
// CHECK-NEXT:    nd.convolution

// Steps of 2 leave no sums that neighbours share.
nd.func @apart(%x: tensor<1x8x8x16xf32>, %w: tensor<3x3x16x32xf32>) attributes {numerics = "fast"} {
  %y = nd.convolution %x, %w stride <[2, 2]> low <[1, 1]> high <[1, 1]> dilation <[1, 1]> groups <1> : tensor<1x8x8x16xf32>, tensor<3x3x16x32xf32> -> tensor<1x4x4x32xf32>
  nd.return %y : tensor<1x4x4x32xf32>
}
// CHECK-LABEL: nd.func @apart
// CHECK-NEXT:    nd.convolution

// Two rows and columns are one tile of 2 by 2, with 16 products. Those of 4 by 4 would take 36.
nd.func @small(%x: tensor<64x2x2x64xf32>) attributes {numerics = "fast"} {
  %w = nd.weight <"bb"> "f32" <[3, 3, 64, 64]> : tensor<3x3x64x64xf32>
  %y = nd.convolution %x, %w stride <[1, 1]> low <[1, 1]> high <[1, 1]> dilation <[1, 1]> groups <1> : tensor<64x2x2x64xf32>, tensor<3x3x64x64xf32> -> tensor<64x2x2x64xf32>
  nd.return %y : tensor<64x2x2x64xf32>
}
// CHECK-LABEL: nd.func @small
// CHECK:         nd.weight <"bb" winograd [2]> "f32" <[16, 64, 64]>
