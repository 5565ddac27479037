"""What holds for all scans of a run."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from fastgmm._threads import resolve_n_jobs
from fastgmm.backends import choose_backend
from fastgmm.cohort._arrival import Arrival
from fastgmm.cohort._lanes import Lanes
from fastgmm.cohort._place import Place
from fastgmm.cohort._plan import Case
from fastgmm.cohort._results import Event, OnEvent, Row
from fastgmm.io import read_scan
from fastgmm.lung import LI_FORMULAS, LungSettings

CASE_PLACE = "{case}"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Checked arguments that the steps of a run share."""

    settings: LungSettings = field(default_factory=LungSettings.published)
    backend: str = "auto"
    n_jobs: int | None = None
    assume_hu: bool = False
    series: str | None = None
    lungs: str | None = None
    preview: bool = True
    li_formula: str = "default"
    on_event: OnEvent | None = None
    place: Place = field(init=False)
    lanes: Lanes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "backend", choose_backend(self.backend))
        object.__setattr__(self, "place", _place_of(self.backend))
        object.__setattr__(self, "lanes", Lanes(resolve_n_jobs(self.n_jobs)))
        if self.li_formula not in LI_FORMULAS:
            raise ValueError(f"li_formula must be one of {', '.join(LI_FORMULAS)}, got {self.li_formula!r}")

    @property
    def threads(self) -> int:
        """How many threads a scan may use now."""
        return self.lanes.threads

    def read(self, case: Case, *, find_air: bool = True) -> Arrival:
        """Read the scan of a case, and find its air on the way unless its lungs are made elsewhere."""
        below_hu = self.settings.air_below_hu if find_air and self.lungs is None else None
        is_first = case.index == 1 and find_air
        hold = partial(self.lanes.hold, case.name)
        sink = self.place.sink(below_hu, self.backend, hold=hold, touches_ahead=is_first and self.threads > 1)
        scan = read_scan(case.path, assume_hu=self.assume_hu, series=self.series, sink=sink)
        return self.place.arrival(scan, sink)

    @property
    def ahead(self) -> int:
        """How many scans are read before they are asked for."""
        return self.place.ahead if self.lanes.n_jobs > 1 else 0

    def telling(self, on_event: OnEvent) -> Options:
        """Return the same options for a part of the run that tells its events to someone else."""
        other = copy.copy(self)
        object.__setattr__(other, "on_event", on_event)
        return other

    def lungs_path(self, case: Case) -> Path | None:
        """Return the file of a case's lungs where they are made elsewhere: {case} stands for its name."""
        return None if self.lungs is None else Path(self.lungs.replace(CASE_PLACE, case.name))

    def lungs_paths(self, cases: Sequence[Case]) -> list[Path]:
        """Return the files of all lungs made elsewhere, or raise if several scans would share one."""
        if self.lungs is not None and len(cases) > 1 and CASE_PLACE not in self.lungs:
            raise ValueError(
                f"lungs must hold {CASE_PLACE}, which stands for the name of each scan, for {len(cases)} scans, "
                f"got {self.lungs!r}"
            )
        return [path for path in map(self.lungs_path, cases) if path is not None]

    def stage(self, case: Case, text: str) -> None:
        """Tell that a step of a scan begins."""
        self.tell(Event("stage", case, text))

    def done(self, case: Case, time_s: float, row: Row | None) -> None:
        """Tell that a scan is done."""
        self.tell(Event("done", case, time_s=time_s, row=row))

    def tell(self, event: Event) -> None:
        """Hand an event to who asked for them."""
        if self.on_event is not None:
            self.on_event(event)


def _place_of(backend: str) -> Place:
    """Return where a backend computes."""
    if backend != "cuda":
        return Place()
    from fastgmm.cohort._device_place import DevicePlace

    return DevicePlace()


def output_path(folder: Path, case: Case, kind: str, extension: str) -> Path:
    """Return CASE_KIND.EXT in a folder."""
    return folder / f"{case.name}_{kind}{extension}"
