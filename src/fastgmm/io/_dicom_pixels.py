"""The stored numbers of DICOM slices.

Uncompressed and run-length encoded files are decoded through pydicom; every other transfer syntax (JPEG lossless,
JPEG-LS, JPEG 2000 …) by the GDCM inside SimpleITK: pydicom would need further packages for them, one of them GPL.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fastgmm._types import AnyArray
from fastgmm.io._dicom_slices import DicomSlice
from fastgmm.io._problems import ANOTHER_COPY, require, scan_error
from fastgmm.io._quiet import without_python_warnings, without_simpleitk_warnings

_RUN_LENGTH = "1.2.840.10008.1.2.5"
_BITS = (8, 16, 32)


class PixelDecoder:
    """Reads slice after slice; keeps the last file, for the frames of a multi-frame one."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._dataset: Any = None

    def stored(self, one: DicomSlice) -> AnyArray:
        """Return the stored numbers of a slice, ndarray of shape (ny, nx)."""
        try:
            with without_python_warnings:
                return self._decode(one)
        except OSError:
            raise
        except Exception as error:  # a damaged file can raise anything within pydicom and SimpleITK
            raise scan_error(one.path, "pixels that can be decoded", str(error), ANOTHER_COPY) from None

    def _decode(self, one: DicomSlice) -> AnyArray:
        if one.path != self._path:
            pydicom = require("pydicom", one.path, "DICOM files")
            self._path, self._dataset = one.path, pydicom.dcmread(one.path, force=True)
        if "PixelData" not in self._dataset:
            raise scan_error(one.path, "pixel data", "none", ANOTHER_COPY)
        syntax = self._dataset.file_meta.get("TransferSyntaxUID")
        if syntax is None or not syntax.is_encapsulated:
            return _native_frame(self._dataset, one)
        if syntax == _RUN_LENGTH:
            return np.asarray(require("pydicom.pixels", one.path, "DICOM files").pixel_array(one.path, index=one.frame))
        return _frame_by_simpleitk(one, syntax.name)


def stored_dtype(one: DicomSlice) -> np.dtype[Any]:
    """Return the type of the stored numbers, in the machine's byte order."""
    if one.bits not in _BITS:
        raise scan_error(one.path, "8, 16 or 32 bits per pixel", f"{one.bits}", "convert the series to 16 bits")
    return np.dtype(f"{'i' if one.signed else 'u'}{one.bits // 8}")


def used_bits(stored: AnyArray, one: DicomSlice) -> AnyArray:
    """Cut off bits outside BitsStored (old scanners keep overlays there) and extend the sign."""
    if one.bits_stored >= one.bits:
        return stored
    used: AnyArray = (stored << (one.bits - 1 - one.high_bit)) >> (one.bits - one.bits_stored)
    return used


def _native_frame(dataset: Any, one: DicomSlice) -> AnyArray:
    dtype = stored_dtype(one)
    little_endian = dataset.original_encoding[1]
    n_bytes = one.shape[0] * one.shape[1] * dtype.itemsize
    pixels = memoryview(dataset.PixelData)[one.frame * n_bytes : (one.frame + 1) * n_bytes]
    if len(pixels) < n_bytes:
        raise scan_error(one.path, f"{n_bytes} bytes of pixels as its header says", f"{len(pixels)}", ANOTHER_COPY)
    stored = np.frombuffer(pixels, dtype.newbyteorder("<" if little_endian else ">"))
    return stored.astype(dtype, copy=False).reshape(one.shape)


def _frame_by_simpleitk(one: DicomSlice, syntax: str) -> AnyArray:
    """Decode by GDCM, which returns rescaled numbers, and take the rescaling back."""
    if one.frame:
        way_out = "decompress the file first (dcmdjpeg, gdcmconv --raw)"
        raise scan_error(one.path, "single frames in compressed DICOM files", f"many frames in {syntax}", way_out)
    sitk = require("SimpleITK", one.path, f"{syntax} pixels")
    with without_simpleitk_warnings:
        rescaled = sitk.GetArrayFromImage(sitk.ReadImage(str(one.path), imageIO="GDCMImageIO"))
    stored: AnyArray = np.rint((rescaled.astype(np.float64) - one.intercept) / one.slope)
    return stored.astype(stored_dtype(one)).reshape(one.shape)
