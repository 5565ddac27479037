"""Files whose bytes are the fuzzer's: each is read or refused in one line, and what others read, too, is the same."""

import gzip
import io
import logging
import tempfile
from pathlib import Path

import nibabel
import numpy as np
from fuzz.source import Source
from scan_files import chest_like, nrrd_bytes

from fastgmm.errors import ScanError
from fastgmm.io import Scan, read_header, read_scan, write_scan

nibabel.imageglobals.logger.setLevel(logging.CRITICAL)  # it reports every header that it mends


def _check(name: str, content: bytes) -> Scan | None:
    """Read a file of this content, or see it refused; the header alone must not say otherwise."""
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        scans, refusals = [], []
        for read in (read_header, lambda path: read_scan(path, assume_hu=True)):
            try:
                scans.append(read(path))
            except ScanError as error:
                refusals.append(str(error))
                scans.append(None)
    assert all(text.startswith(folder) and "\n" not in text for text in refusals), refusals
    header, scan = scans
    if scan is not None:
        assert header is not None, "the header was refused, the scan read"
        assert header.shape == scan.volume.shape
        for found in scans:
            assert min(found.shape) >= 1
            assert np.isfinite([*found.spacing_mm, *found.origin_lps_mm, *found.direction.flat]).all()
            assert min(found.spacing_mm) > 0
    return scan


def nrrd(source: Source) -> None:
    """Header lines, raw and gzip data."""
    _check("scan.nrrd", source.rest())


def nifti(source: Source) -> None:
    """Headers of both versions, bare and compressed; voxels as nibabel has them."""
    compressed, cut, content = source.flag(), source.integer(0, 40), source.rest()
    packed = gzip.compress(content, 1) if compressed else content
    if compressed and cut:
        packed = packed[:-cut]
    scan = _check("scan.nii.gz" if compressed else "scan.nii", packed)
    if scan is None or (compressed and cut):
        return
    judge = _nibabel_voxels(content)
    if judge is not None:
        expected = np.where(judge > 32767, 3071, np.maximum(judge, -32768))  # as scanners store metal
        axes_of_one = expected.shape[: expected.ndim - 3]  # as nibabel keeps them
        assert all(length == 1 for length in axes_of_one)
        np.testing.assert_array_equal(scan.volume, expected.reshape(expected.shape[len(axes_of_one) :]))


def _nibabel_voxels(content: bytes) -> np.ndarray | None:
    """The voxels (z, y, x), or None where nibabel has no answer."""
    for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
        try:
            image = kind.from_file_map({"image": nibabel.FileHolder(fileobj=io.BytesIO(content))})
            return np.asarray(image.get_fdata()).T
        except Exception:  # nibabel's errors are of many kinds
            continue
    return None


def metaimage(source: Source) -> None:
    """Header lines and raw data."""
    _check("scan.mha", source.rest())


def originals() -> dict[str, list[bytes]]:
    """Whole files to start from, by target."""
    volume = chest_like((2, 3, 4))
    image = nibabel.Nifti1Image(volume.T, np.diag([1, 1, 2, 1.0]))
    old = {"space": None, "space_directions": None, "space_origin": None, "spacings": "1 1 2", "axis_mins": "1 2 3"}
    floats = nibabel.Nifti1Image(volume.T.astype(np.float32), image.affine)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ct.mha"
        write_scan(path, Scan(path=path, volume=volume, spacing_mm=(2, 1, 1)))
        mha = path.read_bytes()
    return {
        "nrrd": [
            nrrd_bytes(volume),
            nrrd_bytes(volume, encoding="raw", line_skip=0, byte_skip=0, **old),
            nrrd_bytes(volume.astype(np.float32), encoding="raw"),
        ],
        "nifti": [
            b"\0\0" + image.to_bytes(),
            b"\1\0" + floats.to_bytes(),
            b"\0\0" + nibabel.Nifti2Image(volume.T, image.affine).to_bytes(),
        ],
        "metaimage": [mha],
    }
