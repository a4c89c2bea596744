// RUN: stepwell-opt %s -p 'choose-plans{machine=sm_80},expand-plans' | filecheck %s
// RUN: stepwell-opt %s -p 'choose-plans{machine=sm_80},expand-plans,onto-grids,grids-to-llvm{machine=sm_80}' -t ptx | filecheck %s --check-prefix PTX

// A block of 256 threads for 128 by 128 outputs. Of both factors the threads bring 16 positions of the
// fold into one half of shared memory, while they multiply what is in the other one.
loop.kernel @product(%a: !loop.buffer<[2048, 512] x f32>, %b: !loop.buffer<[512, 2048] x f32>) -> (%c: !loop.buffer<[2048, 2048] x f32>) {
  loop.nest [%i : 2048, %j : 2048] {
    %s = loop.fold fma <serial, 1024> [%k : 512] {
      %u = loop.read %a[%i, %k] : f32
      %v = loop.read %b[%k, %j] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %c[%i, %j] : f32
  }
}
loop.func @main(%a: !loop.buffer<[2048, 512] x f32>, %b: !loop.buffer<[512, 2048] x f32>) -> (%c: !loop.buffer<[2048, 2048] x f32>) {
  loop.launch @product <> (%a, %b, %c) : !loop.buffer<[2048, 512] x f32>, !loop.buffer<[512, 2048] x f32>, !loop.buffer<[2048, 2048] x f32>
}

// CHECK-LABEL: loop.kernel @product
// CHECK-SAME:    plan <tiles, rows = 128, lanes = 128>
// CHECK-DAG:     [[blocks:%\d+]] = arith.constant 256 : index
// CHECK-DAG:     [[one:%\d+]] = arith.constant 1 : index
// CHECK:         "gpu.launch"([[blocks]], [[one]], [[one]], [[blocks]], [[one]], [[one]])
// CHECK:           [[left:%\d+]] = nvg.shared : !loop.buffer<[4096] x f32>
// CHECK:           [[right:%\d+]] = nvg.shared : !loop.buffer<[4096] x f32>
// CHECK:           "gpu.barrier"()
// CHECK:           loop.for [[first:%\d+]] = {{.*}} step 16 carry

// The left factor's next elements are asked for before half of the products, and stored behind them, in
// four places each: they lie side by side along the fold.
// CHECK:             loop.if {{.*}} {
// CHECK-COUNT-2:       loop.load %a[{{.*}} to vector<4xf32>
// CHECK-COUNT-2:     loop.load [[left]][{{.*}} to vector<4xf32>
// CHECK-COUNT-2:     loop.load [[right]][{{.*}} to vector<4xf32>
// CHECK-COUNT-16:    math.fma
// CHECK:             [[lane:%\d+]] = loop.extract
// CHECK-NEXT:        loop.store [[lane]], [[left]]
// CHECK-COUNT-7:     loop.store {{.*}}, [[left]]
// CHECK:             loop.if {{.*}} {
// CHECK-COUNT-2:       loop.load %b[{{.*}} to vector<4xf32>
// CHECK-COUNT-2:     loop.store {{.*}}, [[right]][{{.*}} : vector<4xf32>
// CHECK:             "gpu.barrier"()
// CHECK-NEXT:        loop.yield
// CHECK:           loop.store {{.*}}, %c[{{.*}} : vector<4xf32>
// CHECK:           "gpu.terminator"()

// PTX:           .visible .entry product_0(
// PTX:           .reqntid 256, 1, 1
// PTX-DAG:       .shared .align 64 .b8 shared1[16384];
// PTX-DAG:       .shared .align 64 .b8 shared2[16384];
// PTX-NOT:       .local
// PTX:           bar.sync 0;
// PTX-COUNT-2:   ld.global{{(.nc)?}}.v4.b32
// PTX-COUNT-512: fma.rn.f32
// PTX-COUNT-8:   st.shared.b32
// PTX-COUNT-2:   ld.global{{(.nc)?}}.v4.b32
// PTX-COUNT-512: fma.rn.f32
// PTX-COUNT-2:   st.shared.v4.b32
// PTX:           bar.sync 0;
// PTX-COUNT-16:  st.global.v4.b32

// A fold that leaves out the products of some rows: whether they count is asked once for each row and
// stage, and lies in shared memory, too. Where all rows of a thread count, there is no more to ask.
loop.kernel @window(%x: !loop.buffer<[64, 32] x f32>, %w: !loop.buffer<[3, 32, 64] x f32>) -> (%y: !loop.buffer<[64, 64] x f32>) {
  loop.nest [%i : 64, %n : 64] {
    %s = loop.fold fma <serial> [%d : 3, %c : 32] {
      %zi = arith.constant 0 : index
      %at = loop.index %i + %d + -1
      %size = loop.index 64
      %c0 = loop.compare ge %at, %zi : index
      %c1 = loop.compare lt %at, %size : index
      %in = arith.andi %c0, %c1 : i1
      %u = loop.read %x[%i + %d + -1, %c] where %in : f32
      %v = loop.read %w[%d, %c, %n] where %in : f32
      %zero = arith.constant 0.0 : f32
      %nothing = arith.constant -0.0 : f32
      %p = loop.select %in, %u, %zero : i1, f32
      %q = loop.select %in, %v, %nothing : i1, f32
      loop.yield %p, %q : f32, f32
    } : f32
    loop.write %s, %y[%i, %n] : f32
  }
}

// CHECK-LABEL: loop.kernel @window
// CHECK-SAME:    plan <tiles, rows = 64, lanes = 64>
// CHECK:         [[counts:%\d+]] = nvg.shared : !loop.buffer<[128] x i32>
// CHECK:         loop.for {{.*}} step 16 carry
// CHECK-COUNT-2:   loop.load [[counts]][{{.*}} to vector<4xi32>
// CHECK:           arith.andi
// CHECK:           = loop.if {{.*}} {
// CHECK:           } else {
// CHECK:             loop.for {{.*}} step 1 carry
// CHECK-COUNT-16:      math.fma
// CHECK-COUNT-16:      loop.select
// CHECK:           loop.store {{.*}}, [[counts]]
// CHECK:           "gpu.barrier"()
