"""From stored numbers to whole Hounsfield units in int16, a few slices at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fastgmm._types import AnyArray, Int16Array, Shape3
from fastgmm.io._problems import ANOTHER_COPY, scan_error
from fastgmm.io._sink import NEW_MEMORY, VolumeSink

# What a 12-bit scanner can store at most; values that int16 cannot hold become this (metal, in extended CT scales).
MAX_HU = 3071
# Air is -1000 HU, and every chest CT has some; a volume with nothing below this is not in HU.
HIGHEST_MINIMUM_HU = -500
# Slices are converted in groups of about this size, so that nothing but the result has the size of the volume.
_SLAB_BYTES = 1 << 20


_LOWEST, _HIGHEST = int(np.iinfo(np.int16).min), int(np.iinfo(np.int16).max)


@dataclass
class WholeHU:
    """Converts stored numbers to int16 HU and counts what did not fit.

    Parameters
    ----------
    path : Path
        For the text of errors and warnings.
    n_above, n_below : int
        How many voxels were above or below what int16 holds.
    """

    path: Path
    n_above: int = 0
    n_below: int = 0

    def convert(self, stored: AnyArray, out: Int16Array, slope: float = 1.0, intercept: float = 0.0) -> None:
        """Write stored * slope + intercept to `out`; an error if a result is not a whole number.

        Parameters
        ----------
        stored : ndarray of integers or floats
        out : ndarray of the same shape, dtype int16
            Written.
        slope, intercept : float
        """
        if _fits(stored, slope, intercept):
            # Wraps on the way for some types, but the sum is right because it fits.
            np.add(stored, int(intercept), out=out, dtype=np.int16, casting="unsafe")
            return
        with np.errstate(all="ignore"):
            scaled = stored if (slope, intercept) == (1.0, 0.0) else stored * np.float64(slope) + np.float64(intercept)
        if scaled.dtype.kind == "f":
            self._check_whole(scaled)
        above, below = scaled > _HIGHEST, scaled < _LOWEST
        self.n_above += int(np.count_nonzero(above))
        self.n_below += int(np.count_nonzero(below))
        np.copyto(out, np.where(above, MAX_HU, np.where(below, _LOWEST, scaled)), casting="unsafe")

    def warnings(self) -> tuple[str, ...]:
        """Return a sentence for each kind of voxel that did not fit."""
        counts = ((self.n_above, "above", _HIGHEST, MAX_HU), (self.n_below, "below", _LOWEST, _LOWEST))
        return tuple(
            f"voxels {side} {limit} were set to {value} HU: {n_voxels}"
            for n_voxels, side, limit, value in counts
            if n_voxels
        )

    def _check_whole(self, values: AnyArray) -> None:
        wrong = ~np.isfinite(values)
        if not wrong.any():
            wrong = values != np.rint(values)
        if wrong.any():
            first = float(values[wrong].flat[0])
            way_out = (
                "replace such voxels by padding of -1024" if not np.isfinite(first) else "round the volume to whole HU"
            )
            raise scan_error(self.path, "whole numbers (HU)", f"a voxel of {first!r}", f"{way_out} before labelling it")


def _fits(stored: AnyArray, slope: float, intercept: float) -> bool:
    """Say whether integers only need a whole number added, and all results are in the range of int16."""
    if stored.dtype.kind not in "iu" or slope != 1.0 or abs(intercept) > _HIGHEST or intercept != int(intercept):
        return False
    return int(stored.min()) + intercept >= _LOWEST and int(stored.max()) + intercept <= _HIGHEST


def read_voxels(
    stream: BinaryIO,
    path: Path,
    shape: Shape3,
    stored: np.dtype[Any],
    slope: float = 1.0,
    intercept: float = 0.0,
    *,
    sink: VolumeSink = NEW_MEMORY,
) -> tuple[Int16Array, tuple[str, ...]]:
    """Return the volume in HU that a stream of stored numbers holds, and warnings.

    Parameters
    ----------
    stream : binary file
        Positioned at the first voxel.
    path : Path
        For the text of errors.
    shape : tuple of 3 ints
        Voxels along (z, y, x).
    stored : dtype
        Type in the file, with its byte order.
    slope, intercept : float
        HU = stored * slope + intercept.
    sink : VolumeSink
        Gives the memory and is told of each slab.

    Notes
    -----
    int16 in HU is read straight into the volume; other types go through a buffer of a few slices.
    """
    volume = empty_volume(path, shape, sink)
    n_bytes = volume.size * stored.itemsize
    hu = WholeHU(path)
    in_place = stored.newbyteorder("=") == np.int16 and (slope, intercept) == (1.0, 0.0)
    n_read = n_slices = 0
    for part in slabs(volume):
        buffer = part if in_place else np.empty(part.shape, stored)
        n_read += fill(stream, memoryview(buffer.view(np.uint8).data).cast("B"), path, n_bytes, n_read)
        if not in_place:
            hu.convert(buffer, part, slope, intercept)
        elif not stored.isnative:
            part.byteswap(inplace=True)
        n_slices += len(part)
        sink.arrived(volume, n_slices)
    return volume, hu.warnings() + _rest(stream, path, n_bytes)


def empty_volume(path: Path, shape: Shape3, sink: VolumeSink = NEW_MEMORY) -> Int16Array:
    """Return memory for a volume, or say that there is not enough."""
    try:
        return sink.memory(shape)
    except (MemoryError, ValueError):
        sizes = " x ".join(str(size) for size in shape)
        raise scan_error(
            path, "a volume that fits in memory", f"{sizes} voxels", "check its header, or free memory"
        ) from None


def check_size(path: Path, n_needed: int, n_stored: int, most_ratio: int) -> None:
    """Raise before any memory is taken if a file is too small for the voxels that its header promises.

    Parameters
    ----------
    path : Path
    n_needed : int
        Bytes of voxels as the header says.
    n_stored : int
        Bytes in the file.
    most_ratio : int
        How many bytes one stored byte can become: 1, or 1032 for deflate.
    """
    if n_needed > n_stored * most_ratio:
        got = f"a file of {n_stored} bytes" + (
            f" that can hold {n_stored * most_ratio} at most" if most_ratio > 1 else ""
        )
        raise scan_error(path, f"{n_needed} bytes of voxels as its header says", got, ANOTHER_COPY)


def slabs(volume: AnyArray) -> Iterator[AnyArray]:
    """Cut a volume into groups of whole slices of about a megabyte, or single slices."""
    slice_bytes = max(1, volume[:1].nbytes)
    step = max(1, _SLAB_BYTES // slice_bytes)
    for z in range(0, volume.shape[0], step):
        yield volume[z : z + step]


def fill(stream: BinaryIO, buffer: memoryview, path: Path, n_expected: int, n_before: int = 0) -> int:
    """Fill the buffer from the stream, or say how many of the expected bytes there were."""
    n_read = 0
    why = ""
    try:
        while n_read < len(buffer) and (n_piece := stream.readinto(buffer[n_read:])):  # type: ignore[attr-defined]
            n_read += n_piece
    except EOFError as error:
        why = f" ({error})"
    except (ValueError, OSError) as error:
        raise scan_error(path, "intact voxel data", str(error), ANOTHER_COPY) from None
    if n_read < len(buffer):
        got = f"{n_before + n_read}{why}"
        raise scan_error(path, f"{n_expected} bytes of voxels as its header says", got, ANOTHER_COPY)
    return n_read


def _rest(stream: BinaryIO, path: Path, n_bytes: int) -> tuple[str, ...]:
    """Read on behind the last voxel, so that a checksum there is looked at; warn if there are more bytes."""
    beyond = memoryview(bytearray(1))
    try:
        n_more = stream.readinto(beyond)  # type: ignore[attr-defined]
    except (EOFError, ValueError, OSError) as error:
        raise scan_error(path, "an intact end of the voxel data", str(error), ANOTHER_COPY) from None
    return (
        f"the file holds more than the {n_bytes} bytes of voxels its header describes; the rest is ignored",
    ) * bool(n_more)


def check_hounsfield(
    volume: Int16Array, stored: np.dtype[Any], path: Path, rescale_type: str = "HU", padding: int | None = None
) -> None:
    """Raise if a volume cannot be a CT in Hounsfield units.

    Parameters
    ----------
    volume : ndarray of shape (nz, ny, nx), dtype int16
    stored : dtype
        Type in the file.
    path : Path
        For the text of errors.
    rescale_type : str
        What DICOM says the numbers are.
    padding : int, optional
        HU of voxels that were not measured and do not count.

    Notes
    -----
    Stops at the first slices with a value below -500, so a real scan costs next to nothing.
    """
    way_out = "if the numbers are HU all the same, pass --assume-hu (assume_hu=True)"
    if rescale_type not in ("", "HU", "US"):
        raise scan_error(path, "values in HU", f"RescaleType {rescale_type}", way_out)
    if stored.itemsize == 1:
        raise scan_error(
            path, "CT values in HU", f"8-bit values ({stored.name})", "use the CT before windowing; " + way_out
        )
    lowest = _lowest(volume, padding)
    if lowest >= HIGHEST_MINIMUM_HU:
        got = f"none below {lowest} (highest {int(volume.max())})"
        if lowest >= 0:
            got += ", as in stored values whose intercept (mostly -1024) was not applied, or in labels"
        raise scan_error(path, f"CT values in HU with air below {HIGHEST_MINIMUM_HU}", got, way_out)
    if lowest == int(volume.max()):
        raise scan_error(path, "CT values in HU", f"the same value {lowest} in every voxel", way_out)


def _lowest(volume: Int16Array, padding: int | None) -> int:
    """Return the lowest value that is no padding, or the first slices' lowest if that is low enough."""
    lowest = _HIGHEST
    for part in slabs(volume):
        measured = part if padding is None else part[part != padding]
        lowest = min(lowest, int(measured.min(initial=_HIGHEST)))
        if lowest < HIGHEST_MINIMUM_HU:
            break
    return lowest
