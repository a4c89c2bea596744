// RUN: stepwell-opt %s -p loop-to-llvm | filecheck %s

loop.kernel @accesses(%b: !loop.buffer<[64] x i1>, %h: !loop.buffer<[64] x bf16>)
    -> (%y: !loop.buffer<[64] x f32>) {
  %i = loop.index 3
  // A truth value is a byte in memory.
  %c = loop.load %b[%i] : !loop.buffer<[64] x i1> to i1
  // CHECK:      [[place:%\d+]] = llvm.getelementptr %0[%{{\d+}}] : (!llvm.ptr, i64) -> !llvm.ptr, i8
  // CHECK-NEXT: [[byte:%\d+]] = llvm.load [[place]] {alignment = 1 : i64} : !llvm.ptr -> i8
  // CHECK-NEXT: [[c:%\d+]] = llvm.icmp "ne" [[byte]], {{%\d+}} : i8

  // Half precision is moved as the integer that encodes it.
  %v = loop.load %h[%i] : !loop.buffer<[64] x bf16> to vector<8xbf16>
  // CHECK:      [[v:%\d+]] = llvm.load %{{\d+}} {alignment = 2 : i64} : !llvm.ptr -> vector<8xi16>
  %w = loop.cast extf %v : vector<8xbf16> to vector<8xf32>
  // CHECK-NEXT: [[half:%\d+]] = llvm.bitcast [[v]] : vector<8xi16> to vector<8xbf16>

  // A scalar that is masked off is read from a place of zeros.
  %s = loop.load %y[%i] where %c : i1 : !loop.buffer<[64] x f32> to f32
  // CHECK:      [[place:%\d+]] = llvm.getelementptr %2[%{{\d+}}] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  // CHECK-NEXT: [[chosen:%\d+]] = llvm.select [[c]], [[place]], %{{\d+}} : i1, !llvm.ptr
  // CHECK-NEXT: llvm.load [[chosen]] {alignment = 4 : i64} : !llvm.ptr -> f32

  // So is a vector of which no lane may be read. It may lie where no page is, for which a processor takes long.
  %all = loop.splat %c : i1 to vector<8xi1>
  %t = loop.load %y[%i] where %all : vector<8xi1> : !loop.buffer<[64] x f32> to vector<8xf32>
  // CHECK:      [[place:%\d+]] = llvm.getelementptr %2[%{{\d+}}] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  // CHECK-NEXT: [[some:%\d+]] = "llvm.intr.vector.reduce.or"
  // CHECK-NEXT: [[chosen:%\d+]] = llvm.select [[some]], [[place]], %{{\d+}} : i1, !llvm.ptr
  // CHECK:      llvm.intr.masked.load [[chosen]],

  // A mask compares lane numbers, as narrow as the lanes allow, with how many are inside.
  %n = loop.index 64
  %m = loop.mask %i, %n : vector<8xi1>
  // CHECK:      llvm.sub
  // CHECK-NEXT: llvm.intr.smin
  // CHECK-NEXT: llvm.intr.smax
  // CHECK-NEXT: llvm.trunc %{{\d+}} : i64 to i32
  // CHECK:      [[m:%\d+]] = llvm.icmp "slt" %{{\d+}}, %{{\d+}} : vector<8xi32>
  loop.store %w, %y[%i] where %m : vector<8xi1> : vector<8xf32> to !loop.buffer<[64] x f32>
  // CHECK:      llvm.intr.masked.store %{{\d+}}, %{{\d+}}, [[m]] {alignment = 4 : i32}

  // What ends a row begins in it.
  %e = loop.load %y[%i] where %m : vector<8xi1> : !loop.buffer<[64] x f32> to vector<8xf32>
  // CHECK:      [[place:%\d+]] = llvm.getelementptr %2[%{{\d+}}] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  // CHECK-NOT:  llvm.select
  // CHECK:      llvm.intr.masked.load [[place]],

  %row = loop.view %y[(8) * %i + 8] : !loop.buffer<[64] x f32> to !loop.buffer<[8] x f32>
  // CHECK:      [[o:%\d+]] = llvm.mul
  // CHECK-NEXT: [[p:%\d+]] = llvm.add [[o]]
  // CHECK-NEXT: [[row:%\d+]] = llvm.getelementptr %2[[[p]]] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  %lanes = loop.lanes %i : vector<8xindex>
  %g = loop.gather %row[%lanes : vector<8xindex>] : !loop.buffer<[8] x f32> to vector<8xf32>
  // CHECK:      [[ps:%\d+]] = llvm.getelementptr [[row]][%{{\d+}}] : (!llvm.ptr, vector<8xi64>) -> vector<8x!llvm.ptr>, f32
  // CHECK-NEXT: llvm.intr.masked.gather [[ps]], %{{\d+}}, %{{\d+}} {alignment = 4 : i32}
}
