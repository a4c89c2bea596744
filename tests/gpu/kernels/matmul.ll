; c = a b of n x n, by tiles of 16 x 16 in shared memory; a thread has an element.
@left = internal addrspace(3) global [16 x [16 x float]] undef, align 16
@right = internal addrspace(3) global [16 x [16 x float]] undef, align 16

define ptx_kernel void @matmul(ptr addrspace(1) readonly %a, ptr addrspace(1) readonly %b, ptr addrspace(1) %c, i32 %n) #0 {
entry:
  %x = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %y = call i32 @llvm.nvvm.read.ptx.sreg.tid.y()
  %bx = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %by = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()
  %column.start = mul i32 %bx, 16
  %row.start = mul i32 %by, 16
  %column = add i32 %column.start, %x
  %row = add i32 %row.start, %y
  %row.at = mul i32 %row, %n
  %left.own = getelementptr [16 x [16 x float]], ptr addrspace(3) @left, i32 0, i32 %y, i32 %x
  %right.own = getelementptr [16 x [16 x float]], ptr addrspace(3) @right, i32 0, i32 %y, i32 %x
  br label %tiles

tiles:
  %k = phi i32 [ 0, %entry ], [ %k.next, %inner.done ]
  %sum = phi float [ 0.0, %entry ], [ %inner.next, %inner.done ]
  %a.column = add i32 %k, %x
  %a.at = add i32 %row.at, %a.column
  %a.p = getelementptr float, ptr addrspace(1) %a, i32 %a.at
  %a.v = load float, ptr addrspace(1) %a.p
  store float %a.v, ptr addrspace(3) %left.own
  %b.row = add i32 %k, %y
  %b.row.at = mul i32 %b.row, %n
  %b.at = add i32 %b.row.at, %column
  %b.p = getelementptr float, ptr addrspace(1) %b, i32 %b.at
  %b.v = load float, ptr addrspace(1) %b.p
  store float %b.v, ptr addrspace(3) %right.own
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br label %inner

inner:
  %i = phi i32 [ 0, %tiles ], [ %i.next, %inner ]
  %inner.sum = phi float [ %sum, %tiles ], [ %inner.next, %inner ]
  %l.p = getelementptr [16 x [16 x float]], ptr addrspace(3) @left, i32 0, i32 %y, i32 %i
  %l.v = load float, ptr addrspace(3) %l.p
  %r.p = getelementptr [16 x [16 x float]], ptr addrspace(3) @right, i32 0, i32 %i, i32 %x
  %r.v = load float, ptr addrspace(3) %r.p
  %inner.next = call float @llvm.fma.f32(float %l.v, float %r.v, float %inner.sum)
  %i.next = add i32 %i, 1
  %i.last = icmp eq i32 %i.next, 16
  br i1 %i.last, label %inner.done, label %inner

inner.done:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %k.next = add i32 %k, 16
  %k.inside = icmp slt i32 %k.next, %n
  br i1 %k.inside, label %tiles, label %done

done:
  %c.at = add i32 %row.at, %column
  %c.p = getelementptr float, ptr addrspace(1) %c, i32 %c.at
  store float %inner.next, ptr addrspace(1) %c.p
  ret void
}

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.tid.y()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare float @llvm.fma.f32(float, float, float)

attributes #0 = { "nvvm.maxntid"="16,16,1" }
