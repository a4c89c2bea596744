; y = softmax of each row of x; a warp has a row, and its sums go from lane to lane.
define ptx_kernel void @softmax(ptr addrspace(1) readonly %x, ptr addrspace(1) %y, i32 %n) #0 {
entry:
  %lane = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %row = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %start = mul i32 %row, %n
  br label %max.loop

max.loop:
  %i = phi i32 [ %lane, %entry ], [ %i.next, %max.body ]
  %max = phi float [ 0xFFF0000000000000, %entry ], [ %max.next, %max.body ]
  %i.inside = icmp slt i32 %i, %n
  br i1 %i.inside, label %max.body, label %max.done

max.body:
  %i.at = add i32 %start, %i
  %i.p = getelementptr float, ptr addrspace(1) %x, i32 %i.at
  %i.v = load float, ptr addrspace(1) %i.p
  %max.next = call float @llvm.maximum.f32(float %max, float %i.v)
  %i.next = add i32 %i, 32
  br label %max.loop

max.done:
  %m0 = call float @across.max(float %max, i32 16)
  %m1 = call float @across.max(float %m0, i32 8)
  %m2 = call float @across.max(float %m1, i32 4)
  %m3 = call float @across.max(float %m2, i32 2)
  %m4 = call float @across.max(float %m3, i32 1)
  br label %sum.loop

sum.loop:
  %j = phi i32 [ %lane, %max.done ], [ %j.next, %sum.body ]
  %sum = phi float [ 0.0, %max.done ], [ %sum.next, %sum.body ]
  %j.inside = icmp slt i32 %j, %n
  br i1 %j.inside, label %sum.body, label %sum.done

sum.body:
  %j.at = add i32 %start, %j
  %j.e = call float @exponential(ptr addrspace(1) %x, i32 %j.at, float %m4)
  %sum.next = fadd float %sum, %j.e
  %j.next = add i32 %j, 32
  br label %sum.loop

sum.done:
  %s0 = call float @across.sum(float %sum, i32 16)
  %s1 = call float @across.sum(float %s0, i32 8)
  %s2 = call float @across.sum(float %s1, i32 4)
  %s3 = call float @across.sum(float %s2, i32 2)
  %s4 = call float @across.sum(float %s3, i32 1)
  br label %out.loop

out.loop:
  %k = phi i32 [ %lane, %sum.done ], [ %k.next, %out.body ]
  %k.inside = icmp slt i32 %k, %n
  br i1 %k.inside, label %out.body, label %exit

out.body:
  %k.at = add i32 %start, %k
  %k.e = call float @exponential(ptr addrspace(1) %x, i32 %k.at, float %m4)
  %k.v = fdiv float %k.e, %s4
  %k.p = getelementptr float, ptr addrspace(1) %y, i32 %k.at
  store float %k.v, ptr addrspace(1) %k.p
  %k.next = add i32 %k, 32
  br label %out.loop

exit:
  ret void
}

define internal float @exponential(ptr addrspace(1) %x, i32 %at, float %max) noinline {
  %p = getelementptr float, ptr addrspace(1) %x, i32 %at
  %v = load float, ptr addrspace(1) %p
  %d = fsub float %v, %max
  %scaled = fmul float %d, 0x3FF7154760000000
  %e = call float @llvm.nvvm.ex2.approx.f(float %scaled)
  ret float %e
}

define internal float @across.max(float %x, i32 %by) alwaysinline {
  %other = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %x, i32 %by, i32 31)
  %max = call float @llvm.maximum.f32(float %x, float %other)
  ret float %max
}

define internal float @across.sum(float %x, i32 %by) alwaysinline {
  %other = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %x, i32 %by, i32 31)
  %sum = fadd float %x, %other
  ret float %sum
}

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare float @llvm.nvvm.shfl.sync.bfly.f32(i32, float, i32, i32)
declare float @llvm.nvvm.ex2.approx.f(float)
declare float @llvm.maximum.f32(float, float)

attributes #0 = { "nvvm.reqntid"="32,1,1" }
