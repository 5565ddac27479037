"""A GPU as the place where the scans of a run are computed.

Threads inflate scans into page-locked memory, whose slices go up as they arrive; the calling thread computes; label
volumes come down while the next scan is computed. Each of the three has a stream, and events say what must be over
before what. The device is the one that is current in CuPy when the run begins.

A scan stays whole on the device. Where free memory is short of that, its voxels and label volumes stay in page-locked
memory of the machine, which kernels read and write over the link slice by slice as they come to it; masks are on the
device. Results are the same.
"""

from __future__ import annotations

import contextlib
import math
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from fastgmm._types import Int16Array, Shape3, UInt8Array
from fastgmm.cohort._arrival import Arrival
from fastgmm.cohort._device_memory import Blocks, Loan
from fastgmm.cohort._place import Place
from fastgmm.io import Scan, ScanGeometry, ScanHeader, VolumeSink

# Slices go up in groups of this size at least.
_GROUP_BYTES = 4 << 20
# Bytes of the device per voxel: the volume; beside it three label volumes, as much for kernels, and a dozen masks.
_VOLUME_BYTES, _WORK_BYTES = 2.0, 5.5


class DevicePlace(Place):
    """A GPU."""

    # With the one that is going up this makes three page-locked volumes.
    ahead = 2

    def __init__(self) -> None:
        import cupy

        self._cupy = cupy
        self.device = cupy.cuda.Device()
        self.upload, self.compute, self.download = (cupy.cuda.Stream(non_blocking=True) for _ in range(3))
        on_device = (lambda n: cupy.empty(n, np.uint8), self._show_on_device, self._mark)
        page_locked = (self._allocate_pinned, _show_on_host, self._mark)
        # Volumes and labels apart: each kind has blocks of its size, which the other would take out of turn.
        self.volumes, self.label_volumes = Blocks(*on_device), Blocks(*on_device)
        unlock = cupy.get_default_pinned_memory_pool().free_all_blocks
        self.pinned_volumes = Blocks(*page_locked, ring=1 + self.ahead, discard=unlock)
        self.pinned_labels = Blocks(*page_locked, discard=unlock)
        self._mapped: dict[int, weakref.ref[Any]] = {}

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Compute on the device; wait for all of it at the end, and leave the memory to CuPy's pool."""
        with self.device, self.compute:
            try:
                yield
            finally:
                for stream in (self.upload, self.compute, self.download):
                    stream.synchronize()
                for blocks in (self.volumes, self.label_volumes, self.pinned_volumes, self.pinned_labels):
                    blocks.drop_free()

    def sink(
        self, below_hu: int | None, backend: str, *, hold: Callable[[int], None], touches_ahead: bool
    ) -> VolumeSink:
        """Return what sends slices up as they arrive."""
        return _UploadSink(self)

    def arrival(self, scan: Scan, sink: VolumeSink) -> Arrival:
        """Send up what is not there yet; the voxels on the device take the place of those that were read."""
        assert isinstance(sink, _UploadSink)
        return sink.finish(scan)

    def receive(self, arrival: Arrival) -> Arrival:
        """Let the computing wait for the upload."""
        self.compute.wait_event(arrival.uploaded)
        return arrival

    def stays(self, arrival: Arrival, n_scans: int) -> bool:
        """Whether there is room for this scan and for those that will be on the device beside it."""
        if self.is_mapped(arrival.voxels):
            return n_scans == 1
        n_voxels = math.prod(arrival.scan.shape)
        return self._free_bytes() >= n_voxels * (self.ahead * _VOLUME_BYTES + _WORK_BYTES)

    def is_roomy(self, shape: Shape3) -> bool:
        """Whether a scan of this shape fits on the device as a whole."""
        return self._free_bytes() >= math.prod(shape) * (_VOLUME_BYTES + _WORK_BYTES)

    def put(self, array: Any) -> Any:
        """Copy an array to the device."""
        return self._cupy.asarray(array)

    def labels(self, shape: Shape3) -> UInt8Array:
        """Return memory for labels where kernels write them: on the device, or within reach where that is short."""
        labels: UInt8Array | None = self.on_device(self.label_volumes, shape, np.uint8, self.compute)
        return self.mapped(self.pinned_labels.take(shape, np.uint8, _wait)) if labels is None else labels

    def fetch(self, labels: Any) -> Callable[[], UInt8Array]:
        """Begin to copy labels to page-locked memory, after what has been computed so far."""
        computed = self.compute.record()
        if self.is_mapped(labels):
            host, done = self._host_of(labels), computed
        else:
            self.download.wait_event(computed)
            host = self.pinned_labels.take(labels.shape, np.uint8, _wait)
            labels.get(stream=self.download, out=host, blocking=False)
            done = self.download.record()

        def wait() -> UInt8Array:
            done.synchronize()
            arrived: UInt8Array = host
            return arrived

        return wait

    def renew(self, labels: UInt8Array, written: Future[Any]) -> UInt8Array:
        """Return other memory: nothing waits for files."""
        z, y, x = labels.shape
        return self.labels((z, y, x))

    def aside(self, submit: Callable[..., Future[Any]], work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Compute at once: the stream is this thread's."""
        done: Future[Any] = Future()
        done.set_result(work(*arguments))
        return done

    def on_device(self, blocks: Blocks, shape: Shape3, dtype: DTypeLike, stream: Any) -> Any:
        """Return memory of the device for a stream, None where there is too little."""
        if not self.is_roomy(shape):
            return None
        try:
            return blocks.take(shape, dtype, stream.wait_event)
        except self._cupy.cuda.memory.OutOfMemoryError:  # others took it since, or no piece is large enough
            return None

    def mapped(self, host: Any) -> Any:
        """Return page-locked memory as an array that kernels read and write over the link."""
        self._mapped[host.ctypes.data] = weakref.ref(host)
        return self._array_at(host.ctypes.data, host, host.shape, host.dtype)

    def _show_on_device(self, block: Any, loan: Loan, shape: Shape3, dtype: np.dtype[Any]) -> Any:
        return self._array_at(block.data.ptr, loan, shape, dtype)

    def _array_at(self, address: int, owner: Any, shape: Shape3, dtype: np.dtype[Any]) -> Any:
        """Return a CuPy array of memory at an address; its views keep the owner alive, too."""
        n_bytes = math.prod(shape) * dtype.itemsize
        memory = self._cupy.cuda.UnownedMemory(address, n_bytes, owner, self.device.id)
        return self._cupy.ndarray(shape, dtype, self._cupy.cuda.MemoryPointer(memory, 0))

    def is_mapped(self, array: Any) -> bool:
        """Whether an array was made by `mapped`."""
        return self._host_of(array) is not None

    def _host_of(self, array: Any) -> Any:
        """Return the page-locked array behind a mapped one, None for others."""
        host = self._mapped.get(array.data.ptr)
        return None if host is None else host()

    def _free_bytes(self) -> int:
        """Return what the device has left, with what CuPy's pool keeps for the next array."""
        free, _ = self._cupy.cuda.runtime.memGetInfo()
        return int(free) + int(self._cupy.get_default_memory_pool().free_bytes())

    def _mark(self) -> list[Any]:
        """Return events of all that was asked of the streams."""
        with self.device:
            return [stream.record() for stream in (self.upload, self.compute, self.download)]

    def _allocate_pinned(self, n_bytes: int) -> UInt8Array:
        memory = self._cupy.cuda.alloc_pinned_memory(n_bytes)
        return np.frombuffer(memory, np.uint8, n_bytes)


class _UploadSink(VolumeSink):
    """Takes page-locked memory, and sends slices up while the rest is still inflated."""

    def __init__(self, place: DevicePlace) -> None:
        self._place = place
        self._voxels: Any = None
        self._n_sent = 0

    def memory(self, shape: Shape3) -> Int16Array:
        """Return memory that copies to the device are fast from, and choose where the voxels will be."""
        place = self._place
        with place.device, place.upload:
            host: Int16Array = place.pinned_volumes.take(shape, np.int16, _wait)
            self._voxels = place.on_device(place.volumes, shape, np.int16, place.upload)
            if self._voxels is None:
                self._voxels = place.mapped(host)
        return host

    def arrived(self, volume: Int16Array, n_slices: int) -> None:
        """Send the slices that are new, once there are enough of them."""
        group, place = volume[self._n_sent : n_slices], self._place
        if place.is_mapped(self._voxels) or (group.nbytes < _GROUP_BYTES and n_slices < len(volume)):
            return
        with place.device:
            self._voxels[self._n_sent : n_slices].set(group, stream=place.upload)
        self._n_sent = n_slices

    def finish(self, scan: Scan) -> Arrival:
        """Send the rest, as all of a scan whose reader tells of no slices."""
        if self._n_sent < len(scan.volume):
            self.arrived(scan.volume, len(scan.volume))
        with self._place.device:
            uploaded = self._place.upload.record()
        known = {field.name: getattr(scan, field.name) for field in fields(ScanGeometry)}
        header = ScanHeader(**known, shape=scan.shape, stored_dtype="int16")
        return Arrival(header, self._voxels, None, uploaded)


def _wait(event: Any) -> None:
    event.synchronize()


def _show_on_host(block: UInt8Array, loan: Loan, shape: Shape3, dtype: np.dtype[Any]) -> Any:
    """Return a NumPy array whose base is the loan, at which the bases of its views end."""
    interface = {"data": (block.ctypes.data, False), "shape": shape, "typestr": dtype.str, "version": 3}
    loan.__array_interface__ = interface  # type: ignore[attr-defined]
    return np.asarray(loan)
