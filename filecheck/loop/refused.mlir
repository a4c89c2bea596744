// RUN: stepwell-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

// Floats have a sign.
%x = "test.op"() : () -> f32
%0 = loop.compare ult %x, %x : f32
// CHECK: ult compares unsigned integers

// -----

%v = "test.op"() : () -> vector<8xf32>
%0 = "loop.compare"(%v, %v) <{predicate = "lt"}> : (vector<8xf32>, vector<8xf32>) -> i1
// CHECK: a comparison gives a truth value for each lane

// -----

%i = "test.op"() : () -> i32
%0 = loop.compare slt %i, %i : i32
// CHECK: Expected `eq`, `ne`, `lt`
