"""Which images of a folder are read."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_folders import ct_dataset, hu_volume, rewrite, write_series

from fastgmm.errors import ScanError
from fastgmm.io import list_dicom_series, read_dicom_series, read_scan


def test_folders_below_are_searched_and_other_files_passed_over(tmp_path: Path):
    volume = hu_volume()
    paths = write_series(tmp_path / "a" / "b", volume)
    (tmp_path / "c").mkdir()
    paths[0].rename(tmp_path / "c" / "moved without extension")
    (tmp_path / "a" / "notes.txt").write_text("not DICOM")
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "a" / "group 8 only by chance").write_bytes(b"\x08\x00\x01\x00rubbish")
    report = ct_dataset(volume[0], (0, 0, 0), "1.2.3.77", Modality="SR")
    for name in ("Rows", "Columns", "PixelData"):
        delattr(report, name)
    report.save_as(tmp_path / "report.dcm", enforce_file_format=True)
    capture = ct_dataset(volume[0], (0, 0, 0), "1.2.3.78", ImagePositionPatient=None, ImageOrientationPatient=None)
    capture.save_as(tmp_path / "capture.dcm", enforce_file_format=True)
    scan = read_dicom_series(tmp_path)
    assert np.array_equal(scan.volume, volume)
    assert scan.warnings == ()


def test_files_without_preamble_are_read(tmp_path: Path):
    volume = hu_volume()
    for path in write_series(tmp_path, volume):
        dataset = pydicom.dcmread(path)
        dataset.file_meta, dataset.preamble = pydicom.dataset.FileMetaDataset(), None
        pydicom.dcmwrite(path, dataset, implicit_vr=True, little_endian=True, enforce_file_format=False)
        assert path.read_bytes()[:2] == b"\x08\x00"
    assert np.array_equal(read_dicom_series(tmp_path).volume, volume)


def test_localizers_are_dropped(tmp_path: Path):
    volume = hu_volume()
    write_series(tmp_path, volume)
    write_series(tmp_path, volume[:2, :4], prefix="scout", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    scan = read_dicom_series(tmp_path)
    assert np.array_equal(scan.volume, volume)
    assert scan.warnings == ("2 localizer images were left out",)


def test_localizers_alone_are_no_scan(tmp_path: Path):
    write_series(tmp_path, hu_volume(), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    with pytest.raises(ScanError, match="a folder with DICOM slices, got 6 localizers; give the folder"):
        read_dicom_series(tmp_path)


def test_original_axial_slices_are_preferred_within_a_series(tmp_path: Path):
    volume = hu_volume()
    write_series(tmp_path, volume)
    write_series(tmp_path, volume[:3, ::-1].copy(), prefix="mpr", ImageType=["DERIVED", "SECONDARY", "MPR"])
    scan = read_dicom_series(tmp_path)
    assert np.array_equal(scan.volume, volume)
    assert scan.warnings == ("3 derived or other than axial images of the series were left out",)


def test_derived_series_is_read_where_there_is_no_other(tmp_path: Path):
    volume = hu_volume()
    write_series(tmp_path, volume, ImageType=["DERIVED", "SECONDARY"])
    assert np.array_equal(read_dicom_series(tmp_path).volume, volume)


def test_most_slices_then_thinnest_and_all_are_listed(tmp_path: Path):
    volumes = {uid: hu_volume((n, 8, 10), seed) for seed, (uid, n) in enumerate([("1.1", 4), ("1.2", 6), ("1.3", 6)])}
    write_series(tmp_path / "few", volumes["1.1"], uid="1.1", SliceThickness=0.5)
    write_series(tmp_path / "thick", volumes["1.2"], uid="1.2", SliceThickness=5.0, ConvolutionKernel="B60f")
    write_series(tmp_path / "thin", volumes["1.3"], uid="1.3", SliceThickness=1.0)
    write_series(tmp_path / "mpr", hu_volume((9, 8, 10)), uid="1.4", ImageType=["DERIVED", "SECONDARY", "AXIAL"])
    write_series(tmp_path / "mr", hu_volume((9, 8, 10)), uid="1.5", Modality="MR")
    scan = read_dicom_series(tmp_path)
    assert np.array_equal(scan.volume, volumes["1.3"])
    (warning,) = scan.warnings
    assert warning == (
        "5 series: took 1.3 CT 6 slices 1 mm; others: 1.2 CT 6 slices 5 mm kernel B60f, 1.1 CT 4 slices 0.5 mm, "
        "1.4 CT 9 slices 2 mm, 1.5 MR 9 slices 2 mm; --series UID chooses one"
    )
    assert [series.uid for series in list_dicom_series(tmp_path)] == ["1.3", "1.2", "1.1", "1.4", "1.5"]
    for uid, volume in volumes.items():
        chosen = read_dicom_series(tmp_path, uid)
        assert np.array_equal(chosen.volume, volume)
        assert chosen.warnings == ()


def test_unknown_series_lists_those_there(tmp_path: Path):
    write_series(tmp_path, hu_volume(), uid="1.2.3")
    with pytest.raises(ScanError, match=r"the series 9\.9, got 1\.2\.3 CT 6 slices 2 mm; choose one of these"):
        read_dicom_series(tmp_path, "9.9")


def test_series_of_a_file_is_wrong_use(tmp_path: Path):
    (tmp_path / "ct.nrrd").write_bytes(b"NRRD0004\n\n")
    with pytest.raises(ScanError, match=r"a DICOM folder, since a series is named, got a \.nrrd file; leave out"):
        read_scan(tmp_path / "ct.nrrd", series="1.2")


def test_unreadable_dicom_files_are_counted(tmp_path: Path):
    volume = hu_volume()
    paths = write_series(tmp_path, volume)
    rewrite(paths[-1], lambda dataset: delattr(dataset, "PixelSpacing"))
    scan = read_dicom_series(tmp_path)
    assert np.array_equal(scan.volume, volume[:-1])
    assert scan.warnings == ("1 DICOM files cannot be read, the first is s001.dcm",)


def test_folder_of_unreadable_dicom_files_says_so(tmp_path: Path):
    for path in write_series(tmp_path, hu_volume()):
        rewrite(path, lambda dataset: setattr(dataset, "PixelSpacing", [1.0, 1.0, 1.0]))
    with pytest.raises(
        ScanError, match=r"DICOM slices, got none \(6 DICOM files cannot be read, the first is s001.dcm\)"
    ):
        read_dicom_series(tmp_path)


def test_folder_without_dicom_and_single_slice_are_errors(tmp_path: Path):
    with pytest.raises(ScanError, match=r"a folder with DICOM slices, got none; give the folder that holds the slices"):
        read_dicom_series(tmp_path)
    with pytest.raises(ScanError, match="a folder with DICOM slices, got none"):
        list_dicom_series(tmp_path)
    paths = write_series(tmp_path, hu_volume())
    with pytest.raises(ScanError, match=f"a whole series, got one slice of it; give its folder {tmp_path}$"):
        read_scan(paths[0])


def test_values_that_break_the_rules_of_dicom_are_no_warnings(tmp_path: Path):
    volume = hu_volume()
    for path in write_series(tmp_path, volume, RescaleIntercept="-0"):
        long_number = b"-0.0000000000000000"
        content = path.read_bytes().replace(b"DS\x02\x00-0", b"DS\x14\x00" + long_number + b" ")
        assert long_number in content
        path.write_bytes(content)
    assert np.array_equal(read_dicom_series(tmp_path).volume, volume)
