"""The whole method over many scans: fit if asked, label, measure, picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from fastgmm.cohort._arrival import Arrival
from fastgmm.cohort._fit import KeptLungs, fail, first_pass, fit_model, restored
from fastgmm.cohort._options import Options
from fastgmm.cohort._output_folder import OutputFolder
from fastgmm.cohort._overlay import load_drawing_early
from fastgmm.cohort._plan import MODEL_NAME, TABLE_NAME, Case, check_outputs, plan_cases
from fastgmm.cohort._read_ahead import read_ahead
from fastgmm.cohort._results import Failure, OnEvent, RunResult, error_line
from fastgmm.cohort._scan_files import ScanFiles, find_lungs, make_files
from fastgmm.cohort._tables import measures_csv, write_text
from fastgmm.lung import LungSegmentation, LungSettings, TissueModel, measure_columns

Paths = Sequence[str | os.PathLike[str]]
_VOLUMES = ("labels", "median", "lungs")


def run_cohort(
    paths: Paths,
    out: str | os.PathLike[str],
    *,
    settings: LungSettings | None = None,
    model: TissueModel | None = None,
    fit: bool = False,
    allow_unordered: bool = False,
    backend: str = "auto",
    n_jobs: int | None = None,
    preview: bool = True,
    overwrite: bool = False,
    assume_hu: bool = False,
    series: str | None = None,
    lungs: str | None = None,
    li_formula: str = "default",
    inputs: Paths = (),
    on_event: OnEvent | None = None,
) -> RunResult:
    """Find and label the lungs of every scan, write the results and measure them.

    Parameters
    ----------
    paths : sequence of path-like
        Scan files and DICOM folders.
    out : path-like
        Output folder, made if missing. Gets `CASE_labels.EXT`, `CASE_median.EXT`, `CASE_lungs.EXT` and
        `CASE_overlay.png` for every scan, and `measures.csv` and `model.json`.
    settings : LungSettings, optional
        `LungSettings()`, the default preset, if left out.
    model : TissueModel, optional
        Labels with this model; with the published one if left out.
    fit : bool
        Label with a mixture fitted on these scans instead; reads every scan twice.
    allow_unordered : bool
        Take a fitted mixture even if it cannot be given tissue names.
    backend, n_jobs
        As everywhere.
    preview : bool
        Whether to draw the pictures.
    overwrite : bool
        Whether existing outputs may be replaced.
    assume_hu : bool
        Take voxel values as HU even where they do not look like it.
    series : str, optional
        UID of the DICOM series to read.
    lungs : str, optional
        Path of a lung mask made elsewhere, in which every value but 0 is lung; {case} in it stands for the name of each
        scan. It must have the geometry of the scan. Without it the lungs are found as the settings say.
    li_formula : {"default", "sum"}
        Formula of the lung involvement.
    inputs : sequence of path-like
        Further files that must not be written to, such as that of the model.
    on_event : callable, optional
        Called with an `Event` at every step, from the calling thread.

    Returns
    -------
    RunResult
        A scan that cannot be done is in `failures` and does not stop the others. Its files appear together when all
        are complete, or not at all; the tables are written if at least one scan was done.

    Raises
    ------
    ValueError, TypeError
        If an argument is wrong, or an output would replace an input.
    FileExistsError
        If outputs exist and `overwrite` is not set. Checked, as all of this, before the first scan is read.
    ScanError
        If the output folder cannot be written to.
    TissueModelError
        If the fitted mixture cannot be given tissue names.
    """
    options = Options(
        settings=settings or LungSettings(),
        backend=backend,
        n_jobs=n_jobs,
        assume_hu=assume_hu,
        series=series,
        lungs=lungs,
        preview=preview,
        li_formula=li_formula,
        on_event=on_event,
    )
    if fit and model is not None:
        raise ValueError("model must be None with fit=True, got a model too; leave out one of the two")
    cases, kinds = plan_cases(paths), (*_VOLUMES, "overlay") if preview else _VOLUMES
    files, others = (TABLE_NAME, MODEL_NAME), [*map(Path, inputs), *options.lungs_paths(cases)]
    check_outputs(Path(out), cases, kinds=kinds, files=files, inputs=others, overwrite=overwrite)
    with OutputFolder(out) as folder, options.place.at_work():
        work = _fitted(cases, options, allow_unordered) if fit else _Work(cases, options.read, model)
        result = _label_all(work, folder, options, measured=True)
        _write_tables(folder, result, options.settings)
    return result


def label_cohort(
    paths: Paths,
    out: str | os.PathLike[str],
    *,
    model: TissueModel | None = None,
    settings: LungSettings | None = None,
    backend: str = "auto",
    n_jobs: int | None = None,
    overwrite: bool = False,
    assume_hu: bool = False,
    series: str | None = None,
    lungs: str | None = None,
    inputs: Paths = (),
    on_event: OnEvent | None = None,
) -> RunResult:
    """Find and label the lungs of every scan and write the label volumes only: no measures, no pictures.

    Parameters, result and errors are those of `run_cohort`; `model` is the published one if left out.
    """
    options = Options(
        settings=settings or LungSettings(),
        backend=backend,
        n_jobs=n_jobs,
        assume_hu=assume_hu,
        series=series,
        lungs=lungs,
        preview=False,
        on_event=on_event,
    )
    cases = plan_cases(paths)
    others = [*map(Path, inputs), *options.lungs_paths(cases)]
    check_outputs(Path(out), cases, kinds=_VOLUMES, inputs=others, overwrite=overwrite)
    with OutputFolder(out) as folder, options.place.at_work():
        return _label_all(_Work(cases, options.read, model), folder, options, measured=False)


@dataclass
class _Work:
    """The scans left to label, how to read them, the model, and what a fit found before."""

    cases: list[Case]
    read: Callable[[Case], Arrival]
    model: TissueModel | None = None
    lungs: dict[str, KeptLungs | LungSegmentation] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def _fitted(cases: list[Case], options: Options, allow_unordered: bool) -> _Work:
    """Read all scans once for the fit."""
    first = first_pass(cases, options.read, options, keep_lungs=True)

    def read(case: Case) -> Arrival:
        return first.arrivals.pop(case.name, None) or options.read(case)

    work = _Work([case for case in cases if case.name in first.parts], read, None, first.lungs, first.failures)
    if work.cases:
        work.model, work.warnings = fit_model(first, options, allow_unordered)
    return work


def _label_all(work: _Work, folder: OutputFolder, options: Options, *, measured: bool) -> RunResult:
    """Make the files of every scan; one that fails is noted and the next one taken."""
    model = work.model or TissueModel.published()
    result = RunResult(failures=work.failures, model=model, warnings=work.warnings)
    last = _Last(folder, options, result)
    if options.preview and measured:
        load_drawing_early()
    try:
        for case, take in read_ahead(work.cases, work.read, ahead=options.ahead):
            try:
                _begin(last, case, take, work, model, measured)
            except Exception as error:
                last.finish()
                fail(result.failures, case, error, options, folder)
    finally:
        last.finish()
    return result


def _begin(
    last: _Last, case: Case, take: Callable[[], Arrival], work: _Work, model: TissueModel, measured: bool
) -> None:
    """Label a scan; on return its volume and masks are free, so that their memory serves the next one."""
    start, options = perf_counter(), last.options
    options.stage(case, "reading")
    arrival = options.place.receive(take())
    options.stage(case, "lungs")
    kept = work.lungs.get(case.name)
    lungs = find_lungs(arrival, case, options) if kept is None else restored(kept, options)
    last.finish()
    folder = last.folder.staging
    last.begin(make_files(arrival, lungs, case, model, folder, options, measured=measured), start)


class _Last:
    """The scan whose files are still written while the lungs of the next one are found."""

    def __init__(self, folder: OutputFolder, options: Options, result: RunResult) -> None:
        self.folder, self.options, self._result = folder, options, result
        self._files: ScanFiles | None = None
        self._start = 0.0

    def begin(self, files: ScanFiles, start: float) -> None:
        """Take a scan; with one thread, do not go on before it is done."""
        self._files, self._start = files, start
        if self.options.threads == 1:
            self.finish()

    def finish(self) -> None:
        """Wait for the files of the scan, if there is one, and give them their names."""
        files, self._files = self._files, None
        if files is None:
            return
        case, options, result = files.case, self.options, self._result
        try:
            result.outputs[case.name] = self.folder.publish(files.finish())
        except Exception as error:
            fail(result.failures, case, error, options, self.folder)
            return
        result.note_done(case, perf_counter() - self._start, files.row)
        options.done(case, result.times_s[case.name], files.row)


def _write_tables(folder: OutputFolder, result: RunResult, settings: LungSettings) -> None:
    """Write measures and model, if there is anything to write."""
    if not result.rows or result.model is None:
        return
    staged = [folder.staging / TABLE_NAME, folder.staging / MODEL_NAME]
    try:
        write_text(staged[0], measures_csv(result.rows, measure_columns(settings)))
        result.model.to_json(staged[1])
        result.outputs[""] = folder.publish(staged)
    except OSError as error:
        table = folder.path / TABLE_NAME
        result.failures.append(Failure(table, "", error_line(table, error)))
