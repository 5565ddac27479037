"""Reading a compressed scan to an array, writing labels. make bench BENCH="-k read" or "-k write"."""

import gzip

import numpy as np
import SimpleITK as sitk  # noqa: N813
from harness.files import folder, scan_file
from harness.inputs import LARGE, SCANS, load, lungs, tissue_table
from harness.memory import floor_s
from harness.paired import OURS, Call, Group
from harness.rows import Panel, stage_test
from rivals import files

from fastgmm.io import read_header, read_scan, write_labels
from fastgmm.volume import apply_table


def reading(case: str, state: str) -> Group:
    """From a file in the page cache to an int16 array. "inflate" rows know nothing of headers."""
    volume = load(case).volume
    nrrd, nifti = scan_file(case, "nrrd"), scan_file(case, "nii.gz")
    shape = volume.shape
    calls = {
        OURS: Call(lambda: read_scan(nrrd).volume),
        "fastgmm nifti": Call(lambda: read_scan(nifti).volume),
        "simpleitk": Call(lambda: files.read_simpleitk(nrrd)),
        "simpleitk view": Call(lambda: files.read_simpleitk_view(nrrd), lambda found: found[1]),
        "nibabel": Call(lambda: files.read_nibabel(nifti)),
        "pynrrd": Call(lambda: files.read_pynrrd(nrrd)),
        "inflate isa-l": Call(lambda: files.inflate_isal(nrrd, shape)),
        "inflate zlib-ng": Call(lambda: files.inflate_zlib_ng(nrrd, shape)),
        "inflate libdeflate": Call(lambda: files.inflate_libdeflate(nrrd, shape)),
    }
    return Group("read nrrd", case, state, calls, floor_s(nrrd.stat().st_size, volume.nbytes))


def writing(case: str, state: str) -> Group:
    """Labels to a compressed file; everyone's file is read back and compared."""
    labels = apply_table(load(case).volume, tissue_table(), lungs(case))
    image = sitk.GetImageFromArray(labels)
    scan, there = read_header(scan_file(case, "nii.gz")), folder()

    def ours():
        write_labels(there / "ours.nii.gz", labels, scan)
        return there / "ours.nii.gz"

    def plain(path):
        return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8).reshape(labels.shape)

    calls = {
        OURS: Call(ours, files.read_simpleitk),
        "simpleitk": Call(lambda: files.write_simpleitk(there / "itk.nii.gz", image), files.read_simpleitk),
        "simpleitk level 1": Call(lambda: files.write_simpleitk(there / "itk.nii.gz", image, 1), files.read_simpleitk),
        "nibabel": Call(lambda: files.write_nibabel(there / "nib.nii.gz", labels), files.read_simpleitk),
        "pynrrd": Call(lambda: files.write_pynrrd(there / "py.nrrd", labels), files.read_simpleitk),
        "pynrrd level 1": Call(lambda: files.write_pynrrd(there / "py.nrrd", labels, 1), files.read_simpleitk),
        "deflate libdeflate": Call(lambda: files.deflate_libdeflate(there / "raw.gz", labels), plain),
    }
    return Group("write labels", case, state, calls, floor_s(labels.nbytes, 0))


READ = Panel(
    (
        OURS, "fastgmm nifti", "simpleitk", "simpleitk view", "nibabel", "pynrrd", "inflate isa-l", "inflate zlib-ng",
        "inflate libdeflate",
    ),
    strong=("simpleitk", "inflate isa-l"),
)  # fmt: skip
WRITE = Panel(
    (OURS, "simpleitk", "simpleitk level 1", "nibabel", "pynrrd level 1", "deflate libdeflate"),
    small_only=("pynrrd",),
    strong=("simpleitk", "simpleitk level 1"),
)
test_read = stage_test(reading, READ, SCANS, cold=(LARGE,))
test_write = stage_test(writing, WRITE, SCANS, cold=(LARGE,))
