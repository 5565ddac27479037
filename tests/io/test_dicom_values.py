"""The numbers of DICOM slices: rescaling, padding, bits, transfer syntaxes."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from dicom_folders import hu_volume, rewrite, write_enhanced, write_series
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from fastgmm.errors import ScanError
from fastgmm.io import read_dicom_series, read_scan


def test_each_slice_is_rescaled_by_its_own_slope_and_intercept(tmp_path: Path):
    volume = hu_volume() // 2 * 2
    slopes, intercepts = [1, 2, 1, 2, 1, 2], [-1024, -1024, 0, 0, -2000, -1000]
    stored = np.stack([(plane - b) // a for plane, a, b in zip(volume, slopes, intercepts, strict=True)])

    def rescale(dataset: Dataset, z: int) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = slopes[z], intercepts[z]

    write_series(tmp_path, stored.astype(np.int16), edit=rescale)
    assert np.array_equal(read_dicom_series(tmp_path).volume, volume)


def test_unsigned_pixels_with_intercept(tmp_path: Path):
    volume = hu_volume()
    write_series(tmp_path, (volume + 1024).astype(np.uint16), RescaleIntercept=-1024)
    assert np.array_equal(read_dicom_series(tmp_path).volume, volume)


def test_values_that_are_not_whole_hu_are_an_error(tmp_path: Path):
    write_series(tmp_path, hu_volume(), RescaleSlope="0.3")
    with pytest.raises(ScanError, match=r"s006.dcm: expected whole numbers \(HU\), got a voxel of -?\d+\.\d+; round"):
        read_dicom_series(tmp_path)


def test_values_above_int16_saturate_with_a_warning(tmp_path: Path):
    stored = hu_volume().astype(np.int32)
    stored[2, 3, 4], stored[5, 6, 7] = 40000, -40000
    expected = stored.clip(-32768).astype(np.int16)
    expected[2, 3, 4] = 3071
    write_series(tmp_path, stored)
    scan = read_dicom_series(tmp_path)
    assert np.array_equal(scan.volume, expected)
    assert scan.warnings == (
        "voxels above 32767 were set to 3071 HU: 1",
        "voxels below -32768 were set to -32768 HU: 1",
    )


@pytest.mark.parametrize(
    ("padding", "intercept", "hu"),
    [(-2000, -1024, -3024), (-1024, 0, -1024), (3000, 0, -2048), (0, 0, -2048), (63536, 0, -2000)],
)
def test_padding_is_lower_than_air_and_keeps_its_value_if_it_is_so_already(
    tmp_path: Path, padding: int, intercept: int, hu: int
):
    volume = np.where(np.isin(hu_volume(), (0, 3000)), 1, hu_volume())
    stored = (volume - intercept).astype(np.int16)
    outside = np.zeros(volume.shape, bool)
    outside[:, -2:] = outside[3] = True
    stored[outside] = np.array(padding).astype(np.int16)

    def pad(dataset: Dataset, z: int) -> None:
        dataset.add_new("PixelPaddingValue", "SS" if padding < 32768 else "US", padding)

    write_series(tmp_path, stored, edit=pad, RescaleIntercept=intercept)
    scan = read_dicom_series(tmp_path)
    assert scan.padding_value == hu
    assert np.array_equal(scan.volume, np.where(outside, hu, volume))
    assert scan.warnings == ()


def test_padding_out_of_range_of_int16_is_no_overflow(tmp_path: Path):
    volume = hu_volume()
    stored = (volume + 1024).astype(np.uint16)
    stored[:, 0, 1] = 63536
    volume[:, 0, 1] = -2048
    write_series(tmp_path, stored, RescaleIntercept=-1024, PixelPaddingValue=63536)
    scan = read_dicom_series(tmp_path)
    assert np.array_equal(scan.volume, volume)
    assert (scan.padding_value, scan.warnings) == (-2048, ())


def test_padding_range_is_padding_from_end_to_end(tmp_path: Path):
    volume = hu_volume()
    write_series(tmp_path, volume, PixelPaddingValue=1400, PixelPaddingRangeLimit=1200)
    padded = (volume >= 1200) & (volume <= 1400)
    assert padded.any()
    assert np.array_equal(read_dicom_series(tmp_path).volume, np.where(padded, -2048, volume))


def test_padding_that_differs_between_slices_gets_one_value(tmp_path: Path):
    volume = np.where(hu_volume() == -2000, -1999, hu_volume())
    volume[:, 0, 1] = -2000

    def pad(dataset: Dataset, z: int) -> None:
        if z % 2:
            dataset.PixelPaddingValue = -2000
        else:
            dataset.PixelPaddingValue = -1500

    write_series(tmp_path, volume, edit=pad)
    scan = read_dicom_series(tmp_path)
    assert scan.padding_value == -2048
    assert scan.volume[:, 0, 1].tolist() == [-2000, -2048] * 3


@pytest.mark.parametrize("signed", [True, False])
def test_bits_outside_the_stored_ones_are_cut_off(tmp_path: Path, signed: bool):
    volume = hu_volume().clip(-1000, 1023)
    intercept = 0 if signed else -1024
    stored = ((volume - intercept) & 0x0FFF) | (np.random.default_rng(1).integers(0, 16, volume.shape) << 12)
    pixels = stored.astype(np.uint16).view(np.int16 if signed else np.uint16)
    write_series(tmp_path, pixels, BitsStored=12, HighBit=11, RescaleIntercept=intercept)
    scan = read_dicom_series(tmp_path)
    assert np.array_equal(scan.volume, volume)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, RLELossless], ids=str
)
def test_transfer_syntaxes_of_pydicom(tmp_path: Path, syntax: pydicom.uid.UID):
    volume = hu_volume()
    for path in write_series(tmp_path, volume):
        dataset = pydicom.dcmread(path)
        if syntax == RLELossless:
            dataset.compress(RLELossless)
        dataset.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<i2").astype(">i2").tobytes()
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    assert np.array_equal(read_dicom_series(tmp_path).volume, volume)


@pytest.mark.parametrize("compressor", ["JPEG", "JPEG2000"])
def test_jpeg_syntaxes_of_gdcm(tmp_path: Path, compressor: str):
    volume = hu_volume()
    for path in write_series(tmp_path, (volume + 1024).astype(np.int16), RescaleIntercept=-1024):
        original = pydicom.dcmread(path)
        writer = sitk.ImageFileWriter()
        writer.SetFileName(str(path))
        writer.UseCompressionOn()
        writer.SetCompressor(compressor)
        writer.Execute(sitk.GetImageFromArray(original.pixel_array[None]))
        compressed = pydicom.dcmread(path)
        original.PixelData = compressed.PixelData
        original["PixelData"].VR, original["PixelData"].is_undefined_length = "OB", True
        original.file_meta.TransferSyntaxUID = compressed.file_meta.TransferSyntaxUID
        pydicom.dcmwrite(path, original, enforce_file_format=True)
    assert original.file_meta.TransferSyntaxUID.name.startswith(compressor[:4])
    assert original.file_meta.TransferSyntaxUID.is_compressed
    assert np.array_equal(read_dicom_series(tmp_path).volume, volume)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.70", RLELossless])
def test_damaged_compressed_pixels_are_an_error(tmp_path: Path, syntax: str):
    for path in write_series(tmp_path, hu_volume()):
        dataset = pydicom.dcmread(path)
        dataset.PixelData = pydicom.encaps.encapsulate([b"no image at all!"])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    with pytest.raises(
        ScanError, match=r"s006.dcm: expected pixels that can be decoded, got .*copy or download the file again$"
    ):
        read_dicom_series(tmp_path)


def test_enhanced_multi_frame_file_is_read_as_a_stack(tmp_path: Path):
    volume = hu_volume()
    intercepts = [-1024, -1000, 0, 0, -1024, -1024]
    stored = volume - np.reshape(intercepts, (6, 1, 1))
    write_enhanced(tmp_path / "enhanced.dcm", stored.astype(np.int16), intercepts=intercepts)
    for path in (tmp_path / "enhanced.dcm", tmp_path):
        scan = read_scan(path)
        assert np.array_equal(scan.volume, volume)
        assert (scan.spacing_mm, scan.origin_lps_mm) == ((2.0, 0.75, 0.5), (-5.0, -7.0, 10.0))
        assert scan.files == (tmp_path / "enhanced.dcm",)


def test_compressed_multi_frame_file_is_refused_with_the_way_out(tmp_path: Path):
    path = tmp_path / "enhanced.dcm"
    write_enhanced(path, hu_volume(), intercepts=[0] * 6)

    def compress(dataset: Dataset) -> None:
        dataset.PixelData = pydicom.encaps.encapsulate([b"jpeg"] * 6)
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLosslessSV1

    rewrite(path, compress)
    with pytest.raises(ScanError, match=r"single frames in compressed DICOM files, got many frames in JPEG Lossless"):
        read_scan(path)


def test_cut_pixels_name_the_slice(tmp_path: Path):
    paths = write_series(tmp_path, hu_volume())
    rewrite(paths[2], lambda dataset: setattr(dataset, "PixelData", dataset.PixelData[:100]))
    with pytest.raises(ScanError, match=r"s004.dcm: expected 160 bytes of pixels as its header says, got 100; copy"):
        read_dicom_series(tmp_path)


def test_slice_without_pixels_is_named(tmp_path: Path):
    paths = write_series(tmp_path, hu_volume())
    rewrite(paths[2], lambda dataset: delattr(dataset, "PixelData"))
    with pytest.raises(ScanError, match=r"s004.dcm: expected pixel data, got none"):
        read_dicom_series(tmp_path)


def test_colour_and_odd_bits_are_errors(tmp_path: Path):
    write_series(tmp_path / "colour", hu_volume(), SamplesPerPixel=3)
    with pytest.raises(ScanError, match=r"one number per pixel, got 3 \(a colour image\)"):
        read_dicom_series(tmp_path / "colour")
    write_series(tmp_path / "packed", hu_volume(), BitsAllocated=12, BitsStored=12, HighBit=11)
    with pytest.raises(ScanError, match="8, 16 or 32 bits per pixel, got 12"):
        read_dicom_series(tmp_path / "packed")


@pytest.mark.parametrize(
    ("stored", "elements", "words"),
    [
        (hu_volume().clip(0, 255).astype(np.uint8), {}, r"got 8-bit values \(uint8\)"),
        (hu_volume().clip(-400), {}, r"air below -500, got none below -400"),
        ((hu_volume() + 1024), {}, r"none below 24 .*intercept \(mostly -1024\) was not applied"),
        (hu_volume(), {"RescaleType": "Z_EFF"}, "values in HU, got RescaleType Z_EFF"),
        (np.full((6, 8, 10), -1000, np.int16), {}, "the same value -1000 in every voxel"),
    ],
)
def test_numbers_that_are_not_hu_are_refused_unless_assumed(
    tmp_path: Path, stored: np.ndarray, elements: dict[str, str], words: str
):
    write_series(tmp_path, stored, **elements)
    with pytest.raises(ScanError, match=words + r".*--assume-hu \(assume_hu=True\)$"):
        read_scan(tmp_path)
    assert np.array_equal(read_scan(tmp_path, assume_hu=True).volume, stored)


def test_padding_does_not_make_other_numbers_hu(tmp_path: Path):
    stored = hu_volume().clip(-400)
    stored[:, -1] = -3024
    write_series(tmp_path, stored, PixelPaddingValue=-3024)
    with pytest.raises(ScanError, match="air below -500, got none below -400"):
        read_scan(tmp_path)
