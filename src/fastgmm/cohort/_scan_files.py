"""One scan from its mask to its files: labels, median, lungs, picture, and its row of measures."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastgmm._packed_mask import PackedMask
from fastgmm._types import UInt8Array
from fastgmm.cohort._arrival import Arrival
from fastgmm.cohort._options import Options, output_path
from fastgmm.cohort._overlay import WINDOW_HU, LegendEntry, draw_overlay
from fastgmm.cohort._plan import Case
from fastgmm.cohort._planes import Plane, choose_planes
from fastgmm.cohort._png import write_png
from fastgmm.errors import LungNotFoundError
from fastgmm.io import ScanGeometry, label_extension, read_lung_mask, write_labels
from fastgmm.lung import CLASSES, LungSegmentation, TissueModel, label_tissue, measure, segment_lungs, smooth_labels

_WRITERS = 3


@dataclass
class ScanFiles:
    """The files of a scan while they are written by threads: `finish` waits for them."""

    case: Case
    options: Options
    writers: ThreadPoolExecutor
    row: dict[str, Any] | None = None
    paths: dict[str, Path] = field(default_factory=dict)
    jobs: list[Future[Any]] = field(default_factory=list)

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Let a thread work on a file."""
        self.jobs.append(self.writers.submit(work, *arguments))
        return self.jobs[-1]

    def finish(self) -> list[Path]:
        """Return the files once they are whole, or raise what kept one from it."""
        try:
            for job in self.jobs:
                job.result()
        finally:
            self.writers.shutdown(wait=True, cancel_futures=True)
        return list(self.paths.values())


def find_lungs(arrival: Arrival, case: Case, options: Options) -> LungSegmentation:
    """Return the lungs of a scan, those made elsewhere if there are."""
    scan, given = arrival.scan, options.lungs_path(case)
    if given is not None:
        mask = PackedMask.from_array(read_lung_mask(given, scan))
        if not mask.words.any():
            raise LungNotFoundError(f"{given}: expected a mask with lungs, got one without any voxel set")
        lungs = LungSegmentation(mask, (f"lungs_given: the lungs are those of {given.name}",))
        return options.place.put_lungs(lungs)
    return segment_lungs(
        arrival.voxels,
        scan.spacing_mm,
        options.settings,
        direction=scan.direction,
        air=arrival.air,
        backend=options.backend,
        n_jobs=options.threads,
    )


def make_files(
    arrival: Arrival,
    lungs: LungSegmentation,
    case: Case,
    model: TissueModel,
    folder: Path,
    options: Options,
    *,
    measured: bool = True,
) -> ScanFiles:
    """Compute the labels of a scan and its row of measures; its files are on their way into the folder on return.

    Notes
    -----
    Label volumes are compressed by threads while the next one is computed. Two of them are in memory at a time: the one
    with the lungs is written and then becomes the median.
    """
    writers = ThreadPoolExecutor(min(_WRITERS, options.threads), thread_name_prefix="fastgmm-write")
    files = ScanFiles(case, options, writers)
    try:
        _make_files(files, arrival, lungs, model, folder, measured)
    except BaseException:
        writers.shutdown(wait=True, cancel_futures=True)
        raise
    return files


def _make_files(
    files: ScanFiles, arrival: Arrival, lungs: LungSegmentation, model: TissueModel, folder: Path, measured: bool
) -> None:
    scan, voxels, place = arrival.scan, arrival.voxels, files.options.place
    case, options, extension = files.case, files.options, label_extension(scan)
    kernels: dict[str, Any] = {"backend": options.backend, "n_jobs": options.threads}
    files.paths = {kind: output_path(folder, case, kind, extension) for kind in ("lungs", "labels", "median")}
    options.stage(case, "labels")
    spare, labels = (place.labels(scan.shape) for _ in range(2))
    lungs.labels(out=spare, **kernels)
    lungs_written = files.submit(_write, files.paths["lungs"], place.fetch(spare), scan)
    label_tissue(voxels, lungs.mask, model, out=labels, **kernels)
    files.submit(_write, files.paths["labels"], place.fetch(labels), scan)
    files.row = measure_scan(arrival, lungs, labels, case, options) if measured else None
    if options.preview and files.row is not None:
        files.paths["overlay"] = output_path(folder, case, "overlay", ".png")
        planes = place.aside(files.submit, choose_planes, voxels, labels, scan.spacing_mm, scan.direction)
        files.submit(_write_picture, files.paths["overlay"], planes, files.row)
    spare = place.renew(spare, lungs_written)
    options.stage(case, "median")
    smooth_labels(labels, options.settings, spacing_mm=scan.spacing_mm, out=spare, **kernels)
    options.stage(case, "writing")
    files.submit(_write, files.paths["median"], place.fetch(spare), scan)


def _write(path: Path, fetched: Callable[[], UInt8Array], scan: ScanGeometry) -> None:
    write_labels(path, fetched(), scan)


def measure_scan(
    arrival: Arrival, lungs: LungSegmentation, labels: UInt8Array, case: Case, options: Options
) -> dict[str, Any]:
    """Return the row of measures of a scan."""
    scan = arrival.scan
    return dict(
        measure(
            arrival.voxels,
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
            n_jobs=options.threads,
        )
    )


def _write_picture(path: Path, planes: Future[list[Plane]], row: dict[str, Any]) -> None:
    """Draw the planes once they are chosen, by a thread that took them up before this."""
    legend = [LegendEntry(c.label, c.name, c.colour, _percent(row[f"{c.key}_percent"])) for c in CLASSES]
    notes = [
        f"lungs {row['lung_volume_ml']:.0f} ml",
        f"involvement {_percent(row['lung_involvement_percent'])}",
        f"window {WINDOW_HU[0]}..{WINDOW_HU[1]} HU, voxel labels",
    ]
    write_png(path, draw_overlay(planes.result(), row["case"], legend, notes))


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} %"
