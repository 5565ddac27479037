"""One scan from its mask to its files: labels, median, lungs, picture, and its row of measures."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fastgmm._packed_mask import PackedMask
from fastgmm._types import UInt8Array
from fastgmm.cohort._options import Options, output_path
from fastgmm.cohort._overlay import WINDOW_HU, LegendEntry, draw_overlay
from fastgmm.cohort._plan import Case
from fastgmm.cohort._planes import choose_planes
from fastgmm.cohort._png import write_png
from fastgmm.errors import LungNotFoundError
from fastgmm.io import Scan, label_extension, read_lung_mask, write_labels
from fastgmm.lung import CLASSES, LungSegmentation, TissueModel, label_tissue, measure, segment_lungs, smooth_labels

_WRITERS = 3


def find_lungs(scan: Scan, case: Case, options: Options) -> LungSegmentation:
    """Return the lungs of a scan, those made elsewhere if there are."""
    given = options.lungs_path(case)
    if given is not None:
        mask = PackedMask.from_array(read_lung_mask(given, scan))
        if not mask.words.any():
            raise LungNotFoundError(f"{given}: expected a mask with lungs, got one without any voxel set")
        return LungSegmentation(mask, (f"lungs_given: the lungs are those of {given.name}",))
    return segment_lungs(
        scan.volume,
        scan.spacing_mm,
        options.settings,
        direction=scan.direction,
        backend=options.backend,
        n_jobs=options.n_jobs,
    )


def make_files(
    scan: Scan,
    lungs: LungSegmentation,
    case: Case,
    model: TissueModel,
    folder: Path,
    options: Options,
    *,
    measured: bool = True,
) -> tuple[dict[str, Any] | None, list[Path]]:
    """Write all files of a scan into a folder and return its row of measures and their paths.

    Notes
    -----
    Label volumes are compressed by threads while the next one is computed. Two of them are in memory at a time: the one
    with the lungs is written and then becomes the median.
    """
    kernels: dict[str, Any] = {"backend": options.backend, "n_jobs": options.n_jobs}
    extension = label_extension(scan)
    paths = {kind: output_path(folder, case, kind, extension) for kind in ("lungs", "labels", "median")}
    writers = ThreadPoolExecutor(min(_WRITERS, options.threads), thread_name_prefix="fastgmm-write")
    try:
        options.stage(case, "labels")
        spare = lungs.labels()
        lungs_written = writers.submit(write_labels, paths["lungs"], spare, scan)
        labels = label_tissue(scan.volume, lungs.mask, model, **kernels)
        jobs: list[Future[Any]] = [writers.submit(write_labels, paths["labels"], labels, scan)]
        row = measure_scan(scan, lungs, labels, case, options) if measured else None
        if options.preview and row is not None:
            paths["overlay"] = output_path(folder, case, "overlay", ".png")
            jobs.append(writers.submit(_write_picture, paths["overlay"], scan, labels, row))
        lungs_written.result()
        options.stage(case, "median")
        smooth_labels(labels, options.settings, spacing_mm=scan.spacing_mm, out=spare, **kernels)
        jobs.append(writers.submit(write_labels, paths["median"], spare, scan))
        options.stage(case, "writing")
        for job in jobs:
            job.result()
    finally:
        writers.shutdown(wait=True, cancel_futures=True)
    return row, list(paths.values())


def measure_scan(
    scan: Scan, lungs: LungSegmentation, labels: UInt8Array, case: Case, options: Options
) -> dict[str, Any]:
    """Return the row of measures of a scan."""
    return dict(
        measure(
            scan.volume,
            lungs.mask,
            labels,
            spacing_mm=scan.spacing_mm,
            case=case.name,
            kernel=scan.kernel,
            slice_thickness_mm=scan.slice_thickness_mm,
            li_formula=options.li_formula,  # type: ignore[arg-type]
            warnings=[*scan.warnings, *lungs.warnings],
            right=lungs.right,
            left=lungs.left,
            backend=options.backend,
            n_jobs=options.n_jobs,
        )
    )


def _write_picture(path: Path, scan: Scan, labels: UInt8Array, row: dict[str, Any]) -> None:
    planes = choose_planes(scan.volume, labels, scan.spacing_mm, scan.direction)
    legend = [LegendEntry(c.label, c.name, c.colour, _percent(row[f"{c.key}_percent"])) for c in CLASSES]
    notes = [
        f"lungs {row['lung_volume_ml']:.0f} ml",
        f"involvement {_percent(row['lung_involvement_percent'])}",
        f"window {WINDOW_HU[0]}..{WINDOW_HU[1]} HU, voxel labels",
    ]
    write_png(path, draw_overlay(planes, row["case"], legend, notes))


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} %"
