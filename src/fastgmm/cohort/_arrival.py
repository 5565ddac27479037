"""A scan as it arrives: the voxels that hold air are found slice by slice while the rest is still inflated."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastgmm._memory import empty, make_pages, touch
from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, Int16Array, Shape3
from fastgmm.io import Scan, ScanHeader, VolumeSink
from fastgmm.volume import threshold_below

# Slices are compared in groups of this size at least: they are still in the cache, and the calls cost next to nothing.
_GROUP_BYTES = 4 << 20


@dataclass(frozen=True)
class Arrival:
    """A scan, its voxels where it is computed, and those below the threshold of air where they were found on the way.

    uploaded : what must be over before the voxels are there, on a GPU
    """

    scan: Scan | ScanHeader
    voxels: AnyArray
    air: PackedMask | None = None
    uploaded: Any = None


class AirSink(VolumeSink):
    """Compares the slices that have arrived; `air` is None until all have.

    With `touches_ahead`, a thread has the pages of the volume made before its voxels arrive, and those of two
    label volumes: nothing else runs beside the inflation of the first scan, and what follows finds them warm.
    """

    def __init__(
        self,
        below_hu: int | None,
        backend: str,
        *,
        hold: Callable[[int], None] | None = None,
        touches_ahead: bool = False,
    ) -> None:
        self._hold = hold
        self._touches_ahead = touches_ahead
        self._below_hu = below_hu
        self._backend = backend
        self._found: PackedMask | None = None
        self._n_done = 0
        self.air: PackedMask | None = None

    def memory(self, shape: Shape3) -> Int16Array:
        """Return memory of an earlier scan, if there is any; wait until so much may be used."""
        if self._hold is not None:
            self._hold(math.prod(shape))
        volume = empty(shape, np.int16)
        if self._below_hu is not None:
            self._found = PackedMask.empty(shape)
        if self._touches_ahead:
            threading.Thread(target=_make_pages, args=(volume,), daemon=True).start()
        return volume

    def arrived(self, volume: Int16Array, n_slices: int) -> None:
        """Compare the slices that are new, once there are enough of them."""
        group = volume[self._n_done : n_slices]
        if self._below_hu is None or (group.nbytes < _GROUP_BYTES and n_slices < len(volume)):
            return
        if self._found is None:
            self._found = PackedMask.empty(volume.shape)
        below = threshold_below(group, self._below_hu, backend=self._backend, n_jobs=1)
        self._found.words[self._n_done : n_slices] = below.words
        self._n_done = n_slices
        if n_slices == len(volume):
            self.air = self._found


def _make_pages(volume: Int16Array) -> None:
    make_pages(volume)
    touch(volume.shape, np.uint8, 2)
