"""The stages of the default preset on a scan. make bench BENCH="-k default_preset"."""

import numpy as np
import SimpleITK as sitk  # noqa: N813
from harness.inputs import AIR_BELOW_HU, LARGE, REAL, SMALL, load, lungs, tissue_table
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
    median_filter,
    threshold_below,
)

SETTINGS = LungSettings()
NUMBERS = SETTINGS.default_mask()
# Deep enough to part the lungs of most scans.
CORE_DEPTH_MM = 7.0
CASES = (SMALL, LARGE, REAL)


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
    """The median of the default preset: an odd box of about 3 mm."""
    data = load(case)
    labels = apply_table(data.volume, tissue_table(), lungs(case))
    size = SETTINGS.median_size(data.spacing_mm)
    out = np.empty_like(labels)
    calls = ours(lambda b: Call(lambda: median_filter(labels, size, out=out, backend=b, n_jobs=N_THREADS)))
    image = sitk.GetImageFromArray(labels)
    calls |= {
        "numpy sums": Call(lambda: median.median_numpy(labels, size, out)),
        "numpy sums by slabs": Call(lambda: median.median_numpy(labels, size, out, median.SLAB_BYTES)),
        "scipy": Call(lambda: median.median_scipy(labels, size, out)),
        "scikit-image": Call(lambda: median.median_skimage(labels, size)),
    }
    if max(size) <= 3:
        calls["simpleitk"] = Call(lambda: median.median_simpleitk(image, size), sitk.GetArrayViewFromImage)
    return Group("default: median 3 mm", case, "warm", calls, floor_s(labels.nbytes, labels.nbytes))


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
test_default_preset_opening = stage_test(opening, BALLS, CASES)
test_default_preset_erosion = stage_test(erosion, BALLS, CASES)
test_default_preset_closing = stage_test(closing, BALLS, CASES)
test_default_preset_holes = stage_test(holes, HOLES, CASES)
test_default_preset_flood = stage_test(growth, FLOOD, CASES)
test_default_preset_median = stage_test(smoothing, MEDIAN, CASES)
test_default_preset_mask = stage_test(whole_mask, Panel(OURS_ROWS), CASES)
