"""Kernels on masks, judged by SciPy and SimpleITK."""

import balls_by_distance
import numpy as np
import SimpleITK
from fuzz.source import DTYPES, Source, as_array, assert_equal
from scipy import ndimage

from fastgmm import volume
from fastgmm.backends._contract import COMPONENT_DTYPE

CONNECTIVITIES = {6: 1, 18: 2, 26: 3}


def opening(source: Source) -> None:
    """Threshold and opening with the cross."""
    machine, shape = source.machine(), source.shape()
    values = source.array(shape, source.pick(DTYPES))
    threshold = int(values.flat[source.integer(0, values.size - 1)]) + source.integer(-1, 1) if values.size else 0
    air = volume.threshold_below(source.layout(values), threshold, **machine)
    assert_equal(air, values.astype(np.int64) < threshold)
    mask, iterations = source.mask(shape), source.integer(1, 9)
    expected = ndimage.binary_opening(mask, iterations=iterations) if mask.size else mask
    assert_equal(volume.binary_opening(source.given_mask(mask), iterations, **machine), expected)


def _filtered(function, mask, radius, *options):
    image = SimpleITK.GetImageFromArray(mask.astype(np.uint8))
    return SimpleITK.GetArrayFromImage(function(image, radius[::-1], SimpleITK.sitkBall, *options)).astype(bool)


def _padded(mask, radius, function):
    """What a function makes of a mask in an empty margin as wide as the ball."""
    changed = function(np.pad(mask, [(r, r) for r in radius]))
    return changed[tuple(slice(r, r + n) for r, n in zip(radius, mask.shape, strict=True))]


BALLS = {
    "binary_closing_ball": lambda m, r: _filtered(SimpleITK.BinaryMorphologicalClosing, m, r, 1.0, True),
    "binary_opening_ball": lambda m, r: _padded(
        m, r, lambda p: _filtered(SimpleITK.BinaryMorphologicalOpening, p, r, 0.0, 1.0)
    ),
    "binary_dilation_ball": lambda m, r: _filtered(SimpleITK.BinaryDilate, m, r, 0.0, 1.0, False),
    "binary_erosion_ball": lambda m, r: _padded(
        m, r, lambda p: _filtered(SimpleITK.BinaryErode, p, r, 0.0, 1.0, False)
    ),
}
LARGE_BALLS = {
    "binary_closing_ball": balls_by_distance.closed,
    "binary_opening_ball": balls_by_distance.opened,
    "binary_dilation_ball": balls_by_distance.dilated,
    "binary_erosion_ball": balls_by_distance.eroded,
}


def balls(source: Source) -> None:
    """Closing, opening, dilation and erosion with balls of equal and unequal radii, large ones too."""
    machine, name = source.machine(), source.pick(list(BALLS))
    lowest, highest, max_voxels = source.pick([(0, 9, 20_000), (19, 24, 20_000), (0, 32, 3000), (19, 63, 300)])
    shape = source.shape(max_voxels)
    radius = tuple(source.integer(lowest, highest) for _ in range(3))
    if source.flag():
        radius = radius[:1] * 3
    mask = source.mask(shape)
    found = getattr(volume, name)(source.given_mask(mask), radius, **machine)
    judge = (LARGE_BALLS if lowest else BALLS)[name]
    assert_equal(found, judge(mask, radius) if mask.size else mask)


def _scipy_table(mask, connectivity):
    """Labels and the component table from SciPy's label volume."""
    labels, n = ndimage.label(mask, ndimage.generate_binary_structure(3, CONNECTIVITIES[connectivity]))
    table = np.zeros(n, COMPONENT_DTYPE)
    table["label"] = np.arange(1, n + 1)
    table["n_voxels"] = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    for row, box in zip(table, ndimage.find_objects(labels) if n else [], strict=True):
        for axis, side in zip("zyx", box, strict=True):
            row[f"{axis}0"], row[f"{axis}1"] = side.start, side.stop
    for number, axis in enumerate("zyx"):
        for name, plane in (("0", 0), ("1", -1)):
            face = labels.take(plane, number).ravel() if mask.size else labels.ravel()
            table[f"c_{axis}{name}"] = np.bincount(face, minlength=n + 1)[1:]
    return labels, table


def components(source: Source) -> None:
    """Numbers, tables, and components chosen from them."""
    machine, connectivity = source.machine(), source.pick(list(CONNECTIVITIES))
    mask = source.mask(source.shape())
    given = source.given_mask(mask)
    labels, table = _scipy_table(mask, connectivity)
    found, n = volume.label_components(given, connectivity, **machine)
    assert n == len(table)
    assert_equal(found, labels)
    assert_equal(volume.component_table(given, connectivity, **machine), table)
    chosen = source.rng().random(n) < source.pick((0.5, 0, 0.1, 1))
    kept = volume.filter_components(given, lambda _: chosen, connectivity, **machine)
    assert_equal(kept, np.concatenate([[False], chosen])[labels])
    few = chosen & (np.cumsum(chosen) <= 5)
    parts = volume.separate_components(given, lambda _: few, connectivity, **machine)
    assert len(parts) == few.sum()
    for part, number in zip(parts, table["label"][few], strict=True):
        assert_equal(part, labels == number)


def _select(table, min_voxels, axes, largest):
    """Which components `keep_components` has to keep, one rule after the other."""
    wanted = table["n_voxels"] >= min_voxels
    for axis in axes:
        wanted &= (table[f"c_{axis}0"] == 0) & (table[f"c_{axis}1"] == 0)
    if largest is not None:
        order = sorted(np.flatnonzero(wanted), key=lambda i: (-table["n_voxels"][i], i))
        wanted = np.isin(np.arange(len(table)), order[:largest])
    return wanted


def selection(source: Source) -> None:
    """Components kept by size, faces and rank."""
    machine, connectivity = source.machine(), source.pick(list(CONNECTIVITIES))
    mask = source.mask(source.shape())
    labels, table = _scipy_table(mask, connectivity)
    rule = {
        "min_voxels": source.pick((0, 1, 2, 5, 50)),
        "drop_touching": [axis for axis in "zyx" if source.flag()],
        "largest": source.pick((None, 1, 2, 7)),
    }
    kept = volume.keep_components(source.given_mask(mask), connectivity=connectivity, **rule, **machine)
    wanted = _select(table, *rule.values())
    assert_equal(kept, np.concatenate([[False], wanted])[labels])


def packing(source: Source) -> None:
    """Masks packed, unpacked and combined."""
    shape = source.shape(60_000)
    a, b = source.mask(shape), source.mask(shape)
    first, second = volume.PackedMask.from_array(source.layout(a)), source.given_mask(b)
    if not isinstance(second, volume.PackedMask):
        second = volume.PackedMask.from_array(second)
    assert_equal(first, a)
    assert_equal(second, b)
    assert (first.count(), second.count()) == (a.sum(), b.sum())
    for found, expected in ((first & second, a & b), (first | second, a | b), (first - second, a & ~b), (~first, ~a)):
        assert_equal(found, expected)
        assert found.count() == expected.sum()
    assert (first == second) == np.array_equal(a, b)
    assert first.copy() == first
    room = np.full(shape, source.flag())
    assert as_array(second.to_array(room)) is room
    assert_equal(room, b)
