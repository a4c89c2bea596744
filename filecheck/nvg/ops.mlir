// RUN: STEPWELL_ROUNDTRIP
// RUN: STEPWELL_GENERIC_ROUNDTRIP

// What the threads of a warp, or of a block, do together.
loop.kernel @together<N: 0>(%x: !loop.buffer<[64] x bf16>, %v: !loop.buffer<[64] x f32>) -> () {
  %i = loop.index 8
  %c = loop.compare lt %i, %i : index
  %shared = nvg.shared : !loop.buffer<[4096] x bf16>
  %rest = nvg.shared dynamic <101376> : !loop.buffer<[4*N + 64] x i8>
  nvg.cp_async %x[%i] to %shared[%i] where %c : !loop.buffer<[64] x bf16>, !loop.buffer<[4096] x bf16>
  nvg.commit_group
  nvg.wait_group <2>
  %half = loop.view %shared[%i] : !loop.buffer<[4096] x bf16> to !loop.buffer<[2048] x bf16>
  %a = nvg.ldmatrix %half[%i] : !loop.buffer<[2048] x bf16> to vector<8xbf16>
  %b = nvg.ldmatrix %shared[%i] turned : !loop.buffer<[4096] x bf16> to vector<4xbf16>
  %s = loop.load %v[%i] : !loop.buffer<[64] x f32> to vector<4xf32>
  %r = nvg.mma "bf16" %a, %b to %s : vector<8xbf16>, vector<4xbf16> to vector<4xf32>
  %e = nvg.exchange %r distance <8> group <16> : vector<4xf32>
  nvg.sync group <16>
  loop.store %e, %v[%i] : vector<4xf32> to !loop.buffer<[64] x f32>
}
// CHECK:       %shared = nvg.shared : !loop.buffer<[4096] x bf16>
// CHECK-NEXT:  %rest = nvg.shared dynamic <101376> : !loop.buffer<[4*N + 64] x i8>
// CHECK-NEXT:  nvg.cp_async %x[%i] to %shared[%i] where %c : !loop.buffer<[64] x bf16>, !loop.buffer<[4096] x bf16>
// CHECK-NEXT:  nvg.commit_group
// CHECK-NEXT:  nvg.wait_group <2>
// CHECK-NEXT:  %half = loop.view %shared[%i]
// CHECK-NEXT:  %a = nvg.ldmatrix %half[%i] : !loop.buffer<[2048] x bf16> to vector<8xbf16>
// CHECK-NEXT:  %b = nvg.ldmatrix %shared[%i] turned : !loop.buffer<[4096] x bf16> to vector<4xbf16>
// CHECK-NEXT:  %s = loop.load
// CHECK-NEXT:  %r = nvg.mma "bf16" %a, %b to %s : vector<8xbf16>, vector<4xbf16> to vector<4xf32>
// CHECK-NEXT:  %e = nvg.exchange %r distance <8> group <16> : vector<4xf32>
// CHECK-NEXT:  nvg.sync group <16>
