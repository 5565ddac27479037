"""The published preset against the method restated with SciPy and SimpleITK."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lung import published_script
from lung.volumes import chest
from scipy import ndimage

from fastgmm.errors import LungNotFoundError
from fastgmm.lung import LungSettings, segment_lungs

SPACING = (1.0, 0.7, 0.7)


def small(**numbers):
    """Return the published preset with sizes for small volumes, and the same for the judge."""
    named = {"min_component": 200, "margin": 5, "radii": (6, 4), "min_closed": 100, "iterations": 2} | numbers
    published = LungSettings.published()
    mask = replace(
        published.mask,
        min_component_voxels=named["min_component"],
        box_margin_voxels=named["margin"],
        closing_radii_voxels=named["radii"],
        min_closed_voxels=named["min_closed"],
        opening_iterations=named["iterations"],
    )
    return replace(published, mask=mask), named


def assert_same_as_script(volume, **numbers):
    """Compare voxel for voxel, the failing cases included; return the mask or None."""
    preset, named = small(**numbers)
    try:
        expected = published_script.lung_mask(volume, **named)
    except published_script.ScriptStoppedError:
        with pytest.raises(LungNotFoundError):
            segment_lungs(volume, SPACING, preset)
        return None
    found = segment_lungs(volume, SPACING, preset)
    assert found.warnings == ()
    np.testing.assert_array_equal(found.mask.to_array(), expected)
    return expected


@pytest.mark.parametrize("seed", range(4))
def test_small_chests_equal_the_script(seed):
    assert assert_same_as_script(chest(seed=seed), min_component=400).sum() > 2000


def test_rows_longer_than_a_word_and_boxes_inside_one_equal_the_script():
    for shape in ((14, 50, 200), (14, 40, 60), (13, 70, 129)):
        assert assert_same_as_script(chest(shape, seed=5)) is not None


def test_chests_at_every_distance_from_the_border_equal_the_script():
    stopped = [assert_same_as_script(chest(gap=gap, lesions=False)) is None for gap in range(6, 18)]
    assert not stopped[0]
    assert stopped[-1]


@settings(max_examples=30, derandomize=True, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 16), st.integers(12, 40), st.integers(12, 80)),
    seed=st.integers(0, 1000),
    n_blocks=st.integers(0, 7),
    margin=st.integers(0, 6),
    iterations=st.integers(1, 2),
)
def test_blocks_of_air_equal_the_script(shape, seed, n_blocks, margin, iterations):
    rng = np.random.default_rng(seed)
    volume = rng.integers(-150, 200, shape, dtype=np.int16)
    for _ in range(n_blocks):
        low = [int(rng.integers(0, n)) for n in shape]
        high = [int(rng.integers(a, n)) + 1 for a, n in zip(low, shape, strict=True)]
        volume[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = rng.integers(-3000, -155)
    assert_same_as_script(volume, margin=margin, iterations=iterations, min_component=30, min_closed=10, radii=(4, 3))


def blocks(*boxes, shape=(12, 40, 48)):
    """Return tissue with boxes of air, each ((z0, z1), (y0, y1), (x0, x1)) with exclusive ends."""
    volume = np.full(shape, 40, np.int16)
    for box in boxes:
        volume[tuple(slice(*span) for span in box)] = -800
    return volume


FIRST = ((0, 12), (8, 30), (8, 20))
LAST = ((1, 12), (8, 30), (26, 38))


def test_the_component_with_the_highest_number_is_never_looked_at():
    expected = assert_same_as_script(blocks(FIRST, LAST))
    assert not expected[:, :, 26:].any()
    assert expected[:, :, 8:20].any()


def test_the_last_slice_of_the_lungs_is_cut():
    # A pocket of air that survives the opening and comes last leaves the lung to be looked at.
    pocket = ((7, 12), (33, 38), (40, 45))
    expected = assert_same_as_script(blocks(((0, 10), (8, 30), (8, 20)), pocket))
    assert expected[8].any()
    assert not expected[9].any()


def test_lungs_near_an_edge_stop_with_the_distances():
    near = blocks(((0, 12), (4, 30), (8, 20)), LAST)
    with pytest.raises(LungNotFoundError, match=r"stay 5 voxels or more.*got 4 before and 10 after them along y"):
        segment_lungs(near, SPACING, small()[0])
    assert_same_as_script(near)
    near = blocks(((0, 12), (8, 30), (8, 44)), ((5, 12), (33, 38), (5, 10)))
    with pytest.raises(LungNotFoundError, match="got 8 before and 4 after them along x"):
        segment_lungs(near, SPACING, small()[0])
    assert_same_as_script(near)


def test_pieces_dropped_are_listed_with_size_and_rule():
    table_air = ((0, 12), (0, 6), (0, 48))
    tiny = ((0, 5), (10, 15), (10, 15))
    volume = blocks(table_air, tiny, LAST)
    with pytest.raises(LungNotFoundError) as error:
        segment_lungs(volume, SPACING, small()[0])
    opened = ndimage.binary_opening(volume < -155, iterations=2)
    sizes = [int(opened[:, :6].sum()), int(opened[:, :, 26:38].sum() - opened[:, :6, 26:38].sum())]
    assert sizes[0] > sizes[1]
    text = str(error.value)
    at_border = f"{sizes[0]} voxels ({sizes[0] * 0.49 / 1000:.1f} ml) touches the image border in y or x"
    last = f"{sizes[1]} voxels ({sizes[1] * 0.49 / 1000:.1f} ml) has the highest component number"
    assert f"pieces of air: {at_border}; {last}" in text
    assert "smaller than 200 voxels" in text


def test_wrong_volumes_say_what_was_found():
    preset = small()[0]
    cases = {
        "no voxel is below -155 HU": np.zeros((12, 40, 40), np.int16),
        "touches the image border in y or x": np.full((12, 40, 40), -1000, np.int16),
        r"nothing of the 1600 voxels.*shape \(1, 40, 40\), at least 5": np.full((1, 40, 40), -1000, np.int16),
        r"nothing of the 3200 voxels": np.full((2, 40, 40), -1000, np.int16),
        "more than 100000 voxels, got": blocks(FIRST, LAST),
    }
    for text, volume in cases.items():
        numbers = small(min_closed=100_000)[0] if "100000" in text else preset
        with pytest.raises(LungNotFoundError, match=text):
            segment_lungs(volume, SPACING, numbers)


def test_wrong_arguments_are_named():
    volume = chest()
    with pytest.raises(ValueError, match=r"at least one voxel, got shape \(0, 4, 4\)"):
        segment_lungs(np.zeros((0, 4, 4), np.int16), SPACING)
    with pytest.raises(TypeError, match="volume must be a 3-D array"):
        segment_lungs(volume[0], SPACING)
    with pytest.raises(ValueError, match=r"spacing_mm must be three positive numbers.*\(1.0, 0.0, 1.0\)"):
        segment_lungs(volume, (1.0, 0.0, 1.0))
    with pytest.raises(TypeError, match="spacing_mm must be three positive numbers"):
        segment_lungs(volume, 1.0)
    with pytest.raises(TypeError, match="spacing_mm must be three positive numbers"):
        segment_lungs(volume, ("a", 1, 1))
    with pytest.raises(ValueError, match=r"direction must be an invertible matrix"):
        segment_lungs(volume, SPACING, direction=np.zeros((3, 3)))
    with pytest.raises(ValueError, match="preset must be one of default, published, got 'paper'"):
        LungSettings.from_preset("paper")


def test_slices_far_apart_or_close_give_a_warning():
    preset, _ = small(min_component=400)
    for step, warned in ((0.3, False), (1.0000001, False), (2.0, True), (0.25, True)):
        found = segment_lungs(chest(), (step, 0.7, 0.7), preset)
        assert (len(found.warnings) == 1) == warned
    assert found.warnings[0] == (
        "slice_spacing: slices are 0.25 mm apart, the published preset's sizes in voxels were meant for 0.3-1 mm"
    )


def test_the_volume_is_not_modified_and_threads_do_not_matter():
    volume = chest(seed=3)
    volume.flags.writeable = False
    preset, _ = small()
    masks = [segment_lungs(volume, SPACING, preset, n_jobs=n).mask for n in (1, 3)]
    assert masks[0] == masks[1]
    assert segment_lungs(np.asfortranarray(volume), SPACING, preset).mask == masks[0]
