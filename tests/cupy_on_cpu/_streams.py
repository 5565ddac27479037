"""Streams whose order is checked: what a GPU might do in another order than meant is an error here, in every run.

Kernels and functions run when they are called; what a stream may rely on is told by clocks that count the operations of
every stream. Each access to device memory is compared with the earlier ones of other streams to the same bytes: unless
one of the two only reads, an event or a wait of the host must lie between them. Copies between host and device that do
not block happen as late as they may: what is uploaded is read when something needs it and must not change until the
host has waited for the copy; what is downloaded arrives when the host waits.
"""

import contextlib
import itertools
import threading
import time
import weakref
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from cupy_on_cpu import _written

N_DEVICES = 2
LOCK = threading.RLock()
_numbers = itertools.count()
_local = threading.local()
_copies: list["_Copy"] = []
_regions: dict[int, "_Region"] = {}
_host_clock: dict[int, int] = {}
_faults: list[str] = []


class StreamOrderError(RuntimeError):
    """Something that another order of the streams' work would have changed."""


class Device:
    """One of some small GPUs; the current one is that of the thread."""

    attributes = {"MultiProcessorCount": 2, "MaxSharedMemoryPerBlockOptin": 227 * 1024}  # noqa: RUF012
    compute_capability = "90"
    mem_info = (1 << 33, 1 << 33)

    def __init__(self, device=None) -> None:
        self.id = current_device() if device is None else int(device)

    def __enter__(self) -> "Device":
        _stack("devices").append(self.id)
        return self

    def __exit__(self, *error) -> None:
        _stack("devices").pop()

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other) -> bool:
        return int(self) == int(other)

    __hash__ = None

    def use(self) -> None:
        _stack("devices")[-1:] = [self.id]

    def synchronize(self) -> None:
        for stream in Stream.all:
            stream.synchronize()


def current_device() -> int:
    return _stack("devices")[-1]


def _stack(name: str) -> list:
    if not hasattr(_local, name):
        setattr(_local, name, [0] if name == "devices" else [])
    return getattr(_local, name)


class Stream:
    """A sequence of operations; its clock tells which ones of each stream have happened before the next of it."""

    all: ClassVar[list["Stream"]] = []

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None) -> None:
        self.number, self.device_id = next(_numbers), current_device()
        self.ptr = self.number
        self.is_null, self.non_blocking = null, non_blocking
        self.clock: dict[int, int] = {}
        Stream.all.append(self)

    def __enter__(self) -> "Stream":
        _stack("streams").append(self)
        return self

    def __exit__(self, *error) -> None:
        _stack("streams").pop()

    def use(self) -> "Stream":
        _stack("streams")[-1:] = [self]
        return self

    def advance(self) -> dict[int, int]:
        """Begin an operation; return what has happened before it, and itself."""
        if self.device_id != current_device():
            raise ValueError(f"the stream is of device {self.device_id}, the current device is {current_device()}")
        _join(self.clock, _host_clock)
        for other in Stream.all if not self.non_blocking else ():
            if self.is_null != other.is_null and not other.non_blocking:
                _join(self.clock, other.clock)
        self.clock[self.number] = self.clock.get(self.number, 0) + 1
        return self.clock

    def synchronize(self) -> None:
        with LOCK:
            _host_waits(self.clock)

    def record(self, event=None) -> "Event":
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event) -> None:
        with LOCK:
            _join(self.clock, event.clock)

    @property
    def done(self) -> bool:
        return all(_host_clock.get(number, 0) >= n for number, n in self.clock.items())


_null = [Stream(null=True)]
with Device(1):
    _null.append(Stream(null=True))
Stream.null = _null[0]


def get_current_stream(device_id=None) -> Stream:
    streams = [stream for stream in _stack("streams") if stream.device_id == current_device()]
    return streams[-1] if streams else _null[current_device()]


class Event:
    """A moment of a stream."""

    def __init__(self, block=False, disable_timing=False, interprocess=False) -> None:
        self.time_s, self.clock = 0.0, {}

    def record(self, stream=None) -> None:
        with LOCK:
            self.clock = dict((stream or get_current_stream()).clock)
            self.time_s = time.perf_counter()

    def synchronize(self) -> None:
        with LOCK:
            _host_waits(self.clock)

    @property
    def done(self) -> bool:
        return all(_host_clock.get(number, 0) >= n for number, n in self.clock.items())


@dataclass
class _Copy:
    """A copy under way: to the device from `host`, or to `host` from what was on the device."""

    stream: int
    time: int
    device: np.ndarray
    host: np.ndarray
    is_upload: bool
    moved: np.ndarray | None = None  # what went through, once it did

    def move(self) -> None:
        """Do it as far as another stream may rely on it."""
        if self.moved is None:
            self.moved = np.array(self.host if self.is_upload else self.device)
            if self.is_upload:
                self.device[...] = self.moved

    def finish(self) -> None:
        """Do the rest: the host has waited."""
        self.move()
        if not self.is_upload:
            self.host[...] = self.moved
        elif self.host.tobytes() != self.moved.tobytes():
            raise StreamOrderError("memory changed on the host while a copy of it to the device was under way")


def copy_later(stream: Stream, device: np.ndarray, host: np.ndarray, *, is_upload: bool) -> None:
    """Begin a copy that does not block."""
    with LOCK:
        clock = stream.advance()
        _access(stream, device, is_write=is_upload)
        (_written.mark if is_upload else _written.check)(device)
        _copies.append(_Copy(stream.number, clock[stream.number], device, host, is_upload))


@dataclass
class _Region:
    """A piece of device memory, the stream it was made for, and who has used which bytes of it.

    accesses : (stream, time, first, end, whether written)
    """

    owner: weakref.ref
    device: int
    home: int
    accesses: list[tuple[int, int, int, int, bool]] = field(default_factory=list)


def read(array: np.ndarray, stream: Stream | None = None) -> None:
    """Note that an operation of the stream reads these bytes; what it needs has been done when this returns."""
    use(array, stream, is_write=False)
    _written.check(array)


def write(array: np.ndarray, stream: Stream | None = None) -> None:
    """Note that an operation of the stream writes these bytes."""
    use(array, stream, is_write=True)
    _written.mark(array)


def create(array: np.ndarray) -> None:
    """Note that the current stream made this array, unless it is a view of known memory.

    Memory of a pool may have been in use on that stream just before: to others it is as if it had been written to.
    """
    if id(_root(array)) not in _regions:
        use(array, None, is_write=True)


def host_waits_for_stream() -> None:
    """Note that the host waits for the current stream, as it does to see a value."""
    get_current_stream().synchronize()


def is_view(result, array: np.ndarray) -> bool:
    return isinstance(result, np.ndarray) and _root(result) is _root(array)


def check_faults() -> None:
    """Raise what was found where nothing could be raised."""
    if _faults:
        found = "; ".join(_faults)
        _faults.clear()
        raise StreamOrderError(found)


def use(array: np.ndarray, stream: Stream | None, *, is_write: bool) -> None:
    """Note that an operation of the stream, which may be a kernel, reads or writes some of these bytes."""
    with LOCK:
        stream = stream or get_current_stream()
        _move_before(stream.advance())
        _access(stream, array, is_write=is_write)
        check_faults()


def _access(stream: Stream, array: np.ndarray, *, is_write: bool) -> None:
    """Compare with what other streams did to the same bytes."""
    if not array.size:
        return
    region = _region(array)
    if region.device != stream.device_id:
        raise ValueError(f"the array is on device {region.device}, the current device is {stream.device_id}")
    first, end = np.lib.array_utils.byte_bounds(array)
    kept = []
    for access in region.accesses:
        number, moment, low, high, was_write = access
        known = stream.clock.get(number, 0) >= moment
        if not known and low < end and first < high and (is_write or was_write):
            raise StreamOrderError(
                f"stream {stream.number} {'writes' if is_write else 'reads'} memory that stream {number} "
                f"{'wrote' if was_write else 'read'}, and no event lies between"
            )
        covered = number == stream.number and first <= low and high <= end and is_write >= was_write
        if not covered and _host_clock.get(number, 0) < moment:
            kept.append(access)
    region.accesses = [*kept, (stream.number, stream.clock[stream.number], first, end, is_write)]


def _region(array: np.ndarray) -> _Region:
    root = _root(array)
    key = id(root)
    if key not in _regions:
        owner = weakref.ref(root, lambda _: _forget(key))
        _regions[key] = _Region(owner, current_device(), get_current_stream().number)
    return _regions[key]


def _forget(key: int) -> None:
    """Memory went back: to the stream that it was made for, which may use it again at once."""
    region = _regions.pop(key, None)
    if region is None or not region.accesses:
        return
    clocks = [stream.clock for stream in Stream.all if stream.number == region.home]
    for number, moment, first, end, _ in region.accesses:
        known = number == region.home or max(c.get(number, 0) for c in [*clocks, _host_clock]) >= moment
        if not known:
            _faults.append(f"an array of {end - first} bytes was freed while stream {number} could be using it")


def _root(array):
    """The object that owns an array's memory."""
    while True:
        base = array.base
        if isinstance(base, memoryview):
            base = base.obj
        if not isinstance(base, np.ndarray):
            return array
        array = base


def _join(clock: dict[int, int], other: dict[int, int]) -> None:
    for number, n in other.items():
        clock[number] = max(clock.get(number, 0), n)


def _move_before(clock: dict[int, int]) -> None:
    """Do the copies that an operation with this clock may rely on."""
    for copy in _copies:
        if copy.time <= clock.get(copy.stream, 0):
            copy.move()


def _host_waits(clock: dict[int, int]) -> None:
    _join(_host_clock, clock)
    finished = [copy for copy in _copies if copy.time <= _host_clock.get(copy.stream, 0)]
    _copies[:] = [copy for copy in _copies if not any(copy is other for other in finished)]
    for copy in finished:
        copy.finish()
    check_faults()


@contextlib.contextmanager
def nothing_under_way():
    """Forget what is under way before and after, so that a fault does not show in another test."""
    for _ in range(2):
        with LOCK:
            _copies.clear()
            _faults.clear()
            for stream in Stream.all:
                _join(_host_clock, stream.clock)
        if _ == 0:
            yield
