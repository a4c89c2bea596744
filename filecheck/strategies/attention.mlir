// RUN: stepwell-opt %s -p choose-plans,expand-plans | filecheck %s

// Attention: two products, and between them a softmax. A task takes some heads. Of each it copies the
// keys, whose lanes are no neighbours, to panels. Then it takes some queries at a time through all nests:
// their scores and weights lie in one place, and there are never more of them.
loop.kernel @attention<S: 1>(%q: !loop.buffer<[12, S, 64] x f32>, %k: !loop.buffer<[12, S, 64] x f32>, %v: !loop.buffer<[12, S, 64] x f32>) -> (%o: !loop.buffer<[12, S, 64] x f32>) {
  %s = loop.local : !loop.buffer<[12, S, S] x f32>
  loop.nest [%h : 12, %i : S, %j : S] {
    %r = loop.fold fma <serial, 1024> [%d : 64] {
      %x = loop.read %q[%h, %i, %d] : f32
      %y = loop.read %k[%h, %j, %d] : f32
      loop.yield %x, %y : f32, f32
    } : f32
    loop.write %r, %s[%h, %i, %j] : f32
  }
  %m = loop.local : !loop.buffer<[12, S] x f32>
  loop.nest [%h : 12, %i : S] {
    %r = loop.fold max <any> [%j : S] {
      %x = loop.read %s[%h, %i, %j] : f32
      loop.yield %x : f32
    } : f32
    loop.write %r, %m[%h, %i] : f32
  }
  %e = loop.local : !loop.buffer<[12, S, S] x f32>
  loop.nest [%h : 12, %i : S, %j : S] {
    %x = loop.read %s[%h, %i, %j] : f32
    %n = loop.read %m[%h, %i] : f32
    %d = arith.subf %x, %n : f32
    %r = math.exp %d : f32
    loop.write %r, %e[%h, %i, %j] : f32
  }
  loop.nest [%h : 12, %i : S, %c : 64] {
    %r = loop.fold fma <serial, 1024> [%j : S] {
      %x = loop.read %e[%h, %i, %j] : f32
      %y = loop.read %v[%h, %j, %c] : f32
      loop.yield %x, %y : f32, f32
    } : f32
    loop.write %r, %o[%h, %i, %c] : f32
  }
}

// CHECK-LABEL: loop.kernel @attention
// CHECK-SAME:    x i8>) plan <attention, bytes = 64, mr = [[MR:\d+]], nv = {{\d+}}, rows = [[ROWS:\d+]], tasks = 16>
// CHECK:         loop.parallel
// CHECK:           [[E:%\d+]] = loop.view %{{.*}} to !loop.buffer<[[[ROWS]], S] x f32>
// CHECK:           [[M:%\d+]] = loop.view %{{.*}} to !loop.buffer<[[[ROWS]]] x f32>
// CHECK:           [[K:%\d+]] = loop.view %{{.*}} to !loop.buffer
// The keys,
// CHECK:           loop.load %k[
// CHECK:           loop.store %{{.*}}, [[K]][
// the scores of some queries,
// CHECK:             loop.for %{{.*}} step [[MR]] {
// CHECK:               math.fma
// CHECK:             loop.store %{{.*}}, [[E]][
// what softmax makes of each row,
// CHECK:             arith.maximumf
// CHECK:             loop.store %{{.*}}, [[M]][
// CHECK:             math.exp %{{.*}} : vector<16xf32>
// CHECK:             loop.store %{{.*}}, [[E]][
// and the sums of values.
// CHECK:             loop.load [[E]]
// CHECK:             math.fma
// CHECK:             loop.store %{{.*}}, %o
