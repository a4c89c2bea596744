// RUN: stepwell-opt %s -p "choose-plans{machine=sapphirerapids}" | filecheck %s
// RUN: stepwell-opt %s -p "choose-plans{machine=znver4}" | filecheck %s --check-prefix=ALONE

// What comes from afar is read in four rows side by side, and the next row of those that go through
// several nests is asked for; not so on a machine that reads on by itself, best in one row.
loop.kernel @far(%x: !loop.buffer<[4096, 1024] x f32>) -> (%y: !loop.buffer<[4096] x f32>) {
  loop.nest [%i : 4096] {
    %s = loop.fold add <lanes, 4096> [%k : 1024] {
      %v = loop.read %x[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %s, %y[%i] : f32
  }
}

// CHECK-LABEL: loop.kernel @far
// CHECK-SAME:    rows = 4,
// ALONE-LABEL: loop.kernel @far
// ALONE-SAME:    rows = 1,

// What the second cache holds is read in four rows by both.
loop.kernel @near(%x: !loop.buffer<[128, 1024] x f32>) -> (%y: !loop.buffer<[128] x f32>) {
  loop.nest [%i : 128] {
    %s = loop.fold add <lanes, 4096> [%k : 1024] {
      %v = loop.read %x[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %s, %y[%i] : f32
  }
}

// ALONE-LABEL: loop.kernel @near
// ALONE-SAME:    rows = 4,

// So are rows times a vector that would not stay in the first cache beside one row; but from memory they
// are eight where a core reads on by itself.
loop.kernel @shared(%x: !loop.buffer<[4096, 4096] x f32>, %w: !loop.buffer<[4096] x f32>) -> (%y: !loop.buffer<[4096] x f32>) {
  loop.nest [%i : 4096] {
    %s = loop.fold fma <lanes, 4096> [%k : 4096] {
      %v = loop.read %x[%i, %k] : f32
      %u = loop.read %w[%k] : f32
      loop.yield %v, %u : f32, f32
    } : f32
    loop.write %s, %y[%i] : f32
  }
}

// CHECK-LABEL: loop.kernel @shared
// CHECK-SAME:    rows = 4,
// ALONE-LABEL: loop.kernel @shared
// ALONE-SAME:    rows = 8,

loop.kernel @third(%x: !loop.buffer<[1024, 4096] x f32>, %w: !loop.buffer<[4096] x f32>) -> (%y: !loop.buffer<[1024] x f32>) {
  loop.nest [%i : 1024] {
    %s = loop.fold fma <lanes, 4096> [%k : 4096] {
      %v = loop.read %x[%i, %k] : f32
      %u = loop.read %w[%k] : f32
      loop.yield %v, %u : f32, f32
    } : f32
    loop.write %s, %y[%i] : f32
  }
}

// ALONE-LABEL: loop.kernel @third
// ALONE-SAME:    rows = 4,

// A vector of three eighths of the first cache stays there.
loop.kernel @stays(%x: !loop.buffer<[4096, 3072] x f32>, %w: !loop.buffer<[3072] x f32>) -> (%y: !loop.buffer<[4096] x f32>) {
  loop.nest [%i : 4096] {
    %s = loop.fold fma <lanes, 4096> [%k : 3072] {
      %v = loop.read %x[%i, %k] : f32
      %u = loop.read %w[%k] : f32
      loop.yield %v, %u : f32, f32
    } : f32
    loop.write %s, %y[%i] : f32
  }
}

// ALONE-LABEL: loop.kernel @stays
// ALONE-SAME:    rows = 1,

loop.kernel @centre(%x: !loop.buffer<[4096, 1024] x f32>) -> (%y: !loop.buffer<[4096, 1024] x f32>) {
  %m = loop.local : !loop.buffer<[4096] x f32>
  loop.nest [%i : 4096] {
    %r = loop.fold max <any> [%k : 1024] {
      %v = loop.read %x[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %r, %m[%i] : f32
  }
  loop.nest [%i : 4096, %j : 1024] {
    %v = loop.read %x[%i, %j] : f32
    %n = loop.read %m[%i] : f32
    %d = arith.subf %v, %n : f32
    loop.write %d, %y[%i, %j] : f32
  }
}

// CHECK-LABEL: loop.kernel @centre
// CHECK-SAME:    ahead = 1>
// ALONE-LABEL: loop.kernel @centre
// ALONE-SAME:    ahead = 0>

// Squares go down bands of two lines, and of one where a core that reads on would follow rows on 32 pages.
// They go past the caches where source and target take more than half of the last one.
loop.kernel @apart(%x: !loop.buffer<[2048, 2048] x f32>) -> (%y: !loop.buffer<[2048, 2048] x f32>) {
  loop.nest [%j : 2048, %i : 2048] {
    %v = loop.read %x[%i, %j] : f32
    loop.write %v, %y[%j, %i] : f32
  }
}

// CHECK-LABEL: loop.kernel @apart
// CHECK-SAME:    band = 32, stream = 1,
// ALONE-LABEL: loop.kernel @apart
// ALONE-SAME:    band = 16, stream = 1,

// Rows that are short lie on few pages.
loop.kernel @short(%x: !loop.buffer<[16384, 64] x f32>) -> (%y: !loop.buffer<[64, 16384] x f32>) {
  loop.nest [%j : 64, %i : 16384] {
    %v = loop.read %x[%i, %j] : f32
    loop.write %v, %y[%j, %i] : f32
  }
}

// ALONE-LABEL: loop.kernel @short
// ALONE-SAME:    band = 32, stream = 0,
