// RUN: stepwell-opt %s -p "choose-plans{machine=x86-64-v4-vnni},expand-plans" --split-input-file | filecheck %s

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
// CHECK:           loop.cast trunci {{.*}} to vector<16xi8>
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
