"""A synthetic thorax made from a seed, with its truth."""

from fastgmm.lung.phantom._render import ThoraxTruth
from fastgmm.lung.phantom._score import dice_table
from fastgmm.lung.phantom._thorax import Thorax, thorax_phantom

__all__ = ["Thorax", "ThoraxTruth", "dice_table", "thorax_phantom"]
