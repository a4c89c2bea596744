// RUN: stepwell-opt %s -p 'choose-plans{machine=sm_80},expand-plans' | filecheck %s
// RUN: stepwell-opt %s -p 'choose-plans{machine=sm_80},expand-plans,onto-grids,grids-to-llvm{machine=sm_80}' -t ptx | filecheck %s --check-prefix PTX

// A block turns a square of 64 by 64: each thread brings four vectors along the rows, whose elements it
// stores one by one, and reads, behind a barrier, four along the lanes. A bias is read as it lies.
loop.kernel @turned(%x: !loop.buffer<[512, 256] x f32>, %b: !loop.buffer<[512] x f32>) -> (%y: !loop.buffer<[256, 512] x f32>) {
  loop.nest [%i : 256, %j : 512] {
    %v = loop.read %x[%j, %i] : f32
    %w = loop.read %b[%j] : f32
    %s = arith.addf %v, %w : f32
    loop.write %s, %y[%i, %j] : f32
  }
}
loop.func @main(%x: !loop.buffer<[512, 256] x f32>, %b: !loop.buffer<[512] x f32>) -> (%y: !loop.buffer<[256, 512] x f32>) {
  loop.launch @turned <> (%x, %b, %y) : !loop.buffer<[512, 256] x f32>, !loop.buffer<[512] x f32>, !loop.buffer<[256, 512] x f32>
}

// CHECK-LABEL: loop.kernel @turned
// CHECK-SAME:    plan <transposed, bytes = 16>
// CHECK-DAG:     [[blocks:%\d+]] = arith.constant 32 : index
// CHECK-DAG:     [[threads:%\d+]] = arith.constant 256 : index
// CHECK:         "gpu.launch"([[blocks]], {{%\d+}}, {{%\d+}}, [[threads]],
// CHECK:           [[square:%\d+]] = nvg.shared : !loop.buffer<[4096] x f32>
// CHECK-COUNT-4:   loop.load %x[{{.*}} to vector<4xf32>
// CHECK-NOT:       loop.load
// CHECK:           arith.xori
// CHECK-COUNT-16:  loop.store {{.*}}, [[square]][{{%\d+}}] : f32
// CHECK:           "gpu.barrier"()
// CHECK:           loop.load %b[{{.*}} to vector<4xf32>
// CHECK:           loop.load [[square]][{{.*}} to vector<4xf32>
// CHECK:           arith.addf {{.*}} : vector<4xf32>
// CHECK:           loop.store {{.*}}, %y[{{.*}} : vector<4xf32>
// CHECK-COUNT-3:   loop.store {{.*}}, %y
// CHECK:           "gpu.terminator"()

// PTX:           .shared .align 64 .b8 shared{{\d+}}[16384];
// PTX-COUNT-4:   ld.global.nc.v4.b32
// PTX-COUNT-16:  st.shared.b32
// PTX:           bar.sync 0;
// PTX-COUNT-4:   st.global.v4.b32
// PTX-NOT:       {{(ld|st)\.global(\.nc)?\.b32}}
