"""Entry points of the loop interpreter: one kernel, or a function of a module."""

from collections.abc import Mapping, Sequence

import numpy as np
from xdsl.ir import Operation

from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.interpret.loops.explicit import EXPLICIT_RULES
from stepwell.compiler.interpret.loops.host import HOST_RULES
from stepwell.compiler.interpret.loops.machine import Machine
from stepwell.compiler.interpret.loops.nests import NEST_RULES
from stepwell.compiler.interpret.loops.translator import Custom, Host, Outside
from stepwell.compiler.interpret.loops.values import Value

RULES = {**NEST_RULES, **EXPLICIT_RULES, **HOST_RULES}


def run_kernel(
    kernel: KernelOp,
    buffers: Sequence[Value],
    sizes: Mapping[str, int],
    *,
    count_writes: bool = False,
    seed: int = 0,
) -> None:
    """Runs a kernel, as nests or expanded, on its arguments in order: the last ones are written.

    `sizes` binds its symbols. `count_writes` checks that its nests write each element exactly once;
    `seed` shuffles the iterations of `loop.parallel`. Raises StepwellError for an access out of
    range and for buffers or sizes that do not fit.
    """
    root = kernel.get_toplevel_object()
    assert isinstance(root, Operation)
    name = kernel.sym_name.data
    run_function(root, name, buffers, sizes, count_writes=count_writes, seed=seed)


@np.errstate(all="ignore")
def run_function(
    module: Operation,
    name: str,
    arrays: Sequence[Value],
    sizes: Mapping[str, int],
    host: Host | None = None,
    *,
    custom: Mapping[str, Custom] | None = None,
    count_writes: bool = False,
    seed: int = 0,
) -> None:
    """Runs a kernel or a function of a module, and what it launches, as `run_kernel` does.

    `host` is called for ordered effects; `custom` has a Python function for each C symbol. Raises
    SiteError when an assertion does not hold.
    """
    random = np.random.default_rng(seed)
    outside = Outside(host or _ignore, custom or {}, random, count_writes)
    signless = [each.view(np.uint8) if each.dtype == np.int8 else each for each in arrays]
    Machine(RULES, module, outside).link(name, sizes)(signless)


def _ignore(site: int, buffers: Sequence[Value]) -> None:
    """The host of programs whose effects nobody asked for."""
