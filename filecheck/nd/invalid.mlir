// RUN: stepwell-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

// Types are tensors of the nine dtypes. A size is a number or an expression, in one way of writing.
nd.func @dtype(%x: tensor<4xi16>) {
  nd.return
}
// CHECK: tensor<4xi16> is no tensor of i1, i8, i32, i64, ui8, f16, bf16, f32, f64

// -----

nd.func @nameless(%x: tensor<?xf32>) {
  nd.return
}
// CHECK: tensor<?xf32>: each `?` has a symbolic size in `dims`, and nothing else

// -----

nd.func @contradicts<B: 0>(%x: tensor<?x4xf32, #nd.info<dims = [B, 5]>>) {
  nd.return
}
// CHECK: tensor<?x4xf32, #nd.info<dims = [B, 5]>>: each `?` has a symbolic size in `dims`

// -----

// Symbols belong to a function, which gives their ranges.
nd.func @unbound(%x: tensor<?xf32, #nd.info<dims = [B]>>) {
  nd.return
}
// CHECK: the symbol B has no range: nd.func @f<B: 0>

// -----

// A function ends with what it returns, ...
nd.func @endless(%x: tensor<4xf32>) {
  nd.yield %x : tensor<4xf32>
}
// CHECK: a function ends with nd.return

// -----

// ... a kernel sees nothing but its operands, ...
nd.func @looks_out(%x: tensor<4xf32>) {
  %y = nd.kernel(%a = %x : tensor<4xf32>) {
    %b = nd.neg %x : tensor<4xf32>
    nd.yield %b : tensor<4xf32>
  }
  nd.return
}
// CHECK: Operation using value defined out of its IsolatedFromAbove parent

// -----

// ... and yields what it results in.
nd.func @yields(%x: tensor<4xf32>) {
  %y = "nd.kernel"(%x) ({
  ^bb0(%a: tensor<4xf32>):
    nd.yield %a : tensor<4xf32>
  }) : (tensor<4xf32>) -> tensor<5xf32>
  nd.return
}
// CHECK: a kernel yields what it results in

// -----

// The result types follow from the rest: who writes others is told what they should be.
nd.func @other_result(%x: tensor<2x3xf32>) {
  %y = nd.transpose %x axes <[1, 0]> : tensor<2x3xf32> -> tensor<2x3xf32>
  nd.return
}
// CHECK: nd.transpose: expected tensor<3x2xf32>, got tensor<2x3xf32>

// -----

// No op is defined for every dtype.
nd.func @exp(%n: tensor<4xi32>) {
  %y = nd.exp %n : tensor<4xi32>
  nd.return
}
// CHECK: exp: is not defined for i32

// -----

nd.func @convert(%x: tensor<4xf32>) {
  %y = nd.convert %x to "f8" : tensor<4xf32> -> tensor<4xf32>
  nd.return
}
// CHECK: there is no dtype f8

// -----

// Operands are of one type.
nd.func @add(%x: tensor<4xf32>, %y: tensor<4xf64>) {
  %z = "nd.eq"(%x, %y) : (tensor<4xf32>, tensor<4xf64>) -> tensor<4xi1>
  nd.return
}
// CHECK: eq: the operands are f32[4] and f64[4], and should be of one type

// -----

nd.func @select(%c: tensor<i1>, %x: tensor<4xf32>) {
  %z = nd.select %c, %x, %x : tensor<i1>, tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
  nd.return
}
// CHECK: select: the condition's shape is not that of the values

// -----

// Movement keeps the elements that there are.
nd.func @reshape<B: 0>(%x: tensor<?x6xf32, #nd.info<dims = [B, 6]>>) {
  %y = nd.reshape %x to <[4, B]> : tensor<?x6xf32, #nd.info<dims = [B, 6]>> -> tensor<4x?xf32, #nd.info<dims = [4, B]>>
  nd.return
}
// CHECK: reshape: f32[B, 6] has 6*B elements, the new shape 4*B

// -----

nd.func @broadcast(%x: tensor<3xf32>) {
  %y = nd.broadcast %x to <[2, 4]> axes <[1]> : tensor<3xf32> -> tensor<2x4xf32>
  nd.return
}
// CHECK: broadcast: size 3 of f32[3] does not become size 4 of axis 1

// -----

nd.func @slice(%x: tensor<3xf32>) {
  %y = nd.slice %x from <[2]> to <[2]> step <[1]> : tensor<3xf32> -> tensor<2xf32>
  nd.return
}
// CHECK: slice: axis 0 of f32[3] ends before element 3

// -----

// A number is one of its dtype.
nd.func @constant() {
  %y = nd.constant <i32 1.5> : tensor<4xi32>
  nd.return
}
// CHECK: Expected integer literal

// -----

nd.func @concatenate(%x: tensor<2x3xf32>, %y: tensor<2x4xf32>) {
  %z = nd.concatenate %x, %y axis <0> : tensor<2x3xf32>, tensor<2x4xf32> -> tensor<4x3xf32>
  nd.return
}
// CHECK: concatenate: f32[2, 4] does not continue f32[2, 3] along axis 0

// -----

// Of no elements there is no greatest one.
nd.func @greatest(%x: tensor<0x3xf32>) {
  %y = nd.reduce_max %x axes <[0]> : tensor<0x3xf32> -> tensor<3xf32>
  nd.return
}
// CHECK: reduce_max: f32[0, 3] has no elements along axes [0]

// -----

nd.func @dot(%x: tensor<2x3xf32>, %y: tensor<4x5xf32>) {
  %z = nd.dot %x, %y batch <0> over <[1]>, <[0]> : tensor<2x3xf32>, tensor<4x5xf32> -> tensor<2x5xf32>
  nd.return
}
// CHECK: dot: axis 1 of f32[2, 3] does not meet axis 0 of f32[4, 5]

// -----

nd.func @window(%x: tensor<4xf32>) {
  %y = nd.window "mul" %x size <[2]> stride <[1]> low <[0]> high <[0]> : tensor<4xf32> -> tensor<3xf32>
  nd.return
}
// CHECK: window: combines by mul, not add, max, min

// -----

nd.func @gather(%x: tensor<4xf32>, %i: tensor<2xf32>) {
  %y = nd.gather %x at %i batch <0> : tensor<4xf32>, tensor<2xf32> -> tensor<2xf32>
  nd.return
}
// CHECK: gather: the indices are f32

// -----

nd.func @dynamic_slice(%x: tensor<4xf32>, %s: tensor<i64>) {
  %y = nd.dynamic_slice %x from %s to <[5]> : (tensor<4xf32>, tensor<i64>) -> tensor<5xf32>
  nd.return
}
// CHECK: dynamic_slice: 5 elements do not fit into axis 0 of f32[4]

// -----

// Programs within ops take and give what the op passes on.
nd.func @if(%c: tensor<i1>, %x: tensor<4xf32>) {
  %y = nd.if %c(%x) {
  ^bb0(%a: tensor<4xf32>):
    nd.yield %a : tensor<4xf32>
  } else {
  ^bb0(%b: tensor<4xf32>):
    %s = nd.reduce_sum %b axes <[0]> : tensor<4xf32> -> tensor<f32>
    nd.yield %s : tensor<f32>
  } : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  nd.return
}
// CHECK: if: the second branch gives (f32), and should give (f32[4])

// -----

nd.func @while(%x: tensor<4xf32>) {
  %y = nd.while constants <0>(%x) {
  ^bb0(%a: tensor<4xf32>):
    nd.yield %a : tensor<4xf32>
  } do {
  ^bb0(%b: tensor<4xf32>):
    nd.yield %b : tensor<4xf32>
  } : (tensor<4xf32>) -> tensor<4xf32>
  nd.return
}
// CHECK: while: the condition gives no bool

// -----

nd.func @while(%x: tensor<4xf32>) {
  %y = nd.while constants <0>(%x) {
  ^bb0(%a: tensor<4xf32>):
    %c = nd.constant <bool true> : tensor<3xi1>
    nd.yield %c : tensor<3xi1>
  } do {
  ^bb0(%b: tensor<4xf32>):
    nd.yield %b : tensor<4xf32>
  } : (tensor<4xf32>) -> tensor<4xf32>
  nd.return
}
// CHECK: while: the axes of the condition, bool[3], are not the first ones of each value

// -----

nd.func @scan(%x: tensor<4xf32>) {
  %y = nd.scan constants <0> carried <0> length <5> reverse <0>(%x) {
  ^bb0(%a: tensor<f32>):
    nd.yield %a : tensor<f32>
  } : (tensor<4xf32>) -> tensor<5xf32>
  nd.return
}
// CHECK: scan: the input f32[4] has no leading axis of the length 5

// -----

nd.func @custom(%x: tensor<4xf32>) {
  nd.custom "not a name"(%x) gives <[]> : (tensor<4xf32>) -> ()
  nd.return
}
// CHECK: custom: 'not a name' is no name of a C function
