"""Functions translated once into steps: closures over the slots of a frame, one for each op."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from stepwell.compiler.dialects.construct import operands_of
from stepwell.compiler.dialects.loop.host import ConditionOp, FuncOp
from stepwell.compiler.dialects.loop.nests import KernelOp, YieldOp
from stepwell.compiler.dialects.loop.types import Affine
from stepwell.compiler.interpret.loops.machine import Machine
from stepwell.compiler.interpret.loops.places import refuse, text
from stepwell.compiler.interpret.loops.scalars import function_of
from stepwell.compiler.interpret.loops.values import Value
from stepwell.runtime.sizes import Size
from xdsl.ir import Block, Operation, SSAValue

