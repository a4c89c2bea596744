// RUN: stepwell-opt %s -p onto-grids | filecheck %s
// RUN: stepwell-opt %s -p 'onto-grids,grids-to-llvm{machine=sm_80}' -t ptx | filecheck %s --check-prefix PTX

// Every thread reads every index, and adds where the place is its own: the sums keep their order.
loop.func @scatter<M: 0>(%i: !loop.buffer<[M] x i64>, %u: !loop.buffer<[M, 16] x f32>) -> (%y: !loop.buffer<[9, 16] x f32>) {
  %zero = loop.index 0
  %count = loop.index M
  loop.for %n = %zero to %count step 1 {
    %at = loop.index %n
    %v = loop.load %i[%at] : !loop.buffer<[M] x i64> to i64
    %place = loop.cast index %v : i64 to index
    %width = loop.index 16
    loop.for %c = %zero to %width step 16 {
      %from = loop.index (16) * %n + %c
      %a = loop.load %u[%from] : !loop.buffer<[M, 16] x f32> to vector<16xf32>
      %to = loop.index (16) * %place + %c
      %b = loop.load %y[%to] : !loop.buffer<[9, 16] x f32> to vector<16xf32>
      %s = arith.addf %b, %a : vector<16xf32>
      loop.store %s, %y[%to] : vector<16xf32> to !loop.buffer<[9, 16] x f32>
      loop.yield
    }
    loop.yield
  }
}

// CHECK-LABEL: loop.func @scatter
// CHECK:         [[blocks:%\d+]] = arith.constant 1 : index
// CHECK:         [[threads:%\d+]] = arith.constant 256 : index
// CHECK:         "gpu.launch"([[blocks]], {{%\d+}}, {{%\d+}}, [[threads]],
// CHECK:           [[number:%\d+]] = loop.index {{%\d+}} + {{%\d+}}
// CHECK:           loop.for
// CHECK:             loop.load %i
// CHECK:             [[place:%\w+]] = loop.cast index
// CHECK:             [[from:%\d+]] = loop.index [[number]] + (-16) * [[place]]
// CHECK:             arith.constant 255
// CHECK:             arith.andi [[from]]
// CHECK:             loop.for {{.*}} step 256
// CHECK:               arith.addf {{.*}} : f32
// CHECK-NEXT:          loop.store {{.*}} : f32

// What is added is read by the way of constants, but not what is added to: it was written before.
// PTX:           .entry scatter_body_0(
// PTX:           .reqntid 256, 1, 1
// PTX-NOT:       .local
// PTX:           ld.global.nc.b64 [[place:%rd\d+]]
// PTX:           and.b64 {{%rd\d+}}, {{%rd\d+}}, 255;
// PTX:           ld.global.nc.b32 [[added:%r\d+]]
// PTX:           ld.global.b32 [[sum:%r\d+]], {{\[}}[[at:%rd\d+]]{{\]}};
// PTX-NEXT:      add.rn.f32 [[new:%r\d+]], [[sum]], [[added]];
// PTX-NEXT:      st.global.b32 {{\[}}[[at]]{{\]}}, [[new]];

// Where a slice goes only the GPU knows: its threads copy it.
loop.func @replace(%at: !loop.buffer<[] x i64>, %x: !loop.buffer<[4] x f32>) -> (%y: !loop.buffer<[100] x f32>) {
  %zero = loop.index 0
  %v = loop.load %at[%zero] : !loop.buffer<[] x i64> to i64
  %place = loop.cast index %v : i64 to index
  %part = loop.view %y[%place] : !loop.buffer<[100] x f32> to !loop.buffer<[4] x f32>
  loop.copy %x, %part : !loop.buffer<[4] x f32> to !loop.buffer<[4] x f32>
}

// CHECK-LABEL: loop.func @replace
// CHECK-NOT:     loop.load
// CHECK:         "gpu.launch"
// CHECK-NOT:     loop.copy
// CHECK:           loop.for {{.*}} step 128
// CHECK-NEXT:        loop.load %x
// CHECK-NEXT:        loop.store

// PTX:           .entry replace_body_1(
// PTX:           .reqntid 128, 1, 1
// PTX:           ld.global.nc.b64
// PTX:           ld.global.nc.b32 [[element:%r\d+]]
// PTX-NEXT:      st.global.b32 {{.*}}, [[element]];

// What is read where another step has written is no thread's own: one does it all.
loop.func @chain(%x: !loop.buffer<[99] x f32>) -> (%y: !loop.buffer<[100] x f32>) {
  %zero = loop.index 0
  %count = loop.index 99
  loop.for %n = %zero to %count step 1 {
    %from = loop.index %n
    %a = loop.load %x[%from] : !loop.buffer<[99] x f32> to f32
    %b = loop.load %y[%from] : !loop.buffer<[100] x f32> to f32
    %s = arith.addf %b, %a : f32
    %to = loop.index %n + 1
    loop.store %s, %y[%to] : f32 to !loop.buffer<[100] x f32>
    loop.yield
  }
}

// CHECK-LABEL: loop.func @chain
// CHECK:         [[one:%\d+]] = arith.constant 1 : index
// CHECK-NEXT:    "gpu.launch"([[one]], [[one]], [[one]], [[one]], [[one]], [[one]])
