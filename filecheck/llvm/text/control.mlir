// RUN: stepwell-opt %s -t llvm | filecheck %s

// A block's arguments become phi nodes, and two edges from one block to another get one each.
llvm.func @loop(%n: i64, %c: i1) -> i64 {
  %zero = llvm.mlir.constant(0) : i64
  %one = llvm.mlir.constant(1) : i64
  llvm.br ^bb1(%zero : i64)
^bb1(%i: i64):
  %next = llvm.add %i, %one : i64
  %more = llvm.icmp "slt" %next, %n : i64
  llvm.cond_br %more, ^bb1(%next : i64), ^bb2
^bb2:
  llvm.cond_br %c, ^bb3(%i : i64), ^bb3(%n : i64)
^bb3(%r: i64):
  llvm.cond_br %c, ^bb4, ^bb5
^bb4:
  llvm.return %r : i64
^bb5:
  llvm.unreachable
}
// CHECK:      define dso_local i64 @loop(i64 %n.0, i1 %c.1)
// CHECK-NEXT: bb0:
// CHECK-NEXT:   br label %bb1
// CHECK-NEXT: bb1:
// CHECK-NEXT:   %i.4 = phi i64 [ 0, %bb0 ], [ %next.5, %bb1 ]
// CHECK-NEXT:   %next.5 = add i64 %i.4, 1
// CHECK-NEXT:   %more.6 = icmp slt i64 %next.5, %n.0
// CHECK-NEXT:   br i1 %more.6, label %bb1, label %bb2
// CHECK-NEXT: bb2:
// CHECK-NEXT:   br i1 %c.1, label %bb3, label %bb2.bb3.0
// CHECK-NEXT: bb3:
// CHECK-NEXT:   %r.7 = phi i64 [ %i.4, %bb2 ], [ %n.0, %bb2.bb3.0 ]
// CHECK-NEXT:   br i1 %c.1, label %bb4, label %bb5
// CHECK-NEXT: bb4:
// CHECK-NEXT:   ret i64 %r.7
// CHECK-NEXT: bb5:
// CHECK-NEXT:   unreachable
// CHECK-NEXT: bb2.bb3.0:
// CHECK-NEXT:   br label %bb3

// Calls by name and through a pointer, of intrinsics, and of what is only declared.
llvm.func @elsewhere(!llvm.ptr, i32) -> i32
// CHECK: declare i32 @elsewhere(ptr, i32) nounwind

llvm.func @calls(%f: !llvm.ptr, %x: i32) -> i32 {
  %0 = llvm.call @elsewhere(%f, %x) : (!llvm.ptr, i32) -> i32
  %1 = llvm.call %f(%0) : !llvm.ptr, (i32) -> i32
  llvm.call %f(%1) : !llvm.ptr, (i32) -> ()
  "llvm.call_intrinsic"() <{intrin = "llvm.x86.sse2.pause", fastmathFlags = #llvm.fastmath<none>, op_bundle_sizes = array<i32>, operandSegmentSizes = array<i32: 0, 0>}> : () -> ()
  llvm.return %1 : i32
}
// CHECK:      [[a:%\d+]] = call i32 @elsewhere(ptr %f.{{\d+}}, i32 %x.{{\d+}})
// CHECK-NEXT: [[b:%\d+]] = call i32 %f.{{\d+}}(i32 [[a]])
// CHECK-NEXT: call void %f.{{\d+}}(i32 [[b]])
// CHECK-NEXT: call void @llvm.x86.sse2.pause()
