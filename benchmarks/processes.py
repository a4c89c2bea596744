"""Processes of variants, of which one runs at a time: the others are stopped, spinning threads
included, so that they take neither a processor nor the attention of one that is measured."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, final

Reply = Mapping[str, Any]
ROOT = Path(__file__).parent.parent
PATIENCE = 240.0
"""Seconds after which a process that has not answered is ended."""


@final
class Process:
    """One variant's worker, which is started anew where the last one has ended."""

    def __init__(self, name: str, environment: Mapping[str, str], log: Path) -> None:
        self._name, self._environment, self._log = name, environment, log
        self._running: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def ask(self, **message: Any) -> Reply:
        """The answer; `failed` says why there is none."""
        running = self._running or self._start()
        if running is None:
            return {"failed": "its process does not start"}
        os.killpg(running.pid, signal.SIGCONT)
        try:
            self._write(running, message)
            answer = _line(running)
        except (OSError, EOFError) as error:
            self.end()
            return {"failed": str(error) or type(error).__name__}
        os.killpg(running.pid, signal.SIGSTOP)
        return json.loads(answer)

    def end(self) -> None:
        """Ends it and what it has started."""
        running, self._running = self._running, None
        if running is None:
            return
        try:
            os.killpg(running.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        finally:
            running.wait()

    def _start(self) -> subprocess.Popen[str] | None:
        with self._log.open("a") as log:
            running = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.worker", self._name],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._running = running
        try:
            _line(running)
        except (OSError, EOFError):
            self.end()
        return self._running

    def _write(self, running: subprocess.Popen[str], message: Mapping[str, Any]) -> None:
        assert running.stdin is not None
        running.stdin.write(json.dumps(message) + "\n")
        running.stdin.flush()


def _line(running: subprocess.Popen[str]) -> str:
    """Raises TimeoutError, or EOFError where the process has ended."""
    output = running.stdout
    assert output is not None
    ready, _, _ = select.select([output], [], [], PATIENCE)
    if not ready:
        raise TimeoutError(f"took more than {PATIENCE:.0f} s")
    line = output.readline()
    if not line:
        raise EOFError("its process has ended")
    return line
