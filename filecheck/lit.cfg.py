"""How lit runs the files of this folder: as shell lines, with the commands of this environment."""

import sys
from pathlib import Path

from lit.TestingConfig import TestingConfig

sys.path.insert(0, str(Path(__file__).parent))

from forked import Forked

# lit runs this file with `config` among its globals.
config: TestingConfig = globals()["config"]
config.name = "stepwell"
config.test_format = Forked()
config.test_source_root = str(Path(__file__).parent)
times = Path(__file__).parent.parent / "build" / "filecheck"
times.mkdir(parents=True, exist_ok=True)
config.test_exec_root = str(times)
config.suffixes = [".mlir"]

# What is read is printed, read and printed again, in the short form and in the generic one.
again = "| stepwell-opt --split-input-file | filecheck %s"
config.substitutions += [
    ("STEPWELL_ROUNDTRIP", f"stepwell-opt %s --split-input-file {again}"),
    (
        "STEPWELL_GENERIC_ROUNDTRIP",
        f"stepwell-opt %s --print-op-generic --split-input-file {again}",
    ),
]
