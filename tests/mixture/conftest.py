"""The backends that have the em family."""

import pytest

from fastgmm import backends


@pytest.fixture(scope="session", params=["reference", "cpp", "numba"])
def backend(request):
    """Name of each CPU backend in turn."""
    usable, reason = backends.can_use(request.param)
    if not usable:
        pytest.skip(f"backend {request.param} cannot run here: {reason}")
    return request.param
