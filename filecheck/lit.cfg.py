"""How lit runs the files of this folder: as shell lines, with the commands of this environment."""

import os
import sys
from pathlib import Path

import lit.formats
from lit.TestingConfig import TestingConfig

# lit runs this file with `config` among its globals.
config: TestingConfig = globals()["config"]
config.name = "stepwell"
config.test_format = lit.formats.ShTest(execute_external=False)
config.test_source_root = str(Path(__file__).parent)
config.test_exec_root = str(Path(__file__).parent.parent / "build" / "filecheck")
config.suffixes = [".mlir"]

# `stepwell-opt` and `filecheck` stand beside the Python that runs lit.
path = [str(Path(sys.executable).parent), config.environment.get("PATH", "")]
config.environment["PATH"] = os.pathsep.join(path)

# What is read is printed, read and printed again, in the short form and in the generic one.
again = "| stepwell-opt --split-input-file | filecheck %s"
config.substitutions += [
    ("STEPWELL_ROUNDTRIP", f"stepwell-opt %s --split-input-file {again}"),
    (
        "STEPWELL_GENERIC_ROUNDTRIP",
        f"stepwell-opt %s --print-op-generic --split-input-file {again}",
    ),
]
