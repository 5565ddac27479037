"""The compiled backend: makes outputs and calls `fastgmm._core`."""

from __future__ import annotations

from fastgmm import _core

simd_level = _core.simd_level
