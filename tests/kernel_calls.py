"""One call of every compiled kernel, for tests of what happens when several run at once."""

from collections.abc import Callable

import numpy as np

from fastgmm import volume
from fastgmm.backends import get_backend
from fastgmm.backends._contract import Mixture
from fastgmm.mixture._em import fit_histogram_1d

Call = Callable[[int], list[np.ndarray]]


def kernel_calls(shape: tuple[int, int, int] = (40, 48, 130), backend: str = "cpp") -> dict[str, Call]:
    """Functions of n_jobs by name, all on the same inputs, each returning the arrays it computed."""
    rng = np.random.default_rng(0)
    coarse = rng.normal(-500, 350, [-(-n // 4) for n in shape])
    smooth = np.kron(coarse, np.ones((4, 4, 4)))[: shape[0], : shape[1], : shape[2]]
    scan = (smooth + rng.normal(0, 60, shape)).astype(np.int16)
    mask = scan < -155
    table = rng.integers(0, 6, 65536).astype(np.uint8)
    labels = table[scan.astype(np.int64) + 32768]
    counts = volume.histogram(scan, backend=backend)
    rows = rng.normal(size=(5000, 3))
    mixture = Mixture("diag", np.array([-1.0, -2.0]), rng.normal(size=(2, 3)), np.ones((2, 3)))
    options = {"backend": backend}

    def on_mask(function: Callable[..., np.ndarray], *arguments: object, **more: object) -> Call:
        return lambda n_jobs: [function(mask, *arguments, **more, **options, n_jobs=n_jobs)]

    def fit(n_jobs: int) -> list[np.ndarray]:
        found = fit_histogram_1d(counts, 3, max_iter=20, **options, n_jobs=n_jobs)
        return [found.weights, found.means, found.variances, found.lower_bounds]

    def phased(n_jobs: int) -> list[np.ndarray]:
        found = volume.histogram(scan, mask, phases=4, **options, n_jobs=n_jobs)
        return [found.values, found.counts]

    return {
        "threshold_below": lambda n: [volume.threshold_below(scan, -155, **options, n_jobs=n).to_array()],
        "binary_opening": on_mask(volume.binary_opening, 3),
        "binary_opening_ball": on_mask(volume.binary_opening_ball, 2),
        "binary_closing_ball": on_mask(volume.binary_closing_ball, (3, 5, 7)),
        "label_components": lambda n: [volume.label_components(mask, 26, **options, n_jobs=n)[0]],
        "component_table": on_mask(volume.component_table, 18),
        "keep_components": on_mask(volume.keep_components, min_voxels=20, drop_touching="x"),
        "median_filter": lambda n: [volume.median_filter(labels, 4, **options, n_jobs=n)],
        "median_filter of all values": lambda n: [volume.median_filter(table[labels], (3, 4, 2), **options, n_jobs=n)],
        "median_filter keep_zeros": lambda n: [volume.median_filter(labels, 3, keep_zeros=True, **options, n_jobs=n)],
        "number_masks": lambda n: [volume.number_masks([mask, ~mask], **options, n_jobs=n)],
        "histogram": phased,
        "apply_table": lambda n: [volume.apply_table(scan, table, mask, **options, n_jobs=n)],
        "fit_histogram_1d": fit,
        "em_step": lambda n: [np.asarray(part) for part in get_backend(backend).em_step(rows, None, mixture, n)],
    }


def expected_of(calls: dict[str, Call]) -> dict[str, list[np.ndarray]]:
    """What each call returns when it runs alone on one thread."""
    return {name: call(1) for name, call in calls.items()}


def differing(calls: dict[str, Call], expected: dict[str, list[np.ndarray]], n_jobs: int) -> list[str]:
    """Names of the calls that do not return what is expected, to the bit."""
    return [
        name
        for name, call in calls.items()
        if not all(a.tobytes() == b.tobytes() for a, b in zip(call(n_jobs), expected[name], strict=True))
    ]
