// RUN: stepwell-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

loop.kernel @group(%v: !loop.buffer<[64] x f32>) -> () {
  nvg.sync group <12>
}
// CHECK: a group is a part of a warp, and a power of two

// -----

loop.kernel @outside(%v: !loop.buffer<[64] x f32>) -> () {
  %i = loop.index 8
  %a = loop.load %v[%i] : !loop.buffer<[64] x f32> to f32
  %b = nvg.exchange %a distance <16> group <16> : f32
}
// CHECK: a distance is a bit of a thread's number in its group

// -----

loop.kernel @bits(%v: !loop.buffer<[64] x f32>) -> () {
  %i = loop.index 8
  %a = loop.load %v[%i] : !loop.buffer<[64] x f32> to f32
  %b = nvg.exchange %a distance <3> group <16> : f32
}
// CHECK: a distance is a bit of a thread's number in its group

// -----

loop.kernel @shared<N: 0>(%v: !loop.buffer<[N] x f32>) -> () {
  %s = nvg.shared : !loop.buffer<[N] x f32>
}
// CHECK: shared memory has a fixed size

// -----

// Both would begin where the memory does that the launch adds.
loop.kernel @twice<N: 0>(%x: !loop.buffer<[N] x i8>) -> () {
  %b = loop.index N
  %one = loop.index 1
  "gpu.launch"(%b, %one, %one, %one, %one, %one) <{operandSegmentSizes = array<i32: 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0>}> ({
  ^bb0(%bx: index, %by: index, %bz: index, %tx: index, %ty: index, %tz: index, %gx: index, %gy: index, %gz: index, %sx: index, %sy: index, %sz: index):
    %s = nvg.shared dynamic <4096> : !loop.buffer<[N] x i8>
    %t = nvg.shared dynamic <4096> : !loop.buffer<[N] x i8>
    "gpu.terminator"() : () -> ()
  }) : (index, index, index, index, index, index) -> ()
}
// CHECK: a grid has one buffer of dynamic size

// -----

loop.kernel @copy(%v: !loop.buffer<[64] x f32>, %w: !loop.buffer<[64] x bf16>) -> () {
  %i = loop.index 8
  %c = loop.compare lt %i, %i : index
  nvg.cp_async %v[%i] to %w[%i] where %c : !loop.buffer<[64] x f32>, !loop.buffer<[64] x bf16>
}
// CHECK: what is copied keeps its type

// -----

loop.kernel @there(%v: !loop.buffer<[64] x f32>, %w: !loop.buffer<[64] x f32>) -> () {
  %i = loop.index 8
  %c = loop.compare lt %i, %i : index
  nvg.cp_async %v[%i] to %w[%i] where %c : !loop.buffer<[64] x f32>, !loop.buffer<[64] x f32>
}
// CHECK: a copy goes from the card's memory to what a block shares

// -----

loop.kernel @back(%v: !loop.buffer<[64] x f32>) -> () {
  %s = nvg.shared : !loop.buffer<[64] x f32>
  %i = loop.index 8
  %c = loop.compare lt %i, %i : index
  nvg.cp_async %s[%i] to %s[%i] where %c : !loop.buffer<[64] x f32>, !loop.buffer<[64] x f32>
}
// CHECK: a copy goes from the card's memory to what a block shares

// -----

// Matrices have rows of eight elements, and a thread two neighbours of each of one, two or four.
loop.kernel @elements(%v: !loop.buffer<[64] x f32>) -> () {
  %i = loop.index 8
  %a = nvg.ldmatrix %v[%i] : !loop.buffer<[64] x f32> to vector<8xf32>
}
// CHECK: the elements of matrices have 8 or 16 bits

// -----

loop.kernel @three(%v: !loop.buffer<[64] x f16>) -> () {
  %i = loop.index 8
  %a = nvg.ldmatrix %v[%i] : !loop.buffer<[64] x f16> to vector<6xf16>
}
// CHECK: a thread gets a word of one, two or four matrices

// -----

loop.kernel @types(%v: !loop.buffer<[64] x f16>, %w: !loop.buffer<[64] x bf16>, %s: !loop.buffer<[64] x f32>) -> () {
  %i = loop.index 8
  %a = loop.load %v[%i] : !loop.buffer<[64] x f16> to vector<8xf16>
  %b = loop.load %w[%i] : !loop.buffer<[64] x bf16> to vector<4xbf16>
  %c = loop.load %s[%i] : !loop.buffer<[64] x f32> to vector<4xf32>
  %r = nvg.mma "f16" %a, %b to %c : vector<8xf16>, vector<4xbf16> to vector<4xf32>
}
// CHECK: a thread has vector<8xf16>, vector<4xf16>, vector<4xf32>

// -----

loop.kernel @counts(%v: !loop.buffer<[64] x f16>, %s: !loop.buffer<[64] x f32>) -> () {
  %i = loop.index 8
  %a = loop.load %v[%i] : !loop.buffer<[64] x f16> to vector<8xf16>
  %c = loop.load %s[%i] : !loop.buffer<[64] x f32> to vector<4xf32>
  %r = nvg.mma "f16" %a, %a to %c : vector<8xf16>, vector<8xf16> to vector<4xf32>
}
// CHECK: a thread has vector<8xf16>, vector<4xf16>, vector<4xf32>

// -----

loop.kernel @sums(%v: !loop.buffer<[64] x f16>, %s: !loop.buffer<[64] x f32>) -> () {
  %i = loop.index 8
  %a = loop.load %v[%i] : !loop.buffer<[64] x f16> to vector<8xf16>
  %b = loop.load %v[%i] : !loop.buffer<[64] x f16> to vector<4xf16>
  %c = loop.load %s[%i] : !loop.buffer<[64] x f32> to vector<8xf32>
  %r = nvg.mma "f16" %a, %b to %c : vector<8xf16>, vector<4xf16> to vector<8xf32>
}
// CHECK: a thread has vector<8xf16>, vector<4xf16>, vector<4xf32>

// -----

loop.kernel @kind(%v: !loop.buffer<[64] x f16>, %s: !loop.buffer<[64] x f32>) -> () {
  %i = loop.index 8
  %a = loop.load %v[%i] : !loop.buffer<[64] x f16> to vector<8xf16>
  %c = loop.load %s[%i] : !loop.buffer<[64] x f32> to vector<4xf32>
  %r = nvg.mma "f64" %a, %a to %c : vector<8xf16>, vector<8xf16> to vector<4xf32>
}
// CHECK: f64 is none of f16, bf16, s8, s8.u8, u8.s8, u8

// -----

loop.kernel @bytes(%v: !loop.buffer<[64] x i8>) -> () {
  %i = loop.index 8
  %a = nvg.ldmatrix %v[%i] turned : !loop.buffer<[64] x i8> to vector<16xi8>
}
// CHECK: only elements of 16 bits are turned

// -----

loop.kernel @far(%v: !loop.buffer<[128] x f16>) -> () {
  %i = loop.index 8
  %half = loop.view %v[%i] : !loop.buffer<[128] x f16> to !loop.buffer<[64] x f16>
  %a = nvg.ldmatrix %half[%i] : !loop.buffer<[64] x f16> to vector<8xf16>
}
// CHECK: matrices are loaded from what a block shares
