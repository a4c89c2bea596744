// RUN: stepwell-opt %s -p layouts,simplify | filecheck %s

// What is transposed, computed with element by element and transposed back is computed as it was:
// a bias repeats along the axes before, and a constant has the shape before.
nd.func @there_and_back(%x: tensor<2x4x5x3xf32>, %bias: tensor<3xf32>) {
  %first = nd.transpose %x axes <[0, 3, 1, 2]> : tensor<2x4x5x3xf32> -> tensor<2x3x4x5xf32>
  %wide = nd.broadcast %bias to <[2, 3, 4, 5]> axes <[1]> : tensor<3xf32> -> tensor<2x3x4x5xf32>
  %sum = nd.add %first, %wide : tensor<2x3x4x5xf32>
  %zero = nd.constant <f32 0.0e+00> : tensor<2x3x4x5xf32>
  %most = nd.max %sum, %zero : tensor<2x3x4x5xf32>
  %last = nd.transpose %most axes <[0, 2, 3, 1]> : tensor<2x3x4x5xf32> -> tensor<2x4x5x3xf32>
  nd.return %last : tensor<2x4x5x3xf32>
}
// CHECK-LABEL: nd.func @there_and_back
// CHECK-NEXT:    %[[WIDE:.*]] = nd.broadcast %bias to <[2, 4, 5, 3]> axes <[3]>
// CHECK-NEXT:    %[[SUM:.*]] = nd.add %x, %[[WIDE]]
// CHECK-NEXT:    %[[ZERO:.*]] = nd.constant <f32 0.0e+00> : tensor<2x4x5x3xf32>
// CHECK-NEXT:    %[[MOST:.*]] = nd.max %[[SUM]], %[[ZERO]]
// CHECK-NEXT:    nd.return %[[MOST]]

// Whoever reads it otherwise reads it transposed.
nd.func @read_twice(%x: tensor<4x3xf32>) {
  %t = nd.transpose %x axes <[1, 0]> : tensor<4x3xf32> -> tensor<3x4xf32>
  %e = nd.exp %t : tensor<3x4xf32>
  %u = nd.transpose %e axes <[1, 0]> : tensor<3x4xf32> -> tensor<4x3xf32>
  nd.return %e, %u : tensor<3x4xf32>, tensor<4x3xf32>
}
// CHECK-LABEL: nd.func @read_twice
// CHECK-NEXT:    %[[E:.*]] = nd.exp %x
// CHECK-NEXT:    %[[T:.*]] = nd.transpose %[[E]] axes <[1, 0]>
// CHECK-NEXT:    nd.return %[[T]], %[[E]]

// What comes along as it is (a shortcut) is transposed in place of what was.
nd.func @shortcut(%x: tensor<4x5x3xf32>, %y: tensor<3x4x5xf32>) {
  %t = nd.transpose %x axes <[2, 0, 1]> : tensor<4x5x3xf32> -> tensor<3x4x5xf32>
  %s = nd.add %t, %y : tensor<3x4x5xf32>
  %u = nd.transpose %s axes <[1, 2, 0]> : tensor<3x4x5xf32> -> tensor<4x5x3xf32>
  nd.return %u : tensor<4x5x3xf32>
}
// CHECK-LABEL: nd.func @shortcut
// CHECK-NEXT:    %[[Y:.*]] = nd.transpose %y axes <[1, 2, 0]>
// CHECK-NEXT:    %[[S:.*]] = nd.add %x, %[[Y]]
// CHECK-NEXT:    nd.return %[[S]]

// Channels are put side by side along the axis on which they were.
nd.func @side_by_side(%x: tensor<4x5x3xf32>, %y: tensor<4x5x2xf32>) {
  %s = nd.transpose %x axes <[2, 0, 1]> : tensor<4x5x3xf32> -> tensor<3x4x5xf32>
  %t = nd.transpose %y axes <[2, 0, 1]> : tensor<4x5x2xf32> -> tensor<2x4x5xf32>
  %c = nd.concatenate %s, %t axis <0> : tensor<3x4x5xf32>, tensor<2x4x5xf32> -> tensor<5x4x5xf32>
  %u = nd.transpose %c axes <[1, 2, 0]> : tensor<5x4x5xf32> -> tensor<4x5x5xf32>
  nd.return %u : tensor<4x5x5xf32>
}
// CHECK-LABEL: nd.func @side_by_side
// CHECK-NEXT:    %[[C:.*]] = nd.concatenate %x, %y axis <2>
// CHECK-NEXT:    nd.return %[[C]]

// What is cut out, turned around or padded is so along the axes before, so that what was computed
// for it is not transposed either.
nd.func @cut(%x: tensor<4x5x6xf32>, %fill: tensor<f32>) {
  %t = nd.transpose %x axes <[2, 0, 1]> : tensor<4x5x6xf32> -> tensor<6x4x5xf32>
  %e = nd.exp %t : tensor<6x4x5xf32>
  %c = nd.slice %e from <[1, 0, 2]> to <[2, 4, 3]> step <[2, 1, 1]> : tensor<6x4x5xf32> -> tensor<2x4x3xf32>
  %r = nd.reverse %c axes <[0, 2]> : tensor<2x4x3xf32> -> tensor<2x4x3xf32>
  %p = nd.pad %r with %fill low <[1, 2, 3]> high <[0, 0, 0]> interior <[0, 0, 1]> : tensor<2x4x3xf32>, tensor<f32> -> tensor<3x6x8xf32>
  %u = nd.transpose %p axes <[1, 2, 0]> : tensor<3x6x8xf32> -> tensor<6x8x3xf32>
  nd.return %u : tensor<6x8x3xf32>
}
// CHECK-LABEL: nd.func @cut
// CHECK-NEXT:    %[[E:.*]] = nd.exp %x
// CHECK-NEXT:    %[[C:.*]] = nd.slice %[[E]] from <[0, 2, 1]> to <[4, 3, 2]> step <[1, 1, 2]>
// CHECK-NEXT:    %[[R:.*]] = nd.reverse %[[C]] axes <[2, 1]>
// CHECK-NEXT:    %[[P:.*]] = nd.pad %[[R]] with %fill low <[2, 3, 1]> high <[0, 0, 0]> interior <[0, 1, 0]>
// CHECK-NEXT:    nd.return %[[P]]

// So it is in regions.
nd.func @in_a_region(%c: tensor<i1>, %x: tensor<4x3xf32>) {
  %r = nd.if %c(%x) {
  ^bb0(%a: tensor<4x3xf32>):
    %t = nd.transpose %a axes <[1, 0]> : tensor<4x3xf32> -> tensor<3x4xf32>
    %e = nd.exp %t : tensor<3x4xf32>
    %u = nd.transpose %e axes <[1, 0]> : tensor<3x4xf32> -> tensor<4x3xf32>
    nd.yield %u : tensor<4x3xf32>
  } else {
  ^bb0(%b: tensor<4x3xf32>):
    nd.yield %b : tensor<4x3xf32>
  } : (tensor<i1>, tensor<4x3xf32>) -> tensor<4x3xf32>
  nd.return %r : tensor<4x3xf32>
}
// CHECK-LABEL: nd.func @in_a_region
// CHECK:         %[[E:.*]] = nd.exp %a
// CHECK-NEXT:    nd.yield %[[E]]

// Operands may be transposed in several ways, of which one is undone.
nd.func @two_ways(%x: tensor<3x3x3xf32>, %y: tensor<3x3x3xf32>) {
  %s = nd.transpose %x axes <[1, 2, 0]> : tensor<3x3x3xf32> -> tensor<3x3x3xf32>
  %t = nd.transpose %y axes <[2, 0, 1]> : tensor<3x3x3xf32> -> tensor<3x3x3xf32>
  %both = nd.add %t, %s : tensor<3x3x3xf32>
  %back = nd.transpose %both axes <[2, 0, 1]> : tensor<3x3x3xf32> -> tensor<3x3x3xf32>
  nd.return %back : tensor<3x3x3xf32>
}
// CHECK-LABEL: nd.func @two_ways
// CHECK-NEXT:    %[[T:.*]] = nd.transpose %y axes <[1, 2, 0]>
// CHECK-NEXT:    %[[BOTH:.*]] = nd.add %[[T]], %x
// CHECK-NEXT:    nd.return %[[BOTH]]

// Nothing moves where nobody undoes the transposition.
nd.func @forth(%x: tensor<3x3x3xf32>) {
  %s = nd.transpose %x axes <[1, 2, 0]> : tensor<3x3x3xf32> -> tensor<3x3x3xf32>
  %e = nd.exp %s : tensor<3x3x3xf32>
  %further = nd.transpose %e axes <[1, 2, 0]> : tensor<3x3x3xf32> -> tensor<3x3x3xf32>
  nd.return %further : tensor<3x3x3xf32>
}
// CHECK-LABEL: nd.func @forth
// CHECK-NEXT:    %[[S:.*]] = nd.transpose %x axes <[1, 2, 0]>
// CHECK-NEXT:    %[[E:.*]] = nd.exp %[[S]]
// CHECK-NEXT:    nd.transpose %[[E]] axes <[1, 2, 0]>
