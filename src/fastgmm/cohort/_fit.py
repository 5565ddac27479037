"""One tissue model from the lungs of many scans; no scan stays in memory."""

from __future__ import annotations

import os
import warnings
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from fastgmm._arrays import to_host
from fastgmm._histogram import PhasedHistogram
from fastgmm._packed_mask import PackedMask
from fastgmm._types import Shape3
from fastgmm.cohort._arrival import Arrival
from fastgmm.cohort._lanes import each_scan
from fastgmm.cohort._options import Options
from fastgmm.cohort._output_folder import OutputFolder
from fastgmm.cohort._plan import Case, plan_cases
from fastgmm.cohort._results import Event, Failure, FitResult, OnEvent, error_line
from fastgmm.cohort._scan_files import find_lungs
from fastgmm.lung import LungSegmentation, LungSettings, TissueModel, collect_histogram, fit_tissue_model


@dataclass(frozen=True)
class KeptLungs:
    """The lungs of a scan, compressed, so that a cohort's masks fit in memory until its labels are made."""

    shape: Shape3
    deflated: tuple[bytes | None, ...]
    warnings: tuple[str, ...]

    @classmethod
    def keep(cls, lungs: LungSegmentation) -> KeptLungs:
        """Compress."""
        parts = (lungs.mask, lungs.right, lungs.left, lungs.airway)
        deflated = tuple(None if part is None else zlib.compress(to_host(part.words).tobytes(), 1) for part in parts)
        return cls(lungs.mask.shape, deflated, lungs.warnings)

    def restore(self) -> LungSegmentation:
        """Decompress."""
        mask, *parts = (None if part is None else self._mask(part) for part in self.deflated)
        assert mask is not None
        return LungSegmentation(mask, self.warnings, *parts)

    def _mask(self, deflated: bytes) -> PackedMask:
        mask = PackedMask.empty(self.shape)
        mask.words[...] = np.frombuffer(zlib.decompress(deflated), np.uint64).reshape(mask.words.shape)
        return mask


@dataclass
class FirstPass:
    """What the pass before the fit leaves of the scans that could be used, by case name."""

    parts: dict[str, PhasedHistogram]
    lungs: dict[str, KeptLungs | LungSegmentation]
    failures: list[Failure]
    warnings: list[str]
    arrivals: dict[str, Arrival] = field(default_factory=dict)  # of the scans that stay in memory


def fit_cohort(
    paths: Sequence[str | os.PathLike[str]],
    *,
    settings: LungSettings | None = None,
    allow_unordered: bool = False,
    backend: str = "auto",
    n_jobs: int | None = None,
    assume_hu: bool = False,
    series: str | None = None,
    lungs: str | None = None,
    on_event: OnEvent | None = None,
) -> FitResult:
    """Fit one five-component mixture over the lung voxels of all scans.

    Parameters
    ----------
    paths : sequence of path-like
        Scan files and DICOM folders. Their order matters, since every n-th voxel of their concatenation is taken.
    settings : LungSettings, optional
        `LungSettings()`, the default preset, if left out.
    allow_unordered : bool
        Take the mixture even if it cannot be given tissue names.
    backend, n_jobs
        As everywhere.
    assume_hu : bool
        Take voxel values as HU even where they do not look like it.
    series : str, optional
        UID of the DICOM series to read.
    lungs : str, optional
        Path of a lung mask made elsewhere; {case} in it stands for the name of each scan.
    on_event : callable, optional
        Called with an `Event` at every step.

    Returns
    -------
    FitResult
        A scan that cannot be used is in `failures` and does not stop the others.

    Raises
    ------
    ValueError
        If an argument is wrong.
    TissueModelError
        If the mixture cannot be given tissue names.
    """
    options = Options(
        settings=settings or LungSettings(),
        backend=backend,
        n_jobs=n_jobs,
        assume_hu=assume_hu,
        series=series,
        lungs=lungs,
        on_event=on_event,
    )
    with options.place.at_work():
        first = first_pass(plan_cases(paths), options.read, options, keep_lungs=False)
    result = FitResult(failures=first.failures, warnings=first.warnings)
    if first.parts:
        result.model, more = fit_model(first, options, allow_unordered)
        result.warnings += more
        result.cases = list(first.parts)
        result.n_voxels = sum(part.n for part in first.parts.values())
    return result


def first_pass(cases: list[Case], read: Callable[[Case], Arrival], options: Options, *, keep_lungs: bool) -> FirstPass:
    """Find the lungs of every scan and count their HU.

    With `keep_lungs`, labels are to follow: the masks are kept, and warnings are left to the pass that makes them.
    """
    found = FirstPass({}, {}, [], [])

    def count(case: Case, take: Callable[[], Arrival], own: Options) -> _Counted:
        return _count(case, take, own, keep_lungs)

    with closing(each_scan(cases, read, count, options)) as scans:
        for case, outcome in scans:
            try:
                counted = outcome()
            except Exception as error:
                fail(found.failures, case, error, options)
                continue
            found.parts[case.name] = counted.part
            if counted.lungs is not None:
                found.lungs[case.name] = counted.lungs
            if counted.arrival is not None:
                found.arrivals[case.name] = counted.arrival
            found.warnings += [f"{case.name}: {text}" for text in counted.warnings]
            for text in counted.warnings:
                options.tell(Event("warning", case, text))
            options.tell(Event("counted", case, time_s=counted.time_s))
    return found


def restored(kept: KeptLungs | LungSegmentation, options: Options) -> LungSegmentation:
    """Return lungs that the first pass kept, where the scans are computed."""
    return options.place.put_lungs(kept.restore()) if isinstance(kept, KeptLungs) else kept


def fit_model(first: FirstPass, options: Options, allow_unordered: bool) -> tuple[TissueModel, list[str]]:
    """Fit the mixture; return it with what the fit warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = fit_tissue_model(
            list(first.parts.values()), options.settings, allow_unordered=allow_unordered, backend=options.backend
        )
    texts = [str(warning.message) for warning in caught]
    for text in texts:
        options.tell(Event("warning", None, text))
    return model, texts


def fail(
    failures: list[Failure], case: Case, error: Exception, options: Options, folder: OutputFolder | None = None
) -> None:
    """Note a scan's error and tell it; files in the hidden folder are called by their final names."""
    text = error_line(case.path, error)
    if folder is not None:
        text = text.replace(str(folder.staging), str(folder.path))
    failures.append(Failure(case.path, case.name, text))
    options.tell(Event("failed", case, failures[-1].error))


@dataclass(frozen=True)
class _Counted:
    """What is left of a scan: the histogram of its lungs, these and the scan itself where they are kept, warnings."""

    part: PhasedHistogram
    lungs: KeptLungs | LungSegmentation | None
    arrival: Arrival | None
    warnings: tuple[str, ...]
    time_s: float


def _count(case: Case, take: Callable[[], Arrival], options: Options, keep_lungs: bool) -> _Counted:
    start = perf_counter()
    options.stage(case, "reading")
    arrival = options.place.receive(take())
    options.stage(case, "lungs")
    lungs = find_lungs(arrival, case, options)
    kernels: dict[str, Any] = {"backend": options.backend, "n_jobs": options.threads}
    part = collect_histogram(arrival.voxels, lungs.mask, options.settings, **kernels)
    stays = keep_lungs and options.place.stays(arrival, case.total)
    return _Counted(
        part,
        None if not keep_lungs else lungs if stays else KeptLungs.keep(lungs),
        arrival if stays else None,
        () if keep_lungs else (*arrival.scan.warnings, *lungs.warnings),
        perf_counter() - start,
    )
