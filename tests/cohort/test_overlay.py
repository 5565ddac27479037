import itertools

import numpy as np
import pytest
from PIL import Image

from fastgmm.cohort._overlay import LegendEntry, draw_overlay
from fastgmm.cohort._planes import body_axes, choose_planes
from fastgmm.cohort._png import write_png

RED = (255, 0, 0)
LEGEND = [LegendEntry(1, "air", RED, "12.0 %")]
# Columns: directions of (z, y, x) in LPS, for a scan stored feet first, front first, right first.
STANDARD = np.eye(3)[:, ::-1]


def body(shape=(40, 30, 20)):
    """HU that say where a voxel lies: head, front and right are bright."""
    z, y, x = np.indices(shape)
    return (z * 10 - y * 3 - x).astype(np.int16), np.ones(shape, np.uint8)


def test_axial_slices_have_front_up_and_right_on_the_left():
    volume, labels = body()
    plane = choose_planes(volume, labels, (2, 1, 1), STANDARD)[0]
    assert plane.view == "axial"
    np.testing.assert_array_equal(plane.hu, volume[plane.index])
    assert plane.hu[0, 0] > plane.hu[-1, 0]
    assert plane.hu[0, 0] > plane.hu[0, -1]


def test_coronal_and_sagittal_slices_have_the_head_up():
    volume, labels = body()
    coronal, sagittal = choose_planes(volume, labels, (2, 1, 1), STANDARD)[3:]
    assert (coronal.view, sagittal.view) == ("coronal", "sagittal")
    np.testing.assert_array_equal(coronal.hu, volume[::-1, coronal.index])
    np.testing.assert_array_equal(sagittal.hu, volume[::-1, :, sagittal.index])
    assert coronal.spacing_mm == (2, 1)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=3)))
def test_the_picture_does_not_depend_on_how_the_scan_is_stored(order, signs):
    volume, labels = body()
    labels[:10] = 0
    expected = choose_planes(volume, labels, (3.0, 2.0, 1.0), STANDARD)
    steps = tuple(slice(None, None, sign) for sign in signs)
    spacing = tuple((3.0, 2.0, 1.0)[axis] for axis in order)
    direction = (STANDARD * np.array(signs))[:, order]
    planes = choose_planes(volume[steps].transpose(order), labels[steps].transpose(order), spacing, direction)
    for plane, other in zip(planes, expected, strict=True):
        np.testing.assert_array_equal(plane.hu, other.hu)
        np.testing.assert_array_equal(plane.labels, other.labels)
        assert plane.spacing_mm == other.spacing_mm


def test_an_oblique_scan_is_shown_along_its_nearest_axes():
    angle = np.deg2rad(20)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    assert body_axes(turn @ STANDARD) == body_axes(STANDARD)


def test_axial_slices_lie_in_the_lungs_and_the_sagittal_one_inside_one():
    volume, labels = body((60, 40, 40))
    labels[:] = 0
    labels[20:40, 10:30, 5:12] = 1
    labels[20:40, 10:30, 28:36] = 1
    planes = choose_planes(volume, labels, (1, 1, 1), STANDARD)
    assert all(20 <= plane.index < 40 for plane in planes[:3])
    assert planes[0].index > planes[1].index > planes[2].index
    assert all(plane.labels.any() for plane in planes)


def test_a_scan_without_labels_is_drawn_at_its_middle():
    volume, labels = body()
    planes = choose_planes(volume, np.zeros_like(labels), (1, 1, 1), STANDARD)
    assert [plane.index for plane in planes] == [29, 19, 9, 15, 10]


def test_labelled_pixels_are_tinted_and_others_grey():
    volume = np.full((8, 100, 100), -600, np.int16)
    labels = np.zeros(volume.shape, np.uint8)
    labels[:, :, 50:] = 1
    picture = draw_overlay(choose_planes(volume, labels, (1, 1, 1), STANDARD), "c", LEGEND)
    # The window is -1350..150 HU, so -600 HU is the middle grey; 65 % of a tinted pixel is the colour of its class.
    np.testing.assert_array_equal(picture[240, 100], [127, 127, 127])
    np.testing.assert_array_equal(picture[240, 300], [210, 44, 44])


def test_panels_keep_the_proportions_of_the_body():
    volume, labels = body((20, 100, 100))
    thick = draw_overlay(choose_planes(volume, labels, (5, 1, 1), STANDARD), "c", LEGEND)
    thin = draw_overlay(choose_planes(volume, labels, (1, 1, 1), STANDARD), "c", LEGEND)
    assert thick.shape[1] == thin.shape[1]
    assert thick.shape[0] > thin.shape[0]


@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 2, 900), (2000, 8, 8)])
def test_odd_shapes_are_drawn(tmp_path, shape):
    volume, labels = body(shape)
    picture = draw_overlay(choose_planes(volume, labels, (1, 1, 1), STANDARD), "Ω ü", LEGEND, ["note"])
    write_png(tmp_path / "o.png", picture)
    with Image.open(tmp_path / "o.png") as read:
        assert read.format == "PNG"
        assert max(read.size) < 3000
        np.testing.assert_array_equal(np.asarray(read), picture)


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 1, 3), (1, 300, 3), (300, 200, 3)])
def test_png_files_hold_the_pixels(tmp_path, shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    write_png(tmp_path / "p.png", pixels)
    with Image.open(tmp_path / "p.png") as read:
        assert read.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(read), pixels)
