// RUN: stepwell-opt %s -p loop-to-llvm | filecheck %s

// A function's program stands where it is called. What it needs for few numbers only is a function
// of its own, which all its callers share, behind a jump.
loop.kernel @waves() -> (%y: !loop.buffer<[8] x f32>) {
  %zero = loop.index 0
  %x = loop.load %y[%zero] : !loop.buffer<[8] x f32> to vector<8xf32>
  %a = math.sin %x : vector<8xf32>
  %b = math.sin %a : vector<8xf32>
  loop.store %b, %y[%zero] : vector<8xf32> to !loop.buffer<[8] x f32>
}
// CHECK:       llvm.mlir.global internal constant @table.0(
// CHECK:       llvm.func internal @waves(
// CHECK:         [[some:%\d+]] = "llvm.intr.vector.reduce.or"([[far:%\d+]])
// CHECK-NEXT:    llvm.cond_br [[some]], ^bb2, ^bb3
// CHECK-NEXT:  ^bb2:
// CHECK-NEXT:    [[slow:%\d+]] = llvm.call @sin.rare1.1([[x:%\d+]]) : (vector<8xf32>) -> vector<8xf32>
// CHECK-NEXT:    [[value:%\d+]] = llvm.select [[far]], [[slow]], [[usual:%\d+]] : vector<8xi1>, vector<8xf32>
// CHECK-NEXT:    llvm.br ^bb4([[value]] : vector<8xf32>)
// CHECK-NEXT:  ^bb3:
// CHECK-NEXT:    llvm.br ^bb4([[usual]] : vector<8xf32>)
// CHECK:         llvm.call @sin.rare1.1(%
// CHECK:       llvm.func internal @sin.rare1.1(%{{\d+}}: vector<8xf32>) -> vector<8xf32> attributes {passthrough = ["cold", "noinline"]
// CHECK-NOT:   llvm.func
