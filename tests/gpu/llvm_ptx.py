"""Kernels in LLVM's language as PTX, by LLVM's NVPTX target."""

from functools import cache
from pathlib import Path

from llvmlite import binding

KERNELS = Path(__file__).parent / "kernels"
TRIPLE = "nvptx64-nvidia-cuda"


@cache
def ptx_of(name: str, processor: str = "sm_80", version: str = "+ptx80") -> str:
    """The PTX of `kernels/NAME.ll`, optimized."""
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    target = binding.Target.from_triple(TRIPLE)
    machine = target.create_target_machine(cpu=processor, features=version, opt=3)
    module = binding.parse_assembly((KERNELS / f"{name}.ll").read_text())
    module.triple, module.data_layout = TRIPLE, str(machine.target_data)
    module.verify()
    tuning = binding.create_pipeline_tuning_options(speed_level=3)
    builder = binding.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    return machine.emit_assembly(module)
