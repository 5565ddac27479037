"""Whatever is changed in a header, a file is read or refused in one line; nothing else comes out."""

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
from dicom_folders import hu_volume, write_enhanced, write_series
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scan_files import chest_like, nrrd_bytes

from fastgmm.errors import ScanError
from fastgmm.io import Scan, read_header, read_scan, write_scan

OLD_FIELDS = {"space": None, "space_directions": None, "space_origin": None, "spacings": "1 1 2", "axis_mins": "1 2 3"}
HEADER_BYTES = 1300
PIECES = st.one_of(
    st.binary(min_size=0, max_size=4),
    st.text("0123456789-., ()\n:=naife", min_size=0, max_size=4).map(str.encode),
    st.sampled_from([b"\0\0\x80\x7f", b"\0\0\xc0\x7f", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f"]),
)
CHANGES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 4), PIECES), min_size=1, max_size=3)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The bytes of a small scan in each format."""
    folder = tmp_path_factory.mktemp("originals")
    volume = chest_like()
    image = nibabel.Nifti1Image(volume.T, np.diag([1, 1, 2, 1.0]))
    write_scan(folder / "ct.mha", Scan(path=folder / "made", volume=volume, spacing_mm=(2, 1, 1)))
    write_enhanced(folder / "frames.dcm", hu_volume(), intercepts=[0] * 6)
    (slice_path,) = write_series(folder / "series", hu_volume((1, 8, 10)), PixelPaddingValue=-2000)
    return {
        "ct.nrrd": nrrd_bytes(volume),
        "old.nrrd": nrrd_bytes(volume, encoding="raw", line_skip=0, byte_skip=0, **OLD_FIELDS),
        "ct.nii": image.to_bytes(),
        "ct.nii.gz": gzip.compress(image.to_bytes()),
        "two.nii": nibabel.Nifti2Image(volume.T, image.affine).to_bytes(),
        "ct.mha": (folder / "ct.mha").read_bytes(),
        "frames.dcm": (folder / "frames.dcm").read_bytes(),
        "series/slice.dcm": slice_path.read_bytes(),
    }


@pytest.mark.parametrize(
    "name",
    ["ct.nrrd", "old.nrrd", "ct.nii", "ct.nii.gz", "two.nii", "ct.mha", "frames.dcm", "series/slice.dcm"],
)
def test_changed_headers_are_read_or_refused(tmp_path: Path, originals: dict[str, bytes], name: str):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    path = tmp_path / "series" if name.startswith("series") else tmp_path / name

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
    @given(changes=CHANGES)
    def check(changes: list[tuple[float, int, bytes]]) -> None:
        content = originals[name]
        for share, n_removed, piece in changes:
            at = int(share * min(len(content), HEADER_BYTES))
            content = content[:at] + piece + content[at + n_removed :]
        (tmp_path / name).write_bytes(content)
        for read in (read_header, read_scan):
            try:
                scan = read(path)
            except ScanError as error:
                refusal = str(error)
            else:
                refusal = str(tmp_path)
                assert min(scan.shape) >= 1
                assert np.isfinite([*scan.spacing_mm, *scan.origin_lps_mm, *scan.direction.flat]).all()
                assert min(scan.spacing_mm) > 0
            assert refusal.startswith(str(tmp_path))
            assert "\n" not in refusal

    check()
