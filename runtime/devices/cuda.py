"""NVIDIA's cards: code is loaded by numba-cuda, memory comes from cuda-core's stream-ordered pool.

Both packages are imported when a card is first asked for. What compiled code calls, and what copies
and waits here, are the driver's own functions.
"""

import ctypes
from collections.abc import Sequence
from importlib import import_module
from threading import Lock
from types import ModuleType
from typing import Any, Final, final

from stepwell.runtime.devices.device import Device, Driver, Graph, Kernels, Work, no_memory
from stepwell.runtime.errors import CallError, LoadError

LIBRARY: Final = "libcuda.so.1"
CUDA: Final = 2
"""DLPack's kind of device."""
SHARED: Final = 8
"""`CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES`."""
OWNER: Final = 9
"""`CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL`."""
OLDEST_DRIVER: Final = 12_000
"""CUDA 12.0, as `cuDriverGetVersion` says it."""
LEAST_CAPABILITY: Final = (8, 0)
RELAXED: Final = 2
"""`CU_STREAM_CAPTURE_MODE_RELAXED`: other threads may do to other streams what they like."""
NO_DEVICE: Final = 100
"""`CUDA_ERROR_NO_DEVICE`, which is no failure of the driver's."""
NOT_INITIALIZED: Final = 3
"""`CUDA_ERROR_NOT_INITIALIZED`, which the driver answers in a process that was forked."""
FORKED: Final = "no fork of a process that uses CUDA can use it: spawn processes, or fork before"
NOT_READY: Final = "nvidia-smi says more; boards with NVSwitch need nvidia-fabricmanager to run"
MOST_STEPS: Final = 4096
"""Launches and copies of a graph, whose instances take memory of the driver for each."""
PACKAGES: Final = ("numba_cuda", "numba.cuda", "cuda.core")
WAY_OUT: Final = 'pip install "stepwell[cuda]" brings them'


def open_card(number: int) -> Device:
    """The card of a number (LoadError SW0321 to SW0325, SW0329)."""
    library = _library()
    _expect_card(library, number)
    _, numba, core = _packages()
    try:
        return _opened(number, library, numba, core)
    except LoadError:
        raise
    except Exception as error:  # a full card, one of another process, a driver that does not fit
        raise LoadError(
            "SW0329", f"the card {number} cannot be used: {_first_line(error)}"
        ) from error


def card_of(address: int) -> int:
    """The number of the card whose memory has an address (CallError SW0422; LoadError SW0322,
    SW0324, SW0329)."""
    library, number = _library(), ctypes.c_int(0)
    place = ctypes.byref(number), OWNER, ctypes.c_uint64(address)
    if status := library.cuPointerGetAttribute(*place):
        said = _said(library, status)
        raise CallError("SW0422", f"an array at {address:#x} is on no card: the driver says {said}")
    return number.value


def _said(library: ctypes.CDLL, status: int) -> str:
    """The driver's name for what it answered."""
    name = ctypes.c_char_p()
    library.cuGetErrorName(status, ctypes.byref(name))
    return (name.value or b"an error without a name").decode()


def _opened(number: int, library: ctypes.CDLL, numba: ModuleType, core: ModuleType) -> Device:
    card = core.Device(number)
    capability: tuple[int, int] = tuple(card.compute_capability)
    if capability < LEAST_CAPABILITY:
        raise LoadError(
            "SW0325",
            f"the card {card.name} has compute capability {_dotted(capability)}, and"
            f" {_dotted(LEAST_CAPABILITY)} is the least that code is made for",
        )
    card.set_current()
    return Cuda(number, capability, library, numba, core)


def _first_line(error: Exception) -> str:
    """Of what numba, cuda-core or the driver say, which have no common error."""
    return str(error).strip().partition("\n")[0]


def _packages() -> list[ModuleType]:
    """Numba alone has a `numba.cuda` of its own, which is not this one."""
    try:
        return [import_module(name) for name in PACKAGES]
    except ImportError as error:
        raise LoadError(
            "SW0321", f"the packages for CUDA are not here: {error}", hint=WAY_OUT
        ) from None


def _library() -> ctypes.CDLL:
    """The driver, which must be new enough and must have started, though perhaps without a card."""
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        raise LoadError("SW0322", f"there is no NVIDIA driver here: no {LIBRARY}") from None
    version = ctypes.c_int(0)
    _expect_done(library, library.cuDriverGetVersion(ctypes.byref(version)))
    if version.value < OLDEST_DRIVER:
        raise LoadError(
            "SW0324",
            f"the driver is for CUDA {_of_driver(version.value)}, and"
            f" {_of_driver(OLDEST_DRIVER)} is the least that code is made for",
            hint="install a newer driver",
        )
    if (status := library.cuInit(0)) != NO_DEVICE:
        _expect_done(library, status)
    return library


def _expect_done(library: ctypes.CDLL, status: int) -> None:
    if status:
        said = f"it answered {status}, {_said(library, status)}"
        hint = FORKED if status == NOT_INITIALIZED else NOT_READY
        raise LoadError("SW0329", f"the driver cannot be used: {said}", hint=hint)


def _expect_card(library: ctypes.CDLL, number: int) -> None:
    count = ctypes.c_int(0)
    library.cuDeviceGetCount(ctypes.byref(count))  # fails without a card, and leaves the 0
    if number >= count.value:
        raise LoadError("SW0323", f"there is no card {number} here: the driver has {count.value}")


def _of_driver(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"


def _dotted(capability: tuple[int, int]) -> str:
    return ".".join(map(str, capability))


@final
class Cuda(Device):
    """One card, in its primary context, which is PyTorch's too, and in a stream of its own."""

    def __init__(
        self,
        number: int,
        capability: tuple[int, int],
        library: ctypes.CDLL,
        numba: ModuleType,
        core: ModuleType,
    ) -> None:
        """For `open_card`, which has made the card this thread's."""
        names = "cuLaunchKernel", "cuMemcpyAsync", "cuStreamSynchronize"
        found = [ctypes.cast(library[name], ctypes.c_void_p).value or 0 for name in names]
        self._number = number
        self._capability = capability
        self._library = library
        self._numba, self._core = numba, core
        card = core.Device(number)
        self._core_stream: Any = card.create_stream()
        self._recording: Any = card.create_stream()
        self._recorder = Lock()
        self._memory: Any = card.memory_resource
        self._buffers: dict[int, Any] = {}
        self._context = ctypes.c_void_p()
        library.cuCtxGetCurrent(ctypes.byref(self._context))
        name = f"cuda:{number}" if number else "cuda"
        super().__init__(
            name,
            (CUDA, number),
            int(self._core_stream.handle),
            Driver(*found),
            card.properties.max_shared_memory_per_block_optin,
        )

    @property
    def allocations(self) -> int:
        """How many are not freed yet."""
        return len(self._buffers)

    def runs(self, target: str) -> bool:
        """PTX is for its capability and later ones; with an `a` behind it, for no other."""
        digits = target.removeprefix("sm_").removesuffix("a")
        if not target.startswith("sm_") or not digits.isdecimal():
            return False
        wanted = int(digits[:-1]), int(digits[-1])
        return wanted == self._capability if target[-1] == "a" else wanted <= self._capability

    def enter(self) -> None:
        self._expect(self._library.cuCtxSetCurrent(self._context))

    def load(self, ptx: str, kernels: Sequence[str], name: str) -> "CudaKernels":
        try:
            self._core.Device(self._number).set_current()  # of this thread's cuda-core, too
            context = self._numba.current_context()
            module = context.create_module_ptx(ptx)
            return CudaKernels(self, context, module, kernels)
        except Exception as error:
            reason = _first_line(error)
            raise LoadError("SW0327", f"{name}: the driver does not take it: {reason}") from error

    def record(self, work: Work) -> "CudaGraph | None":
        self.enter()
        graph = ctypes.c_void_p()
        try:
            return self._instance(graph) if self._captured(work, graph) else None
        finally:
            if graph:
                self._library.cuGraphDestroy(graph)

    def _captured(self, work: Work, graph: ctypes.c_void_p) -> bool:
        """Whether the driver could record all of it, in a stream that no other thread uses."""
        number = int(self._recording.handle)
        stream = ctypes.c_void_p(number)
        with self._recorder:
            if self._library.cuStreamBeginCapture_v2(stream, RELAXED):
                return False
            try:
                work(number)
            except Exception:  # the call that is made instead will say why
                return False
            finally:
                failed = self._library.cuStreamEndCapture(stream, ctypes.byref(graph))
        return not failed

    def _instance(self, graph: ctypes.c_void_p) -> "CudaGraph | None":
        """What launches the graph, if it is short enough."""
        steps, made = ctypes.c_size_t(), ctypes.c_void_p()
        self._library.cuGraphGetNodes(graph, None, ctypes.byref(steps))
        if steps.value > MOST_STEPS:
            return None
        instantiate = self._library.cuGraphInstantiateWithFlags
        failed = instantiate(ctypes.byref(made), graph, ctypes.c_uint64(0))
        return None if failed else CudaGraph(self, self._library, made)

    def repeat(self, graph: ctypes.c_void_p) -> None:
        self._expect(self._library.cuGraphLaunch(graph, ctypes.c_void_p(self.stream)))

    def allocate(self, size: int) -> int:
        self.enter()
        try:
            buffer = self._memory.allocate(max(size, 1), stream=self._core_stream)
        except Exception as error:
            if isinstance(error, MemoryError) or "OUT_OF_MEMORY" in str(error):
                raise no_memory(self.name, size) from error
            raise CallError("SW0421", f"{self.name}: {_first_line(error)}") from error
        address = int(buffer.handle)
        self._buffers[address] = buffer
        return address

    def free(self, address: int) -> None:
        self._buffers.pop(address).close(self._core_stream)

    def let_share(self, kernel: int, size: int) -> None:
        """Lets launches of a kernel ask for so much memory that blocks share: without, 48 KiB."""
        number = ctypes.c_int(0)
        self._library.cuDeviceGet(ctypes.byref(number), self._number)
        handle = ctypes.c_void_p(kernel)
        self._expect(self._library.cuKernelSetAttribute(SHARED, size, handle, number))

    def failure(self, status: int) -> Exception:
        said = _said(self._library, status)
        hint = FORKED if status == NOT_INITIALIZED else None
        return CallError("SW0421", f"{self.name}: the driver answered {status}, {said}", hint=hint)


@final
class CudaKernels(Kernels):
    """A module in numba's context, which is unloaded when nothing runs in it any more."""

    def __init__(self, device: Cuda, context: Any, module: Any, kernels: Sequence[str]) -> None:
        self._device, self._context, self._module = device, context, module
        functions = [module.get_function(name) for name in kernels]
        self._handles = [int(function.handle) for function in functions]
        for function in functions:
            device.let_share(int(function.handle), device.block_memory - function.attrs.shared)

    @property
    def handles(self) -> Sequence[int]:
        return self._handles

    def __del__(self) -> None:
        try:
            self._device.wait()
        except CallError:  # what ran has failed, and said so where somebody looked
            pass
        self._context.unload_module(self._module)


@final
class CudaGraph(Graph):
    """An instance of a graph, which the driver frees when it is not under way any more."""

    def __init__(self, device: Cuda, library: ctypes.CDLL, instance: ctypes.c_void_p) -> None:
        self._device, self._library, self._instance = device, library, instance

    def launch(self) -> None:
        self._device.repeat(self._instance)

    def __del__(self) -> None:
        self._library.cuGraphExecDestroy(self._instance)
