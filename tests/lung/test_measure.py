"""The row of measures against counts made with NumPy on the voxels."""

import math

import numpy as np
import pytest
from lung.published_script import tissue_labels
from lung.volumes import chest

from fastgmm.lung import (
    LI_FORMULAS,
    LUNG_COLUMNS,
    MEASURE_COLUMNS,
    SIDE_COLUMNS,
    LungSettings,
    TissueModel,
    label_tissue,
    measure,
    measure_columns,
)
from fastgmm.volume import PackedMask

SPACING = (2.5, 0.7, 0.8)
PUBLISHED = TissueModel.published()
KEYS = ("air", "healthy", "ggo", "consolidation", "other")


def scan(seed=0):
    """Return a volume with padding below -1024, a mask that cuts through it, and its labels."""
    volume = chest(seed=seed)
    rng = np.random.default_rng(seed)
    volume[rng.random(volume.shape) < 0.01] = -3024
    mask = rng.random(volume.shape) < 0.4
    return volume, mask, tissue_labels(volume, mask, PUBLISHED.weights, PUBLISHED.means, PUBLISHED.variances)


def test_columns_are_those_of_the_table_in_order():
    volume, mask, labels = scan()
    row = measure(volume, mask, labels, spacing_mm=SPACING, case="a", kernel="B40f")
    assert tuple(row) == MEASURE_COLUMNS
    assert ",".join(MEASURE_COLUMNS) == (
        "case,lung_volume_ml,aerated_volume_ml,air_voxels,air_ml,air_percent,healthy_voxels,healthy_ml,healthy_percent,"
        "ggo_voxels,ggo_ml,ggo_percent,consolidation_voxels,consolidation_ml,consolidation_percent,other_voxels,other_ml,"
        "other_percent,lung_involvement_percent,li_formula,mean_density_hu_mask,mean_density_hu_aerated,perc15_hu_aerated,"
        "laa950_percent_aerated,slice_thickness_mm,kernel,warnings,reasons"
    )


@pytest.mark.parametrize("seed", range(3))
def test_values_equal_those_counted_on_voxels(seed):
    volume, mask, labels = scan(seed)
    row = measure(
        volume,
        PackedMask.from_array(mask),
        labels,
        spacing_mm=SPACING,
        case="p1",
        kernel="D40s",
        slice_thickness_mm=3,
        warnings=("one: a", "two: b"),
    )
    hu = np.maximum(volume[mask], -1024).astype(float)
    aerated = np.sort(hu[hu < -155])
    voxel_ml = math.prod(SPACING) / 1000
    expected = {
        "lung_volume_ml": hu.size * voxel_ml,
        "aerated_volume_ml": aerated.size * voxel_ml,
        "mean_density_hu_mask": hu.mean(),
        "mean_density_hu_aerated": aerated.mean(),
        "perc15_hu_aerated": aerated[math.ceil(0.15 * aerated.size) - 1],
        "laa950_percent_aerated": 100 * (aerated < -950).mean(),
        "slice_thickness_mm": 3.0,
    }
    for k, key in enumerate(KEYS, start=1):
        n = int((labels[mask] == k).sum())
        expected |= {f"{key}_voxels": n, f"{key}_ml": n * voxel_ml, f"{key}_percent": 100 * n / hu.size}
    lesions = expected["ggo_percent"] + expected["consolidation_percent"]
    expected["lung_involvement_percent"] = lesions / (100 - expected["other_percent"]) * 100
    assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    assert all(isinstance(row[f"{key}_voxels"], int) for key in KEYS)
    assert row["case"] == "p1"
    assert row["kernel"] == "D40s"
    assert row["warnings"] == "one: a; two: b"
    assert row["reasons"] == ""
    assert row["li_formula"] == "(ggo+consolidation)/(100-other)*100"


def test_sum_formula_is_the_plain_sum_of_the_shares():
    volume, mask, labels = scan()
    row = measure(volume, mask, labels, spacing_mm=SPACING, case="a", li_formula="sum")
    assert row["lung_involvement_percent"] == pytest.approx(
        row["ggo_percent"] + row["consolidation_percent"], rel=1e-12
    )
    assert row["li_formula"] == LI_FORMULAS["sum"] == "ggo+consolidation"
    with pytest.raises(ValueError, match="li_formula must be one of default, sum, got 'mean'"):
        measure(volume, mask, labels, spacing_mm=SPACING, case="a", li_formula="mean")


def test_a_tie_of_the_percentile_takes_the_value_that_reaches_it():
    hu = np.array([-1000] * 14 + [-900] + [-800] * 85, np.int16).reshape(1, 10, 10)
    row = measure(hu, np.ones(hu.shape, bool), np.full(hu.shape, 1, np.uint8), spacing_mm=SPACING, case="a")
    assert row["perc15_hu_aerated"] == -900


def test_low_attenuation_is_strictly_below():
    hu = np.array([-951, -950, -950, -949], np.int16).reshape(1, 2, 2)
    row = measure(hu, np.ones(hu.shape, bool), np.full(hu.shape, 1, np.uint8), spacing_mm=SPACING, case="a")
    assert row["laa950_percent_aerated"] == 25.0


def test_what_cannot_be_measured_is_none_with_a_reason():
    dense = np.full((1, 2, 2), 40, np.int16)
    row = measure(dense, np.ones(dense.shape, bool), np.full(dense.shape, 5, np.uint8), spacing_mm=SPACING, case="a")
    missing = [name for name, value in row.items() if value is None]
    assert missing == [
        "lung_involvement_percent",
        "mean_density_hu_aerated",
        "perc15_hu_aerated",
        "laa950_percent_aerated",
        "slice_thickness_mm",
        "kernel",
    ]
    assert row["reasons"] == (
        "lung_involvement_percent:only_other_tissue; mean_density_hu_aerated:no_aerated_voxel; "
        "perc15_hu_aerated:no_aerated_voxel; laa950_percent_aerated:no_aerated_voxel; slice_thickness_mm:one_slice; "
        "kernel:not_in_file"
    )
    assert row["aerated_volume_ml"] == 0.0


def test_an_empty_mask_has_volumes_of_zero_and_no_shares():
    volume = np.full((2, 3, 3), -800, np.int16)
    row = measure(volume, np.zeros(volume.shape, bool), np.zeros(volume.shape, np.uint8), spacing_mm=SPACING, case="a")
    assert row["lung_volume_ml"] == 0.0
    assert row["air_percent"] is None
    assert "air_percent:empty_mask" in row["reasons"]
    assert "lung_involvement_percent:empty_mask" in row["reasons"]
    assert row["slice_thickness_mm"] == 2.5


def test_labels_of_another_mask_are_refused():
    volume, mask, labels = scan()
    with pytest.raises(ValueError, match=r"labels must be 1..5 wherever the mask is set, got 0"):
        measure(volume, np.ones_like(mask), labels, spacing_mm=SPACING, case="a")
    with pytest.raises(ValueError, match="mask must have the volume's shape"):
        measure(volume, mask[:3], labels, spacing_mm=SPACING, case="a")


def test_labels_equal_the_posterior_on_voxels_and_go_to_out():
    volume, mask, expected = scan(4)
    out = np.full(volume.shape, 9, np.uint8)
    assert label_tissue(volume, mask, PUBLISHED, out=out) is out
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(label_tissue(volume, mask, PUBLISHED), expected)


def test_each_lung_is_measured_as_a_mask_of_its_own():
    volume, mask, labels = scan(2)
    right, left = mask.copy(), mask.copy()
    right[:, :, 30:] = False
    left[:, :, :30] = False
    row = measure(volume, mask, labels, spacing_mm=SPACING, case="a", right=right, left=left)
    assert tuple(row) == MEASURE_COLUMNS + SIDE_COLUMNS == measure_columns(LungSettings())
    assert measure_columns(LungSettings.published()) == MEASURE_COLUMNS
    for side, part in (("right", right), ("left", left)):
        alone = measure(volume, part, labels, spacing_mm=SPACING, case="a")
        assert {name: row[f"{side}_{name}"] for name in LUNG_COLUMNS} == {name: alone[name] for name in LUNG_COLUMNS}


def test_a_missing_lung_has_no_shares_and_a_reason():
    volume, mask, labels = scan(2)
    row = measure(volume, mask, labels, spacing_mm=SPACING, case="a", kernel="x", right=mask, left=np.zeros_like(mask))
    assert row["left_lung_volume_ml"] == 0.0
    assert row["left_ggo_percent"] is None
    assert "left_ggo_percent:empty_mask" in row["reasons"]
    assert "right_" not in row["reasons"]
