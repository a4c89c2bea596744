; c = a b' of 16 x k and 8 x k, bf16 summed in f32: a warp, a tile of 16 positions of k at a time. While
; one tile is multiplied the next is on its way: two stages of 24 rows of 32 bytes in dynamic memory.
@stages = external addrspace(3) global [0 x i8], align 128

define ptx_kernel void @tensor_cores(ptr addrspace(1) readonly %a, ptr addrspace(1) readonly %b, ptr addrspace(1) %c, i32 %k) #0 {
entry:
  %lane = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %row.bytes = mul i32 %k, 2
  %half = and i32 %lane, 1
  %half.bytes = mul i32 %half, 16
  %copy.row = lshr i32 %lane, 1
  %a.row = mul i32 %copy.row, %row.bytes
  %a.at = add i32 %a.row, %half.bytes
  %a.p = getelementptr i8, ptr addrspace(1) %a, i32 %a.at
  %own = mul i32 %copy.row, 32
  %a.own = add i32 %own, %half.bytes
  %b.copy.row = and i32 %copy.row, 7
  %b.row = mul i32 %b.copy.row, %row.bytes
  %b.at = add i32 %b.row, %half.bytes
  %b.p = getelementptr i8, ptr addrspace(1) %b, i32 %b.at
  %b.row.own = mul i32 %b.copy.row, 32
  %b.half.own = add i32 %b.row.own, %half.bytes
  %b.own = add i32 %b.half.own, 512
  %copies.b = icmp slt i32 %lane, 16
  %a.group = and i32 %lane, 15
  %a.group.row = mul i32 %a.group, 32
  %a.side = lshr i32 %lane, 4
  %a.side.bytes = mul i32 %a.side, 16
  %a.load = add i32 %a.group.row, %a.side.bytes
  %b.group = and i32 %lane, 7
  %b.group.row = mul i32 %b.group, 32
  %b.side = lshr i32 %lane, 3
  %b.side.low = and i32 %b.side, 1
  %b.side.bytes = mul i32 %b.side.low, 16
  %b.side.row = add i32 %b.group.row, %b.side.bytes
  %b.load = add i32 %b.side.row, 512
  call void @begin(ptr addrspace(1) %a.p, i32 %a.own, ptr addrspace(1) %b.p, i32 %b.own, i1 %copies.b)
  br label %loop

loop:
  %at = phi i32 [ 0, %entry ], [ %at.next, %loop.end ]
  %stage = phi i32 [ 0, %entry ], [ %stage.next, %loop.end ]
  %c0 = phi float [ 0.0, %entry ], [ %d0, %loop.end ]
  %c1 = phi float [ 0.0, %entry ], [ %d1, %loop.end ]
  %c2 = phi float [ 0.0, %entry ], [ %d2, %loop.end ]
  %c3 = phi float [ 0.0, %entry ], [ %d3, %loop.end ]
  %at.next = add i32 %at, 16
  %stage.next = sub i32 768, %stage
  %more = icmp slt i32 %at.next, %k
  br i1 %more, label %ahead, label %last

ahead:
  %bytes = mul i32 %at.next, 2
  %a.next = getelementptr i8, ptr addrspace(1) %a.p, i32 %bytes
  %b.next = getelementptr i8, ptr addrspace(1) %b.p, i32 %bytes
  %a.to = add i32 %a.own, %stage.next
  %b.to = add i32 %b.own, %stage.next
  call void @begin(ptr addrspace(1) %a.next, i32 %a.to, ptr addrspace(1) %b.next, i32 %b.to, i1 %copies.b)
  call void @llvm.nvvm.cp.async.wait.group(i32 1)
  br label %multiply

last:
  call void @llvm.nvvm.cp.async.wait.group(i32 0)
  br label %multiply

multiply:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %a.from = add i32 %a.load, %stage
  %b.from = add i32 %b.load, %stage
  %a.tile = getelementptr i8, ptr addrspace(3) @stages, i32 %a.from
  %b.tile = getelementptr i8, ptr addrspace(3) @stages, i32 %b.from
  %left = call { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3) %a.tile)
  %right = call { i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.b16.p3(ptr addrspace(3) %b.tile)
  %a0 = extractvalue { i32, i32, i32, i32 } %left, 0
  %a1 = extractvalue { i32, i32, i32, i32 } %left, 1
  %a2 = extractvalue { i32, i32, i32, i32 } %left, 2
  %a3 = extractvalue { i32, i32, i32, i32 } %left, 3
  %b0 = extractvalue { i32, i32 } %right, 0
  %b1 = extractvalue { i32, i32 } %right, 1
  %d = call { float, float, float, float } @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a0, i32 %a1, i32 %a2, i32 %a3, i32 %b0, i32 %b1, float %c0, float %c1, float %c2, float %c3)
  %d0 = extractvalue { float, float, float, float } %d, 0
  %d1 = extractvalue { float, float, float, float } %d, 1
  %d2 = extractvalue { float, float, float, float } %d, 2
  %d3 = extractvalue { float, float, float, float } %d, 3
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br label %loop.end

loop.end:
  br i1 %more, label %loop, label %done

done:
  %group = lshr i32 %lane, 2
  %place = and i32 %lane, 3
  %c.row = mul i32 %group, 8
  %c.column = mul i32 %place, 2
  %c.at = add i32 %c.row, %c.column
  %c.p = getelementptr float, ptr addrspace(1) %c, i32 %c.at
  %c.q = getelementptr float, ptr addrspace(1) %c.p, i32 64
  %v0 = insertelement <2 x float> undef, float %d0, i32 0
  %v1 = insertelement <2 x float> %v0, float %d1, i32 1
  %w0 = insertelement <2 x float> undef, float %d2, i32 0
  %w1 = insertelement <2 x float> %w0, float %d3, i32 1
  store <2 x float> %v1, ptr addrspace(1) %c.p, align 8
  store <2 x float> %w1, ptr addrspace(1) %c.q, align 8
  ret void
}

define internal void @begin(ptr addrspace(1) %a, i32 %a.to, ptr addrspace(1) %b, i32 %b.to, i1 %copies.b) alwaysinline {
  %a.place = getelementptr i8, ptr addrspace(3) @stages, i32 %a.to
  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %a.place, ptr addrspace(1) %a)
  br i1 %copies.b, label %both, label %end

both:
  %b.place = getelementptr i8, ptr addrspace(3) @stages, i32 %b.to
  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %b.place, ptr addrspace(1) %b)
  br label %end

end:
  call void @llvm.nvvm.cp.async.commit.group()
  ret void
}

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3))
declare { i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.b16.p3(ptr addrspace(3))
declare { float, float, float, float } @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32, i32, i32, i32, i32, i32, float, float, float, float)
declare void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3), ptr addrspace(1))
declare void @llvm.nvvm.cp.async.commit.group()
declare void @llvm.nvvm.cp.async.wait.group(i32)

attributes #0 = { "nvvm.reqntid"="32,1,1" }
