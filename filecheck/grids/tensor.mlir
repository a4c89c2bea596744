// RUN: stepwell-opt %s -p 'name-orders{machine=sm_80},choose-plans{machine=sm_80},expand-plans' | filecheck %s
// RUN: stepwell-opt %s -p 'name-orders{machine=sm_80},choose-plans{machine=sm_80},expand-plans,onto-grids,grids-to-llvm{machine=sm_80}' -t ptx | filecheck %s --check-prefix PTX
// RUN: stepwell-opt %s -p 'name-orders{machine=sm_80}' | filecheck %s --check-prefix NAMED

// Four warps of 64 by 64 outputs. Two stages of 32 positions are on their way while a third one is
// multiplied; one barrier for each.
loop.kernel @product(%a: !loop.buffer<[2048, 512] x bf16>, %b: !loop.buffer<[512, 2048] x bf16>) -> (%c: !loop.buffer<[2048, 2048] x bf16>) {
  loop.nest [%i : 2048, %j : 2048] {
    %s = loop.fold fma <serial, 1024> [%k : 512] {
      %u = loop.read %a[%i, %k] : bf16
      %v = loop.read %b[%k, %j] : bf16
      %p = loop.cast extf %u : bf16 to f32
      %q = loop.cast extf %v : bf16 to f32
      loop.yield %p, %q : f32, f32
    } : f32
    %r = loop.cast truncf %s : f32 to bf16
    loop.write %r, %c[%i, %j] : bf16
  }
}
loop.func @main(%a: !loop.buffer<[2048, 512] x bf16>, %b: !loop.buffer<[512, 2048] x bf16>) -> (%c: !loop.buffer<[2048, 2048] x bf16>) {
  loop.launch @product <> (%a, %b, %c) : !loop.buffer<[2048, 512] x bf16>, !loop.buffer<[512, 2048] x bf16>, !loop.buffer<[2048, 2048] x bf16>
}

// NAMED:         loop.fold fma <tensor> [%k : 512]

// CHECK-LABEL: loop.kernel @product
// CHECK-SAME:    plan <tensor, rows = 128, lanes = 128>
// CHECK-DAG:     [[blocks:%\d+]] = arith.constant 256 : index
// CHECK-DAG:     [[one:%\d+]] = arith.constant 1 : index
// CHECK-DAG:     [[threads:%\d+]] = arith.constant 128 : index
// CHECK:         "gpu.launch"([[blocks]], [[one]], [[one]], [[threads]], [[one]], [[one]])
// CHECK:           [[left:%\d+]] = nvg.shared : !loop.buffer<[12288] x bf16>
// CHECK:           [[right:%\d+]] = nvg.shared : !loop.buffer<[12288] x bf16>
// CHECK:           loop.for {{.*}} step 1 {
// CHECK-COUNT-4:     nvg.cp_async %a{{.*}} to [[left]]
// CHECK-COUNT-4:     nvg.cp_async %b{{.*}} to [[right]]
// CHECK:             nvg.commit_group
// CHECK:           loop.for {{.*}} step 32 carry
// CHECK:             nvg.wait_group <1>
// CHECK-NEXT:        "gpu.barrier"()
// CHECK:             loop.if {{.*}} {
// CHECK-COUNT-4:       nvg.cp_async %a{{.*}} to [[left]]
// CHECK-COUNT-4:       nvg.cp_async %b{{.*}} to [[right]]
// CHECK:             nvg.commit_group

// The left factor lies along the fold, as instructions take it; the right one is turned by the load.
// CHECK-COUNT-4:     nvg.ldmatrix [[left]][{{%\d+}}] : {{.*}} to vector<8xbf16>
// CHECK-COUNT-4:     nvg.ldmatrix [[right]][{{%\d+}}] turned : {{.*}} to vector<8xbf16>
// CHECK-COUNT-32:    nvg.mma
// CHECK-NOT:       nvg.wait_group

// In the end four threads give each other what they have, so that each writes sixteen bytes.
// CHECK:           nvg.exchange {{.*}} distance <2> group <32> : vector<2xf32>
// CHECK:           nvg.exchange {{.*}} distance <1> group <32> : vector<2xf32>
// CHECK:           loop.store {{.*}}, %c[{{.*}} : vector<8xbf16>

// PTX:           .visible .entry product_0(
// PTX:           .reqntid 128, 1, 1
// PTX-NOT:       .local
// PTX-COUNT-8:   cp.async.cg.shared.global [{{.*}}], [{{.*}}], 16, 16;
// PTX:           cp.async.commit_group;
// PTX-COUNT-4:   ldmatrix.sync.aligned.m8n8.x4.shared.b16
// PTX-COUNT-4:   ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16
// PTX-COUNT-32:  mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// PTX-COUNT-4:   ldmatrix.sync.aligned.m8n8.x4.shared.b16
// PTX-COUNT-4:   ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16
// PTX-COUNT-32:  mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// PTX:           cp.async.wait_group 1;
// PTX-NEXT:      bar.sync 0;
// PTX-COUNT-8:   cp.async.cg.shared.global [{{.*}}], [{{.*}}], 16, 16;
// PTX-COUNT-16:  st.global.v4.b32

// A position that is left out becomes a product with zero: the window is read where it lies inside, and
// the other factor everywhere.
loop.kernel @window(%x: !loop.buffer<[64, 32] x f16>, %w: !loop.buffer<[3, 32, 64] x f16>) -> (%y: !loop.buffer<[64, 64] x f32>) {
  loop.nest [%i : 64, %n : 64] {
    %s = loop.fold fma <serial> [%d : 3, %c : 32] {
      %zi = arith.constant 0 : index
      %at = loop.index %i + %d + -1
      %size = loop.index 64
      %c0 = loop.compare ge %at, %zi : index
      %c1 = loop.compare lt %at, %size : index
      %in = arith.andi %c0, %c1 : i1
      %u = loop.read %x[%i + %d + -1, %c] where %in : f16
      %v = loop.read %w[%d, %c, %n] where %in : f16
      %zero = arith.constant 0.0 : f32
      %nothing = arith.constant -0.0 : f32
      %p = loop.cast extf %u : f16 to f32
      %q = loop.cast extf %v : f16 to f32
      %r = loop.select %in, %p, %zero : i1, f32
      %t = loop.select %in, %q, %nothing : i1, f32
      loop.yield %r, %t : f32, f32
    } : f32
    loop.write %s, %y[%i, %n] : f32
  }
}

// NAMED-LABEL: loop.kernel @window
// NAMED:         loop.fold fma <tensor>
// NAMED:           %u = loop.read %x{{.*}} where %in : f16
// NAMED:           = loop.read %w[%d, %c, %n] : f16
// NAMED-NOT:       loop.select

// CHECK-LABEL: loop.kernel @window
// CHECK-SAME:    plan <tensor, rows = 64, lanes = 64>
// CHECK:         [[first:%\d+]] = loop.compare ge
// CHECK:         [[last:%\d+]] = loop.compare lt
// CHECK:         [[inside:%\d+]] = arith.andi [[first]], [[last]]
// CHECK:         nvg.cp_async %x[{{.*}} where [[inside]]

// Bytes take the same way, 32 positions at a time, and their sums wrap.
loop.kernel @bytes(%a: !loop.buffer<[512, 512] x i8>, %b: !loop.buffer<[512, 512] x i8>) -> (%c: !loop.buffer<[512, 512] x i32>) {
  loop.nest [%i : 512, %j : 512] {
    %s = loop.fold fma <serial> [%k : 512] {
      %u = loop.read %a[%i, %k] : i8
      %v = loop.read %b[%j, %k] : i8
      %p = loop.cast extsi %u : i8 to i32
      %q = loop.cast extsi %v : i8 to i32
      loop.yield %p, %q : i32, i32
    } : i32
    loop.write %s, %c[%i, %j] : i32
  }
}
// PTX:           .visible .entry bytes_
// PTX:           mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32
