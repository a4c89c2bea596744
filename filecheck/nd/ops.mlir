// RUN: STEPWELL_ROUNDTRIP
// RUN: STEPWELL_GENERIC_ROUNDTRIP

// Elementwise ops of one operand, whose type is the result's.
nd.func @unary(%x: tensor<4xf32>, %n: tensor<4xi32>) {
  %neg = nd.neg %x : tensor<4xf32>
  %abs = nd.abs %x : tensor<4xf32>
  %sign = nd.sign %x : tensor<4xf32>
  %exp = nd.exp %x : tensor<4xf32>
  %log = nd.log %x : tensor<4xf32>
  %sqrt = nd.sqrt %x : tensor<4xf32>
  %rsqrt = nd.rsqrt %x : tensor<4xf32>
  %sin = nd.sin %x : tensor<4xf32>
  %cos = nd.cos %x : tensor<4xf32>
  %tanh = nd.tanh %x : tensor<4xf32>
  %erf = nd.erf %x : tensor<4xf32>
  %floor = nd.floor %x : tensor<4xf32>
  %not = nd.not %n : tensor<4xi32>
  nd.return
}
// CHECK:       nd.func @unary(%x: tensor<4xf32>, %n: tensor<4xi32>) {
// CHECK-NEXT:    %neg = nd.neg %x : tensor<4xf32>
// CHECK-NEXT:    %abs = nd.abs %x : tensor<4xf32>
// CHECK-NEXT:    %sign = nd.sign %x : tensor<4xf32>
// CHECK-NEXT:    %exp = nd.exp %x : tensor<4xf32>
// CHECK-NEXT:    %log = nd.log %x : tensor<4xf32>
// CHECK-NEXT:    %sqrt = nd.sqrt %x : tensor<4xf32>
// CHECK-NEXT:    %rsqrt = nd.rsqrt %x : tensor<4xf32>
// CHECK-NEXT:    %sin = nd.sin %x : tensor<4xf32>
// CHECK-NEXT:    %cos = nd.cos %x : tensor<4xf32>
// CHECK-NEXT:    %tanh = nd.tanh %x : tensor<4xf32>
// CHECK-NEXT:    %erf = nd.erf %x : tensor<4xf32>
// CHECK-NEXT:    %floor = nd.floor %x : tensor<4xf32>
// CHECK-NEXT:    %not = nd.not %n : tensor<4xi32>
// CHECK-NEXT:    nd.return
// CHECK-NEXT:  }

// Conversion names the dtype as Python does; there are nine. In the IR bool is i1, and u8 is ui8.
nd.func @convert(%x: tensor<4xf32>) {
  %bool = nd.convert %x to "bool" : tensor<4xf32> -> tensor<4xi1>
  %i32 = nd.convert %x to "i32" : tensor<4xf32> -> tensor<4xi32>
  %i64 = nd.convert %x to "i64" : tensor<4xf32> -> tensor<4xi64>
  %u8 = nd.convert %x to "u8" : tensor<4xf32> -> tensor<4xui8>
  %f16 = nd.convert %x to "f16" : tensor<4xf32> -> tensor<4xf16>
  %bf16 = nd.convert %x to "bf16" : tensor<4xf32> -> tensor<4xbf16>
  %f64 = nd.convert %x to "f64" : tensor<4xf32> -> tensor<4xf64>
  %f32 = nd.convert %f64 to "f32" : tensor<4xf64> -> tensor<4xf32>
  nd.return
}
// CHECK:       nd.func @convert(%x: tensor<4xf32>) {
// CHECK-NEXT:    %bool = nd.convert %x to "bool" : tensor<4xf32> -> tensor<4xi1>
// CHECK-NEXT:    %i32 = nd.convert %x to "i32" : tensor<4xf32> -> tensor<4xi32>
// CHECK-NEXT:    %i64 = nd.convert %x to "i64" : tensor<4xf32> -> tensor<4xi64>
// CHECK-NEXT:    %u8 = nd.convert %x to "u8" : tensor<4xf32> -> tensor<4xui8>
// CHECK-NEXT:    %f16 = nd.convert %x to "f16" : tensor<4xf32> -> tensor<4xf16>
// CHECK-NEXT:    %bf16 = nd.convert %x to "bf16" : tensor<4xf32> -> tensor<4xbf16>
// CHECK-NEXT:    %f64 = nd.convert %x to "f64" : tensor<4xf32> -> tensor<4xf64>
// CHECK-NEXT:    %f32 = nd.convert %f64 to "f32" : tensor<4xf64> -> tensor<4xf32>
// CHECK-NEXT:    nd.return
// CHECK-NEXT:  }

// Elementwise ops of two operands of one type: nothing broadcasts or converts by itself.
nd.func @binary(%x: tensor<4xf32>, %y: tensor<4xf32>, %m: tensor<4xi32>, %n: tensor<4xi32>) {
  %add = nd.add %x, %y : tensor<4xf32>
  %sub = nd.sub %x, %y : tensor<4xf32>
  %mul = nd.mul %x, %y : tensor<4xf32>
  %div = nd.div %x, %y : tensor<4xf32>
  %pow = nd.pow %x, %y : tensor<4xf32>
  %max = nd.max %x, %y : tensor<4xf32>
  %min = nd.min %x, %y : tensor<4xf32>
  %and = nd.and %m, %n : tensor<4xi32>
  %or = nd.or %m, %n : tensor<4xi32>
  %left = nd.shift_left %m, %n : tensor<4xi32>
  %right = nd.shift_right %m, %n : tensor<4xi32>
  nd.return
}
// CHECK:       nd.func @binary(%x: tensor<4xf32>, %y: tensor<4xf32>, %m: tensor<4xi32>, %n: tensor<4xi32>) {
// CHECK-NEXT:    %add = nd.add %x, %y : tensor<4xf32>
// CHECK-NEXT:    %sub = nd.sub %x, %y : tensor<4xf32>
// CHECK-NEXT:    %mul = nd.mul %x, %y : tensor<4xf32>
// CHECK-NEXT:    %div = nd.div %x, %y : tensor<4xf32>
// CHECK-NEXT:    %pow = nd.pow %x, %y : tensor<4xf32>
// CHECK-NEXT:    %max = nd.max %x, %y : tensor<4xf32>
// CHECK-NEXT:    %min = nd.min %x, %y : tensor<4xf32>
// CHECK-NEXT:    %and = nd.and %m, %n : tensor<4xi32>
// CHECK-NEXT:    %or = nd.or %m, %n : tensor<4xi32>
// CHECK-NEXT:    %left = nd.shift_left %m, %n : tensor<4xi32>
// CHECK-NEXT:    %right = nd.shift_right %m, %n : tensor<4xi32>
// CHECK-NEXT:    nd.return
// CHECK-NEXT:  }

// Comparisons give truth values, by which `select` chooses.
nd.func @compare(%x: tensor<4xf32>, %y: tensor<4xf32>) {
  %eq = nd.eq %x, %y : tensor<4xf32>, tensor<4xf32> -> tensor<4xi1>
  %ne = nd.ne %x, %y : tensor<4xf32>, tensor<4xf32> -> tensor<4xi1>
  %lt = nd.lt %x, %y : tensor<4xf32>, tensor<4xf32> -> tensor<4xi1>
  %le = nd.le %x, %y : tensor<4xf32>, tensor<4xf32> -> tensor<4xi1>
  %gt = nd.gt %x, %y : tensor<4xf32>, tensor<4xf32> -> tensor<4xi1>
  %ge = nd.ge %x, %y : tensor<4xf32>, tensor<4xf32> -> tensor<4xi1>
  %select = nd.select %lt, %x, %y : tensor<4xi1>, tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
  nd.return
}
// CHECK:       nd.func @compare(%x: tensor<4xf32>, %y: tensor<4xf32>) {
// CHECK-NEXT:    %eq = nd.eq %x, %y : tensor<4xf32>, tensor<4xf32> -> tensor<4xi1>
// CHECK-NEXT:    %ne = nd.ne %x, %y : tensor<4xf32>, tensor<4xf32> -> tensor<4xi1>
// CHECK-NEXT:    %lt = nd.lt %x, %y : tensor<4xf32>, tensor<4xf32> -> tensor<4xi1>
// CHECK-NEXT:    %le = nd.le %x, %y : tensor<4xf32>, tensor<4xf32> -> tensor<4xi1>
// CHECK-NEXT:    %gt = nd.gt %x, %y : tensor<4xf32>, tensor<4xf32> -> tensor<4xi1>
// CHECK-NEXT:    %ge = nd.ge %x, %y : tensor<4xf32>, tensor<4xf32> -> tensor<4xi1>
// CHECK-NEXT:    %select = nd.select %lt, %x, %y : tensor<4xi1>, tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
// CHECK-NEXT:    nd.return
// CHECK-NEXT:  }

// Movement. Sizes are expressions over the symbols that the function binds, with their ranges: B is at
// least 1, S from 1 to 2048. What a tensor type cannot say of them stands in its encoding.
nd.func @movement<B: 1, S: 1 to 2048>(%x: tensor<?x?x4xf32, #nd.info<dims = [B, S, 4]>>, %v: tensor<4xf32>) {
  %broadcast = nd.broadcast %v to <[B, S, 4]> axes <[2]> : tensor<4xf32> -> tensor<?x?x4xf32, #nd.info<dims = [B, S, 4]>>
  %reshape = nd.reshape %x to <[B*S, 2, 2]> : tensor<?x?x4xf32, #nd.info<dims = [B, S, 4]>> -> tensor<?x2x2xf32, #nd.info<dims = [B*S, 2, 2]>>
  %transpose = nd.transpose %x axes <[2, 0, 1]> : tensor<?x?x4xf32, #nd.info<dims = [B, S, 4]>> -> tensor<4x?x?xf32, #nd.info<dims = [4, B, S]>>
  %slice = nd.slice %x from <[0, 0, 1]> to <[B, S, 2]> step <[1, 1, 2]> : tensor<?x?x4xf32, #nd.info<dims = [B, S, 4]>> -> tensor<?x?x2xf32, #nd.info<dims = [B, S, 2]>>
  %reverse = nd.reverse %x axes <[0, 2]> : tensor<?x?x4xf32, #nd.info<dims = [B, S, 4]>> -> tensor<?x?x4xf32, #nd.info<dims = [B, S, 4]>>
  nd.return
}
// CHECK:       nd.func @movement<B: 1, S: 1 to 2048>(%x: tensor<?x?x4xf32, #nd.info<dims = [B, S, 4]>>, %v: tensor<4xf32>) {
// CHECK-NEXT:    %broadcast = nd.broadcast %v to <[B, S, 4]> axes <[2]> : tensor<4xf32> -> tensor<?x?x4xf32, #nd.info<dims = [B, S, 4]>>
// CHECK-NEXT:    %reshape = nd.reshape %x to <[B*S, 2, 2]> : tensor<?x?x4xf32, #nd.info<dims = [B, S, 4]>> -> tensor<?x2x2xf32, #nd.info<dims = [B*S, 2, 2]>>
// CHECK-NEXT:    %transpose = nd.transpose %x axes <[2, 0, 1]> : tensor<?x?x4xf32, #nd.info<dims = [B, S, 4]>> -> tensor<4x?x?xf32, #nd.info<dims = [4, B, S]>>
// CHECK-NEXT:    %slice = nd.slice %x from <[0, 0, 1]> to <[B, S, 2]> step <[1, 1, 2]> : tensor<?x?x4xf32, #nd.info<dims = [B, S, 4]>> -> tensor<?x?x2xf32, #nd.info<dims = [B, S, 2]>>
// CHECK-NEXT:    %reverse = nd.reverse %x axes <[0, 2]> : tensor<?x?x4xf32, #nd.info<dims = [B, S, 4]>> -> tensor<?x?x4xf32, #nd.info<dims = [B, S, 4]>>
// CHECK-NEXT:    nd.return
// CHECK-NEXT:  }

// What is made of nothing: numbers, weights (by their hash: text holds no arrays), counting, and sizes.
nd.func @creation<B: 0>(%x: tensor<?xf32, #nd.info<dims = [B]>>) {
  %constant = nd.constant <f32 1.5e+00> : tensor<4xf32>
  %minus = nd.constant <bf16 -0.0e+00> : tensor<bf16>
  %nan = nd.constant <f64 nan> : tensor<f64>
  %inf = nd.constant <f16 -inf> : tensor<?xf16, #nd.info<dims = [B]>>
  %int = nd.constant <i64 -7> : tensor<i64>
  %bool = nd.constant <bool true> : tensor<2xi1>
  %weight = nd.weight <"ab12"> "f32" <[2, 3]> : tensor<2x3xf32>
  %iota = nd.iota "i64" <[2, B]> axis <1> : tensor<2x?xi64, #nd.info<dims = [2, B]>>
  %size = nd.size <2*B + floordiv(B, 2)> : tensor<i64>
  nd.return
}
// CHECK:       nd.func @creation<B: 0>(%x: tensor<?xf32, #nd.info<dims = [B]>>) {
// CHECK-NEXT:    %constant = nd.constant <f32 1.5e+00> : tensor<4xf32>
// CHECK-NEXT:    %minus = nd.constant <bf16 -0.0e+00> : tensor<bf16>
// CHECK-NEXT:    %nan = nd.constant <f64 nan> : tensor<f64>
// CHECK-NEXT:    %inf = nd.constant <f16 -inf> : tensor<?xf16, #nd.info<dims = [B]>>
// CHECK-NEXT:    %int = nd.constant <i64 -7> : tensor<i64>
// CHECK-NEXT:    %bool = nd.constant <bool true> : tensor<2xi1>
// CHECK-NEXT:    %weight = nd.weight <"ab12"> "f32" <[2, 3]> : tensor<2x3xf32>
// CHECK-NEXT:    %iota = nd.iota "i64" <[2, B]> axis <1> : tensor<2x?xi64, #nd.info<dims = [2, B]>>
// CHECK-NEXT:    %size = nd.size <2*B + floordiv(B, 2)> : tensor<i64>
// CHECK-NEXT:    nd.return
// CHECK-NEXT:  }

// More than one tensor's elements.
nd.func @joining(%x: tensor<2x3xf32>, %y: tensor<1x3xf32>, %fill: tensor<f32>) {
  %pad = nd.pad %x with %fill low <[1, 0]> high <[2, 0]> interior <[0, 1]> : tensor<2x3xf32>, tensor<f32> -> tensor<5x5xf32>
  %concatenate = nd.concatenate %x, %y axis <0> : tensor<2x3xf32>, tensor<1x3xf32> -> tensor<3x3xf32>
  nd.return
}
// CHECK:       nd.func @joining(%x: tensor<2x3xf32>, %y: tensor<1x3xf32>, %fill: tensor<f32>) {
// CHECK-NEXT:    %pad = nd.pad %x with %fill low <[1, 0]> high <[2, 0]> interior <[0, 1]> : tensor<2x3xf32>, tensor<f32> -> tensor<5x5xf32>
// CHECK-NEXT:    %concatenate = nd.concatenate %x, %y axis <0> : tensor<2x3xf32>, tensor<1x3xf32> -> tensor<3x3xf32>
// CHECK-NEXT:    nd.return
// CHECK-NEXT:  }

// Reductions name the axes that disappear.
nd.func @reduction(%x: tensor<2x3x4xf32>) {
  %sum = nd.reduce_sum %x axes <[0, 2]> : tensor<2x3x4xf32> -> tensor<3xf32>
  %prod = nd.reduce_prod %x axes <[1]> : tensor<2x3x4xf32> -> tensor<2x4xf32>
  %max = nd.reduce_max %x axes <[2]> : tensor<2x3x4xf32> -> tensor<2x3xf32>
  %min = nd.reduce_min %x axes <[2]> : tensor<2x3x4xf32> -> tensor<2x3xf32>
  %argmax = nd.argmax %x axis <1> : tensor<2x3x4xf32> -> tensor<2x4xi64>
  nd.return
}
// CHECK:       nd.func @reduction(%x: tensor<2x3x4xf32>) {
// CHECK-NEXT:    %sum = nd.reduce_sum %x axes <[0, 2]> : tensor<2x3x4xf32> -> tensor<3xf32>
// CHECK-NEXT:    %prod = nd.reduce_prod %x axes <[1]> : tensor<2x3x4xf32> -> tensor<2x4xf32>
// CHECK-NEXT:    %max = nd.reduce_max %x axes <[2]> : tensor<2x3x4xf32> -> tensor<2x3xf32>
// CHECK-NEXT:    %min = nd.reduce_min %x axes <[2]> : tensor<2x3x4xf32> -> tensor<2x3xf32>
// CHECK-NEXT:    %argmax = nd.argmax %x axis <1> : tensor<2x3x4xf32> -> tensor<2x4xi64>
// CHECK-NEXT:    nd.return
// CHECK-NEXT:  }

// Contractions: sums of products over the paired axes, here with one leading axis that both sides share.
nd.func @contraction(%x: tensor<2x3x4xf32>, %y: tensor<2x4x5xf32>, %image: tensor<1x8x8x4xf32>, %kernel: tensor<3x3x2x6xf32>) {
  %dot = nd.dot %x, %y batch <1> over <[2]>, <[1]> : tensor<2x3x4xf32>, tensor<2x4x5xf32> -> tensor<2x3x5xf32>
  %convolution = nd.convolution %image, %kernel stride <[2, 2]> low <[1, 1]> high <[1, 1]> dilation <[1, 1]> groups <2> : tensor<1x8x8x4xf32>, tensor<3x3x2x6xf32> -> tensor<1x4x4x6xf32>
  nd.return
}
// CHECK:       nd.func @contraction(%x: tensor<2x3x4xf32>, %y: tensor<2x4x5xf32>, %image: tensor<1x8x8x4xf32>, %kernel: tensor<3x3x2x6xf32>) {
// CHECK-NEXT:    %dot = nd.dot %x, %y batch <1> over <[2]>, <[1]> : tensor<2x3x4xf32>, tensor<2x4x5xf32> -> tensor<2x3x5xf32>
// CHECK-NEXT:    %convolution = nd.convolution %image, %kernel stride <[2, 2]> low <[1, 1]> high <[1, 1]> dilation <[1, 1]> groups <2> : tensor<1x8x8x4xf32>, tensor<3x3x2x6xf32> -> tensor<1x4x4x6xf32>
// CHECK-NEXT:    nd.return
// CHECK-NEXT:  }

// Windows that slide along the axes, and where in x the element is that a window's max or min takes.
nd.func @window(%x: tensor<4x6xf32>) {
  %window = nd.window "add" %x size <[2, 3]> stride <[2, 1]> low <[0, 1]> high <[0, 1]> : tensor<4x6xf32> -> tensor<2x6xf32>
  %position = nd.window_position "max" %x as "i32" size <[2, 2]> stride <[2, 2]> low <[0, 0]> high <[0, 0]> : tensor<4x6xf32> -> tensor<2x3xi32>
  nd.return
}
// CHECK:       nd.func @window(%x: tensor<4x6xf32>) {
// CHECK-NEXT:    %window = nd.window "add" %x size <[2, 3]> stride <[2, 1]> low <[0, 1]> high <[0, 1]> : tensor<4x6xf32> -> tensor<2x6xf32>
// CHECK-NEXT:    %position = nd.window_position "max" %x as "i32" size <[2, 2]> stride <[2, 2]> low <[0, 0]> high <[0, 0]> : tensor<4x6xf32> -> tensor<2x3xi32>
// CHECK-NEXT:    nd.return
// CHECK-NEXT:  }

// Reading and writing at computed places. The first `batch` axes are shared with the indices.
nd.func @places(%x: tensor<2x5x3xf32>, %i: tensor<2x4xi64>, %u: tensor<2x4x3xf32>, %part: tensor<1x2x3xf32>, %s: tensor<i64>) {
  %gather = nd.gather %x at %i batch <1> : tensor<2x5x3xf32>, tensor<2x4xi64> -> tensor<2x4x3xf32>
  %scatter = nd.scatter_add %x at %i add %u batch <1> : tensor<2x5x3xf32>, tensor<2x4xi64>, tensor<2x4x3xf32> -> tensor<2x5x3xf32>
  %slice = nd.dynamic_slice %x from %s, %s, %s to <[1, 2, 3]> : (tensor<2x5x3xf32>, tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<1x2x3xf32>
  %update = nd.dynamic_update_slice %x from %s, %s, %s with %part : (tensor<2x5x3xf32>, tensor<1x2x3xf32>, tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<2x5x3xf32>
  nd.return
}
// CHECK:       nd.func @places(%x: tensor<2x5x3xf32>, %i: tensor<2x4xi64>, %u: tensor<2x4x3xf32>, %part: tensor<1x2x3xf32>, %s: tensor<i64>) {
// CHECK-NEXT:    %gather = nd.gather %x at %i batch <1> : tensor<2x5x3xf32>, tensor<2x4xi64> -> tensor<2x4x3xf32>
// CHECK-NEXT:    %scatter = nd.scatter_add %x at %i add %u batch <1> : tensor<2x5x3xf32>, tensor<2x4xi64>, tensor<2x4x3xf32> -> tensor<2x5x3xf32>
// CHECK-NEXT:    %slice = nd.dynamic_slice %x from %s, %s, %s to <[1, 2, 3]> : (tensor<2x5x3xf32>, tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<1x2x3xf32>
// CHECK-NEXT:    %update = nd.dynamic_update_slice %x from %s, %s, %s with %part : (tensor<2x5x3xf32>, tensor<1x2x3xf32>, tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<2x5x3xf32>
// CHECK-NEXT:    nd.return
// CHECK-NEXT:  }

// Along an axis in order: sums of what came before; sorting, which carries other operands along.
nd.func @along(%x: tensor<3x7xf32>, %i: tensor<3x7xi64>) {
  %cumsum = nd.cumsum %x axis <1> reverse <0> : tensor<3x7xf32> -> tensor<3x7xf32>
  %sorted, %order = nd.sort %x, %i axis <1> : (tensor<3x7xf32>, tensor<3x7xi64>) -> (tensor<3x7xf32>, tensor<3x7xi64>)
  nd.return
}
// CHECK:       nd.func @along(%x: tensor<3x7xf32>, %i: tensor<3x7xi64>) {
// CHECK-NEXT:    %cumsum = nd.cumsum %x axis <1> reverse <0> : tensor<3x7xf32> -> tensor<3x7xf32>
// CHECK-NEXT:    %sorted, %order = nd.sort %x, %i axis <1> : (tensor<3x7xf32>, tensor<3x7xi64>) -> (tensor<3x7xf32>, tensor<3x7xi64>)
// CHECK-NEXT:    nd.return
// CHECK-NEXT:  }

// Control flow: the regions are programs of their own, which see nothing but their arguments.
nd.func @control(%c: tensor<i1>, %x: tensor<4xf32>, %rows: tensor<5x4xf32>) {
  %if = nd.if %c(%x) {
  ^bb0(%a: tensor<4xf32>):
    nd.yield %a : tensor<4xf32>
  } else {
  ^bb0(%b: tensor<4xf32>):
    %e = nd.exp %b : tensor<4xf32>
    nd.yield %e : tensor<4xf32>
  } : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  %while = nd.while constants <1>(%c, %x) {
  ^bb0(%d: tensor<i1>, %f: tensor<4xf32>):
    nd.yield %d : tensor<i1>
  } do {
  ^bb0(%g: tensor<i1>, %h: tensor<4xf32>):
    nd.yield %h : tensor<4xf32>
  } : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  %last, %stacked = nd.scan constants <0> carried <1> length <5> reverse <1>(%x, %rows) {
  ^bb0(%carried: tensor<4xf32>, %row: tensor<4xf32>):
    %sum = nd.add %carried, %row : tensor<4xf32>
    nd.yield %sum, %row : tensor<4xf32>, tensor<4xf32>
  } : (tensor<4xf32>, tensor<5x4xf32>) -> (tensor<4xf32>, tensor<5x4xf32>)
  nd.return
}
// CHECK:       nd.func @control(%c: tensor<i1>, %x: tensor<4xf32>, %rows: tensor<5x4xf32>) {
// CHECK-NEXT:    %if = nd.if %c(%x) {
// CHECK-NEXT:    ^bb0(%a: tensor<4xf32>):
// CHECK-NEXT:      nd.yield %a : tensor<4xf32>
// CHECK-NEXT:    } else {
// CHECK-NEXT:    ^bb0(%b: tensor<4xf32>):
// CHECK-NEXT:      %e = nd.exp %b : tensor<4xf32>
// CHECK-NEXT:      nd.yield %e : tensor<4xf32>
// CHECK-NEXT:    } : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:    %while = nd.while constants <1>(%c, %x) {
// CHECK-NEXT:    ^bb0(%d: tensor<i1>, %f: tensor<4xf32>):
// CHECK-NEXT:      nd.yield %d : tensor<i1>
// CHECK-NEXT:    } do {
// CHECK-NEXT:    ^bb0(%g: tensor<i1>, %h: tensor<4xf32>):
// CHECK-NEXT:      nd.yield %h : tensor<4xf32>
// CHECK-NEXT:    } : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:    %last, %stacked = nd.scan constants <0> carried <1> length <5> reverse <1>(%x, %rows) {
// CHECK-NEXT:    ^bb0(%carried: tensor<4xf32>, %row: tensor<4xf32>):
// CHECK-NEXT:      %sum = nd.add %carried, %row : tensor<4xf32>
// CHECK-NEXT:      nd.yield %sum, %row : tensor<4xf32>, tensor<4xf32>
// CHECK-NEXT:    } : (tensor<4xf32>, tensor<5x4xf32>) -> (tensor<4xf32>, tensor<5x4xf32>)
// CHECK-NEXT:    nd.return
// CHECK-NEXT:  }

// What says when, or by which rule, a body is computed.
nd.func @staging(%x: tensor<4xf32>) {
  %barrier = nd.barrier %x : tensor<4xf32> -> tensor<4xf32>
  %constant = nd.stop_gradient %x : tensor<4xf32> -> tensor<4xf32>
  %remat = nd.remat(%x) {
  ^bb0(%a: tensor<4xf32>):
    nd.yield %a : tensor<4xf32>
  } : (tensor<4xf32>) -> tensor<4xf32>
  %custom = nd.custom_gradient(%x) residuals <1> kept <0> {
  ^bb0(%c: tensor<4xf32>):
    nd.yield %c, %c : tensor<4xf32>, tensor<4xf32>
  } backward {
  ^bb0(%residual: tensor<4xf32>, %cotangent: tensor<4xf32>):
    nd.yield %cotangent : tensor<4xf32>
  } : (tensor<4xf32>) -> tensor<4xf32>
  nd.return
}
// CHECK:       nd.func @staging(%x: tensor<4xf32>) {
// CHECK-NEXT:    %barrier = nd.barrier %x : tensor<4xf32> -> tensor<4xf32>
// CHECK-NEXT:    %constant = nd.stop_gradient %x : tensor<4xf32> -> tensor<4xf32>
// CHECK-NEXT:    %remat = nd.remat(%x) {
// CHECK-NEXT:    ^bb0(%a: tensor<4xf32>):
// CHECK-NEXT:      nd.yield %a : tensor<4xf32>
// CHECK-NEXT:    } : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:    %custom = nd.custom_gradient(%x) residuals <1> kept <0> {
// CHECK-NEXT:    ^bb0(%c: tensor<4xf32>):
// CHECK-NEXT:      nd.yield %c, %c : tensor<4xf32>, tensor<4xf32>
// CHECK-NEXT:    } backward {
// CHECK-NEXT:    ^bb0(%residual: tensor<4xf32>, %cotangent: tensor<4xf32>):
// CHECK-NEXT:      nd.yield %cotangent : tensor<4xf32>
// CHECK-NEXT:    } : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:    nd.return
// CHECK-NEXT:  }

// A call gives sizes for the symbols of what it calls.
nd.func @callee<N: 0>(%x: tensor<?xf32, #nd.info<dims = [N]>>) {
  nd.return %x : tensor<?xf32, #nd.info<dims = [N]>>
}
// CHECK:       nd.func @callee<N: 0>(%x: tensor<?xf32, #nd.info<dims = [N]>>) {
// CHECK-NEXT:    nd.return %x : tensor<?xf32, #nd.info<dims = [N]>>
// CHECK-NEXT:  }
nd.func @caller<B: 0>(%x: tensor<?xf32, #nd.info<dims = [2*B]>>) {
  %call = nd.call @callee<N = 2*B>(%x) : (tensor<?xf32, #nd.info<dims = [2*B]>>) -> tensor<?xf32, #nd.info<dims = [2*B]>>
  nd.return %call : tensor<?xf32, #nd.info<dims = [2*B]>>
}
// CHECK:       nd.func @caller<B: 0>(%x: tensor<?xf32, #nd.info<dims = [2*B]>>) {
// CHECK-NEXT:    %call = nd.call @callee<N = 2*B>(%x) : (tensor<?xf32, #nd.info<dims = [2*B]>>) -> tensor<?xf32, #nd.info<dims = [2*B]>>
// CHECK-NEXT:    nd.return %call : tensor<?xf32, #nd.info<dims = [2*B]>>
// CHECK-NEXT:  }

// Effects, in their order.
nd.func @effects(%x: tensor<2x3xf32>, %c: tensor<3xi1>) {
  nd.print <"x is {}">(%x) : tensor<2x3xf32>
  nd.assert %c, <"all of them"> : tensor<3xi1>
  %custom = nd.custom "symbol"(%x) gives <[tensor<f32>]> : (tensor<2x3xf32>) -> tensor<f32>
  nd.return
}
// CHECK:       nd.func @effects(%x: tensor<2x3xf32>, %c: tensor<3xi1>) {
// CHECK-NEXT:    nd.print <"x is {}">(%x) : tensor<2x3xf32>
// CHECK-NEXT:    nd.assert %c, <"all of them"> : tensor<3xi1>
// CHECK-NEXT:    %custom = nd.custom "symbol"(%x) gives <[tensor<f32>]> : (tensor<2x3xf32>) -> tensor<f32>
// CHECK-NEXT:    nd.return
// CHECK-NEXT:  }

// A kernel: ops that will be one loop kernel. It sees its operands under names of its own; what is marked
// is stored inside of it.
nd.func @kernel(%x: tensor<4xf32>) {
  %y = nd.kernel(%a = %x : tensor<4xf32>) {
    %s = nd.reduce_sum %a axes <[0]> {nd.keep} : tensor<4xf32> -> tensor<f32>
    %b = nd.broadcast %s to <[4]> axes <[]> : tensor<f32> -> tensor<4xf32>
    nd.yield %b : tensor<4xf32>
  }
  nd.return %y : tensor<4xf32>
}
// CHECK:       nd.func @kernel(%x: tensor<4xf32>) {
// CHECK-NEXT:    %y = nd.kernel(%a = %x : tensor<4xf32>) {
// CHECK-NEXT:      %s = nd.reduce_sum %a axes <[0]> {nd.keep} : tensor<4xf32> -> tensor<f32>
// CHECK-NEXT:      %b = nd.broadcast %s to <[4]> axes <[]> : tensor<f32> -> tensor<4xf32>
// CHECK-NEXT:      nd.yield %b : tensor<4xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    nd.return %y : tensor<4xf32>
// CHECK-NEXT:  }
