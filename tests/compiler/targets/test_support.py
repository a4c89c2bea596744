"""The support object: what goes with every program, the same bytes each time."""

import re

from stepwell.compiler.targets.cpu import compile_object, host
from stepwell.compiler.targets.llvm_text import module_text
from stepwell.compiler.targets.support import support_module, support_object


def test_the_module_verifies_and_the_object_is_reproducible() -> None:
    support_module().verify()
    text = module_text(support_module())
    assert compile_object(text, host(), effort=0) == support_object(host())


def test_another_architecture_is_a_table_entry() -> None:
    text = module_text(support_module("aarch64"))
    assert "x86" not in text
    assert "llvm.aarch64.isb" in text
    assert re.search(r"\(i64 98, ptr", text)
