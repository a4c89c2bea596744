// RUN: stepwell-opt %s -p choose-plans,expand-plans | filecheck %s

// A dense layer. The tile has 4 rows by 2 vectors: eight sums stay in registers for all of k, each one
// chain of fused multiply-adds. Rows of the right operand are short: it is read where it lies. What
// follows the fold, bias and rectifier, is applied to the tile before it is stored.
loop.kernel @dense(%x: !loop.buffer<[8, 128] x f32>, %w: !loop.buffer<[128, 64] x f32>, %b: !loop.buffer<[64] x f32>)
    -> (%y: !loop.buffer<[8, 64] x f32>) plan <gemm, mr = 4, nv = 2> {
  loop.nest [%m : 8, %n : 64] {
    %s = loop.fold fma <serial, 1024> [%k : 128] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    %c = loop.read %b[%n] : f32
    %t = arith.addf %s, %c : f32
    %zero = arith.constant 0.0 : f32
    %r = arith.maximumf %t, %zero : f32
    loop.write %r, %y[%m, %n] : f32
  }
}

// CHECK-LABEL:   loop.kernel @dense
// CHECK:           loop.for [[N:%\d+]] = {{.*}} step 32 {
// CHECK-COUNT-2:     loop.load %b[{{.*}} to vector<16xf32>
// CHECK:             loop.for [[M:%\d+]] = {{.*}} step 4 {
// CHECK:               loop.for [[K:%\d+]] = {{.*}} step 1 carry(
// CHECK-COUNT-4:         loop.load %x[{{.*}}] : !loop.buffer<[8, 128] x f32> to f32
// CHECK-COUNT-2:         loop.load %w[{{.*}}] : !loop.buffer<[128, 64] x f32> to vector<16xf32>
// CHECK-COUNT-8:         math.fma
// CHECK:                 loop.yield
// CHECK-COUNT-8:       arith.addf %{{.*}} : vector<16xf32>
// CHECK-COUNT-8:       arith.maximumf %{{.*}} : vector<16xf32>
// CHECK-COUNT-8:       loop.store %{{.*}}, %y[{{.*}}] : vector<16xf32>

// The rows of a right operand that is turned are no lanes: each panel of a tile's lanes is packed before
// the tiles that use it, in the part of the workspace that belongs to the task. Squares of 16 by 16 are
// read along k and turned in registers. A task takes 8 rows and 32 lanes. Sums longer than a chunk are
// joined chunk by chunk. What a tile reads of its panel twelve positions on is asked for before it is
// read: twelve times 32 elements.
loop.kernel @turned(%x: !loop.buffer<[16, 2048] x f32>, %w: !loop.buffer<[64, 2048] x f32>)
    -> (%y: !loop.buffer<[16, 64] x f32>) plan <gemm, mr = 4, nv = 2, mc = 8, nc = 32, pack = [right], ahead = 12> {
  loop.nest [%m : 16, %n : 64] {
    %s = loop.fold fma <serial, 1024> [%k : 2048] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%n, %k] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}

// CHECK-LABEL: loop.kernel @turned
// CHECK-SAME:    [[ROOM:%\d+]]: !loop.buffer<[1048576] x i8>
// CHECK:         loop.parallel [[TASK:%\d+]] to
// CHECK:           [[MINE:%\d+]] = loop.index (262144) * [[TASK]]
// CHECK:           [[PANEL:%\d+]] = loop.view [[ROOM]][[[MINE]]] : !loop.buffer<[1048576] x i8> to !loop.buffer<[65536] x f32>
// CHECK:           loop.for {{.*}} step 32 {
// CHECK:             loop.for {{.*}} step 16 {
// CHECK:               loop.for {{.*}} step 16 {
// CHECK-COUNT-16:        loop.load %w[{{.*}} to vector<16xf32>
// CHECK-COUNT-64:        loop.shuffle
// CHECK-COUNT-16:        loop.store %{{.*}}, [[PANEL]][{{.*}}] : vector<16xf32>
// CHECK:             loop.for {{.*}} step 4 {
// CHECK:               loop.for {{.*}} step 1024 carry(
// CHECK:                 loop.for {{.*}} step 1 carry(
// CHECK:                   [[HERE:%\d+]] = loop.index {{.*}}(32) *
// CHECK:                   [[THERE:%\d+]] = loop.index [[HERE]] + 384
// CHECK-COUNT-2:           loop.load [[PANEL]][{{.*}} to vector<16xf32>
// CHECK-COUNT-8:           math.fma
// CHECK-NEXT:              loop.prefetch [[PANEL]][[[THERE]]] :
// CHECK-NEXT:              loop.prefetch [[PANEL]][
// CHECK-COUNT-8:         arith.addf %{{.*}} : vector<16xf32>

// One tile has all rows, so that nothing is gained by panels: squares of the right operand are turned in
// registers, sixteen positions of the fold at a time. Those of the next tile, in rows that lie apart, are
// asked for.
loop.kernel @few(%x: !loop.buffer<[4, 2048] x f32>, %w: !loop.buffer<[64, 2048] x f32>)
    -> (%y: !loop.buffer<[4, 64] x f32>) plan <gemm, mr = 4, nv = 1> {
  loop.nest [%m : 4, %n : 64] {
    %s = loop.fold fma <serial, 1024> [%k : 2048] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%n, %k] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}

// CHECK-LABEL: loop.kernel @few
// CHECK:         loop.for {{.*}} step 16 {
// CHECK:           loop.for {{.*}} step 1024 carry(
// CHECK:             loop.for {{.*}} step 16 carry(
// CHECK:               [[FIRST:%\d+]] = loop.index
// CHECK:               loop.load %w[{{.*}} to vector<16xf32>
// CHECK-COUNT-64:      loop.shuffle
// CHECK-COUNT-64:      math.fma
// CHECK-COUNT-16:      loop.prefetch %w[{{.*}}] apart
// CHECK-NOT:         loop.gather

// Columns of the left operand that are rows in memory: all its panels are packed first, a tile's rows
// side by side for each k: of eight panels at a time, since they are neighbours, and of those that are left
// over one by one. The right one lies in a row already.
loop.kernel @columns(%x: !loop.buffer<[64, 72] x f32>, %w: !loop.buffer<[64, 16] x f32>)
    -> (%y: !loop.buffer<[72, 16] x f32>) plan <gemm, mr = 8, nv = 1, pack = [left]> {
  loop.nest [%m : 72, %n : 16] {
    %s = loop.fold fma <serial, 1024> [%k : 64] {
      %u = loop.read %x[%k, %m] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}

// CHECK-LABEL: loop.kernel @columns
// CHECK-SAME:    [[ROOM:%\d+]]: !loop.buffer<[18432] x i8>
// CHECK:         [[PANELS:%\d+]] = loop.view [[ROOM]][0] : !loop.buffer<[18432] x i8> to !loop.buffer<[4608] x f32>
// CHECK:         loop.for {{.*}} to {{.*}} step 64 {
// CHECK:           loop.for {{.*}} step 1 {
// CHECK-COUNT-8:     loop.store {{.*}}, [[PANELS]][{{.*}} : vector<16xf32>
// CHECK:         loop.for {{.*}} step 8 {
// CHECK:           loop.for {{.*}} step 1 {
// CHECK:             [[ROW:%\d+]] = loop.load %x[{{.*}} to vector<16xf32>
// CHECK:             loop.store [[ROW]], [[PANELS]][{{.*}} : vector<16xf32>
// CHECK:             loop.prefetch %x[
// CHECK:         loop.for {{.*}} step 8 {
// CHECK:           loop.for {{.*}} step 1 carry(
// CHECK:             loop.load %w[
// CHECK-COUNT-8:     loop.load [[PANELS]][{{.*}} to f32
// CHECK-COUNT-8:     math.fma

// Few rows use what is read of the right operand but once, so that it is not packed: it is asked for
// before it is needed, behind all that a position loads: LLVM moves no loads past that. Its rows go on
// beyond the tile, so that what is asked for lies apart: with the line in which the last vector ends.
loop.kernel @ahead(%x: !loop.buffer<[2, 64] x f32>, %w: !loop.buffer<[64, 4096] x f32>)
    -> (%y: !loop.buffer<[2, 4096] x f32>) plan <gemm, mr = 2, nv = 1, ahead = 8> {
  loop.nest [%m : 2, %n : 4096] {
    %s = loop.fold fma <serial, 1024> [%k : 64] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}

// CHECK-LABEL: loop.kernel @ahead
// CHECK:         [[HERE:%\d+]] = loop.index {{.*}}(4096) *
// CHECK:         [[THERE:%\d+]] = loop.index [[HERE]] + 32768
// CHECK:         [[END:%\d+]] = loop.index [[THERE]] + 15
// CHECK:         loop.load %w[[[HERE]]]
// CHECK-COUNT-2: math.fma
// CHECK-NEXT:    loop.prefetch %w[[[THERE]]] apart
// CHECK-NEXT:    loop.prefetch %w[[[END]]] apart

// The left operand is asked for a tile before it is read. Its rows follow each other, so that at each position
// a part of them is that has as many elements as rows are read: here two, of the 128 that come two rows on.
loop.kernel @below(%x: !loop.buffer<[64, 64] x f32>, %w: !loop.buffer<[64, 16] x f32>)
    -> (%y: !loop.buffer<[64, 16] x f32>) plan <gemm, mr = 2, nv = 1, below = [left]> {
  loop.nest [%m : 64, %n : 16] {
    %s = loop.fold fma <serial, 1024> [%k : 64] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}

// CHECK-LABEL: loop.kernel @below
// CHECK:         loop.for {{.*}} step 2 {
// CHECK:           loop.for [[K:%\d+]] = {{.*}} carry(
// CHECK-NEXT:        [[PART:%\d+]] = loop.index {{.*}} + [[K]] + [[K]]
// CHECK-NEXT:        [[THERE:%\d+]] = loop.index [[PART]] + 128
// CHECK-COUNT-2:     math.fma
// CHECK-NEXT:        loop.prefetch %x[[[THERE]]] :

// So are the lines that the tile below reads and writes behind its fold: at each position those of one of its
// rows, as many positions for each of the two. What is added is read behind the fold, wherever it stands.
loop.kernel @ends(%x: !loop.buffer<[64, 64] x f32>, %w: !loop.buffer<[64, 32] x f32>, %a: !loop.buffer<[64, 32] x f32>)
    -> (%y: !loop.buffer<[64, 32] x f32>) plan <gemm, mr = 2, nv = 2, below = [ends]> {
  loop.nest [%m : 64, %n : 32] {
    %b = loop.read %a[%m, %n] : f32
    %s = loop.fold fma <serial, 1024> [%k : 64] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    %t = arith.addf %b, %s : f32
    loop.write %t, %y[%m, %n] : f32
  }
}

// CHECK-LABEL: loop.kernel @ends
// CHECK-NOT:     loop.load %a
// CHECK:         loop.for [[K:%\d+]] = {{.*}} carry(
// CHECK:             [[PART:%\d+]] = loop.index (2) * [[K]]
// CHECK:             [[ROW:%\d+]] = arith.divui [[PART]], {{.*}}
// CHECK:             [[LINE:%\d+]] = loop.index {{.*}}(32) * [[ROW]]
// CHECK:             [[THERE:%\d+]] = loop.index [[LINE]] + 64
// CHECK:             [[NEXT:%\d+]] = loop.index [[THERE]] + 16
// CHECK-COUNT-4:     math.fma
// CHECK-NEXT:        loop.prefetch %a[[[THERE]]] apart
// CHECK-NEXT:        loop.prefetch %a[[[NEXT]]] apart
// CHECK-NEXT:        loop.prefetch %y[[[THERE]]] apart
// CHECK-NEXT:        loop.prefetch %y[[[NEXT]]] apart
// CHECK:         loop.load %a

// A deep product goes through blocks of k. Where a block is not the first one, a tile takes up the sums
// that the block before has left in the workspace; where it is not the last, it leaves them there again.
// A panel holds what a tile takes in a block.
loop.kernel @deep(%x: !loop.buffer<[4096, 64] x f32>, %w: !loop.buffer<[4096, 32] x f32>, %b: !loop.buffer<[32] x f32>)
    -> (%y: !loop.buffer<[64, 32] x f32>) plan <gemm, mr = 4, nv = 1, kc = 1500, pack = [right]> {
  loop.nest [%m : 64, %n : 32] {
    %s = loop.fold fma <serial, 1024> [%k : 4096] {
      %u = loop.read %x[%k, %m] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    %c = loop.read %b[%n] : f32
    %t = arith.addf %s, %c : f32
    loop.write %t, %y[%m, %n] : f32
  }
}

// CHECK-LABEL: loop.kernel @deep
// CHECK-SAME:    [[ROOM:%\d+]]: !loop.buffer<[73728] x i8>
// CHECK-DAG:     [[PANEL:%\d+]] = loop.view [[ROOM]][8192] : !loop.buffer<[73728] x i8> to !loop.buffer<[16384] x f32>
// CHECK-DAG:     [[SUMS:%\d+]] = loop.view [[ROOM]][0] : !loop.buffer<[73728] x i8> to !loop.buffer<[2048] x f32>
// CHECK:         loop.for [[BLOCK:%\d+]] = {{.*}} step 1 {
// CHECK:           [[LOW:%\d+]] = loop.index (1024) * [[BLOCK]]
// CHECK:           [[FIRST:%\d+]] = loop.compare eq [[BLOCK]]
// CHECK:           [[LAST:%\d+]] = loop.compare eq
// CHECK:           loop.for {{.*}} step 16 {
// CHECK:             loop.for {{.*}} = [[LOW]] to
// CHECK:               loop.store %{{.*}}, [[PANEL]][
// CHECK:             loop.for {{.*}} step 4 {
// CHECK:               loop.if [[FIRST]] {
// CHECK:               } else {
// CHECK-COUNT-4:         loop.load [[SUMS]][
// CHECK:               loop.for {{.*}} step 1 carry(
// CHECK-COUNT-4:         math.fma
// CHECK:               loop.if [[LAST]] {
// CHECK-COUNT-4:         loop.store %{{.*}}, %y[
// CHECK:               } else {
// CHECK-COUNT-4:         loop.store %{{.*}}, [[SUMS]][
// Blocks may be parts of a chunk. Then the workspace holds what the chunk has come to, too: where a block
// ends a chunk, that joins the sums of the chunks before. Each tile asks for the one behind it, and the
// last one for the first one of the next block.
loop.kernel @parts(%x: !loop.buffer<[4, 4096] x f32>, %w: !loop.buffer<[4096, 64] x f32>)
    -> (%y: !loop.buffer<[4, 64] x f32>) plan <gemm, mr = 4, nv = 1, kc = 256> {
  loop.nest [%m : 4, %n : 64] {
    %s = loop.fold fma <serial, 1024> [%k : 4096] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}

// CHECK-LABEL: loop.kernel @parts
// CHECK-SAME:    [[ROOM:%\d+]]: !loop.buffer<[2048] x i8>
// CHECK:         [[SUMS:%\d+]] = loop.view [[ROOM]][0]
// CHECK:         loop.for [[BLOCK:%\d+]] = {{.*}} step 1 {
// CHECK:           [[NUMBER:%\d+]] = arith.divui [[BLOCK]]
// CHECK-NEXT:      [[FIRST:%\d+]] = loop.compare eq [[NUMBER]]
// CHECK-NEXT:      [[LAST:%\d+]] = loop.compare eq [[BLOCK]]
// CHECK-NEXT:      [[AT:%\d+]] = arith.remui [[BLOCK]]
// CHECK-NEXT:      [[FULL:%\d+]] = loop.compare eq [[AT]]
// CHECK-NEXT:      [[ENDS:%\d+]] = loop.select [[LAST]], [[LAST]], [[FULL]]
// CHECK-NEXT:      [[BEGINS:%\d+]] = loop.compare eq [[AT]]
// CHECK:           loop.for [[LANE:%\d+]] = {{.*}} step 16 {
// CHECK-NEXT:        [[ALL:%\d+]] = loop.index (4) * [[LANE]]
// CHECK-NEXT:        [[PART:%\d+]] = loop.index [[ALL]] + 256
// CHECK:             loop.if [[BEGINS]] {
// CHECK:             } else {
// CHECK-NEXT:          loop.load [[SUMS]][[[PART]]]
// CHECK:             loop.for {{.*}} step 1 carry(
// CHECK-COUNT-4:       math.fma
// CHECK:             loop.if [[ENDS]] {
// CHECK-NEXT:          loop.if [[FIRST]] {
// CHECK:               } else {
// CHECK-NEXT:            loop.load [[SUMS]][[[ALL]]]
// CHECK-COUNT-4:       arith.addf
// CHECK:             loop.if [[LAST]] {
// CHECK-COUNT-4:       loop.store %{{.*}}, %y[
// CHECK:             } else {
// CHECK-NEXT:          loop.if [[ENDS]] {
// CHECK-NEXT:            loop.store %{{.*}}, [[SUMS]][[[ALL]]]
// CHECK:               } else {
// CHECK-NEXT:            loop.store %{{.*}}, [[SUMS]][[[PART]]]

// A thread that has several tasks of such a product takes the rows of all of them at once, block by block.
loop.kernel @together(%x: !loop.buffer<[1, 64] x f32>, %w: !loop.buffer<[64, 96] x f32>)
    -> (%y: !loop.buffer<[1, 96] x f32>) plan <gemm, mr = 1, nv = 1, mc = 1, nc = 32, kc = 8> {
  loop.nest [%m : 1, %n : 96] {
    %s = loop.fold fma <serial, 1024> [%k : 64] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}

// CHECK-LABEL: loop.kernel @together
// CHECK:         loop.parallel [[TASK:%\d+]], [[BEHIND:%\d+]] to
// CHECK-DAG:       [[LOW:%\d+]] = loop.index (32) * [[TASK]]
// CHECK-DAG:       [[HIGH:%\d+]] = loop.index (32) * [[BEHIND]]
// CHECK:           loop.for {{.*}} step 1 {
// CHECK:             loop.for {{.*}} = [[LOW]] to [[HIGH]] step 16 {

// Panels that follow each other are read where they lie. Four tiles of rows use a panel of 8 positions by
// 32 lanes: each asks for a quarter of the next one, of which a line is 16 lanes.
loop.kernel @next(%x: !loop.buffer<[8, 8] x f32>, %w: !loop.buffer<[2, 8, 32] x f32>)
    -> (%y: !loop.buffer<[8, 2, 32] x f32>) plan <gemm, mr = 2, nv = 2, ahead = 8, share = 4> {
  loop.nest [%m : 8, %p : 2, %n : 32] {
    %s = loop.fold fma <serial, 1024> [%k : 8] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%p, %k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %p, %n] : f32
  }
}

// CHECK-LABEL:   loop.kernel @next
// CHECK:           [[PANEL:%\d+]] = loop.index (256) *
// CHECK:           [[HERE:%\d+]] = loop.index [[PANEL]] + (32) * [[K:%\d+]]
// CHECK:           [[MINE:%\d+]] = loop.index {{%\d+}} + [[HERE]] + (-24) * [[K]]
// CHECK:           [[NEXT:%\d+]] = loop.index [[MINE]] + 256
// CHECK-COUNT-4:   math.fma
// CHECK-NEXT:      loop.prefetch %w[[[NEXT]]] :
// CHECK-NEXT:      loop.yield

// What is turned into panels is asked for likewise, before it is copied: here 32 rows of 8, one behind the other.
loop.kernel @turned_next(%x: !loop.buffer<[8, 8] x f32>, %w: !loop.buffer<[64, 8] x f32>)
    -> (%y: !loop.buffer<[8, 64] x f32>) plan <gemm, mr = 2, nv = 2, pack = [right], share = 4> {
  loop.nest [%m : 8, %n : 64] {
    %s = loop.fold fma <serial, 1024> [%k : 8] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%n, %k] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}

// CHECK-LABEL:   loop.kernel @turned_next
// CHECK:           loop.for [[M:%\d+]] = {{.*}} step 2 {
// CHECK:           [[PART:%\d+]] = loop.index (32) * [[M]]
// CHECK:           loop.for [[K:%\d+]] = {{.*}} carry(
// CHECK:             [[MINE:%\d+]] = loop.index [[PART]] + {{%\d+}} + (7) * [[K]]
// CHECK-NEXT:        [[NEXT:%\d+]] = loop.index [[MINE]] + 256
// CHECK-COUNT-4:     math.fma
// CHECK-NEXT:        loop.prefetch %w[[[NEXT]]] apart
// CHECK-NEXT:        loop.yield

// A convolution is the product of windows with the kernel. Outside of the image a position contributes
// nothing: its rows of the kernel are skipped. The first and the last row of a tile tell whether all are
// inside; at the left and right edge a loop for three rows leaves out the fourth, and where more of them
// are outside their sums are kept apart.
loop.kernel @convolution(%x: !loop.buffer<[1, 8, 8, 32] x f32>, %w: !loop.buffer<[3, 3, 32, 32] x f32>)
    -> (%y: !loop.buffer<[1, 8, 8, 32] x f32>) plan <gemm, mr = 4, nv = 2> {
  loop.nest [%b : 1, %h : 8, %v : 8, %o : 32] {
    %s = loop.fold fma <serial> [%dh : 3, %dv : 3, %i : 32] {
      %zero = arith.constant 0 : index
      %eight = arith.constant 8 : index
      %p = loop.index %h + %dh + -1
      %q = loop.index %v + %dv + -1
      %c0 = loop.compare ge %p, %zero : index
      %c1 = loop.compare lt %p, %eight : index
      %c2 = loop.compare ge %q, %zero : index
      %c3 = loop.compare lt %q, %eight : index
      %c4 = arith.andi %c0, %c1 : i1
      %c5 = arith.andi %c2, %c3 : i1
      %c = arith.andi %c4, %c5 : i1
      %a = loop.read %x[%b, %h + %dh + -1, %v + %dv + -1, %i] where %c : f32
      %k = loop.read %w[%dh, %dv, %i, %o] where %c : f32
      %nothing = arith.constant 0.0 : f32
      %minus = arith.constant -0.0 : f32
      %l = loop.select %c, %a, %nothing : i1, f32
      %r = loop.select %c, %k, %minus : i1, f32
      loop.yield %l, %r : f32, f32
    } : f32
    loop.write %s, %y[%b, %h, %v, %o] : f32
  }
}

// CHECK-LABEL: loop.kernel @convolution
// CHECK-COUNT-6: arith.andi
// CHECK-NEXT:    [[ALL:%\d+]] = arith.andi
// CHECK-NOT:     loop.compare
// CHECK:         loop.if [[ALL]] {
// CHECK-NEXT:      loop.for {{.*}} step 1 carry(
// CHECK-COUNT-8:     math.fma
// CHECK:         } else {
// CHECK:           loop.if [[SOME:%\d+]] {
// CHECK-NEXT:        {{.*}} = loop.if [[LEFT:%\d+]] {
// CHECK-NEXT:          loop.for {{.*}} step 1 carry(
// CHECK-COUNT-6:         math.fma
// CHECK-NOT:             math.fma
// CHECK:             } else {
// CHECK-NEXT:          {{.*}} = loop.if [[RIGHT:%\d+]] {
// CHECK-NEXT:            loop.for {{.*}} step 1 carry(
// CHECK-COUNT-6:           math.fma
// CHECK-NOT:               math.fma
// CHECK:               } else {
// CHECK-NEXT:            loop.for {{.*}} step 1 carry(
// CHECK-NOT:               where
// CHECK-COUNT-8:           math.fma
// CHECK-COUNT-8:         loop.select %{{.*}} : vector<16xi1>, vector<16xf32>
// CHECK:           } else {
// CHECK-NEXT:      loop.yield

// Of axes that tiles can use as far, rows are the one along which the left operand has neighbours: here
// the three channels, not the three taps. They lie in one line, and where there is padding they are
// inside together. What a row has is spread where it is taken: not all rows' are in registers at once.
loop.kernel @slope(%x: !loop.buffer<[64, 32, 3] x f32>, %g: !loop.buffer<[64, 30, 32] x f32>)
    -> (%y: !loop.buffer<[3, 3, 32] x f32>) plan <gemm, mr = 3, nv = 2> {
  loop.nest [%i : 3, %d : 3, %o : 32] {
    %s = loop.fold fma <serial> [%b : 64, %v : 30] {
      %l = loop.read %x[%b, %v + %d, %i] : f32
      %r = loop.read %g[%b, %v, %o] : f32
      loop.yield %l, %r : f32, f32
    } : f32
    loop.write %s, %y[%i, %d, %o] : f32
  }
}

// CHECK-LABEL: loop.kernel @slope
// CHECK:         [[AT:%\d+]] = loop.index {{%\d+}} + (3) * {{%\d+}}
// CHECK-NEXT:    loop.load %x[[[AT]]]
// CHECK:         [[NEXT:%\d+]] = loop.index [[AT]] + 1
// CHECK-NEXT:    loop.load %x[[[NEXT]]]
// CHECK:         [[LAST:%\d+]] = loop.index [[AT]] + 2
// CHECK-NEXT:    loop.load %x[[[LAST]]]
// CHECK:         loop.splat
// CHECK-NEXT:    math.fma
// CHECK-NEXT:    math.fma
// CHECK-NEXT:    loop.splat
// CHECK-NEXT:    math.fma
