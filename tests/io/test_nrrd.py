"""NRRD files of every kind, judged by SimpleITK and pynrrd."""

import binascii
import bz2
import gzip
from pathlib import Path
from typing import Any

import nrrd
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from scan_files import chest_like, nrrd_bytes, write_nrrd

from fastgmm.errors import ScanError
from fastgmm.io import read_header, read_scan

NO_SPACE: dict[str, Any] = {"space": None, "space_directions": None, "space_origin": None}
SPACES = {
    "lps": {},
    "ras": {"space": "right-anterior-superior"},
    "RAS": {"space": "RAS"},
    "las": {"space": "left-anterior-superior"},
    "scanner": {"space": "scanner-xyz"},
    "left-handed space": {"space": "3D-left-handed"},
    "flipped": {"space_directions": "(0.75,0,0) (0,-0.5,0) (0,0,2.5)"},
    "oblique": {"space_directions": "(0.6,0.3,0) (-0.25,0.5,0) (0,0,-2.5)"},
    "oblique ras": {"space": "RAS", "space_directions": "(0.6,0.3,0) (-0.25,0.5,0) (0,0,-2.5)"},
    "axes permuted": {"space_directions": "(0,0,2.5) (0.75,0,0) (0,0.5,0)"},
    "spacings": NO_SPACE | {"spacings": "0.5 0.6 2"},
    "axis mins": NO_SPACE | {"spacings": "0.5 0.6 2", "axis_mins": "1 2 3"},
    "axis mins of nodes": NO_SPACE | {"spacings": "0.5 0.6 2", "axis_mins": "1 2 3", "centers": "node node node"},
    "axis mins of cells": NO_SPACE | {"spacings": "0.5 0.6 2", "axis_mins": "1 2 3", "centerings": "cell cell cell"},
    "no origin": {"space_origin": None},
    "no kinds": {"kinds": None},
    "kinds of space": {"kinds": "space space space"},
    "units": {"space_units": '"mm" "mm" "mm"'},
}


def assert_equals_simpleitk(path: Path, *, assume_hu: bool = False) -> np.ndarray:
    image = sitk.ReadImage(str(path))
    scan = read_scan(path, assume_hu=assume_hu)
    assert np.array_equal(scan.volume, sitk.GetArrayFromImage(image))
    assert np.allclose(scan.spacing_mm, image.GetSpacing()[::-1], rtol=1e-15, atol=0)
    assert scan.origin_lps_mm == image.GetOrigin()
    direction = np.reshape(image.GetDirection(), (3, 3))[:, ::-1]
    assert np.allclose(scan.direction, direction, rtol=0, atol=1e-15)
    assert scan.warnings == ()
    return scan.volume


@pytest.mark.parametrize("fields", SPACES.values(), ids=SPACES)
def test_geometry_equals_simpleitk(tmp_path: Path, fields: dict[str, Any]):
    volume = chest_like()
    assert np.array_equal(assert_equals_simpleitk(write_nrrd(tmp_path / "ct.nrrd", volume, **fields)), volume)


@pytest.mark.parametrize("dtype", ["i2", "i4", "i8", "u2", "u4", "u8", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_types_and_byte_orders_equal_simpleitk(tmp_path: Path, dtype: str, order: str, encoding: str):
    volume = chest_like() if not dtype.startswith("u") else chest_like() + 1024
    names = {"i2": "int16", "i4": "int32", "i8": "int64", "u2": "uint16", "u4": "uint32", "u8": "uint64"}
    names |= {"f4": "float", "f8": "double"}
    stored = volume.astype(order + dtype)
    path = write_nrrd(tmp_path / "ct.nrrd", stored, encoding=encoding, type=names[dtype])
    assert np.array_equal(assert_equals_simpleitk(path, assume_hu=True), volume)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_8_bit_types_equal_simpleitk(tmp_path: Path, dtype: str):
    volume = chest_like().clip(-128, 127).astype(dtype)
    path = write_nrrd(tmp_path / "ct.nrrd", volume, type={"int8": "signed char", "uint8": "uchar"}[dtype], endian=None)
    assert_equals_simpleitk(path, assume_hu=True)


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("raw", bytes),
        ("gz", gzip.compress),
        ("bzip2", bz2.compress),
        ("hex", binascii.hexlify),
        ("ascii", lambda content: b"\n".join(b"%d" % value for value in np.frombuffer(content, "<i2"))),
    ],
)
def test_every_encoding_is_read(tmp_path: Path, encoding: str, encode: Any):
    volume = chest_like()
    path = write_nrrd(tmp_path / "ct.nrrd", volume, encode(volume.tobytes()), encoding=encoding)
    assert np.array_equal(read_scan(path).volume, volume)
    if encoding not in ("hex", "bzip2"):
        assert np.array_equal(nrrd.read(str(path), index_order="C")[0], volume)


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [("bzip2", lambda content: content), ("hex", lambda _: b"xyz"), ("ascii", lambda _: b"1 2 x")],
)
def test_damaged_text_and_bzip2_are_errors(tmp_path: Path, encoding: str, encode: Any):
    path = write_nrrd(tmp_path / "ct.nrrd", chest_like(), encode(b"rubbish"), encoding=encoding)
    with pytest.raises(ScanError, match=f"ct.nrrd: expected {encoding} data, as its header says, got .*; copy"):
        read_scan(path)


def test_gzip_of_several_members_and_with_garbage_behind_is_read(tmp_path: Path):
    volume = chest_like((9, 60, 70))
    content = volume.tobytes()
    members = gzip.compress(content[:30001]) + gzip.compress(b"") + gzip.compress(content[30001:])
    for name, payload in (("members", members), ("zeros", members + bytes(1000)), ("garbage", members + b"garbage")):
        path = write_nrrd(tmp_path / f"{name}.nrrd", volume, payload)
        assert np.array_equal(assert_equals_simpleitk(path), volume)


@pytest.mark.parametrize("n_bytes", [65535, 65536, 65537, 131072])
def test_gzip_members_that_end_where_a_read_ends(tmp_path: Path, n_bytes: int):
    volume = chest_like((9, 90, 90))
    content = volume.tobytes()
    half = n_bytes // 2
    stored = gzip.compress(content[:half], 0)
    named = stored[:3] + b"\x08" + stored[4:10] + b"n" * (n_bytes - len(stored) - 1) + b"\0" + stored[10:]
    assert len(named) == n_bytes
    path = write_nrrd(tmp_path / "ct.nrrd", volume, named + gzip.compress(content[half:]))
    assert np.array_equal(assert_equals_simpleitk(path), volume)


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_skipped_lines_and_bytes(tmp_path: Path, encoding: str):
    volume = chest_like()
    content = b"0123456789" + volume.tobytes()
    payload = b"first line\nsecond line\n" + (gzip.compress(content) if encoding == "gzip" else content)
    path = write_nrrd(tmp_path / "ct.nrrd", volume, payload, encoding=encoding, line_skip=2, byte_skip=10)
    assert np.array_equal(assert_equals_simpleitk(path), volume)
    if encoding == "raw":  # pynrrd skips bytes of the compressed stream, the format's page and teem those within
        assert np.array_equal(nrrd.read(str(path), index_order="C")[0], volume)


def test_byte_skip_of_minus_one_takes_the_end_of_the_file(tmp_path: Path):
    volume = chest_like()
    path = write_nrrd(tmp_path / "ct.nrrd", volume, b"unknown" * 99 + volume.tobytes(), encoding="raw", byte_skip=-1)
    assert np.array_equal(assert_equals_simpleitk(path), volume)


@pytest.mark.parametrize(("name", "value"), [("byte_skip", -2), ("line_skip", -1), ("line_skip", "many")])
def test_skips_that_make_no_sense_are_errors(tmp_path: Path, name: str, value: Any):
    path = write_nrrd(tmp_path / "ct.nrrd", chest_like(), encoding="raw", **{name: value})
    with pytest.raises(
        ScanError, match=rf"a number of at least -?\d in the header's {name.replace('_', '')}, got '{value}'"
    ):
        read_scan(path)


def test_lines_skipped_beyond_the_end_leave_no_data(tmp_path: Path):
    path = write_nrrd(tmp_path / "ct.nrrd", chest_like(), b"one\n", encoding="raw", line_skip=3)
    with pytest.raises(ScanError, match="expected 420 bytes of voxels as its header says, got a file of 0 bytes"):
        read_scan(path)


@pytest.mark.parametrize("name", ["ct.raw.gz", "below/ct.raw.gz"])
def test_detached_header(tmp_path: Path, name: str):
    volume = chest_like()
    (tmp_path / "below").mkdir()
    (tmp_path / name).write_bytes(gzip.compress(volume.tobytes()))
    path = write_nrrd(tmp_path / "ct.nhdr", volume, b"", data_file=name)
    assert np.array_equal(assert_equals_simpleitk(path), volume)
    assert read_scan(path).files == (path, tmp_path / name)


def test_detached_header_ends_with_the_file_and_its_data_must_be_there(tmp_path: Path):
    volume = chest_like()
    path = tmp_path / "ct.nhdr"
    path.write_bytes(nrrd_bytes(volume, b"", datafile="ct.raw", encoding="raw").rstrip())
    with pytest.raises(
        ScanError, match=r"expected its data file .*ct\.raw, got no such file; put it beside the header"
    ):
        read_scan(path)
    (tmp_path / "ct.raw").write_bytes(volume.tobytes())
    assert np.array_equal(read_scan(path).volume, volume)


def test_list_of_data_files_is_read_through_simpleitk(tmp_path: Path):
    volume = chest_like()
    for z, plane in enumerate(volume):
        (tmp_path / f"slice{z}.raw").write_bytes(plane.tobytes())
    path = write_nrrd(tmp_path / "ct.nhdr", volume, b"", encoding="raw", data_file="slice%d.raw 0 4 1 2")
    scan = read_scan(path)
    assert np.array_equal(scan.volume, volume)
    assert scan.format == "sitk"
    assert read_header(path).spacing_mm == scan.spacing_mm == (2.5, 0.5, 0.75)


def test_windows_line_ends_comments_and_key_values(tmp_path: Path):
    volume = chest_like()
    header = nrrd_bytes(volume, b"").replace(b"\n\n", b"\n# a comment: with colon\nPatient:=some one: here\n\n")
    path = tmp_path / "ct.nrrd"
    path.write_bytes(header.replace(b"\n", b"\r\n") + gzip.compress(volume.tobytes()))
    scan = read_scan(path)
    assert np.array_equal(scan.volume, volume)
    assert scan.spacing_mm == (2.5, 0.5, 0.75)
    assert not any("some one" in text for text in scan.header.fields.values())


def test_header_longer_than_a_block(tmp_path: Path):
    volume = chest_like()
    long = b"".join(b"key%d:=%s\n" % (i, b"v" * 100) for i in range(1000))
    path = tmp_path / "ct.nrrd"
    path.write_bytes(nrrd_bytes(volume, b"").replace(b"\n\n", b"\n" + long + b"\n") + gzip.compress(volume.tobytes()))
    assert np.array_equal(read_scan(path).volume, volume)


def test_axis_of_one_entry_beside_the_volume_is_dropped(tmp_path: Path):
    volume = chest_like()
    directions = "none (0.75,0,0) (0,0.5,0) (0,0,2.5)"
    path = write_nrrd(
        tmp_path / "first.nrrd", volume[..., None], space_directions=directions, kinds="vector domain domain domain"
    )
    scan = read_scan(path)
    assert np.array_equal(scan.volume, volume)
    assert scan.spacing_mm == (2.5, 0.5, 0.75)
    path = write_nrrd(tmp_path / "last.nrrd", volume[None], **NO_SPACE, kinds=None, spacings="0.75 0.5 2.5 nan")
    assert np.array_equal(read_scan(path).volume, volume)


def test_missing_spacing_and_other_units_are_warned_of(tmp_path: Path):
    path = write_nrrd(tmp_path / "ct.nrrd", chest_like(), **NO_SPACE)
    scan = read_scan(path)
    assert scan.spacing_mm == (1.0, 1.0, 1.0)
    assert scan.warnings == ("the header states no voxel spacing: 1 mm is assumed",)
    path = write_nrrd(tmp_path / "cm.nrrd", chest_like(), space_units='"cm" "mm" "cm"')
    assert read_scan(path).warnings == ("space units cm in the header are taken as mm",)


def test_more_bytes_than_the_header_says_are_warned_of(tmp_path: Path):
    volume = chest_like()
    for encoding in ("raw", "gzip"):
        content = volume.tobytes() + b"12"
        path = write_nrrd(
            tmp_path / "ct.nrrd", volume, gzip.compress(content) if encoding == "gzip" else content, encoding=encoding
        )
        scan = read_scan(path)
        assert np.array_equal(scan.volume, volume)
        assert scan.warnings == (
            "the file holds more than the 420 bytes of voxels its header describes; the rest is ignored",
        )
