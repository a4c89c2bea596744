"""What the tests emit for GPUs, or give to the emulated one: NVIDIA's assembler takes it, too.

Behind each test all its texts are assembled that were not before (`conftest.py`), each for the
processors that it is for, and nothing may be spilled.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, final

import pytest

from assembler import ASSEMBLED, assemble, assembler, hash_of
from emulator.device import Function
from emulator.emulated import EmulatedDevice, EmulatedFunction
from stepwell.compiler.machines.gpu.nvidia import GPUS, SM_80
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.targets.gpu import ptx

HEAD = re.compile(r"^\s*\.(?:version|target|address_size)\b.*$", re.MULTILINE)
GLOBAL = re.compile(
    r"\.(?:entry|func)\s+(?:\([^)]*\)\s*)?([\w$]+)"
    r"|(?:^|[;{}])\s*(?:\.extern\s+)?\.(?:global|const|shared)\b[^;=]*?([\w$]+)\s*(?:\[[^;=]*)?(?=[;=])",
    re.MULTILINE,
)
"""What declares a name for all of a text, or of memory in a kernel."""


@final
@dataclass
class Emitted:
    """The texts of a test with the processors that they are assembled for."""

    waiting: dict[tuple[str, str], bytes] = field(default_factory=dict[tuple[str, str], bytes])
    """With their hashes."""

    def note(self, text: str, processors: Sequence[str]) -> None:
        """A text is launched often, and hashed once."""
        for each in processors:
            if (each, text) not in self.waiting:
                self.waiting[each, text] = hash_of(text)

    def expect_assembled(self) -> None:
        """Fails with what the assembler says of a text that it does not take, or spills."""
        texts = defaultdict[tuple[str, str], list[str]](list)
        for (processor, text), digest in self.waiting.items():
            if (processor, digest) not in ASSEMBLED:
                texts[processor, head_of(text)].append(text)
        self.waiting.clear()
        for (processor, _), each in texts.items():
            expect_nothing_spilled(each, processor)
            ASSEMBLED.update((processor, hash_of(text)) for text in each)


def expect_nothing_spilled(texts: list[str], processor: str) -> None:
    """One process for all: there, a name of a text that others may have gets its number."""
    with TemporaryDirectory() as folder:
        taken = assemble(joined(texts), processor, Path(folder))
    spilled = [name for name, each in taken.items() if each.spilled]
    numbers = {int(name.partition("_")[0].removeprefix("t")) for name in spilled}
    assert not spilled, (processor, spilled, [texts[each] for each in sorted(numbers)][:1])


def head_of(text: str) -> str:
    """The version of PTX and the processor that a text is written for."""
    return "\n".join(HEAD.findall(text))


def joined(texts: list[str]) -> str:
    """The texts in one, under the head that they share."""
    return "\n".join(
        [head_of(texts[0]), *(_renamed(text, f"t{n}_") for n, text in enumerate(texts))]
    )


def _renamed(text: str, prefix: str) -> str:
    names = {one or other for one, other in GLOBAL.findall(text)}
    if not names:
        return ""
    found = re.compile(rf"(?<![\w$%.])(?:{'|'.join(map(re.escape, sorted(names)))})(?![\w$])")
    return found.sub(lambda each: prefix + each[0], HEAD.sub("", text))


EMITTED: Final = Emitted()


def watch(patch: pytest.MonkeyPatch) -> None:
    """From here on, all is noted that the compiler emits, for the processors that run it, and what
    the emulated device has run without an error, for the one that it names. Nothing is without
    the assembler."""
    if assembler() is None:
        return
    emit, launch = ptx.assembly, EmulatedDevice.launch

    def emitted(text: str, machine: Machine) -> str:
        made = emit(text, machine)
        EMITTED.note(made, [*GPUS] if machine is SM_80 else [machine.name])
        return made

    def launched(device: EmulatedDevice, function: Function, *arguments: Any) -> None:
        launch(device, function, *arguments)
        assert isinstance(function, EmulatedFunction)
        EMITTED.note(function.module.source, [function.module.text.target])

    patch.setattr(ptx, "assembly", emitted)
    patch.setattr(EmulatedDevice, "launch", launched)
