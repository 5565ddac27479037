"""The fit over several scans against scikit-learn on their voxels laid one after another."""

from dataclasses import replace

import numpy as np
import pytest
from lung.published_script import fit_voxels
from sklearn.mixture import GaussianMixture

from fastgmm.errors import TissueModelError
from fastgmm.lung import LungSettings, MixtureStart, TissueModel, collect_histogram, fit_tissue_model

PUBLISHED = TissueModel.published()
SETTINGS = LungSettings.published()
FEW_SCANS = "ignore:the model is fitted on"


def scans(n, seed=0):
    """Return volumes of HU drawn from the published mixture, with masks whose sizes are not multiples of 4."""
    rng = np.random.default_rng(seed)
    volumes, masks = [], []
    for _ in range(n):
        shape = (7, 31, int(rng.integers(30, 70)))
        classes = rng.choice(5, shape, p=np.array(PUBLISHED.weights) / sum(PUBLISHED.weights))
        hu = rng.normal(np.array(PUBLISHED.means)[classes], np.sqrt(PUBLISHED.variances)[classes])
        volumes.append(np.clip(np.rint(hu), -3024, 3071).astype(np.int16))
        masks.append(rng.random(shape) < 0.8)
    return volumes, masks


@pytest.mark.filterwarnings(FEW_SCANS)
@pytest.mark.parametrize("n_scans", [1, 3, 5])
def test_fit_equals_scikit_learn_on_every_fourth_voxel_of_the_concatenation(n_scans):
    volumes, masks = scans(n_scans, seed=n_scans)
    start = MixtureStart((0.3, 0.3, 0.2, 0.1, 0.1), (-950, -850, -600, -300, 0), (2000, 3000, 9000, 25000, 30000))
    parts = [collect_histogram(v, m, SETTINGS) for v, m in zip(volumes, masks, strict=True)]
    model = fit_tissue_model(parts, SETTINGS, start=start, allow_unordered=True)
    judge = GaussianMixture(
        5,
        weights_init=start.weights,
        means_init=np.reshape(start.means, (-1, 1)),
        precisions_init=1 / np.reshape(start.variances, (-1, 1, 1)),
    ).fit(fit_voxels(volumes, masks).reshape(-1, 1))
    order = np.argsort(judge.means_.ravel())
    np.testing.assert_allclose(model.means, judge.means_.ravel()[order], rtol=1e-9)
    np.testing.assert_allclose(model.weights, judge.weights_[order], rtol=1e-9)
    np.testing.assert_allclose(model.variances, judge.covariances_.ravel()[order], rtol=1e-9)
    assert model.mean_log_likelihood == pytest.approx(judge.lower_bound_, rel=1e-9)
    assert model.n_scans == n_scans


def test_collected_counts_are_those_of_the_clamped_voxels_by_running_index():
    volumes, masks = scans(1, seed=7)
    part = collect_histogram(volumes[0], masks[0], SETTINGS)
    hu = np.maximum(volumes[0][masks[0]], -1000)
    assert part.phases == 4
    assert part.values[0] == -1000
    for phase in range(4):
        values, counts = np.unique(hu[phase::4], return_counts=True)
        present = part.counts[phase] > 0
        np.testing.assert_array_equal(part.values[present], values)
        np.testing.assert_array_equal(part.counts[phase][present], counts)


def test_the_floor_is_counted_whether_or_not_it_occurs():
    one = replace(SETTINGS, subsample_every=1)
    for hu, expected in (
        ([-3024, -1000, -999], {-1000: 2, -999: 1}),
        ([-1100, -1001, 5], {-1000: 2, 5: 1}),
        ([-1000, 7], {-1000: 1, 7: 1}),
        ([-1001], {-1000: 1}),
    ):
        volume = np.array(hu, np.int16).reshape(1, 1, -1)
        total = collect_histogram(volume, np.ones(volume.shape, bool), one).total()
        assert dict(zip(total.values.tolist(), total.counts.tolist(), strict=True)) == expected


@pytest.mark.filterwarnings(FEW_SCANS)
def test_the_default_start_is_deterministic_and_finds_the_classes():
    volumes, masks = scans(3, seed=11)
    parts = [collect_histogram(v, m, SETTINGS) for v, m in zip(volumes, masks, strict=True)]
    models = [fit_tissue_model(parts, SETTINGS, allow_unordered=True) for _ in range(2)]
    assert models[0] == models[1]
    assert list(models[0].means) == sorted(models[0].means)


def test_few_scans_give_a_warning_and_twenty_do_not():
    volumes, masks = scans(1, seed=3)
    part = collect_histogram(volumes[0], masks[0], SETTINGS)
    with pytest.warns(UserWarning, match="fitted on 19 scans; the method was found stable from about 20"):
        fit_tissue_model([part] * 19, SETTINGS, allow_unordered=True)
    fit_tissue_model([part] * 20, SETTINGS, allow_unordered=True)


@pytest.mark.filterwarnings(FEW_SCANS)
def test_a_mixture_without_the_five_tissues_is_refused_unless_asked_for():
    rng = np.random.default_rng(0)
    volume = np.rint(rng.normal(-850, 60, (6, 40, 40))).astype(np.int16)
    volume[:2] = -1000
    part = collect_histogram(volume, np.ones(volume.shape, bool), SETTINGS)
    with pytest.raises(TissueModelError, match=r"cannot be given tissue names: .* a standard deviation is 0.00 HU"):
        fit_tissue_model([part], SETTINGS)
    assert fit_tissue_model([part], SETTINGS, allow_unordered=True).n_scans == 1


def test_nothing_to_fit_is_said():
    with pytest.raises(ValueError, match="at least one scan's histogram, got none"):
        fit_tissue_model([], SETTINGS)
    volume = np.full((1, 2, 8), -800, np.int16)
    part = collect_histogram(volume, np.ones(volume.shape, bool), SETTINGS)
    with pytest.raises(ValueError, match="at least 5 distinct HU for a fit, got 1 in 4 voxels"):
        fit_tissue_model([part], SETTINGS)
