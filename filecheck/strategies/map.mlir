// RUN: stepwell-opt %s -p choose-plans,expand-plans | filecheck %s

// Little work: one thread. Of 40 lanes 32 make two full vectors, the last eight are masked; what does
// not depend on the row is loaded before the loop over rows.
loop.kernel @bias(%x: !loop.buffer<[8, 40] x f32>, %b: !loop.buffer<[40] x f32>) -> (%y: !loop.buffer<[8, 40] x f32>) {
  loop.nest [%i : 8, %j : 40] {
    %v = loop.read %x[%i, %j] : f32
    %w = loop.read %b[%j] : f32
    %s = arith.addf %v, %w : f32
    loop.write %s, %y[%i, %j] : f32
  }
}

// CHECK-LABEL: loop.kernel @bias
// CHECK-SAME:    plan <map, bytes = 64, vectors = 4, rows = 1, task = 20, band = 32, stream = 0, deep = 0>
// CHECK:         loop.load %b[{{.*}}] : !loop.buffer<[40] x f32> to vector<16xf32>
// CHECK:         loop.load %b[{{.*}}] : !loop.buffer<[40] x f32> to vector<16xf32>
// CHECK:         [[LAST:%\d+]] = loop.mask %{{.*}} : vector<16xi1>
// CHECK:         loop.load %b[{{.*}}] where [[LAST]]
// CHECK-NEXT:    loop.for %{{.*}} step 1 {
// CHECK-NOT:       %b
// CHECK-COUNT-2:   loop.store %{{.*}}, %y[{{%\d+}}] : vector<16xf32>
// CHECK:           loop.store %{{.*}}, %y[{{%\d+}}] where [[LAST]]
// CHECK:           loop.yield

// An unknown number of rows is shared among threads; a row is summed in 64 lanes: four vectors, which
// are then halved until one element is left.
loop.kernel @sums<B: 1>(%x: !loop.buffer<[B, 256] x f32>) -> (%y: !loop.buffer<[B] x f32>) {
  loop.nest [%i : B] {
    %s = loop.fold add <lanes, 4096> [%k : 256] {
      %v = loop.read %x[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %s, %y[%i] : f32
  }
}

// CHECK-LABEL: loop.kernel @sums
// CHECK:         loop.parallel
// CHECK:           loop.for
// CHECK:             loop.for %{{.*}} step 64 carry(
// CHECK-COUNT-4:       arith.addf %{{.*}} : vector<16xf32>
// CHECK:             loop.shuffle %{{.*}} : vector<16xf32> to vector<8xf32>
// CHECK:             arith.addf %{{.*}} : vector<8xf32>
// CHECK:             arith.addf %{{.*}} : vector<4xf32>
// CHECK:             arith.addf %{{.*}} : vector<2xf32>
// CHECK:             arith.addf %{{.*}} : f32
// CHECK:             loop.store %{{.*}}, %y[{{%\d+}}] : f32

// The sums of columns go along the rows: one chain for each column, vectors of columns.
loop.kernel @columns(%x: !loop.buffer<[9, 64] x f32>) -> (%y: !loop.buffer<[64] x f32>) {
  loop.nest [%j : 64] {
    %s = loop.fold add <serial, 1024> [%k : 9] {
      %v = loop.read %x[%k, %j] : f32
      loop.yield %v : f32
    } : f32
    loop.write %s, %y[%j] : f32
  }
}

// CHECK-LABEL: loop.kernel @columns
// CHECK:         loop.for %{{.*}} step 1 carry(
// CHECK-COUNT-4:   arith.addf %{{.*}} : vector<16xf32>
// CHECK:           loop.yield
// CHECK-COUNT-4: loop.store %{{.*}}, %y[{{%\d+}}] : vector<16xf32>

// Of long columns four vectors or more go side by side, however much there is to add: each row may lie
// on another page. Some tasks remain, here eight.
loop.kernel @long_columns(%x: !loop.buffer<[512, 512] x f32>) -> (%y: !loop.buffer<[512] x f32>) {
  loop.nest [%j : 512] {
    %s = loop.fold add <serial, 1024> [%k : 512] {
      %v = loop.read %x[%k, %j] : f32
      loop.yield %v : f32
    } : f32
    loop.write %s, %y[%j] : f32
  }
}

// CHECK-LABEL: loop.kernel @long_columns
// CHECK-SAME:    vectors = 4,

// Where they come from afar, eight rows at a time are read to the end of a task: as many as have room in
// the first cache where rows are a power of two apart. Meanwhile the sums lie in memory, and behind them
// those of the chunk. A task has 8 KiB of each row; several that a thread takes are one.
loop.kernel @far_columns(%x: !loop.buffer<[2048, 8192] x f32>) -> (%y: !loop.buffer<[8192] x f32>) {
  loop.nest [%j : 8192] {
    %s = loop.fold add <serial, 1024> [%k : 2048] {
      %v = loop.read %x[%k, %j] : f32
      loop.yield %v : f32
    } : f32
    loop.write %s, %y[%j] : f32
  }
}

// CHECK-LABEL: loop.kernel @far_columns
// CHECK-SAME:    [[ROOM:%\d+]]: !loop.buffer<[65536] x i8>
// CHECK-SAME:    vectors = 4, {{.*}} deep = 8>
// CHECK:         [[SUMS:%\d+]] = loop.view [[ROOM]][0] : {{.*}} to !loop.buffer<[16384] x f32>
// CHECK-NEXT:    [[TASKS:%\d+]] = arith.constant 4 : index
// CHECK-NEXT:    loop.parallel [[TASK:%\d+]], %{{\d+}} to [[TASKS]] {
// CHECK-NEXT:      [[LOW:%\d+]] = loop.index (2048) * [[TASK]]
// CHECK:           [[BLOCKS:%\d+]] = arith.constant 256 : index
// CHECK:           loop.for [[BLOCK:%\d+]] = %{{\d+}} to [[BLOCKS]] step 1 {
// CHECK-NEXT:        [[FIRST:%\d+]] = loop.index (8) * [[BLOCK]]
// CHECK:             loop.for [[LANE:%\d+]] = [[LOW]] to {{.*}} step 64 {
// CHECK:               loop.if
// CHECK-COUNT-4:         loop.load [[SUMS]]
// CHECK:               loop.for %{{\d+}} = [[FIRST]] to {{.*}} step 1 carry(
// CHECK-COUNT-4:         arith.addf %{{.*}} : vector<16xf32>
// CHECK:               loop.store %{{.*}}, %y[

// What is contiguous along another axis than the lanes is read so, and transposed in registers.
loop.kernel @transpose(%x: !loop.buffer<[32, 32] x f32>) -> (%y: !loop.buffer<[32, 32] x f32>) {
  loop.nest [%j : 32, %i : 32] {
    %v = loop.read %x[%i, %j] : f32
    loop.write %v, %y[%j, %i] : f32
  }
}

// CHECK-LABEL:  loop.kernel @transpose
// CHECK-NOT:      loop.gather
// CHECK-COUNT-16: loop.load %x[{{%\d+}}] : !loop.buffer<[32, 32] x f32> to vector<16xf32>
// CHECK-COUNT-64: loop.shuffle
// CHECK-COUNT-16: loop.store %{{.*}}, %y[{{%\d+}}] : vector<16xf32>

// A condition becomes a mask; where no lane is inside, nothing is read.
loop.kernel @pad(%x: !loop.buffer<[14] x f32>) -> (%y: !loop.buffer<[16] x f32>) {
  loop.nest [%i : 16] {
    %zero = arith.constant 0 : index
    %n = loop.index 14
    %p = loop.index %i + -1
    %a = loop.compare ge %p, %zero : index
    %b = loop.compare lt %p, %n : index
    %c = arith.andi %a, %b : i1
    %v = loop.read %x[%i + -1] where %c : f32
    loop.write %v, %y[%i] : f32
  }
}

// CHECK-LABEL: loop.kernel @pad
// CHECK:         [[P:%\d+]] = loop.lanes %{{.*}} : vector<16xindex>
// CHECK:         loop.compare ge [[P]], %{{.*}} : vector<16xindex>
// CHECK:         loop.compare lt [[P]], %{{.*}} : vector<16xindex>
// CHECK:         [[C:%\d+]] = arith.andi %{{.*}} : vector<16xi1>
// CHECK:         loop.load %x[{{.*}}] where [[C]]

// A local lies in the workspace, an argument that the plan adds.
loop.kernel @twice<N: 1>(%x: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[N] x f32>) {
  %t = loop.local : !loop.buffer<[N] x f32>
  loop.nest [%i : N] {
    %v = loop.read %x[%i] : f32
    %e = math.exp %v : f32
    loop.write %e, %t[%i] : f32
  }
  loop.nest [%i : N] {
    %v = loop.read %t[%i] : f32
    %w = loop.read %t[0] : f32
    %s = arith.addf %v, %w : f32
    loop.write %s, %y[%i] : f32
  }
}

loop.func @main(%x: !loop.buffer<[100] x f32>) -> (%y: !loop.buffer<[100] x f32>) {
  loop.launch @twice <N = 100> (%x, %y) : !loop.buffer<[100] x f32>, !loop.buffer<[100] x f32>
}

// CHECK-LABEL: loop.kernel @twice
// CHECK-SAME:    %y: !loop.buffer<[N] x f32>, [[ROOM:%\d+]]: !loop.buffer<[64*floordiv(4*N + 63, 64)] x i8>
// CHECK:         loop.view [[ROOM]][0] : {{.*}} to !loop.buffer<[N] x f32>
// CHECK-LABEL: loop.func @main
// CHECK:         [[ROOM:%\d+]] = loop.alloc : !loop.buffer<[448] x i8>
// CHECK-NEXT:    loop.launch @twice <N = 100>(%x, %y, [[ROOM]])

// Squares go down bands of 32 lanes, along each band first: what is written are lines side by side, and what
// is read goes on along 32 rows. Source and target do not fit the last cache:
// what is written goes past it.
loop.kernel @large(%x: !loop.buffer<[2048, 2048] x f32>) -> (%y: !loop.buffer<[2048, 2048] x f32>) {
  loop.nest [%j : 2048, %i : 2048] {
    %v = loop.read %x[%i, %j] : f32
    loop.write %v, %y[%j, %i] : f32
  }
}

// CHECK-LABEL:    loop.kernel @large
// CHECK-SAME:       band = 32, stream = 1, deep = 0>
// CHECK:            loop.parallel
// CHECK:            [[WHOLE:%\d+]] = loop.aligned %y
// CHECK:              loop.for [[BAND:%\d+]] = {{.*}} step 32 {
// CHECK:                loop.for [[ROW:%\d+]] = {{.*}} step 16 {
// CHECK:                  loop.for [[LANE:%\d+]] = [[BAND]] to {{.*}} step 16 {
// CHECK:                    loop.index [[ROW]] + (2048) * [[LANE]]
// CHECK-COUNT-64:           loop.shuffle
// CHECK:                    loop.if [[WHOLE]] {
// CHECK-COUNT-16:             loop.store %{{.*}}, %y[%{{\d+}}] streamed : vector<16xf32>
// CHECK:                    } else {
// CHECK-COUNT-16:             loop.store %{{.*}}, %y[%{{\d+}}] : vector<16xf32>
// CHECK:              loop.fence

// Where what is written are short rows, squares go along bands of rows, down each first.
loop.kernel @short(%x: !loop.buffer<[64, 2048] x f32>) -> (%y: !loop.buffer<[2048, 64] x f32>) {
  loop.nest [%j : 2048, %i : 64] {
    %v = loop.read %x[%i, %j] : f32
    loop.write %v, %y[%j, %i] : f32
  }
}

// CHECK-LABEL:    loop.kernel @short
// CHECK:            loop.for [[BAND:%\d+]] = {{.*}} step 32 {
// CHECK:              loop.for [[LANE:%\d+]] = {{.*}} step 16 {
// CHECK:                loop.for [[ROW:%\d+]] = [[BAND]] to {{.*}} step 16 {
// CHECK:                  loop.index [[PLACE:%\d+]] + [[ROW]]

// Squares are read under a condition that is the same for all of one: zeros where it does not hold.
loop.kernel @part(%x: !loop.buffer<[4, 64, 64] x f32>) -> (%y: !loop.buffer<[8, 64, 64] x f32>) {
  loop.nest [%h : 8, %j : 64, %i : 64] {
    %n = loop.index %h + -4
    %zero = loop.index 0
    %c = loop.compare ge %n, %zero : index
    %v = loop.read %x[%h + -4, %i, %j] where %c : f32
    loop.write %v, %y[%h, %j, %i] : f32
  }
}

// CHECK-LABEL:    loop.kernel @part
// CHECK:            loop.for [[H:%\d+]] = {{.*}} step 1 {
// CHECK:              [[N:%\d+]] = loop.index [[H]] + -4
// CHECK:              [[HOLDS:%\d+]] = loop.compare ge [[N]], {{.*}} : index
// CHECK:              [[MASK:%\d+]] = loop.splat [[HOLDS]] : i1 to vector<16xi1>
// CHECK:              loop.for {{.*}} step 32 {
// CHECK-COUNT-16:           loop.load %x[{{.*}} where [[MASK]] : vector<16xi1> : {{.*}} to vector<16xf32>
// CHECK-COUNT-64:           loop.shuffle
// CHECK-NOT:                loop.gather

// What the program reads again, here in a second kernel, stays in the caches.
loop.kernel @first(%x: !loop.buffer<[8388608] x f32>) -> (%y: !loop.buffer<[8388608] x f32>) {
  loop.nest [%i : 8388608] {
    %v = loop.read %x[%i] : f32
    %w = arith.negf %v : f32
    loop.write %w, %y[%i] : f32
  }
}

loop.kernel @last(%x: !loop.buffer<[8388608] x f32>) -> (%y: !loop.buffer<[8388608] x f32>) {
  loop.nest [%i : 8388608] {
    %v = loop.read %x[%i] : f32
    %w = math.absf %v : f32
    loop.write %w, %y[%i] : f32
  }
}

loop.func @both(%x: !loop.buffer<[8388608] x f32>) -> (%y: !loop.buffer<[8388608] x f32>) {
  %t = loop.alloc : !loop.buffer<[8388608] x f32>
  loop.launch @first <> (%x, %t) : !loop.buffer<[8388608] x f32>, !loop.buffer<[8388608] x f32>
  loop.launch @last <> (%t, %y) : !loop.buffer<[8388608] x f32>, !loop.buffer<[8388608] x f32>
}

// CHECK-LABEL: loop.kernel @first
// CHECK-SAME:    stream = 0,
// CHECK-LABEL: loop.kernel @last
// CHECK-SAME:    stream = 1,

// So does what may be written over what has just been read.
loop.kernel @negated(%x: !loop.buffer<[8388608] x f32>) -> (%y: !loop.buffer<[8388608] x f32>) {
  loop.nest [%i : 8388608] {
    %v = loop.read %x[%i] : f32
    %w = arith.negf %v : f32
    loop.write %w, %y[%i] : f32
  }
}

loop.func @given(%x: !loop.buffer<[8388608] x f32>) -> (%y: !loop.buffer<[8388608] x f32>) attributes {donated = #nd.ints<[0]>} {
  loop.launch @negated <> (%x, %y) : !loop.buffer<[8388608] x f32>, !loop.buffer<[8388608] x f32>
}

// CHECK-LABEL: loop.kernel @negated
// CHECK-SAME:    stream = 0,

// Each element goes round as often as it has to. The vectors of a tile go together, as long as the
// condition holds anywhere; where it does not, what is carried stays. The body takes the square that
// the condition has computed.
loop.kernel @rounds(%x: !loop.buffer<[32] x f32>) -> (%y: !loop.buffer<[32] x f32>) {
  loop.nest [%i : 32] {
    %u = loop.read %x[%i] : f32
    %r = loop.while carry(%a = %u : f32) {
      %square = arith.mulf %a, %a : f32
      %near = loop.compare lt %square, %u : f32
      loop.condition %near(%square : f32)
    } do {
    ^bb0(%b: f32, %s: f32):
      %c = arith.addf %s, %u : f32
      loop.yield %c : f32
    }
    loop.write %r, %y[%i] : f32
  }
}

// CHECK-LABEL: loop.kernel @rounds
// CHECK:         [[u0:%\d+]] = loop.load %x
// CHECK:         [[u1:%\d+]] = loop.load %x
// CHECK:         loop.while carry([[a0:%\d+]] = [[u0]] : vector<16xf32>, [[a1:%\d+]] = [[u1]] : vector<16xf32>) {
// CHECK-NEXT:      [[s0:%\d+]] = arith.mulf [[a0]], [[a0]]
// CHECK-NEXT:      [[s1:%\d+]] = arith.mulf [[a1]], [[a1]]
// CHECK-NEXT:      [[c0:%\d+]] = loop.compare lt [[s0]], [[u0]]
// CHECK-NEXT:      [[c1:%\d+]] = loop.compare lt [[s1]], [[u1]]
// CHECK-NEXT:      [[or:%\d+]] = arith.ori [[c0]], [[c1]]
// CHECK-NEXT:      [[any:%\d+]] = loop.any [[or]]
// CHECK-NEXT:      loop.condition [[any]]([[c0]], [[c1]], [[s0]], [[s1]] :
// CHECK-NEXT:    } do {
// CHECK:           arith.addf
// CHECK-NEXT:      arith.addf
// CHECK-NOT:       arith.mulf
// CHECK-COUNT-2:   loop.select

// Some ten microseconds are worth a second thread: four tasks, which two or four threads share evenly.
loop.kernel @curves(%x: !loop.buffer<[16, 256] x f32>) -> (%y: !loop.buffer<[16, 256] x f32>) {
  loop.nest [%i : 16, %j : 256] {
    %v = loop.read %x[%i, %j] : f32
    %a = math.tanh %v : f32
    %b = math.tanh %a : f32
    %c = math.tanh %b : f32
    %d = math.tanh %c : f32
    %e = math.tanh %d : f32
    %f = math.tanh %e : f32
    loop.write %f, %y[%i, %j] : f32
  }
}

// CHECK-LABEL: loop.kernel @curves
// CHECK-SAME:    task = 20,
// CHECK:         [[TASKS:%\d+]] = arith.constant 4 : index
// CHECK:         loop.parallel {{.*}} to [[TASKS]]

// A fold that picks one of a few terms is written out, and begins with the first of them. The index
// grows with the position: so a term has to be better, or the first that is no number.
loop.kernel @pick(%x: !loop.buffer<[4, 3, 64] x f32>) -> (%y: !loop.buffer<[4, 64] x i32>) {
  loop.nest [%i : 4, %j : 64] {
    %best, %where = loop.fold argmax <any> [%k : 3] {
      %v = loop.read %x[%i, %k, %j] : f32
      %n = loop.index (64) * %k + %j
      %p = loop.cast index %n : index to i32
      loop.yield %v, %p : f32, i32
    } : f32, i32
    loop.write %where, %y[%i, %j] : i32
  }
}

// CHECK-LABEL: loop.kernel @pick
// CHECK-NOT:     0x{{.*}}FF80
// CHECK:         [[A:%\d+]] = loop.load %x[{{%\d+}}] : !loop.buffer<[4, 3, 64] x f32> to vector<16xf32>
// CHECK-NOT:     loop.compare eq
// CHECK:         loop.compare le %{{.*}}, [[A]] : vector<16xf32>
// CHECK-NEXT:    loop.compare ne [[A]], [[A]] : vector<16xf32>
// CHECK-NEXT:    arith.ori
// CHECK-NEXT:    loop.select
// CHECK-NEXT:    loop.select
// CHECK:         loop.store %{{.*}}, %y

// One that goes down is asked for which of two is the first.
loop.kernel @pick_from_the_end(%x: !loop.buffer<[4, 3, 64] x f32>) -> (%y: !loop.buffer<[4, 64] x i32>) {
  loop.nest [%i : 4, %j : 64] {
    %best, %where = loop.fold argmax <any> [%k : 3] {
      %v = loop.read %x[%i, %k, %j] : f32
      %n = loop.index (-64) * %k + %j + 128
      %p = loop.cast index %n : index to i32
      loop.yield %v, %p : f32, i32
    } : f32, i32
    loop.write %where, %y[%i, %j] : i32
  }
}

// CHECK-LABEL: loop.kernel @pick_from_the_end
// CHECK:         loop.compare eq %{{.*}} : vector<16xf32>
// CHECK:         loop.compare lt %{{.*}} : vector<16xi32>
