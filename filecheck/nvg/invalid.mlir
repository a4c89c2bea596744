// RUN: stepwell-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

loop.kernel @group(%v: !loop.buffer<[64] x f32>) -> () {
  nvg.sync group <12>
}
// CHECK: a group is a part of a warp, and a power of two

// -----

loop.kernel @shared<N: 0>(%v: !loop.buffer<[N] x f32>) -> () {
  %s = nvg.shared : !loop.buffer<[N] x f32>
}
// CHECK: shared memory has a fixed size

// -----

loop.kernel @copy(%v: !loop.buffer<[64] x f32>, %w: !loop.buffer<[64] x bf16>) -> () {
  %i = loop.index 8
  %c = loop.compare lt %i, %i : index
  nvg.cp_async %v[%i] to %w[%i] where %c : !loop.buffer<[64] x f32>, !loop.buffer<[64] x bf16>
}
// CHECK: what is copied keeps its type

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
