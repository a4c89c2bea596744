// RUN: stepwell-opt %s -p tensor-to-loop --split-input-file | filecheck %s

// A kernel becomes a nest, whose body is the element that it yields; what lies between is read through
// and has no memory. A function becomes host code: its arguments, its weights, then its results.
// What passes from kernel to kernel is allocated; the last one writes into the result. An argument
// that is returned, or a value that is returned twice, is copied.
nd.func @chain(%x: tensor<4xf32>) {
  %w = nd.weight <"ab12"> "f32" <[4]> : tensor<4xf32>
  %a = nd.kernel(%0 = %x : tensor<4xf32>, %1 = %w : tensor<4xf32>) {
    %2 = nd.mul %0, %1 : tensor<4xf32>
    %3 = nd.exp %2 : tensor<4xf32>
    nd.yield %3 : tensor<4xf32>
  }
  %b = nd.kernel(%0 = %a : tensor<4xf32>) {
    %1 = nd.reverse %0 axes <[0]> : tensor<4xf32> -> tensor<4xf32>
    nd.yield %1 : tensor<4xf32>
  }
  nd.return %b, %x, %b : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}
// CHECK:       loop.kernel [[EXP:@exp_\d+]]([[X:%\d+]]: !loop.buffer<[4] x f32>, [[W:%\d+]]: !loop.buffer<[4] x f32>) -> ([[Y:%\d+]]: !loop.buffer<[4] x f32>) {
// CHECK-NEXT:    loop.nest [[[I:%\d+]] : 4] {
// CHECK-NEXT:      [[U:%\d+]] = loop.read [[X]][[[I]]] : f32
// CHECK-NEXT:      [[V:%\d+]] = loop.read [[W]][[[I]]] : f32
// CHECK-NEXT:      [[P:%\d+]] = arith.mulf [[U]], [[V]] : f32
// CHECK-NEXT:      [[E:%\d+]] = math.exp [[P]] : f32
// CHECK-NEXT:      loop.write [[E]], [[Y]][[[I]]] : f32
// CHECK:       loop.kernel [[REVERSE:@reverse_\d+]](
// CHECK:           loop.read %{{\d+}}[(-1) * %{{\d+}} + 3] : f32
// CHECK:       loop.func @chain(%x: !loop.buffer<[4] x f32>, [[W:%\d+]]: !loop.buffer<[4] x f32>) -> ([[B:%\d+]]: !loop.buffer<[4] x f32>, [[C:%\d+]]: !loop.buffer<[4] x f32>, [[D:%\d+]]: !loop.buffer<[4] x f32>) attributes {constants = [#nd.ref<"ab12">]} {
// CHECK-NEXT:    [[A:%\d+]] = loop.alloc : !loop.buffer<[4] x f32>
// CHECK-NEXT:    loop.launch [[EXP]] <>(%x, [[W]], [[A]])
// CHECK-NEXT:    loop.launch [[REVERSE]] <>([[A]], [[B]])
// CHECK-NEXT:    loop.copy %x, [[C]]
// CHECK-NEXT:    loop.copy [[B]], [[D]]

// -----

// Reductions are folds, whose order is part of the program: lanes where neighbours are folded, and
// one chain for each column. f16 is accumulated in f32, and rounded once.
nd.func @folds(%x: tensor<4x8xf32>, %h: tensor<8xf16>) {
  %rows = nd.kernel(%0 = %x : tensor<4x8xf32>) {
    %1 = nd.reduce_sum %0 axes <[1]> : tensor<4x8xf32> -> tensor<4xf32>
    nd.yield %1 : tensor<4xf32>
  }
  %columns = nd.kernel(%0 = %x : tensor<4x8xf32>) {
    %1 = nd.reduce_sum %0 axes <[0]> : tensor<4x8xf32> -> tensor<8xf32>
    nd.yield %1 : tensor<8xf32>
  }
  %half = nd.kernel(%0 = %h : tensor<8xf16>) {
    %1 = nd.reduce_sum %0 axes <[0]> : tensor<8xf16> -> tensor<f16>
    nd.yield %1 : tensor<f16>
  }
  nd.return %rows, %columns, %half : tensor<4xf32>, tensor<8xf32>, tensor<f16>
}
// CHECK:       loop.kernel @reduce_sum_0
// CHECK:         loop.nest [[[M:%\d+]] : 4] {
// CHECK-NEXT:      loop.fold add <lanes, 4096> [[[K:%\d+]] : 8] {
// CHECK-NEXT:        loop.read %0[[[M]], [[K]]] : f32
// CHECK:       loop.kernel @reduce_sum_1
// CHECK:         loop.nest [[[N:%\d+]] : 8] {
// CHECK-NEXT:      loop.fold add <serial, 1024> [[[K:%\d+]] : 4] {
// CHECK-NEXT:        loop.read %0[[[K]], [[N]]] : f32
// CHECK:       loop.kernel @reduce_sum_2
// CHECK:         loop.nest [] {
// CHECK-NEXT:      [[SUM:%\d+]] = loop.fold add <lanes, 4096>
// CHECK:             loop.cast extf %{{\d+}} : f16 to f32
// CHECK:           } : f32
// CHECK-NEXT:      loop.cast truncf [[SUM]] : f32 to f16

// -----

// Sums over all pairs: the results of a kernel share a nest, and what its folds share is computed once
// for every pair, for one accumulator each. Nothing is stored but the sums.
nd.func @pairs(%x: tensor<64xf32>, %y: tensor<64xf32>) {
  %fx, %fy = nd.kernel(%0 = %x : tensor<64xf32>, %1 = %y : tensor<64xf32>) {
    %2 = nd.broadcast %0 to <[64, 64]> axes <[1]> : tensor<64xf32> -> tensor<64x64xf32>
    %3 = nd.broadcast %1 to <[64, 64]> axes <[0]> : tensor<64xf32> -> tensor<64x64xf32>
    %4 = nd.div %2, %3 : tensor<64x64xf32>
    %5 = nd.mul %4, %2 : tensor<64x64xf32>
    %6 = nd.reduce_sum %5 axes <[1]> : tensor<64x64xf32> -> tensor<64xf32>
    %7 = nd.neg %6 : tensor<64xf32>
    %8 = nd.mul %4, %3 : tensor<64x64xf32>
    %9 = nd.reduce_sum %8 axes <[1]> : tensor<64x64xf32> -> tensor<64xf32>
    nd.yield %7, %9 : tensor<64xf32>, tensor<64xf32>
  }
  nd.return %fx, %fy : tensor<64xf32>, tensor<64xf32>
}
// CHECK:       loop.kernel @reduce_sum_0([[X:%\w+]]: !loop.buffer<[64] x f32>, [[Y:%\w+]]: !loop.buffer<[64] x f32>) -> ([[FX:%\w+]]: !loop.buffer<[64] x f32>, [[FY:%\w+]]: !loop.buffer<[64] x f32>) {
// CHECK-NEXT:    loop.nest [[[I:%\d+]] : 64] {
// CHECK-NEXT:      [[A:%\d+]], [[B:%\d+]] = loop.fold add <lanes, 4096> [[[J:%\d+]] : 64] {
// CHECK-NEXT:        [[U:%\d+]] = loop.read [[X]][[[J]]] : f32
// CHECK-NEXT:        [[V:%\d+]] = loop.read [[Y]][[[I]]] : f32
// CHECK-NEXT:        [[W:%\d+]] = arith.divf [[U]], [[V]] : f32
// CHECK-NEXT:        [[P:%\d+]] = arith.mulf [[W]], [[U]] : f32
// CHECK-NEXT:        [[Q:%\d+]] = arith.mulf [[W]], [[V]] : f32
// CHECK-NEXT:        loop.yield [[P]], [[Q]] : f32, f32
// CHECK-NEXT:      } : f32, f32
// CHECK-NEXT:      [[M:%\d+]] = arith.negf [[A]] : f32
// CHECK-NEXT:      loop.write [[M]], [[FX]][[[I]]] : f32
// CHECK-NEXT:      loop.write [[B]], [[FY]][[[I]]] : f32

// -----

// What is marked in a kernel is a nest of its own, which stores into memory of the kernel.
nd.func @kept(%x: tensor<4x8xf32>) {
  %y = nd.kernel(%0 = %x : tensor<4x8xf32>) {
    %1 = nd.reduce_sum %0 axes <[1]> {nd.keep} : tensor<4x8xf32> -> tensor<4xf32>
    %2 = nd.broadcast %1 to <[4, 8]> axes <[0]> : tensor<4xf32> -> tensor<4x8xf32>
    %3 = nd.div %0, %2 : tensor<4x8xf32>
    nd.yield %3 : tensor<4x8xf32>
  }
  nd.return %y : tensor<4x8xf32>
}
// CHECK:       loop.kernel @reduce_sum_0([[X:%\d+]]: !loop.buffer<[4, 8] x f32>) -> ([[Y:%\d+]]: !loop.buffer<[4, 8] x f32>) {
// CHECK-NEXT:    [[SUMS:%\d+]] = loop.local : !loop.buffer<[4] x f32>
// CHECK-NEXT:    loop.nest [[[M:%\d+]] : 4] {
// CHECK:           loop.write %{{\d+}}, [[SUMS]][[[M]]] : f32
// CHECK:         loop.nest [[[M:%\d+]] : 4, [[N:%\d+]] : 8] {
// CHECK-NEXT:      loop.read [[X]][[[M]], [[N]]] : f32
// CHECK-NEXT:      loop.read [[SUMS]][[[M]]] : f32

// -----

// Heads are merged into one axis, and batch and sequence into one of B*S: on the way through the
// reshape an axis of the nest becomes two, and so does the axis of the fold. Every index is a sum of
// axes, and nothing is divided.
nd.func @merge<B: 1, S: 1>(%x: tensor<?x3x?x4xf32, #nd.info<dims = [B, 3, S, 4]>>, %w: tensor<12x12xf32>) {
  %y = nd.kernel(%a = %x : tensor<?x3x?x4xf32, #nd.info<dims = [B, 3, S, 4]>>, %b = %w : tensor<12x12xf32>) {
    %0 = nd.transpose %a axes <[0, 2, 1, 3]> : tensor<?x3x?x4xf32, #nd.info<dims = [B, 3, S, 4]>> -> tensor<?x?x3x4xf32, #nd.info<dims = [B, S, 3, 4]>>
    %1 = nd.reshape %0 to <[B*S, 12]> : tensor<?x?x3x4xf32, #nd.info<dims = [B, S, 3, 4]>> -> tensor<?x12xf32, #nd.info<dims = [B*S, 12]>>
    %2 = nd.dot %1, %b batch <0> over <[1]>, <[0]> : tensor<?x12xf32, #nd.info<dims = [B*S, 12]>>, tensor<12x12xf32> -> tensor<?x12xf32, #nd.info<dims = [B*S, 12]>>
    nd.yield %2 : tensor<?x12xf32, #nd.info<dims = [B*S, 12]>>
  }
  nd.return %y : tensor<?x12xf32, #nd.info<dims = [B*S, 12]>>
}
// CHECK:       loop.kernel @dot_0<B: 1, S: 1>(%a: !loop.buffer<[B, 3, S, 4] x f32>, %b: !loop.buffer<[12, 12] x f32>) -> ([[Y:%\d+]]: !loop.buffer<[B*S, 12] x f32>) {
// CHECK-NEXT:    loop.nest [[[I:%\d+]] : B, [[J:%\d+]] : S, [[N:%\d+]] : 12] {
// CHECK-NEXT:      [[SUM:%\d+]] = loop.fold fma <serial, 1024> [[[H:%\d+]] : 3, [[K:%\d+]] : 4] {
// CHECK-NEXT:        [[U:%\d+]] = loop.read %a[[[I]], [[H]], [[J]], [[K]]] : f32
// CHECK-NEXT:        [[V:%\d+]] = loop.read %b[(4) * [[H]] + [[K]], [[N]]] : f32
// CHECK-NEXT:        loop.yield [[U]], [[V]]
// CHECK-NEXT:      } : f32
// CHECK-NEXT:      loop.write [[SUM]], [[Y]][(S) * [[I]] + [[J]], [[N]]] : f32

// -----

// The way back: 12 features to 3 heads of 4, in rows that were merged before.
nd.func @split<B: 1, S: 1>(%x: tensor<?x?x12xf32, #nd.info<dims = [B, S, 12]>>) {
  %y = nd.kernel(%a = %x : tensor<?x?x12xf32, #nd.info<dims = [B, S, 12]>>) {
    %0 = nd.reshape %a to <[B*S, 3, 4]> : tensor<?x?x12xf32, #nd.info<dims = [B, S, 12]>> -> tensor<?x3x4xf32, #nd.info<dims = [B*S, 3, 4]>>
    %1 = nd.transpose %0 axes <[1, 0, 2]> : tensor<?x3x4xf32, #nd.info<dims = [B*S, 3, 4]>> -> tensor<3x?x4xf32, #nd.info<dims = [3, B*S, 4]>>
    nd.yield %1 : tensor<3x?x4xf32, #nd.info<dims = [3, B*S, 4]>>
  }
  nd.return %y : tensor<3x?x4xf32, #nd.info<dims = [3, B*S, 4]>>
}
// CHECK:       loop.kernel @transpose_0<B: 1, S: 1>(
// CHECK-NEXT:    loop.nest [[[H:%\d+]] : 3, [[I:%\d+]] : B, [[J:%\d+]] : S, [[K:%\d+]] : 4] {
// CHECK-NEXT:      [[V:%\d+]] = loop.read %a[[[I]], [[J]], (4) * [[H]] + [[K]]] : f32
// CHECK-NEXT:      loop.write [[V]], %0[[[H]], (S) * [[I]] + [[J]], [[K]]] : f32

// -----

// Four rows of 6 and three of 8 have no axes in common; here the index is divided.
nd.func @odd(%x: tensor<4x6xf32>) {
  %y = nd.kernel(%a = %x : tensor<4x6xf32>) {
    %0 = nd.reshape %a to <[3, 8]> : tensor<4x6xf32> -> tensor<3x8xf32>
    nd.yield %0 : tensor<3x8xf32>
  }
  nd.return %y : tensor<3x8xf32>
}
// CHECK:         loop.nest [[[I:%\d+]] : 3, [[J:%\d+]] : 8] {
// CHECK-NEXT:      [[P:%\d+]] = loop.index (8) * [[I]] + [[J]]
// CHECK-NEXT:      [[SIX:%\d+]] = loop.index 6
// CHECK-NEXT:      [[R:%\d+]] = arith.divsi [[P]], [[SIX]] : index
// CHECK-NEXT:      [[C:%\d+]] = arith.remsi [[P]], [[SIX]] : index
// CHECK-NEXT:      loop.read %a[[[R]], [[C]]] : f32

// -----

// A read that may be outside happens under a condition; of indices that are computed the nearest inside
// is taken. A size that is asked for as a number is an index.
nd.func @places<B: 1>(%x: tensor<?xf32, #nd.info<dims = [B]>>, %i: tensor<3xi32>) {
  %wide = nd.kernel(%a = %x : tensor<?xf32, #nd.info<dims = [B]>>) {
    %0 = nd.size <2*B> : tensor<i64>
    %1 = nd.convert %0 to "f32" : tensor<i64> -> tensor<f32>
    %2 = nd.pad %a with %1 low <[1]> high <[0]> interior <[0]> : tensor<?xf32, #nd.info<dims = [B]>>, tensor<f32> -> tensor<?xf32, #nd.info<dims = [B + 1]>>
    nd.yield %2 : tensor<?xf32, #nd.info<dims = [B + 1]>>
  }
  %some = nd.kernel(%a = %wide : tensor<?xf32, #nd.info<dims = [B + 1]>>, %b = %i : tensor<3xi32>) {
    %0 = nd.gather %a at %b batch <0> : tensor<?xf32, #nd.info<dims = [B + 1]>>, tensor<3xi32> -> tensor<3xf32>
    nd.yield %0 : tensor<3xf32>
  }
  nd.return %some : tensor<3xf32>
}
// CHECK:       loop.kernel @pad_0<B: 1>
// CHECK-NEXT:    loop.nest [[[I:%\d+]] : B + 1] {
// CHECK-NEXT:      [[SIZE:%\d+]] = loop.index 2*B
// CHECK-NEXT:      [[WIDE:%\d+]] = loop.cast index [[SIZE]] : index to i64
// CHECK-NEXT:      [[FILL:%\d+]] = loop.cast sitofp [[WIDE]] : i64 to f32
// CHECK-NEXT:      [[P:%\d+]] = loop.index [[I]] + -1
// CHECK-NEXT:      [[ZERO:%\d+]] = loop.index 0
// CHECK-NEXT:      [[INSIDE:%\d+]] = loop.compare ge [[P]], [[ZERO]] : index
// CHECK-NEXT:      [[V:%\d+]] = loop.read %a[[[I]] + -1] where [[INSIDE]] : f32
// CHECK-NEXT:      loop.select [[INSIDE]], [[V]], [[FILL]]
// CHECK:       loop.kernel @gather_1<B: 1>
// CHECK:           [[LAST:%\d+]] = loop.index B
// CHECK-NEXT:      [[LOW:%\d+]] = arith.minsi %{{\d+}}, [[LAST]] : index
// CHECK-NEXT:      [[ZERO:%\d+]] = loop.index 0
// CHECK-NEXT:      [[PLACE:%\d+]] = arith.maxsi [[LOW]], [[ZERO]] : index
// CHECK-NEXT:      loop.read %a[[[PLACE]]] : f32

// -----

// What comes behind other columns, in whole steps of an axis, is asked for once for each step, not at each element.
nd.func @behind(%x: tensor<3x64xf32>) {
  %y = nd.kernel(%a = %x : tensor<3x64xf32>) {
    %zero = nd.constant <f32 0.0> : tensor<f32>
    %0 = nd.reshape %a to <[192]> : tensor<3x64xf32> -> tensor<192xf32>
    %1 = nd.pad %0 with %zero low <[64]> high <[128]> interior <[0]> : tensor<192xf32>, tensor<f32> -> tensor<384xf32>
    nd.yield %1 : tensor<384xf32>
  }
  nd.return %y : tensor<384xf32>
}
// CHECK:       loop.kernel @pad_0
// CHECK-NEXT:    loop.nest [[[I:%\d+]] : 6, [[J:%\d+]] : 64] {
// CHECK:           [[STEP:%\d+]] = loop.index [[I]] + -1
// CHECK-NEXT:      [[ZERO:%\d+]] = loop.index 0
// CHECK-NEXT:      [[LOW:%\d+]] = loop.compare ge [[STEP]], [[ZERO]] : index
// CHECK-NEXT:      [[THREE:%\d+]] = loop.index 3
// CHECK-NEXT:      [[HIGH:%\d+]] = loop.compare lt [[STEP]], [[THREE]] : index
// CHECK-NEXT:      [[INSIDE:%\d+]] = arith.andi [[LOW]], [[HIGH]] : i1
// CHECK-NEXT:      loop.read %a[[[I]] + -1, [[J]]] where [[INSIDE]] : f32

// -----

// Equal kernels are lowered once, whatever their values are called. Of symbols in another range it is
// another kernel: the second here never has to expect that there is nothing to do, the third has.
nd.func @one<B: 1>(%x: tensor<?xf32, #nd.info<dims = [B]>>) {
  %y = nd.kernel(%a = %x : tensor<?xf32, #nd.info<dims = [B]>>) {
    %b = nd.exp %a : tensor<?xf32, #nd.info<dims = [B]>>
    nd.yield %b : tensor<?xf32, #nd.info<dims = [B]>>
  }
  %z = nd.kernel(%c = %y : tensor<?xf32, #nd.info<dims = [B]>>) {
    %d = nd.exp %c : tensor<?xf32, #nd.info<dims = [B]>>
    nd.yield %d : tensor<?xf32, #nd.info<dims = [B]>>
  }
  nd.return %z : tensor<?xf32, #nd.info<dims = [B]>>
}
nd.func @none<B: 0>(%x: tensor<?xf32, #nd.info<dims = [B]>>) {
  %y = nd.kernel(%a = %x : tensor<?xf32, #nd.info<dims = [B]>>) {
    %b = nd.exp %a : tensor<?xf32, #nd.info<dims = [B]>>
    nd.yield %b : tensor<?xf32, #nd.info<dims = [B]>>
  }
  nd.return %y : tensor<?xf32, #nd.info<dims = [B]>>
}
// CHECK:       loop.kernel @exp_0<B: 1>
// CHECK:       loop.kernel @exp_1<B: 0>
// CHECK-NOT:   loop.kernel
// CHECK:       loop.func @one<B: 1>
// CHECK:         loop.launch @exp_0 <B = B>(%x,
// CHECK-NEXT:    loop.launch @exp_0 <B = B>(
// CHECK:       loop.func @none<B: 0>
// CHECK-NEXT:    loop.launch @exp_1 <B = B>(%x,

// -----

// Control flow between kernels is host code. A branch writes into the result of the whole.
nd.func @branch(%c: tensor<i1>, %x: tensor<4xf32>) {
  %y = nd.if %c(%x) {
  ^bb0(%u: tensor<4xf32>):
    %k = nd.kernel(%0 = %u : tensor<4xf32>) {
      %1 = nd.sin %0 : tensor<4xf32>
      nd.yield %1 : tensor<4xf32>
    }
    nd.yield %k : tensor<4xf32>
  } else {
  ^bb0(%v: tensor<4xf32>):
    nd.yield %v : tensor<4xf32>
  } : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  nd.return %y : tensor<4xf32>
}
// CHECK:       loop.func @branch(%c: !loop.buffer<[] x i1>, %x: !loop.buffer<[4] x f32>) -> ([[Y:%\d+]]: !loop.buffer<[4] x f32>) {
// CHECK:         [[C:%\d+]] = loop.load %c[%{{\d+}}] : !loop.buffer<[] x i1> to i1
// CHECK-NEXT:    loop.if [[C]] {
// CHECK-NEXT:      loop.launch @sin_0 <>(%x, [[Y]])
// CHECK-NEXT:      loop.yield
// CHECK-NEXT:    } else {
// CHECK-NEXT:      loop.copy %x, [[Y]]

// -----

// A scan is a counted loop: slices are views of rows, read and written where they are; the carried value
// lives in the result and is replaced at the end of each round.
nd.func @sums(%x: tensor<5x4xf32>, %zero: tensor<4xf32>) {
  %total, %sums = nd.scan constants <0> carried <1> length <5> reverse <0>(%zero, %x) {
  ^bb0(%s: tensor<4xf32>, %row: tensor<4xf32>):
    %k = nd.kernel(%0 = %s : tensor<4xf32>, %1 = %row : tensor<4xf32>) {
      %2 = nd.add %0, %1 : tensor<4xf32>
      nd.yield %2 : tensor<4xf32>
    }
    %l = nd.kernel(%0 = %s : tensor<4xf32>) {
      %1 = nd.exp %0 : tensor<4xf32>
      nd.yield %1 : tensor<4xf32>
    }
    nd.yield %k, %l : tensor<4xf32>, tensor<4xf32>
  } : (tensor<4xf32>, tensor<5x4xf32>) -> (tensor<4xf32>, tensor<5x4xf32>)
  nd.return %total, %sums : tensor<4xf32>, tensor<5x4xf32>
}
// CHECK:       loop.func @sums(%x: !loop.buffer<[5, 4] x f32>, %zero: !loop.buffer<[4] x f32>) -> ([[TOTAL:%\d+]]: !loop.buffer<[4] x f32>, [[SUMS:%\d+]]: !loop.buffer<[5, 4] x f32>) {
// CHECK-NEXT:    loop.copy %zero, [[TOTAL]]
// CHECK-NEXT:    [[NEXT:%\d+]] = loop.alloc : !loop.buffer<[4] x f32>
// CHECK:         loop.for [[I:%\d+]] = {{.*}} step 1 {
// CHECK-NEXT:      [[ROW:%\d+]] = loop.view %x[(4) * [[I]]] :
// CHECK-NEXT:      [[SUM:%\d+]] = loop.view [[SUMS]][(4) * [[I]]] :
// CHECK-NEXT:      loop.launch @add_0 <>([[TOTAL]], [[ROW]], [[NEXT]])
// CHECK-NEXT:      loop.launch @exp_1 <>([[TOTAL]], [[SUM]])
// CHECK-NEXT:      loop.copy [[NEXT]], [[TOTAL]]
// CHECK-NEXT:      loop.yield

// -----

// A while loop asks before each round.
nd.func @until(%n: tensor<i64>) {
  %m = nd.while constants <0>(%n) {
  ^bb0(%u: tensor<i64>):
    %k = nd.kernel(%0 = %u : tensor<i64>) {
      %1 = nd.constant <i64 10> : tensor<i64>
      %2 = nd.lt %0, %1 : tensor<i64>, tensor<i64> -> tensor<i1>
      nd.yield %2 : tensor<i1>
    }
    nd.yield %k : tensor<i1>
  } do {
  ^bb0(%v: tensor<i64>):
    %k = nd.kernel(%0 = %v : tensor<i64>) {
      %1 = nd.add %0, %0 : tensor<i64>
      nd.yield %1 : tensor<i64>
    }
    nd.yield %k : tensor<i64>
  } : (tensor<i64>) -> tensor<i64>
  nd.return %m : tensor<i64>
}
// CHECK:       loop.func @until(%n: !loop.buffer<[] x i64>) -> ([[M:%\d+]]: !loop.buffer<[] x i64>) {
// CHECK:         loop.copy %n, [[M]]
// CHECK-NEXT:    loop.while {
// CHECK-NEXT:      loop.launch @lt_0 <>([[M]], [[TRUTH:%\d+]])
// CHECK:           [[GOES_ON:%\d+]] = loop.load [[TRUTH]]
// CHECK-NEXT:      loop.condition [[GOES_ON]]
// CHECK-NEXT:    } do {
// CHECK-NEXT:      loop.launch @add_1 <>([[M]], [[NEXT:%\d+]])
// CHECK-NEXT:      loop.copy [[NEXT]], [[M]]

// -----

// Effects keep their order. What is printed, and what an error says, stands at the function, by number.
nd.func @effects(%x: tensor<2xf32>, %c: tensor<i1>) {
  nd.print <"x is {}">(%x) : tensor<2xf32>
  nd.assert %c, <"must hold"> : tensor<i1>
  %y = nd.custom "twice"(%x) gives <[tensor<2xf32>]> : (tensor<2xf32>) -> tensor<2xf32>
  nd.return %y : tensor<2xf32>
}
// CHECK:       loop.func @effects(%x: !loop.buffer<[2] x f32>, %c: !loop.buffer<[] x i1>) -> ([[Y:%\d+]]: !loop.buffer<[2] x f32>)
// CHECK-SAME:      sites = [#loop.site<print "x is {}" (f32 [2])>, #loop.site<assert "must hold" ()>]
// CHECK-NEXT:    loop.host site <0>(%x)
// CHECK:         loop.assert %{{\d+}} site <1>
// CHECK-NEXT:    loop.custom "twice"(%x, [[Y]])
