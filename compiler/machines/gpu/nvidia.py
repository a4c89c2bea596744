"""The NVIDIA GPUs: compute capabilities from 8.0 upwards, by LLVM's names."""

from dataclasses import replace

from stepwell.compiler.machines.machine import Machine

NVPTX = "nvptx64"

SM_80 = Machine(
    name="sm_80",
    architecture=NVPTX,
    cpu="sm_80",
    features=("ptx70",),
    vector_bytes=16,
    vector_registers=63,
    l1=99 << 10,
    l2=40 << 20,
    l3=40 << 20,
    l1_ways=1,
)
"""The least we compile for. (A100) A thread has the registers; `l1` is what a block may share on
all cards that run this: 163 KiB on an A100, 99 on 8.6 and 8.9."""

SM_90A = replace(
    SM_80, name="sm_90a", cpu="sm_90a", features=("ptx80",), l1=227 << 10, l2=50 << 20, l3=50 << 20
)
"""With instructions of its own, which later ones do not have. (H100, H200)"""

GPUS = {machine.name: machine for machine in (SM_80, SM_90A)}
"""Each with more than those before it, by name."""
