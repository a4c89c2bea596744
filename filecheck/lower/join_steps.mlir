// RUN: stepwell-opt %s -p 'join-steps{machine="znver4"}' | filecheck %s

// Arrays of 16 MB would come from memory for each step. Ten steps become one kernel, in which each reads
// what the one before left a few rows ahead; a ring of such rows takes 80 KB of the second cache. Four
// threads can share the rows.
loop.kernel @shift(%x: !loop.buffer<[2048, 2048] x f32>) -> (%y: !loop.buffer<[2048, 2048] x f32>) {
  loop.nest [%i0 : 2048, %i1 : 2048] {
    %k = loop.index %i0
    %end = loop.index 2047
    %in = loop.compare lt %k, %end : index
    %v = loop.read %x[%i0 + 1, %i1] where %in : f32
    loop.write %v, %y[%i0, %i1] : f32
  }
}
// CHECK-LABEL: loop.kernel @shift(
// CHECK-LABEL: loop.kernel @shift_by_11(
// CHECK-LABEL: loop.kernel @shift_by_10(
// CHECK-SAME:    plan <wave, bytes = 64, rows = 8, band = 256>
// CHECK-NEXT:    [[first:%\w+]] = loop.local : !loop.buffer<[2048, 2048] x f32>
// CHECK-NEXT:    loop.nest
// CHECK:           loop.read %x
// CHECK:           loop.write {{%\w+}}, [[first]]
// CHECK:         [[second:%\w+]] = loop.local
// CHECK-NEXT:    loop.nest
// CHECK:           loop.read [[first]]
// CHECK:           loop.write {{%\w+}}, [[second]]

loop.func @hundred(%x: !loop.buffer<[2048, 2048] x f32>) -> (%y: !loop.buffer<[2048, 2048] x f32>) {
  %next = loop.alloc : !loop.buffer<[2048, 2048] x f32>
  loop.copy %x, %y : !loop.buffer<[2048, 2048] x f32> to !loop.buffer<[2048, 2048] x f32>
  %low = loop.index 0
  %high = loop.index 100
  loop.for %i = %low to %high step 1 {
    loop.launch @shift <>(%y, %next) : !loop.buffer<[2048, 2048] x f32>, !loop.buffer<[2048, 2048] x f32>
    loop.copy %next, %y : !loop.buffer<[2048, 2048] x f32> to !loop.buffer<[2048, 2048] x f32>
    loop.yield
  }
}
// CHECK-LABEL: @hundred
// CHECK:         %high = loop.index 100
// CHECK-NEXT:    loop.for %i = %low to %high step 10 {
// CHECK-NEXT:      loop.launch @shift_by_10 <>(%y, %next)
// CHECK-NEXT:      loop.copy %next, %y
// CHECK-NOT:     loop.for

// Of 101 steps two are left, which come first. Their loop has another buffer, so that each can take its
// two in turn.
loop.func @one_more(%x: !loop.buffer<[2048, 2048] x f32>) -> (%y: !loop.buffer<[2048, 2048] x f32>) {
  %next = loop.alloc : !loop.buffer<[2048, 2048] x f32>
  loop.copy %x, %y : !loop.buffer<[2048, 2048] x f32> to !loop.buffer<[2048, 2048] x f32>
  %low = loop.index 0
  %high = loop.index 101
  loop.for %i = %low to %high step 1 {
    loop.launch @shift <>(%y, %next) : !loop.buffer<[2048, 2048] x f32>, !loop.buffer<[2048, 2048] x f32>
    loop.copy %next, %y : !loop.buffer<[2048, 2048] x f32> to !loop.buffer<[2048, 2048] x f32>
    loop.yield
  }
}
// CHECK-LABEL: @one_more
// CHECK:         [[start:%\w+]] = loop.index 2
// CHECK-NEXT:    [[room:%\w+]] = loop.alloc
// CHECK-NEXT:    loop.for %{{\w+}} = %low to [[start]] step 1 {
// CHECK-NEXT:      loop.launch @shift <>(%y, [[room]])
// CHECK-NEXT:      loop.copy [[room]], %y
// CHECK:         loop.for %{{\w+}} = [[start]] to %high step 11 {
// CHECK-NEXT:      loop.launch @shift_by_11 <>(%y, %next)

// A row of this array is an element, and 2048 are taken in turn. Nothing is left of single steps.
loop.kernel @line(%x: !loop.buffer<[4194304] x f32>) -> (%y: !loop.buffer<[4194304] x f32>) {
  loop.nest [%i : 4194304] {
    %k = loop.index %i
    %end = loop.index 4194303
    %in = loop.compare lt %k, %end : index
    %v = loop.read %x[%i + 1] where %in : f32
    loop.write %v, %y[%i] : f32
  }
}
// CHECK-NOT:   loop.kernel @line(
// CHECK:       loop.kernel @line_by_10(
// CHECK-SAME:    plan <wave, bytes = 64, rows = 2048, band = 262144>
loop.func @of_line(%x: !loop.buffer<[4194304] x f32>) -> (%y: !loop.buffer<[4194304] x f32>) {
  %next = loop.alloc : !loop.buffer<[4194304] x f32>
  loop.copy %x, %y : !loop.buffer<[4194304] x f32> to !loop.buffer<[4194304] x f32>
  %low = loop.index 0
  %high = loop.index 10
  loop.for %i = %low to %high step 1 {
    loop.launch @line <>(%y, %next) : !loop.buffer<[4194304] x f32>, !loop.buffer<[4194304] x f32>
    loop.copy %next, %y : !loop.buffer<[4194304] x f32> to !loop.buffer<[4194304] x f32>
    loop.yield
  }
}
// CHECK-LABEL: @of_line(

// These stay in the last cache.
loop.kernel @small(%x: !loop.buffer<[1024, 1024] x f32>) -> (%y: !loop.buffer<[1024, 1024] x f32>) {
  loop.nest [%i0 : 1024, %i1 : 1024] {
    %k = loop.index %i0
    %end = loop.index 1023
    %in = loop.compare lt %k, %end : index
    %v = loop.read %x[%i0 + 1, %i1] where %in : f32
    loop.write %v, %y[%i0, %i1] : f32
  }
}
loop.func @of_small(%x: !loop.buffer<[1024, 1024] x f32>) -> (%y: !loop.buffer<[1024, 1024] x f32>) {
  %next = loop.alloc : !loop.buffer<[1024, 1024] x f32>
  loop.copy %x, %y : !loop.buffer<[1024, 1024] x f32> to !loop.buffer<[1024, 1024] x f32>
  %low = loop.index 0
  %high = loop.index 100
  loop.for %i = %low to %high step 1 {
    loop.launch @small <>(%y, %next) : !loop.buffer<[1024, 1024] x f32>, !loop.buffer<[1024, 1024] x f32>
    loop.copy %next, %y : !loop.buffer<[1024, 1024] x f32> to !loop.buffer<[1024, 1024] x f32>
    loop.yield
  }
}
// CHECK-LABEL: @of_small(
// CHECK:         step 1 {
// CHECK-NEXT:      loop.launch @small 

// Two rings of such rows do not fit into the second cache.
loop.kernel @long(%x: !loop.buffer<[64, 262144] x f32>) -> (%y: !loop.buffer<[64, 262144] x f32>) {
  loop.nest [%i0 : 64, %i1 : 262144] {
    %k = loop.index %i0
    %end = loop.index 63
    %in = loop.compare lt %k, %end : index
    %v = loop.read %x[%i0 + 1, %i1] where %in : f32
    loop.write %v, %y[%i0, %i1] : f32
  }
}
loop.func @of_long(%x: !loop.buffer<[64, 262144] x f32>) -> (%y: !loop.buffer<[64, 262144] x f32>) {
  %next = loop.alloc : !loop.buffer<[64, 262144] x f32>
  loop.copy %x, %y : !loop.buffer<[64, 262144] x f32> to !loop.buffer<[64, 262144] x f32>
  %low = loop.index 0
  %high = loop.index 100
  loop.for %i = %low to %high step 1 {
    loop.launch @long <>(%y, %next) : !loop.buffer<[64, 262144] x f32>, !loop.buffer<[64, 262144] x f32>
    loop.copy %next, %y : !loop.buffer<[64, 262144] x f32> to !loop.buffer<[64, 262144] x f32>
    loop.yield
  }
}
// CHECK-LABEL: @of_long(
// CHECK:         step 1 {
// CHECK-NEXT:      loop.launch @long 

// In rows of four vectors, two ask for the borders.
loop.kernel @short(%x: !loop.buffer<[65536, 64] x f32>) -> (%y: !loop.buffer<[65536, 64] x f32>) {
  loop.nest [%i0 : 65536, %i1 : 64] {
    %k = loop.index %i0
    %end = loop.index 65535
    %in = loop.compare lt %k, %end : index
    %v = loop.read %x[%i0 + 1, %i1] where %in : f32
    loop.write %v, %y[%i0, %i1] : f32
  }
}
loop.func @of_short(%x: !loop.buffer<[65536, 64] x f32>) -> (%y: !loop.buffer<[65536, 64] x f32>) {
  %next = loop.alloc : !loop.buffer<[65536, 64] x f32>
  loop.copy %x, %y : !loop.buffer<[65536, 64] x f32> to !loop.buffer<[65536, 64] x f32>
  %low = loop.index 0
  %high = loop.index 100
  loop.for %i = %low to %high step 1 {
    loop.launch @short <>(%y, %next) : !loop.buffer<[65536, 64] x f32>, !loop.buffer<[65536, 64] x f32>
    loop.copy %next, %y : !loop.buffer<[65536, 64] x f32> to !loop.buffer<[65536, 64] x f32>
    loop.yield
  }
}
// CHECK-LABEL: @of_short(
// CHECK:         step 1 {
// CHECK-NEXT:      loop.launch @short 

// To compute an element takes longer than to bring it.
loop.kernel @slow(%x: !loop.buffer<[2048, 2048] x f32>) -> (%y: !loop.buffer<[2048, 2048] x f32>) {
  loop.nest [%i0 : 2048, %i1 : 2048] {
    %k = loop.index %i0
    %end = loop.index 2047
    %in = loop.compare lt %k, %end : index
    %v = loop.read %x[%i0 + 1, %i1] where %in : f32
    %e0 = math.erf %v : f32
    %e1 = math.erf %e0 : f32
    %e2 = math.erf %e1 : f32
    loop.write %e2, %y[%i0, %i1] : f32
  }
}
loop.func @of_slow(%x: !loop.buffer<[2048, 2048] x f32>) -> (%y: !loop.buffer<[2048, 2048] x f32>) {
  %next = loop.alloc : !loop.buffer<[2048, 2048] x f32>
  loop.copy %x, %y : !loop.buffer<[2048, 2048] x f32> to !loop.buffer<[2048, 2048] x f32>
  %low = loop.index 0
  %high = loop.index 100
  loop.for %i = %low to %high step 1 {
    loop.launch @slow <>(%y, %next) : !loop.buffer<[2048, 2048] x f32>, !loop.buffer<[2048, 2048] x f32>
    loop.copy %next, %y : !loop.buffer<[2048, 2048] x f32> to !loop.buffer<[2048, 2048] x f32>
    loop.yield
  }
}
// CHECK-LABEL: @of_slow(
// CHECK:         step 1 {
// CHECK-NEXT:      loop.launch @slow 

// This reads at no constant shift.
loop.kernel @turn(%x: !loop.buffer<[4194304] x f32>) -> (%y: !loop.buffer<[4194304] x f32>) {
  loop.nest [%i : 4194304] {
    %v = loop.read %x[(-1) * %i + 4194303] : f32
    loop.write %v, %y[%i] : f32
  }
}
loop.func @of_turn(%x: !loop.buffer<[4194304] x f32>) -> (%y: !loop.buffer<[4194304] x f32>) {
  %next = loop.alloc : !loop.buffer<[4194304] x f32>
  loop.copy %x, %y : !loop.buffer<[4194304] x f32> to !loop.buffer<[4194304] x f32>
  %low = loop.index 0
  %high = loop.index 100
  loop.for %i = %low to %high step 1 {
    loop.launch @turn <>(%y, %next) : !loop.buffer<[4194304] x f32>, !loop.buffer<[4194304] x f32>
    loop.copy %next, %y : !loop.buffer<[4194304] x f32> to !loop.buffer<[4194304] x f32>
    loop.yield
  }
}
// CHECK-LABEL: @of_turn(
// CHECK:         step 1 {
// CHECK-NEXT:      loop.launch @turn 

// Somebody chose a plan.
loop.kernel @chosen(%x: !loop.buffer<[4194304] x f32>) -> (%y: !loop.buffer<[4194304] x f32>) plan <map> {
  loop.nest [%i : 4194304] {
    %k = loop.index %i
    %end = loop.index 4194303
    %in = loop.compare lt %k, %end : index
    %v = loop.read %x[%i + 1] where %in : f32
    loop.write %v, %y[%i] : f32
  }
}
loop.func @of_chosen(%x: !loop.buffer<[4194304] x f32>) -> (%y: !loop.buffer<[4194304] x f32>) {
  %next = loop.alloc : !loop.buffer<[4194304] x f32>
  loop.copy %x, %y : !loop.buffer<[4194304] x f32> to !loop.buffer<[4194304] x f32>
  %low = loop.index 0
  %high = loop.index 100
  loop.for %i = %low to %high step 1 {
    loop.launch @chosen <>(%y, %next) : !loop.buffer<[4194304] x f32>, !loop.buffer<[4194304] x f32>
    loop.copy %next, %y : !loop.buffer<[4194304] x f32> to !loop.buffer<[4194304] x f32>
    loop.yield
  }
}
// CHECK-LABEL: @of_chosen(
// CHECK:         step 1 {
// CHECK-NEXT:      loop.launch @chosen 

// Another kernel needs each value.
loop.func @observed(%x: !loop.buffer<[2048, 2048] x f32>) -> (%y: !loop.buffer<[2048, 2048] x f32>) {
  %next = loop.alloc : !loop.buffer<[2048, 2048] x f32>
  loop.copy %x, %y : !loop.buffer<[2048, 2048] x f32> to !loop.buffer<[2048, 2048] x f32>
  %low = loop.index 0
  %high = loop.index 100
  loop.for %i = %low to %high step 1 {
    loop.launch @shift <>(%y, %next) : !loop.buffer<[2048, 2048] x f32>, !loop.buffer<[2048, 2048] x f32>
    loop.launch @shift <>(%next, %x) : !loop.buffer<[2048, 2048] x f32>, !loop.buffer<[2048, 2048] x f32>
    loop.copy %next, %y : !loop.buffer<[2048, 2048] x f32> to !loop.buffer<[2048, 2048] x f32>
    loop.yield
  }
}
// CHECK-LABEL: @observed(
// CHECK:         step 1 {
// CHECK-NEXT:      loop.launch @shift 

// What a round leaves is read behind the loop, too, where its buffer would be that of other steps.
loop.func @read_after(%x: !loop.buffer<[2048, 2048] x f32>) -> (%y: !loop.buffer<[2048, 2048] x f32>, %z: !loop.buffer<[2048, 2048] x f32>) {
  %next = loop.alloc : !loop.buffer<[2048, 2048] x f32>
  loop.copy %x, %y : !loop.buffer<[2048, 2048] x f32> to !loop.buffer<[2048, 2048] x f32>
  %low = loop.index 0
  %high = loop.index 101
  loop.for %i = %low to %high step 1 {
    loop.launch @shift <>(%y, %next) : !loop.buffer<[2048, 2048] x f32>, !loop.buffer<[2048, 2048] x f32>
    loop.copy %next, %y : !loop.buffer<[2048, 2048] x f32> to !loop.buffer<[2048, 2048] x f32>
    loop.yield
  }
  loop.copy %next, %z : !loop.buffer<[2048, 2048] x f32> to !loop.buffer<[2048, 2048] x f32>
}
// CHECK-LABEL: @read_after(
// CHECK:         step 1 {
// CHECK-NEXT:      loop.launch @shift 
// CHECK-NOT:     loop.for
