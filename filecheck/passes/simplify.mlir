// RUN: stepwell-opt %s -p simplify | filecheck %s

// What is computed twice is computed once: the same op of the same operands with the same parameters.
nd.func @twice(%x: tensor<4xf32>) {
  %a = nd.exp %x : tensor<4xf32>
  %b = nd.exp %x : tensor<4xf32>
  %c = nd.log %x : tensor<4xf32>
  %s = nd.add %a, %b : tensor<4xf32>
  %t = nd.add %s, %c : tensor<4xf32>
  nd.return %t : tensor<4xf32>
}
// CHECK-LABEL: nd.func @twice
// CHECK-NEXT:    %a = nd.exp %x
// CHECK-NEXT:    %c = nd.log %x
// CHECK-NEXT:    %s = nd.add %a, %a
// CHECK-NEXT:    %t = nd.add %s, %c

// Other parameters, or another order of the operands, make another value.
nd.func @alike(%x: tensor<4x4xf32>) {
  %a = nd.reduce_sum %x axes <[0]> : tensor<4x4xf32> -> tensor<4xf32>
  %b = nd.reduce_sum %x axes <[1]> : tensor<4x4xf32> -> tensor<4xf32>
  %c = nd.sub %a, %b : tensor<4xf32>
  %d = nd.sub %b, %a : tensor<4xf32>
  nd.return %c, %d : tensor<4xf32>, tensor<4xf32>
}
// CHECK-LABEL: nd.func @alike
// CHECK-NEXT:    nd.reduce_sum %x axes <[0]>
// CHECK-NEXT:    nd.reduce_sum %x axes <[1]>
// CHECK-NEXT:    nd.sub
// CHECK-NEXT:    nd.sub

// What nobody reads goes, with all that only it read.
nd.func @for_nobody(%x: tensor<4xf32>) {
  %a = nd.exp %x : tensor<4xf32>
  %b = nd.log %a : tensor<4xf32>
  nd.return %x : tensor<4xf32>
}
// CHECK-LABEL: nd.func @for_nobody
// CHECK-NEXT:    nd.return %x

// Effects stay, as often and in the order in which they are, with what they read; and so does an op
// with one in its regions, even if nobody reads its results.
nd.func @effects(%c: tensor<i1>, %x: tensor<f32>) {
  %y = nd.exp %x : tensor<f32>
  nd.print <"{}">(%y) : tensor<f32>
  nd.print <"{}">(%y) : tensor<f32>
  %z = nd.if %c(%x) {
  ^bb0(%u: tensor<f32>):
    nd.print <"then">() :
    nd.yield %u : tensor<f32>
  } else {
  ^bb0(%v: tensor<f32>):
    nd.yield %v : tensor<f32>
  } : (tensor<i1>, tensor<f32>) -> tensor<f32>
  nd.return
}
// CHECK-LABEL: nd.func @effects
// CHECK-NEXT:    %y = nd.exp %x
// CHECK-NEXT:    nd.print <"{}">(%y)
// CHECK-NEXT:    nd.print <"{}">(%y)
// CHECK-NEXT:    nd.if %c(%x)
// CHECK:           nd.print <"then">

// A barrier keeps apart what rematerialisation computes again.
nd.func @barrier(%x: tensor<4xf32>) {
  %a = nd.exp %x : tensor<4xf32>
  %again = nd.barrier %x : tensor<4xf32> -> tensor<4xf32>
  %b = nd.exp %again : tensor<4xf32>
  nd.return %a, %b : tensor<4xf32>, tensor<4xf32>
}
// CHECK-LABEL: nd.func @barrier
// CHECK-COUNT-2: nd.exp

// Bodies are simplified too, each for itself: what is known outside is not passed in.
nd.func @bodies(%c: tensor<i1>, %x: tensor<4xf32>) {
  %y = nd.exp %x : tensor<4xf32>
  %z = nd.if %c(%x) {
  ^bb0(%u: tensor<4xf32>):
    %a = nd.exp %u : tensor<4xf32>
    %b = nd.exp %u : tensor<4xf32>
    %s = nd.add %a, %b : tensor<4xf32>
    nd.yield %s : tensor<4xf32>
  } else {
  ^bb0(%v: tensor<4xf32>):
    nd.yield %v : tensor<4xf32>
  } : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  nd.return %y, %z : tensor<4xf32>, tensor<4xf32>
}
// CHECK-LABEL: nd.func @bodies
// CHECK-NEXT:    %y = nd.exp %x
// CHECK:         ^bb0(%u
// CHECK-NEXT:      %a = nd.exp %u
// CHECK-NEXT:      %s = nd.add %a, %a

// Steps that change nothing.
nd.func @nothing<B: 0>(%c: tensor<?x4xi1, #nd.info<dims = [B, 4]>>, %x: tensor<?x4xf32, #nd.info<dims = [B, 4]>>) {
  %0 = nd.reshape %x to <[B, 4]> : tensor<?x4xf32, #nd.info<dims = [B, 4]>> -> tensor<?x4xf32, #nd.info<dims = [B, 4]>>
  %1 = nd.transpose %0 axes <[0, 1]> : tensor<?x4xf32, #nd.info<dims = [B, 4]>> -> tensor<?x4xf32, #nd.info<dims = [B, 4]>>
  %2 = nd.broadcast %1 to <[B, 4]> axes <[0, 1]> : tensor<?x4xf32, #nd.info<dims = [B, 4]>> -> tensor<?x4xf32, #nd.info<dims = [B, 4]>>
  %3 = nd.convert %2 to "f32" : tensor<?x4xf32, #nd.info<dims = [B, 4]>> -> tensor<?x4xf32, #nd.info<dims = [B, 4]>>
  %4 = nd.slice %3 from <[0, 0]> to <[B, 4]> step <[1, 1]> : tensor<?x4xf32, #nd.info<dims = [B, 4]>> -> tensor<?x4xf32, #nd.info<dims = [B, 4]>>
  %fill = nd.constant <f32 2.0> : tensor<f32>
  %5 = nd.pad %4 with %fill low <[0, 0]> high <[0, 0]> interior <[0, 0]> : tensor<?x4xf32, #nd.info<dims = [B, 4]>>, tensor<f32> -> tensor<?x4xf32, #nd.info<dims = [B, 4]>>
  %6 = nd.concatenate %5 axis <1> : tensor<?x4xf32, #nd.info<dims = [B, 4]>> -> tensor<?x4xf32, #nd.info<dims = [B, 4]>>
  %7 = nd.neg %6 : tensor<?x4xf32, #nd.info<dims = [B, 4]>>
  %8 = nd.neg %7 : tensor<?x4xf32, #nd.info<dims = [B, 4]>>
  %9 = nd.select %c, %8, %8 : tensor<?x4xi1, #nd.info<dims = [B, 4]>>, tensor<?x4xf32, #nd.info<dims = [B, 4]>>, tensor<?x4xf32, #nd.info<dims = [B, 4]>> -> tensor<?x4xf32, #nd.info<dims = [B, 4]>>
  nd.return %9 : tensor<?x4xf32, #nd.info<dims = [B, 4]>>
}
// CHECK-LABEL: nd.func @nothing
// CHECK-NEXT:    nd.return %x

// The same types do not make a movement one that changes nothing.
nd.func @something(%x: tensor<4x4xf32>) {
  %turned = nd.broadcast %x to <[4, 4]> axes <[1, 0]> : tensor<4x4xf32> -> tensor<4x4xf32>
  %fill = nd.constant <f32 2.0> : tensor<f32>
  %wide = nd.pad %x with %fill low <[1, 0]> high <[0, 0]> interior <[0, 0]> : tensor<4x4xf32>, tensor<f32> -> tensor<5x4xf32>
  %moved = nd.slice %wide from <[0, 0]> to <[4, 4]> step <[1, 1]> : tensor<5x4xf32> -> tensor<4x4xf32>
  nd.return %turned, %moved : tensor<4x4xf32>, tensor<4x4xf32>
}
// CHECK-LABEL: nd.func @something
// CHECK:         nd.broadcast
// CHECK:         nd.pad
// CHECK-NEXT:    nd.slice

// Numbers that change nothing, also when they are repeated to a shape. Of zeros only those are meant
// that keep the sign of zero: x - 0 and x + -0, but not x + 0, which makes 0 of -0.
nd.func @neutral(%x: tensor<4xf32>, %n: tensor<4xi32>) {
  %one = nd.constant <f32 1.0> : tensor<f32>
  %ones = nd.broadcast %one to <[4]> axes <[]> : tensor<f32> -> tensor<4xf32>
  %zero = nd.constant <f32 0.0> : tensor<4xf32>
  %minus_zero = nd.constant <f32 -0.0> : tensor<4xf32>
  %a = nd.mul %x, %ones : tensor<4xf32>
  %b = nd.mul %ones, %a : tensor<4xf32>
  %c = nd.div %b, %ones : tensor<4xf32>
  %d = nd.sub %c, %zero : tensor<4xf32>
  %e = nd.add %d, %minus_zero : tensor<4xf32>
  %f = nd.add %minus_zero, %e : tensor<4xf32>
  %g = nd.add %f, %zero : tensor<4xf32>
  %none = nd.constant <i32 0> : tensor<4xi32>
  %m = nd.add %n, %none : tensor<4xi32>
  nd.return %f, %g, %m : tensor<4xf32>, tensor<4xf32>, tensor<4xi32>
}
// CHECK-LABEL: nd.func @neutral
// CHECK-NEXT:    %zero = nd.constant <f32 0.0e+00>
// CHECK-NEXT:    %g = nd.add %x, %zero
// CHECK-NEXT:    nd.return %x, %g, %n

// What is not exact stays: 0 * x is NaN for infinite x, and a reciprocal is rounded.
nd.func @rounded(%x: tensor<4xf32>) {
  %zero = nd.constant <f32 0.0> : tensor<4xf32>
  %three = nd.constant <f32 3.0> : tensor<4xf32>
  %a = nd.mul %x, %zero : tensor<4xf32>
  %b = nd.div %x, %three : tensor<4xf32>
  %c = nd.sub %x, %x : tensor<4xf32>
  nd.return %a, %b, %c : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}
// CHECK-LABEL: nd.func @rounded
// CHECK:         nd.mul
// CHECK:         nd.div
// CHECK:         nd.sub

// Of two movements of a kind, one after the other, the second does the work of both; so what
// `keepdims` puts in goes again.
nd.func @there_and_back<B: 0>(%x: tensor<?x8xf32, #nd.info<dims = [B, 8]>>) {
  %0 = nd.reduce_max %x axes <[1]> : tensor<?x8xf32, #nd.info<dims = [B, 8]>> -> tensor<?xf32, #nd.info<dims = [B]>>
  %1 = nd.reshape %0 to <[B, 1]> : tensor<?xf32, #nd.info<dims = [B]>> -> tensor<?x1xf32, #nd.info<dims = [B, 1]>>
  %2 = nd.reshape %1 to <[B]> : tensor<?x1xf32, #nd.info<dims = [B, 1]>> -> tensor<?xf32, #nd.info<dims = [B]>>
  %3 = nd.broadcast %2 to <[B, 8]> axes <[0]> : tensor<?xf32, #nd.info<dims = [B]>> -> tensor<?x8xf32, #nd.info<dims = [B, 8]>>
  nd.return %3 : tensor<?x8xf32, #nd.info<dims = [B, 8]>>
}
// CHECK-LABEL: nd.func @there_and_back
// CHECK-NEXT:    [[MAX:%\d+]] = nd.reduce_max %x
// CHECK-NEXT:    nd.broadcast [[MAX]] to <[B, 8]> axes <[0]>

nd.func @further(%x: tensor<2x3x4xf32>, %b: tensor<3xf32>) {
  %0 = nd.transpose %x axes <[2, 0, 1]> : tensor<2x3x4xf32> -> tensor<4x2x3xf32>
  %1 = nd.transpose %0 axes <[0, 2, 1]> : tensor<4x2x3xf32> -> tensor<4x3x2xf32>
  %2 = nd.transpose %0 axes <[1, 2, 0]> : tensor<4x2x3xf32> -> tensor<2x3x4xf32>
  %3 = nd.broadcast %b to <[2, 3]> axes <[1]> : tensor<3xf32> -> tensor<2x3xf32>
  %4 = nd.broadcast %3 to <[3, 5, 2]> axes <[2, 0]> : tensor<2x3xf32> -> tensor<3x5x2xf32>
  nd.return %1, %2, %4 : tensor<4x3x2xf32>, tensor<2x3x4xf32>, tensor<3x5x2xf32>
}
// CHECK-LABEL: nd.func @further
// CHECK-NEXT:    [[TURNED:%\d+]] = nd.transpose %x axes <[2, 1, 0]> : tensor<2x3x4xf32> -> tensor<4x3x2xf32>
// CHECK-NEXT:    [[WIDE:%\d+]] = nd.broadcast %b to <[3, 5, 2]> axes <[0]> : tensor<3xf32> -> tensor<3x5x2xf32>
// CHECK-NEXT:    nd.return [[TURNED]], %x, [[WIDE]]

// Behind a rectifier its gradient asks the result which elements were picked, so that nothing but that is
// needed of what comes before. Not where it is stored for somebody else, or for a strict comparison, which
// is another one of the result.
nd.func @rectified(%x: tensor<8xf32>, %g: tensor<8xf32>) {
  %zero = nd.constant <f32 0.0> : tensor<8xf32>
  %s = nd.add %x, %x : tensor<8xf32>
  %below = nd.le %s, %zero : tensor<8xf32>, tensor<8xf32> -> tensor<8xi1>
  %r = nd.select %below, %zero, %s : tensor<8xi1>, tensor<8xf32>, tensor<8xf32> -> tensor<8xf32>
  %b = nd.select %below, %zero, %g : tensor<8xi1>, tensor<8xf32>, tensor<8xf32> -> tensor<8xf32>
  nd.return %r, %b : tensor<8xf32>, tensor<8xf32>
}
// CHECK-LABEL: nd.func @rectified
// CHECK:         [[BELOW:%\w+]] = nd.le %s, %zero
// CHECK-NEXT:    %r = nd.select [[BELOW]], %zero, %s
// CHECK-NEXT:    [[PICKED:%\w+]] = nd.le %r, %zero
// CHECK-NEXT:    %b = nd.select [[PICKED]], %zero, %g

nd.func @needed(%x: tensor<8xf32>, %g: tensor<8xf32>) {
  %zero = nd.constant <f32 0.0> : tensor<8xf32>
  %s = nd.add %x, %x : tensor<8xf32>
  %below = nd.lt %s, %zero : tensor<8xf32>, tensor<8xf32> -> tensor<8xi1>
  %r = nd.select %below, %zero, %s : tensor<8xi1>, tensor<8xf32>, tensor<8xf32> -> tensor<8xf32>
  %b = nd.select %below, %zero, %g : tensor<8xi1>, tensor<8xf32>, tensor<8xf32> -> tensor<8xf32>
  %t = nd.add %x, %g : tensor<8xf32>
  %less = nd.le %t, %zero : tensor<8xf32>, tensor<8xf32> -> tensor<8xi1>
  %c = nd.select %less, %zero, %t : tensor<8xi1>, tensor<8xf32>, tensor<8xf32> -> tensor<8xf32>
  %d = nd.select %less, %zero, %g : tensor<8xi1>, tensor<8xf32>, tensor<8xf32> -> tensor<8xf32>
  nd.return %r, %b, %t, %c, %d : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
}
// CHECK-LABEL: nd.func @needed
// CHECK-COUNT-1: nd.lt
// CHECK:         nd.le
// CHECK-NOT:     nd.le
// CHECK:         nd.return
