// RUN: stepwell-opt %s -p pack-weights,simplify | filecheck %s

// The right operand of a product becomes panels of 32 lanes, in which the sum is walked in a row. What
// the program sees is the matrix again.
nd.func @dense(%x: tensor<8x5xf32>) {
  %w = nd.weight <"aa"> "f32" <[5, 64]> : tensor<5x64xf32>
  %y = nd.dot %x, %w batch <0> over <[1]>, <[0]> : tensor<8x5xf32>, tensor<5x64xf32> -> tensor<8x64xf32>
  nd.return %y : tensor<8x64xf32>
}
// CHECK-LABEL: nd.func @dense
// CHECK-NEXT:    %w = nd.weight <"aa" reshape [5, 2, 32] transpose [1, 0, 2]> "f32" <[2, 5, 32]> : tensor<2x5x32xf32>
// CHECK-NEXT:    [[T:%\d+]] = nd.transpose %w axes <[1, 0, 2]>
// CHECK-NEXT:    [[M:%\d+]] = nd.reshape [[T]] to <[5, 64]>
// CHECK-NEXT:    nd.dot %x, [[M]] batch <0> over <[1]>, <[0]>
// CHECK-NEXT:    nd.return

// Movement on the way is carried out, too. A sum of doubles has half as many lanes.
nd.func @turned(%x: tensor<8x5xf64>) {
  %w = nd.weight <"bb"> "f64" <[32, 5]> : tensor<32x5xf64>
  %t = nd.transpose %w axes <[1, 0]> : tensor<32x5xf64> -> tensor<5x32xf64>
  %y = nd.dot %x, %t batch <0> over <[1]>, <[0]> : tensor<8x5xf64>, tensor<5x32xf64> -> tensor<8x32xf64>
  nd.return %y : tensor<8x32xf64>
}
// CHECK-LABEL: nd.func @turned
// CHECK-NEXT:    nd.weight <"bb" transpose [1, 0] reshape [5, 2, 16] transpose [1, 0, 2]> "f64" <[2, 5, 16]>
// CHECK-NEXT:    nd.transpose
// CHECK-NEXT:    nd.reshape
// CHECK-NEXT:    nd.dot

// What is no number of whole panels lies in rows, as one panel.
nd.func @classes(%x: tensor<8x5xf32>) {
  %w = nd.weight <"cc"> "f32" <[10, 5]> : tensor<10x5xf32>
  %y = nd.dot %x, %w batch <0> over <[1]>, <[1]> : tensor<8x5xf32>, tensor<10x5xf32> -> tensor<8x10xf32>
  nd.return %y : tensor<8x10xf32>
}
// CHECK-LABEL: nd.func @classes
// CHECK-NEXT:    %w = nd.weight <"cc" transpose [1, 0]> "f32" <[5, 10]>
// CHECK-NEXT:    [[T:%\d+]] = nd.transpose %w axes <[1, 0]>
// CHECK-NEXT:    nd.dot %x, [[T]] batch <0> over <[1]>, <[1]>

// The kernel of a convolution; of several groups, each has whole panels.
nd.func @convolved(%x: tensor<1x6x4xf32>) {
  %w = nd.weight <"dd"> "f32" <[3, 2, 128]> : tensor<3x2x128xf32>
  %y = nd.convolution %x, %w stride <[1]> low <[0]> high <[0]> dilation <[1]> groups <2> : tensor<1x6x4xf32>, tensor<3x2x128xf32> -> tensor<1x4x128xf32>
  nd.return %y : tensor<1x4x128xf32>
}
// CHECK-LABEL: nd.func @convolved
// CHECK-NEXT:    nd.weight <"dd" reshape [3, 2, 4, 32] transpose [2, 0, 1, 3]> "f32" <[4, 3, 2, 32]>
// CHECK-NEXT:    nd.transpose {{.*}} axes <[1, 2, 0, 3]>
// CHECK-NEXT:    nd.reshape {{.*}} to <[3, 2, 128]>
// CHECK-NEXT:    nd.convolution

// A table of words that is also what the last layer multiplies by is read in two ways: it stays as it is,
// since a second copy of it may be as large as the rest of the program.
nd.func @tied(%x: tensor<8x5xf32>, %i: tensor<3xi64>) {
  %w = nd.weight <"ee"> "f32" <[64, 5]> : tensor<64x5xf32>
  %a = nd.gather %w at %i batch <0> : tensor<64x5xf32>, tensor<3xi64> -> tensor<3x5xf32>
  %b = nd.dot %x, %w batch <0> over <[1]>, <[1]> : tensor<8x5xf32>, tensor<64x5xf32> -> tensor<8x64xf32>
  nd.return %a, %b : tensor<3x5xf32>, tensor<8x64xf32>
}
// CHECK-LABEL: nd.func @tied
// CHECK-NEXT:    %w = nd.weight <"ee"> "f32" <[64, 5]>
// CHECK-NEXT:    nd.gather %w
// CHECK-NEXT:    nd.dot %x, %w

// Functions that read a weight in the same way share its panels; in different ones, they share it as it is.
nd.func @prefill(%x: tensor<8x5xf32>) {
  %w = nd.weight <"ff"> "f32" <[5, 64]> : tensor<5x64xf32>
  %v = nd.weight <"01"> "f32" <[5, 64]> : tensor<5x64xf32>
  %y = nd.dot %x, %w batch <0> over <[1]>, <[0]> : tensor<8x5xf32>, tensor<5x64xf32> -> tensor<8x64xf32>
  %z = nd.dot %x, %v batch <0> over <[1]>, <[0]> : tensor<8x5xf32>, tensor<5x64xf32> -> tensor<8x64xf32>
  nd.return %y, %z : tensor<8x64xf32>, tensor<8x64xf32>
}
nd.func @decode(%x: tensor<1x5xf32>) {
  %w = nd.weight <"ff"> "f32" <[5, 64]> : tensor<5x64xf32>
  %v = nd.weight <"01"> "f32" <[5, 64]> : tensor<5x64xf32>
  %y = nd.dot %x, %w batch <0> over <[1]>, <[0]> : tensor<1x5xf32>, tensor<5x64xf32> -> tensor<1x64xf32>
  nd.return %y, %v : tensor<1x64xf32>, tensor<5x64xf32>
}
// CHECK-LABEL: nd.func @prefill
// CHECK-DAG:     nd.weight <"ff" reshape
// CHECK-DAG:     nd.weight <"01"> "f32"
// CHECK-LABEL: nd.func @decode
// CHECK-DAG:     nd.weight <"ff" reshape
// CHECK-DAG:     nd.weight <"01"> "f32"

// Neighbours that are summed over stay so: one row times a matrix that is turned.
nd.func @inner(%x: tensor<64xf32>) {
  %w = nd.weight <"02"> "f32" <[64, 64]> : tensor<64x64xf32>
  %y = nd.dot %x, %w batch <0> over <[0]>, <[1]> : tensor<64xf32>, tensor<64x64xf32> -> tensor<64xf32>
  nd.return %y : tensor<64xf32>
}
// CHECK-LABEL: nd.func @inner
// CHECK-NEXT:    nd.weight <"02"> "f32" <[64, 64]>

// Bytes that are converted to i32 are words of four neighbours along the sum, in such panels.
nd.func @bytes(%x: tensor<8x12xi32>) {
  %w = nd.weight <"0b"> "i8" <[12, 64]> : tensor<12x64xi8>
  %v = nd.convert %w to "i32" : tensor<12x64xi8> -> tensor<12x64xi32>
  %y = nd.dot %x, %v batch <0> over <[1]>, <[0]> : tensor<8x12xi32>, tensor<12x64xi32> -> tensor<8x64xi32>
  nd.return %y : tensor<8x64xi32>
}
// CHECK-LABEL: nd.func @bytes
// CHECK-NEXT:    %w = nd.weight <"0b" reshape [3, 4, 2, 32] transpose [2, 0, 3, 1]> "i8" <[2, 3, 32, 4]> : tensor<2x3x32x4xi8>
// CHECK-NEXT:    [[T:%\d+]] = nd.transpose %w axes <[1, 3, 0, 2]>
// CHECK-NEXT:    [[M:%\d+]] = nd.reshape [[T]] to <[12, 64]>
// CHECK-NEXT:    nd.convert [[M]] to "i32"
// CHECK-NEXT:    nd.dot %x
