"""Every op stands in the lit file of its dialect, which shows how it prints and parses."""

import re
from pathlib import Path

import pytest
from xdsl.ir import Dialect

from stepwell.compiler.dialects.gpu import NVG
from stepwell.compiler.dialects.loop import LOOP
from stepwell.compiler.ops import ND

FOLDER = Path(__file__).parents[3] / "filecheck"


@pytest.mark.parametrize("dialect", [ND, LOOP, NVG], ids=lambda dialect: dialect.name)
def test_every_op_is_printed(dialect: Dialect) -> None:
    text = (FOLDER / dialect.name / "ops.mlir").read_text()
    shown = set(re.findall(rf"// CHECK.*?\b({dialect.name}\.\w+)", text))
    assert sorted({op.name for op in dialect.operations} - shown) == []
