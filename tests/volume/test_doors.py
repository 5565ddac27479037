"""The public functions of fastgmm.volume: what they refuse and how, the kind of mask they return, `out=`."""

import numpy as np
import pytest
from volumes import blobs, integers

from fastgmm import volume as v
from fastgmm.backends import get_backend
from fastgmm.volume import PackedMask

SHAPE = (4, 5, 70)
MASK = blobs(SHAPE, 0.5, 1)
VOLUME = integers(SHAPE, np.int16, -1000, 400, 2)
LABELS = integers(SHAPE, np.uint8, 0, 5, 3)
TABLE = integers(1 << 16, np.uint8, 0, 5, 4)

OF_MASK = {
    "binary_opening": v.binary_opening,
    "binary_opening_ball": lambda mask, **options: v.binary_opening_ball(mask, 1, **options),
    "binary_closing_ball": lambda mask, **options: v.binary_closing_ball(mask, 1, **options),
    "keep_components": lambda mask, **options: v.keep_components(mask, largest=1, **options),
    "filter_components": lambda mask, **options: v.filter_components(mask, lambda t: t["x0"] > 3, **options),
}
MASK_TO_MASK = pytest.mark.parametrize("function", OF_MASK.values(), ids=OF_MASK)
EVERY = {
    **{name: lambda f=f, **options: f(MASK, **options) for name, f in OF_MASK.items()},
    "label_components": lambda **options: v.label_components(MASK, **options),
    "component_table": lambda **options: v.component_table(MASK, **options),
    "median_filter": lambda **options: v.median_filter(LABELS, 3, **options),
    "histogram": lambda **options: v.histogram(VOLUME, MASK, **options),
    "apply_table": lambda **options: v.apply_table(VOLUME, TABLE, **options),
    "threshold_below": lambda **options: v.threshold_below(VOLUME, -155, **options),
}


@MASK_TO_MASK
def test_the_kind_of_the_mask_is_kept(backend, function):
    packed = PackedMask.from_array(MASK)
    from_array, from_packed = function(MASK, backend=backend), function(packed, backend=backend)
    assert (type(from_array), from_array.dtype) == (np.ndarray, bool)
    assert isinstance(from_packed, PackedMask)
    np.testing.assert_array_equal(from_packed.to_array(), from_array)
    assert packed == PackedMask.from_array(MASK)


@MASK_TO_MASK
def test_masks_are_written_to_out(backend, function):
    expected = function(MASK, backend=backend)
    room = np.ones(SHAPE, bool)
    assert function(MASK, out=room, backend=backend) is room
    np.testing.assert_array_equal(room, expected)
    packed_room = PackedMask.from_array(~expected)
    assert function(PackedMask.from_array(MASK), out=packed_room, backend=backend) is packed_room
    np.testing.assert_array_equal(packed_room.to_array(), expected)


def test_volumes_are_written_to_out(backend):
    labels = np.full(SHAPE, 99, np.uint8)
    assert v.apply_table(VOLUME, TABLE, MASK, out=labels, backend=backend) is labels
    np.testing.assert_array_equal(labels, v.apply_table(VOLUME, TABLE, MASK, backend=backend))
    smooth = np.full(SHAPE, 99, np.uint8)
    assert v.median_filter(labels, 4, out=smooth, backend=backend) is smooth
    np.testing.assert_array_equal(smooth, v.median_filter(labels, 4, backend=backend))
    below = PackedMask.from_array(MASK)
    assert v.threshold_below(VOLUME, 0, out=below, backend=backend) is below
    np.testing.assert_array_equal(below.to_array(), VOLUME < 0)
    for dtype in (np.int32, np.int64):
        numbers = np.full(SHAPE, -1, dtype)
        result, n = v.label_components(MASK, out=numbers, backend=backend)
        assert result is numbers
        assert n == numbers.max()
        np.testing.assert_array_equal(numbers, v.label_components(MASK, backend=backend)[0])


def test_more_components_than_out_can_number_are_refused(monkeypatch):
    many = lambda mask, connectivity, n_jobs: (np.zeros(mask.shape, np.int64), 2**31)  # noqa: E731
    monkeypatch.setattr(get_backend("reference"), "label_components", many)
    with pytest.raises(ValueError, match="out must be int64 to hold 2147483648 components, got int32"):
        v.label_components(MASK, out=np.zeros(SHAPE, np.int32), backend="reference")
    assert v.label_components(MASK, out=np.zeros(SHAPE, np.int64), backend="reference")[1] == 2**31


@pytest.mark.parametrize(
    ("out", "error", "text"),
    [
        (np.zeros((4, 5, 71), np.uint8), ValueError, r"out must be uint8 of shape \(4, 5, 70\), got uint8 of shape"),
        (np.zeros(SHAPE, np.int8), ValueError, r"got int8 of shape \(4, 5, 70\)"),
        (np.zeros(SHAPE, np.uint8, order="F"), ValueError, "C-contiguous, aligned and writeable"),
        (np.zeros((8, 5, 70), np.uint8)[::2], ValueError, "C-contiguous"),
        (np.broadcast_to(np.uint8(0), SHAPE), ValueError, "writeable"),
        (LABELS, ValueError, "must not share memory with an input"),
        (LABELS.tolist(), TypeError, r"out must be a uint8 array of shape \(4, 5, 70\), got list"),
        (np.ma.zeros(SHAPE, np.uint8), TypeError, "got a masked array"),
    ],
)
def test_an_out_that_cannot_be_written_to_is_refused(out, error, text):
    with pytest.raises(error, match=text):
        v.median_filter(LABELS, 3, out=out)


def test_an_out_that_is_the_other_kind_of_mask_or_the_mask_itself_is_refused():
    mask, packed = MASK.copy(), PackedMask.from_array(MASK)
    with pytest.raises(TypeError, match=r"out must be a bool array as the mask is, got PackedMask"):
        v.binary_opening(mask, out=packed)
    with pytest.raises(TypeError, match=r"out must be a PackedMask as the mask is, got bool of shape"):
        v.binary_opening(packed, out=mask)
    with pytest.raises(ValueError, match="must not share memory"):
        v.binary_opening(mask, out=mask)
    with pytest.raises(ValueError, match="must not share memory"):
        v.binary_opening(packed, out=PackedMask(packed.words, packed.shape))
    with pytest.raises(ValueError, match=r"out must have shape \(4, 5, 70\), got \(4, 5, 71\)"):
        v.binary_opening(packed, out=PackedMask.from_array(np.zeros((4, 5, 71), bool)))
    frozen = packed.copy()
    frozen.words.flags.writeable = False
    with pytest.raises(ValueError, match="out must be writeable"):
        v.threshold_below(VOLUME, 0, out=frozen)
    assert np.array_equal(mask, MASK)


@MASK_TO_MASK
@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (MASK.astype(np.uint8), r"mask must be a 3-D bool array or a PackedMask, got uint8 of shape \(4, 5, 70\)"),
        (MASK[0], r"got bool of shape \(5, 70\)"),
        (MASK[None], r"got bool of shape \(1, 4, 5, 70\)"),
        (MASK.tolist(), "got list"),
        (None, "got NoneType"),
        (np.ma.array(MASK), "got a masked array .fill it first"),
        (MASK.astype(object), "got object of shape"),
    ],
)
def test_what_is_no_mask_is_refused(function, mask, text):
    with pytest.raises(TypeError, match=text):
        function(mask)


@pytest.mark.parametrize(
    ("volume", "text"),
    [
        (VOLUME.astype(np.float32), r"volume must be a 3-D array of int8, int16, int32, uint8, uint16, got float32 of"),
        (VOLUME.astype(np.int64), r"got int64 of shape \(4, 5, 70\)"),
        (VOLUME[0], r"got int16 of shape \(5, 70\)"),
        (VOLUME.tolist(), "got list"),
        (MASK, "got bool of shape"),
    ],
)
def test_a_threshold_takes_integer_volumes_only(volume, text):
    with pytest.raises(TypeError, match=text):
        v.threshold_below(volume, 0)


def test_a_threshold_is_an_int():
    for wrong in (0.5, "0", None, True, np.float64(1)):
        with pytest.raises(TypeError, match="value must be an int, got"):
            v.threshold_below(VOLUME, wrong)


@pytest.mark.parametrize("dtype", [np.int64, np.uint32, np.uint64, np.float16, np.float32, np.float64, np.longdouble])
def test_whole_numbers_of_any_dtype_are_counted(backend, dtype):
    volume = np.abs(VOLUME).astype(dtype)
    assert v.histogram(volume, MASK, backend=backend) == v.histogram(np.abs(VOLUME), MASK, backend=backend)


@pytest.mark.parametrize(
    ("volume", "error", "text"),
    [
        (VOLUME + 0.5, ValueError, "volume must be whole numbers, got"),
        (np.full(SHAPE, np.nan), ValueError, "volume must be whole numbers, got nan"),
        (np.full(SHAPE, 2**31), ValueError, r"in -2147483648..2147483647 .int32., got 2147483648..2147483648; clip"),
        (np.full(SHAPE, 2**64 - 1, np.uint64), ValueError, "64-bit signed integers, got 18446744073709551615"),
        (MASK, TypeError, "volume must be a 3-D array of integers, got bool of shape"),
        (VOLUME[0], TypeError, r"got int16 of shape \(5, 70\)"),
        (VOLUME + 0j, TypeError, "got complex128"),
        ([[[1]]], TypeError, "got list"),
    ],
)
def test_volumes_that_cannot_be_counted_are_refused(volume, error, text):
    with pytest.raises(error, match=text):
        v.histogram(volume)


def test_a_mask_of_another_shape_is_refused():
    for function in (v.histogram, lambda volume, mask: v.apply_table(volume, TABLE, mask)):
        for mask in (MASK[:3], PackedMask.from_array(MASK[:3])):
            with pytest.raises(ValueError, match=r"the volume's shape \(4, 5, 70\), got \(3, 5, 70\)"):
                function(VOLUME, mask)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint16, np.int64, np.uint64])
def test_integers_that_fit_16_bits_are_looked_up(backend, dtype):
    volume = integers(SHAPE, np.uint8, 0, 127, 5)
    expected = TABLE[volume.astype(int) + 32768]
    np.testing.assert_array_equal(v.apply_table(volume.astype(dtype), TABLE, backend=backend), expected)


def test_what_cannot_be_looked_up_is_refused():
    with pytest.raises(ValueError, match=r"values in -32768..32767 .int16., got 0..40000; clip"):
        v.apply_table(np.array([[[0, 40000]]], np.uint16), TABLE)
    with pytest.raises(TypeError, match="volume must be a 3-D array of integers, got float64"):
        v.apply_table(VOLUME + 0.0, TABLE)
    for table in (TABLE[:-1], TABLE.astype(int), TABLE.tolist(), TABLE[None]):
        with pytest.raises(TypeError, match=r"table must be a uint8 array of shape \(65536,\), got"):
            v.apply_table(VOLUME, table)
    assert v.apply_table(VOLUME, TABLE[::-1]).tolist() == TABLE[32767 - VOLUME.astype(int)].tolist()


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: v.histogram(VOLUME, phases=0), ValueError, r"phases must be in 1\.\.256, got 0"),
        (lambda: v.histogram(VOLUME, phases=2.0), TypeError, "phases must be an int, got 2.0"),
        (lambda: v.binary_opening(MASK, 0), ValueError, "iterations must be at least 1, got 0"),
        (lambda: v.binary_opening(MASK, True), TypeError, "iterations must be an int, got True"),
        (lambda: v.binary_opening_ball(MASK, -1), ValueError, r"radius must be in 0\.\.512, got -1"),
        (lambda: v.binary_closing_ball(MASK, 513), ValueError, r"radius must be in 0\.\.512, got 513"),
        (lambda: v.binary_closing_ball(MASK, (1, 2)), ValueError, r"radius must be an int or 3 ints .*got \(1, 2\)"),
        (lambda: v.binary_closing_ball(MASK, (1, 2, 0.5)), TypeError, "radius must be an int, got 0.5"),
        (lambda: v.binary_closing_ball(MASK, 1.5), TypeError, "radius must be an int, got 1.5"),
        (lambda: v.median_filter(LABELS, 0), ValueError, r"size must be in 1\.\.7, got 0"),
        (lambda: v.median_filter(LABELS, (1, 8, 1)), ValueError, r"size must be in 1\.\.7, got 8"),
        (lambda: v.median_filter(LABELS, "4"), TypeError, "size must be an int, got '4'"),
        (lambda: v.median_filter(VOLUME, 4), TypeError, "labels must be a 3-D array of uint8, got int16 of shape"),
        (lambda: v.label_components(MASK, 4), ValueError, "connectivity must be 6, 18 or 26, got 4"),
        (lambda: v.component_table(MASK, "6"), TypeError, "connectivity must be an int, got '6'"),
        (lambda: v.label_components(MASK, out=LABELS), ValueError, "out must be int32 or int64 of shape"),
        (lambda: v.keep_components(MASK, min_voxels=-1), ValueError, "min_voxels must be at least 0, got -1"),
        (lambda: v.keep_components(MASK, min_voxels=5e5), TypeError, "min_voxels must be an int, got 500000.0"),
        (lambda: v.keep_components(MASK, largest=0), ValueError, "largest must be at least 1, got 0"),
        (lambda: v.keep_components(MASK, drop_touching="w"), ValueError, r'any of "z", "y", "x", got \'w\''),
        (lambda: v.keep_components(MASK, drop_touching=[0]), ValueError, "drop_touching must be any of .*got 0"),
        (lambda: v.keep_components(MASK, drop_touching=1), TypeError, "drop_touching must be any of .*got 1"),
        (lambda: v.filter_components(MASK, "all"), TypeError, "choose must be a function .*got str"),
    ],
)
def test_numbers_out_of_range_are_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_triples_may_be_tuples_lists_and_arrays():
    expected = v.binary_closing_ball(MASK, (1, 2, 3))
    for radius in ([1, 2, 3], np.array([1, 2, 3])):
        np.testing.assert_array_equal(v.binary_closing_ball(MASK, radius), expected)
    np.testing.assert_array_equal(v.median_filter(LABELS, np.array(3)), v.median_filter(LABELS, (3, 3, 3)))


def test_a_choice_must_be_a_bool_for_each_component(backend):
    n = v.component_table(MASK).size
    for wrong, error, text in (
        (
            np.ones(n + 1, bool),
            ValueError,
            rf"a bool array of shape \({n},\), got shape \({n + 1},\)",
        ),
        (np.ones(n), TypeError, "got float64 of shape"),
        ([True] * n, TypeError, "got list"),
    ):
        with pytest.raises(error, match=text):
            v.filter_components(MASK, lambda table, wrong=wrong: wrong, backend=backend)


def test_an_error_in_the_choice_arrives_as_it_is(backend):
    with pytest.raises(ZeroDivisionError):
        v.filter_components(MASK, lambda table: 1 / 0, backend=backend)


@pytest.mark.parametrize("call", EVERY.values(), ids=EVERY)
def test_every_function_takes_backend_and_n_jobs(call):
    for options in ({"backend": "reference"}, {"n_jobs": 1}, {"n_jobs": -1}, {"backend": "cpp", "n_jobs": 3}):
        assert call(**options) is not None
    with pytest.raises(ValueError, match="n_jobs must not be 0"):
        call(n_jobs=0)
    with pytest.raises(ValueError, match="backend must be one of auto, reference, cpp, numba, cuda, got 'gpu'"):
        call(backend="gpu")
