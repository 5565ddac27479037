"""What reading and writing take beside the volume: modules, memory, open files."""

import gzip
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from scan_files import chest_like, write_nrrd

from fastgmm.io import read_scan, write_labels, write_scan

HEAVY = ("SimpleITK", "pydicom", "nibabel", "nrrd", "scipy", "sklearn", "matplotlib", "pandas")
# Slabs of a megabyte in the stored type, and what converting and checking them takes.
SLABS_MB = 16
SHAPE = (64, 256, 256)


def peak_mb(work: Callable[[], object]) -> float:
    """Return the most megabytes that Python and NumPy held at once."""
    tracemalloc.start()
    try:
        result = work()
        assert result is None or result.shape == SHAPE
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["ct.nrrd", "ct.nii", "ct.nii.gz", "ct.mha"])
def test_common_formats_import_no_heavy_package(tmp_path: Path, name: str):
    program = f"""
import sys, numpy as np
from fastgmm.io import Scan, read_scan, write_labels, write_scan
volume = np.full((4, 5, 6), -1000, np.int16)
volume[0] = 40
path = {str(tmp_path / name)!r}
write_scan(path, Scan(path="made", volume=volume, spacing_mm=(2, 1, 1)))
write_labels(path.replace("ct.", "labels."), np.ones((4, 5, 6), np.uint8), read_scan(path))
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV_")}
    process = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, env=environment
    )
    assert process.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("dtype", "beside_mb"),
    [("<i2", 2), (">i2", 2), ("<u2", SLABS_MB), ("<i4", SLABS_MB), ("<f4", SLABS_MB), ("<f8", SLABS_MB)],
)
def test_reading_gzip_takes_the_memory_of_the_volume(tmp_path: Path, dtype: str, beside_mb: float):
    volume = chest_like(SHAPE)
    stored = (volume.clip(-600) if dtype == "<u2" else volume).astype(dtype, casting="unsafe")
    types = {"u2": "ushort", "i4": "int", "f4": "float", "f8": "double", "i2": "short"}
    payload = gzip.compress(stored.tobytes(), 1)
    path = write_nrrd(
        tmp_path / "ct.nrrd", stored, payload, type=types[dtype[1:]], endian="big" if dtype[0] == ">" else "little"
    )
    read_scan(path, assume_hu=True)
    assert peak_mb(lambda: read_scan(path, assume_hu=True).volume) < volume.nbytes / 1e6 + beside_mb


@pytest.mark.parametrize("extension", [".nrrd", ".nii", ".nii.gz"])
def test_writing_takes_a_few_megabytes(tmp_path: Path, extension: str):
    scan = read_scan(write_nrrd(tmp_path / "scan.nrrd", chest_like(SHAPE)))
    labels = (scan.volume > 0).view(np.uint8)
    write_labels(tmp_path / f"labels{extension}", labels, scan)
    assert peak_mb(lambda: write_labels(tmp_path / f"labels{extension}", labels, scan)) < 4
    assert peak_mb(lambda: write_scan(tmp_path / f"ct{extension}", scan)) < 8


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no list of open files here")
def test_no_file_stays_open(tmp_path: Path):
    volume = chest_like()
    nibabel.save(nibabel.Nifti1Image(volume.T, np.eye(4)), tmp_path / "ct.nii.gz")
    paths = [tmp_path / "ct.nii.gz", write_nrrd(tmp_path / "ct.nrrd", volume)]
    for encoding in ("raw", "hex", "ascii", "bzip2"):
        paths.append(write_nrrd(tmp_path / f"{encoding}.nrrd", volume, encoding=encoding))
    paths.append(write_nrrd(tmp_path / "cut.nrrd", volume, b"\x1f\x8b\x08cut"))
    before = len(os.listdir("/proc/self/fd"))
    for path in paths:
        try:
            read_scan(path)
        except OSError:
            continue
    assert len(os.listdir("/proc/self/fd")) == before
