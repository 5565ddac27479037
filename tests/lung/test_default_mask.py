"""The default preset on the synthetic thorax, on real scans with given masks, and on what is no chest."""

from itertools import permutations, product

import numpy as np
import pytest

from fastgmm.errors import LungNotFoundError
from fastgmm.lung import LungSettings, segment_lungs, smooth_labels
from fastgmm.lung.phantom import thorax_phantom
from fastgmm.lung.settings import radius_voxels

SHAPE = (100, 128, 128)


def read(path):
    """Return voxels (z, y, x), spacing and direction in the same order, by SimpleITK."""
    import SimpleITK

    image = SimpleITK.ReadImage(str(path))
    direction = np.array(image.GetDirection()).reshape(3, 3)[:, ::-1]
    return SimpleITK.GetArrayFromImage(image), image.GetSpacing()[::-1], direction


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def codes(found):
    return {warning.partition(":")[0] for warning in found.warnings}


def assert_lungs_are_found(thorax):
    """Check the lungs against the truth, apart and together, and the gas and the airways."""
    found = segment_lungs(thorax.volume, thorax.spacing_mm)
    mask, truth = found.mask.to_array(), thorax.truth
    assert dice(mask, truth.lungs > 0) >= 0.98
    assert dice(found.right.to_array(), truth.lungs == 1) >= 0.96
    assert dice(found.left.to_array(), truth.lungs == 2) >= 0.96
    assert (mask & truth.gas).sum() * np.prod(thorax.spacing_mm) / 1000 < 5
    consolidation = truth.tissue == 4
    assert (mask & consolidation).sum() >= 0.9 * consolidation.sum()
    assert not (mask & found.airway.to_array()).any()
    return found


@pytest.mark.parametrize("seed", range(3))
def test_thorax_of_a_seed(seed):
    found = assert_lungs_are_found(thorax_phantom(SHAPE, seed=seed))
    assert codes(found) <= {"lungs_not_separated"}


@pytest.mark.parametrize("switch", ["cut_by_field_of_view", "padding"])
def test_thorax_cut_or_padded(switch):
    found = assert_lungs_are_found(thorax_phantom(SHAPE, seed=1, **{switch: True}))
    assert ("lung_cut_by_field_of_view" in codes(found)) == (switch == "cut_by_field_of_view")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "shape"), [(seed, [SHAPE, (70, 200, 200), (160, 160, 160)][seed % 3]) for seed in range(10)]
)
def test_thorax_of_ten_seeds_and_three_sizes(shape, seed):
    for switches in ({}, {"cut_by_field_of_view": True}, {"padding": True}):
        assert_lungs_are_found(thorax_phantom(shape, seed=seed, **switches))


@pytest.mark.parametrize("name", ["imlab_id001", "imlab_id002", "cip64"])
def test_lungs_agree_with_given_masks(test_data, name):
    volume, spacing, direction = read(test_data / f"{name}_ct.nrrd")
    given = read(test_data / f"{name}_lungs.nrrd")[0] > 0
    mask = segment_lungs(volume, spacing, direction=direction).mask.to_array()
    assert dice(mask, given) >= 0.97
    assert (mask & given).sum() >= 0.95 * mask.sum()
    assert (volume[mask] >= -155).mean() <= 0.06


def test_all_48_orientations_give_the_same_lungs(test_data):
    volume, spacing, direction = read(test_data / "cip64_ct.nrrd")
    parts = segment_lungs(volume, spacing, direction=direction).labels()
    assert set(np.unique(parts)) == {0, 1, 2, 3}
    for axes, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        senses = tuple(slice(None, None, sign) for sign in signs)
        turned = np.ascontiguousarray(np.transpose(volume, axes)[senses])
        found = segment_lungs(
            turned, tuple(spacing[axis] for axis in axes), direction=direction[:, axes] * np.array(signs)
        )
        np.testing.assert_array_equal(found.labels(), np.transpose(parts, axes)[senses])


@pytest.mark.parametrize("name", ["imlab_id001", "imlab_id002", "cip64", "lungdx_a0002_8mm"])
@pytest.mark.parametrize(("axis", "end"), [(1, 0), (1, 1), (2, 0), (2, 1)])
def test_a_lung_cut_by_a_crop_is_found_and_flagged(test_data, name, axis, end):
    volume, spacing, direction = read(test_data / f"{name}_ct.nrrd")
    whole = segment_lungs(volume, spacing, direction=direction).mask.to_array()
    where = np.flatnonzero(whole.any(tuple(k for k in range(3) if k != axis)))
    cut = round(10 / spacing[axis])
    keep = [slice(None)] * 3
    keep[axis] = slice(where[-1] + 1 - cut) if end else slice(where[0] + cut, None)
    part = np.ascontiguousarray(volume[tuple(keep)])
    found = segment_lungs(part, spacing, direction=direction)
    assert dice(found.mask.to_array(), whole[tuple(keep)]) >= 0.99
    assert "lung_cut_by_field_of_view" in codes(found)


def test_slabs_keep_both_lungs(test_data):
    volume, spacing, direction = read(test_data / "imlab_id001_ct.nrrd")
    whole = segment_lungs(volume, spacing, direction=direction).mask.to_array()
    for first, last in ((3, 26), (20, 38), (33, 45), (40, 64)):
        found = segment_lungs(np.ascontiguousarray(volume[first:last]), spacing, direction=direction)
        assert dice(found.mask.to_array(), whole[first:last]) >= 0.98
        assert "lung_touches_end" in codes(found)


def body(shape=(60, 100, 120)):
    """Return an ellipse of tissue in air."""
    y, x = (np.linspace(-1, 1, n) for n in shape[1:])
    inside = (y[:, np.newaxis] / 0.7) ** 2 + (x / 0.9) ** 2 < 1
    return np.where(np.broadcast_to(inside, shape), 40, -1000).astype(np.int16)


def test_an_abdomen_is_refused_with_its_pieces():
    rng = np.random.default_rng(0)
    volume = body()
    z, y, x = np.ogrid[:60, :100, :120]
    for centre, radius in (((20, 40, 50), 17), ((40, 60, 80), 12)):
        gas = sum((a - c) ** 2 for a, c in zip((z, y, x), centre, strict=True)) < radius**2
        volume[gas] = np.rint(rng.normal(-992, 12, int(gas.sum())))
    with pytest.raises(LungNotFoundError, match="as dark as gas, with no lung above the diaphragm") as error:
        segment_lungs(volume, (3.0, 3.0, 3.0))
    assert "lies along the border" in str(error.value)
    assert "smaller than 150 ml" not in str(error.value)


def test_what_holds_no_lungs_is_refused_with_what_was_found():
    spacing = (3.0, 3.0, 3.0)
    with pytest.raises(LungNotFoundError, match=r"lies along the border \(contact"):
        segment_lungs(body(), spacing)
    with pytest.raises(LungNotFoundError, match="no air below -155 HU is left"):
        segment_lungs(np.full((20, 30, 40), 40, np.int16), spacing)
    with pytest.raises(LungNotFoundError, match=r"lies along the border"):
        segment_lungs(np.full((20, 30, 40), -1000, np.int16), spacing)
    with pytest.raises(
        LungNotFoundError, match=r"shape \(2, 100, 120\) .* by the opening of 2 mm, that is \(1, 1, 1\)"
    ):
        segment_lungs(body()[:2], spacing)


def test_air_in_a_table_is_no_lung(test_data):
    volume, spacing, direction = read(test_data / "cip64_ct.nrrd")
    with_table = np.pad(volume, ((0, 0), (0, 20), (0, 0)), constant_values=-1000)
    with_table[:, 62:80, 6:58] = 200
    with_table[:, 64:78, 8:56] = -900
    found = segment_lungs(with_table, spacing, direction=direction)
    alone = segment_lungs(volume, spacing, direction=direction)
    assert dice(found.mask.to_array()[:, :64], alone.mask.to_array()) >= 0.99
    assert not found.mask.to_array()[:, 64:].any()


def test_radii_are_rounded_with_halves_up_and_at_least_one():
    assert radius_voxels(2.0, (0.8, 1.0, 5.0)) == (3, 2, 1)
    assert radius_voxels(2.5, (1.0, 1.0, 1.0)) == (3, 3, 3)
    assert radius_voxels(0, (1.0, 1.0, 1.0)) == (0, 0, 0)


def test_sizes_in_voxels_of_a_scan_are_listed_by_step():
    assert LungSettings().radii_voxels((5.0, 0.8, 0.8)) == {
        "opening": (1, 3, 3),
        "airway wall": (1, 3, 3),
        "closing": (4, 25, 25),
        "median": (1, 3, 3),
    }
    assert LungSettings.published().radii_voxels((5.0, 0.8, 0.8)) == {
        "closing 1": (30, 30, 30),
        "closing 2": (20, 20, 20),
        "median": (4, 4, 4),
    }


def test_median_windows_are_odd_and_about_three_millimetres():
    settings = LungSettings()
    assert settings.median_size((2.0, 0.6, 0.6)) == (1, 5, 5)
    assert settings.median_size((1.0, 1.5, 0.3)) == (3, 3, 7)
    assert settings.median_size((8.0, 3.0, 0.75)) == (1, 1, 5)
    assert LungSettings.published().median_size((8.0, 3.0, 0.75)) == (4, 4, 4)


def test_smoothed_labels_are_zero_exactly_where_the_labels_are():
    rng = np.random.default_rng(3)
    labels = (rng.integers(1, 6, (9, 20, 30)) * (rng.random((9, 20, 30)) < 0.5)).astype(np.uint8)
    smoothed = smooth_labels(labels, LungSettings(), spacing_mm=(1.0, 1.0, 1.0))
    np.testing.assert_array_equal(smoothed == 0, labels == 0)
    assert (smoothed != labels).any()
    with pytest.raises(TypeError, match="spacing_mm must be three positive numbers"):
        smooth_labels(labels, LungSettings())


def test_obliquity_is_flagged():
    thorax = thorax_phantom((60, 96, 96), seed=2)
    c, s = np.cos(np.radians(25)), np.sin(np.radians(25))
    tilted = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ np.eye(3)[:, ::-1]
    assert "oblique" in codes(segment_lungs(thorax.volume, thorax.spacing_mm, direction=tilted))
