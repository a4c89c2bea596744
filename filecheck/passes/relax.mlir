// RUN: stepwell-opt %s -p relax | filecheck %s
// RUN: stepwell-opt %s -p relax,choose-plans,expand-plans,loop-to-llvm | filecheck %s --check-prefix=LLVM

// What a fast kernel computes may be rearranged.
loop.kernel @free(%x: !loop.buffer<[8] x f32>, %y: !loop.buffer<[8] x f32>) -> (%r: !loop.buffer<[8] x f32>) attributes {numerics = "fast"} {
  loop.nest [%i : 8] {
    %a = loop.read %x[%i] : f32
    %b = loop.read %y[%i] : f32
    %product = arith.mulf %a, %b : f32
    %sum = arith.addf %product, %a : f32
    %difference = arith.subf %sum, %b : f32
    %quotient = arith.divf %difference, %b : f32
    %least = arith.minimumf %quotient, %a : f32
    %root = math.sqrt %least : f32
    loop.write %root, %r[%i] : f32
  }
}
// CHECK-LABEL: loop.kernel @free
// CHECK:         arith.mulf %a, %b fastmath<reassoc,nsz,arcp,contract> : f32
// CHECK-NEXT:    arith.addf %product, %a fastmath<reassoc,nsz,arcp,contract> : f32
// CHECK-NEXT:    arith.subf %sum, %b fastmath<reassoc,nsz,arcp,contract> : f32
// CHECK-NEXT:    arith.divf %difference, %b fastmath<reassoc,nsz,arcp,contract,afn> : f32
// CHECK-NEXT:    arith.minimumf %quotient, %a : f32
// CHECK-NEXT:    math.sqrt %least fastmath<afn> : f32

// LLVM-LABEL: llvm.func internal @free
// LLVM:         llvm.fmul %{{.*}}, %{{.*}} {fastmathFlags = #llvm.fastmath<reassoc,nsz,arcp,contract>} : vector<8xf32>
// LLVM:         llvm.fadd %{{.*}}, %{{.*}} {fastmathFlags = #llvm.fastmath<reassoc,nsz,arcp,contract>} : vector<8xf32>
// LLVM:         llvm.fsub %{{.*}}, %{{.*}} {fastmathFlags = #llvm.fastmath<reassoc,nsz,arcp,contract>} : vector<8xf32>
// LLVM:         llvm.fdiv %{{.*}}, %{{.*}} {fastmathFlags = #llvm.fastmath<reassoc,nsz,arcp,contract,afn>} : vector<8xf32>
// LLVM:         llvm.intr.sqrt(%{{.*}}) {fastmathFlags = #llvm.fastmath<afn>} : (vector<8xf32>) -> vector<8xf32>

// A sum of products takes them as they are.
loop.kernel @summed(%x: !loop.buffer<[8] x f32>) -> (%r: !loop.buffer<[] x f32>) attributes {numerics = "fast"} {
  loop.nest [] {
    %sum = loop.fold add <lanes, 4096> [%k : 8] {
      %a = loop.read %x[%k] : f32
      %square = arith.mulf %a, %a : f32
      loop.yield %square : f32
    } : f32
    loop.write %sum, %r[] : f32
  }
}

// LLVM-LABEL: llvm.func internal @summed
// LLVM:         [[square:%\d+]] = llvm.fmul %{{.*}} {fastmathFlags = #llvm.fastmath<reassoc,nsz,arcp,contract>} : f32
// LLVM:         llvm.fadd %{{.*}}, [[square]] {fastmathFlags = #llvm.fastmath<reassoc,nsz,arcp,contract>} : f32

// What a strict one computes may not.
loop.kernel @strict(%x: !loop.buffer<[8] x f32>) -> (%r: !loop.buffer<[8] x f32>) {
  loop.nest [%i : 8] {
    %a = loop.read %x[%i] : f32
    %square = arith.mulf %a, %a : f32
    loop.write %square, %r[%i] : f32
  }
}
// CHECK-LABEL: loop.kernel @strict
// CHECK:         arith.mulf %a, %a : f32
// LLVM-LABEL: llvm.func internal @strict
// LLVM:         llvm.fmul %{{.*}}, %{{.*}} : vector<8xf32>
