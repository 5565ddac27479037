"""Kernels on volumes of numbers, judged by NumPy and SciPy."""

import numpy as np
from fuzz.source import DTYPES, Source, assert_equal
from scipy import ndimage

from fastgmm import volume

CROSS = ndimage.generate_binary_structure(3, 1)


def _mask_or_none(source, shape):
    """A mask and the same as it is given, or None twice."""
    if source.integer(0, 3) == 0:
        return None, None
    mask = source.mask(shape)
    return mask, source.given_mask(mask)


def histogram(source: Source) -> None:
    """Counts by phase under a mask."""
    machine, shape = source.machine(), source.shape()
    values = source.array(shape, source.pick(DTYPES))
    mask, given = _mask_or_none(source, shape)
    inside = values.ravel() if mask is None else values[mask]
    phases = source.pick((1, 4, 2, 3, 7, 33))
    found = volume.histogram(source.layout(values), given, phases, **machine)
    occurring = np.unique(inside)
    assert_equal(found.values, occurring)
    assert found.n == inside.size
    table = np.atleast_2d(found.counts)
    for phase in range(phases):
        part = inside[phase::phases]
        expected = np.bincount(np.searchsorted(occurring, part), minlength=occurring.size)
        assert_equal(table[phase], expected)


def look_up(source: Source) -> None:
    """Labels from tables of few steps and of many."""
    machine, shape = source.machine(), source.shape()
    values = source.array(shape, np.int16)
    n_steps = source.pick((4, 0, 1, 2, 7, 8, 9, 40))
    steps = np.array(sorted(source.integer(-32768, 32767) for _ in range(n_steps)), int)
    bands = source.array((n_steps + 1,), np.uint8)
    table = bands[np.searchsorted(steps, np.arange(-32768, 32768), "right")]
    if source.integer(0, 3) == 3:
        table = source.array((1 << 16,), np.uint8)
    mask, given = _mask_or_none(source, shape)
    labels = volume.apply_table(source.layout(values), source.layout(table), given, **machine)
    expected = table[values.astype(int) + 32768]
    assert_equal(labels, expected if mask is None else np.where(mask, expected, 0))


def median(source: Source) -> None:
    """Medians of boxes of every size, of few labels and of all 256."""
    machine = source.machine()
    size = (source.integer(1, 7),) * 3 if source.flag() else tuple(source.integer(1, 7) for _ in range(3))
    shape = source.shape(200_000 // int(np.prod(size) + 20))
    labels = source.array(shape, np.uint8)
    n_labels = source.pick((6, 2, 3, 8, 9, 17, 256))
    labels = np.minimum(labels, n_labels - 1)
    if source.flag():
        labels = labels * source.mask(shape)
    found = volume.median_filter(source.layout(labels), size, **machine)
    expected = ndimage.median_filter(labels, size, mode="reflect") if labels.size else labels
    assert_equal(found, expected)


def flood(source: Source) -> None:
    """Geodesic floods from several seeds, and holes filled."""
    machine, shape = source.machine(), source.shape(6000)
    mask = source.mask(shape)
    seeds = [source.mask(shape) for _ in range(source.integer(1, 4))]
    thin = source.rng()
    seeds = [seed & (thin.random(shape) < 0.05) for seed in seeds]
    found = volume.geodesic_flood(source.given_mask(mask), [source.given_mask(seed) for seed in seeds], **machine)
    parts, free = [], mask.copy()
    for seed in seeds:
        parts.append(seed & free)
        free &= ~seed
    n_free = -1
    while n_free != np.count_nonzero(free):
        n_free = np.count_nonzero(free)
        grown = [ndimage.binary_dilation(part, CROSS) & free for part in parts]
        for part, new in zip(parts, grown, strict=True):
            part |= new & free
            free &= ~part
    for ours, expected in zip(found, parts, strict=True):
        assert_equal(ours, expected)
    filled = volume.fill_holes(source.given_mask(mask), **machine)
    assert_equal(filled, ndimage.binary_fill_holes(mask) if mask.size else mask)


def region(source: Source) -> None:
    """The largest region that grows from seeds below rising thresholds."""
    machine, shape = source.machine(), source.shape(10_000)
    values = source.array(shape, source.pick(DTYPES))
    seeds = source.mask(shape) & (source.rng().random(shape) < 0.02)
    known = np.unique(values).tolist() or [0]
    picked = {int(source.pick(known)) + source.integer(-1, 1) for _ in range(source.integer(1, 6))}
    thresholds = sorted(min(max(t, -(2**31)), 2**31 - 1) for t in picked)
    thresholds = sorted(set(thresholds))
    max_voxels = source.integer(0, values.size)
    found, threshold = volume.grow_region(
        source.layout(values), source.given_mask(seeds), thresholds, max_voxels, **machine
    )
    best, chosen = np.zeros(shape, bool), None
    for candidate in thresholds:
        labels, n = ndimage.label(values.astype(np.int64) < candidate)
        reached = np.zeros(n + 1, bool)
        reached[np.unique(labels[seeds])] = True
        reached[0] = False
        if reached[labels].sum() > max_voxels:
            break
        best, chosen = reached[labels], candidate
    assert threshold == chosen
    assert_equal(found, best)
