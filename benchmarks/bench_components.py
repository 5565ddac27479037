"""Components, their sizes and boxes, and the choice among them. make bench BENCH="-k components"."""

import numpy as np
import SimpleITK as sitk  # noqa: N813
from harness.inputs import COLD_CASES, LARGE, NOISE, SCANS, load, lung_rule, opened_air
from harness.memory import N_THREADS, floor_s
from harness.paired import OURS, OURS_BASELINE, OURS_NUMBA, Call, Group, ours
from harness.rows import Panel, stage_test
from rivals import components

from fastgmm.volume import PackedMask, filter_components


def choice(case: str, state: str) -> Group:
    """Scans: opened air, the published rule (large, off the in-plane border). Noise: all of 50 voxels or more."""
    data, packed = load(case), opened_air(case)
    mask = packed.to_array()
    image = sitk.GetImageFromArray(mask.view(np.uint8))
    rule = (data.min_voxels, data.is_noise)
    out = PackedMask.empty(mask.shape)

    def pipeline(backend: str) -> Call:
        def run():
            choose = lung_rule(rule[0], at_border=rule[1])
            return filter_components(
                packed, choose, out=None if state == "cold" else out, backend=backend, n_jobs=N_THREADS
            )

        return Call(run, PackedMask.to_array)

    calls = {
        **ours(pipeline),
        "fastgmm bool": Call(lambda: filter_components(mask, lung_rule(rule[0], at_border=rule[1]), n_jobs=N_THREADS)),
        "cc3d": Call(lambda: components.keep_cc3d(mask, *rule)),
        "scipy": Call(lambda: components.keep_scipy(mask, *rule)),
        "scikit-image": Call(lambda: components.keep_skimage(mask, *rule)),
        "simpleitk": Call(lambda: components.keep_simpleitk(image, *rule)),
    }
    if data.is_noise:
        calls["cc3d dust"] = Call(lambda: components.keep_cc3d_dust(mask, data.min_voxels))
    return Group("components", case, state, calls, floor_s(mask.size / 8, mask.size / 8))


PANEL = Panel(
    at_full_size_too=(OURS, OURS_BASELINE, OURS_NUMBA, "fastgmm bool", "cc3d", "scipy", "simpleitk"),
    small_only=("scikit-image",),
    strong=("cc3d", "scipy"),
)
NOISE_PANEL = Panel(at_full_size_too=(*PANEL.at_full_size_too, "cc3d dust"), strong=(*PANEL.strong, "cc3d dust"))
test_components = stage_test(choice, PANEL, SCANS, cold=COLD_CASES, usual=(LARGE,))
test_components_of_noise = stage_test(choice, NOISE_PANEL, NOISE)
