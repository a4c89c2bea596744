// RUN: stepwell-opt %s -p inline --split-input-file --verify-diagnostics | filecheck %s

// A call becomes what the function does, with the call's sizes in the place of its symbols, in types
// and in parameters. The function stays: it may be an entry point of its own.
nd.func @mean<B: 1>(%x: tensor<?x4xf32, #nd.info<dims = [B, 4]>>) {
  %sum = nd.reduce_sum %x axes <[0]> : tensor<?x4xf32, #nd.info<dims = [B, 4]>> -> tensor<4xf32>
  %size = nd.size <B> : tensor<i64>
  %number = nd.convert %size to "f32" : tensor<i64> -> tensor<f32>
  %all = nd.broadcast %number to <[4]> axes <[]> : tensor<f32> -> tensor<4xf32>
  %mean = nd.div %sum, %all : tensor<4xf32>
  nd.return %mean : tensor<4xf32>
}
nd.func @halves<N: 1>(%x: tensor<?x4xf32, #nd.info<dims = [2*N, 4]>>) {
  %m = nd.call @mean<B = 2*N>(%x) : (tensor<?x4xf32, #nd.info<dims = [2*N, 4]>>) -> tensor<4xf32>
  nd.return %m : tensor<4xf32>
}
// CHECK-LABEL: nd.func @mean<B: 1>
// CHECK:         nd.size <B>
// CHECK-LABEL: nd.func @halves<N: 1>
// CHECK-NEXT:    [[SUM:%\d+]] = nd.reduce_sum %x axes <[0]> : tensor<?x4xf32, #nd.info<dims = [2*N, 4]>> -> tensor<4xf32>
// CHECK-NEXT:    [[SIZE:%\d+]] = nd.size <2*N> : tensor<i64>
// CHECK:         [[MEAN:%\w+]] = nd.div [[SUM]],
// CHECK-NEXT:    nd.return [[MEAN]] : tensor<4xf32>

// -----

// Each call is a copy. Calls in the bodies of ops, and in functions that are called, are put in place
// as well, so that none is left.
nd.func @step(%x: tensor<f32>) {
  %y = nd.exp %x : tensor<f32>
  nd.return %y : tensor<f32>
}
nd.func @two(%x: tensor<f32>) {
  %y = nd.call @step<>(%x) : (tensor<f32>) -> tensor<f32>
  %z = nd.call @step<>(%y) : (tensor<f32>) -> tensor<f32>
  nd.return %z : tensor<f32>
}
nd.func @entry(%c: tensor<i1>, %x: tensor<f32>) {
  %y = nd.if %c(%x) {
  ^bb0(%u: tensor<f32>):
    %t = nd.call @two<>(%u) : (tensor<f32>) -> tensor<f32>
    nd.yield %t : tensor<f32>
  } else {
  ^bb0(%v: tensor<f32>):
    nd.yield %v : tensor<f32>
  } : (tensor<i1>, tensor<f32>) -> tensor<f32>
  nd.return %y : tensor<f32>
}
// CHECK-LABEL: nd.func @two(%x
// CHECK-NEXT:    [[Y:%\w+]] = nd.exp %x
// CHECK-NEXT:    [[Z:%\w+]] = nd.exp [[Y]]
// CHECK-NEXT:    nd.return [[Z]]
// CHECK-LABEL: nd.func @entry
// CHECK:         ^bb0(%u
// CHECK-NEXT:      [[Y:%\w+]] = nd.exp %u
// CHECK-NEXT:      [[Z:%\w+]] = nd.exp [[Y]]
// CHECK-NEXT:      nd.yield [[Z]]

// -----

// After differentiation, `nd.remat` and `nd.custom_gradient` have said all that they have to say: what
// stays is their body, also of one in the other. The rule for the reverse mode goes.
nd.func @said(%x: tensor<f32>) {
  %y = nd.remat(%x) {
  ^bb0(%u: tensor<f32>):
    %v = nd.custom_gradient(%u) residuals <1> kept <0> {
    ^bb0(%c: tensor<f32>):
      %d = nd.exp %c : tensor<f32>
      nd.yield %d, %d : tensor<f32>, tensor<f32>
    } backward {
    ^bb0(%e: tensor<f32>, %f: tensor<f32>):
      %g = nd.mul %e, %f : tensor<f32>
      nd.yield %g : tensor<f32>
    } : (tensor<f32>) -> tensor<f32>
    %w = nd.sin %v : tensor<f32>
    nd.yield %w : tensor<f32>
  } : (tensor<f32>) -> tensor<f32>
  nd.return %y : tensor<f32>
}
// CHECK-LABEL: nd.func @said
// CHECK-NEXT:    [[B:%\w+]] = nd.exp %x
// CHECK-NEXT:    [[W:%\w+]] = nd.sin [[B]]
// CHECK-NEXT:    nd.return [[W]]

// -----

// Effects come along, in their place.
nd.func @says(%x: tensor<f32>) {
  nd.print <"x is {}">(%x) : tensor<f32>
  nd.return
}
nd.func @prints(%x: tensor<f32>) {
  nd.call @says<>(%x) : (tensor<f32>) -> ()
  %y = nd.exp %x : tensor<f32>
  nd.call @says<>(%y) : (tensor<f32>) -> ()
  nd.return
}
// CHECK-LABEL: nd.func @prints
// CHECK-NEXT:    nd.print <"x is {}">(%x)
// CHECK-NEXT:    %y = nd.exp %x
// CHECK-NEXT:    nd.print <"x is {}">(%y)
// CHECK-NEXT:    nd.return

// -----

// A function that calls itself has no end.
nd.func @forever(%x: tensor<f32>) {
  %y = nd.call @again<>(%x) : (tensor<f32>) -> tensor<f32>
  nd.return %y : tensor<f32>
}
nd.func @again(%x: tensor<f32>) {
  %y = nd.call @forever<>(%x) : (tensor<f32>) -> tensor<f32>
  nd.return %y : tensor<f32>
}
// CHECK: SW0214: the function {{forever|again}} calls itself

// -----

// There has to be a function, ...
nd.func @lost(%x: tensor<f32>) {
  %y = nd.call @nowhere<>(%x) : (tensor<f32>) -> tensor<f32>
  nd.return %y : tensor<f32>
}
// CHECK: SW0213: there is no function nowhere to call

// -----

// ... and it has to take, with these sizes, what it is given.
nd.func @rows<B: 1>(%x: tensor<?x4xf32, #nd.info<dims = [B, 4]>>) {
  nd.return
}
nd.func @unfit(%x: tensor<3x4xf32>) {
  nd.call @rows<B = 2>(%x) : (tensor<3x4xf32>) -> ()
  nd.return
}
// CHECK: SW0201: call: rows takes (f32[2, 4]), not (f32[3, 4])
