"""The header of a NIfTI-1 or NIfTI-2 file as a NumPy record, and its axes in space.

A reader of our own, because importing nibabel costs 0.14 s, a third of a whole scan. Where a header holds two
geometries, the choice between sform and qform is ITK's; tests compare.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from fastgmm._types import Float64Array, Shape3
from fastgmm.io._geometry import STRAIGHTEN, Placement, placement_xyz, shape_from_sizes
from fastgmm.io._problems import ANOTHER_COPY, scan_error
from fastgmm.io._scan import ScanGeometry

# Fields in the order of the file; both versions use the same names (those of nifti1.h).
NIFTI1 = np.dtype([
    ("sizeof_hdr", "<i4"), ("data_type", "S10"), ("db_name", "S18"), ("extents", "<i4"), ("session_error", "<i2"),
    ("regular", "S1"), ("dim_info", "u1"), ("dim", "<i2", 8), ("intent_p", "<f4", 3), ("intent_code", "<i2"),
    ("datatype", "<i2"), ("bitpix", "<i2"), ("slice_start", "<i2"), ("pixdim", "<f4", 8), ("vox_offset", "<f4"),
    ("scl_slope", "<f4"), ("scl_inter", "<f4"), ("slice_end", "<i2"), ("slice_code", "u1"), ("xyzt_units", "u1"),
    ("cal_max", "<f4"), ("cal_min", "<f4"), ("slice_duration", "<f4"), ("toffset", "<f4"), ("glmax", "<i4"),
    ("glmin", "<i4"), ("descrip", "S80"), ("aux_file", "S24"), ("qform_code", "<i2"), ("sform_code", "<i2"),
    ("quatern", "<f4", 3), ("qoffset", "<f4", 3), ("srow", "<f4", (3, 4)), ("intent_name", "S16"), ("magic", "S4"),
])  # fmt: skip
NIFTI2 = np.dtype([
    ("sizeof_hdr", "<i4"), ("magic", "S8"), ("datatype", "<i2"), ("bitpix", "<i2"), ("dim", "<i8", 8),
    ("intent_p", "<f8", 3), ("pixdim", "<f8", 8), ("vox_offset", "<i8"), ("scl_slope", "<f8"), ("scl_inter", "<f8"),
    ("cal_max", "<f8"), ("cal_min", "<f8"), ("slice_duration", "<f8"), ("toffset", "<f8"), ("slice_start", "<i8"),
    ("slice_end", "<i8"), ("descrip", "S80"), ("aux_file", "S24"), ("qform_code", "<i4"), ("sform_code", "<i4"),
    ("quatern", "<f8", 3), ("qoffset", "<f8", 3), ("srow", "<f8", (3, 4)), ("slice_code", "<i4"),
    ("xyzt_units", "<i4"), ("intent_code", "<i4"), ("intent_name", "S16"), ("dim_info", "u1"), ("unused", "S15"),
])  # fmt: skip
# Behind the header come four bytes that say whether extensions follow.
N_EXTENSION_BYTES = 4
INTENT_LABEL = 1002
_SCANNER = 1
_UNIT_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_SAME = 1e-4

_DATATYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_REFUSED = {
    1: "1-bit",
    32: "complex",
    1792: "complex",
    2048: "complex",
    128: "colour",
    2304: "colour",
    1536: "128-bit float",
}


class NiftiHeader:
    """A NIfTI header and what it means.

    Parameters
    ----------
    path : Path
    record : structured ndarray of shape (), dtype NIFTI1 or NIFTI2 in the file's byte order
    """

    def __init__(self, path: Path, record: np.ndarray[Any, Any]) -> None:
        self.path = path
        self.record = record

    @property
    def n_bytes(self) -> int:
        """Length of the header, 348 or 540."""
        return int(self.record.dtype.itemsize)

    @property
    def shape(self) -> Shape3:
        """Voxels along (z, y, x)."""
        n_axes = int(self.record["dim"][0])
        sizes = [int(size) for size in self.record["dim"][1 : n_axes + 1]]
        if n_axes > 4 and max(sizes[4:]) > 1:
            got = f"{' x '.join(map(str, sizes[4:]))} numbers per voxel (a colour or vector image)"
            raise scan_error(self.path, "one number per voxel", got, "extract one component")
        return shape_from_sizes(self.path, sizes)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored voxels, with its byte order."""
        code = int(self.record["datatype"])
        if code not in _DATATYPES:
            got = f"{_REFUSED.get(code, 'unknown')} values (datatype {code})"
            raise scan_error(self.path, "one integer or float per voxel", got, "store one number per voxel")
        return np.dtype(_DATATYPES[code]).newbyteorder(self.record.dtype["dim"].base.byteorder)

    @property
    def scaling(self) -> tuple[float, float]:
        """Slope and intercept; a slope of 0 or none that is finite means no scaling."""
        slope, intercept = float(self.record["scl_slope"]), float(self.record["scl_inter"])
        if slope == 0.0 or not math.isfinite(slope) or not math.isfinite(intercept):
            return 1.0, 0.0
        return slope, intercept

    @property
    def data_offset(self) -> int:
        """Where in the (inflated) file the voxels begin."""
        offset = float(self.record["vox_offset"])
        if not (math.isfinite(offset) and offset >= self.n_bytes):
            got = f"vox_offset {offset:g}"
            raise scan_error(self.path, f"voxels behind the header of {self.n_bytes} bytes", got, ANOTHER_COPY)
        return int(offset)


def parse_nifti_header(path: Path, content: bytes) -> NiftiHeader:
    """Return the header in the first bytes of a file (540 are enough)."""
    for layout in (NIFTI1, NIFTI2):
        if len(content) < layout.itemsize:
            continue
        for order in ("<", ">"):
            record = np.frombuffer(content, layout.newbyteorder(order), 1)[0]
            if record["sizeof_hdr"] == layout.itemsize and 1 <= record["dim"][0] <= 7:
                _check_single_file(path, bytes(record["magic"]))
                return NiftiHeader(path, record)
    got = f"a file that begins {content[:16]!r}" if content else "an empty file"
    raise scan_error(path, "a NIfTI header", got, "check the name's extension")


@np.errstate(all="ignore")  # what is not finite in the end is refused as such
def _check_single_file(path: Path, mark: bytes) -> None:
    if not mark.startswith(b"n+"):
        expected, way_out = "a single-file NIfTI marked 'n+1' or 'n+2'", "name it .hdr beside its .img"
        raise scan_error(path, expected, f"the mark {mark!r}", way_out)


# Absurd numbers of a damaged header become infinite or NaN on the way, and `placement_xyz` refuses them.
@np.errstate(all="ignore")
def nifti_placement(header: NiftiHeader) -> tuple[Placement, tuple[str, ...]]:
    """Return where the volume lies, and warnings."""
    record, path = header.record, header.path
    scale = _UNIT_MM.get(int(record["xyzt_units"]) & 7, 1.0)
    spacing = np.abs(record["pixdim"][1:4].astype(np.float64)) * scale
    sform = record["srow"].astype(np.float64)
    qform = _qform(record)
    warnings: tuple[str, ...] = ()
    if record["sform_code"] <= 0 and record["qform_code"] <= 0:
        return placement_xyz(path, spacing, np.eye(3), np.zeros(3)), ("the header states no orientation",)
    if _prefers_sform(record, sform, qform):
        chosen = sform
        lengths = np.linalg.norm(sform[:, :3], axis=0) * scale
        if np.abs(lengths - spacing).max() > 1e-3:
            warnings = (f"spacing {_mm(spacing)} (pixdim) is used although the sform says {_mm(lengths)}",)
    elif record["qform_code"] > 0:
        chosen = qform
    else:
        raise scan_error(path, "perpendicular axes", "a sheared sform (gantry tilt?) and no qform", STRAIGHTEN)
    to_lps = np.array([-1.0, -1.0, 1.0])
    direction = _unit_columns(chosen) * to_lps[:, None]
    return placement_xyz(path, spacing, direction, chosen[:, 3] * to_lps * scale), warnings


def header_for(scan: ScanGeometry, shape: Shape3, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Return the NIfTI record under which a volume with the scan's geometry is written.

    Parameters
    ----------
    scan : Scan or ScanHeader
        Its own NIfTI header's version, geometry and units if it has one; free text (it may name the patient) is not
        taken over. Else NIfTI-1 in mm with the same float32 matrix as sform and qform.
    shape : tuple of 3 ints
        (z, y, x) of the volume.
    dtype : dtype
        uint8 (written as a label map) or int16.
    """
    source = scan.header.record if isinstance(scan.header, NiftiHeader) else _record_from_geometry(scan)
    layout = NIFTI2 if source.dtype.itemsize == NIFTI2.itemsize else NIFTI1
    record = np.zeros((), layout)
    for name in ("pixdim", "xyzt_units", "qform_code", "sform_code", "quatern", "qoffset", "srow"):
        record[name] = source[name]
    nz, ny, nx = shape
    if max(shape) > np.iinfo(record["dim"].dtype).max:
        raise scan_error(scan.path, "at most 32767 voxels along an axis for NIfTI-1", f"{max(shape)}", "write .nrrd")
    record["sizeof_hdr"], record["dim"] = layout.itemsize, (3, nx, ny, nz, 1, 1, 1, 1)
    record["datatype"], record["bitpix"] = (2, 8) if dtype == np.uint8 else (4, 16)
    record["intent_code"] = INTENT_LABEL if dtype == np.uint8 else 0
    record["scl_slope"], record["scl_inter"] = 1.0, 0.0
    record["vox_offset"] = layout.itemsize + N_EXTENSION_BYTES
    record["magic"] = b"n+2\0\r\n\x1a\n" if layout is NIFTI2 else b"n+1"
    record["descrip"] = b"fastgmm"
    return record


def _record_from_geometry(scan: ScanGeometry) -> np.ndarray[Any, Any]:
    """Return a NIfTI-1 record with the geometry of a scan from another format."""
    record = np.zeros((), NIFTI1)
    to_ras = np.array([-1.0, -1.0, 1.0])
    spacing = np.array(scan.spacing_mm[::-1])
    direction = scan.direction[:, ::-1] * to_ras[:, None]
    qfac = -1.0 if np.linalg.det(direction) < 0 else 1.0
    record["pixdim"][0] = qfac
    record["pixdim"][1:4] = spacing
    record["xyzt_units"] = 2
    record["qform_code"] = record["sform_code"] = _SCANNER
    record["quatern"] = _quaternion(direction * [1.0, 1.0, qfac])
    record["qoffset"] = np.array(scan.origin_lps_mm) * to_ras
    record["srow"][:, :3] = direction * spacing
    record["srow"][:, 3] = record["qoffset"]
    return record


def _prefers_sform(record: np.ndarray[Any, Any], sform: Float64Array, qform: Float64Array) -> bool:
    """Say whether ITK takes the sform: it must be free of shear, and alone, the scanner's, or equal to the qform."""
    if record["sform_code"] <= 0 or not np.isfinite(sform).all():
        return False
    axes = _unit_columns(sform)
    if not np.abs(axes @ axes.T - np.eye(3)).max() <= _SAME:
        return False
    return bool(record["qform_code"] <= 0 or record["sform_code"] == _SCANNER or np.abs(sform - qform).max() <= _SAME)


def _qform(record: np.ndarray[Any, Any]) -> Float64Array:
    """Return the 3 x 4 matrix of the quaternion, its third axis turned where pixdim[0] is negative."""
    b, c, d = (float(value) for value in record["quatern"])
    rest = 1.0 - (b * b + c * c + d * d)
    if rest < 1e-7:
        length = math.sqrt(b * b + c * c + d * d)
        a, b, c, d = 0.0, b / length, c / length, d / length
    else:
        a = math.sqrt(rest)
    matrix = np.empty((3, 4))
    matrix[:, :3] = [
        [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
        [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
        [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ]
    scale = np.abs(record["pixdim"][1:4].astype(np.float64))
    scale[2] *= -1.0 if record["pixdim"][0] < 0 else 1.0
    matrix[:, :3] *= scale
    matrix[:, 3] = record["qoffset"]
    return matrix


def _quaternion(rotation: Float64Array) -> tuple[float, float, float]:
    """Return b, c, d of the quaternion of a rotation, with a >= 0."""
    # The eigenvector of the largest eigenvalue of this symmetric matrix is the quaternion (x, y, z, w) nearest to the
    # rotation (Bar-Itzhack 2000), which needs no case for small angles.
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation.tolist()
    symmetric = np.array([
        [xx - yy - zz, 0.0, 0.0, 0.0],
        [xy + yx, yy - xx - zz, 0.0, 0.0],
        [xz + zx, yz + zy, zz - xx - yy, 0.0],
        [zy - yz, xz - zx, yx - xy, xx + yy + zz],
    ])  # fmt: skip
    b, c, d, a = np.linalg.eigh(symmetric, UPLO="L")[1][:, -1]
    sign = -1.0 if a < 0 else 1.0
    return float(sign * b), float(sign * c), float(sign * d)


def _unit_columns(matrix: Float64Array) -> Float64Array:
    # Powers of two bring every column near 1, so that no square is too large or too small; one of zeros becomes NaN.
    _, exponents = np.frexp(np.abs(matrix[:, :3]).max(axis=0))
    axes: Float64Array = np.ldexp(matrix[:, :3], -exponents)
    lengths: Float64Array = np.sqrt((axes * axes).sum(axis=0))
    unit: Float64Array = axes / lengths
    return unit


def _mm(spacing: Float64Array) -> str:
    return " x ".join(f"{value:g}" for value in spacing) + " mm"
