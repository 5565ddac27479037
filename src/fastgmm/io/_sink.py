"""Where the voxels of a scan go while it is read."""

from __future__ import annotations

import numpy as np

from fastgmm._types import Int16Array, Shape3


class VolumeSink:
    """Gives the memory for a volume, and is told of its slices as they arrive.

    A subclass may hand out memory used before, or work on the slices while the rest is still inflated. Formats that
    are decoded in one piece (DICOM, those read through SimpleITK) tell of no slices.
    """

    def memory(self, shape: Shape3) -> Int16Array:
        """Return memory for a volume, its voxels not set to anything."""
        return np.empty(shape, np.int16)

    def arrived(self, volume: Int16Array, n_slices: int) -> None:
        """Note that the first `n_slices` slices hold their HU; called from the reading thread, rising to all slices."""


NEW_MEMORY = VolumeSink()
