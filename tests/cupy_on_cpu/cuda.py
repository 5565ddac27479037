"""`cupy.cuda`: one device, streams that run at once, and the run-time calls that fastgmm makes."""

import time
from types import SimpleNamespace

import numpy as np

from cupy_on_cpu._memory import MemoryPool, PinnedMemoryPool

__all__ = ["MemoryPool", "PinnedMemoryPool"]


class CUDARuntimeError(RuntimeError):
    """An error of the CUDA run time."""


class Device:
    """A small GPU."""

    attributes = {"MultiProcessorCount": 2, "MaxSharedMemoryPerBlockOptin": 227 * 1024}  # noqa: RUF012
    compute_capability = "90"
    mem_info = (1 << 33, 1 << 33)

    def __init__(self, device=None) -> None:
        self.id = 0 if device is None else int(device)

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, *error) -> None:
        pass

    def __int__(self) -> int:
        return self.id

    def use(self) -> None:
        pass

    def synchronize(self) -> None:
        pass


class Stream:
    """Everything is done when the call returns."""

    current: list["Stream"] = []  # noqa: RUF012

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None) -> None:
        self.ptr, self.device_id = 0, 0

    def __enter__(self) -> "Stream":
        self.current.append(self)
        return self

    def __exit__(self, *error) -> None:
        self.current.pop()

    def use(self) -> "Stream":
        self.current[-1:] = [self]
        return self

    def synchronize(self) -> None:
        pass

    def record(self, event=None) -> "Event":
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event) -> None:
        pass

    done = True


Stream.null = Stream()
Stream.current.append(Stream.null)


def get_current_stream() -> Stream:
    return Stream.current[-1]


class Event:
    """A moment."""

    done = True

    def __init__(self, block=False, disable_timing=False, interprocess=False) -> None:
        self.time_s = 0.0

    def record(self, stream=None) -> None:
        self.time_s = time.perf_counter()

    def synchronize(self) -> None:
        pass


def get_elapsed_time(start: Event, end: Event) -> float:
    return (end.time_s - start.time_s) * 1e3


def alloc_pinned_memory(n_bytes: int):
    """Something with a buffer, as CuPy's pinned memory has."""
    return np.full(n_bytes, 0xCD, np.uint8)


def set_allocator(allocator=None) -> None:
    pass


def set_pinned_memory_allocator(allocator=None) -> None:
    pass


def is_available() -> bool:
    return True


runtime = SimpleNamespace(
    CUDARuntimeError=CUDARuntimeError,
    getDevice=lambda: 0,
    setDevice=lambda device: None,
    getDeviceCount=lambda: 1,
    driverGetVersion=lambda: 13000,
    runtimeGetVersion=lambda: 13000,
    memGetInfo=lambda: Device.mem_info,
    deviceSynchronize=lambda: None,
    is_hip=False,
)
