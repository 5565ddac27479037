"""The synthetic thorax: what it shows, and that its truth is what the issue asks for."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from fastgmm.lung.phantom import ThoraxTruth, dice_table, thorax_phantom

AIR_BELOW_HU = -155
SMALL = (100, 128, 128)
SEEDS = [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 10))]


@pytest.fixture(scope="module", params=SEEDS)
def quiet(request):
    """A thorax without noise."""
    return thorax_phantom(SMALL, seed=request.param, noise_hu=0)


@pytest.fixture(scope="module")
def fine():
    """The middle of a thorax at 0.7 mm, where the plane between the lungs is seen in every pixel row."""
    return thorax_phantom((80, 320, 160), (1.5, 0.7, 0.7), seed=4, noise_hu=0)


def millilitres(thorax, mask) -> float:
    return float(np.count_nonzero(mask) * np.prod(thorax.spacing_mm) / 1000)


def neighbours(mask):
    """Voxels outside the mask that share a face with it."""
    return ndimage.binary_dilation(mask) & ~mask


def same_truth(a: ThoraxTruth, b: ThoraxTruth) -> bool:
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(ThoraxTruth))


def test_a_seed_makes_the_same_thorax_again_and_another_seed_another():
    first, again, other = (thorax_phantom((20, 48, 48), seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(first.volume, again.volume)
    assert same_truth(first.truth, again.truth)
    assert np.mean(first.volume != other.volume) > 0.9
    assert not same_truth(first.truth, other.truth)


def test_arrays_have_the_stated_types_and_hounsfield_range():
    thorax = thorax_phantom((30, 60, 64), seed=2)
    assert thorax.volume.dtype == np.int16
    assert [getattr(thorax.truth, f.name).dtype.name for f in dataclasses.fields(ThoraxTruth)] == [
        "uint8", "bool", "bool", "uint8",
    ]  # fmt: skip
    assert thorax.volume.min() == -1024
    assert 400 < thorax.volume.max() <= 3071
    assert thorax.spacing_mm == (10.0, 6.0, 6.0)


def test_lungs_have_a_human_size_and_right_lies_at_low_x(quiet):
    right, left = quiet.truth.lungs == 1, quiet.truth.lungs == 2
    assert 2000 < millilitres(quiet, left) < millilitres(quiet, right) < 3500
    middle = quiet.volume.shape[2] // 2
    assert np.count_nonzero(right[:, :, middle + 4 :]) == 0
    assert np.count_nonzero(left[:, :, : middle - 4]) == 0


def test_lungs_airways_and_gas_do_not_overlap_and_tissue_fills_the_lungs(quiet):
    truth = quiet.truth
    layers = [truth.lungs > 0, truth.airways, truth.gas]
    assert np.sum(layers, axis=0).max() == 1
    assert np.array_equal(truth.tissue > 0, truth.lungs > 0)
    assert truth.tissue.max() == 5


@pytest.mark.parametrize(("tissue", "least_ml"), [(1, 150), (2, 2500), (3, 300), (4, 60), (5, 100)])
def test_every_tissue_is_there(quiet, tissue, least_ml):
    assert millilitres(quiet, quiet.truth.tissue == tissue) > least_ml


@pytest.mark.parametrize("tissue", [1, 2, 3, 4])
def test_tissues_form_coherent_regions(quiet, tissue):
    """At least 60 % of each tissue but vessels lies in pieces that hold a ball of 6 mm radius."""
    mask = quiet.truth.tissue == tissue
    pieces, _ = ndimage.label(mask)
    thick = ndimage.distance_transform_edt(mask, quiet.spacing_mm) > 6
    kept = np.isin(pieces, np.unique(pieces[thick])) & mask
    assert kept.sum() > 0.6 * mask.sum()


def test_tissues_have_their_intensities(quiet):
    """Medians lie in the published model's bands; what is called other is dense."""
    medians = [np.median(quiet.volume[quiet.truth.tissue == tissue]) for tissue in range(1, 6)]
    assert medians[0] <= -894 < medians[1] <= -722 < medians[2] <= -473 < medians[3] <= -236 < medians[4]


def test_threshold_joins_both_lungs_and_the_airways_but_no_gas(quiet):
    pieces, _ = ndimage.label(quiet.volume < AIR_BELOW_HU)
    (lung,) = np.unique(pieces[quiet.truth.airways & (quiet.volume < -900)])
    for side in (1, 2):
        aerated = (quiet.truth.lungs == side) & (quiet.volume < -700)
        assert np.mean(pieces[aerated] == lung) > 0.999
    assert np.count_nonzero(pieces[quiet.truth.gas] == lung) == 0


def test_airways_run_from_the_top_slice_to_a_fork(quiet):
    airways = quiet.truth.airways
    _, n = ndimage.label(airways)
    assert n == 1
    assert airways[-1].any()
    in_slice = [ndimage.label(plane)[1] for plane in airways]
    occupied = np.flatnonzero(in_slice)
    assert in_slice[-1] == 1
    assert max(in_slice[occupied[0] : occupied[-1]]) >= 2
    assert 35 < millilitres(quiet, airways) < 80


def test_one_voxel_of_diaphragm_stands_between_lung_and_stomach_gas(quiet):
    truth, lungs = quiet.truth, quiet.truth.lungs > 0
    assert not (neighbours(truth.gas) & lungs).any()
    between = ~truth.gas & ~lungs
    wall = truth.gas[:-2] & between[1:-1] & lungs[2:]
    area_cm2 = np.count_nonzero(wall) * quiet.spacing_mm[1] * quiet.spacing_mm[2] / 100
    assert area_cm2 > 5
    assert np.all(quiet.volume[1:-1][wall] > 0)
    sizes = np.bincount(ndimage.label(truth.gas)[0].ravel())[1:] * np.prod(quiet.spacing_mm) / 1000
    assert 40 < sizes.max() < 90
    assert np.count_nonzero(sizes > 1) >= 4


def test_the_peripheral_consolidation_is_35_mm_wide_and_touches_the_chest_wall():
    thorax = thorax_phantom((300, 256, 256), (1.0, 1.4, 1.4), seed=3, noise_hu=0)
    dense = (thorax.truth.tissue == 4) & (thorax.volume > -100)
    pieces, _ = ndimage.label(dense)
    sizes = np.bincount(pieces.ravel())[1:]
    mass = pieces == 1 + sizes.argmax()
    (box,) = ndimage.find_objects(mass.astype(np.uint8))
    extent_mm = [(part.stop - part.start) * step for part, step in zip(box, thorax.spacing_mm, strict=True)]
    assert extent_mm[0] == pytest.approx(35, abs=2)
    wall = neighbours(mass) & (thorax.truth.lungs == 0)
    assert np.count_nonzero(wall) * 1.4 > 300
    assert np.median(thorax.volume[wall]) > -120


def test_the_lungs_meet_in_front_with_less_than_2_mm_between_them(fine):
    lungs = fine.truth.lungs
    gaps = []
    for row in lungs.reshape(-1, lungs.shape[2]):
        if (row == 1).any() and (row == 2).any():
            gaps.append(np.flatnonzero(row == 2)[0] - np.flatnonzero(row == 1)[-1] - 1)
    narrow = np.array([1 <= gap <= 3 for gap in gaps])
    assert min(gaps) >= 1
    assert narrow.sum() * 0.7 * 1.5 > 500  # mm^2 of contact


def test_outside_the_skin_are_air_a_table_and_cloth(quiet):
    behind = quiet.volume[:, -24:, :]
    shells = (behind > -700).any(axis=1)
    assert shells.mean() > 0.7
    assert np.all(quiet.volume[:, [0, -1], :] == -1000)
    assert np.mean((behind > -950) & (behind < -300)) > 0.01


def test_shape_and_spacing_only_sample_the_person():
    """Every third voxel of a finer grid lies where the voxels of the coarse one do."""
    coarse = thorax_phantom((34, 60, 60), (9.0, 6.0, 6.0), seed=7).truth
    finer = thorax_phantom((102, 180, 180), (3.0, 2.0, 2.0), seed=7).truth
    for name in ("lungs", "airways", "tissue"):
        sampled = getattr(finer, name)[1::3, 1::3, 1::3]
        assert np.mean(sampled != getattr(coarse, name)) < 1e-5


def test_a_scan_of_part_of_the_body_may_miss_the_lungs():
    thorax = thorax_phantom((4, 64, 64), (1.0, 6.0, 6.0), seed=0)
    assert thorax.truth.lungs.any()
    far = thorax_phantom((400, 32, 32), (3.0, 11.0, 11.0), seed=0)
    planes = np.flatnonzero(far.truth.lungs.any(axis=(1, 2)))
    assert 100 < planes[0] < planes[-1] < 300


def test_noise_has_the_stated_strength_and_leaves_the_truth_alone():
    quiet, noisy = (thorax_phantom((20, 96, 96), seed=8, noise_hu=sigma) for sigma in (0, 30))
    inside = (quiet.volume > -900) & (quiet.volume < 1000)
    difference = noisy.volume[inside].astype(float) - quiet.volume[inside]
    assert difference.std() == pytest.approx(30, rel=0.03)
    assert abs(difference.mean()) < 1
    assert same_truth(quiet.truth, noisy.truth)


def test_padding_lies_outside_the_round_field_only():
    plain, padded = (thorax_phantom((10, 80, 96), (30, 4, 4), seed=1, padding=on) for on in (False, True))
    outside = padded.volume == -3024
    assert np.array_equal(padded.volume[~outside], plain.volume[~outside])
    y, x = np.indices((80, 96)) - np.array([39.5, 47.5])[:, None, None]
    assert np.array_equal(outside, np.broadcast_to(np.hypot(y, x) > 40, outside.shape))
    assert same_truth(plain.truth, padded.truth)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_field_of_view_cuts_up_to_10_mm_off_one_lung(seed):
    cut = thorax_phantom((25, 128, 128), seed=seed, cut_by_field_of_view=True, noise_hu=0)
    whole = thorax_phantom((25, 128, 160), (12.0, 2.8125, 2.8125), seed=seed, noise_hu=0)
    sides = [cut.truth.lungs[:, :, 0], cut.truth.lungs[:, :, -1]]
    (touched,) = [number for number, side in zip((1, 2), sides, strict=True) if side.any()]
    assert not sides[2 - touched].any()
    volumes = [[millilitres(t, t.truth.lungs == n) for n in (1, 2)] for t in (cut, whole)]
    missing_ml = volumes[1][touched - 1] - volumes[0][touched - 1]
    assert 10 < missing_ml < 200
    assert volumes[0][2 - touched] == pytest.approx(volumes[1][2 - touched], rel=0.01)
    width = np.flatnonzero((whole.truth.lungs == touched).any(axis=(0, 1)))
    width_cut = np.flatnonzero((cut.truth.lungs == touched).any(axis=(0, 1)))
    assert 3 <= (len(width) - len(width_cut)) * 2.8125 <= 12
    dense = (cut.truth.tissue == 4) & (cut.volume > -100)
    assert np.count_nonzero(dense & (cut.truth.lungs == touched)) < 0.2 * np.count_nonzero(dense)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"shape": (10, 10)}, ValueError, r"shape must be an int or 3 ints \(z, y, x\), got \(10, 10\)"),
        ({"shape": (10, 0, 10)}, ValueError, "shape must be at least 1, got 0"),
        ({"spacing_mm": (1.0, 1.0)}, ValueError, r"spacing_mm must be 3 positive numbers .* got \(1.0, 1.0\)"),
        (
            {"spacing_mm": (1.0, 0.0, 1.0)},
            ValueError,
            r"spacing_mm must be 3 positive numbers .* got \(1.0, 0.0, 1.0\)",
        ),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"seed": 1.5}, TypeError, "seed must be an int, got 1.5"),
        ({"noise_hu": -3}, ValueError, "noise_hu must be a number of HU, at least 0, got -3"),
        ({"noise_hu": "a lot"}, ValueError, "noise_hu must be a number of HU, at least 0, got 'a lot'"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        thorax_phantom(**{"shape": (4, 8, 8), **arguments})


def test_dice_of_the_truth_itself_is_1_and_of_nothing_0():
    truth = thorax_phantom((20, 48, 48), seed=0).truth
    table = dice_table(truth.tissue, truth)
    assert {name: table[name] for name in ("lungs", "air", "healthy", "ggo", "consolidation", "other")} == {
        "lungs": 1, "air": 1, "healthy": 1, "ggo": 1, "consolidation": 1, "other": 1,
    }  # fmt: skip
    assert 0.95 < table["lungs_and_airways"] < 1
    assert set(dice_table(np.zeros_like(truth.tissue), truth).values()) == {0.0}


def test_dice_counts_what_a_reader_would_count_by_hand():
    lungs = np.array([[[1, 1, 2, 2, 0, 0, 0, 0]]], np.uint8)
    airways = np.array([[[0, 0, 0, 0, 1, 0, 0, 0]]], bool)
    tissue = np.array([[[1, 2, 2, 3, 0, 0, 0, 0]]], np.uint8)
    truth = ThoraxTruth(lungs, airways, np.zeros_like(airways), tissue)
    table = dice_table(np.array([[[1, 2, 1, 0, 1, 1, 0, 0]]], np.uint8), truth)
    assert table["lungs_and_airways"] == pytest.approx(2 * 4 / (5 + 5))
    assert table["lungs"] == pytest.approx(2 * 3 / (5 + 4))
    assert table["air"] == pytest.approx(2 * 1 / (4 + 1))
    assert table["healthy"] == pytest.approx(2 * 1 / (1 + 2))
    assert table["ggo"] == 0
    assert np.isnan(table["consolidation"])
    assert np.isnan(table["other"])


def test_dice_wants_labels_of_the_truths_shape():
    truth = thorax_phantom((4, 8, 8), seed=0).truth
    with pytest.raises(ValueError, match=r"labels must have the truth's shape \(4, 8, 8\), got \(4, 8, 9\)"):
        dice_table(np.zeros((4, 8, 9), np.uint8), truth)


def test_the_example_draws_the_picture_of_the_documentation(tmp_path):
    docs, drawing = Path(__file__).parents[2] / "docs", tmp_path / "thorax.png"
    subprocess.run([sys.executable, str(docs / "examples" / "thorax.py"), str(drawing)], check=True)
    drawn, shown = (np.asarray(Image.open(path)) for path in (drawing, docs / "pictures" / "phantom.png"))
    assert drawn.shape == shown.shape
    assert np.mean(drawn != shown) < 0.01
