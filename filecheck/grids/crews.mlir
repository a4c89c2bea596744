// RUN: stepwell-opt %s -p 'choose-plans{machine=sm_80},expand-plans' | filecheck %s
// RUN: stepwell-opt %s -p 'choose-plans{machine=sm_90a}' | filecheck %s --check-prefix MORE
// RUN: stepwell-opt %s -p 'choose-plans{machine=sm_80},expand-plans,onto-grids,grids-to-llvm{machine=sm_80}' -t ptx | filecheck %s --check-prefix PTX
// RUN: stepwell-opt %s -p 'choose-plans{machine=sm_90a},expand-plans,onto-grids,grids-to-llvm{machine=sm_90a}' -t ptx{machine=sm_90a} | filecheck %s --check-prefix LATER

// A block of threads for a row, which is read once: where it is read again, it lies in the block's
// memory. There are 16 positions for each thread, four vectors. Every warp has a part of the greatest
// number, and one thread joins the parts; the sum is one chunk, which the first warp folds.
loop.kernel @softmax<B: 1 to 65536>(%x: !loop.buffer<[B, 2048] x f32>) -> (%y: !loop.buffer<[B, 2048] x f32>) {
  %m = loop.local : !loop.buffer<[B] x f32>
  loop.nest [%i : B] {
    %f = loop.fold max <any> [%k : 2048] {
      %v = loop.read %x[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %f, %m[%i] : f32
  }
  %e = loop.local : !loop.buffer<[B, 2048] x f32>
  loop.nest [%i : B, %j : 2048] {
    %v = loop.read %x[%i, %j] : f32
    %w = loop.read %m[%i] : f32
    %d = arith.subf %v, %w : f32
    %r = math.exp %d : f32
    loop.write %r, %e[%i, %j] : f32
  }
  %s = loop.local : !loop.buffer<[B] x f32>
  loop.nest [%i : B] {
    %f = loop.fold add <lanes, 4096> [%k : 2048] {
      %v = loop.read %e[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %f, %s[%i] : f32
  }
  loop.nest [%i : B, %j : 2048] {
    %v = loop.read %e[%i, %j] : f32
    %w = loop.read %s[%i] : f32
    %d = arith.divf %v, %w : f32
    loop.write %d, %y[%i, %j] : f32
  }
}

// CHECK-LABEL: loop.kernel @softmax
// CHECK-SAME:    plan <crews, bytes = 16, threads = 128, room = 101376>
// CHECK:         [[threads:%\d+]] = arith.constant 128 : index
// CHECK:         "gpu.launch"({{.*}}, [[threads]], {{.*}} ({
// CHECK:           [[shared:%\d+]] = nvg.shared dynamic <16576> : !loop.buffer<[16576] x i8>
// CHECK:           [[row:%\d+]] = loop.view [[shared]]
// CHECK-COUNT-4:   loop.load %x
// CHECK-NOT:       loop.load %x
// CHECK:           "gpu.barrier"
// CHECK:           loop.for {{.*}} step 4
// CHECK:             nvg.exchange {{.*}} distance <16> group <32>
// CHECK:           "gpu.barrier"
// CHECK:           loop.for {{.*}} step 128
// CHECK-COUNT-4:     loop.load {{.*}} to f32
// CHECK:           "gpu.barrier"
// CHECK-COUNT-4:   math.exp {{.*}} vector<4xf32>
// CHECK:           "gpu.barrier"
// CHECK:           loop.for {{.*}} step 4
// CHECK:             loop.for {{.*}} step 64
// CHECK:           "gpu.barrier"
// CHECK-COUNT-4:   loop.store {{.*}}, %y

// MORE-LABEL: loop.kernel @softmax
// MORE-SAME:    plan <crews, bytes = 16, threads = 128, room = 232448>

// PTX:         .extern .shared .align 64 .b8 [[memory:shared\d+]][];
// PTX:         .reqntid 128, 1, 1
// PTX-COUNT-4: ld.global.nc.v4.b32
// PTX-NOT:     ld.global
// PTX:         ret;

// LATER:       .version 8.0
// LATER:       .target sm_90a
// LATER:       .extern .shared .align 64 .b8 shared{{\d+}}[];
// LATER-COUNT-4: ld.global.nc.v4.b32

// Rows of up to 1024 positions stay in registers; those that are read once, if there are many, are
// the work of few threads each; and a long one that is alone goes to the whole card.
loop.kernel @short(%x: !loop.buffer<[99, 1024] x f32>) -> (%y: !loop.buffer<[99] x f32>) {
  loop.nest [%i : 99] {
    %f = loop.fold add <lanes, 4096> [%k : 1024] {
      %v = loop.read %x[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %f, %y[%i] : f32
  }
}
loop.kernel @few(%x: !loop.buffer<[99, 8192] x f32>) -> (%y: !loop.buffer<[99] x f32>) {
  loop.nest [%i : 99] {
    %f = loop.fold add <lanes, 4096> [%k : 8192] {
      %v = loop.read %x[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %f, %y[%i] : f32
  }
}
loop.kernel @many(%x: !loop.buffer<[4096, 8192] x f32>) -> (%y: !loop.buffer<[4096] x f32>) {
  loop.nest [%i : 4096] {
    %f = loop.fold add <lanes, 4096> [%k : 8192] {
      %v = loop.read %x[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %f, %y[%i] : f32
  }
}
loop.kernel @alone(%x: !loop.buffer<[1, 131073] x f32>) -> (%y: !loop.buffer<[1] x f32>) {
  loop.nest [%i : 1] {
    %f = loop.fold add <lanes, 4096> [%k : 131073] {
      %v = loop.read %x[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %f, %y[%i] : f32
  }
}

// MORE-LABEL: loop.kernel @short
// MORE-SAME:    plan <warps
// MORE-LABEL: loop.kernel @few
// MORE-SAME:    plan <crews
// MORE-LABEL: loop.kernel @many
// MORE-SAME:    plan <warps
// MORE-LABEL: loop.kernel @alone
// MORE-SAME:    plan <chunks
