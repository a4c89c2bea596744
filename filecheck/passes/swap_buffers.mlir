// RUN: stepwell-opt %s -p share-buffers,swap-buffers | filecheck %s

loop.kernel @turn(%x: !loop.buffer<[8] x f32>) -> (%y: !loop.buffer<[8] x f32>) {
  loop.nest [%i : 8] {
    %v = loop.read %x[(-1) * %i + 7] : f32
    loop.write %v, %y[%i] : f32
  }
}

// The kernel cannot overwrite what it reads, so that each round would end with a copy. The loop
// carries both buffers instead, and hands them on the other way round.
loop.func @turns(%x: !loop.buffer<[8] x f32>) -> (%y: !loop.buffer<[8] x f32>) {
  %next = loop.alloc : !loop.buffer<[8] x f32>
  loop.copy %x, %y : !loop.buffer<[8] x f32> to !loop.buffer<[8] x f32>
  %low = loop.index 0
  %high = loop.index 100
  loop.for %i = %low to %high step 1 {
    loop.launch @turn <>(%y, %next) : !loop.buffer<[8] x f32>, !loop.buffer<[8] x f32>
    loop.copy %next, %y : !loop.buffer<[8] x f32> to !loop.buffer<[8] x f32>
    loop.yield
  }
}
// CHECK-LABEL: @turns
// CHECK:         [[now:%\w+]], [[spare:%\w+]] = loop.for %i = %low to %high step 1 carry([[a:%\w+]] = %y : {{.*}}, [[b:%\w+]] = %next : {{.*}}) {
// CHECK-NEXT:      loop.launch @turn <>([[a]], [[b]])
// CHECK-NEXT:      loop.yield [[b]], [[a]]
// CHECK-NEXT:    }
// CHECK-NEXT:    loop.copy [[now]], %y {because = "the loop ends in one of two buffers"}

// So does a loop that goes on while a condition holds.
loop.func @turns_while(%x: !loop.buffer<[8] x f32>, %go: !loop.buffer<[] x i1>) -> (%y: !loop.buffer<[8] x f32>) {
  %next = loop.alloc : !loop.buffer<[8] x f32>
  loop.copy %x, %y : !loop.buffer<[8] x f32> to !loop.buffer<[8] x f32>
  loop.while {
    %zero = loop.index 0
    %c = loop.load %go[%zero] : !loop.buffer<[] x i1> to i1
    loop.condition %c
  } do {
    loop.launch @turn <>(%y, %next) : !loop.buffer<[8] x f32>, !loop.buffer<[8] x f32>
    loop.copy %next, %y : !loop.buffer<[8] x f32> to !loop.buffer<[8] x f32>
  }
}
// CHECK-LABEL: @turns_while
// CHECK:         [[now:%\w+]], [[spare:%\w+]] = loop.while carry({{%\w+}} = %y : {{.*}}, {{%\w+}} = %next : {{.*}}) {
// CHECK:         } do {
// CHECK-NEXT:    ^bb0([[a:%\w+]]: {{.*}}, [[b:%\w+]]: {{.*}}):
// CHECK-NEXT:      loop.launch @turn <>([[a]], [[b]])
// CHECK-NEXT:      loop.yield [[b]], [[a]]
// CHECK-NEXT:    }
// CHECK-NEXT:    loop.copy [[now]], %y {because

// Here the next value is read in the next round, too, before it is written: it has to be copied.
loop.func @read_before(%x: !loop.buffer<[8] x f32>) -> (%y: !loop.buffer<[8] x f32>) {
  %next = loop.alloc : !loop.buffer<[8] x f32>
  loop.copy %x, %y : !loop.buffer<[8] x f32> to !loop.buffer<[8] x f32>
  loop.copy %x, %next : !loop.buffer<[8] x f32> to !loop.buffer<[8] x f32>
  %low = loop.index 0
  %high = loop.index 100
  loop.for %i = %low to %high step 1 {
    loop.launch @turn <>(%next, %y) : !loop.buffer<[8] x f32>, !loop.buffer<[8] x f32>
    loop.launch @turn <>(%y, %next) : !loop.buffer<[8] x f32>, !loop.buffer<[8] x f32>
    loop.copy %next, %y : !loop.buffer<[8] x f32> to !loop.buffer<[8] x f32>
    loop.yield
  }
}
// CHECK-LABEL: @read_before
// CHECK-NOT:     carry
// CHECK:         loop.copy %next, %y {because
