"""A driver, cuda-core and numba-cuda of our own: what `Cuda` asks of them, with the memory here."""

import ctypes
from types import ModuleType, SimpleNamespace

from stepwell.runtime.devices.device import Copy, Launch, Wait

CONTEXT = 5
INVALID = -1


class Driver:
    """`libcuda`: its functions by name, and what was asked of them. The device's memory is here."""

    def __init__(
        self, version: int = 12_040, cards: int = 1, starts: int = 0, tells: int = 0
    ) -> None:
        """`starts` and `tells` are what it answers to `cuInit`, and when asked for its version."""
        self.version, self.cards = version, cards
        self.starts, self.tells = starts if cards else 100, tells
        self.asked: list[tuple[object, ...]] = []
        self.status = 0
        self.cuLaunchKernel = Launch(lambda *given: self._said("launch", *given))
        self.cuMemcpyAsync = Copy(self._copy)
        self.cuStreamSynchronize = Wait(self._wait)
        self.owners: dict[int, int] = {}
        """The cards of some addresses."""
        self.recording: dict[int, int] = {}
        self.graphs: dict[int, int] = {}
        """How many copies are in what is recorded of a stream, and in a graph."""

    def __getitem__(self, name: str) -> object:
        return getattr(self, name)

    def _said(self, *what: object) -> int:
        self.asked.append(what)
        return self.status

    def _copy(self, to: int, source: int, size: int, stream: int) -> int:
        if stream in self.recording:
            self.recording[stream] += 1
            return self._said("record", size, stream)
        ctypes.memmove(to, source, size)
        return self._said("copy", size, stream)

    def _wait(self, stream: int) -> int:
        if stream in self.recording:
            self.recording[stream] = INVALID
            return 900
        return self._said("wait", stream)

    def cuStreamBeginCapture_v2(self, stream, mode: int) -> int:
        assert mode == 2
        if not self.status:
            self.recording[stream.value] = 0
        return self.status

    def cuStreamEndCapture(self, stream, graph) -> int:
        steps = self.recording.pop(stream.value)
        if steps == INVALID:
            return 901
        graph._obj.value = 500 + len(self.graphs)
        self.graphs[graph._obj.value] = steps
        return 0

    def cuGraphGetNodes(self, graph, nodes, count) -> int:
        assert nodes is None
        count._obj.value = self.graphs[graph.value]
        return 0

    def cuGraphInstantiateWithFlags(self, instance, graph, flags) -> int:
        instance._obj.value = graph.value + 1000
        return self._said("instantiate", graph.value)

    def cuGraphDestroy(self, graph) -> int:
        del self.graphs[graph.value]
        return 0

    def cuGraphLaunch(self, instance, stream) -> int:
        return self._said("graph", instance.value, stream.value)

    def cuGraphExecDestroy(self, instance) -> int:
        return self._said("destroy", instance.value)

    def cuInit(self, flags: int) -> int:
        return self.starts

    def cuDriverGetVersion(self, found) -> int:
        found._obj.value = 0 if self.tells else self.version
        return self.tells

    def cuDeviceGetCount(self, found) -> int:
        if self.starts:
            return 3
        found._obj.value = self.cards
        return 0

    def cuDeviceGet(self, found, number: int) -> int:
        found._obj.value = number
        return 0

    def cuCtxGetCurrent(self, found) -> int:
        found._obj.value = CONTEXT
        return 0

    def cuCtxSetCurrent(self, context) -> int:
        assert context.value == CONTEXT
        return 0

    def cuKernelSetAttribute(self, which: int, value: int, kernel, device) -> int:
        return self._said("attribute", which, value, kernel.value, device.value)

    def cuPointerGetAttribute(self, found, which: int, address) -> int:
        if which != 9 or address.value not in self.owners:
            return 1
        found._obj.value = self.owners[address.value]
        return 0

    def cuGetErrorName(self, status: int, found) -> int:
        names = {
            1: b"CUDA_ERROR_INVALID_VALUE",
            3: b"CUDA_ERROR_NOT_INITIALIZED",
            700: b"CUDA_ERROR_ILLEGAL_ADDRESS",
            802: b"CUDA_ERROR_SYSTEM_NOT_READY",
        }
        found._obj.value = names.get(status)
        return 0


class Buffer:
    """Memory of cuda-core's pool."""

    def __init__(self, core: "Core", size: int) -> None:
        self.core, self.bytes = core, ctypes.create_string_buffer(size)
        self.handle = ctypes.addressof(self.bytes)
        core.held.add(self.handle)

    def close(self, stream: object) -> None:
        assert stream is self.core.streams[0]
        self.core.held.remove(self.handle)


class Core(ModuleType):
    """`cuda.core`, with cards of one capability and so many bytes."""

    def __init__(self, capability: tuple[int, int] = (9, 0), room: int = 1 << 20) -> None:
        super().__init__("cuda.core")
        self.capability, self.room = capability, room
        self.streams: list[SimpleNamespace] = []
        self.held: set[int] = set()
        self.current: list[int] = []

    def Device(self, number: int) -> SimpleNamespace:
        return SimpleNamespace(
            name="Fake 100",
            compute_capability=self.capability,
            properties=SimpleNamespace(max_shared_memory_per_block_optin=232_448),
            set_current=lambda: self.current.append(number),
            create_stream=self._create_stream,
            memory_resource=SimpleNamespace(allocate=self._allocate),
        )

    def _create_stream(self) -> SimpleNamespace:
        self.streams.append(SimpleNamespace(handle=77 + len(self.streams)))
        return self.streams[-1]

    def _allocate(self, size: int, *, stream: object) -> Buffer:
        if size > self.room:
            raise RuntimeError("CUDA_ERROR_OUT_OF_MEMORY: the API call failed because …")
        return Buffer(self, size)


class Numba(ModuleType):
    """`numba.cuda` with a context that takes PTX beginning with `.version`."""

    def __init__(self) -> None:
        super().__init__("numba.cuda")
        self.modules: list[str] = []
        self.functions = 0

    def current_context(self) -> "Numba":
        return self

    def create_module_ptx(self, ptx: str) -> SimpleNamespace:
        if not ptx.startswith(".version"):
            raise RuntimeError("CUDA_ERROR_INVALID_PTX: a PTX JIT compilation failed\nand more")
        self.modules.append(ptx)
        return SimpleNamespace(get_function=self._function, ptx=ptx)

    def _function(self, name: str) -> SimpleNamespace:
        self.functions += 1
        return SimpleNamespace(
            handle=1000 + self.functions, attrs=SimpleNamespace(shared=1024), name=name
        )

    def unload_module(self, module: SimpleNamespace) -> None:
        self.modules.remove(module.ptx)
