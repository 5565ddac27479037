"""The tissue model: bands, files, guard."""

import json
from dataclasses import replace

import numpy as np
import pytest
from lung.published_script import tissue_labels

from fastgmm.errors import TissueModelError
from fastgmm.lung import CLASSES, Band, TissueModel, describe_bands

PUBLISHED = TissueModel.published()


def test_published_bands_are_those_of_the_paper_s_model():
    assert PUBLISHED.bands == (
        Band(1, None, -894),
        Band(2, -893, -722),
        Band(3, -721, -473),
        Band(4, -472, -236),
        Band(5, -235, None),
    )
    assert describe_bands(PUBLISHED) == (
        "air <= -894, healthy -893..-722, ggo -721..-473, consolidation -472..-236, other >= -235"
    )
    PUBLISHED.guard()


def test_table_equals_the_largest_posterior_for_every_value():
    hu = np.arange(-32768, 32768).reshape(1, 1, -1)
    expected = tissue_labels(hu, np.ones(hu.shape, bool), PUBLISHED.weights, PUBLISHED.means, PUBLISHED.variances)
    np.testing.assert_array_equal(PUBLISHED.table, expected.ravel())
    with pytest.raises(ValueError, match="read-only"):
        PUBLISHED.table[0] = 3


def test_components_are_sorted_by_mean():
    order = [3, 0, 4, 2, 1]
    mixed = TissueModel(
        weights=tuple(PUBLISHED.weights[k] for k in order),
        means=tuple(PUBLISHED.means[k] for k in order),
        variances=tuple(PUBLISHED.variances[k] for k in order),
    )
    assert (mixed.weights, mixed.means, mixed.variances) == (PUBLISHED.weights, PUBLISHED.means, PUBLISHED.variances)


def test_classes_have_five_names_and_colours():
    assert [c.key for c in PUBLISHED.classes] == ["air", "healthy", "ggo", "consolidation", "other"]
    assert len({c.colour for c in CLASSES}) == 5


def test_json_keeps_every_bit(tmp_path):
    rng = np.random.default_rng(2)
    weights = rng.random(5)
    model = TissueModel(
        weights=tuple((weights / weights.sum()).tolist()),
        means=tuple((np.array(PUBLISHED.means) + rng.random(5)).tolist()),
        variances=tuple((np.array(PUBLISHED.variances) * rng.uniform(0.9, 1.1, 5)).tolist()),
        n_scans=3,
        mean_log_likelihood=-6.1234567890123456,
        source="made up",
    )
    model.to_json(tmp_path / "model.json")
    back = TissueModel.from_json(tmp_path / "model.json", allow_unordered=True)
    assert back == model
    assert back.source == "made up"
    document = json.loads((tmp_path / "model.json").read_text())
    assert [row["key"] for row in document["classes"]] == [c.key for c in CLASSES]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"schema_version": 2},
            r"expected schema 'fastgmm.tissue_model' version 1, got 'fastgmm.tissue_model' version 2",
        ),
        ({"schema": "other"}, r"got 'other' version 1; fit again with this version"),
        ({"classes": []}, r"expected the fields of schema version 1"),
        ({"floor_hu": None}, None),
    ],
)
def test_unknown_or_damaged_files_are_refused_with_their_path(tmp_path, change, text):
    path = tmp_path / "model.json"
    document = PUBLISHED.to_document() | change
    if document["floor_hu"] is None:
        del document["floor_hu"]
    path.write_text(json.dumps(document))
    with pytest.raises(TissueModelError, match=text) as error:
        TissueModel.from_json(path)
    assert str(error.value).startswith(str(path))


def test_files_that_are_not_a_model_are_refused(tmp_path):
    path = tmp_path / "model.json"
    for content, text in (("not json", "not JSON"), ("[1, 2]", "got None version None")):
        path.write_text(content)
        with pytest.raises(TissueModelError, match=text):
            TissueModel.from_json(path)
    with pytest.raises(FileNotFoundError):
        TissueModel.from_json(tmp_path / "absent.json")


def test_guard_refuses_labels_that_fall(tmp_path):
    # The narrow class in the middle of a wide one makes the wide one come back above it.
    model = replace(PUBLISHED, variances=(*PUBLISHED.variances[:3], 400.0, PUBLISHED.variances[4]))
    assert any(b.label > a.label + 1 or b.label < a.label for a, b in zip(model.bands, model.bands[1:], strict=False))
    wide_air = replace(PUBLISHED, variances=(200_000.0, *PUBLISHED.variances[1:]))
    with pytest.raises(TissueModelError) as error:
        wide_air.guard()
    text = str(error.value)
    assert "its labels fall where HU rise" in text
    assert f"Its bands: {describe_bands(wide_air)}" in text
    assert f"Published bands: {describe_bands(PUBLISHED)}" in text
    assert "--model published" in text
    wide_air.to_json(tmp_path / "wide.json")
    with pytest.raises(TissueModelError, match="its labels fall"):
        TissueModel.from_json(tmp_path / "wide.json")
    assert TissueModel.from_json(tmp_path / "wide.json", allow_unordered=True) == wide_air


def test_guard_refuses_a_class_that_never_occurs():
    model = replace(PUBLISHED, weights=(0.4, 0.4, 0.1, 1e-12, 0.1 - 1e-12))
    with pytest.raises(TissueModelError, match="it never labels consolidation"):
        model.guard()


def test_guard_refuses_a_spike():
    model = replace(PUBLISHED, variances=(24.9, *PUBLISHED.variances[1:]))
    with pytest.raises(TissueModelError, match=r"a standard deviation is 4.99 HU, below 5"):
        model.guard()


def test_numbers_that_are_no_mixture_are_refused():
    with pytest.raises(TissueModelError, match="weights must not be negative and sum to 1"):
        replace(PUBLISHED, weights=(0.5, 0.5, 0.5, -0.25, -0.25))
    with pytest.raises(TissueModelError, match="variances must be positive"):
        replace(PUBLISHED, variances=(0.0, 1.0, 1.0, 1.0, 1.0))
    with pytest.raises(TissueModelError, match="means must be 5 finite numbers"):
        replace(PUBLISHED, means=(1.0, 2.0))
