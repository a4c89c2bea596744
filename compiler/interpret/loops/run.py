"""Entry points of the loop interpreter."""

from collections.abc import Mapping, Sequence

import numpy as np
from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.interpret.loops.nests import NEST_RULES
from stepwell.compiler.interpret.loops.program import Translator
from stepwell.compiler.interpret.loops.values import Value


@np.errstate(all="ignore")
def run_kernel(kernel: KernelOp, buffers: Sequence[Value], sizes: Mapping[str, int]) -> None:
    scope = Translator(NEST_RULES, sizes)
    body = scope.body(kernel.body.block)
    frame = scope.frame()
    for slot, b in zip(body.arguments, buffers, strict=True):
        frame[slot] = b
    body.run(frame)
