"""Every format without a reader of our own, read through SimpleITK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fastgmm._types import Float64Array
from fastgmm.io._geometry import placement_xyz, shape_from_sizes
from fastgmm.io._problems import ANOTHER_COPY, one_line, require, scan_error
from fastgmm.io._quiet import without_simpleitk_warnings
from fastgmm.io._scan import Scan, ScanHeader
from fastgmm.io._sink import VolumeSink
from fastgmm.io._voxels import WholeHU, check_hounsfield, empty_volume, slabs


def read_with_simpleitk(path: Path, assume_hu: bool, sink: VolumeSink) -> Scan:
    """Read any file that SimpleITK reads as one 3-D volume of one number per voxel."""
    sitk = require("SimpleITK", path, f"{path.suffix or 'such'} files")
    reader = _inform(sitk, path)
    known = _described(sitk, reader, path)
    volume = empty_volume(path, known.shape, sink)
    try:
        with without_simpleitk_warnings:
            image = reader.Execute()
    except RuntimeError as error:
        raise scan_error(path, "a volume that SimpleITK reads", _reason(error), ANOTHER_COPY) from None
    stored = sitk.GetArrayViewFromImage(image).reshape(known.shape)
    hu = WholeHU(path)
    done = 0
    for part in slabs(stored):
        hu.convert(part, volume[done : done + len(part)])
        done += len(part)
    if not assume_hu:
        check_hounsfield(volume, stored.dtype, path)
    return Scan(
        path=path, volume=volume, format="sitk", spacing_mm=known.spacing_mm, direction=known.direction,
        origin_lps_mm=known.origin_lps_mm, warnings=known.warnings + hu.warnings(), files=(path,),
    )  # fmt: skip


def simpleitk_header_of(path: Path) -> ScanHeader:
    """Read what the header of such a file says."""
    sitk = require("SimpleITK", path, f"{path.suffix or 'such'} files")
    return _described(sitk, _inform(sitk, path), path)


def _inform(sitk: Any, path: Path) -> Any:
    """Return a reader that has read the file's header."""
    with open(path, "rb"):
        pass  # SimpleITK's words for a file that cannot be opened do not say why
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        with without_simpleitk_warnings:
            reader.ReadImageInformation()
    except RuntimeError as error:
        raise scan_error(path, "a volume that SimpleITK reads", _reason(error), "check the name's extension") from None
    return reader


def _described(sitk: Any, reader: Any, path: Path) -> ScanHeader:
    pixel = reader.GetPixelIDValue()
    name = sitk.GetPixelIDValueAsString(pixel)
    if reader.GetNumberOfComponents() != 1 or "complex" in name or "label" in name:
        got = f"{name} (a colour, vector or complex image)"
        raise scan_error(path, "one number per voxel", got, "extract one component")
    shape = shape_from_sizes(path, reader.GetSize())
    n_axes = reader.GetDimension()
    direction: Float64Array = np.array(reader.GetDirection()).reshape(n_axes, n_axes)[:3, :3]
    place = placement_xyz(path, np.array(reader.GetSpacing())[:3], direction, np.array(reader.GetOrigin())[:3])
    return ScanHeader(
        path=path, shape=shape, stored_dtype=_dtype_name(name), format="sitk",
        spacing_mm=place.spacing_mm, direction=place.direction, origin_lps_mm=place.origin_lps_mm, files=(path,),
    )  # fmt: skip


def _dtype_name(pixel: str) -> str:
    """Turn SimpleITK's "16-bit unsigned integer" into NumPy's "uint16"."""
    bits, kind = pixel.split("-bit ")
    return {"float": "float", "signed integer": "int", "unsigned integer": "uint"}[kind] + bits


def _reason(error: RuntimeError) -> str:
    """Return the last part of SimpleITK's text, which says what went wrong."""
    return one_line(str(error)).rpartition("ERROR: ")[2]
