"""From LLVM IR text to machine code for a CPU: relocatable objects that call nothing.

What LLVM turns into library calls, and who avoids it: `fptrunc` to bf16 and from f64 to f16
(`truncate_float`), arithmetic on bf16 (done in f32), `frem` and the transcendental intrinsics
(polynomials of ours), `llvm.fma` without FMA (x86-64-v3 has it), division of i128 (not used),
memcpy and memset (not used, and `no-builtins` keeps LLVM from finding them in loops). Should one
come through, the object has an undefined symbol and is refused by its name.
"""

from collections.abc import Mapping
from functools import cache

from llvmlite import binding

from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.targets.cpu_limits import refuse_what_is_fatal
from stepwell.compiler.targets.host import host
from stepwell.runtime import elf, system
from stepwell.runtime.errors import CompileError, LoadError

__all__ = ["assembly", "compile_object", "host"]

TRIPLES: Mapping[str, str] = {
    "x86_64": "x86_64-unknown-linux-gnu",
    "aarch64": "aarch64-unknown-linux-gnu",
    "nvptx64": "nvptx64-nvidia-cuda",
}
"""Of Linux, since that is the most trodden path; code that calls nothing runs on any system."""

BEST = 3

LLVM = system.fork_safe_lock()
"""llvmlite has a lock of its own, which a child that is forked meanwhile would wait for in vain."""


def compile_object(text: str, machine: Machine, *, effort: int = BEST) -> bytes:
    """The ELF relocatable object of a module of LLVM IR: the same bytes for the same arguments.

    `effort` is LLVM's level of code generation; 0, which keeps no value in a register from one
    instruction to the next, takes a fifth of the time.
    Raises CompileError: SW0253 if LLVM does not take the text, SW0254 if the machine lacks an
    instruction it asks for by name, SW0255 if our loader would refuse the object: most often
    because it needs a library.
    """
    with LLVM:
        code = _emitted(text, machine, effort)
    try:
        elf.parse(code, "the compiled code", machine.architecture)
    except LoadError as error:
        hint = next((hint for name, hint in HINTS.items() if name in error.sentence), None)
        raise CompileError("SW0255", error.sentence, hint=hint) from None
    return code


def assembly(text: str, machine: Machine) -> str:
    """The same module as assembly, for people."""
    with LLVM:
        target = _target_machine(machine)
        return target.emit_assembly(_optimized(text, machine, target))


HINTS: Mapping[str, str] = {
    "__truncsfbf2": "round to bf16 with LlvmBuilder.truncate_float, and compute in f32",
    "__truncdfbf2": "round to bf16 with LlvmBuilder.truncate_float",
    "__truncdfhf2": "round to f16 with LlvmBuilder.truncate_float",
    "fmod": "LLVM's frem is a call: write the remainder with floor and fma",
    "fma": "the machine has no fused multiply-add",
}
"""By a part of the name of what is missing: `fmod` stands in `fmodf`, too."""


def _emitted(text: str, machine: Machine, effort: int) -> bytes:
    """What it makes of LLVM's goes when it returns, while the caller still has the lock."""
    target = _target_machine(machine, effort)
    return target.emit_object(_optimized(text, machine, target))


def _optimized(text: str, machine: Machine, target: binding.TargetMachine) -> binding.ModuleRef:
    refuse_what_is_fatal(text, machine)
    try:
        module = binding.parse_assembly(text)
        # The code generator trusts what it is given: what does not verify may end the process.
        module.verify()
    except RuntimeError as error:
        raise CompileError(
            "SW0253", "LLVM does not take the code", details=str(error).splitlines()
        ) from None
    module.triple = TRIPLES[machine.architecture]
    module.data_layout = str(target.target_data)
    # Loops come tiled, unrolled and in vectors from the loop level: O3 gives the same speed in 2.5
    # times the time.
    passes = binding.create_new_module_pass_manager()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    passes.run(module, _pass_builder(machine))
    return module


@cache
def _target_machine(machine: Machine, effort: int = BEST) -> binding.TargetMachine:
    _initialize()
    triple = TRIPLES[machine.architecture]
    return binding.Target.from_triple(triple).create_target_machine(
        cpu=machine.cpu,
        features=",".join(f"+{feature}" for feature in machine.features),
        opt=effort,
        reloc="pic",
        codemodel="small",
    )


@cache
def _pass_builder(machine: Machine) -> binding.PassBuilder:
    options = binding.create_pipeline_tuning_options(speed_level=2)
    return binding.create_pass_builder(_target_machine(machine), options)


@cache
def _initialize() -> None:
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
