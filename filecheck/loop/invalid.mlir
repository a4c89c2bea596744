// RUN: stepwell-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

// A kernel takes and writes memory.
"loop.kernel"() <{sym_name = "number", symbols = #nd.symbols<>, outputs = #nd.number<0>}> ({
^bb0(%x: f32):
}) : () -> ()
// CHECK: a kernel's arguments are buffers

// -----

"loop.kernel"() <{sym_name = "two", symbols = #nd.symbols<>, outputs = #nd.number<2>}> ({
^bb0(%x: !loop.buffer<[4] x f32>):
}) : () -> ()
// CHECK: a kernel writes no more buffers than it has

// -----

// Nests stand in a kernel, and have a size for each axis.
loop.nest [%i : 4] {
}
// CHECK: 'loop.nest' expects parent op 'loop.kernel'

// -----

loop.kernel @axes(%x: !loop.buffer<[4] x f32>) -> () {
  "loop.nest"() <{sizes = #nd.sizes<[4, 4]>}> ({
  ^bb0(%i: index):
  }) : () -> ()
}
// CHECK: 1 axes, but 2 sizes

// -----

// A fold takes the terms that its kind combines.
loop.kernel @product(%x: !loop.buffer<[4] x f32>) -> () {
  loop.nest [] {
    %s = loop.fold fma <serial> [%k : 4] {
      %v = loop.read %x[%k] : f32
      loop.yield %v : f32
    } : f32
  }
}
// CHECK: fma folds 2 term(s) into 1 result(s)

// -----

// Side by side, each term has a result.
loop.kernel @sums(%x: !loop.buffer<[4] x f32>) -> () {
  loop.nest [] {
    %s = loop.fold add <serial> [%k : 4] {
      %v = loop.read %x[%k] : f32
      loop.yield %v, %v : f32, f32
    } : f32
  }
}
// CHECK: add folds each term into a result, of one type all

// -----

loop.kernel @place(%x: !loop.buffer<[4] x f32>) -> () {
  loop.nest [] {
    %s = loop.fold argmax <any> [%k : 4] {
      %v = loop.read %x[%k] : f32
      loop.yield %v : f32
    } : f32
  }
}
// CHECK: argmax folds 2 term(s) into 2 result(s)

// -----

loop.kernel @kind(%x: !loop.buffer<[4] x f32>) -> () {
  loop.nest [] {
    %s = loop.fold mean <any> [%k : 4] {
    } : f32
  }
}
// CHECK: Expected `add`, `mul`, `max`

// -----

loop.kernel @order(%x: !loop.buffer<[4] x f32>) -> () {
  loop.nest [] {
    %s = loop.fold add <random> [%k : 4] {
    } : f32
  }
}
// CHECK: Expected one of 'any', 'lanes', 'pairs', 'serial'

// -----

// A prefix is one of a scan; a sort writes what it reads.
loop.kernel @nowhere(%x: !loop.buffer<[4] x f32>) -> () {
  loop.nest [%i : 4] {
    %v = loop.read %x[%i] : f32
    %s = loop.prefix add %v : f32
  }
}
// CHECK: 'loop.prefix' expects parent op 'loop.scan'

// -----

loop.kernel @sort(%x: !loop.buffer<[4] x f32>) -> (%y: !loop.buffer<[5] x f32>) {
  loop.sort %x to %y axis <0> : !loop.buffer<[4] x f32> to !loop.buffer<[5] x f32>
}
// CHECK: a sort has an output of the same type for each input

// -----

// A bound is known where its loop begins.
loop.for %i = %n to %n step 1 {
  loop.yield
}
%n = loop.index 4
// CHECK: %n is not defined before its use

// -----

// A counted loop goes forwards, and its block takes what it carries.
%i = "test.op"() : () -> index
loop.for %k = %i to %i step 0 {
  loop.yield
}
// CHECK: a loop's step is positive

// -----

%i, %x = "test.op"() : () -> (index, f32)
%s = "loop.for"(%i, %i, %x) <{step = #nd.number<1>}> ({
^bb0(%k: index):
  loop.yield %x : f32
}) : (index, index, f32) -> f32
// CHECK: the block takes the index and the carried values

// -----

// Floats have a sign, so that there is no unsigned comparison of them.
%x = "test.op"() : () -> f32
%0 = loop.compare ult %x, %x : f32
// CHECK: ult compares unsigned integers

// -----

%v = "test.op"() : () -> vector<8xf32>
%0 = "loop.compare"(%v, %v) <{predicate = "lt"}> : (vector<8xf32>, vector<8xf32>) -> i1
// CHECK: expected vector<8xi1>, one bit per compared lane, but got i1

// -----

%i = "test.op"() : () -> i32
%0 = loop.compare slt %i, %i : i32
// CHECK: Expected `eq`, `ne`, `lt`

// -----

// Both values of a choice are of one type.
%c, %x, %y = "test.op"() : () -> (i1, f32, f64)
%0 = "loop.select"(%c, %x, %y) : (i1, f32, f64) -> f32
// CHECK: attribute f32 expected from variable 'T', but got f64

// -----

%x = "test.op"() : () -> f32
%0 = loop.cast round %x : f32 to i32
// CHECK: Expected `extf`, `truncf`

// -----

func.func @dot(%w: vector<8xi32>) {
  %r = "loop.dot"(%w, %w, %w) <{instruction = "vpmaddubsw"}> : (vector<8xi32>, vector<8xi32>, vector<8xi32>) -> vector<8xi32>
  func.return
}
// CHECK: vpmaddubsw is none of vpdpbusd, sdot, udot, vpmaddwd, vdpbf16ps

// -----

func.func @tiles(%x: !loop.buffer<[16, 64] x i8>, %w: !loop.buffer<[512] x i32>, %s: !loop.buffer<[512] x i32>,
                 %i: index) {
  loop.dot_tiles "vpdpbusd" %x[%i] by %i, %w[%i] to %s[%i] rows %i words %i : !loop.buffer<[16, 64] x i8>, !loop.buffer<[512] x i32> to !loop.buffer<[512] x i32>
  func.return
}
// CHECK: vpdpbusd is none of tdpbssd, tdpbsud, tdpbusd, tdpbuud
