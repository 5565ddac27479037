"""The five tissue classes, and the mixture that tells them apart."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastgmm._types import UInt8Array
from fastgmm.errors import TissueModelError
from fastgmm.lung.settings import GUARD_MIN_STANDARD_DEVIATION_HU, GUARD_RANGE_HU, LABEL_FLOOR_HU, N_CLASSES
from fastgmm.mixture._tables import map_table

SCHEMA = "fastgmm.tissue_model"
SCHEMA_VERSION = 1
_INT16 = (-32768, 32767)


class TissueClass(NamedTuple):
    """A tissue: its label, the name in tables, the name for people, and its colour (red, green, blue)."""

    label: int
    key: str
    name: str
    colour: tuple[int, int, int]


CLASSES = (
    TissueClass(1, "air", "air", (86, 180, 233)),
    TissueClass(2, "healthy", "healthy lung", (0, 158, 115)),
    TissueClass(3, "ggo", "ground glass", (240, 228, 66)),
    TissueClass(4, "consolidation", "consolidation", (213, 94, 0)),
    TissueClass(5, "other", "other dense tissue", (204, 121, 167)),
)


class Band(NamedTuple):
    """A range of HU with one label; None stands for an open end."""

    label: int
    low_hu: int | None
    high_hu: int | None


@dataclass(frozen=True, kw_only=True)
class TissueModel:
    """A mixture of five normal distributions of HU, in rising order of their means.

    Parameters
    ----------
    weights, means, variances : tuple of 5 floats
        Of the components; means in HU, variances in HU^2. Sorted by mean here.
    floor_hu : int
        Lower HU count as this.
    n_scans : int, optional
        How many scans the mixture was fitted on.
    mean_log_likelihood : float, optional
        Per voxel, of the fit's data.
    source : str
        Where the model comes from.

    Examples
    --------
    >>> from fastgmm.lung import TissueModel
    >>> [band.high_hu for band in TissueModel.published().bands]
    [-894, -722, -473, -236, None]
    """

    weights: tuple[float, ...]
    means: tuple[float, ...]
    variances: tuple[float, ...]
    floor_hu: int = LABEL_FLOOR_HU
    n_scans: int | None = None
    mean_log_likelihood: float | None = None
    source: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        columns = {name: _floats(getattr(self, name), name) for name in ("weights", "means", "variances")}
        if min(columns["weights"]) < 0 or abs(sum(columns["weights"]) - 1) > 1e-6:
            raise TissueModelError(f"weights must not be negative and sum to 1, got {columns['weights']}")
        if min(columns["variances"]) <= 0:
            raise TissueModelError(f"variances must be positive, got {columns['variances']}")
        order = sorted(range(N_CLASSES), key=lambda k: columns["means"][k])
        for name, column in columns.items():
            object.__setattr__(self, name, tuple(column[k] for k in order))

    @classmethod
    def published(cls) -> TissueModel:
        """Return the paper's model, trained on data under CC BY-NC; cite the paper when you use it."""
        text = Path(__file__).with_name("published_model.json").read_text(encoding="utf-8")
        return cls._from_document(json.loads(text), "published_model.json")

    @classmethod
    def from_json(cls, path: str | os.PathLike[str], *, allow_unordered: bool = False) -> TissueModel:
        """Read a file written by `to_json`; the model must pass `guard` unless `allow_unordered`."""
        name = os.fspath(path)
        try:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise TissueModelError(
                f"{name}: expected a tissue model in JSON, got a file that is not JSON ({error})"
            ) from None
        model = cls._from_document(document, name)
        if not allow_unordered:
            model.guard()
        return model

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write the model; reading it back gives the same floats."""
        Path(path).write_text(json.dumps(self.to_document(), indent=2, allow_nan=False) + "\n", encoding="utf-8")

    def to_document(self) -> dict[str, Any]:
        """Return what `to_json` writes: plain numbers, strings and lists."""
        return {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "source": self.source,
            "n_scans": self.n_scans,
            "mean_log_likelihood": self.mean_log_likelihood,
            "floor_hu": self.floor_hu,
            "classes": [
                {"label": c.label, "key": c.key, "weight": weight, "mean_hu": mean, "variance_hu2": variance}
                for c, weight, mean, variance in zip(CLASSES, self.weights, self.means, self.variances, strict=True)
            ],
            "bands": [band._asdict() for band in self.bands],
        }

    @classmethod
    def _from_document(cls, document: Any, name: str) -> TissueModel:
        found = (document.get("schema"), document.get("schema_version")) if isinstance(document, dict) else (None, None)
        if found != (SCHEMA, SCHEMA_VERSION):
            raise TissueModelError(
                f"{name}: expected schema {SCHEMA!r} version {SCHEMA_VERSION}, got {found[0]!r} version {found[1]!r}; "
                "fit again with this version (fastgmm fit), or use the published model"
            )
        try:
            rows = document["classes"]
            return cls(
                weights=tuple(row["weight"] for row in rows),
                means=tuple(row["mean_hu"] for row in rows),
                variances=tuple(row["variance_hu2"] for row in rows),
                floor_hu=document["floor_hu"],
                n_scans=document.get("n_scans"),
                mean_log_likelihood=document.get("mean_log_likelihood"),
                source=document.get("source", ""),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise TissueModelError(
                f"{name}: expected the fields of schema version {SCHEMA_VERSION}, got {error!r}"
            ) from None

    @property
    def classes(self) -> tuple[TissueClass, ...]:
        """The names and colours of the labels 1..5."""
        return CLASSES

    @cached_property
    def table(self) -> UInt8Array:
        """Labels 1..5 of all 16-bit values: entry i is for HU i - 32768. Read-only, shape (65536,)."""
        hu = np.arange(_INT16[0], _INT16[1] + 1, dtype=np.int64)
        labels = map_table(
            np.array(self.weights), np.array(self.means), np.array(self.variances), np.maximum(hu, self.floor_hu)
        )
        table = (np.asarray(labels) + 1).astype(np.uint8)
        table.flags.writeable = False
        return table

    @cached_property
    def bands(self) -> tuple[Band, ...]:
        """The ranges of HU with one label each, in rising order; five for a model that passes `guard`."""
        starts = [0, *(np.flatnonzero(np.diff(self.table)) + 1).tolist()]
        ends = [*starts[1:], self.table.size]
        return tuple(
            Band(
                int(self.table[start]),
                start + _INT16[0] if start else None,
                end - 1 + _INT16[0] if end < self.table.size else None,
            )
            for start, end in zip(starts, ends, strict=True)
        )

    def guard(self) -> None:
        """Raise `TissueModelError` unless the components can be given the names of the five tissues."""
        low, high = GUARD_RANGE_HU
        inside = self.table[low - _INT16[0] : high + 1 - _INT16[0]]
        missing = [c.name for c in CLASSES if c.label not in inside]
        deviations = [math.sqrt(variance) for variance in self.variances]
        problems = []
        if np.any(np.diff(inside.astype(np.int64)) < 0):
            problems.append("its labels fall where HU rise")
        if missing:
            problems.append(f"it never labels {', '.join(missing)}")
        if min(deviations) < GUARD_MIN_STANDARD_DEVIATION_HU:
            problems.append(
                f"a standard deviation is {min(deviations):.2f} HU, below {GUARD_MIN_STANDARD_DEVIATION_HU:g}"
            )
        if problems:
            raise TissueModelError(
                f"the mixture cannot be given tissue names: over {low}..{high} HU {' and '.join(problems)}. "
                f"Its bands: {describe_bands(self)}. Published bands: {describe_bands(TissueModel.published())}. "
                "Use the published model (--model published), or keep this one as it is with --allow-unordered"
            )


def describe_bands(model: TissueModel) -> str:
    """Return the bands of a model as one line of text."""
    words = []
    for band in model.bands:
        key = CLASSES[band.label - 1].key
        low, high = band.low_hu, band.high_hu
        if low is None and high is None:
            words.append(f"{key} everywhere")
        elif low is None:
            words.append(f"{key} <= {high}")
        else:
            words.append(f"{key} >= {low}" if high is None else f"{key} {low}..{high}")
    return ", ".join(words)


def _floats(values: Any, name: str) -> list[float]:
    """Return five finite floats or raise."""
    column = [float(value) for value in values]
    if len(column) != N_CLASSES or not all(math.isfinite(value) for value in column):
        raise TissueModelError(f"{name} must be {N_CLASSES} finite numbers, got {column}")
    return column
