// RUN: stepwell-opt %s -p assign-buffers | filecheck %s

loop.kernel @step<M: 0>(%x: !loop.buffer<[M] x f32>) -> (%y: !loop.buffer<[M] x f32>) {
  %m = loop.index M
}

// Of a chain of values two are live at a time. The areas of N and of constants follow one another.
loop.func @chain<N: 0>(%x: !loop.buffer<[16*N] x f32>) -> (%y: !loop.buffer<[16*N] x f32>) {
  %a = loop.alloc : !loop.buffer<[16*N] x f32>
  %b = loop.alloc : !loop.buffer<[16*N] x f32>
  %c = loop.alloc : !loop.buffer<[16*N] x f32>
  loop.launch @step <M = 16*N> (%x, %a) : !loop.buffer<[16*N] x f32>, !loop.buffer<[16*N] x f32>
  loop.launch @step <M = 16*N> (%a, %b) : !loop.buffer<[16*N] x f32>, !loop.buffer<[16*N] x f32>
  loop.launch @step <M = 16*N> (%b, %c) : !loop.buffer<[16*N] x f32>, !loop.buffer<[16*N] x f32>
  loop.launch @step <M = 16*N> (%c, %y) : !loop.buffer<[16*N] x f32>, !loop.buffer<[16*N] x f32>
  %s = loop.alloc : !loop.buffer<[3] x f32>
  loop.launch @step <M = 3> (%s, %s) : !loop.buffer<[3] x f32>, !loop.buffer<[3] x f32>
}
// CHECK:       loop.func @chain<N: 0>(%x: !loop.buffer<[16*N] x f32>) -> (%y: !loop.buffer<[16*N] x f32>, %workspace: !loop.buffer<[128*N + 64] x i8>) attributes {workspace} {
// CHECK-NEXT:    %a = loop.view %workspace[0] : !loop.buffer<[128*N + 64] x i8> to !loop.buffer<[16*N] x f32>
// CHECK-NEXT:    %b = loop.view %workspace[64*N] :
// CHECK-NEXT:    %c = loop.view %workspace[0] :
// CHECK:         %s = loop.view %workspace[128*N] : !loop.buffer<[128*N + 64] x i8> to !loop.buffer<[3] x f32>

// Who launches it lends it an arena: two launches in turn get the same one.
loop.func @twice<K: 0>(%x: !loop.buffer<[32*K] x f32>) -> (%y: !loop.buffer<[32*K] x f32>) {
  loop.launch @chain <N = 2*K> (%x, %y) : !loop.buffer<[32*K] x f32>, !loop.buffer<[32*K] x f32>
  loop.launch @chain <N = 2*K> (%y, %y) : !loop.buffer<[32*K] x f32>, !loop.buffer<[32*K] x f32>
}
// CHECK:       loop.func @twice<K: 0>(%x: !loop.buffer<[32*K] x f32>) -> (%y: !loop.buffer<[32*K] x f32>, %workspace: !loop.buffer<[256*K + 64] x i8>) attributes {workspace} {
// CHECK-NEXT:    [[lent:%\w+]] = loop.view %workspace[0] :
// CHECK-NEXT:    loop.launch @chain <N = 2*K>(%x, %y, [[lent]]) :
// CHECK-NEXT:    [[lent:%\w+]] = loop.view %workspace[0] :
// CHECK-NEXT:    loop.launch @chain <N = 2*K>(%y, %y, [[lent]]) :
