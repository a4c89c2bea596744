// RUN: stepwell-opt %s -p form-kernels | filecheck %s

// Elementwise ops and movement are one kernel: each element is computed when it is needed. What the
// kernel yields is stored, nothing else is.
nd.func @maps(%x: tensor<4x8xf32>, %b: tensor<8xf32>) {
  %w = nd.broadcast %b to <[4, 8]> axes <[1]> : tensor<8xf32> -> tensor<4x8xf32>
  %s = nd.add %x, %w : tensor<4x8xf32>
  %e = nd.exp %s : tensor<4x8xf32>
  %t = nd.transpose %e axes <[1, 0]> : tensor<4x8xf32> -> tensor<8x4xf32>
  nd.return %t : tensor<8x4xf32>
}
// CHECK-LABEL: nd.func @maps
// CHECK-NEXT:    %t = nd.kernel([[B:%\d+]] = %b : tensor<8xf32>, [[X:%\d+]] = %x : tensor<4x8xf32>) {
// CHECK-NEXT:      [[W:%\w+]] = nd.broadcast [[B]]
// CHECK-NEXT:      [[S:%\w+]] = nd.add [[X]], [[W]]
// CHECK-NEXT:      [[E:%\w+]] = nd.exp [[S]]
// CHECK-NEXT:      [[T:%\w+]] = nd.transpose [[E]]
// CHECK-NEXT:      nd.yield [[T]]
// CHECK:         nd.return %t

// What two kernels read is stored, here by the first of them: no element is computed twice. A number goes
// to each of them, and so does movement, here the reversal, even where it is stored for a reader outside.
nd.func @readers(%x: tensor<4xf32>, %y: tensor<4xf32>) {
  %c = nd.constant <f32 2.0> : tensor<4xf32>
  %e = nd.mul %x, %y : tensor<4xf32>
  %a = nd.add %e, %c : tensor<4xf32>
  %r = nd.reverse %e axes <[0]> : tensor<4xf32> -> tensor<4xf32>
  %p = nd.exp %r : tensor<4xf32>
  nd.return %a, %r, %p : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}
// CHECK-LABEL: nd.func @readers
// CHECK-NEXT:    %e, %a = nd.kernel({{.*}} = %x : tensor<4xf32>, {{.*}} = %y : tensor<4xf32>) {
// CHECK-NEXT:      [[C:%\w+]] = nd.constant
// CHECK-NEXT:      [[M:%\w+]] = nd.mul
// CHECK-NEXT:      [[A:%\w+]] = nd.add [[M]], [[C]]
// CHECK-NEXT:      nd.yield [[M]], [[A]]
// CHECK:         %r = nd.kernel({{.*}} = %e : tensor<4xf32>) {
// CHECK-NEXT:      nd.reverse
// CHECK-NEXT:      nd.yield
// CHECK:         %p = nd.kernel([[E:%\d+]] = %e : tensor<4xf32>) {
// CHECK-NEXT:      [[R:%\w+]] = nd.reverse [[E]]
// CHECK-NEXT:      nd.exp [[R]]
// CHECK-NEXT:      nd.yield

// Not by one that waits for another reader of it, here for the sums. And what follows from a product is
// stored by the kernel of the product.
nd.func @not_a_result(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>, %w: tensor<8x8xf32>) {
  %n = nd.add %x, %y : tensor<4x8xf32>
  %r = nd.reduce_sum %n axes <[0]> : tensor<4x8xf32> -> tensor<8xf32>
  %t = nd.broadcast %r to <[4, 8]> axes <[1]> : tensor<8xf32> -> tensor<4x8xf32>
  %s = nd.add %n, %t : tensor<4x8xf32>
  %d = nd.dot %x, %w batch <0> over <[1]>, <[0]> : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  %z = nd.add %d, %x : tensor<4x8xf32>
  %m = nd.mul %z, %y : tensor<4x8xf32>
  nd.return %s, %z, %m : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
}
// CHECK-LABEL: nd.func @not_a_result
// CHECK-NEXT:    %n = nd.kernel
// CHECK:         %r = nd.kernel
// CHECK:         %s = nd.kernel
// CHECK:         %z = nd.kernel
// CHECK-NEXT:      nd.dot
// CHECK-NEXT:      nd.add
// CHECK-NEXT:      nd.yield
// CHECK:         %m = nd.kernel
// CHECK:         nd.return

// What is computed from one array, and is no dearer to read than its result, is computed by each of its
// readers: the product is not stored. The exponential is, and what is compared, which is shorter.
nd.func @again(%x: tensor<4xf32>, %y: tensor<4xf32>) {
  %c = nd.constant <f32 2.0> : tensor<4xf32>
  %p = nd.mul %x, %c : tensor<4xf32>
  %e = nd.exp %p : tensor<4xf32>
  %l = nd.le %x, %c : tensor<4xf32>, tensor<4xf32> -> tensor<4xi1>
  %a = nd.select %l, %p, %e : tensor<4xi1>, tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
  %b = nd.select %l, %e, %y : tensor<4xi1>, tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
  nd.return %a, %b : tensor<4xf32>, tensor<4xf32>
}
// CHECK-LABEL: nd.func @again
// CHECK-NEXT:    %e, %l, %a = nd.kernel([[X:%\d+]] = %x : tensor<4xf32>) {
// CHECK-NEXT:      nd.constant
// CHECK-NEXT:      [[P:%\w+]] = nd.mul [[X]]
// CHECK-NEXT:      nd.exp [[P]]
// CHECK:         %b = nd.kernel(

// A contraction reads each element many times. So movement and conversions go into it, and what has to
// be computed is stored before. Elementwise ops behind it, at the same index, are its epilogue.
nd.func @dense(%x: tensor<4x8xf32>, %w: tensor<4x8xf16>, %b: tensor<4xf32>) {
  %e = nd.exp %x : tensor<4x8xf32>
  %v = nd.convert %w to "f32" : tensor<4x8xf16> -> tensor<4x8xf32>
  %t = nd.transpose %v axes <[1, 0]> : tensor<4x8xf32> -> tensor<8x4xf32>
  %d = nd.dot %e, %t batch <0> over <[1]>, <[0]> : tensor<4x8xf32>, tensor<8x4xf32> -> tensor<4x4xf32>
  %bias = nd.broadcast %b to <[4, 4]> axes <[1]> : tensor<4xf32> -> tensor<4x4xf32>
  %s = nd.add %d, %bias : tensor<4x4xf32>
  %y = nd.tanh %s : tensor<4x4xf32>
  nd.return %y : tensor<4x4xf32>
}
// CHECK-LABEL: nd.func @dense
// CHECK-NEXT:    %e = nd.kernel({{.*}} = %x : tensor<4x8xf32>) {
// CHECK-NEXT:      nd.exp
// CHECK-NEXT:      nd.yield
// CHECK:         %y = nd.kernel({{.*}} = %w : tensor<4x8xf16>, {{.*}} = %e : tensor<4x8xf32>, {{.*}} = %b : tensor<4xf32>) {
// CHECK-NEXT:      nd.convert
// CHECK-NEXT:      nd.transpose
// CHECK-NEXT:      nd.dot
// CHECK-NEXT:      nd.broadcast
// CHECK-NEXT:      nd.add
// CHECK-NEXT:      nd.tanh
// CHECK-NEXT:      nd.yield

// At another index it would be no epilogue; nor do two contractions share a kernel.
nd.func @apart(%x: tensor<4x4xf32>) {
  %d = nd.dot %x, %x batch <0> over <[1]>, <[0]> : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %t = nd.transpose %d axes <[1, 0]> : tensor<4x4xf32> -> tensor<4x4xf32>
  %y = nd.tanh %t : tensor<4x4xf32>
  %g = nd.dot %x, %y batch <0> over <[1]>, <[0]> : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  nd.return %g : tensor<4x4xf32>
}
// CHECK-LABEL: nd.func @apart
// CHECK:         %d = nd.kernel(
// CHECK-NEXT:      nd.dot
// CHECK-NEXT:      nd.yield
// CHECK:         %y = nd.kernel(
// CHECK-NEXT:      nd.transpose
// CHECK-NEXT:      nd.tanh
// CHECK-NEXT:      nd.yield
// CHECK:         %g = nd.kernel(
// CHECK-NEXT:      nd.dot
// CHECK-NEXT:      nd.yield

// Softmax: all four steps work on one row after another and are one kernel. What is marked is stored
// inside of it, for a row at a time: folds whose result is read more than once, so that no fold stands
// in a fold, and the dear exponential, which a fold and the division read.
nd.func @softmax(%x: tensor<4x8xf32>) {
  %m = nd.reduce_max %x axes <[1]> : tensor<4x8xf32> -> tensor<4xf32>
  %a = nd.broadcast %m to <[4, 8]> axes <[0]> : tensor<4xf32> -> tensor<4x8xf32>
  %d = nd.sub %x, %a : tensor<4x8xf32>
  %e = nd.exp %d : tensor<4x8xf32>
  %s = nd.reduce_sum %e axes <[1]> : tensor<4x8xf32> -> tensor<4xf32>
  %b = nd.broadcast %s to <[4, 8]> axes <[0]> : tensor<4xf32> -> tensor<4x8xf32>
  %y = nd.div %e, %b : tensor<4x8xf32>
  nd.return %y : tensor<4x8xf32>
}
// CHECK-LABEL: nd.func @softmax
// CHECK-NEXT:    %y = nd.kernel([[X:%\d+]] = %x : tensor<4x8xf32>) {
// CHECK-NEXT:      nd.reduce_max [[X]] axes <[1]> {nd.keep} :
// CHECK-NEXT:      nd.broadcast
// CHECK-NEXT:      nd.sub {{.*}}, %{{\w+}} : tensor<4x8xf32>
// CHECK-NEXT:      nd.exp %{{\w+}} {nd.keep} :
// CHECK-NEXT:      nd.reduce_sum %{{\w+}} axes <[1]> {nd.keep} :
// CHECK-NEXT:      nd.broadcast
// CHECK-NEXT:      nd.div %{{\w+}}, %{{\w+}} : tensor<4x8xf32>
// CHECK-NEXT:      nd.yield

// A value that is cheap is computed again for the second reader of its row.
nd.func @variance(%x: tensor<4x8xf32>) {
  %m = nd.reduce_sum %x axes <[1]> : tensor<4x8xf32> -> tensor<4xf32>
  %a = nd.broadcast %m to <[4, 8]> axes <[0]> : tensor<4xf32> -> tensor<4x8xf32>
  %d = nd.sub %x, %a : tensor<4x8xf32>
  %q = nd.mul %d, %d : tensor<4x8xf32>
  %s = nd.reduce_sum %q axes <[1]> : tensor<4x8xf32> -> tensor<4xf32>
  %b = nd.broadcast %s to <[4, 8]> axes <[0]> : tensor<4xf32> -> tensor<4x8xf32>
  %y = nd.mul %d, %b : tensor<4x8xf32>
  nd.return %y : tensor<4x8xf32>
}
// CHECK-LABEL: nd.func @variance
// CHECK-NEXT:    %y = nd.kernel(
// CHECK-NEXT:      nd.reduce_sum %{{.*}} {nd.keep}
// CHECK-NEXT:      nd.broadcast
// CHECK-NEXT:      nd.sub %{{\w+}}, %{{\w+}} : tensor<4x8xf32>
// CHECK-NEXT:      nd.mul
// CHECK-NEXT:      nd.reduce_sum %{{.*}} {nd.keep}

// So it is where what is stored has been given another shape on the way to it.
nd.func @centred(%x: tensor<4x8xf32>) {
  %m = nd.reduce_sum %x axes <[1]> : tensor<4x8xf32> -> tensor<4xf32>
  %k = nd.reshape %m to <[4, 1]> : tensor<4xf32> -> tensor<4x1xf32>
  %h = nd.neg %k : tensor<4x1xf32>
  %l = nd.reshape %h to <[4]> : tensor<4x1xf32> -> tensor<4xf32>
  %a = nd.broadcast %l to <[4, 8]> axes <[0]> : tensor<4xf32> -> tensor<4x8xf32>
  %d = nd.sub %x, %a : tensor<4x8xf32>
  %q = nd.mul %d, %d : tensor<4x8xf32>
  %s = nd.reduce_sum %q axes <[1]> : tensor<4x8xf32> -> tensor<4xf32>
  %b = nd.broadcast %s to <[4, 8]> axes <[0]> : tensor<4xf32> -> tensor<4x8xf32>
  %y = nd.mul %d, %b : tensor<4x8xf32>
  nd.return %y : tensor<4x8xf32>
}
// CHECK-LABEL: nd.func @centred
// CHECK:           nd.neg %{{.*}} {nd.keep}
// CHECK:           nd.mul %{{\w+}}, %{{\w+}} : tensor<4x8xf32>
// CHECK-NEXT:      nd.reduce_sum %{{.*}} {nd.keep}

// Columns are no rows: their sums are complete only when all rows have been seen.
nd.func @columns(%x: tensor<4x8xf32>) {
  %s = nd.reduce_sum %x axes <[0]> : tensor<4x8xf32> -> tensor<8xf32>
  %a = nd.broadcast %s to <[4, 8]> axes <[1]> : tensor<8xf32> -> tensor<4x8xf32>
  %y = nd.div %x, %a : tensor<4x8xf32>
  nd.return %y : tensor<4x8xf32>
}
// CHECK-LABEL: nd.func @columns
// CHECK-NEXT:    %s = nd.kernel(
// CHECK-NEXT:      nd.reduce_sum
// CHECK-NEXT:      nd.yield
// CHECK:         %y = nd.kernel(
// CHECK-NEXT:      nd.broadcast
// CHECK-NEXT:      nd.div
// CHECK-NEXT:      nd.yield

// Whatever is elementwise before a reduction goes into it; a reduction of its result is the next kernel.
nd.func @sums(%x: tensor<8x16xf32>) {
  %e = nd.exp %x : tensor<8x16xf32>
  %s = nd.reduce_sum %e axes <[1]> : tensor<8x16xf32> -> tensor<8xf32>
  %t = nd.reduce_sum %s axes <[0]> : tensor<8xf32> -> tensor<f32>
  nd.return %t : tensor<f32>
}
// CHECK-LABEL: nd.func @sums
// CHECK-NEXT:    %s = nd.kernel(
// CHECK-NEXT:      nd.exp
// CHECK-NEXT:      nd.reduce_sum
// CHECK-NEXT:      nd.yield
// CHECK:         %t = nd.kernel(
// CHECK-NEXT:      nd.reduce_sum
// CHECK-NEXT:      nd.yield

// Reductions that share what they fold are one kernel with several results. Even a dear value is not
// stored: there will be one fold.
nd.func @side_by_side(%x: tensor<8x4xf32>) {
  %e = nd.exp %x : tensor<8x4xf32>
  %s = nd.reduce_sum %e axes <[1]> : tensor<8x4xf32> -> tensor<8xf32>
  %n = nd.neg %s : tensor<8xf32>
  %p = nd.mul %e, %x : tensor<8x4xf32>
  %t = nd.reduce_sum %p axes <[1]> : tensor<8x4xf32> -> tensor<8xf32>
  nd.return %n, %t : tensor<8xf32>, tensor<8xf32>
}
// CHECK-LABEL: nd.func @side_by_side
// CHECK-NEXT:    %n, %t = nd.kernel([[X:%\d+]] = %x : tensor<8x4xf32>) {
// CHECK-NEXT:      [[E:%\w+]] = nd.exp [[X]] : tensor<8x4xf32>
// CHECK-NEXT:      [[S:%\w+]] = nd.reduce_sum [[E]] axes <[1]> :
// CHECK-NEXT:      [[N:%\w+]] = nd.neg [[S]] :
// CHECK-NEXT:      [[P:%\w+]] = nd.mul [[E]], [[X]] :
// CHECK-NEXT:      [[T:%\w+]] = nd.reduce_sum [[P]] axes <[1]> :
// CHECK-NEXT:      nd.yield [[N]], [[T]] : tensor<8xf32>, tensor<8xf32>

// A reduction of a few neighbours is written out for each term of the next one.
nd.func @short(%x: tensor<8x4xf32>) {
  %e = nd.exp %x : tensor<8x4xf32>
  %s = nd.reduce_sum %e axes <[1]> : tensor<8x4xf32> -> tensor<8xf32>
  %t = nd.reduce_sum %s axes <[0]> : tensor<8xf32> -> tensor<f32>
  nd.return %t : tensor<f32>
}
// CHECK-LABEL: nd.func @short
// CHECK-NEXT:    %t = nd.kernel(
// CHECK-NEXT:      nd.exp
// CHECK-NEXT:      nd.reduce_sum %{{\w+}} axes <[1]> : tensor<8x4xf32>
// CHECK-NEXT:      nd.reduce_sum
// CHECK-NEXT:      nd.yield

// The dear value is stored in the kernel, and not computed under the pad's condition.
nd.func @padded(%x: tensor<8xf32>) {
  %c = nd.constant <f32 1.0> : tensor<f32>
  %e = nd.exp %x : tensor<8xf32>
  %p = nd.pad %e with %c low <[1]> high <[1]> interior <[0]> : tensor<8xf32>, tensor<f32> -> tensor<10xf32>
  nd.return %p : tensor<10xf32>
}
// CHECK-LABEL: nd.func @padded
// CHECK:         nd.exp %{{\d+}} {nd.keep}
// CHECK-NEXT:    nd.pad

// Three steps of a stencil. Read through, the first would be computed at five places for each result,
// with more steps, or on a plane, at many more: what is read along more than four ways is stored.
nd.func @stencil(%x: tensor<14xf32>) {
  %a0 = nd.slice %x from <[0]> to <[12]> step <[1]> : tensor<14xf32> -> tensor<12xf32>
  %a1 = nd.slice %x from <[1]> to <[12]> step <[1]> : tensor<14xf32> -> tensor<12xf32>
  %a2 = nd.slice %x from <[2]> to <[12]> step <[1]> : tensor<14xf32> -> tensor<12xf32>
  %a = nd.add %a0, %a1 : tensor<12xf32>
  %first = nd.mul %a, %a2 : tensor<12xf32>
  %b0 = nd.slice %first from <[0]> to <[10]> step <[1]> : tensor<12xf32> -> tensor<10xf32>
  %b1 = nd.slice %first from <[1]> to <[10]> step <[1]> : tensor<12xf32> -> tensor<10xf32>
  %b2 = nd.slice %first from <[2]> to <[10]> step <[1]> : tensor<12xf32> -> tensor<10xf32>
  %b = nd.add %b0, %b1 : tensor<10xf32>
  %second = nd.mul %b, %b2 : tensor<10xf32>
  %c0 = nd.slice %second from <[0]> to <[8]> step <[1]> : tensor<10xf32> -> tensor<8xf32>
  %c1 = nd.slice %second from <[1]> to <[8]> step <[1]> : tensor<10xf32> -> tensor<8xf32>
  %c2 = nd.slice %second from <[2]> to <[8]> step <[1]> : tensor<10xf32> -> tensor<8xf32>
  %c = nd.add %c0, %c1 : tensor<8xf32>
  %third = nd.mul %c, %c2 : tensor<8xf32>
  nd.return %third : tensor<8xf32>
}
// CHECK-LABEL: nd.func @stencil
// CHECK-NEXT:    %first = nd.kernel({{.*}} = %x : tensor<14xf32>) {
// CHECK:         %third = nd.kernel({{.*}} = %first : tensor<12xf32>) {
// CHECK-NOT:     nd.kernel
// CHECK:         nd.return %third

// A cumulative op goes through a row in order, with elementwise ops before and behind it.
nd.func @running(%x: tensor<4x8xf32>) {
  %e = nd.exp %x : tensor<4x8xf32>
  %s = nd.cumsum %e axis <1> reverse <0> : tensor<4x8xf32> -> tensor<4x8xf32>
  %y = nd.log %s : tensor<4x8xf32>
  nd.return %y : tensor<4x8xf32>
}
// CHECK-LABEL: nd.func @running
// CHECK-NEXT:    %y = nd.kernel(
// CHECK-NEXT:      nd.exp
// CHECK-NEXT:      nd.cumsum
// CHECK-NEXT:      nd.log
// CHECK-NEXT:      nd.yield

// A sort is a kernel, and has it for itself.
nd.func @sorted(%x: tensor<8xf32>) {
  %e = nd.exp %x : tensor<8xf32>
  %s = nd.sort %e axis <0> : (tensor<8xf32>) -> tensor<8xf32>
  %y = nd.log %s : tensor<8xf32>
  nd.return %y : tensor<8xf32>
}
// CHECK-LABEL: nd.func @sorted
// CHECK-NEXT:    %e = nd.kernel(
// CHECK:         %s = nd.kernel({{.*}} = %e : tensor<8xf32>) {
// CHECK-NEXT:      nd.sort
// CHECK-NEXT:      nd.yield
// CHECK:         %y = nd.kernel({{.*}} = %s : tensor<8xf32>) {

// An op that is no function of an index stands by itself between kernels; host code does it.
nd.func @opaque(%x: tensor<8xf32>, %i: tensor<3xi64>, %u: tensor<3xf32>) {
  %e = nd.exp %x : tensor<8xf32>
  %s = nd.scatter_add %e at %i add %u batch <0> : tensor<8xf32>, tensor<3xi64>, tensor<3xf32> -> tensor<8xf32>
  %y = nd.log %s : tensor<8xf32>
  nd.return %y : tensor<8xf32>
}
// CHECK-LABEL: nd.func @opaque
// CHECK-NEXT:    %e = nd.kernel(
// CHECK:         %s = nd.scatter_add %e at %i add %u
// CHECK-NEXT:    %y = nd.kernel({{.*}} = %s

// An op that changes part of an operand is a function of an index, and would be a kernel that copies the
// rest. Where the operand is in memory and nobody reads it later, it is carried out there instead: here
// on what a loop carries, but not on an argument, which is the caller's.
nd.func @cache(%c: tensor<i1>, %x: tensor<8xf32>, %u: tensor<1xf32>, %s: tensor<i64>) {
  %first = nd.dynamic_update_slice %x from %s with %u : (tensor<8xf32>, tensor<1xf32>, tensor<i64>) -> tensor<8xf32>
  %y = nd.while constants <3>(%c, %u, %s, %first) {
  ^bb0(%a: tensor<i1>, %b: tensor<1xf32>, %d: tensor<i64>, %e: tensor<8xf32>):
    nd.yield %a : tensor<i1>
  } do {
  ^bb0(%f: tensor<i1>, %g: tensor<1xf32>, %h: tensor<i64>, %k: tensor<8xf32>):
    %next = nd.dynamic_update_slice %k from %h with %g : (tensor<8xf32>, tensor<1xf32>, tensor<i64>) -> tensor<8xf32>
    nd.yield %next : tensor<8xf32>
  } : (tensor<i1>, tensor<1xf32>, tensor<i64>, tensor<8xf32>) -> tensor<8xf32>
  nd.return %y : tensor<8xf32>
}
// CHECK-LABEL: nd.func @cache
// CHECK-NEXT:    %first = nd.kernel(
// CHECK-NEXT:      nd.dynamic_update_slice
// CHECK:         nd.while
// CHECK:         ^bb0(%f:
// CHECK-NEXT:      %next = nd.dynamic_update_slice %k

// Programs within ops have kernels of their own, which no kernel crosses; what they pass on is stored.
nd.func @bodies(%c: tensor<i1>, %x: tensor<4xf32>) {
  %e = nd.exp %x : tensor<4xf32>
  %y = nd.if %c(%e) {
  ^bb0(%u: tensor<4xf32>):
    %s = nd.sin %u : tensor<4xf32>
    nd.yield %s : tensor<4xf32>
  } else {
  ^bb0(%v: tensor<4xf32>):
    nd.yield %v : tensor<4xf32>
  } : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  nd.return %y : tensor<4xf32>
}
// CHECK-LABEL: nd.func @bodies
// CHECK-NEXT:    %e = nd.kernel(
// CHECK:         nd.if %c(%e) {
// CHECK-NEXT:    ^bb0(%u: tensor<4xf32>):
// CHECK-NEXT:      %s = nd.kernel({{.*}} = %u
// CHECK:           nd.yield %s

// A result that is a number everywhere is written by a kernel without operands; an argument that is
// returned as it is, by none.
nd.func @given(%x: tensor<8xf32>) {
  %c = nd.constant <f32 1.0> : tensor<8xf32>
  nd.return %c, %x : tensor<8xf32>, tensor<8xf32>
}
// CHECK-LABEL: nd.func @given
// CHECK-NEXT:    %c = nd.kernel() {
// CHECK:         nd.return %c, %x

// The weight of a pair is the same for the three coordinates: it is not stored, since their sums are
// folds side by side, which share it.
nd.func @pulled(%x: tensor<8x8x3xf32>, %m: tensor<8x8xf32>) {
  %r = nd.sqrt %m : tensor<8x8xf32>
  %w = nd.broadcast %r to <[8, 8, 3]> axes <[0, 1]> : tensor<8x8xf32> -> tensor<8x8x3xf32>
  %p = nd.mul %w, %x : tensor<8x8x3xf32>
  %s = nd.reduce_sum %p axes <[1]> : tensor<8x8x3xf32> -> tensor<8x3xf32>
  nd.return %s : tensor<8x3xf32>
}
// CHECK-LABEL: nd.func @pulled
// CHECK:         nd.sqrt
// CHECK-NOT:     nd.keep
// CHECK:         nd.reduce_sum %{{.*}} axes <[1]> {nd.spread}

// A loop for each element is read through where it starts, and where it is read at the same index.
nd.func @loops(%x: tensor<8xf32>) {
  %e = nd.exp %x : tensor<8xf32>
  %y = nd.while constants <0>(%e) {
  ^bb0(%a: tensor<8xf32>):
    %one = nd.constant <f32 1.0> : tensor<8xf32>
    %c = nd.gt %a, %one : tensor<8xf32>, tensor<8xf32> -> tensor<8xi1>
    nd.yield %c : tensor<8xi1>
  } do {
  ^bb0(%b: tensor<8xf32>):
    %h = nd.sqrt %b : tensor<8xf32>
    nd.yield %h : tensor<8xf32>
  } {nd.separate} : (tensor<8xf32>) -> tensor<8xf32>
  %n = nd.neg %y : tensor<8xf32>
  nd.return %n : tensor<8xf32>
}
// CHECK-LABEL: nd.func @loops
// CHECK-NEXT:    %n = nd.kernel(
// CHECK:           nd.exp
// CHECK:           nd.while
// CHECK-NOT:         nd.kernel
// CHECK:           nd.neg
// CHECK:         nd.return %n
// Attention: what follows from the scores row by row, up to the sums that they weigh, is one kernel,
// which keeps some rows of the scores and of the weights. The mask is computed with the scores.
nd.func @attention<S: 1>(%q: tensor<?x8xf32, #nd.info<dims = [S, 8]>>, %k: tensor<?x8xf32, #nd.info<dims = [S, 8]>>, %v: tensor<?x8xf32, #nd.info<dims = [S, 8]>>) {
  %s = nd.dot %q, %k batch <0> over <[1]>, <[1]> : tensor<?x8xf32, #nd.info<dims = [S, 8]>>, tensor<?x8xf32, #nd.info<dims = [S, 8]>> -> tensor<?x?xf32, #nd.info<dims = [S, S]>>
  %i = nd.iota "i64" <[S, S]> axis <0> : tensor<?x?xi64, #nd.info<dims = [S, S]>>
  %j = nd.iota "i64" <[S, S]> axis <1> : tensor<?x?xi64, #nd.info<dims = [S, S]>>
  %c = nd.ge %i, %j : tensor<?x?xi64, #nd.info<dims = [S, S]>>, tensor<?x?xi64, #nd.info<dims = [S, S]>> -> tensor<?x?xi1, #nd.info<dims = [S, S]>>
  %never = nd.constant <f32 -inf> : tensor<?x?xf32, #nd.info<dims = [S, S]>>
  %m = nd.select %c, %s, %never : tensor<?x?xi1, #nd.info<dims = [S, S]>>, tensor<?x?xf32, #nd.info<dims = [S, S]>>, tensor<?x?xf32, #nd.info<dims = [S, S]>> -> tensor<?x?xf32, #nd.info<dims = [S, S]>>
  %e = nd.exp %m : tensor<?x?xf32, #nd.info<dims = [S, S]>>
  %t = nd.reduce_sum %e axes <[1]> : tensor<?x?xf32, #nd.info<dims = [S, S]>> -> tensor<?xf32, #nd.info<dims = [S]>>
  %b = nd.broadcast %t to <[S, S]> axes <[0]> : tensor<?xf32, #nd.info<dims = [S]>> -> tensor<?x?xf32, #nd.info<dims = [S, S]>>
  %w = nd.div %e, %b : tensor<?x?xf32, #nd.info<dims = [S, S]>>
  %y = nd.dot %w, %v batch <0> over <[1]>, <[0]> : tensor<?x?xf32, #nd.info<dims = [S, S]>>, tensor<?x8xf32, #nd.info<dims = [S, 8]>> -> tensor<?x8xf32, #nd.info<dims = [S, 8]>>
  nd.return %y : tensor<?x8xf32, #nd.info<dims = [S, 8]>>
}
// CHECK-LABEL: nd.func @attention
// CHECK-NEXT:    %y = nd.kernel(
// CHECK-NEXT:      nd.dot
// CHECK:           nd.ge
// CHECK:           nd.select
// CHECK-NEXT:      nd.exp %{{\w+}} {nd.keep}
// CHECK-NEXT:      nd.reduce_sum %{{\w+}} axes <[1]> {nd.keep}
// CHECK-NEXT:      nd.broadcast
// CHECK-NEXT:      nd.div %{{\w+}}, %{{\w+}} {nd.keep}
// CHECK-NEXT:      nd.dot
// CHECK-NEXT:      nd.yield %y
// CHECK-NOT:     nd.kernel
// CHECK:         nd.return %y
