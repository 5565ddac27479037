"""Whole scans: the files the published scripts wrote, and the method restated."""

from dataclasses import replace

import numpy as np
import pytest
from lung import published_script

from fastgmm.errors import LungNotFoundError
from fastgmm.lung import LungSettings, TissueModel, label_tissue, segment_lungs, smooth_labels

PUBLISHED = TissueModel.published()
SETTINGS = LungSettings.published()


def read(path):
    """Return voxels (z, y, x) and the spacing in the same order, by SimpleITK."""
    import SimpleITK

    image = SimpleITK.ReadImage(str(path))
    return SimpleITK.GetArrayFromImage(image), image.GetSpacing()[::-1]


def run(volume, spacing):
    """Return mask, labels and median map as the library makes them."""
    mask = segment_lungs(volume, spacing, SETTINGS).mask
    labels = label_tissue(volume, mask, PUBLISHED)
    return mask.to_array(), labels, smooth_labels(labels, SETTINGS)


def test_labels_and_median_of_p002_equal_the_golden_files(test_data):
    volume, spacing = read(test_data / "covid_p002_ct.nrrd")
    mask, labels, median = run(volume, spacing)
    golden, _ = read(test_data / "golden/covid_p002_published_labels.nii.gz")
    np.testing.assert_array_equal(labels, golden)
    np.testing.assert_array_equal(mask, golden > 0)
    np.testing.assert_array_equal(median, read(test_data / "golden/covid_p002_published_median.nii.gz")[0])


@pytest.mark.slow
def test_p002_from_other_places_equals_the_method_restated(test_data):
    volume, spacing = read(test_data / "covid_p002_ct.nrrd")
    # Other cuts and other padding: the feet half, every second slice, upside down with padding outside a circle.
    y, x = np.ogrid[-1:1:512j, -1:1:512j]
    padded = np.where(y**2 + x**2 > 1, np.int16(-3024), volume[::-2])
    for part in (volume[:70], padded):
        part = np.ascontiguousarray(part)
        mask, labels, median = run(part, spacing)
        expected = published_script.lung_mask(part)
        np.testing.assert_array_equal(mask, expected)
        named = published_script.tissue_labels(part, expected, PUBLISHED.weights, PUBLISHED.means, PUBLISHED.variances)
        np.testing.assert_array_equal(labels, named)
        np.testing.assert_array_equal(median, published_script.smoothed(named))


@pytest.mark.parametrize("name", ["imlab_id001", "imlab_id002", "cip64", "lungdx_a0002_8mm", "ibsi1_phantom"])
def test_other_scans_give_the_script_s_mask_or_stop_as_it_does(test_data, name):
    volume, spacing = read(test_data / f"{name}_ct.nrrd")
    # With the published numbers none of them gets a mask; with smaller ones three do.
    smaller = {"min_component": 20_000, "margin": 2, "radii": (5, 3), "iterations": 1}
    for numbers in ({}, smaller):
        preset = replace(SETTINGS, mask=_named(**numbers)) if numbers else SETTINGS
        try:
            expected = published_script.lung_mask(volume, **numbers)
        except published_script.ScriptStoppedError:
            with pytest.raises(LungNotFoundError):
                segment_lungs(volume, spacing, preset)
            assert not numbers or name in ("imlab_id001", "ibsi1_phantom")
        else:
            assert numbers
            np.testing.assert_array_equal(segment_lungs(volume, spacing, preset).mask.to_array(), expected)


def _named(min_component, margin, radii, iterations):
    return replace(
        SETTINGS.mask,
        min_component_voxels=min_component,
        box_margin_voxels=margin,
        closing_radii_voxels=radii,
        opening_iterations=iterations,
    )
