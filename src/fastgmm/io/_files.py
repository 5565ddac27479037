"""The doors: which reader for which path, which writer for which extension."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastgmm._checks import describe
from fastgmm._types import AnyArray, UInt8Array
from fastgmm.errors import ScanError
from fastgmm.io._atomic import write_whole
from fastgmm.io._metaimage import metaimage_header_of, metaimage_pieces, read_metaimage
from fastgmm.io._nifti import nifti_header_of, nifti_pieces, read_nifti
from fastgmm.io._nrrd import nrrd_header_of, nrrd_pieces, read_nrrd
from fastgmm.io._problems import scan_error, system_error
from fastgmm.io._scan import Scan, ScanGeometry, ScanHeader
from fastgmm.io._simpleitk import read_with_simpleitk, simpleitk_header_of
from fastgmm.io._sink import NEW_MEMORY, VolumeSink

if TYPE_CHECKING:
    from fastgmm.io._dicom_series import DicomSeries

NRRD = (".nrrd", ".nhdr")
NIFTI = (".nii", ".nii.gz")
METAIMAGE = (".mha", ".mhd")
WRITABLE = (".nrrd", ".nii", ".nii.gz", ".mha")

StrPath = str | os.PathLike[str]


def read_scan(
    path: StrPath, *, assume_hu: bool = False, series: str | None = None, sink: VolumeSink = NEW_MEMORY
) -> Scan:
    """Read a CT volume from a file or a DICOM folder.

    Parameters
    ----------
    path : path-like
        .nrrd, .nhdr, .nii, .nii.gz, .mha, .mhd, any other file that SimpleITK reads, a folder with DICOM slices (also
        in folders below it), or one enhanced multi-frame DICOM file.
    assume_hu : bool
        Take the numbers as HU although they do not look like it.
    series : str, optional
        SeriesInstanceUID to read from a DICOM folder; without it the series with the most slices, then the thinnest.
    sink : VolumeSink, optional
        Gives the memory for the volume and is told of its slices as they arrive.

    Returns
    -------
    Scan
        Its volume is int16 in HU, axes (z, y, x) in the order of the file.

    Raises
    ------
    ScanError
        The path cannot be read as a CT volume in HU. One line: path, what was expected, what came, the way out.

    Notes
    -----
    Floats and wider integers must hold whole numbers; what int16 cannot hold saturates with a warning. For int16 the
    memory needed is the volume. Only formats other than NRRD, NIfTI and MetaImage import SimpleITK; DICOM imports
    pydicom.
    """
    path = Path(path)
    suffix = _checked_suffix(path, series)
    with _system_errors(path):
        if suffix == "dicom":
            from fastgmm.io._dicom import read_dicom

            return read_dicom(path, series=series, assume_hu=assume_hu, sink=sink)
        if suffix in NRRD:
            return read_nrrd(path, assume_hu, sink)
        if suffix in NIFTI:
            return read_nifti(path, assume_hu, sink)
        if suffix in METAIMAGE:
            return read_metaimage(path, assume_hu, sink)
        return read_with_simpleitk(path, assume_hu, sink)


def read_header(path: StrPath, series: str | None = None) -> ScanHeader:
    """Read what `read_scan` would tell of a scan, without its voxels.

    Parameters
    ----------
    path : path-like
    series : str, optional
        SeriesInstanceUID within a DICOM folder.

    Raises
    ------
    ScanError
        The headers alone already show that the path is no 3-D volume.
    """
    path = Path(path)
    suffix = _checked_suffix(path, series)
    with _system_errors(path):
        if suffix == "dicom":
            from fastgmm.io._dicom import dicom_header_of

            return dicom_header_of(path, series=series)
        if suffix in NRRD:
            return nrrd_header_of(path)
        if suffix in NIFTI:
            return nifti_header_of(path)
        if suffix in METAIMAGE:
            return metaimage_header_of(path)
        return simpleitk_header_of(path)


def read_dicom_series(folder: StrPath, series: str | None = None, *, assume_hu: bool = False) -> Scan:
    """Read a series of a DICOM folder: `read_scan` under the name of what it reads.

    Parameters
    ----------
    folder : path-like
        Folder with DICOM slices, also in folders below it; other files there are passed over.
    series : str, optional
        SeriesInstanceUID; without it original axial CT series come first, of them the one with most slices, then the
        thinnest. The warnings of the scan list the others.
    assume_hu : bool
        Take the numbers as HU although they do not look like it.

    Raises
    ------
    ScanError
        No DICOM slices, or slices that do not make a regular stack: a gap, a duplicate, a tilted gantry, more than one
        orientation, matrix or pixel spacing. The text names the files.

    Notes
    -----
    Slices are ordered by position along their normal, never by name. The slice distance is the median step; steps may
    differ from it by 1 %, with a warning by 10 %. Each slice is rescaled by its own slope and intercept. Padding keeps
    its HU if that is at most -1024, else it becomes -2048 (`Scan.padding_value`).
    """
    return read_scan(folder, series=series, assume_hu=assume_hu)


def list_dicom_series(folder: StrPath) -> list[DicomSeries]:
    """Return the series below a DICOM folder, the one that would be read first.

    Parameters
    ----------
    folder : path-like

    Raises
    ------
    ScanError
        There are no DICOM slices.
    """
    from fastgmm.io._dicom_series import group_series

    path = Path(folder)
    _checked_suffix(path, None)
    with _system_errors(path):
        return group_series(path)[0]


def write_labels(path: StrPath, labels: UInt8Array, scan: ScanGeometry) -> None:
    """Write a label map or mask with the geometry of its scan.

    Parameters
    ----------
    path : path-like
        .nrrd, .nii, .nii.gz or .mha; see `label_extension`. An existing file is replaced.
    labels : ndarray of shape (nz, ny, nx), dtype uint8 or bool
        Not modified.
    scan : Scan or ScanHeader
        The scan the labels belong to. Same format: its geometry word for word (NRRD fields; NIfTI qform, sform and
        codes); another format: the same geometry in numbers of 17 digits (NIfTI: float32).

    Raises
    ------
    ScanError
        The file cannot be written, or it is one of the scan's own files. The file appears by rename, complete or not
        at all.
    """
    if not isinstance(labels, np.ndarray) or labels.dtype not in (np.uint8, np.bool_) or labels.ndim != 3:
        raise TypeError(f"labels must be a 3-D uint8 or bool array, got {describe(labels)}")
    _write(Path(path), np.ascontiguousarray(labels).view(np.uint8), scan)


def write_scan(path: StrPath, scan: Scan) -> None:
    """Write a CT volume with its geometry and nothing else: no patient data, no free text.

    Parameters
    ----------
    path : path-like
        .nrrd, .nii, .nii.gz or .mha. An existing file is replaced.
    scan : Scan

    Raises
    ------
    ScanError
        As in `write_labels`.
    """
    _write(Path(path), scan.volume, scan)


def _write(path: Path, volume: AnyArray, scan: ScanGeometry) -> None:
    shape = getattr(scan, "shape", volume.shape)
    if volume.shape != shape:
        raise ValueError(f"labels must have the scan's shape {shape}, got {volume.shape}")
    write_whole(path, _pieces_for(path)(path, volume, scan), scan.files)


def _pieces_for(path: Path) -> Callable[[Path, AnyArray, ScanGeometry], Iterator[bytes]]:
    suffix = _suffix(path)
    if suffix == ".nrrd":
        return nrrd_pieces
    if suffix in NIFTI:
        return nifti_pieces
    if suffix == ".mha":
        return metaimage_pieces
    raise scan_error(path, f"a name that ends in {', '.join(WRITABLE)}", repr(path.name), "choose one of them")


def _checked_suffix(path: Path, series: str | None) -> str:
    """Return the extension that chooses the reader, "dicom" for a folder or a DICOM file."""
    with _system_errors(path):
        if not path.exists():
            raise scan_error(path, "a scan file or a DICOM folder", "nothing there", "check the path")
    suffix = "dicom" if path.is_dir() else _suffix(path)
    if suffix not in NRRD + NIFTI + METAIMAGE and suffix != "dicom" and _is_dicom_file(path):
        suffix = "dicom"
    if series is not None and suffix != "dicom":
        raise scan_error(path, "a DICOM folder, since a series is named", f"a {suffix} file", "leave out --series")
    return suffix


def _suffix(path: Path) -> str:
    """Return the extension in lower case, ".nii.gz" as one."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else Path(name).suffix


def _is_dicom_file(path: Path) -> bool:
    with _system_errors(path), open(path, "rb") as file:
        return file.read(132)[128:] == b"DICM"


@contextlib.contextmanager
def _system_errors(path: Path) -> Iterator[None]:
    """Turn what the system says about a file into a `ScanError`."""
    try:
        yield
    except ScanError:
        raise
    except OSError as error:
        below = error.filename is not None and Path(error.filename) != path
        doing = f"read, because of {error.filename}" if below else "read"
        raise system_error(path, doing, error, "check that it exists and may be read") from error
