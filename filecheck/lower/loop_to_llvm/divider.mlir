// RUN: stepwell-opt %s -p "loop-to-llvm{machine=x86-64-v4}" | filecheck %s --check-prefixes=CHECK,V4
// RUN: stepwell-opt %s -p "loop-to-llvm{machine=x86-64-v3}" | filecheck %s --check-prefixes=CHECK,V3
// RUN: stepwell-opt %s -p "loop-to-llvm{machine=znver4}" | filecheck %s --check-prefixes=ZEN

// Of the vectors of an unrolled loop some are for the divider, and some for the FMA units: so many that
// both are done at the same time. Ahead of the latter is one jump for all numbers that they are not for.
// A divider that is as fast as that of Zen 4 keeps both quotients below.
loop.kernel @roots(%x: !loop.buffer<[32] x f32>) -> (%y: !loop.buffer<[32] x f32>) {
  %0 = loop.index 0
  %16 = loop.index 16
  %a = loop.load %x[%0] : !loop.buffer<[32] x f32> to vector<16xf32>
  %b = loop.load %x[%16] : !loop.buffer<[32] x f32> to vector<16xf32>
  %c = math.sqrt %a : vector<16xf32>
  %d = math.sqrt %b : vector<16xf32>
  loop.store %c, %y[%0] : vector<16xf32> to !loop.buffer<[32] x f32>
  loop.store %d, %y[%16] : vector<16xf32> to !loop.buffer<[32] x f32>
}
// CHECK-LABEL: llvm.func internal @roots(
// V3-COUNT-2:    llvm.intr.sqrt(
// V3-NOT:        cond_br
// V4:            [[rare:%\d+]] = "llvm.intr.vector.reduce.or"(
// V4-NEXT:       llvm.cond_br [[rare]], ^bb2, ^bb3
// V4-NEXT:     ^bb2:
// V4-NEXT:       [[exact:%\d+]] = llvm.intr.sqrt([[a:%\d+]])
// V4-NEXT:       llvm.br ^bb4([[exact]] : vector<16xf32>)
// V4-NEXT:     ^bb3:
// V4-NEXT:       llvm.call_intrinsic "llvm.x86.avx512.rsqrt14.ps.512"([[a]],
// V4:            llvm.br ^bb4(%
// V4-NEXT:     ^bb4([[c:%\d+]]: vector<16xf32>):
// V4-NEXT:       [[d:%\d+]] = llvm.intr.sqrt(
// CHECK:         llvm.return

loop.kernel @quotients(%x: !loop.buffer<[32] x f32>) -> (%y: !loop.buffer<[32] x f32>) {
  %0 = loop.index 0
  %16 = loop.index 16
  %a = loop.load %x[%0] : !loop.buffer<[32] x f32> to vector<16xf32>
  %b = loop.load %x[%16] : !loop.buffer<[32] x f32> to vector<16xf32>
  %c = arith.divf %a, %b : vector<16xf32>
  %d = arith.divf %b, %a : vector<16xf32>
  loop.store %c, %y[%0] : vector<16xf32> to !loop.buffer<[32] x f32>
  loop.store %d, %y[%16] : vector<16xf32> to !loop.buffer<[32] x f32>
}
// ZEN-LABEL: llvm.func internal @quotients(
// ZEN-NOT:     cond_br
// ZEN-COUNT-2: llvm.fdiv
// CHECK-LABEL: llvm.func internal @quotients(
// V3-COUNT-2:    llvm.fdiv
// V4:            llvm.cond_br
// V4:            llvm.fdiv [[a:%\d+]], [[b:%\d+]] :
// V4:            llvm.call_intrinsic "llvm.x86.avx512.rcp14.ps.512"(
// V4:            llvm.fdiv [[b]], [[a]] :
// CHECK:         llvm.return

// What a loop divides by, and does not change, is inverted ahead of it: three operations for each quotient
// then do. One of three is for the divider.
loop.kernel @by(%x: !loop.buffer<[96] x f32>) -> (%y: !loop.buffer<[96] x f32>) {
  %0 = loop.index 0
  %96 = loop.index 96
  %b = loop.load %x[%0] : !loop.buffer<[96] x f32> to vector<16xf32>
  loop.for %i = %0 to %96 step 48 {
    %a = loop.load %x[%i] : !loop.buffer<[96] x f32> to vector<16xf32>
    %j = loop.index %i + 16
    %k = loop.index %i + 32
    %c = loop.load %x[%j] : !loop.buffer<[96] x f32> to vector<16xf32>
    %d = loop.load %x[%k] : !loop.buffer<[96] x f32> to vector<16xf32>
    %e = arith.divf %a, %b : vector<16xf32>
    %f = arith.divf %c, %b : vector<16xf32>
    %g = arith.divf %d, %b : vector<16xf32>
    loop.store %e, %y[%i] : vector<16xf32> to !loop.buffer<[96] x f32>
    loop.store %f, %y[%j] : vector<16xf32> to !loop.buffer<[96] x f32>
    loop.store %g, %y[%k] : vector<16xf32> to !loop.buffer<[96] x f32>
    loop.yield
  }
}
// CHECK-LABEL: llvm.func internal @by(
// V4:            [[inverse:%\d+]] = llvm.fdiv %{{\d+}}, [[b:%\d+]] :
// V4:          ^bb2(
// V4:            llvm.cond_br %{{\d+}}, ^bb3, ^bb4
// V4-COUNT-2:    llvm.fdiv %{{\d+}}, [[b]] :
// V4:            [[near:%\d+]] = llvm.fmul [[a:%\d+]], [[inverse]] :
// V4-NEXT:       [[minus:%\d+]] = llvm.fneg [[a]] :
// V4-NEXT:       [[left:%\d+]] = llvm.intr.fma([[b]], [[near]], [[minus]])
// V4:            llvm.fdiv %{{\d+}}, [[b]] :
// V3-COUNT-3:    llvm.fdiv
// CHECK-NOT:     llvm.fdiv
// CHECK:         llvm.return

// Left to the divider: what stands alone, is narrower, is no f32, or has more than enough around it for the FMA units to do.
loop.kernel @others(%x: !loop.buffer<[64] x f32>, %w: !loop.buffer<[64] x f64>) -> (%y: !loop.buffer<[64] x f32>, %z: !loop.buffer<[64] x f64>) {
  %0 = loop.index 0
  %64 = loop.index 64
  loop.for %i = %0 to %64 step 16 {
    %a = loop.load %x[%i] : !loop.buffer<[64] x f32> to vector<16xf32>
    %b = math.sqrt %a : vector<16xf32>
    %f = arith.divf %b, %a : vector<16xf32>
    loop.store %f, %y[%i] : vector<16xf32> to !loop.buffer<[64] x f32>
    %h = loop.load %x[%i] : !loop.buffer<[64] x f32> to vector<8xf32>
    %j = math.sqrt %h : vector<8xf32>
    %k = math.sqrt %j : vector<8xf32>
    loop.store %k, %y[%i] : vector<8xf32> to !loop.buffer<[64] x f32>
    %l = loop.load %w[%i] : !loop.buffer<[64] x f64> to vector<8xf64>
    %m = loop.load %w[%i] : !loop.buffer<[64] x f64> to vector<8xf64>
    %n = arith.divf %l, %m : vector<8xf64>
    %o = arith.divf %m, %l : vector<8xf64>
    loop.store %n, %z[%i] : vector<8xf64> to !loop.buffer<[64] x f64>
    loop.store %o, %z[%i] : vector<8xf64> to !loop.buffer<[64] x f64>
    loop.yield
  }
  loop.for %i = %0 to %64 step 32 {
    %a = loop.load %x[%i] : !loop.buffer<[64] x f32> to vector<16xf32>
    %b = math.exp %a : vector<16xf32>
    %c = math.exp %b : vector<16xf32>
    %d = math.exp %c : vector<16xf32>
    %e = arith.divf %b, %d : vector<16xf32>
    %f = arith.divf %c, %d : vector<16xf32>
    loop.store %e, %y[%i] : vector<16xf32> to !loop.buffer<[64] x f32>
    loop.store %f, %y[%i] : vector<16xf32> to !loop.buffer<[64] x f32>
    loop.yield
  }
}
// CHECK-LABEL: llvm.func internal @others(
// CHECK-NOT:     {{rsqrt14|rcp14}}
// CHECK:         llvm.return
