// RUN: stepwell-opt %s -p share-buffers | filecheck %s

// A kernel says which inputs it may overwrite: those of which it reads an element only where, and
// before, it writes it.
loop.kernel @negate(%x: !loop.buffer<[8] x f32>) -> (%y: !loop.buffer<[8] x f32>) attributes {overwrites = #nd.ints<[0, 1]>} {
  loop.nest [%i : 8] {
    %v = loop.read %x[%i] : f32
    %w = arith.negf %v : f32
    loop.write %w, %y[%i] : f32
  }
}
loop.kernel @turn(%x: !loop.buffer<[8] x f32>) -> (%y: !loop.buffer<[8] x f32>) {
  loop.nest [%i : 8] {
    %v = loop.read %x[(-1) * %i + 7] : f32
    loop.write %v, %y[%i] : f32
  }
}

// What a loop carries was copied at the end of each round. One buffer is enough, and the result's
// is the one. The copy of the argument stays: it belongs to the caller.
loop.func @carried(%x: !loop.buffer<[8] x f32>) -> (%y: !loop.buffer<[8] x f32>) {
  %now = loop.alloc : !loop.buffer<[8] x f32>
  %next = loop.alloc : !loop.buffer<[8] x f32>
  loop.copy %x, %now : !loop.buffer<[8] x f32> to !loop.buffer<[8] x f32>
  %low = loop.index 0
  %high = loop.index 100
  loop.for %i = %low to %high step 1 {
    loop.launch @negate <>(%now, %next) : !loop.buffer<[8] x f32>, !loop.buffer<[8] x f32>
    loop.copy %next, %now : !loop.buffer<[8] x f32> to !loop.buffer<[8] x f32>
    loop.yield
  }
  loop.copy %now, %y : !loop.buffer<[8] x f32> to !loop.buffer<[8] x f32>
}
// CHECK-LABEL: @carried
// CHECK-NEXT:    loop.copy %x, %y {because = "an argument stays as it is"}
// CHECK:         loop.for
// CHECK-NEXT:      loop.launch @negate <>(%y, %y)
// CHECK-NEXT:      loop.yield
// CHECK-NEXT:    }
// CHECK-NEXT:  }

// `@turn` reads elements that it has written: its input and its output are two.
loop.func @two(%x: !loop.buffer<[8] x f32>) -> (%y: !loop.buffer<[8] x f32>) {
  %next = loop.alloc : !loop.buffer<[8] x f32>
  loop.launch @turn <>(%x, %y) : !loop.buffer<[8] x f32>, !loop.buffer<[8] x f32>
  %low = loop.index 0
  %high = loop.index 100
  loop.for %i = %low to %high step 1 {
    loop.launch @turn <>(%y, %next) : !loop.buffer<[8] x f32>, !loop.buffer<[8] x f32>
    loop.copy %next, %y : !loop.buffer<[8] x f32> to !loop.buffer<[8] x f32>
    loop.yield
  }
}
// CHECK-LABEL: @two
// CHECK:           loop.launch @turn <>(%y, %next)
// CHECK-NEXT:      loop.copy %next, %y {because = "both are needed by loop.launch"}

// The caller gives `%x` away: the result may lie there, if the function is done with it by then.
loop.func @given(%x: !loop.buffer<[8] x f32>) -> (%y: !loop.buffer<[8] x f32>) attributes {donated = #nd.ints<[0]>} {
  loop.launch @negate <>(%x, %y) : !loop.buffer<[8] x f32>, !loop.buffer<[8] x f32>
}
// CHECK-LABEL: @given
// CHECK-SAME:    overwrites = #nd.ints<[0, 1]>
// CHECK-NEXT:    loop.launch @negate <>(%y, %y)

// What nobody reads any more is overwritten without a copy, too: one buffer instead of three. `@turn`
// needs another one, and so does what is read twice.
loop.func @chain(%x: !loop.buffer<[8] x f32>) -> (%y: !loop.buffer<[8] x f32>) {
  %a = loop.alloc : !loop.buffer<[8] x f32>
  %b = loop.alloc : !loop.buffer<[8] x f32>
  %c = loop.alloc : !loop.buffer<[8] x f32>
  %d = loop.alloc : !loop.buffer<[8] x f32>
  loop.launch @negate <>(%x, %a) : !loop.buffer<[8] x f32>, !loop.buffer<[8] x f32>
  loop.launch @negate <>(%a, %b) : !loop.buffer<[8] x f32>, !loop.buffer<[8] x f32>
  loop.launch @negate <>(%b, %c) : !loop.buffer<[8] x f32>, !loop.buffer<[8] x f32>
  loop.launch @turn <>(%c, %d) : !loop.buffer<[8] x f32>, !loop.buffer<[8] x f32>
  loop.launch @turn <>(%c, %y) : !loop.buffer<[8] x f32>, !loop.buffer<[8] x f32>
  loop.launch @negate <>(%d, %y) : !loop.buffer<[8] x f32>, !loop.buffer<[8] x f32>
}
// CHECK-LABEL: @chain
// CHECK:         [[PLACE:%.*]] = loop.alloc
// CHECK:         loop.launch @negate <>(%x, [[PLACE]])
// CHECK-NEXT:    loop.launch @negate <>([[PLACE]], [[PLACE]])
// CHECK-NEXT:    loop.launch @negate <>([[PLACE]], [[PLACE]])
// CHECK-NEXT:    loop.launch @turn <>([[PLACE]], [[OTHER:%.*]])
// CHECK-NEXT:    loop.launch @turn <>([[PLACE]], %y)
// CHECK-NEXT:    loop.launch @negate <>([[OTHER]], %y)
