"""The series of a DICOM folder, and which of them is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fastgmm.io._dicom_slices import DicomSlice, find_slices
from fastgmm.io._problems import scan_error


@dataclass(frozen=True)
class DicomSeries:
    """A series of a DICOM folder.

    Parameters
    ----------
    uid : str
        SeriesInstanceUID, for `series=`.
    modality, description : str
    image_type : str
        As in DICOM, with backslashes.
    n_slices : int
        Images with a place in space, localizers left out.
    slice_thickness_mm : float or None
    kernel : str or None
    """

    uid: str
    modality: str
    description: str
    image_type: str
    n_slices: int
    slice_thickness_mm: float | None
    kernel: str | None
    slices: tuple[DicomSlice, ...] = field(repr=False)

    def __str__(self) -> str:
        parts = [self.uid, self.modality, f"{self.n_slices} slices"]
        parts += [f"{self.slice_thickness_mm:g} mm"] if self.slice_thickness_mm else []
        parts += [f"kernel {self.kernel}"] if self.kernel else []
        return " ".join(parts)


def group_series(path: Path) -> tuple[list[DicomSeries], tuple[str, ...]]:
    """Return the series below a folder, the one to read first, and warnings about slices left out."""
    slices, unreadable = find_slices(path)
    warnings = []
    if unreadable:
        warnings.append(f"{len(unreadable)} DICOM files cannot be read, the first is {unreadable[0].name}")
    by_uid: dict[str, list[DicomSlice]] = {}
    n_localizers = 0
    for one in slices:
        if one.is_localizer:
            n_localizers += 1
        else:
            by_uid.setdefault(one.series_uid, []).append(one)
    if n_localizers:
        warnings.append(f"{n_localizers} localizer images were left out")
    if not by_uid:
        got = f"{n_localizers} localizers" if n_localizers else "none"
        way_out = "give the folder that holds the slices, or a .nrrd, .nii.gz or .mha file"
        raise scan_error(path, "a folder with DICOM slices", got + (f" ({warnings[0]})" if unreadable else ""), way_out)
    return sorted((_series(uid, found) for uid, found in by_uid.items()), key=_preference), tuple(warnings)


def choose_series(path: Path, uid: str | None) -> tuple[DicomSeries, tuple[str, ...]]:
    """Return the series with the given UID, or the preferred one, and warnings that list the others."""
    found, warnings = group_series(path)
    if uid is None:
        chosen = found[0]
    else:
        matching = [series for series in found if series.uid == uid]
        if not matching:
            raise scan_error(path, f"the series {uid}", _listed(found), "choose one of these")
        chosen = matching[0]
    dropped = len(chosen.slices) - len(_axial_only(chosen.slices))
    if dropped:
        warnings += (f"{dropped} derived or other than axial images of the series were left out",)
    if len(found) > 1 and uid is None:
        others = _listed(found[1:])
        warnings += (f"{len(found)} series: took {chosen}; others: {others}; --series UID chooses one",)
    return chosen, warnings


def axial_slices(series: DicomSeries) -> list[DicomSlice]:
    """Return the original axial slices of a series, or all if it has none."""
    return _axial_only(series.slices)


def _axial_only(slices: Sequence[DicomSlice]) -> list[DicomSlice]:
    axial = [one for one in slices if one.is_axial_original]
    return axial or list(slices)


def _series(uid: str, slices: Sequence[DicomSlice]) -> DicomSeries:
    used = _axial_only(slices)
    return DicomSeries(
        uid=uid,
        modality=used[0].modality,
        description=used[0].description,
        image_type="\\".join(used[0].image_type),
        n_slices=len(used),
        slice_thickness_mm=used[0].thickness_mm,
        kernel=used[0].kernel,
        slices=tuple(slices),
    )


def _preference(series: DicomSeries) -> tuple[bool, bool, int, float, str]:
    """Sort CT first, then original axial series, then by more slices, then thinner, then by UID."""
    axial = any(one.is_axial_original for one in series.slices)
    thickness = series.slice_thickness_mm or float("inf")
    return series.modality != "CT", not axial, -series.n_slices, thickness, series.uid


def _listed(found: Sequence[DicomSeries]) -> str:
    return ", ".join(str(series) for series in found)
