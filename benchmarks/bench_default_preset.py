"""The stages of the default preset on a scan. make bench BENCH="-k default_preset"."""

import math

import numpy as np
import SimpleITK as sitk  # noqa: N813
from harness.inputs import AIR_BELOW_HU, REAL, THORAXES, load, lungs, tissue_table
from harness.memory import N_THREADS, floor_s
from harness.paired import OURS, OURS_BASELINE, OURS_NUMBA, Call, Group, ours
from harness.rows import Panel, stage_test
from rivals import default_preset as rivals
from rivals import median

from fastgmm.lung import LungSettings, segment_lungs
from fastgmm.lung.settings import radius_voxels
from fastgmm.volume import (
    PackedMask,
    apply_table,
    binary_closing_ball,
    binary_erosion_ball,
    binary_opening_ball,
    fill_holes,
    geodesic_flood,
    grow_region,
    median_filter,
    separate_components,
    threshold_below,
)

SETTINGS = LungSettings()
NUMBERS = SETTINGS.default_mask()
# Deep enough to part the lungs of most scans.
CORE_DEPTH_MM = 7.0
# From the wall, which the airway of the preset includes, well into the air of the trachea.
SEED_DEPTH_MM = 5.0
# Air of the lungs and, from the second on, their vessels and walls; wider steps than the airway's.
THRESHOLDS_HU = (-900, -700, -500)
CASES = (*THORAXES, REAL)


def _air(case: str) -> PackedMask:
    return threshold_below(load(case).volume, AIR_BELOW_HU)


def _group(stage: str, case: str, mask: np.ndarray, kernel, rows: dict, *, n_written: float = 1 / 8) -> Group:
    """Our kernel on packed bits beside rivals on bool arrays; "simpleitk" rows get an image."""
    packed = PackedMask.from_array(mask)
    image = sitk.GetImageFromArray(mask.view(np.uint8))

    def as_bool(found):
        return sitk.GetArrayViewFromImage(found).astype(bool) if isinstance(found, sitk.Image) else found.astype(bool)

    calls = ours(lambda backend: Call(lambda: kernel(packed, backend=backend, n_jobs=N_THREADS), PackedMask.to_array))
    for who, rival in rows.items():
        given = image if who.startswith("simpleitk") else mask
        calls[who] = Call(lambda rival=rival, given=given: rival(given), as_bool)
    return Group(f"default: {stage}", case, "warm", calls, floor_s(mask.size / 8, mask.size * n_written))


def _ball_rows(radius, by_edt, by_scipy, by_skimage, by_simpleitk) -> dict:
    return {
        "edt": lambda mask: by_edt(mask, radius),
        "scipy": lambda mask: by_scipy(mask, radius),
        "scikit-image": lambda mask: by_skimage(mask, radius),
        "simpleitk": lambda image: by_simpleitk(image, radius),
    }


def opening(case: str, state: str) -> Group:
    """The opening that cuts thin bridges of air, 2 mm."""
    radius = radius_voxels(NUMBERS.opening_mm, load(case).spacing_mm)
    rows = _ball_rows(radius, rivals.open_ball, rivals.open_scipy, rivals.open_skimage, rivals.open_simpleitk)
    return _group("opening 2 mm", case, _air(case).to_array(), lambda m, **k: binary_opening_ball(m, radius, **k), rows)


def erosion(case: str, state: str) -> Group:
    """One depth at which cores are looked for."""
    radius = radius_voxels(CORE_DEPTH_MM, load(case).spacing_mm)
    rows = _ball_rows(radius, rivals.erode, rivals.erode_scipy, rivals.erode_skimage, rivals.erode_simpleitk)
    kernel = lambda m, **k: binary_erosion_ball(m, radius, **k)  # noqa: E731
    return _group("erosion 7 mm", case, lungs(case).to_array(), kernel, rows)


def closing(case: str, state: str) -> Group:
    """The closing over vessels and dense disease, 20 mm."""
    radius = radius_voxels(NUMBERS.closing_mm, load(case).spacing_mm)
    rows = _ball_rows(radius, rivals.close_ball, rivals.close_scipy, rivals.close_skimage, rivals.close_simpleitk)
    kernel = lambda m, **k: binary_closing_ball(m, radius, **k)  # noqa: E731
    return _group("closing 20 mm", case, lungs(case).to_array(), kernel, rows)


def holes(case: str, state: str) -> Group:
    """Filling the holes of the lungs, vessels here."""
    rows = {
        "fill_voids": rivals.fill_voids,
        "cc3d": rivals.fill_cc3d,
        "scipy": rivals.fill_scipy,
        "simpleitk": rivals.fill_simpleitk,
    }
    return _group("fill holes", case, lungs(case).to_array(), fill_holes, rows)


def growth(case: str, state: str) -> Group:
    """What the eroded lungs reach within the air."""
    mask = _air(case).to_array()
    radius = radius_voxels(CORE_DEPTH_MM, load(case).spacing_mm)
    packed_seeds = binary_erosion_ball(lungs(case), radius)
    seeds = packed_seeds.to_array()
    seed_image = sitk.GetImageFromArray(seeds.view(np.uint8))
    rows = {
        "cc3d": lambda m: rivals.reach_cc3d(m, seeds),
        "scipy": lambda m: rivals.reach_scipy(m, seeds),
        "scikit-image": lambda m: rivals.reach_skimage(m, seeds),
        "simpleitk": lambda image: rivals.reach_simpleitk(image, seed_image),
    }
    return _group("flood", case, mask, lambda m, **k: geodesic_flood(m, [packed_seeds], **k)[0], rows)


def smoothing(case: str, state: str) -> Group:
    """The median of the default preset: an odd box of about 3 mm, 0 exactly where the labels are."""
    data = load(case)
    labels = apply_table(data.volume, tissue_table(), lungs(case))
    size = SETTINGS.median_size(data.spacing_mm)
    out, spare = np.empty_like(labels), np.empty_like(labels)
    calls = ours(
        lambda b: Call(lambda: median_filter(labels, size, keep_zeros=True, out=out, backend=b, n_jobs=N_THREADS))
    )
    image = sitk.GetImageFromArray(labels)
    medians = {
        "numpy sums": lambda: median.median_numpy(labels, size, spare),
        "numpy sums by slabs": lambda: median.median_numpy(labels, size, spare, median.SLAB_BYTES),
        "scipy": lambda: median.median_scipy(labels, size, spare),
        "scikit-image": lambda: median.median_skimage(labels, size),
    }
    calls |= {who: Call(lambda smooth=smooth: rivals.keep_within(smooth(), labels)) for who, smooth in medians.items()}
    if max(size) <= 3:
        calls["simpleitk"] = Call(lambda: rivals.keep_image_within(median.median_simpleitk(image, size), labels))
    return Group("default: median 3 mm", case, "warm", calls, floor_s(labels.nbytes, labels.nbytes))


def region(case: str, state: str) -> Group:
    """A region grown from one voxel of each lung through rising thresholds that never leak: the airway's step."""
    data = load(case)
    seeds = np.zeros(data.volume.shape, bool)
    inside = np.argwhere(lungs(case).to_array() & (data.volume < THRESHOLDS_HU[0]))
    seeds[tuple(inside[[len(inside) // 3, 2 * len(inside) // 3]].T)] = True
    packed, most = PackedMask.from_array(seeds), data.volume.size

    def pipeline(backend: str) -> Call:
        return Call(
            lambda: grow_region(data.volume, packed, THRESHOLDS_HU, most, backend=backend, n_jobs=N_THREADS)[0],
            PackedMask.to_array,
        )

    calls = ours(pipeline)
    for who, reach in (
        ("cc3d", rivals.reach_cc3d),
        ("scipy", rivals.reach_scipy),
        ("scikit-image", rivals.reach_skimage),
    ):
        calls[who] = Call(lambda reach=reach: rivals.grow(data.volume, seeds, THRESHOLDS_HU, most, reach))
    n_read = len(THRESHOLDS_HU) * data.volume.nbytes
    return Group("default: region", case, "warm", calls, floor_s(n_read, data.volume.size / 8))


def airway(case: str, state: str) -> Group:
    """Growing the airway from its inside, threshold by threshold until it leaks."""
    data = load(case)
    inside = binary_erosion_ball(
        segment_lungs(data.volume, data.spacing_mm).airway, radius_voxels(SEED_DEPTH_MM, data.spacing_mm)
    )
    seeds, image = inside.to_array(), sitk.GetImageFromArray(data.volume)
    points = [tuple(int(i) for i in point[::-1]) for point in np.argwhere(seeds)]
    most = int(NUMBERS.airway_leak_ml * 1000 / math.prod(data.spacing_mm))
    rule = range(*NUMBERS.airway_thresholds_hu), most

    def pipeline(backend: str) -> Call:
        return Call(
            lambda: grow_region(data.volume, inside, *rule, backend=backend, n_jobs=N_THREADS)[0], PackedMask.to_array
        )

    calls = {
        **ours(pipeline),
        "simpleitk": Call(lambda: rivals.grow_simpleitk(image, points, *rule)),
        "cc3d": Call(lambda: rivals.grow(data.volume, seeds, *rule, rivals.reach_cc3d)),
        "scipy": Call(lambda: rivals.grow(data.volume, seeds, *rule, rivals.reach_scipy)),
    }
    n_voxels = grow_region(data.volume, inside, *rule)[0].count()
    return Group("default: airway", case, "warm", calls, floor_s(2 * n_voxels, data.volume.size / 8))


def separation(case: str, state: str) -> Group:
    """The pieces of the air that are large, a mask each."""
    mask = _air(case).to_array()
    packed, least = PackedMask.from_array(mask), load(case).min_voxels
    rule = lambda table: table["n_voxels"] >= least  # noqa: E731

    def pipeline(backend: str) -> Call:
        return Call(
            lambda: separate_components(packed, rule, backend=backend, n_jobs=N_THREADS),
            lambda parts: np.stack([part.to_array() for part in parts]),
        )

    calls = ours(pipeline)
    calls["cc3d"] = Call(lambda: rivals.separate_cc3d(mask, least), np.stack)
    calls["scipy"] = Call(lambda: rivals.separate_scipy(mask, least), np.stack)
    calls["scikit-image"] = Call(lambda: rivals.separate_skimage(mask, least), np.stack)
    return Group("default: separation", case, "warm", calls, floor_s(mask.size / 8, mask.size / 8))


def parts(case: str, state: str) -> Group:
    """The label volume of right lung, left lung and airway."""
    data = load(case)
    found = segment_lungs(data.volume, data.spacing_mm)
    masks = [part.to_array() for part in (found.right, found.left, found.airway)]
    out, spare = (np.empty(data.volume.shape, np.uint8) for _ in range(2))
    calls = ours(lambda b: Call(lambda: found.labels(out=out, backend=b, n_jobs=N_THREADS)))
    calls["numpy"] = Call(lambda: rivals.number_numpy(masks, spare))
    calls["numpy select"] = Call(lambda: np.select(masks, [np.uint8(1), np.uint8(2), np.uint8(3)], np.uint8(0)))
    return Group("default: parts", case, "warm", calls, floor_s(3 * out.size / 8, out.nbytes))


def whole_mask(case: str, state: str) -> Group:
    """All steps from HU to right lung, left lung and airway; no package has them."""
    data = load(case)

    def pipeline(backend: str) -> Call:
        return Call(
            lambda: segment_lungs(data.volume, data.spacing_mm, backend=backend, n_jobs=N_THREADS),
            lambda found: found.mask.to_array(),
        )

    return Group("default: whole mask", case, "warm", ours(pipeline), floor_s(data.volume.nbytes, data.volume.size / 8))


OURS_ROWS = (OURS, OURS_BASELINE, OURS_NUMBA)
BALLS = Panel((*OURS_ROWS, "edt"), small_only=("scipy", "scikit-image", "simpleitk"))
HOLES = Panel((*OURS_ROWS, "fill_voids", "cc3d"), small_only=("scipy", "simpleitk"))
FLOOD = Panel((*OURS_ROWS, "cc3d", "simpleitk"), small_only=("scipy", "scikit-image"))
MEDIAN = Panel((*OURS_ROWS, "numpy sums", "numpy sums by slabs"), small_only=("scipy", "scikit-image", "simpleitk"))
AIRWAY = Panel((*OURS_ROWS, "simpleitk"), small_only=("cc3d", "scipy"))
REGION = Panel((*OURS_ROWS, "cc3d"), small_only=("scipy", "scikit-image"))
SEPARATION = Panel((*OURS_ROWS, "cc3d", "scipy", "scikit-image"))
test_default_preset_opening = stage_test(opening, BALLS, CASES)
test_default_preset_erosion = stage_test(erosion, BALLS, CASES)
test_default_preset_closing = stage_test(closing, BALLS, CASES)
test_default_preset_holes = stage_test(holes, HOLES, CASES)
test_default_preset_flood = stage_test(growth, FLOOD, CASES)
test_default_preset_median = stage_test(smoothing, MEDIAN, CASES)
test_default_preset_region = stage_test(region, REGION, CASES)
test_default_preset_airway = stage_test(airway, AIRWAY, CASES)
test_default_preset_separation = stage_test(separation, SEPARATION, CASES)
test_default_preset_parts = stage_test(parts, Panel((*OURS_ROWS, "numpy", "numpy select")), CASES)
test_default_preset_mask = stage_test(whole_mask, Panel(OURS_ROWS), CASES)
