"""Graphs: what a call launches is recorded when it comes again, and repeated when it comes again.

docs/decisions/0035-calls-that-come-again-are-graphs.md has the reasons.
"""

import threading
from collections.abc import Hashable
from typing import Final, final

from stepwell.runtime.devices.device import Device, Graph, Work

KEPT: Final = 16
"""Calls that are remembered for an entry point; what has not come for the longest time goes."""


@final
class Graphs:
    """An entry point's calls by their addresses and sizes: such as came once, and graphs."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._known: dict[Hashable, Graph | None] = {}
        self._useful = True
        # A graph is launched by one thread at a time.
        self._lock = threading.Lock()

    def launch(self, call: Hashable, work: Work) -> bool:
        """Whether the call is made by a graph; `work` is what would make it in a stream.

        Raises what `Graph.launch` raises.
        """
        if not self._useful:
            return False
        with self._lock:
            graph = self._graph(call, work)
            if graph is not None:
                graph.launch()
            return graph is not None

    def _graph(self, call: Hashable, work: Work) -> Graph | None:
        """The call's graph, if it came before. If it cannot be recorded, no other will be."""
        graph = None
        if call in self._known:
            graph = self._known.pop(call) or self._device.record(work)
            self._useful = graph is not None
        elif len(self._known) >= KEPT:
            del self._known[next(iter(self._known))]
        self._known[call] = graph
        return graph
