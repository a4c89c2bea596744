// RUN: stepwell-opt %s -p choose-plans,expand-plans | filecheck %s

// Four steps. Between two of them lie 9 rows, each of which is 16 longer than those of the arrays, and
// 16 elements more. Each of two bands takes 32 rows, and those behind them that these need.
loop.kernel @steps(%x: !loop.buffer<[64, 256] x f32>) -> (%y: !loop.buffer<[64, 256] x f32>) plan <wave, rows = 8, band = 32> {
  %a = loop.local : !loop.buffer<[64, 256] x f32>
  %b = loop.local : !loop.buffer<[64, 256] x f32>
  %c = loop.local : !loop.buffer<[64, 256] x f32>
  loop.nest [%i : 64, %j : 256] {
    %k = loop.index %i
    %end = loop.index 63
    %in = loop.compare lt %k, %end : index
    %v = loop.read %x[%i, %j] : f32
    %w = loop.read %x[%i + 1, %j] where %in : f32
    %s = arith.addf %v, %w : f32
    loop.write %s, %a[%i, %j] : f32
  }
  loop.nest [%i : 64, %j : 256] {
    %k = loop.index %i
    %end = loop.index 63
    %in = loop.compare lt %k, %end : index
    %v = loop.read %a[%i, %j] : f32
    %w = loop.read %a[%i + 1, %j] where %in : f32
    %s = arith.addf %v, %w : f32
    loop.write %s, %b[%i, %j] : f32
  }
  loop.nest [%i : 64, %j : 256] {
    %k = loop.index %i
    %end = loop.index 63
    %in = loop.compare lt %k, %end : index
    %v = loop.read %b[%i, %j] : f32
    %w = loop.read %b[%i + 1, %j] where %in : f32
    %s = arith.addf %v, %w : f32
    loop.write %s, %c[%i, %j] : f32
  }
  loop.nest [%i : 64, %j : 256] {
    %k = loop.index %i
    %end = loop.index 63
    %in = loop.compare lt %k, %end : index
    %v = loop.read %c[%i, %j] : f32
    %w = loop.read %c[%i + 1, %j] where %in : f32
    %s = arith.addf %v, %w : f32
    loop.write %s, %y[%i, %j] : f32
  }
}
// CHECK-LABEL: loop.kernel @steps
// CHECK:         loop.parallel [[band:%\w+]] to
// CHECK-NEXT:      [[place:%\w+]] = loop.index (29568) * [[band]]
// CHECK-NEXT:      [[rings:%\w+]] = loop.view %{{\w+}}{{\[}}[[place]]] : !loop.buffer<[59136] x i8> to !loop.buffer<[7392] x f32>
// CHECK:           loop.for [[row:%\w+]] = %{{\w+}} to %{{\w+}} step 8 {

// Vector by vector: if all of 8 rows are due, and the condition holds at the corners, four rows share
// what they load, and do not ask.
// CHECK:             loop.for %{{\w+}} = %{{\w+}} to %{{\w+}} step 16 {
// CHECK:             loop.if
// CHECK-NEXT:          loop.for %{{\w+}} = %{{\w+}} to %{{\w+}} step 4 {
// CHECK-NOT:             loop.compare
// CHECK-COUNT-5:         loop.load %x[%{{\w+}}] : !loop.buffer<[64, 256] x f32> to vector<16xf32>
// CHECK-NOT:             loop.load
// CHECK-COUNT-4:         loop.store %{{\w+}}, [[rings]]
// CHECK:             } else {
// CHECK:             loop.load %x[%{{\w+}}] where

// The second and the third step are alike but for their rings: one loop writes both.
// CHECK:             loop.for [[step:%\w+]] = %{{\w+}} to %{{\w+}} step 1 {
// CHECK:               [[ring:%\w+]] = loop.index (2464) * [[step]]
// CHECK:               loop.load [[rings]]
// CHECK:               loop.store %{{\w+}}, [[rings]]

// What the step has read and reads again goes to the front of its ring: a row of 272.
// CHECK:               [[front:%\w+]] = loop.index [[ring]] + -2464
// CHECK:               [[behind:%\w+]] = loop.index [[front]] + 272
// CHECK:               loop.for [[at:%\w+]] = [[front]] to [[behind]] step 16 {
// CHECK:                 [[old:%\w+]] = loop.index [[at]] + 2176
// CHECK:                 [[v:%\w+]] = loop.load [[rings]][[[old]]]
// CHECK:                 loop.store [[v]], [[rings]][[[at]]]

// CHECK:               loop.store %{{\w+}}, %y
