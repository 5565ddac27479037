"""Arrays of every layout give the result of a plain contiguous one, and are not written to."""

import numpy as np
import pytest
from volumes import blobs, integers

from fastgmm.volume import (
    PackedMask,
    apply_table,
    binary_closing_ball,
    binary_opening,
    binary_opening_ball,
    component_table,
    histogram,
    keep_components,
    label_components,
    median_filter,
    threshold_below,
)

SHAPE = (6, 9, 70)
RISING = np.arange(np.prod(SHAPE), dtype=np.int32).reshape(SHAPE)
TABLE = integers(1 << 16, np.uint8, 0, 5, 0)


def read_only(array):
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def unaligned(array):
    room = np.zeros(array.nbytes + 1, np.uint8)[1:]
    view = room.view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def every_second(array):
    wide = np.zeros([2 * n for n in array.shape], array.dtype)
    view = wide[::2, ::2, 1::2]
    view[...] = array
    return view


class Subclass(np.ndarray):
    """An array type of somebody else."""


LAYOUTS = {
    "fortran": np.asfortranarray,
    "every_second": every_second,
    "reversed": lambda array: array[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
    "transposed": lambda array: array.transpose(2, 0, 1).copy().transpose(1, 2, 0),
    "read_only": read_only,
    "unaligned": unaligned,
    "other_byte_order": lambda array: array.astype(array.dtype.newbyteorder("S")),
    "subclass": lambda array: array.view(Subclass),
}
LAYOUT = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)

OF_VOLUMES = {
    "histogram": histogram,
    "histogram_phases": lambda volume, **options: histogram(volume, volume % 3 == 0, 4, **options),
    "apply_table": lambda volume, **options: apply_table(volume, TABLE, **options),
    "threshold_below": lambda volume, **options: threshold_below(volume, -155, **options),
}
OF_MASKS = {
    "label_components": lambda mask, **options: label_components(mask, **options)[0],
    "component_table": component_table,
    "keep_components": lambda mask, **options: keep_components(mask, largest=2, **options),
    "binary_opening": binary_opening,
    "binary_opening_ball": lambda mask, **options: binary_opening_ball(mask, (1, 2, 1), **options),
    "binary_closing_ball": lambda mask, **options: binary_closing_ball(mask, (2, 1, 3), **options),
    "histogram_mask": lambda mask, **options: histogram(RISING, mask, **options),
}


def assert_same(function, plain, given, backend):
    before = given.copy()
    result, expected = function(given, backend=backend), function(plain, backend=backend)
    assert type(result) is type(expected)
    if isinstance(expected, np.ndarray):
        assert result.flags.c_contiguous
        assert result.dtype == expected.dtype
        np.testing.assert_array_equal(result, expected)
    else:
        assert result == expected
    np.testing.assert_array_equal(given, before)


@LAYOUT
@pytest.mark.parametrize("function", OF_VOLUMES.values(), ids=OF_VOLUMES)
@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint8], ids=lambda dtype: dtype.__name__)
def test_volumes_of_any_layout(backend, function, dtype, layout):
    volume = integers(SHAPE, dtype, 0, 200, 1)
    assert_same(function, volume, layout(volume), backend)


@LAYOUT
@pytest.mark.parametrize("function", OF_MASKS.values(), ids=OF_MASKS)
def test_masks_of_any_layout(backend, function, layout):
    mask = blobs(SHAPE, 0.6, 2)
    assert_same(function, mask, layout(mask), backend)


@LAYOUT
def test_labels_of_any_layout(backend, layout):
    labels = integers(SHAPE, np.uint8, 0, 5, 3)
    assert_same(lambda given, **options: median_filter(given, 4, **options), labels, layout(labels), backend)


@pytest.mark.parametrize("function", OF_MASKS.values(), ids=OF_MASKS)
def test_packed_masks_with_padded_planes_and_read_only_words(backend, function):
    mask = blobs(SHAPE, 0.6, 2)
    wide = np.zeros((6, 13, 2), np.uint64)
    wide[:, :9] = PackedMask.from_array(mask).words
    wide.flags.writeable = False
    expected = function(mask, backend=backend)
    result = function(PackedMask(wide[:, :9], SHAPE), backend=backend)
    if isinstance(result, PackedMask):
        result = result.to_array()
    assert result == expected if not isinstance(expected, np.ndarray) else np.array_equal(result, expected)


@pytest.mark.parametrize("shape", [(0, 2, 3), (2, 0, 3), (2, 3, 0), (1, 1, 1)], ids=str)
@pytest.mark.parametrize("function", OF_VOLUMES.values(), ids=OF_VOLUMES)
def test_empty_and_one_voxel_volumes(backend, function, shape):
    volume = np.full(shape, -1000, np.int16)
    assert_same(function, volume, np.asfortranarray(volume), backend)
    assert histogram(volume, backend=backend).n == volume.size


@pytest.mark.parametrize("value", [False, True])
def test_masks_of_one_voxel(backend, value):
    mask = np.full((1, 1, 1), value)
    assert label_components(mask, backend=backend)[1] == value
    assert component_table(mask, backend=backend)["n_voxels"].tolist() == [1] * value
    assert not binary_opening(mask, backend=backend).any()
    assert not binary_opening_ball(mask, 1, backend=backend).any()
    assert binary_closing_ball(mask, 30, backend=backend).item() is value
    assert keep_components(mask, drop_touching="y", backend=backend).item() is False
    assert median_filter(mask.astype(np.uint8), 7, backend=backend).item() == value
