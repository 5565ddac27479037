"""What is known of a scan: its voxels in HU and where they lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fastgmm._checks import describe
from fastgmm._types import Float64Array, Int16Array, Shape3

ScanFormat = Literal["nrrd", "nifti", "metaimage", "sitk", "dicom"]
Triple = tuple[float, float, float]

_EXTENSIONS: dict[str, str] = {
    "nrrd": ".nrrd",
    "nifti": ".nii.gz",
    "metaimage": ".mha",
    "sitk": ".nrrd",
    "dicom": ".nrrd",
}


def _identity() -> Float64Array:
    """Return the direction of an array whose z, y, x axes point to head (S), back (P) and left (L)."""
    return np.eye(3)[:, ::-1].copy()


@dataclass(frozen=True, eq=False, kw_only=True)
class ScanGeometry:
    """Where the voxels of a scan lie, and what its file says of how it was made.

    Parameters
    ----------
    path : Path
        The file or folder it was read from.
    spacing_mm : tuple of 3 floats
        Distance of neighbouring voxels along the (z, y, x) axes of the array, in mm.
    direction : ndarray of shape (3, 3), dtype float64
        Columns are the unit vectors of the array's z, y and x axis; rows are the patient's left, posterior and
        superior (LPS) components.
    origin_lps_mm : tuple of 3 floats
        Left, posterior, superior coordinate of the centre of voxel (0, 0, 0), in mm.
    format : {"nrrd", "nifti", "metaimage", "sitk", "dicom"}
        "sitk" is any other format that SimpleITK reads.
    kernel : str, optional
        Reconstruction kernel (DICOM ConvolutionKernel).
    slice_thickness_mm : float, optional
        DICOM SliceThickness: how thick a slice is, not how far apart slices lie.
    padding_value : int, optional
        HU given to voxels that the scanner did not measure, where the file says so.
    warnings : tuple of str
        What a reader of the results should know about the file.
    header : object, optional
        The file's own header, for `write_labels` to copy the geometry from.
    files : tuple of Path
        Every file the scan was read from; `write_labels` and `write_scan` refuse to write to one of them.
    """

    path: Path
    spacing_mm: Triple
    direction: Float64Array = field(default_factory=_identity)
    origin_lps_mm: Triple = (0.0, 0.0, 0.0)
    format: ScanFormat = "nrrd"
    kernel: str | None = None
    slice_thickness_mm: float | None = None
    padding_value: int | None = None
    warnings: tuple[str, ...] = ()
    header: Any = field(default=None, repr=False)
    files: tuple[Path, ...] = field(default=(), repr=False)

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        z, y, x = self.spacing_mm
        return z * y * x / 1000.0


@dataclass(frozen=True, eq=False, kw_only=True)
class ScanHeader(ScanGeometry):
    """A scan without its voxels.

    Parameters
    ----------
    shape : tuple of 3 ints
        Voxels along (z, y, x).
    stored_dtype : str
        NumPy name of the type that the file stores.
    """

    shape: Shape3
    stored_dtype: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Scan(ScanGeometry):
    """A CT volume in Hounsfield units and where its voxels lie.

    Parameters
    ----------
    volume : ndarray of shape (nz, ny, nx), dtype int16
        HU in the order the file stores them.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm.io import Scan
    >>> scan = Scan(path="made.nrrd", volume=np.full((4, 5, 6), -1000, np.int16), spacing_mm=(2, 0.7, 0.7))
    >>> scan.shape, scan.format
    ((4, 5, 6), 'nrrd')
    """

    volume: Int16Array = field(repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))
        if not isinstance(self.volume, np.ndarray) or self.volume.dtype != np.int16 or self.volume.ndim != 3:
            raise TypeError(f"volume must be a 3-D int16 array of HU, got {describe(self.volume)}")
        object.__setattr__(self, "volume", np.ascontiguousarray(self.volume))

    @property
    def shape(self) -> Shape3:
        """Voxels along (z, y, x)."""
        z, y, x = self.volume.shape
        return z, y, x


def label_extension(scan: ScanGeometry) -> str:
    """Return the file extension in which the labels of a scan are written.

    Parameters
    ----------
    scan : Scan or ScanHeader

    Returns
    -------
    str
        The input's own format: ".nrrd" for .nrrd and .nhdr, ".nii" and ".nii.gz" for themselves, ".mha" for MetaImage;
        ".nrrd" for DICOM and for every other format, since not all of them hold a geometry exactly.
    """
    if scan.format == "nifti" and scan.path.suffix.lower() == ".nii":
        return ".nii"
    return _EXTENSIONS[scan.format]
