"""The inputs as compressed files, written once per session to a folder that is removed at its end."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from harness.inputs import REAL_FILES, load, real_scan_path


@cache
def folder() -> Path:
    """Return a folder for whatever benchmarks write."""
    path = Path(tempfile.mkdtemp(prefix="fastgmm_bench_"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


@cache
def scan_file(case: str, ending: str) -> Path:
    """Return the scan as a file, compressed as SimpleITK usually does; the real CT as it came."""
    if case in REAL_FILES and ending == "nrrd":
        return real_scan_path(case)
    import SimpleITK as sitk  # noqa: N813

    path = folder() / f"{case.replace(' ', '_')}.{ending}"
    image = sitk.GetImageFromArray(load(case).volume)
    image.SetSpacing(load(case).spacing_mm[::-1])
    sitk.WriteImage(image, path, useCompression=True)
    return path
