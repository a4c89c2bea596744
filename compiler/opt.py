"""`stepwell-opt`: text in, passes, text out; what the files under `filecheck/` drive."""

import argparse
import os
import re
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import IO, ClassVar, final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Dialect
from xdsl.passes import ModulePass, PassPipeline
from xdsl.printer import Printer
from xdsl.universe import Universe
from xdsl.utils.arg_spec import parse_pipeline
from xdsl.utils.exceptions import ArgSpecParseError, DiagnosticException, ParseError
from xdsl.utils.target import Target
from xdsl.xdsl_opt_main import xDSLOptMain

from stepwell.compiler.dialects.llvm import LLVM
from stepwell.compiler.levels import LEVELS, expect_fit, expect_level
from stepwell.compiler.machines import machine_named
from stepwell.compiler.machines.gpu.nvidia import SM_80
from stepwell.compiler.targets.cpu import assembly, host
from stepwell.compiler.targets.gpu.ptx import compile_ptx, take_device
from stepwell.compiler.targets.llvm_text import module_text
from stepwell.runtime import system
from stepwell.runtime.errors import StepwellError

ANCHORED = re.compile(r"^\s*builtin\.module\s*\((.*)\)\s*$", re.DOTALL)
"""A pipeline as MLIR prints it, `builtin.module(simplify,form-kernels)`: ours are of modules."""


@final
@dataclass(frozen=True)
class LlvmText(Target):
    """`-t llvm`: LLVM's own text of a module at the llvm level."""

    name: ClassVar = "llvm"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        expect_level(f"target {self.name}", "llvm", module)
        output.write(module_text(module))


@final
@dataclass(frozen=True)
class Assembly(Target):
    """`-t asm`: assembly for this machine of a module at the llvm level."""

    name: ClassVar = "asm"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        expect_level(f"target {self.name}", "llvm", module)
        output.write(assembly(module_text(module), host()))


@final
@dataclass(frozen=True)
class Ptx(Target):
    """`-t ptx`: for a GPU, the kernels of a module at the llvm level."""

    name: ClassVar = "ptx"
    machine: str = SM_80.name

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        expect_level(f"target {self.name}", "llvm", module)
        if (device := take_device(module)) is not None:
            output.write(compile_ptx(device, machine_named(self.machine)))


@final
class StepwellOpt(xDSLOptMain):
    """xDSL's driver with our llvm dialect and targets, and with MLIR's names for its switches."""

    version_format = "stepwell-opt on xdsl {xdsl_version}"

    def register_all_arguments(self, arg_parser: argparse.ArgumentParser) -> None:
        super().register_all_arguments(arg_parser)
        arg_parser.add_argument(
            "--verify-each",
            action="store_true",
            help="verify after each pass, which is also the default",
        )
        arg_parser.add_argument(
            "--print-ir-after-all", action="store_true", help="print to stderr after each pass"
        )

    def register_all_dialects(self) -> None:
        dialects = Universe.get_multiverse().all_dialects
        for name, factory in {**dialects, "llvm": _llvm}.items():
            self.ctx.register_dialect(name, factory)

    def register_all_targets(self) -> None:
        super().register_all_targets()
        self.available_targets["llvm"] = lambda: LlvmText
        self.available_targets["asm"] = lambda: Assembly
        self.available_targets["ptx"] = lambda: Ptx

    def setup_pipeline(self) -> None:
        """The passes, each of which is shown the module before it runs (SW0221, SW0222, SW0224)."""
        self.args.passes = ANCHORED.sub(r"\1", self.args.passes)
        self._expect_passes()
        super().setup_pipeline()
        after = self.pipeline.callback

        def between(last: ModulePass | None, module: ModuleOp, next: ModulePass | None) -> None:
            if after is not None:
                after(last, module, next)
            if next is not None:
                expect_fit(next.name, module)

        self.pipeline = PassPipeline(self.pipeline.passes, between)

    def _expect_passes(self) -> None:
        text: str = self.args.passes
        try:
            for each in parse_pipeline(text):
                if each.name not in self.available_passes:
                    raise self._no_pass(each.name)
                self.available_passes[each.name]().from_spec(each)
        except (ValueError, ArgSpecParseError) as error:
            first, *lines = str(error).strip().splitlines()
            why = lines.pop().strip() if lines else first
            raise StepwellError(
                "SW0222", f"the passes {text} cannot be read: {why}", details=lines
            ) from None

    def _no_pass(self, name: str) -> StepwellError:
        near = get_close_matches(name, self.available_passes, 1) or [", ".join(LEVELS)]
        hint = f"there is {near[0]}"
        return StepwellError("SW0222", f"there is no pass {name}", hint=hint)

    def get_input_stream(self) -> tuple[IO[bytes], str]:
        """The file whose name was given, whatever it ends with."""
        try:
            stream, ending = super().get_input_stream()
        except OSError as error:
            raise _unreadable(self.get_input_name(), str(error.strerror)) from None
        return stream, ending if ending in self.available_frontends else "mlir"

    def parse_chunk(
        self, chunk: IO[bytes], file_extension: str, start_offset: int = 0
    ) -> ModuleOp | None:
        try:
            return super().parse_chunk(chunk, file_extension, start_offset)
        except UnicodeDecodeError:
            raise _unreadable(self.get_input_name(), "it is not text") from None

    def run(self) -> None:
        """Runs the passes; a file for the text is written whole or not at all (SW0317)."""
        name: str | None = self.args.output_file
        if name is None:
            super().run()
            return
        try:
            with system.whole_file(Path(name)) as file:
                self._output = os.dup(file.fileno())  # xDSL closes what it writes to
                super().run()
        except OSError as error:
            sentence = f"{name} cannot be written: {error.strerror}"
            raise StepwellError("SW0317", sentence) from None

    def prepare_output(self) -> IO[str]:
        if self.args.output_file is None:
            return super().prepare_output()
        return open(self._output, "w", encoding="utf-8")

    def apply_passes(self, prog: ModuleOp) -> None:
        try:
            if not self.args.print_ir_after_all:
                super().apply_passes(prog)
                return
            for each in self.pipeline.passes:
                PassPipeline((each,), self.pipeline.callback).apply(self.ctx, prog)
                print(f"// ----- after {each.name} -----", file=sys.stderr)
                Printer(stream=sys.stderr).print_op(prog)
                print(file=sys.stderr)
        except StepwellError as error:
            if not self.args.verify_diagnostics:
                sys.exit(str(error))
            print(error)


def _llvm() -> Dialect:
    return LLVM


def main() -> None:
    """The command: what is wrong with the text or with the order becomes one message, and 1."""
    try:
        StepwellOpt("Runs passes over the text of Stepwell's levels").run()
    except StepwellError as error:
        sys.exit(str(error))
    except ParseError as error:
        lines = str(error).strip().splitlines()
        sentence = f"the text cannot be read: {lines[-1].strip()}"
        sys.exit(str(StepwellError("SW0225", sentence, details=lines[:-1])))
    except DiagnosticException as error:
        first, *rest = str(error).strip().splitlines() or [type(error).__name__]
        details = [*rest, *_op_in_question(error)]
        sys.exit(str(StepwellError("SW0223", f"the module is wrong: {first}", details=details)))


def _unreadable(file: str, why: str) -> StepwellError:
    return StepwellError("SW0301", f"{file} cannot be read: {why}")


def _op_in_question(error: DiagnosticException) -> list[str]:
    """The line above the caret in the text that xDSL adds to an error."""
    lines = "\n".join(getattr(error, "__notes__", ())).splitlines()
    carets = [at for at, line in enumerate(lines) if line.lstrip().startswith("^^^")]
    return [lines[at - 1].strip() for at in carets[:1] if at]
