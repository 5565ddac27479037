"""The histogram family's kernels in every order of threads, at sizes about the edges of bytes, words and warps."""

import numpy as np
import pytest
from doors import threshold_below
from emulation import check_schedules
from volumes import STRUCTURED, integers

from fastgmm._checks import INTEGER_DTYPES

pytestmark = pytest.mark.usefixtures("cuda")
SHAPES = [(3, 5, 31), (2, 3, 33), (2, 2, 65), (1, 3, 130), (2, 1, 520)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", INTEGER_DTYPES, ids=str)
def test_threshold_in_every_order(shape, dtype):
    volume = integers(shape, dtype, max(-1200, np.iinfo(dtype).min), min(500, np.iinfo(dtype).max), 1)
    check_schedules(lambda: threshold_below(volume, 20, backend="cuda").to_array(), volume < 20)


@pytest.mark.parametrize("kind", STRUCTURED, ids=lambda kind: kind.__name__)
def test_threshold_of_structures(kind):
    volume = np.where(kind((5, 9, 70), 0.5, 1), -900, 40).astype(np.int16)
    np.testing.assert_array_equal(threshold_below(volume, -155, backend="cuda").to_array(), volume < -155)
