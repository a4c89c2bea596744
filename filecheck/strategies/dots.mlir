// RUN: stepwell-opt %s -p "choose-plans{machine=x86-64-v4-vnni},expand-plans" --split-input-file | filecheck %s
// RUN: stepwell-opt %s -p "choose-plans{machine=x86-64-v4-amx},expand-plans" --split-input-file | filecheck %s --check-prefix TILES
// RUN: stepwell-opt %s -p "name-orders{machine=znver5},choose-plans{machine=znver5},expand-plans" --split-input-file | filecheck %s --check-prefix PAIRS

// Bytes with signs by bytes without: the instruction multiplies the right one's bytes, from 0 on, by the
// left one's. Both are in panels of words, of four neighbours along k each. A tile has 4 rows by 2 vectors
// and needs an instruction for each of its sums at a word: 32 words for 128 products.
loop.kernel @mixed(%x: !loop.buffer<[8, 128] x i8>, %w: !loop.buffer<[128, 32] x i8>)
    -> (%y: !loop.buffer<[8, 32] x i32>) plan <dots, mr = 4, nv = 2, dot = vpdpbusd> {
  loop.nest [%m : 8, %n : 32] {
    %s = loop.fold fma <serial, 1024> [%k : 128] {
      %u = loop.read %x[%m, %k] : i8
      %v = loop.read %w[%k, %n] : i8
      %a = loop.cast extsi %u : i8 to i32
      %b = loop.cast extui %v : i8 to i32
      loop.yield %a, %b : i32, i32
    } : i32
    loop.write %s, %y[%m, %n] : i32
  }
}

// CHECK-LABEL:   loop.kernel @mixed
// CHECK:           loop.load %x[{{.*}} to vector<16xi8>
// CHECK-NEXT:      loop.cast bitcast {{.*}} : vector<16xi8> to vector<4xi32>
// CHECK:           loop.load %w[{{.*}} to vector<16xi8>
// CHECK-COUNT-2:   arith.ori
// CHECK:           loop.for [[M:%\d+]] = {{.*}} step 4 {
// CHECK:             loop.for [[K:%\d+]] = {{.*}} step 1 carry(
// CHECK-COUNT-8:       loop.dot "vpdpbusd"
// CHECK:               loop.yield
// CHECK-COUNT-8:     loop.store %{{.*}}, %y[

// -----

// Two operands with signs: the left one's bytes are moved by 128 in its panels, and what that adds to the
// sums, 128 times those of the right operand, is behind its panel: computed by the instruction itself.
loop.kernel @signed(%x: !loop.buffer<[512, 128] x i8>, %w: !loop.buffer<[128, 32] x i8>)
    -> (%y: !loop.buffer<[512, 32] x i32>) {
  loop.nest [%m : 512, %n : 32] {
    %s = loop.fold fma <serial, 1024> [%k : 128] {
      %u = loop.read %x[%m, %k] : i8
      %v = loop.read %w[%k, %n] : i8
      %a = loop.cast extsi %u : i8 to i32
      %b = loop.cast extsi %v : i8 to i32
      loop.yield %a, %b : i32, i32
    } : i32
    loop.write %s, %y[%m, %n] : i32
  }
}

// CHECK-LABEL:   loop.kernel @signed
// CHECK-SAME:      plan <dots, bytes = 64, mr = {{.*}}, dot = vpdpbusd>
// CHECK:           [[MOVED:%\d+]] = arith.constant -2139062144 : i32
// CHECK:           arith.xori
// CHECK:           loop.dot "vpdpbusd"
// CHECK:           arith.subi

// With tiles nothing is moved: the left operand's bytes are copied in rows, and before the tiles of a panel all
// rows of the task are multiplied with it.
// TILES-LABEL:   loop.kernel @signed
// TILES-SAME:      plan <dots, bytes = 64, mr = 16, nv = 2, mc = [[MC:\d+]], nc = {{.*}}, dot = tdpbssd>
// TILES-NOT:       arith.xori
// TILES:           loop.load %x[{{.*}} to vector<64xi8>
// TILES-NEXT:      loop.cast bitcast {{.*}} : vector<64xi8> to vector<16xi32>
// TILES:           loop.load %w[{{.*}} to vector<16xi8>
// TILES:           loop.dot_tiles "tdpbssd"
// TILES:           loop.for [[M:%\d+]] = {{.*}} step 16 {
// TILES-COUNT-32:    loop.load {{.*}} to vector<16xi32>
// TILES-NOT:         loop.dot
// TILES:             loop.store %{{.*}}, %y[

// -----

// Sums whose order is free are of pairs where that pays, and sums of pairs are left to the instruction; those of
// a kernel that is not `fast` stay as they are.
loop.kernel @fast(%x: !loop.buffer<[64, 128] x bf16>, %w: !loop.buffer<[128, 32] x bf16>)
    -> (%y: !loop.buffer<[64, 32] x f32>) attributes {numerics = "fast"} {
  loop.nest [%m : 64, %n : 32] {
    %s = loop.fold fma <serial, 1024> [%k : 128] {
      %u = loop.read %x[%m, %k] : bf16
      %v = loop.read %w[%k, %n] : bf16
      %a = loop.cast extf %u : bf16 to f32
      %b = loop.cast extf %v : bf16 to f32
      loop.yield %a, %b : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}

// CHECK-LABEL:   loop.kernel @fast
// CHECK-SAME:      plan <gemm
// PAIRS-LABEL:   loop.kernel @fast
// PAIRS-SAME:      plan <dots, bytes = 64, mr = {{.*}}, dot = vdpbf16ps>
// PAIRS:           loop.dot "vdpbf16ps" {{.*}} : vector<16xi32> to vector<16xf32>
