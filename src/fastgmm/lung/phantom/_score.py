"""How well labels agree with the phantom's truth."""

from __future__ import annotations

import numpy as np

from fastgmm._types import BoolArray, UInt8Array
from fastgmm.lung.phantom._render import ThoraxTruth

CLASS_NAMES = ("air", "healthy", "ggo", "consolidation", "other")


def dice(a: BoolArray, b: BoolArray) -> float:
    """Return 2 |a and b| / (|a| + |b|), nan where both are empty."""
    total = np.count_nonzero(a) + np.count_nonzero(b)
    return 2 * np.count_nonzero(a & b) / total if total else float("nan")


def dice_table(labels: UInt8Array, truth: ThoraxTruth) -> dict[str, float]:
    """Return the Dice coefficient of the mask and of each class.

    Parameters
    ----------
    labels : ndarray of shape (nz, ny, nx), dtype uint8
        Tissue labels 1..5 of a method, 0 outside its lung mask.
    truth : ThoraxTruth
        What the phantom is made of.

    Returns
    -------
    dict
        `lungs_and_airways` and `lungs`, of the mask (labels > 0) with the true lungs with and without trachea and
        main bronchi; then one entry per class, over the whole volume.
    """
    if labels.shape != truth.lungs.shape:
        raise ValueError(f"labels must have the truth's shape {truth.lungs.shape}, got {labels.shape}")
    mask, lungs = labels > 0, truth.lungs > 0
    table = {"lungs_and_airways": dice(mask, lungs | truth.airways), "lungs": dice(mask, lungs)}
    for number, name in enumerate(CLASS_NAMES, start=1):
        table[name] = dice(labels == number, truth.tissue == number)
    return table
