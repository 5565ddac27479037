"""The whole method over many scans: fit if asked, label, measure, picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from fastgmm.cohort._arrival import Arrival
from fastgmm.cohort._fit import first_pass, fit_model
from fastgmm.cohort._label import Work, label_scans
from fastgmm.cohort._options import Options
from fastgmm.cohort._output_folder import OutputFolder
from fastgmm.cohort._plan import MODEL_NAME, TABLE_NAME, Case, check_outputs, plan_cases
from fastgmm.cohort._results import Failure, OnEvent, RunResult, error_line
from fastgmm.cohort._tables import measures_csv, write_text
from fastgmm.lung import LungSettings, TissueModel, measure_columns

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
        Called with an `Event` at every step, from the calling thread. What it raises ends the scan that it is told of,
        or the run.

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
        work = _fitted(cases, options, allow_unordered) if fit else Work(cases, options.read, model)
        result = label_scans(work, folder, options, measured=True)
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
        return label_scans(Work(cases, options.read, model), folder, options, measured=False)


def _fitted(cases: list[Case], options: Options, allow_unordered: bool) -> Work:
    """Read all scans once for the fit."""
    first = first_pass(cases, options.read, options, keep_lungs=True)

    def read(case: Case) -> Arrival:
        return first.arrivals.pop(case.name, None) or options.read(case)

    work = Work([case for case in cases if case.name in first.parts], read, None, first.lungs, first.failures)
    if work.cases:
        work.model, work.warnings = fit_model(first, options, allow_unordered)
    return work


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
