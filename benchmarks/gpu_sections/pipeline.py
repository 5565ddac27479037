"""The whole method: on a volume that is on the device, and over a folder of scans."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from fastgmm.cohort import run_cohort
from fastgmm.io import Scan, write_scan
from fastgmm.lung import LungSettings, TissueModel, label_tissue, segment_lungs, smooth_labels
from fastgmm.lung.settings import PublishedMaskSettings
from gpu_sections.inputs import thorax
from gpu_sections.rows import Row, attempt, predicted, timed_ms

SPACING_MM = (1.0, 0.7, 0.7)
N_SCANS = 4


def pipeline(shape: tuple[int, int, int]) -> list[Row]:
    """Time the steps of a scan, and what a further one adds to runs of both backends, whose files must be the same."""
    name = "all kernels of a scan"
    row = Row("pipeline", name, predicted_ms=predicted(name, shape))
    rows = [attempt(row, lambda: _on_device(shape))]
    with tempfile.TemporaryDirectory() as folder:
        paths = _scans(Path(folder), shape)
        for settings in (LungSettings.published(), LungSettings()):
            files: dict[str, Any] = {}
            for backend in ("cpp", "cuda"):

                def measure(backend=backend, settings=settings, files=files):
                    return _run(paths, Path(folder) / f"{settings.preset}-{backend}", backend, settings, files)

                who = f"fastgmm, {backend}"
                rows.append(
                    attempt(Row("pipeline", f"a further scan of a run, preset {settings.preset}", who), measure)
                )
    return rows


def _small(shape: tuple[int, int, int]) -> LungSettings:
    """Return the published preset; for volumes of tests with balls and sizes that fit them."""
    settings = LungSettings.published()
    if min(shape) > 100:
        return settings
    mask = PublishedMaskSettings(
        min_component_voxels=200, box_margin_voxels=1, closing_radii_voxels=(2, 1), min_closed_voxels=10
    )
    return dataclasses.replace(settings, mask=mask)


def _on_device(shape: tuple[int, int, int]) -> tuple[float, str]:
    import cupy

    settings, model = _small(shape), TissueModel.published()

    def steps(volume: Any) -> tuple[Any, Any]:
        lungs = segment_lungs(volume, SPACING_MM, settings)
        labels = label_tissue(volume, lungs.mask, model)
        return labels, smooth_labels(labels, settings)

    host, device = thorax(shape), cupy.asarray(thorax(shape))
    for ours, judge in zip(steps(device), steps(host), strict=True):
        assert np.array_equal(ours.get(), judge), "differs from the CPU"
    return timed_ms(lambda: steps(device)), "equal to cpp"


def _scans(folder: Path, shape: tuple[int, int, int]) -> list[Path]:
    paths = [folder / f"s{k}.nrrd" for k in range(N_SCANS)]
    write_scan(paths[0], Scan(path=paths[0], volume=thorax(shape), spacing_mm=SPACING_MM))
    for path in paths[1:]:
        path.write_bytes(paths[0].read_bytes())
    return paths


def _run(
    paths: list[Path], out: Path, backend: str, settings: LungSettings, files: dict[str, Any]
) -> tuple[float, str]:
    run_cohort(paths[:1], out / "first", settings=settings, backend=backend, preview=False)  # compiles kernels
    seconds = []
    for given, folder in ((paths[:1], out / "one"), (paths, out / "all")):
        start = perf_counter()
        result = run_cohort(given, folder, settings=settings, backend=backend, preview=False)
        seconds.append(perf_counter() - start)
        if result.failures:
            raise RuntimeError(result.failures[0].error)
    out = out / "all"
    files[backend] = {path.name: path.read_bytes() for path in out.iterdir()}
    assert all(found == files[backend] for found in files.values()), "files differ between the backends"
    return 1e3 * (seconds[1] - seconds[0]) / (len(paths) - 1), "files as the CPU's" if len(files) > 1 else "the judge"
