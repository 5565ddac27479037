"""`cupy.cuda`: small devices, their streams, and the run-time calls that fastgmm makes."""

from types import SimpleNamespace

from cupy_on_cpu._memory import (
    MemoryPointer,
    MemoryPool,
    OutOfMemoryError,
    PinnedMemoryPool,
    UnownedMemory,
    alloc_pinned_memory,
)
from cupy_on_cpu._streams import N_DEVICES, Device, Event, Stream, current_device, get_current_stream

__all__ = [
    "Device",
    "Event",
    "MemoryPointer",
    "MemoryPool",
    "PinnedMemoryPool",
    "Stream",
    "UnownedMemory",
    "alloc_pinned_memory",
    "get_current_stream",
]


class CUDARuntimeError(RuntimeError):
    """An error of the CUDA run time."""


memory = SimpleNamespace(OutOfMemoryError=OutOfMemoryError)


def get_elapsed_time(start: Event, end: Event) -> float:
    return (end.time_s - start.time_s) * 1e3


def set_allocator(allocator=None) -> None:
    pass


def set_pinned_memory_allocator(allocator=None) -> None:
    pass


def is_available() -> bool:
    return True


runtime = SimpleNamespace(
    CUDARuntimeError=CUDARuntimeError,
    getDevice=current_device,
    setDevice=lambda device: Device(device).use(),
    getDeviceCount=lambda: N_DEVICES,
    getDeviceProperties=lambda device: {"name": b"no GPU", "totalGlobalMem": Device.mem_info[1]},
    driverGetVersion=lambda: 13000,
    runtimeGetVersion=lambda: 13000,
    memGetInfo=lambda: Device.mem_info,
    deviceSynchronize=lambda: Device().synchronize(),
    is_hip=False,
)
nvrtc = SimpleNamespace(getVersion=lambda: (13, 0))
