"""Label maps and volumes written with the geometry of their scan, judged by SimpleITK, nibabel and pynrrd."""

import gzip
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from dicom_folders import PATIENT, hu_volume, write_series
from scan_files import GEOMETRY, chest_like, write_nrrd
from scipy.spatial.transform import Rotation

from fastgmm.errors import ScanError
from fastgmm.io import Scan, label_extension, read_header, read_scan, write_labels, write_scan

OBLIQUE = "(0.6,0.3000,0) (-0.25,0.50000000000000001,0) (0,0,-2.5e0)"
AFFINE = np.array([[-0.5, 0, 0, 10], [0, 0.75, 0, -20], [0, 0, 2.5, -300], [0, 0, 0, 1.0]])


def some_labels(shape: tuple[int, ...] = (5, 6, 7)) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 6, shape).astype(np.uint8)


def header_of(path: Path) -> list[str]:
    return path.read_bytes().partition(b"\n\n")[0].decode().splitlines()


def assert_same_place(path: Path, scan: Scan, volume: np.ndarray, *, rtol: float = 0.0) -> None:
    image = sitk.ReadImage(str(path))
    assert np.array_equal(sitk.GetArrayFromImage(image), volume)
    assert np.allclose(image.GetSpacing()[::-1], scan.spacing_mm, rtol=max(rtol, 1e-15), atol=0)
    assert np.allclose(image.GetOrigin(), scan.origin_lps_mm, rtol=rtol, atol=0)
    assert np.allclose(np.reshape(image.GetDirection(), (3, 3))[:, ::-1], scan.direction, rtol=0, atol=max(rtol, 1e-15))


def test_nrrd_geometry_is_copied_word_for_word(tmp_path: Path):
    words = GEOMETRY | {
        "space": "RAS", "space directions": OBLIQUE, "space origin": "(-1.50, 2.0e1,3)", "thicknesses": "nan nan 2.00",
        "space units": '"mm" "mm" "mm"', "measurement frame": "(1,0,0) (0,1,0) (0,0,1)", "centers": "cell cell cell",
    }  # fmt: skip
    fields = {name.replace(" ", "_"): text for name, text in words.items()}
    scan = read_scan(write_nrrd(tmp_path / "ct.nrrd", chest_like(), content=PATIENT, **fields))
    write_labels(tmp_path / "labels.nrrd", some_labels(), scan)
    lines = header_of(tmp_path / "labels.nrrd")
    for name, text in words.items():
        assert f"{name}: {text}" in lines
    assert {line.partition(":")[0] for line in lines[1:]} - set(words) == {"type", "dimension", "sizes", "encoding"}
    assert_same_place(tmp_path / "labels.nrrd", scan, some_labels())
    content, header = nrrd.read(str(tmp_path / "labels.nrrd"), index_order="C")
    assert np.array_equal(content, some_labels())
    assert header["type"] == "unsigned char"
    assert not list(tmp_path.glob(".*"))


def test_nrrd_without_space_keeps_its_spacings(tmp_path: Path):
    nothing = {"space": None, "space_directions": None, "space_origin": None}
    path = write_nrrd(tmp_path / "ct.nrrd", chest_like(), **nothing, spacings="0.50 0.6 2", axis_mins="1 2 3.0")
    write_labels(tmp_path / "labels.nrrd", some_labels(), read_scan(path))
    assert {"spacings: 0.50 0.6 2", "axis mins: 1 2 3.0"} < set(header_of(tmp_path / "labels.nrrd"))


def test_nrrd_with_an_axis_beside_the_volume_keeps_the_words_of_the_others(tmp_path: Path):
    path = write_nrrd(
        tmp_path / "ct.nrrd",
        chest_like()[..., None],
        space_directions=f"none {OBLIQUE}",
        kinds="list space space domain",
    )
    scan = read_scan(path)
    write_labels(tmp_path / "labels.nrrd", some_labels(), scan)
    lines = header_of(tmp_path / "labels.nrrd")
    assert {f"space directions: {OBLIQUE}", "kinds: space space domain", "dimension: 3"} < set(lines)
    assert_same_place(tmp_path / "labels.nrrd", scan, some_labels())


@pytest.mark.parametrize("image", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize(("name", "order"), [("ct.nii", "<"), ("ct.nii.gz", ">")])
def test_nifti_header_is_copied(tmp_path: Path, image: type, name: str, order: str):
    header = image.header_class(endianness=order)
    made = image(chest_like().T, None, header)
    made.set_qform(AFFINE, 1)
    made.set_sform(AFFINE + 1e-3, 4)
    made.header["descrip"], made.header["intent_code"] = PATIENT.encode(), 5
    made.header.set_xyzt_units("mm")
    nibabel.save(made, tmp_path / name)
    scan = read_scan(tmp_path / name)
    labels_name = "labels" + label_extension(scan)
    assert labels_name == name.replace("ct", "labels")
    write_labels(tmp_path / labels_name, some_labels(), scan)
    old, new = nibabel.load(tmp_path / name), nibabel.load(tmp_path / labels_name)
    assert isinstance(new, image)
    assert np.array_equal(np.asanyarray(new.dataobj).T, some_labels())
    fields = ["pixdim", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y"]
    for field in [*fields, "qoffset_z", "srow_x", "srow_y", "srow_z", "xyzt_units"]:
        assert np.array_equal(new.header[field], old.header[field])
    assert new.get_data_dtype() == np.uint8
    assert (new.header["intent_code"], new.header["descrip"]) == (1002, b"fastgmm")
    assert (new.dataobj.offset, new.header["bitpix"]) == (new.header.structarr.dtype.itemsize + 4, 8)
    content = (tmp_path / labels_name).read_bytes()
    content = gzip.decompress(content) if name.endswith(".gz") else content
    scaling = np.frombuffer(content, *(("<f4", 2, 112) if image is nibabel.Nifti1Image else ("<f8", 2, 176)))
    assert scaling.tolist() == [1, 0]


@pytest.mark.parametrize("extension", [".nrrd", ".nii", ".nii.gz", ".mha"])
@pytest.mark.parametrize("handed", [1, -1])
def test_every_format_holds_the_place_of_an_oblique_scan(tmp_path: Path, extension: str, handed: int):
    direction = Rotation.random(random_state=5).as_matrix() * handed
    scan = Scan(
        path=tmp_path / "made", volume=chest_like(), spacing_mm=(2.5, 0.1 + 0.2, 1 / 3), direction=direction,
        origin_lps_mm=(-100.1, 1 / 7, 1e-9), format="dicom",
    )  # fmt: skip
    write_scan(tmp_path / f"ct{extension}", scan)
    write_labels(tmp_path / f"labels{extension}", some_labels(), scan)
    rtol = 1e-6 if ".nii" in extension else 0.0
    assert_same_place(tmp_path / f"ct{extension}", scan, scan.volume, rtol=rtol)
    assert_same_place(tmp_path / f"labels{extension}", scan, some_labels(), rtol=rtol)
    again = read_scan(tmp_path / f"ct{extension}")
    assert np.array_equal(again.volume, scan.volume)
    if ".nii" in extension:
        loaded = nibabel.load(tmp_path / f"ct{extension}")
        assert np.allclose(loaded.header.get_qform(), loaded.header.get_sform(), atol=1e-5)
        assert (loaded.header["qform_code"], loaded.header["sform_code"]) == (1, 1)
        assert (loaded.header["intent_code"], loaded.dataobj.slope) == (0, 1)


@pytest.mark.parametrize("turn", [(180, 0, 0), (0, 180, 0), (0, 0, 180), (180, 180, 0), (90, 90, 90), (120, 0, 240)])
def test_quaternion_of_half_turns(tmp_path: Path, turn: tuple[float, float, float]):
    direction = Rotation.from_euler("xyz", turn, degrees=True).as_matrix()
    scan = Scan(path=tmp_path / "made", volume=chest_like(), spacing_mm=(2, 1, 1), direction=direction)
    write_scan(tmp_path / "ct.nii", scan)
    header = nibabel.load(tmp_path / "ct.nii").header
    assert np.allclose(header.get_qform(), header.get_sform(), atol=1e-5)


@pytest.mark.parametrize("extension", [".nrrd", ".nii", ".nii.gz", ".mha"])
def test_dicom_is_converted_without_patient_data(tmp_path: Path, extension: str):
    volume = hu_volume()
    heights = [-300.1 + 1.1 * z for z in range(len(volume))]
    study = {"InstitutionName": "St. Elsewhere", "StudyDescription": "Thorax 4711", "AccessionNumber": "A-815"}
    write_series(tmp_path / "series", volume, heights=heights, SeriesDescription="for Dr. No", **study)
    scan = read_scan(tmp_path / "series")
    assert label_extension(scan) == ".nrrd"
    path = tmp_path / f"ct{extension}"
    write_scan(path, scan)
    write_labels(tmp_path / f"labels{extension}", some_labels(volume.shape), scan)
    assert_same_place(path, scan, volume, rtol=1e-6 if ".nii" in extension else 0.0)
    for written in (path, tmp_path / f"labels{extension}"):
        image = sitk.ReadImage(str(written))
        texts = [image.GetMetaData(key) for key in image.GetMetaDataKeys()]
        if extension == ".nii.gz":
            nibabel.save(nibabel.load(written), tmp_path / "plain.nii")
            written = tmp_path / "plain.nii"
        content = written.read_bytes().lower() + " ".join(texts).lower().encode()
        for secret in (PATIENT, "Erika", "ID-4711", "19700101", "1.2.3.4", "Dr. No", *study.values(), str(tmp_path)):
            assert secret.lower().encode() not in content


def test_axes_too_long_for_nifti_1_are_refused_with_the_way_out(tmp_path: Path):
    scan = Scan(path=tmp_path / "made", volume=np.zeros((1, 1, 32768), np.int16), spacing_mm=(1, 1, 1))
    with pytest.raises(ScanError, match=r"at most 32767 voxels along an axis for NIfTI-1, got 32768; write \.nrrd"):
        write_scan(tmp_path / "ct.nii.gz", scan)
    assert not list(tmp_path.iterdir())


def test_written_files_do_not_depend_on_the_time(tmp_path: Path):
    scan = Scan(path=tmp_path / "made", volume=chest_like(), spacing_mm=(2, 1, 1))
    for extension in (".nrrd", ".nii", ".nii.gz", ".mha"):
        for name in ("first", "second"):
            write_scan(tmp_path / f"{name}{extension}", scan)
        assert (tmp_path / f"first{extension}").read_bytes() == (tmp_path / f"second{extension}").read_bytes()


def test_masks_and_arrays_of_other_layouts_are_written(tmp_path: Path):
    scan = Scan(path=tmp_path / "made", volume=chest_like(), spacing_mm=(2, 1, 1))
    labels = np.asfortranarray(some_labels())
    labels.flags.writeable = False
    for name, values in (("labels", labels), ("mask", labels > 2), ("strided", np.repeat(labels, 2, axis=2)[..., ::2])):
        write_labels(tmp_path / f"{name}.nrrd", values, scan)
        assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f"{name}.nrrd"))), values)


def test_labels_may_be_written_for_a_header(tmp_path: Path):
    path = write_nrrd(tmp_path / "ct.nrrd", chest_like())
    write_labels(tmp_path / "labels.nrrd", some_labels(), read_header(path))
    assert_same_place(tmp_path / "labels.nrrd", read_scan(path), some_labels())


@pytest.mark.parametrize(
    ("name", "extension"),
    [("a.nrrd", ".nrrd"), ("a.nhdr", ".nrrd"), ("a.nii", ".nii"), ("a.NII.GZ", ".nii.gz"), ("a.mhd", ".mha")],
)
def test_labels_take_the_format_of_the_scan(name: str, extension: str):
    formats = {".nrrd": "nrrd", ".nii": "nifti", ".nii.gz": "nifti", ".mha": "metaimage"}
    scan = Scan(path=Path(name), volume=chest_like(), spacing_mm=(1, 1, 1), format=formats[extension])
    assert label_extension(scan) == extension


def test_volume_of_a_scan_must_be_int16():
    with pytest.raises(TypeError, match=r"volume must be a 3-D int16 array of HU, got float64 of shape \(2, 2, 2\)"):
        Scan(path=Path("made"), volume=np.zeros((2, 2, 2)), spacing_mm=(1, 1, 1))


def test_labels_of_another_shape_or_type_are_refused(tmp_path: Path):
    scan = Scan(path=tmp_path / "made", volume=chest_like(), spacing_mm=(2, 1, 1))
    with pytest.raises(ValueError, match=r"labels must have the scan's shape \(5, 6, 7\), got \(5, 6, 8\)"):
        write_labels(tmp_path / "labels.nrrd", some_labels((5, 6, 8)), scan)
    with pytest.raises(TypeError, match=r"labels must be a 3-D uint8 or bool array, got int16 of shape \(5, 6, 7\)"):
        write_labels(tmp_path / "labels.nrrd", chest_like(), scan)
    assert not list(tmp_path.iterdir())
