"""Measure labels and masks that exist already against their CTs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from fastgmm._packed_mask import PackedMask
from fastgmm._types import UInt8Array
from fastgmm.cohort._arrival import Arrival
from fastgmm.cohort._cases import EXTENSIONS
from fastgmm.cohort._fit import fail
from fastgmm.cohort._lanes import each_scan
from fastgmm.cohort._options import Options
from fastgmm.cohort._plan import Case, plan_cases
from fastgmm.cohort._results import OnEvent, RunResult
from fastgmm.cohort._scan_files import measure_scan
from fastgmm.errors import ScanError
from fastgmm.io import Scan, ScanHeader, read_scan
from fastgmm.lung import CLASSES, LungSegmentation, TissueModel, label_tissue

ScanLike = Scan | ScanHeader
Paths = Sequence[str | os.PathLike[str]]
# How far a corner of the labels may lie from that of the CT, in voxels.
MAX_OFFSET_VOXELS = 1e-3


@dataclass(frozen=True)
class _Job:
    """A scan, the files to measure on it, and the model for a mask without labels."""

    case: Case
    labels: Path | None
    lungs: Path | None
    model: TissueModel | None


def measure_cohort(
    paths: Paths,
    *,
    labels: Paths | str | os.PathLike[str] | None = None,
    lungs: Paths | str | os.PathLike[str] | None = None,
    model: TissueModel | None = None,
    backend: str = "auto",
    n_jobs: int | None = None,
    assume_hu: bool = False,
    series: str | None = None,
    li_formula: str = "default",
    on_event: OnEvent | None = None,
) -> RunResult:
    """Measure given tissue labels, or given lung masks, on their scans.

    Parameters
    ----------
    paths : sequence of path-like
        Scan files and DICOM folders.
    labels : path-like or sequence of path-like, optional
        Tissue labels 0..5: one file per scan in the same order, or the folder with `CASE_labels.EXT`. The lungs are
        where they are not 0, unless `lungs` is given.
    lungs : path-like or sequence of path-like, optional
        Lung masks, not 0 inside: one file per scan, or the folder with `CASE_lungs.EXT`.
    model : TissueModel, optional
        Labels the lungs where there are masks only; the published one if left out.
    backend, n_jobs, assume_hu, series, li_formula, on_event
        As in `run_cohort`.

    Returns
    -------
    RunResult
        Nothing is written.

    Raises
    ------
    ValueError
        If neither labels nor lungs are given, or not as many as scans.
    """
    options = Options(
        backend=backend, n_jobs=n_jobs, assume_hu=assume_hu, series=series, li_formula=li_formula, on_event=on_event
    )
    if labels is None and lungs is None:
        raise ValueError("labels or lungs must be given, got neither")
    cases = plan_cases(paths)
    label_files, lung_files = _match(cases, labels, "labels"), _match(cases, lungs, "lungs")
    if labels is None:
        model = model or TissueModel.published()
    result = RunResult(model=model)
    files = dict(zip([case.name for case in cases], zip(label_files, lung_files, strict=True), strict=True))

    def measured(case: Case, take: Callable[[], Arrival], own: Options) -> tuple[dict[str, Any], float]:
        start = perf_counter()
        row = _measure_one(_Job(case, *files[case.name], model), take, own)
        return row, perf_counter() - start

    read = partial(options.read, find_air=False)
    with options.place.at_work(), closing(each_scan(cases, read, measured, options)) as scans:
        for case, outcome in scans:
            try:
                row, time_s = outcome()
            except Exception as error:
                fail(result.failures, case, error, options)
                continue
            result.note_done(case, time_s, row)
            options.done(case, time_s, row)
    return result


def _match(cases: list[Case], given: Paths | str | os.PathLike[str] | None, kind: str) -> list[Path | None]:
    """Return the file of each scan, None where none is given; a missing file of a folder is found out on reading."""
    if given is None:
        return [None] * len(cases)
    files = [Path(given)] if isinstance(given, str | os.PathLike) else [Path(path) for path in given]
    if len(files) == 1 and files[0].is_dir():
        return [_find(files[0], f"{case.name}_{kind}") for case in cases]
    if len(files) != len(cases):
        raise ValueError(f"{kind} must be a folder or one file per scan, got {len(files)} for {len(cases)} scans")
    return list(files)


def _find(folder: Path, stem: str) -> Path:
    """Return the file with this stem and the extension of an image; if there is none, a name that does not exist."""
    for extension in EXTENSIONS:
        if (folder / f"{stem}{extension}").exists():
            return folder / f"{stem}{extension}"
    return folder / f"{stem}.nrrd"


def _measure_one(job: _Job, take: Callable[[], Arrival], options: Options) -> dict[str, Any]:
    options.stage(job.case, "reading")
    place = options.place
    arrival = place.receive(take())
    scan = arrival.scan
    labels = None if job.labels is None else _read_labels(job.labels, scan)
    inside = labels if job.lungs is None else _read_values(job.lungs, scan)
    assert inside is not None, "labels or lungs are given"
    lungs = place.put_lungs(LungSegmentation(PackedMask.from_array(inside != 0)))
    if labels is None:
        assert job.model is not None, "masks alone come with a model"
        labels = label_tissue(arrival.voxels, lungs.mask, job.model, backend=options.backend, n_jobs=options.threads)
    else:
        labels = place.put(labels)
    options.stage(job.case, "measures")
    return measure_scan(arrival, lungs, labels, job.case, options)


def _read_labels(path: Path, scan: ScanLike) -> UInt8Array:
    """Return tissue labels that lie on the scan."""
    values = _read_values(path, scan)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > len(CLASSES):
        raise ScanError(f"{path}: expected tissue labels 0..{len(CLASSES)}, got {low}..{high}; give a mask as --lungs")
    return np.asarray(values, np.uint8)


def _read_values(path: Path, scan: ScanLike) -> Any:
    """Return the voxels of a file that must have the scan's geometry."""
    other = read_scan(path, assume_hu=True)
    if other.shape != scan.shape:
        raise ScanError(
            f"{path}: expected the shape {scan.shape} of {scan.path}, got {other.shape}; give the file for it"
        )
    offset = _largest_offset(scan, other)
    if offset > MAX_OFFSET_VOXELS:
        raise ScanError(
            f"{path}: expected the geometry of {scan.path} ({_geometry(scan)}), got one {offset:.3g} voxels away "
            f"({_geometry(other)}); give the matching file or resample it"
        )
    return other.volume


def _largest_offset(scan: ScanLike, other: ScanLike) -> float:
    """Return how far a corner voxel of one lies from that of the other, in voxels of the first."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in scan.shape], indexing="ij"), np.float64).reshape(3, -1)
    apart = _positions(other, corners) - _positions(scan, corners)
    in_voxels = np.linalg.solve(scan.direction * np.array(scan.spacing_mm), apart)
    return float(np.abs(in_voxels).max())


def _positions(scan: ScanLike, corners: Any) -> Any:
    """Return patient coordinates of voxels (3, n), rows z, y, x."""
    return scan.direction @ (corners * np.array(scan.spacing_mm)[:, None]) + np.array(scan.origin_lps_mm)[:, None]


def _geometry(scan: ScanLike) -> str:
    spacing, origin = (", ".join(f"{value:g}" for value in triple) for triple in (scan.spacing_mm, scan.origin_lps_mm))
    return f"spacing {spacing} mm, origin {origin} mm"
