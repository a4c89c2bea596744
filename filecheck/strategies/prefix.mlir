// RUN: stepwell-opt %s -p choose-plans,expand-plans | filecheck %s

// The prefixes of a row are one chain, whose order counts. Eight rows go side by side, for each chain
// waits for its own last sum.
loop.kernel @cumsum(%x: !loop.buffer<[64, 100] x f32>) -> (%y: !loop.buffer<[64, 100] x f32>) {
  loop.nest [%i : 64] {
    loop.scan [%k : 100] {
      %v = loop.read %x[%i, %k] : f32
      %s = loop.prefix add %v : f32
      loop.write %s, %y[%i, %k] : f32
    }
  }
}

// CHECK-LABEL:  loop.kernel @cumsum
// CHECK-SAME:     plan <prefix, bytes = 64, vectors = 8, rows = 8, task = 20>
// CHECK:          loop.for %{{.*}} step 8 {
// CHECK:            loop.for %{{.*}} step 1 carry(
// CHECK-COUNT-8:      loop.load %x
// CHECK-COUNT-8:      arith.addf %{{.*}} : f32
// CHECK-COUNT-8:      loop.store

// Terms that have to be computed are so in vectors along the rows, a block of eight vectors of each
// row at a time. The chains go through them where they lie; then what is behind them is computed in
// vectors again.
loop.kernel @logcumsumexp(%x: !loop.buffer<[64, 256] x f32>) -> (%y: !loop.buffer<[64, 256] x f32>) {
  loop.nest [%i : 64] {
    loop.scan [%k : 256] {
      %v = loop.read %x[%i, %k] : f32
      %e = math.exp %v : f32
      %s = loop.prefix add %e : f32
      %l = math.log %s : f32
      loop.write %l, %y[%i, %k] : f32
    }
  }
}

// CHECK-LABEL:  loop.kernel @logcumsumexp
// CHECK:          [[TERMS:%\d+]] = loop.stack : !loop.buffer<[1024] x f32>
// CHECK:          loop.for %{{.*}} step 8 {
// CHECK:            loop.for %{{.*}} step 128 carry(
// CHECK:              loop.for %{{.*}} step 16 {
// CHECK-COUNT-8:        math.exp %{{.*}} : vector<16xf32>
// CHECK-COUNT-8:        loop.store %{{.*}}, [[TERMS]][{{.*}}] : vector<16xf32>
// CHECK:              loop.for %{{.*}} step 1 carry(
// CHECK-COUNT-8:        loop.load [[TERMS]]
// CHECK-COUNT-8:        arith.addf %{{.*}} : f32
// CHECK-COUNT-8:        loop.store %{{.*}}, [[TERMS]][{{.*}}] : f32
// CHECK:              loop.for %{{.*}} step 16 {
// CHECK-COUNT-8:        loop.load [[TERMS]]
// CHECK-COUNT-8:        math.log %{{.*}} : vector<16xf32>
// CHECK-COUNT-8:        loop.store %{{.*}}, %y

// Along the columns every lane has a chain of its own. From the end: the indices run the other way.
loop.kernel @columns(%x: !loop.buffer<[100, 256] x f32>) -> (%y: !loop.buffer<[100, 256] x f32>) {
  loop.nest [%j : 256] {
    loop.scan [%k : 100] {
      %v = loop.read %x[(-1) * %k + 99, %j] : f32
      %s = loop.prefix add %v : f32
      loop.write %s, %y[(-1) * %k + 99, %j] : f32
    }
  }
}

// CHECK-LABEL:  loop.kernel @columns
// CHECK:          loop.for %{{.*}} step 128 {
// CHECK:            loop.for %{{.*}} step 1 carry(
// CHECK:              loop.index %{{.*}} + (-256) *
// CHECK-COUNT-8:      arith.addf %{{.*}} : vector<16xf32>
// CHECK-COUNT-8:      loop.store %{{.*}}, %y[{{%\d+}}] : vector<16xf32>
