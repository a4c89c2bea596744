"""How lit runs the lines of a file here: each command in a process of its own, forked from one that
has imported what the commands need, as importing takes longer than most of them."""

import os
import re
import shlex
import sys
import traceback
from collections.abc import Callable, Sequence
from tempfile import TemporaryFile
from typing import Any, final

import filecheck.main
import lit.formats
import lit.Test
import lit.TestRunner

from stepwell.compiler import opt

COMMANDS: dict[str, Callable[[], object]] = {
    "stepwell-opt": opt.main,
    "filecheck": filecheck.main.main,
}
"""What their console scripts call."""


@final
class Forked(lit.formats.FileBasedTest):
    """Of a shell's language the lines have pipes and `2>&1`. As in lit's own shell, a line fails if
    one of its commands does."""

    def execute(self, test: Any, lit_config: Any) -> Any:
        script = lit.TestRunner.parseIntegratedTestScript(test)
        if isinstance(script, lit.Test.Result):
            return script
        known = lit.TestRunner.getDefaultSubstitutions(test, *lit.TestRunner.getTempPaths(test))
        for line in lit.TestRunner.applySubstitutions(script, known):
            command = re.sub(lit.TestRunner.kPdbgRegex, r"\2", line)
            with TemporaryFile() as said:
                if any(run(command, said.fileno())):
                    said.seek(0)
                    return lit.Test.FAIL, f"{command}\n{said.read().decode(errors='replace')}"
        return lit.Test.PASS, ""


def run(line: str, said: int) -> list[int]:
    """The status of each command of a line; what they say besides goes to a file."""
    words = shlex.split(line)
    ends = [at for at, word in enumerate(words) if word == "|"]
    source, started = os.open(os.devnull, os.O_RDONLY), list[int]()
    for first, end in zip([0, *(at + 1 for at in ends)], [*ends, None], strict=True):
        following, sink = os.pipe() if end is not None else (-1, os.dup(said))
        started.append(_start(words[first:end], (source, sink, said), following))
        os.close(source)
        os.close(sink)
        source = following
    return [os.waitstatus_to_exitcode(os.waitpid(each, 0)[1]) for each in started]


def _start(words: Sequence[str], files: tuple[int, int, int], other: int) -> int:
    """A process with a command and its three files, which has the `other` one closed."""
    if (child := os.fork()) != 0:
        return child
    source, sink, said = files
    if other >= 0:
        os.close(other)
    if words[-1] == "2>&1":
        words, said = words[:-1], sink
    for number, file in enumerate((source, sink, said)):
        os.dup2(file, number)
    sys.stdin, sys.stdout = open(0, encoding="utf-8"), open(1, "w", encoding="utf-8")
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8")
    os._exit(_status(words))


def _status(words: Sequence[str]) -> int:
    """Of a command that has run to its end, as Python gives it."""
    sys.argv, status = [*words], 0
    try:
        COMMANDS[words[0]]()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status
