// RUN: stepwell-opt %s -p expand-plans --split-input-file | filecheck %s

// A nest becomes the loops of its kernel's plan, which stays as a note of how they came about. Here:
// vectors of 16 bytes, one at a time, all by one thread; what is left at the end is masked. An index
// into a buffer becomes a linear offset.
loop.kernel @narrow<N: 0>(%x: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[N] x f32>) plan <map, bytes = 16, vectors = 1, task = 0> {
  loop.nest [%i : N] {
    %u = loop.read %x[%i] : f32
    %v = arith.addf %u, %u : f32
    loop.write %v, %y[%i] : f32
  }
}
// CHECK:       loop.kernel @narrow<N: 0>({{.*}}) plan <map, bytes = 16, vectors = 1, task = 0> {
// CHECK-NEXT:    [[N:%\d+]] = loop.index N
// CHECK-NEXT:    [[ZERO:%\d+]] = arith.constant 0 : index
// CHECK-NEXT:    [[SOME:%\d+]] = loop.compare gt [[N]], [[ZERO]] : index
// CHECK-NEXT:    [[MASK:%\d+]] = arith.constant -4 : index
// CHECK-NEXT:    [[WHOLE:%\d+]] = arith.andi [[N]], [[MASK]] : index
// CHECK-NEXT:    loop.if [[SOME]] {
// CHECK-NEXT:      loop.for [[I:%\d+]] = [[ZERO]] to [[WHOLE]] step 4 {
// CHECK-NEXT:        [[U:%\d+]] = loop.load %x[[[I]]] : !loop.buffer<[N] x f32> to vector<4xf32>
// CHECK-NEXT:        [[V:%\d+]] = arith.addf [[U]], [[U]] : vector<4xf32>
// CHECK-NEXT:        loop.store [[V]], %y[[[I]]] : vector<4xf32>
// CHECK-NEXT:        loop.yield
// CHECK-NEXT:      }
// CHECK-NEXT:      loop.for [[J:%\d+]] = [[WHOLE]] to [[N]] step 4 {
// CHECK-NEXT:        [[LEFT:%\d+]] = loop.mask [[J]], [[N]] : vector<4xi1>
// CHECK-NEXT:        loop.load %x[[[J]]] where [[LEFT]]

// -----

// The same nest with another plan: two vectors of 32 bytes at a time, and tasks for threads. It computes
// the same bits: the plan says how, never what.
loop.kernel @wide<N: 0>(%x: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[N] x f32>) plan <map, bytes = 32, vectors = 2, task = 20> {
  loop.nest [%i : N] {
    %u = loop.read %x[%i] : f32
    %v = arith.addf %u, %u : f32
    loop.write %v, %y[%i] : f32
  }
}
// CHECK:       loop.kernel @wide
// CHECK:           loop.parallel
// CHECK:             loop.for {{.*}} step 16 {
// CHECK-COUNT-2:       loop.load %x[{{.*}} to vector<8xf32>
// CHECK-COUNT-2:       arith.addf
// CHECK-COUNT-2:       loop.store

// -----

// A fold's order is kept to the letter. Of 128 positions in lanes, position p joins accumulator p mod 64:
// here four vectors of 16, in two rounds. Then the halves are added, down to one.
loop.kernel @sum(%x: !loop.buffer<[128] x f32>) -> (%y: !loop.buffer<[] x f32>) plan <map, bytes = 64> {
  loop.nest [] {
    %s = loop.fold add <lanes, 4096> [%k : 128] {
      %u = loop.read %x[%k] : f32
      loop.yield %u : f32
    } : f32
    loop.write %s, %y[] : f32
  }
}
// CHECK:       loop.kernel @sum
// CHECK:         loop.for {{.*}} step 64 carry(
// CHECK-COUNT-4:   arith.addf %{{.*}} : vector<16xf32>
// CHECK:           loop.yield
// CHECK-COUNT-3: arith.addf %{{.*}} : vector<16xf32>
// CHECK:         arith.addf %{{.*}} : vector<8xf32>
// CHECK:         arith.addf %{{.*}} : vector<4xf32>
// CHECK:         arith.addf %{{.*}} : vector<2xf32>
// CHECK:         [[SUM:%\d+]] = arith.addf %{{.*}} : f32
// CHECK-NEXT:    loop.store [[SUM]], %y[

// -----

// Memory inside the kernel gets its place: in map the whole of it in the room that the kernel was given
// (choose-plans added the argument) ...
loop.kernel @whole(%x: !loop.buffer<[8] x f32>) -> (%y: !loop.buffer<[8] x f32>, %room: !loop.buffer<[64] x i8>) plan <map, bytes = 32> {
  %e = loop.local : !loop.buffer<[8] x f32>
  loop.nest [%i : 8] {
    %u = loop.read %x[%i] : f32
    %v = math.exp %u : f32
    loop.write %v, %e[%i] : f32
  }
  loop.nest [%i : 8] {
    %u = loop.read %e[(-1) * %i + 7] : f32
    loop.write %u, %y[%i] : f32
  }
}
// CHECK:       loop.kernel @whole
// CHECK:         [[E:%\d+]] = loop.view %room[0] : !loop.buffer<[64] x i8> to !loop.buffer<[8] x f32>
// CHECK:         loop.store %{{\d+}}, [[E]][
// CHECK:         loop.load [[E]][

// -----

// ... and in rows, for one row at a time, on the stack.
loop.kernel @by_rows(%x: !loop.buffer<[4, 8] x f32>) -> (%y: !loop.buffer<[4, 8] x f32>) plan <rows, bytes = 32> {
  %m = loop.local : !loop.buffer<[4] x f32>
  loop.nest [%i : 4] {
    %s = loop.fold max <any> [%k : 8] {
      %u = loop.read %x[%i, %k] : f32
      loop.yield %u : f32
    } : f32
    loop.write %s, %m[%i] : f32
  }
  loop.nest [%i : 4, %j : 8] {
    %u = loop.read %x[%i, %j] : f32
    %s = loop.read %m[%i] : f32
    %v = arith.subf %u, %s : f32
    loop.write %v, %y[%i, %j] : f32
  }
}
// CHECK:       loop.kernel @by_rows
// CHECK:         [[M:%\d+]] = loop.stack : !loop.buffer<[] x f32>
// CHECK:         loop.for {{.*}} step 1 {
// CHECK:           loop.store %{{\d+}}, [[M]][
// CHECK:           loop.load [[M]][

// -----

// A kernel without a plan is left as it is, and so is host code.
loop.kernel @unplanned<N: 0>(%x: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[N] x f32>) {
  loop.nest [%i : N] {
    %u = loop.read %x[%i] : f32
    loop.write %u, %y[%i] : f32
  }
}
loop.func @entry(%x: !loop.buffer<[3] x f32>) -> (%y: !loop.buffer<[3] x f32>) {
  loop.launch @unplanned <N = 3>(%x, %y) : !loop.buffer<[3] x f32>, !loop.buffer<[3] x f32>
}
// CHECK:       loop.kernel @unplanned
// CHECK-NEXT:    loop.nest [%i : N] {
// CHECK:       loop.func @entry
// CHECK-NEXT:    loop.launch @unplanned <N = 3>(%x, %y)
