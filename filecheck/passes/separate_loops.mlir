// RUN: stepwell-opt %s -p separate-loops | filecheck %s

// The condition is that of each element. Nothing looks at another one, so that each goes by itself.
nd.func @alone(%x: tensor<5xf32>, %c: tensor<f32>) {
  %y = nd.while constants <1>(%c, %x) {
  ^bb0(%d: tensor<f32>, %a: tensor<5xf32>):
    %four = nd.constant <f32 4.0> : tensor<5xf32>
    %near = nd.lt %a, %four : tensor<5xf32>, tensor<5xf32> -> tensor<5xi1>
    nd.yield %near : tensor<5xi1>
  } do {
  ^bb0(%e: tensor<f32>, %b: tensor<5xf32>):
    %f = nd.broadcast %e to <[5]> axes <[]> : tensor<f32> -> tensor<5xf32>
    %next = nd.add %b, %f : tensor<5xf32>
    nd.yield %next : tensor<5xf32>
  } : (tensor<f32>, tensor<5xf32>) -> tensor<5xf32>
  nd.return %y : tensor<5xf32>
}
// CHECK-LABEL: nd.func @alone
// CHECK:         nd.while
// CHECK-NOT:       nd.reduce_max
// CHECK:         {nd.separate}

// A neighbour is read: there is one loop, which goes on while any condition holds. What does not
// go on stays.
nd.func @together(%x: tensor<5xf32>) {
  %y = nd.while constants <0>(%x) {
  ^bb0(%a: tensor<5xf32>):
    %four = nd.constant <f32 4.0> : tensor<5xf32>
    %near = nd.lt %a, %four : tensor<5xf32>, tensor<5xf32> -> tensor<5xi1>
    nd.yield %near : tensor<5xi1>
  } do {
  ^bb0(%b: tensor<5xf32>):
    %c = nd.reverse %b axes <[0]> : tensor<5xf32> -> tensor<5xf32>
    nd.yield %c : tensor<5xf32>
  } : (tensor<5xf32>) -> tensor<5xf32>
  nd.return %y : tensor<5xf32>
}
// CHECK-LABEL: nd.func @together
// CHECK:         nd.while
// CHECK:           nd.reduce_max %{{.*}} axes <[0]> : tensor<5xi1> -> tensor<i1>
// CHECK:         do
// CHECK:         ^bb0([[old:%\w+]]: tensor<5xf32>):
// CHECK:           [[holds:%\w+]] = nd.lt [[old]]
// CHECK:           [[new:%\w+]] = nd.reverse [[old]]
// CHECK:           nd.select [[holds]], [[new]], [[old]]
// CHECK-NOT:     nd.separate
// CHECK:         nd.return

// What is carried for each row is the same for all elements of the row.
nd.func @rows(%x: tensor<3x5xf32>, %n: tensor<3xi32>) {
  %m, %y = nd.while constants <0>(%n, %x) {
  ^bb0(%k: tensor<3xi32>, %a: tensor<3x5xf32>):
    %zero = nd.constant <i32 0> : tensor<3xi32>
    %more = nd.gt %k, %zero : tensor<3xi32>, tensor<3xi32> -> tensor<3xi1>
    nd.yield %more : tensor<3xi1>
  } do {
  ^bb0(%l: tensor<3xi32>, %b: tensor<3x5xf32>):
    %one = nd.constant <i32 1> : tensor<3xi32>
    %less = nd.sub %l, %one : tensor<3xi32>
    %f = nd.convert %l to "f32" : tensor<3xi32> -> tensor<3xf32>
    %g = nd.broadcast %f to <[3, 5]> axes <[0]> : tensor<3xf32> -> tensor<3x5xf32>
    %next = nd.mul %b, %g : tensor<3x5xf32>
    nd.yield %less, %next : tensor<3xi32>, tensor<3x5xf32>
  } : (tensor<3xi32>, tensor<3x5xf32>) -> (tensor<3xi32>, tensor<3x5xf32>)
  nd.return %y : tensor<3x5xf32>
}
// CHECK-LABEL: nd.func @rows
// CHECK:         {nd.separate}

// A scan that only repeats its body counts.
nd.func @counted(%x: tensor<5xf32>) {
  %y = nd.scan constants <0> carried <1> length <7> reverse <0>(%x) {
  ^bb0(%a: tensor<5xf32>):
    %b = nd.mul %a, %a : tensor<5xf32>
    nd.yield %b : tensor<5xf32>
  } : (tensor<5xf32>) -> tensor<5xf32>
  nd.return %y : tensor<5xf32>
}
// CHECK-LABEL: nd.func @counted
// CHECK:         [[start:%\d+]] = nd.constant <i32 0> : tensor<i32>
// CHECK:         nd.while constants <0>(%x, [[start]]) {
// CHECK:           nd.constant <i32 7>
// CHECK:           nd.lt
// CHECK:         {nd.separate}

// It is what it was where its elements meet, or are looked at on the way.
nd.func @scans(%x: tensor<5xf32>) {
  %y = nd.scan constants <0> carried <1> length <7> reverse <0>(%x) {
  ^bb0(%a: tensor<5xf32>):
    %b = nd.reverse %a axes <[0]> : tensor<5xf32> -> tensor<5xf32>
    nd.yield %b : tensor<5xf32>
  } : (tensor<5xf32>) -> tensor<5xf32>
  %z, %w = nd.scan constants <0> carried <1> length <7> reverse <0>(%x) {
  ^bb0(%a: tensor<5xf32>):
    %b = nd.mul %a, %a : tensor<5xf32>
    nd.yield %b, %a : tensor<5xf32>, tensor<5xf32>
  } : (tensor<5xf32>) -> (tensor<5xf32>, tensor<7x5xf32>)
  nd.return %y, %w : tensor<5xf32>, tensor<7x5xf32>
}
// CHECK-LABEL: nd.func @scans
// CHECK-COUNT-2: nd.scan
// CHECK-NOT:     nd.separate
