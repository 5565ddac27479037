"""Threshold and opening, closing with balls. make bench BENCH="-k opening"."""

import numpy as np
import SimpleITK as sitk  # noqa: N813
from harness.inputs import AIR_BELOW_HU, CASES, COLD_CASES, LARGE, SCANS, SMALL, load, lung_box
from harness.memory import N_THREADS, floor_s
from harness.paired import OURS, OURS_BASELINE, OURS_NUMBA, Call, Group, ours
from harness.rows import Panel, stage_test
from rivals import morphology

from fastgmm.volume import PackedMask, binary_closing_ball, binary_opening, threshold_below

ITERATIONS, RADII = 3, (30, 20)
# Lets edt, the best rival, take part in several rounds at full size.
CLOSING_PATIENCE = 6.0
KERNELS = {"n_jobs": N_THREADS}


def opening(case: str, state: str) -> Group:
    """From HU to the opened mask. Rivals get an array to write to where they can; "bool" takes and returns bytes."""
    volume = load(case).volume
    cold = state == "cold"
    air, opened = PackedMask.empty(volume.shape), PackedMask.empty(volume.shape)
    buffers = [np.empty(volume.shape, bool) for _ in range(3)]
    image = sitk.GetImageFromArray(volume)

    def pipeline(backend: str) -> Call:
        def run():
            mask = threshold_below(volume, AIR_BELOW_HU, out=None if cold else air, backend=backend, **KERNELS)
            return binary_opening(mask, ITERATIONS, out=None if cold else opened, backend=backend, **KERNELS)

        return Call(run, PackedMask.to_array)

    def fresh(shape=volume.shape):
        return np.empty(shape, bool) if cold else buffers[0]

    calls = {
        **ours(pipeline),
        "fastgmm bool": Call(lambda: binary_opening(volume < AIR_BELOW_HU, ITERATIONS, out=fresh(), **KERNELS)),
        "numpy shifts": Call(
            lambda: morphology.open_numpy(
                volume, AIR_BELOW_HU, ITERATIONS, [np.empty(volume.shape, bool) for _ in "ab"] if cold else buffers[1:]
            )
        ),
        "numpy packed": Call(
            lambda: morphology.open_numpy_packed(volume, AIR_BELOW_HU, ITERATIONS),
            lambda words: morphology.unpack(words, volume.shape[2]),
        ),
        "scipy": Call(lambda: morphology.open_scipy(volume, AIR_BELOW_HU, ITERATIONS, fresh())),
        "simpleitk": Call(
            lambda: morphology.open_simpleitk(image, AIR_BELOW_HU, ITERATIONS),
            lambda mask: sitk.GetArrayViewFromImage(mask).astype(bool),
        ),
        "scikit-image": Call(lambda: morphology.open_skimage(volume, AIR_BELOW_HU, ITERATIONS)),
    }
    return Group("opening", case, state, calls, floor_s(volume.nbytes, volume.size / 8))


def closing(case: str, state: str) -> Group:
    """The lungs in their box, closed with radius 30, then 20 (scaled with the image)."""
    mask = lung_box(case)
    packed = PackedMask.from_array(mask)
    radii = [max(1, round(radius * load(case).volume.shape[2] / 512)) for radius in RADII]
    image = sitk.GetImageFromArray(mask.view(np.uint8))
    outs = [PackedMask.empty(mask.shape) for _ in radii]

    def pipeline(backend: str) -> Call:
        def run():
            closed = packed
            for radius, out in zip(radii, outs, strict=True):
                closed = binary_closing_ball(
                    closed, radius, out=None if state == "cold" else out, backend=backend, **KERNELS
                )
            return closed

        return Call(run, PackedMask.to_array)

    def whole_bool():
        return binary_closing_ball(binary_closing_ball(mask, radii[0], **KERNELS), radii[1], **KERNELS)

    def as_bool(image):
        return sitk.GetArrayViewFromImage(image).astype(bool)

    calls = {
        **ours(pipeline),
        "fastgmm bool": Call(whole_bool),
        "edt": Call(lambda: morphology.close_edt(mask, radii)),
        "simpleitk distance": Call(lambda: morphology.close_simpleitk_distance(image, radii), as_bool),
        "simpleitk": Call(lambda: morphology.close_simpleitk(image, radii), as_bool),
        "scipy": Call(lambda: morphology.close_scipy(mask, radii)),
        "scikit-image": Call(lambda: morphology.close_skimage(mask, radii)),
    }
    patience = CLOSING_PATIENCE if state == "warm" and case != SMALL else 1.0
    floor = floor_s(2 * mask.size / 8, 2 * mask.size / 8)
    return Group("closing", case, state, calls, floor, patience=patience)


OURS_ROWS = (OURS, OURS_BASELINE, OURS_NUMBA, "fastgmm bool")
OPENING = Panel(
    at_full_size_too=(*OURS_ROWS, "numpy shifts", "numpy packed", "scipy"),
    small_only=("simpleitk", "scikit-image"),
    strong=("numpy shifts", "numpy packed"),
)
CLOSING = Panel(
    at_full_size_too=(*OURS_ROWS, "edt", "simpleitk", "simpleitk distance"),
    small_only=("scipy", "scikit-image"),
    strong=("edt",),
)
test_opening = stage_test(opening, OPENING, CASES, cold=COLD_CASES, usual=(LARGE,))
test_closing = stage_test(closing, CLOSING, SCANS, cold=(LARGE,), usual=(LARGE,))
