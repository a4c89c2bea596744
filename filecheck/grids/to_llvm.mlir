// RUN: stepwell-opt %s -p 'onto-grids,grids-to-llvm{machine=sm_80}' | filecheck %s

// The host fills a table of the places of what the kernel takes and calls the driver; a status other
// than 0 ends the call.
loop.kernel @scale<N: 0>(%x: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[N] x f32>) {
  %n = loop.index N
  loop.parallel %i to %n {
    %v = loop.load %x[%i] : !loop.buffer<[N] x f32> to f32
    %w = arith.mulf %v, %v : f32
    loop.store %w, %y[%i] : f32 to !loop.buffer<[N] x f32>
  }
}
loop.func @main<N: 0>(%x: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[N] x f32>) {
  loop.launch @scale <N = N> (%x, %y) : !loop.buffer<[N] x f32>, !loop.buffer<[N] x f32>
}

// CHECK:       llvm.func internal @scale([[ctx:%\d+]]: !llvm.ptr, [[x:%\d+]]: !llvm.ptr {llvm.noalias}, [[y:%\d+]]: !llvm.ptr {llvm.noalias}, [[N:%\d+]]: i64) -> i32 {
// CHECK:         [[blocks:%\d+]] = llvm.udiv
// CHECK:         [[some:%\d+]] = llvm.icmp "ne" [[blocks]], %{{\d+}} : i64
// CHECK-NEXT:    llvm.cond_br [[some]]
// CHECK:         [[word:%\d+]] = llvm.getelementptr [[ctx]][9]
// CHECK-NEXT:    [[kernels:%\d+]] = llvm.load [[word]]
// CHECK-NEXT:    [[place:%\d+]] = llvm.getelementptr [[kernels]][0]
// CHECK-NEXT:    [[kernel:%\d+]] = llvm.load [[place]]
// CHECK-NEXT:    [[word:%\d+]] = llvm.getelementptr [[ctx]][10]
// CHECK-NEXT:    [[stream:%\d+]] = llvm.load [[word]]
// CHECK:         llvm.store [[N]]
// CHECK:         llvm.store [[x]]
// CHECK:         llvm.store [[y]]
// CHECK:         [[word:%\d+]] = llvm.getelementptr [[ctx]][8]
// CHECK-NEXT:    [[launch:%\d+]] = llvm.load [[word]]
// CHECK-NEXT:    [[status:%\d+]] = llvm.call [[launch]]([[kernel]], {{.*}}[[stream]], {{.*}} -> i32
// CHECK-NEXT:    llvm.icmp "ne" [[status]]
// CHECK:         llvm.getelementptr [[ctx]][6]
// CHECK:         llvm.getelementptr [[ctx]][7]

// Two pointers into one buffer are not promised to lead to memory of their own.
loop.kernel @twice(%x: !loop.buffer<[64] x f32>) -> (%y: !loop.buffer<[64] x f32>, %w: !loop.buffer<[128] x f32>) {
  %zero = loop.index 0
  %half = loop.index 64
  %low = loop.view %w[%zero] : !loop.buffer<[128] x f32> to !loop.buffer<[64] x f32>
  %high = loop.view %w[%half] : !loop.buffer<[128] x f32> to !loop.buffer<[64] x f32>
  loop.parallel %i to %half {
    %v = loop.load %low[%i] : !loop.buffer<[64] x f32> to f32
    loop.store %v, %high[%i] : f32 to !loop.buffer<[64] x f32>
    loop.store %v, %y[%i] : f32 to !loop.buffer<[64] x f32>
  }
}
loop.func @both(%x: !loop.buffer<[64] x f32>) -> (%y: !loop.buffer<[64] x f32>, %w: !loop.buffer<[128] x f32>) {
  loop.launch @twice <> (%x, %y, %w) : !loop.buffer<[64] x f32>, !loop.buffer<[64] x f32>, !loop.buffer<[128] x f32>
}

// CHECK:       "gpu.module"() <{sym_name = "device"}> ({
// CHECK:         llvm.func @scale_0({{.*}}: i64, {{.*}}: !llvm.ptr {llvm.noalias, llvm.readonly}, {{.*}}: !llvm.ptr {llvm.noalias}) attributes {nvvm.kernel, passthrough = {{\[\[}}"nvvm.reqntid", "256,1,1"], ["nvvm.minctasm", "1"]]} {
// CHECK:           llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.ctaid.x"()
// CHECK:           llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.tid.x"()
// CHECK:           llvm.fmul

// CHECK:         llvm.func @twice_1({{%\d+}}: !llvm.ptr, {{%\d+}}: !llvm.ptr, {{%\d+}}: !llvm.ptr {llvm.noalias}) attributes
