"""DICOM folders to volumes in HU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastgmm._types import AnyArray, BoolArray, Int16Array
from fastgmm.io._dicom_pixels import PixelDecoder, stored_dtype, used_bits
from fastgmm.io._dicom_series import axial_slices, choose_series
from fastgmm.io._dicom_slices import DicomSlice
from fastgmm.io._dicom_stack import stack_slices
from fastgmm.io._problems import scan_error
from fastgmm.io._scan import Scan, ScanHeader
from fastgmm.io._sink import VolumeSink
from fastgmm.io._voxels import WholeHU, check_hounsfield, empty_volume

# Padding that is not already at or below air becomes this: lower than any tissue, so that the method takes it for
# outside. What is at or below -1024 HU anyway (-3024 from GE scanners, -2048) keeps its value, as in other readers.
PADDING_HU = -2048
_AIR_HU = -1024
_LOWEST_HU = -32768


def read_dicom(path: Path, *, series: str | None, assume_hu: bool, sink: VolumeSink) -> Scan:
    """Read one series of a folder, or an enhanced multi-frame file."""
    known, ordered = _described(path, series)
    volume = empty_volume(path, known.shape, sink)
    padding = _padding_hu(ordered)
    hu = WholeHU(path)
    decoder = PixelDecoder()
    for one, out in zip(ordered, volume, strict=True):
        hu.path = one.path
        _convert(decoder.stored(one), one, out, hu, padding)
    if not assume_hu:
        check_hounsfield(volume, stored_dtype(ordered[0]), path, ordered[0].rescale_type, padding)
    return Scan(
        path=path, volume=volume, format="dicom", spacing_mm=known.spacing_mm, direction=known.direction,
        origin_lps_mm=known.origin_lps_mm, kernel=known.kernel, slice_thickness_mm=known.slice_thickness_mm,
        padding_value=padding, warnings=known.warnings + hu.warnings(), files=known.files,
    )  # fmt: skip


def dicom_header_of(path: Path, *, series: str | None) -> ScanHeader:
    """Read what the headers of a series say."""
    return _described(path, series)[0]


def _described(path: Path, uid: str | None) -> tuple[ScanHeader, list[DicomSlice]]:
    series, warnings = choose_series(path, uid)
    slices = axial_slices(series)
    first = slices[0]
    if path.is_file() and len(slices) == 1:
        raise scan_error(path, "a whole series", "one slice of it", f"give its folder {path.parent}")
    if first.samples != 1:
        raise scan_error(path, "one number per pixel", f"{first.samples} (a colour image)", "give the original slices")
    ordered, place, found = stack_slices(path, slices)
    known = ScanHeader(
        path=path, shape=(len(ordered), *first.shape), stored_dtype=stored_dtype(first).name, format="dicom",
        spacing_mm=place.spacing_mm, direction=place.direction, origin_lps_mm=place.origin_lps_mm,
        kernel=first.kernel, slice_thickness_mm=first.thickness_mm, padding_value=_padding_hu(ordered),
        warnings=warnings + found, files=tuple(dict.fromkeys(one.path for one in ordered)),
    )  # fmt: skip
    return known, ordered


def _padding_hu(slices: Sequence[DicomSlice]) -> int | None:
    """Return the HU that padding gets in every slice, None if no slice has padding."""
    rescaled = {
        _as_stored(one.padding, stored_dtype(one)) * one.slope + one.intercept
        for one in slices
        if one.padding is not None
    }
    if not rescaled:
        return None
    only = min(rescaled)
    keeps = len(rescaled) == 1 and _LOWEST_HU <= only <= _AIR_HU and only == int(only)
    return int(only) if keeps else PADDING_HU


def _convert(stored: AnyArray, one: DicomSlice, out: Int16Array, hu: WholeHU, padding: int | None) -> None:
    """Rescale one slice to HU, its padding apart."""
    padded = _is_padding(stored, one)
    stored = used_bits(stored, one)
    if padding is None or padded is None or not padded.any():
        hu.convert(stored, out, one.slope, one.intercept)
        return
    measured = stored[~padded]
    harmless = measured[0] if measured.size else stored.dtype.type(0)
    hu.convert(np.where(padded, harmless, stored), out, one.slope, one.intercept)
    out[padded] = padding


def _is_padding(stored: AnyArray, one: DicomSlice) -> BoolArray | None:
    if one.padding is None:
        return None
    first = _as_stored(one.padding, stored.dtype)
    if one.padding_limit is None:
        return np.asarray(stored == first)
    last = _as_stored(one.padding_limit, stored.dtype)
    return np.asarray((stored >= min(first, last)) & (stored <= max(first, last)))


def _as_stored(number: int, dtype: np.dtype[Any]) -> int:
    """Return a number of the header as the pixels hold it: writers mix up its signed and its unsigned form."""
    n_bits = 8 * dtype.itemsize
    pattern = number % (1 << n_bits)
    return pattern - (1 << n_bits) if dtype.kind == "i" and pattern >> (n_bits - 1) else pattern
