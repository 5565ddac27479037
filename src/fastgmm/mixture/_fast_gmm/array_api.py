"""Arrays of other libraries (PyTorch, array-api-strict), through scikit-learn's switch `array_api_dispatch`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn import get_config
from sklearn.utils._array_api import _is_numpy_namespace, get_namespace_and_device

from fastgmm._arrays import is_device_array
from fastgmm._types import AnyArray


class Home(NamedTuple):
    """The library and the device that an array came from."""

    xp: Any
    device: Any

    def take(self, array: AnyArray) -> Any:
        """Return the array as one of the library's, on its device."""
        return self.xp.asarray(array, device=self.device)


def home_of(X: Any) -> Home | None:
    """Return where the array came from, None if it needs no conversion; CuPy has a backend of its own."""
    if not get_config()["array_api_dispatch"] or isinstance(X, np.ndarray):
        return None
    xp, is_array_api, device = get_namespace_and_device(X)
    if not is_array_api or _is_numpy_namespace(xp) or "cupy" in xp.__name__:
        return None
    return Home(xp, device)


def as_numpy(array: Any) -> Any:
    """Return an array of any library as one of NumPy; what is no array as it is."""
    if is_device_array(array):
        return array.get()
    if isinstance(array, np.ndarray) or not hasattr(array, "__dlpack__"):
        return array
    if hasattr(array, "detach"):
        array = array.detach().cpu()
    return np.from_dlpack(array)
