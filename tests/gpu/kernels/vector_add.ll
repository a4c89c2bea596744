; z = x + y, sixteen bytes for each thread.
define ptx_kernel void @vector_add(ptr addrspace(1) readonly align 16 %x, ptr addrspace(1) readonly align 16 %y, ptr addrspace(1) align 16 %z, i32 %n) #0 {
  %thread = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %block = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %width = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  %start = mul i32 %block, %width
  %i = add i32 %start, %thread
  %inside = icmp slt i32 %i, %n
  br i1 %inside, label %body, label %exit

body:
  %at = zext i32 %i to i64
  %px = getelementptr <4 x float>, ptr addrspace(1) %x, i64 %at
  %py = getelementptr <4 x float>, ptr addrspace(1) %y, i64 %at
  %pz = getelementptr <4 x float>, ptr addrspace(1) %z, i64 %at
  %vx = load <4 x float>, ptr addrspace(1) %px, align 16, !invariant.load !0
  %vy = load <4 x float>, ptr addrspace(1) %py, align 16, !invariant.load !0
  %vz = fadd <4 x float> %vx, %vy
  store <4 x float> %vz, ptr addrspace(1) %pz, align 16
  br label %exit

exit:
  ret void
}

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()

attributes #0 = { "nvvm.maxntid"="256,1,1" }
!0 = !{}
