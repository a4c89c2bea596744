// RUN: stepwell-opt %s -p choose-plans,expand-plans | filecheck %s

// A softmax: four nests over the same rows. Each row goes through all four while it is in the cache;
// what they leave to each other, the greatest element, the exponentials and their sum, lies on the
// stack of the thread. A task takes 64 rows. The last nest at the input asks for the next row of it, the one
// that writes the output for where the next one goes.
loop.kernel @softmax<B: 1>(%x: !loop.buffer<[B, 1024] x f32>) -> (%y: !loop.buffer<[B, 1024] x f32>) {
  %m = loop.local : !loop.buffer<[B] x f32>
  %e = loop.local : !loop.buffer<[B, 1024] x f32>
  %s = loop.local : !loop.buffer<[B] x f32>
  loop.nest [%i : B] {
    %r = loop.fold max <any> [%k : 1024] {
      %v = loop.read %x[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %r, %m[%i] : f32
  }
  loop.nest [%i : B, %j : 1024] {
    %v = loop.read %x[%i, %j] : f32
    %n = loop.read %m[%i] : f32
    %d = arith.subf %v, %n : f32
    %r = math.exp %d : f32
    loop.write %r, %e[%i, %j] : f32
  }
  loop.nest [%i : B] {
    %r = loop.fold add <lanes, 4096> [%k : 1024] {
      %v = loop.read %e[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %r, %s[%i] : f32
  }
  loop.nest [%i : B, %j : 1024] {
    %v = loop.read %e[%i, %j] : f32
    %n = loop.read %s[%i] : f32
    %d = arith.divf %v, %n : f32
    loop.write %d, %y[%i, %j] : f32
  }
}

// CHECK-LABEL: loop.kernel @softmax
// CHECK-SAME:    plan <rows, bytes = 64, vectors = 4, block = [[BLOCK:\d+]], stream = 0, ahead = 1>
// CHECK:         loop.parallel
// CHECK:           [[M:%\d+]] = loop.stack : !loop.buffer<[] x f32>
// CHECK-NEXT:      [[E:%\d+]] = loop.stack : !loop.buffer<[1024] x f32>
// CHECK-NEXT:      [[S:%\d+]] = loop.stack : !loop.buffer<[] x f32>
// CHECK:           loop.for %{{.*}} step 1 {
// CHECK:             loop.for
// CHECK-NOT:           loop.prefetch
// CHECK:               arith.maximumf
// CHECK:             loop.store %{{.*}}, [[M]]
// CHECK:             loop.load [[M]]
// CHECK:             loop.for
// CHECK:               [[HERE:%\d+]] = loop.index
// CHECK-NEXT:          [[NEXT:%\d+]] = loop.index [[HERE]] + 1024
// CHECK:               math.exp %{{.*}} : vector<16xf32>
// CHECK:               loop.store %{{.*}}, [[E]]
// CHECK:               loop.prefetch %x[[[NEXT]]]
// CHECK:             loop.for
// CHECK:               loop.load [[E]]
// CHECK:               arith.addf
// CHECK:             loop.store %{{.*}}, [[S]]
// CHECK:             loop.load [[S]]
// CHECK:             loop.for
// CHECK:               arith.divf
// CHECK:               loop.store %{{.*}}, %y
// CHECK:               loop.prefetch %y

// Rows of unknown length have a place for each task in the workspace.
loop.kernel @centre<B: 1, N: 1>(%x: !loop.buffer<[B, N] x f32>) -> (%y: !loop.buffer<[B, N] x f32>) plan <rows, block = 16> {
  %e = loop.local : !loop.buffer<[B, N] x f32>
  loop.nest [%i : B, %j : N] {
    %v = loop.read %x[%i, %j] : f32
    %r = math.exp %v : f32
    loop.write %r, %e[%i, %j] : f32
  }
  loop.nest [%i : B, %j : N] {
    %v = loop.read %e[%i, %j] : f32
    %w = loop.read %e[%i, 0] : f32
    %d = arith.subf %v, %w : f32
    loop.write %d, %y[%i, %j] : f32
  }
}

// CHECK-LABEL: loop.kernel @centre
// CHECK-SAME:    [[ROOM:%\d+]]: !loop.buffer<[64*floordiv(4*N + 63, 64)*floordiv(B + 15, 16)] x i8>
// CHECK:         loop.parallel [[TASK:%\d+]] to
// CHECK:           [[PLACE:%\d+]] = loop.index (64*floordiv(4*N + 63, 64)) * [[TASK]]
// CHECK:           loop.view [[ROOM]][[[PLACE]]] : {{.*}} to !loop.buffer<[N] x f32>

// What is written does not fit the last cache: it goes past it.
loop.kernel @large(%x: !loop.buffer<[8192, 1024] x f32>) -> (%y: !loop.buffer<[8192, 1024] x f32>) {
  %m = loop.local : !loop.buffer<[8192] x f32>
  loop.nest [%i : 8192] {
    %r = loop.fold max <any> [%k : 1024] {
      %v = loop.read %x[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %r, %m[%i] : f32
  }
  loop.nest [%i : 8192, %j : 1024] {
    %v = loop.read %x[%i, %j] : f32
    %n = loop.read %m[%i] : f32
    %d = arith.subf %v, %n : f32
    loop.write %d, %y[%i, %j] : f32
  }
}

// CHECK-LABEL:   loop.kernel @large
// CHECK-SAME:      stream = 1, ahead = 1>
// CHECK:           loop.parallel
// CHECK:           [[WHOLE:%\d+]] = loop.aligned %y
// CHECK:             loop.for
// CHECK:               loop.store %{{.*}}, %{{\d+}}[{{.*}}] : f32
// CHECK:               loop.if [[WHOLE]] {
// CHECK-COUNT-4:         loop.store %{{.*}}, %y[%{{\d+}}] streamed : vector<16xf32>
// CHECK:               } else {
// CHECK-COUNT-4:         loop.store %{{.*}}, %y[%{{\d+}}] : vector<16xf32>
// CHECK:             loop.fence
