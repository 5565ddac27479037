"""The volumes that everyone is timed on. Synthetic thoraxes, noise of three densities, and the real CT of the tests."""

import os
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from fastgmm.io import read_scan
from fastgmm.lung.phantom import thorax_phantom
from fastgmm.volume import PackedMask, binary_opening, filter_components, threshold_below

AIR_BELOW_HU = -155
MIN_COMPONENT_VOXELS = 500_000
_FULL_SIZE = 300 * 512 * 512

SMALL, LARGE, LARGEST = "thorax 200x256x256", "thorax 300x512x512", "thorax 827x512x512"
NOISE = ("noise 10% 200x256x256", "noise 30% 200x256x256", "noise 60% 200x256x256")
REAL = "p002 133x512x512"
THICK = "lungdx a0002 30x512x512"
REAL_FILES = {
    REAL: "covid_p002_ct.nrrd",
    THICK: "lungdx_a0002_8mm_ct.nrrd",
    "imlab id001 64x128x128": "imlab_id001_ct.nrrd",
    "imlab id002 64x128x128": "imlab_id002_ct.nrrd",
    "cip 79x64x64": "cip64_ct.nrrd",
}
THORAXES = (SMALL, LARGE, *((LARGEST,) if os.environ.get("FASTGMM_BENCH_LARGEST") == "1" else ()))
SCANS = (*THORAXES, *REAL_FILES)
CASES = (*THORAXES, *NOISE, *REAL_FILES)
COLD_CASES = (SMALL, LARGE)


class Input(NamedTuple):
    """A volume in HU with its spacing in mm."""

    name: str
    volume: np.ndarray
    spacing_mm: tuple[float, float, float]

    @property
    def is_noise(self) -> bool:
        return self.name in NOISE

    @property
    def min_voxels(self) -> int:
        """The smallest component kept: the published number on a scan of full size, dust on noise."""
        return 50 if self.is_noise else max(1000, MIN_COMPONENT_VOXELS * self.volume.size // _FULL_SIZE)


def real_scan_path(name: str) -> Path:
    """Path of a real CT, or skip."""
    folder = os.environ.get("FASTGMM_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data"
    path = Path(folder) / REAL_FILES[name]
    if not path.is_file():
        pytest.skip(f"no real CT: {path} is not there; FASTGMM_TEST_DATA names another folder")
    return path


@lru_cache(maxsize=8)
def load(name: str) -> Input:
    """Return the input of a name."""
    if name in REAL_FILES:
        scan = read_scan(real_scan_path(name))
        return Input(name, scan.volume, scan.spacing_mm)
    shape = tuple(int(n) for n in name.split()[-1].split("x"))
    if name in NOISE:
        density = int(name.split()[1].rstrip("%")) / 100
        air = np.random.default_rng(0).random(shape, np.float32) < density
        return Input(name, np.where(air, np.int16(-900), np.int16(40)), (1.0, 1.0, 1.0))
    thorax = thorax_phantom(shape, seed=3)
    return Input(name, thorax.volume, thorax.spacing_mm)


@lru_cache(maxsize=8)
def opened_air(name: str) -> PackedMask:
    """The opened air of a scan; the plain air of noise, of which an opening leaves nothing."""
    data = load(name)
    air = threshold_below(data.volume, AIR_BELOW_HU)
    return air if data.is_noise else binary_opening(air, 3)


def lung_rule(min_voxels: int, *, at_border: bool):
    """Return the rule that keeps large components, those on the in-plane border only if asked."""

    def choose(table):
        keep = table["n_voxels"] >= min_voxels
        return keep if at_border else keep & ~(table["c_y0"] + table["c_y1"] + table["c_x0"] + table["c_x1"] > 0)

    return choose


@lru_cache(maxsize=8)
def lungs(name: str) -> PackedMask:
    """The components that the published rule keeps; on noise a tenth of all voxels in small balls."""
    data = load(name)
    if data.is_noise:
        return threshold_below(data.volume, AIR_BELOW_HU)
    return filter_components(opened_air(name), lung_rule(data.min_voxels, at_border=False))


def lung_box(name: str) -> np.ndarray:
    """The lungs in their box, as a bool array: what the published method closes."""
    mask = lungs(name).to_array()
    spans = (np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    z, y, x = (slice(int(span[0]), int(span[-1]) + 1) for span in spans)
    return np.ascontiguousarray(mask[z, y, x])


@cache
def tissue_table() -> np.ndarray:
    """The label of every 16-bit value by the published model."""
    from fastgmm.lung import TissueModel

    return TissueModel.published().table


def lines_touched(mask: PackedMask, voxel_bytes: int) -> int:
    """Bytes of the 64-byte cache lines of a volume that hold a voxel of the mask: what must be read at least."""
    per_line = 64 // voxel_bytes
    pieces = mask.words.copy().view(np.dtype(f"u{per_line // 8}"))
    return 64 * int(np.count_nonzero(pieces))
