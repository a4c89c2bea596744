"""`stepwell-opt`: text in, passes, text out; what the files under `filecheck/` drive."""

import argparse
import sys
from dataclasses import dataclass
from typing import IO, ClassVar, final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Dialect
from xdsl.passes import PassPipeline
from xdsl.printer import Printer
from xdsl.universe import Universe
from xdsl.utils.target import Target
from xdsl.xdsl_opt_main import xDSLOptMain

from stepwell.compiler.dialects.llvm import LLVM
from stepwell.compiler.targets.cpu import assembly, host
from stepwell.compiler.targets.llvm_text import module_text
from stepwell.runtime.errors import StepwellError


@final
@dataclass(frozen=True)
class LlvmText(Target):
    """`-t llvm`: LLVM's own text of a module at the llvm level."""

    name: ClassVar = "llvm"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        output.write(module_text(module))


@final
@dataclass(frozen=True)
class Assembly(Target):
    """`-t asm`: assembly for this machine of a module at the llvm level."""

    name: ClassVar = "asm"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        output.write(assembly(module_text(module), host()))


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
    """The command."""
    StepwellOpt("Runs passes over the text of Stepwell's levels").run()
