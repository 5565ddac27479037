"""The lung-tissue method on arrays: find the lungs, label their tissue, measure."""

from fastgmm.errors import LungNotFoundError, TissueModelError
from fastgmm.lung.fit import MixtureStart, collect_histogram, fit_tissue_model
from fastgmm.lung.label import label_tissue, smooth_labels
from fastgmm.lung.mask import LungSegmentation, segment_lungs
from fastgmm.lung.measure import LI_FORMULAS, LUNG_COLUMNS, MEASURE_COLUMNS, SIDE_COLUMNS, measure, measure_columns
from fastgmm.lung.settings import PRESETS, LungSettings
from fastgmm.lung.tissue import CLASSES, Band, TissueClass, TissueModel, describe_bands

__all__ = [
    "CLASSES",
    "LI_FORMULAS",
    "LUNG_COLUMNS",
    "MEASURE_COLUMNS",
    "PRESETS",
    "SIDE_COLUMNS",
    "Band",
    "LungNotFoundError",
    "LungSegmentation",
    "LungSettings",
    "MixtureStart",
    "TissueClass",
    "TissueModel",
    "TissueModelError",
    "collect_histogram",
    "describe_bands",
    "fit_tissue_model",
    "label_tissue",
    "measure",
    "measure_columns",
    "segment_lungs",
    "smooth_labels",
]
