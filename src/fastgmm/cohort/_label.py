"""The files of every scan of a run: side by side on processors, one behind the other on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from fastgmm.cohort._arrival import Arrival
from fastgmm.cohort._fit import KeptLungs, fail, restored
from fastgmm.cohort._lanes import each_scan
from fastgmm.cohort._options import Options
from fastgmm.cohort._output_folder import OutputFolder
from fastgmm.cohort._overlay import load_drawing_early
from fastgmm.cohort._plan import Case
from fastgmm.cohort._read_ahead import read_ahead
from fastgmm.cohort._results import Failure, RunResult
from fastgmm.cohort._scan_files import ScanFiles, find_lungs, make_files
from fastgmm.lung import LungSegmentation, TissueModel


@dataclass
class Work:
    """The scans left to label, how to read them, the model, and what a fit found before."""

    cases: list[Case]
    read: Callable[[Case], Arrival]
    model: TissueModel | None = None
    lungs: dict[str, KeptLungs | LungSegmentation] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def label_scans(work: Work, folder: OutputFolder, options: Options, *, measured: bool) -> RunResult:
    """Make the files of every scan; one that fails is noted and does not stop the others."""
    model = work.model or TissueModel.published()
    result = RunResult(failures=work.failures, model=model, warnings=work.warnings)
    if options.preview and measured:
        load_drawing_early()
    labelling = _Labelling(work, model, folder, options, result, measured)
    if options.place.ahead:
        labelling.overlapped()
    else:
        labelling.side_by_side()
    return result


@dataclass
class _Labelling:
    work: Work
    model: TissueModel
    folder: OutputFolder
    options: Options
    result: RunResult
    measured: bool
    # On a GPU: the scan whose files are still written while the lungs of the next one are found, and since when.
    last: tuple[ScanFiles, float] | None = None

    def side_by_side(self) -> None:
        """Let threads take a scan each, from its file to its files."""
        with closing(each_scan(self.work.cases, self.work.read, self._whole, self.options)) as scans:
            for case, outcome in scans:
                try:
                    made = outcome()
                except Exception as error:
                    self._failed(case, error)
                else:
                    self._done(case, *made)

    def overlapped(self) -> None:
        """Compute in this thread; the scans before and after are written and read meanwhile."""
        try:
            for case, take in read_ahead(self.work.cases, self.work.read, ahead=self.options.ahead):
                try:
                    self._begin(case, take)
                except Exception as error:
                    self._finish_last()
                    self._failed(case, error)
        finally:
            self._finish_last()

    def _whole(
        self, case: Case, take: Callable[[], Arrival], options: Options
    ) -> tuple[list[Path], dict[str, Any] | None, float]:
        """Return the files of a scan, still in the hidden folder, its measures, and how long it took."""
        start = perf_counter()
        arrival, lungs = self._with_lungs(case, take, options)
        files = self._files(arrival, lungs, case, options)
        del arrival, lungs
        return files.finish(), files.row, perf_counter() - start

    def _begin(self, case: Case, take: Callable[[], Arrival]) -> None:
        """Label a scan; on return its volume and masks are free, so that their memory serves the next one."""
        start = perf_counter()
        arrival, lungs = self._with_lungs(case, take, self.options)
        self._finish_last()
        self.last = self._files(arrival, lungs, case, self.options), start
        if self.options.lanes.n_jobs == 1:
            self._finish_last()

    def _finish_last(self) -> None:
        """Wait for the files of the scan before, if there is one."""
        last, self.last = self.last, None
        if last is None:
            return
        files, start = last
        try:
            staged = files.finish()
        except Exception as error:
            self._failed(files.case, error)
        else:
            self._done(files.case, staged, files.row, perf_counter() - start)

    def _with_lungs(
        self, case: Case, take: Callable[[], Arrival], options: Options
    ) -> tuple[Arrival, LungSegmentation]:
        options.stage(case, "reading")
        arrival = options.place.receive(take())
        options.stage(case, "lungs")
        kept = self.work.lungs.get(case.name)
        return arrival, find_lungs(arrival, case, options) if kept is None else restored(kept, options)

    def _files(self, arrival: Arrival, lungs: LungSegmentation, case: Case, options: Options) -> ScanFiles:
        staging = self.folder.staging
        return make_files(arrival, lungs, case, self.model, staging, options, measured=self.measured)

    def _done(self, case: Case, staged: list[Path], row: dict[str, Any] | None, time_s: float) -> None:
        """Give the files of a scan their names."""
        try:
            self.result.outputs[case.name] = self.folder.publish(staged)
        except Exception as error:
            self._failed(case, error)
            return
        self.result.note_done(case, time_s, row)
        self.options.done(case, time_s, row)

    def _failed(self, case: Case, error: Exception) -> None:
        fail(self.result.failures, case, error, self.options, self.folder)
