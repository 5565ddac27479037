"""The method's steps on CuPy arrays: what they find on the CPU, in the device's memory."""

import numpy as np
import pytest
from cohort.chests import SMALL, SPACING_MM, chest
from device_traffic import traffic

from fastgmm._arrays import is_device_array, to_host
from fastgmm.lung import (
    LungNotFoundError,
    LungSettings,
    TissueModel,
    collect_histogram,
    label_tissue,
    measure,
    segment_lungs,
    smooth_labels,
)
from fastgmm.lung.mask._shadow import shadow
from fastgmm.lung.phantom import thorax_phantom

pytestmark = pytest.mark.usefixtures("cuda")
PARTS = ("mask", "right", "left", "airway")


def everything(volume, spacing, settings, direction=None):
    """What every step of the method gives, as NumPy arrays."""
    lungs = segment_lungs(volume, spacing, settings, direction=direction)
    labels = label_tissue(volume, lungs.mask, TissueModel.published())
    smoothed = smooth_labels(labels, settings, spacing_mm=spacing)
    row = measure(volume, lungs.mask, labels, spacing_mm=spacing, case="a", right=lungs.right, left=lungs.left)
    counted = collect_histogram(volume, lungs.mask, settings)
    arrays = [labels, smoothed, lungs.labels(), lungs.labels(labels.copy())]
    arrays += [part.words for name in PARTS if (part := getattr(lungs, name)) is not None]
    assert {is_device_array(array) for array in arrays} == {is_device_array(volume)}
    return list(map(to_host, arrays)), (lungs.warnings, row, counted)


def check_equal(cuda, volume, *arguments, **options):
    expected, texts = everything(volume, *arguments, **options)
    found, ours = everything(cuda.asarray(volume), *arguments, **options)
    for array, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(array, wanted)
    assert ours == texts


def test_the_published_preset_on_the_device(cuda):
    check_equal(cuda, chest(), SPACING_MM, SMALL)


CASES = {"plain": {}, "padded": {"padding": True}, "cut": {"cut_by_field_of_view": True}}


@pytest.mark.parametrize("case", CASES)
def test_the_default_preset_on_the_device(cuda, case):
    thorax = thorax_phantom((40, 64, 72), **CASES[case])
    check_equal(cuda, thorax.volume, thorax.spacing_mm, LungSettings())


@pytest.mark.parametrize("preset", ["published", "default"])
def test_no_volume_and_no_mask_leaves_the_device(cuda, preset):
    if preset == "published":
        volume, spacing, settings = chest(shape=(40, 60, 256)), SPACING_MM, SMALL
    else:
        thorax = thorax_phantom((40, 64, 256))
        volume, spacing, settings = thorax.volume, thorax.spacing_mm, LungSettings()
    there, model = cuda.asarray(volume), TissueModel.published()
    with traffic() as seen:
        lungs = segment_lungs(there, spacing, settings)
        labels = label_tissue(there, lungs.mask, model)
        smooth_labels(labels, settings, spacing_mm=spacing)
        measure(there, lungs.mask, labels, spacing_mm=spacing, case="a", right=lungs.right, left=lungs.left)
    # Look-up tables, counts of values and tables of components; the smallest array of the volume's shape is a mask.
    assert seen.largest <= 1 << 16 < volume.size // 8


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 7, 2), (9, 4, 1)])
@pytest.mark.parametrize("axis", [0, 1])
def test_shadows_on_the_device(cuda, shape, axis):
    words = np.random.default_rng(0).integers(0, 2**63, shape, np.uint64)
    words &= words >> np.uint64(1) & words << np.uint64(3)
    for turned in (words, words[::-1, ::-1]):
        found = shadow(cuda.asarray(words)[:: 1 if turned is words else -1, :: 1 if turned is words else -1], axis)
        np.testing.assert_array_equal(found.get(), np.bitwise_or.accumulate(turned, axis=axis))


def test_a_volume_stored_another_way_round(cuda):
    thorax = thorax_phantom((40, 64, 72))
    volume = np.ascontiguousarray(thorax.volume.transpose(1, 0, 2)[:, ::-1])
    direction = np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0.0]])
    spacing = tuple(thorax.spacing_mm[axis] for axis in (1, 0, 2))
    check_equal(cuda, volume, spacing, LungSettings(), direction=direction)


@pytest.mark.parametrize("settings", [SMALL, LungSettings()], ids=["published", "default"])
@pytest.mark.parametrize("hu", [40, -900])
def test_the_error_without_lungs_is_the_same(cuda, settings, hu):
    volume = np.full((24, 40, 70), 40, np.int16)
    volume[5:15, 10:30, 20:40] = hu
    errors = []
    for array in (volume, cuda.asarray(volume)):
        with pytest.raises(LungNotFoundError) as found:
            segment_lungs(array, SPACING_MM, settings)
        errors.append(str(found.value))
    assert errors[0] == errors[1]
