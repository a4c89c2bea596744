// RUN: STEPWELL_ROUNDTRIP
// RUN: STEPWELL_GENERIC_ROUNDTRIP

// What is computed: a kernel has nests, which run their body for every index of their axes, in any order.
// A read with a condition gives zero, and makes no access, where it does not hold. A plan may say how.
loop.kernel @nests<B: 1, S: 1 to 64>(%x: !loop.buffer<[B, 8] x f32>, %w: !loop.buffer<[8, 4] x f32>) -> (%y: !loop.buffer<[B, 4] x f32>) plan <gemm, mr = 4, pack = [right]> {
  %sums = loop.local : !loop.buffer<[B] x f32>
  loop.nest [%m : B] {
    %s = loop.fold add <lanes, 4096> [%k : 8] {
      %v = loop.read %x[%m, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %s, %sums[%m] : f32
  }
  loop.nest [%i : B, %n : 4] {
    %s_1 = loop.fold fma <serial, 1024> [%k_1 : 8] {
      %place = loop.index %k_1 + -1
      %zero = loop.index 0
      %inside = loop.compare ge %place, %zero : index
      %v_1 = loop.read %x[%i, %k_1 + -1] where %inside : f32
      %c = loop.read %w[%k_1, %n] : f32
      loop.yield %v_1, %c : f32, f32
    } : f32
    loop.write %s_1, %y[%i, %n] : f32
  }
}
// CHECK:       loop.kernel @nests<B: 1, S: 1 to 64>(%x: !loop.buffer<[B, 8] x f32>, %w: !loop.buffer<[8, 4] x f32>) -> (%y: !loop.buffer<[B, 4] x f32>) plan <gemm, mr = 4, pack = [right]> {
// CHECK-NEXT:    %sums = loop.local : !loop.buffer<[B] x f32>
// CHECK-NEXT:    loop.nest [%m : B] {
// CHECK-NEXT:      %s = loop.fold add <lanes, 4096> [%k : 8] {
// CHECK-NEXT:        %v = loop.read %x[%m, %k] : f32
// CHECK-NEXT:        loop.yield %v : f32
// CHECK-NEXT:      } : f32
// CHECK-NEXT:      loop.write %s, %sums[%m] : f32
// CHECK-NEXT:    }
// CHECK-NEXT:    loop.nest [%i : B, %n : 4] {
// CHECK-NEXT:      %s_1 = loop.fold fma <serial, 1024> [%k_1 : 8] {
// CHECK-NEXT:        %place = loop.index %k_1 + -1
// CHECK-NEXT:        %zero = loop.index 0
// CHECK-NEXT:        %inside = loop.compare ge %place, %zero : index
// CHECK-NEXT:        %v_1 = loop.read %x[%i, %k_1 + -1] where %inside : f32
// CHECK-NEXT:        %c = loop.read %w[%k_1, %n] : f32
// CHECK-NEXT:        loop.yield %v_1, %c : f32, f32
// CHECK-NEXT:      } : f32
// CHECK-NEXT:      loop.write %s_1, %y[%i, %n] : f32
// CHECK-NEXT:    }
// CHECK-NEXT:  }

// Folds of each kind. `serial` and `lanes` are orders, in chunks or not; of the others no order can be
// seen. The greatest and the least come with their position.
loop.kernel @folds(%x: !loop.buffer<[8] x f32>, %t: !loop.buffer<[8] x i1>) -> (%y: !loop.buffer<[2] x f32>) {
  loop.nest [%i : 2] {
    %prod = loop.fold mul <serial> [%a : 8] {
      %u = loop.read %x[%a] : f32
      loop.yield %u : f32
    } : f32
    %max = loop.fold max <any> [%b : 8] {
      %u_1 = loop.read %x[%b] : f32
      loop.yield %u_1 : f32
    } : f32
    %min = loop.fold min <any> [%c : 2, %d : 4] {
      %u_2 = loop.read %x[(4) * %c + %d] : f32
      loop.yield %u_2 : f32
    } : f32
    %all = loop.fold and <any> [%e : 8] {
      %u_3 = loop.read %t[%e] : i1
      loop.yield %u_3 : i1
    } : i1
    %some = loop.fold or <any> [%f : 8] {
      %u_4 = loop.read %t[%f] : i1
      loop.yield %u_4 : i1
    } : i1
    %best, %where = loop.fold argmax <any> [%g : 8] {
      %u_5 = loop.read %x[%g] : f32
      %p = loop.cast index %g : index to i64
      loop.yield %u_5, %p : f32, i64
    } : f32, i64
    %least, %there = loop.fold argmin <any> [%h : 8] {
      %u_6 = loop.read %x[%h] : f32
      %p_1 = loop.cast index %h : index to i64
      loop.yield %u_6, %p_1 : f32, i64
    } : f32, i64
    loop.write %prod, %y[%i] : f32
  }
}
// CHECK:       loop.kernel @folds(%x: !loop.buffer<[8] x f32>, %t: !loop.buffer<[8] x i1>) -> (%y: !loop.buffer<[2] x f32>) {
// CHECK-NEXT:    loop.nest [%i : 2] {
// CHECK-NEXT:      %prod = loop.fold mul <serial> [%a : 8] {
// CHECK-NEXT:        %u = loop.read %x[%a] : f32
// CHECK-NEXT:        loop.yield %u : f32
// CHECK-NEXT:      } : f32
// CHECK-NEXT:      %max = loop.fold max <any> [%b : 8] {
// CHECK-NEXT:        %u_1 = loop.read %x[%b] : f32
// CHECK-NEXT:        loop.yield %u_1 : f32
// CHECK-NEXT:      } : f32
// CHECK-NEXT:      %min = loop.fold min <any> [%c : 2, %d : 4] {
// CHECK-NEXT:        %u_2 = loop.read %x[(4) * %c + %d] : f32
// CHECK-NEXT:        loop.yield %u_2 : f32
// CHECK-NEXT:      } : f32
// CHECK-NEXT:      %all = loop.fold and <any> [%e : 8] {
// CHECK-NEXT:        %u_3 = loop.read %t[%e] : i1
// CHECK-NEXT:        loop.yield %u_3 : i1
// CHECK-NEXT:      } : i1
// CHECK-NEXT:      %some = loop.fold or <any> [%f : 8] {
// CHECK-NEXT:        %u_4 = loop.read %t[%f] : i1
// CHECK-NEXT:        loop.yield %u_4 : i1
// CHECK-NEXT:      } : i1
// CHECK-NEXT:      %best, %where = loop.fold argmax <any> [%g : 8] {
// CHECK-NEXT:        %u_5 = loop.read %x[%g] : f32
// CHECK-NEXT:        %p = loop.cast index %g : index to i64
// CHECK-NEXT:        loop.yield %u_5, %p : f32, i64
// CHECK-NEXT:      } : f32, i64
// CHECK-NEXT:      %least, %there = loop.fold argmin <any> [%h : 8] {
// CHECK-NEXT:        %u_6 = loop.read %x[%h] : f32
// CHECK-NEXT:        %p_1 = loop.cast index %h : index to i64
// CHECK-NEXT:        loop.yield %u_6, %p_1 : f32, i64
// CHECK-NEXT:      } : f32, i64
// CHECK-NEXT:      loop.write %prod, %y[%i] : f32
// CHECK-NEXT:    }
// CHECK-NEXT:  }

// Along axes in ascending order, with what the positions so far come to; and sorting, whole buffers at
// once, by the first.
loop.kernel @prefixes(%x: !loop.buffer<[4, 8] x f32>) -> (%y: !loop.buffer<[4, 8] x f32>) {
  loop.nest [%i : 4] {
    loop.scan [%k : 8] {
      %v = loop.read %x[%i, %k] : f32
      %s = loop.prefix add %v : f32
      loop.write %s, %y[%i, %k] : f32
    }
  }
}
// CHECK:       loop.kernel @prefixes(%x: !loop.buffer<[4, 8] x f32>) -> (%y: !loop.buffer<[4, 8] x f32>) {
// CHECK-NEXT:    loop.nest [%i : 4] {
// CHECK-NEXT:      loop.scan [%k : 8] {
// CHECK-NEXT:        %v = loop.read %x[%i, %k] : f32
// CHECK-NEXT:        %s = loop.prefix add %v : f32
// CHECK-NEXT:        loop.write %s, %y[%i, %k] : f32
// CHECK-NEXT:      }
// CHECK-NEXT:    }
// CHECK-NEXT:  }
loop.kernel @sort(%x: !loop.buffer<[4, 8] x f32>, %p: !loop.buffer<[4, 8] x i64>) -> (%y: !loop.buffer<[4, 8] x f32>, %q: !loop.buffer<[4, 8] x i64>) {
  loop.sort %x, %p to %y, %q axis <1> : !loop.buffer<[4, 8] x f32>, !loop.buffer<[4, 8] x i64> to !loop.buffer<[4, 8] x f32>, !loop.buffer<[4, 8] x i64>
}
// CHECK:       loop.kernel @sort(%x: !loop.buffer<[4, 8] x f32>, %p: !loop.buffer<[4, 8] x i64>) -> (%y: !loop.buffer<[4, 8] x f32>, %q: !loop.buffer<[4, 8] x i64>) {
// CHECK-NEXT:    loop.sort %x, %p to %y, %q axis <1> : !loop.buffer<[4, 8] x f32>, !loop.buffer<[4, 8] x i64> to !loop.buffer<[4, 8] x f32>, !loop.buffer<[4, 8] x i64>
// CHECK-NEXT:  }

// How: loops, threads, linear offsets, vectors and masks. This is what plans become.
loop.kernel @explicit<N: 1>(%x: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[N] x f32>) {
  %zero = loop.index 0
  %n = loop.index N
  %room = loop.stack : !loop.buffer<[16] x f32>
  loop.parallel %task to %n {
    loop.prefetch %x[%task] : !loop.buffer<[N] x f32>
    loop.prefetch %y[%task] apart : !loop.buffer<[N] x f32>
  }
  %e = loop.load %x[%zero] : !loop.buffer<[N] x f32> to f32
  %all = loop.splat %e : f32 to vector<8xf32>
  %total = loop.for %i = %zero to %n step 8 carry(%sum = %all : vector<8xf32>) {
    %mask = loop.mask %i, %n : vector<8xi1>
    %v = loop.load %x[%i] where %mask : vector<8xi1> : !loop.buffer<[N] x f32> to vector<8xf32>
    %lanes = loop.lanes %i : vector<8xindex>
    %w = loop.gather %x[%lanes : vector<8xindex>] where %mask : vector<8xi1> : !loop.buffer<[N] x f32> to vector<8xf32>
    %more = arith.addf %sum, %w : vector<8xf32>
    loop.store %v, %y[%i] where %mask : vector<8xi1> : vector<8xf32> to !loop.buffer<[N] x f32>
    loop.scatter %w, %y[%lanes : vector<8xindex>] : vector<8xf32> to !loop.buffer<[N] x f32>
    loop.yield %more : vector<8xf32>
  }
  %low = loop.shuffle %total, %all <[0, 1, 8, 9]> : vector<8xf32> to vector<4xf32>
  %words = loop.cast bitcast %total : vector<8xf32> to vector<8xi32>
  %dots = loop.dot "vpdpbusd" %words, %words to %words : vector<8xi32> to vector<8xi32>
  %first = loop.extract %low at <0> : vector<4xf32> to f32
  %less = loop.compare lt %total, %all : vector<8xf32>
  %some = loop.any %less : vector<8xi1>
  %r = loop.if %some {
    loop.yield %first : f32
  } else {
    loop.yield %e : f32
  } : f32
  loop.store %r, %room[%zero] : f32 to !loop.buffer<[16] x f32>
  %whole = loop.aligned %room : !loop.buffer<[16] x f32>
  loop.store %all, %room[%zero] streamed : vector<8xf32> to !loop.buffer<[16] x f32>
  loop.fence
}
// CHECK:       loop.kernel @explicit<N: 1>(%x: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[N] x f32>) {
// CHECK-NEXT:    %zero = loop.index 0
// CHECK-NEXT:    %n = loop.index N
// CHECK-NEXT:    %room = loop.stack : !loop.buffer<[16] x f32>
// CHECK-NEXT:    loop.parallel %task to %n {
// CHECK-NEXT:      loop.prefetch %x[%task] : !loop.buffer<[N] x f32>
// CHECK-NEXT:      loop.prefetch %y[%task] apart : !loop.buffer<[N] x f32>
// CHECK-NEXT:    }
// CHECK-NEXT:    %e = loop.load %x[%zero] : !loop.buffer<[N] x f32> to f32
// CHECK-NEXT:    %all = loop.splat %e : f32 to vector<8xf32>
// CHECK-NEXT:    %total = loop.for %i = %zero to %n step 8 carry(%sum = %all : vector<8xf32>) {
// CHECK-NEXT:      %mask = loop.mask %i, %n : vector<8xi1>
// CHECK-NEXT:      %v = loop.load %x[%i] where %mask : vector<8xi1> : !loop.buffer<[N] x f32> to vector<8xf32>
// CHECK-NEXT:      %lanes = loop.lanes %i : vector<8xindex>
// CHECK-NEXT:      %w = loop.gather %x[%lanes : vector<8xindex>] where %mask : vector<8xi1> : !loop.buffer<[N] x f32> to vector<8xf32>
// CHECK-NEXT:      %more = arith.addf %sum, %w : vector<8xf32>
// CHECK-NEXT:      loop.store %v, %y[%i] where %mask : vector<8xi1> : vector<8xf32> to !loop.buffer<[N] x f32>
// CHECK-NEXT:      loop.scatter %w, %y[%lanes : vector<8xindex>] : vector<8xf32> to !loop.buffer<[N] x f32>
// CHECK-NEXT:      loop.yield %more : vector<8xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    %low = loop.shuffle %total, %all <[0, 1, 8, 9]> : vector<8xf32> to vector<4xf32>
// CHECK-NEXT:    %words = loop.cast bitcast %total : vector<8xf32> to vector<8xi32>
// CHECK-NEXT:    %dots = loop.dot "vpdpbusd" %words, %words to %words : vector<8xi32> to vector<8xi32>
// CHECK-NEXT:    %first = loop.extract %low at <0> : vector<4xf32> to f32
// CHECK-NEXT:    %less = loop.compare lt %total, %all : vector<8xf32>
// CHECK-NEXT:    %some = loop.any %less : vector<8xi1>
// CHECK-NEXT:    %r = loop.if %some {
// CHECK-NEXT:      loop.yield %first : f32
// CHECK-NEXT:    } else {
// CHECK-NEXT:      loop.yield %e : f32
// CHECK-NEXT:    } : f32
// CHECK-NEXT:    loop.store %r, %room[%zero] : f32 to !loop.buffer<[16] x f32>
// CHECK-NEXT:    %whole = loop.aligned %room : !loop.buffer<[16] x f32>
// CHECK-NEXT:    loop.store %all, %room[%zero] streamed : vector<8xf32> to !loop.buffer<[16] x f32>
// CHECK-NEXT:    loop.fence
// CHECK-NEXT:  }

// All rows of a panel are multiplied at once by instructions that take tiles: 32 rows from `%at` on, `%by` apart,
// with 32 lanes of words.
loop.kernel @tiles(%x: !loop.buffer<[32, 64] x i8>, %w: !loop.buffer<[512] x i32>) -> (%y: !loop.buffer<[1024] x i32>) {
  %at = loop.index 0
  %by = loop.index 64
  %rows = loop.index 32
  %words = loop.index 16
  loop.dot_tiles "tdpbusd" %x[%at] by %by, %w[%at] to %y[%at] rows %rows words %words : !loop.buffer<[32, 64] x i8>, !loop.buffer<[512] x i32> to !loop.buffer<[1024] x i32>
}
// CHECK:       loop.kernel @tiles
// CHECK-NEXT:    %at = loop.index 0
// CHECK-NEXT:    %by = loop.index 64
// CHECK-NEXT:    %rows = loop.index 32
// CHECK-NEXT:    %words = loop.index 16
// CHECK-NEXT:    loop.dot_tiles "tdpbusd" %x[%at] by %by, %w[%at] to %y[%at] rows %rows words %words : !loop.buffer<[32, 64] x i8>, !loop.buffer<[512] x i32> to !loop.buffer<[1024] x i32>
// CHECK-NEXT:  }

// Numbers have no sign, ops have: one op compares, of every kind, one by one or lane by lane; `u` is for
// unsigned ones. Conversion of floats to integers saturates.
loop.func @scalars(%x: f32, %v: vector<16xf32>, %n: i8, %i: index) -> () {
  %lt = loop.compare lt %x, %x : f32
  %ne = loop.compare ne %v, %v : vector<16xf32>
  %uge = loop.compare uge %n, %n : i8
  %le = loop.compare le %i, %i : index
  %chosen = loop.select %ne, %v, %v : vector<16xi1>, vector<16xf32>
  %wide = loop.cast extf %x : f32 to f64
  %narrow = loop.cast truncf %wide : f64 to f16
  %signed = loop.cast fptosi %x : f32 to i32
  %unsigned = loop.cast fptoui %x : f32 to i8
  %float = loop.cast sitofp %signed : i32 to f32
  %float_1 = loop.cast uitofp %n : i8 to f32
  %long = loop.cast extsi %signed : i32 to i64
  %long_1 = loop.cast extui %n : i8 to i64
  %short = loop.cast trunci %long : i64 to i8
  %bits = loop.cast bitcast %v : vector<16xf32> to vector<16xi32>
  %count = loop.cast index %i : index to i64
}
// CHECK:       loop.func @scalars(%x: f32, %v: vector<16xf32>, %n: i8, %i: index) -> () {
// CHECK-NEXT:    %lt = loop.compare lt %x, %x : f32
// CHECK-NEXT:    %ne = loop.compare ne %v, %v : vector<16xf32>
// CHECK-NEXT:    %uge = loop.compare uge %n, %n : i8
// CHECK-NEXT:    %le = loop.compare le %i, %i : index
// CHECK-NEXT:    %chosen = loop.select %ne, %v, %v : vector<16xi1>, vector<16xf32>
// CHECK-NEXT:    %wide = loop.cast extf %x : f32 to f64
// CHECK-NEXT:    %narrow = loop.cast truncf %wide : f64 to f16
// CHECK-NEXT:    %signed = loop.cast fptosi %x : f32 to i32
// CHECK-NEXT:    %unsigned = loop.cast fptoui %x : f32 to i8
// CHECK-NEXT:    %float = loop.cast sitofp %signed : i32 to f32
// CHECK-NEXT:    %float_1 = loop.cast uitofp %n : i8 to f32
// CHECK-NEXT:    %long = loop.cast extsi %signed : i32 to i64
// CHECK-NEXT:    %long_1 = loop.cast extui %n : i8 to i64
// CHECK-NEXT:    %short = loop.cast trunci %long : i64 to i8
// CHECK-NEXT:    %bits = loop.cast bitcast %v : vector<16xf32> to vector<16xi32>
// CHECK-NEXT:    %count = loop.cast index %i : index to i64
// CHECK-NEXT:  }

// Between kernels: host code, compiled like the rest. A launch gives sizes for the symbols; what a loop
// carries are buffers, here two that change places.
loop.func @host<N: 0>(%x: !loop.buffer<[2*N, 8] x f32>, %w: !loop.buffer<[8, 4] x f32>, %c: !loop.buffer<[] x i1>) -> (%y: !loop.buffer<[2*N, 4] x f32>) attributes {sites = [#loop.site<print "x is {}" (f32 [2*N, 8]) at "model.py" 12 4 9>, #loop.site<assert "positive" ()>]} {
  %copy = loop.alloc : !loop.buffer<[2*N, 8] x f32>
  loop.copy %x, %copy : !loop.buffer<[2*N, 8] x f32> to !loop.buffer<[2*N, 8] x f32>
  loop.launch @nests <B = 2*N, S = 1>(%copy, %w, %y) : !loop.buffer<[2*N, 8] x f32>, !loop.buffer<[8, 4] x f32>, !loop.buffer<[2*N, 4] x f32>
  %zero = loop.index 0
  %spare = loop.alloc : !loop.buffer<[8] x f32>
  %row = loop.view %x[(8) * %zero] : !loop.buffer<[2*N, 8] x f32> to !loop.buffer<[8] x f32>
  %old, %new = loop.while carry(%a = %row : !loop.buffer<[8] x f32>, %b = %spare : !loop.buffer<[8] x f32>) {
    %goes_on = loop.load %c[%zero] : !loop.buffer<[] x i1> to i1
    loop.condition %goes_on
  } do {
  ^bb0(%d: !loop.buffer<[8] x f32>, %e: !loop.buffer<[8] x f32>):
    loop.custom "symbol"(%d, %e) : !loop.buffer<[8] x f32>, !loop.buffer<[8] x f32>
    loop.yield %e, %d : !loop.buffer<[8] x f32>, !loop.buffer<[8] x f32>
  }
  loop.host site <0>(%x) : !loop.buffer<[2*N, 8] x f32>
  %holds = loop.load %c[%zero] : !loop.buffer<[] x i1> to i1
  loop.assert %holds site <1>
}
// CHECK:       loop.func @host<N: 0>(%x: !loop.buffer<[2*N, 8] x f32>, %w: !loop.buffer<[8, 4] x f32>, %c: !loop.buffer<[] x i1>) -> (%y: !loop.buffer<[2*N, 4] x f32>) attributes {sites = [#loop.site<print "x is {}" (f32 [2*N, 8]) at "model.py" 12 4 9>, #loop.site<assert "positive" ()>]} {
// CHECK-NEXT:    %copy = loop.alloc : !loop.buffer<[2*N, 8] x f32>
// CHECK-NEXT:    loop.copy %x, %copy : !loop.buffer<[2*N, 8] x f32> to !loop.buffer<[2*N, 8] x f32>
// CHECK-NEXT:    loop.launch @nests <B = 2*N, S = 1>(%copy, %w, %y) : !loop.buffer<[2*N, 8] x f32>, !loop.buffer<[8, 4] x f32>, !loop.buffer<[2*N, 4] x f32>
// CHECK-NEXT:    %zero = loop.index 0
// CHECK-NEXT:    %spare = loop.alloc : !loop.buffer<[8] x f32>
// CHECK-NEXT:    %row = loop.view %x[(8) * %zero] : !loop.buffer<[2*N, 8] x f32> to !loop.buffer<[8] x f32>
// CHECK-NEXT:    %old, %new = loop.while carry(%a = %row : !loop.buffer<[8] x f32>, %b = %spare : !loop.buffer<[8] x f32>) {
// CHECK-NEXT:      %goes_on = loop.load %c[%zero] : !loop.buffer<[] x i1> to i1
// CHECK-NEXT:      loop.condition %goes_on
// CHECK-NEXT:    } do {
// CHECK-NEXT:    ^bb0(%d: !loop.buffer<[8] x f32>, %e: !loop.buffer<[8] x f32>):
// CHECK-NEXT:      loop.custom "symbol"(%d, %e) : !loop.buffer<[8] x f32>, !loop.buffer<[8] x f32>
// CHECK-NEXT:      loop.yield %e, %d : !loop.buffer<[8] x f32>, !loop.buffer<[8] x f32>
// CHECK-NEXT:    }
// CHECK-NEXT:    loop.host site <0>(%x) : !loop.buffer<[2*N, 8] x f32>
// CHECK-NEXT:    %holds = loop.load %c[%zero] : !loop.buffer<[] x i1> to i1
// CHECK-NEXT:    loop.assert %holds site <1>
// CHECK-NEXT:  }
