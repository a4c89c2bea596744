"""Stepwell: an array compiler whose IR can be walked down level by level.

The public names; each is fetched from its module when it is first asked for, so that
`import stepwell.runtime` loads no compiler.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stepwell import nested as nested
    from stepwell import nn as nn
    from stepwell import numpy as numpy
    from stepwell import optim as optim
    from stepwell.array import Array as Array
    from stepwell.compiled import Compiled as Compiled
    from stepwell.compiler.tuning.plans import Plans as Plans
    from stepwell.compiling import compile as compile
    from stepwell.compiling import jit as jit
    from stepwell.control import checkpoint as checkpoint
    from stepwell.control import cond as cond
    from stepwell.control import custom_gradient as custom_gradient
    from stepwell.control import scan as scan
    from stepwell.control import stop_gradient as stop_gradient
    from stepwell.control import while_loop as while_loop
    from stepwell.effects import assert_ as assert_
    from stepwell.effects import custom_call as custom_call
    from stepwell.effects import print as print
    from stepwell.placement import device_put as device_put
    from stepwell.runtime.errors import CallError as CallError
    from stepwell.runtime.errors import CompileError as CompileError
    from stepwell.runtime.errors import LoadError as LoadError
    from stepwell.runtime.errors import StepwellError as StepwellError
    from stepwell.runtime.loading import load as load
    from stepwell.specs import Spec as Spec
    from stepwell.specs import spec as spec
    from stepwell.states import State as State
    from stepwell.states import state as state
    from stepwell.transforms import grad as grad
    from stepwell.transforms import jvp as jvp
    from stepwell.transforms import value_and_grad as value_and_grad
    from stepwell.transforms import vjp as vjp
    from stepwell.transforms import vmap as vmap

_HOMES = {
    "array": ("Array",),
    "compiled": ("Compiled",),
    "compiler.tuning.plans": ("Plans",),
    "compiling": ("compile", "jit"),
    "control": ("checkpoint", "cond", "custom_gradient", "scan", "stop_gradient", "while_loop"),
    "effects": ("assert_", "custom_call", "print"),
    "nested": (),
    "nn": (),
    "numpy": (),
    "optim": (),
    "placement": ("device_put",),
    "runtime.errors": ("CallError", "CompileError", "LoadError", "StepwellError"),
    "runtime.loading": ("load",),
    "specs": ("Spec", "spec"),
    "states": ("State", "state"),
    "transforms": ("grad", "jvp", "value_and_grad", "vjp", "vmap"),
}
"""The public names by module; a module without any is public itself."""
_HOME = {name: module for module, names in _HOMES.items() for name in names or (module,)}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        module = _HOME.get(name)
        if module is None:
            raise AttributeError(f"module 'stepwell' has no attribute {name!r}")
        home = import_module(f"stepwell.{module}")
        value = getattr(home, name) if name in _HOMES[module] else home
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *_HOME})
