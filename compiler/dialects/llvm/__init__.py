"""The dialect `llvm`: xDSL's ops and types, and what MLIR has and xDSL lacks, by MLIR's names."""

from xdsl.dialects import llvm as upstream
from xdsl.ir import Dialect

from stepwell.compiler.dialects.llvm.instructions import INSTRUCTION_OPS
from stepwell.compiler.dialects.llvm.intrinsics import INTRINSICS
from stepwell.compiler.dialects.llvm.memory import MEMORY_OPS

OURS = (*INSTRUCTION_OPS, *INTRINSICS.values(), *MEMORY_OPS)
"""The ops defined here; some of them replace upstream's, as `test_llvm_dialect.py` lists."""

_names = {op.name for op in OURS}

LLVM = Dialect(
    "llvm",
    [*(op for op in upstream.LLVM.operations if op.name not in _names), *OURS],
    list(upstream.LLVM.attributes),
)
