"""What only the compiled components have: run slabs and their seams, index widths, SIMD levels, very long volumes."""

import numpy as np
import psutil
import pytest
from scipy import ndimage

from fastgmm import _core
from fastgmm._packed_mask import PackedMask
from fastgmm.backends import _cpp
from fastgmm.backends._contract import COMPONENT_DTYPE

CONNECTIVITY = {6: 1, 18: 2, 26: 3}
GIB = 1 << 30


def scipy_labels(mask: np.ndarray, connectivity: int) -> tuple[np.ndarray, int]:
    return ndimage.label(mask, ndimage.generate_binary_structure(3, CONNECTIVITY[connectivity]))


def scipy_table(labels: np.ndarray, n: int) -> np.ndarray:
    table = np.zeros(n, COMPONENT_DTYPE)
    table["label"] = np.arange(1, n + 1)
    table["n_voxels"] = np.bincount(labels.reshape(-1), minlength=n + 1)[1:]
    for axis, name in enumerate("zyx"):
        boxes = [box[axis] for box in ndimage.find_objects(labels)]
        table[f"{name}0"] = [side.start for side in boxes]
        table[f"{name}1"] = [side.stop for side in boxes]
        for face, index in enumerate((0, -1)):
            table[f"c_{name}{face}"] = np.bincount(labels.take(index, axis).reshape(-1), minlength=n + 1)[1:]
    return table


def noise(shape: tuple[int, int, int], density: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < density


def checkerboard(shape: tuple[int, int, int]) -> np.ndarray:
    return np.indices(shape).sum(axis=0) % 2 == 0


MASKS = {
    "sparse": noise((40, 9, 130), 0.15),
    "percolating": noise((40, 9, 130), 0.32),
    "dense": noise((40, 9, 130), 0.7),
    "thick rows": noise((9, 40, 7), 0.4),
    "one row": noise((1, 1, 700), 0.5),
    "one column": noise((700, 1, 1), 0.5),
    "one plane": noise((1, 300, 65), 0.6),
    "checkerboard": checkerboard((24, 6, 131)),
    "every other column": np.tile(np.arange(128) % 2 == 0, (24, 5, 1)),
    "full": np.ones((24, 5, 128), bool),
    "empty": np.zeros((24, 5, 129), bool),
}


@pytest.mark.parametrize("connectivity", CONNECTIVITY)
@pytest.mark.parametrize("name", MASKS)
def test_components_equal_scipy_for_any_threads_and_index_width(simd: str, name: str, connectivity: int) -> None:
    mask = MASKS[name]
    packed = PackedMask.from_array(mask)
    labels, n = scipy_labels(mask, connectivity)
    table = scipy_table(labels, n)
    keep = np.arange(n) % 3 != 1
    for n_jobs in (1, 2, 3):
        for wide in (False, True):
            runs = _core.ComponentRuns(
                packed.words, nx=mask.shape[2], connectivity=connectivity, n_jobs=n_jobs, wide=wide
            )
            assert runs.n_components == n
            for dtype in (np.int32, np.int64):
                found = np.full(mask.shape, -1, dtype)
                runs.write_labels(found)
                np.testing.assert_array_equal(found, labels)
            measured = np.zeros(n, COMPONENT_DTYPE)
            runs.write_table(measured.view(np.int64).reshape(-1, len(COMPONENT_DTYPE)))
            np.testing.assert_array_equal(measured, table)
            chosen = PackedMask.empty(mask.shape)
            chosen.words[...] = ~np.uint64(0)
            runs.select(keep, chosen.words)
            assert chosen == PackedMask.from_array(np.concatenate([[False], keep])[labels])


@pytest.mark.parametrize("gap", [0, 1, 2])
@pytest.mark.parametrize("edge", [1, 2, 63, 64, 65, 127, 128])
def test_diagonal_contact_across_words(simd: str, edge: int, gap: int) -> None:
    mask = np.zeros((2, 2, 200), bool)
    mask[0, 0, :edge] = True
    mask[1, 1, edge + gap :] = True
    for connectivity in CONNECTIVITY:
        assert _cpp.label_components(PackedMask.from_array(mask), connectivity, 1)[1] == (
            1 if connectivity == 26 and gap == 0 else 2
        )
        mirrored = PackedMask.from_array(np.ascontiguousarray(mask[..., ::-1]))
        assert _cpp.label_components(mirrored, connectivity, 1)[1] == (1 if connectivity == 26 and gap == 0 else 2)


def test_spiral_that_joins_at_its_last_row_is_one_component() -> None:
    mask = np.zeros((64, 3, 3), bool)
    mask[:, 0, 0] = mask[:, 0, 2] = mask[:, 2, 0] = mask[:, 2, 2] = True
    assert _cpp.label_components(PackedMask.from_array(mask), 6, 3)[1] == 4
    mask[-1] = True
    for n_jobs in (1, 2, 3, 16):
        labels, n = _cpp.label_components(PackedMask.from_array(mask), 6, n_jobs)
        assert n == 1
        np.testing.assert_array_equal(labels, mask)


@pytest.mark.parametrize("nx", [65_535, 65_536, 65_537, 200_003])
def test_rows_longer_than_sixteen_bits(nx: int) -> None:
    mask = noise((2, 3, nx), 0.5, seed=nx)
    labels, n = scipy_labels(mask, 18)
    found, n_found = _cpp.label_components(PackedMask.from_array(mask), 18, 2)
    assert n_found == n
    np.testing.assert_array_equal(found, labels)


@pytest.mark.parametrize("shape", [(0, 4, 5), (4, 0, 5), (4, 5, 0), (0, 0, 0)])
def test_a_mask_without_voxels_has_no_components(shape: tuple[int, int, int]) -> None:
    mask = PackedMask.from_array(np.zeros(shape, bool))
    labels, n = _cpp.label_components(mask, 26, 2)
    assert (labels.shape, labels.dtype, n) == (shape, np.int32, 0)
    assert _cpp.component_table(mask, 26, 2).shape == (0,)
    assert _cpp.filter_components(mask, 26, lambda table: table["label"] > 0, 2).count() == 0


def test_the_mask_outlives_its_last_name() -> None:
    runs = _core.ComponentRuns(PackedMask.from_array(MASKS["dense"]).words, nx=130, connectivity=6, n_jobs=2)
    [np.zeros((40, 9, 3), np.uint64) for _ in range(50)]
    found = np.empty(MASKS["dense"].shape, np.int32)
    runs.write_labels(found)
    np.testing.assert_array_equal(found, scipy_labels(MASKS["dense"], 6)[0])


def test_the_door_of_the_core_refuses_what_does_not_fit() -> None:
    words = PackedMask.from_array(MASKS["dense"]).words
    with pytest.raises(ValueError, match="connectivity must be 6, 18 or 26, got 8"):
        _core.ComponentRuns(words, nx=130, connectivity=8, n_jobs=1)
    with pytest.raises(ValueError, match="words must have shape"):
        _core.ComponentRuns(words, nx=200, connectivity=6, n_jobs=1)
    with pytest.raises(TypeError):
        _core.ComponentRuns(words.astype(np.int64), nx=130, connectivity=6, n_jobs=1)
    runs = _core.ComponentRuns(words, nx=130, connectivity=6, n_jobs=1)
    with pytest.raises(ValueError, match="keep must have one bool per component"):
        runs.select(np.ones(runs.n_components + 1, bool), words.copy())
    with pytest.raises(ValueError, match="out must have the shape of the input"):
        runs.write_labels(np.empty((40, 9, 129), np.int32))
    with pytest.raises(ValueError, match="one row of 14 numbers per component"):
        runs.write_table(np.empty((runs.n_components, 13), np.int64))


@pytest.mark.slow
def test_a_mask_of_more_than_2_to_the_31_voxels() -> None:
    mask = PackedMask.empty((33, 8192, 8192))
    mask.words[...] = ~np.uint64(0)
    mask.words[32] = 0
    mask.words[31, 8191, 127] = 0
    mask.words[32, 8191, 127] = 1 << 63
    table = _cpp.component_table(mask, 6, 2)
    n_large = 32 * 8192 * 8192 - 64
    assert n_large > np.iinfo(np.int32).max - 64
    assert table["n_voxels"].tolist() == [n_large, 1]
    assert table[["z0", "y0", "x0", "z1", "y1", "x1"]][1].item() == (32, 8191, 8191, 33, 8192, 8192)
    assert table[0].item()[8:] == (8192 * 8192, 0, 32 * 8192, 32 * 8192 - 64, 32 * 8192, 32 * 8192 - 1)
    kept = _cpp.filter_components(mask, 6, lambda found: found["n_voxels"] == 1, 2)
    assert kept.count() == 1
    assert kept.words[32, 8191, 127] == 1 << 63


@pytest.mark.slow
def test_one_row_of_more_than_2_to_the_32_voxels() -> None:
    nx = (1 << 32) + 100
    mask = PackedMask.empty((1, 1, nx))
    mask.words[...] = 0
    mask.words[0, 0, -1] = 0b1011
    mask.words[0, 0, 0] = 1 << 63
    table = _cpp.component_table(mask, 6, 1)
    assert table["x0"].tolist() == [63, (1 << 32) + 64, (1 << 32) + 67]
    assert table["x1"].tolist() == [64, (1 << 32) + 66, (1 << 32) + 68]
    assert _cpp.filter_components(mask, 6, lambda found: found["n_voxels"] == 2, 1).words[0, 0, -1] == 0b11


@pytest.mark.slow
def test_labels_of_more_than_2_to_the_31_voxels() -> None:
    if psutil.virtual_memory().available < 13 * GIB:
        pytest.skip("needs 13 GiB of free memory")
    mask = PackedMask.empty((2, 32768, 32769))
    mask.words[...] = 0
    mask.words[0, 0, 0] = 0b101
    mask.words[1, -1, -1] = 1
    labels, n = _cpp.label_components(mask, 6, 2)
    assert n == 3
    assert (labels[0, 0, 0], labels[0, 0, 2], labels[1, -1, -1]) == (1, 2, 3)
    assert np.count_nonzero(labels) == 3


@pytest.mark.parametrize(("n", "dtype"), [(2**31 - 1, np.int32), (2**31, np.int64)])
def test_labels_widen_where_32_bits_cannot_hold_them(monkeypatch: pytest.MonkeyPatch, n: int, dtype: type) -> None:
    class ManyRuns:
        n_components = n

        def __init__(self, words: np.ndarray, **options: int) -> None:
            pass

        def write_labels(self, out: np.ndarray) -> None:
            out[...] = n

    monkeypatch.setattr(_core, "ComponentRuns", ManyRuns)
    labels, n_found = _cpp.label_components(PackedMask.from_array(MASKS["full"]), 6, 1)
    assert (labels.dtype, labels.max(), n_found) == (dtype, n, n)
