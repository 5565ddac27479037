"""Finding the lungs: one file per preset."""

from fastgmm.lung.mask._segment import LungSegmentation, segment_lungs

__all__ = ["LungSegmentation", "segment_lungs"]
