"""Components on every backend against SciPy, the reference, and what must hold for any numbering."""

import numpy as np
import pytest
from doors import component_table, filter_components, keep_components, label_components
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from volumes import STRUCTURED, many_examples, masks, noise, spiral

from fastgmm import _core
from fastgmm.backends._contract import COMPONENT_DTYPE
from fastgmm.volume import PackedMask

ON_CUDA = True
CONNECTIVITIES = {6: 1, 18: 2, 26: 3}
connectivities = st.sampled_from(list(CONNECTIVITIES))
n_threads = st.integers(1, 3)


def scipy_label(mask, connectivity):
    return ndimage.label(mask, ndimage.generate_binary_structure(3, CONNECTIVITIES[connectivity]))


def scipy_table(mask, connectivity):
    """The component table from SciPy's label volume."""
    labels, n = scipy_label(mask, connectivity)
    table = np.zeros(n, COMPONENT_DTYPE)
    table["label"] = np.arange(1, n + 1)
    table["n_voxels"] = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    for row, box in zip(table, ndimage.find_objects(labels), strict=True):
        for axis, side in zip("zyx", box, strict=True):
            row[f"{axis}0"], row[f"{axis}1"] = side.start, side.stop
    for number, axis in enumerate("zyx"):
        for name, plane in (("0", 0), ("1", -1)):
            face = labels.take(plane, number).ravel()
            table[f"c_{axis}{name}"] = np.bincount(face, minlength=n + 1)[1:]
    return table


def assert_components_equal_scipy(mask, connectivity, backend, n_jobs):
    labels, n = label_components(mask, connectivity, backend=backend, n_jobs=n_jobs)
    expected, n_expected = scipy_label(mask, connectivity)
    assert labels.dtype == np.int32
    assert n == n_expected
    np.testing.assert_array_equal(labels, expected)
    table = component_table(mask, connectivity, backend=backend, n_jobs=n_jobs)
    np.testing.assert_array_equal(table, scipy_table(mask, connectivity))


@given(mask=masks(), connectivity=connectivities, n_jobs=n_threads)
def test_labels_and_table_equal_scipy(backend, mask, connectivity, n_jobs):
    assert_components_equal_scipy(mask, connectivity, backend, n_jobs)


@pytest.mark.slow
@many_examples
@given(mask=masks(), connectivity=connectivities, n_jobs=n_threads)
def test_labels_and_table_equal_scipy_on_many_more_masks(mask, connectivity, n_jobs):
    assert_components_equal_scipy(mask, connectivity, "cpp", n_jobs)


@pytest.mark.parametrize("connectivity", CONNECTIVITIES)
@pytest.mark.parametrize("kind", STRUCTURED, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("shape", [(5, 6, 130), (9, 11, 64), (1, 23, 17), (2, 1, 1030)], ids=str)
def test_structured_masks_equal_scipy(backend, kind, shape, connectivity):
    assert_components_equal_scipy(kind(shape, 0.5, 3), connectivity, backend, 2)


@given(mask=masks(40_000), connectivity=connectivities, n_jobs=n_threads)
def test_cpp_equals_the_reference(mask, connectivity, n_jobs):
    fast, slow = ({"backend": name, "n_jobs": n_jobs} for name in ("cpp", "reference"))
    np.testing.assert_array_equal(
        label_components(mask, connectivity, **fast)[0], label_components(mask, connectivity, **slow)[0]
    )
    np.testing.assert_array_equal(
        component_table(mask, connectivity, **fast), component_table(mask, connectivity, **slow)
    )


@pytest.mark.parametrize("connectivity", CONNECTIVITIES)
@pytest.mark.parametrize("density", [0.1, 0.3, 0.7])
def test_every_simd_level_numbers_as_scipy(simd, density, connectivity):
    assert_components_equal_scipy(noise((20, 31, 141), density, 5), connectivity, "cpp", 3)


@given(mask=masks(100_000), connectivity=connectivities, n_jobs=n_threads, data=st.data())
def test_filter_keeps_exactly_the_chosen_components(backend, mask, connectivity, n_jobs, data):
    labels, n = scipy_label(mask, connectivity)
    chosen = noise(n, data.draw(st.sampled_from([0, 0.2, 0.5, 1])), data.draw(st.integers(0, 99)))
    tables = []

    def choose(table):
        tables.append(table.copy())
        return chosen

    kept = filter_components(mask, choose, connectivity, backend=backend, n_jobs=n_jobs)
    np.testing.assert_array_equal(kept, np.isin(labels, 1 + np.flatnonzero(chosen)))
    assert len(tables) == 1
    np.testing.assert_array_equal(tables[0], scipy_table(mask, connectivity))


@given(mask=masks(40_000), connectivity=connectivities, axis=st.integers(0, 2))
def test_mirroring_changes_numbers_but_not_components(backend, mask, connectivity, axis):
    labels, n = label_components(mask, connectivity, backend=backend)
    mirrored, n_mirrored = label_components(np.flip(mask, axis), connectivity, backend=backend)
    assert n == n_mirrored
    pairs = np.unique(np.stack([labels.ravel(), np.flip(mirrored, axis).ravel()]), axis=1)
    assert pairs.shape[1] == np.unique(labels).size


@given(mask=masks(40_000))
def test_more_neighbours_never_make_more_components(backend, mask):
    n_components = [component_table(mask, c, backend=backend).size for c in (6, 18, 26)]
    assert n_components == sorted(n_components, reverse=True)


@given(mask=masks(40_000), connectivity=connectivities, min_voxels=st.integers(0, 60), largest=st.none() | st.just(3))
def test_keeping_twice_keeps_the_same(backend, mask, connectivity, min_voxels, largest):
    rules = {"min_voxels": min_voxels, "largest": largest, "connectivity": connectivity, "backend": backend}
    once = keep_components(mask, drop_touching="z", **rules)
    np.testing.assert_array_equal(keep_components(once, drop_touching="z", **rules), once)
    assert not np.any(once & ~mask)


@pytest.mark.parametrize("connectivity", CONNECTIVITIES)
def test_neighbours_are_those_of_the_connectivity(backend, connectivity):
    n_linked = 0
    for offset in np.ndindex(3, 3, 3):
        pair = np.zeros((3, 3, 3), bool)
        pair[1, 1, 1] = pair[offset] = True
        n_linked += offset != (1, 1, 1) and label_components(pair, connectivity, backend=backend)[1] == 1
    assert n_linked == connectivity


def test_a_path_through_all_planes_is_one_component(backend):
    mask = spiral((41, 40, 70), 0, 0)
    table = component_table(PackedMask.from_array(mask), backend=backend)
    assert table.size == 1
    assert table["n_voxels"][0] == mask.sum()


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)], ids=str)
def test_a_volume_without_voxels_has_no_components(backend, shape):
    labels, n = label_components(np.zeros(shape, bool), backend=backend)
    assert (labels.shape, labels.dtype, n) == (shape, np.int32, 0)
    assert component_table(np.zeros(shape, bool), backend=backend).shape == (0,)


@pytest.mark.slow
def test_cpp_survives_a_checkerboard_of_millions_of_components():
    mask = np.indices((64, 256, 257)).sum(axis=0) % 2 == 0
    labels, n = label_components(mask, 6, backend="cpp", n_jobs=2)
    assert n == mask.sum()
    np.testing.assert_array_equal(labels[mask], np.arange(1, n + 1))
    assert _core.release_memory() > 0
