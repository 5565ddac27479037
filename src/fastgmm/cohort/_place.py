"""Where the scans of a run are computed: in the machine's memory, or on a GPU (`_device_place`)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np

from fastgmm._memory import empty
from fastgmm._packed_mask import PackedMask
from fastgmm._types import Shape3, UInt8Array
from fastgmm.cohort._arrival import AirSink, Arrival
from fastgmm.io import Scan, VolumeSink
from fastgmm.lung import LungSegmentation


class Place:
    """The machine's memory: nothing moves."""

    # How many scans are read before they are asked for, each by a thread; 0 where scans are computed side by side.
    ahead = 0

    def at_work(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which the calling thread computes."""
        return contextlib.nullcontext()

    def sink(
        self, below_hu: int | None, backend: str, *, hold: Callable[[int], None], touches_ahead: bool
    ) -> VolumeSink:
        """Return what takes the voxels of a scan as they are read; `hold` waits for the memory of so many."""
        return AirSink(below_hu, backend, hold=hold, touches_ahead=touches_ahead)

    def arrival(self, scan: Scan, sink: VolumeSink) -> Arrival:
        """Return a scan that has been read through a sink of this place."""
        assert isinstance(sink, AirSink)
        return Arrival(scan, scan.volume, sink.air)

    def receive(self, arrival: Arrival) -> Arrival:
        """Return the arrival; what is computed from now on may use its voxels."""
        return arrival

    def stays(self, arrival: Arrival, n_scans: int) -> bool:
        """Whether a scan stays in memory between the fit and its labels."""
        return n_scans == 1

    def put(self, array: Any) -> Any:
        """Return an array where the scans are computed."""
        return array

    def put_lungs(self, lungs: LungSegmentation) -> LungSegmentation:
        """Return lungs with their masks where the scans are computed."""
        parts = (lungs.mask, lungs.right, lungs.left, lungs.airway)
        mask, *others = (None if part is None else self._put_mask(part) for part in parts)
        assert mask is not None
        return LungSegmentation(mask, lungs.warnings, *others)

    def _put_mask(self, mask: PackedMask) -> PackedMask:
        return PackedMask(self.put(mask.words), mask.shape)

    def labels(self, shape: Shape3) -> UInt8Array:
        """Return memory for labels."""
        return empty(shape, np.uint8)

    def fetch(self, labels: UInt8Array) -> Callable[[], UInt8Array]:
        """Return a function that gives the labels as a NumPy array, to be called by any thread."""
        return lambda: labels

    def renew(self, labels: UInt8Array, written: Future[Any]) -> UInt8Array:
        """Return memory for labels like those, which are not needed but by who writes them."""
        written.result()
        return labels

    def aside(self, submit: Callable[..., Future[Any]], work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Let a thread compute from volumes, or do it at once where only this thread may."""
        return submit(work, *arguments)
