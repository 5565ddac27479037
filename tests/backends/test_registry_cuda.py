"""Whose arrays go to the cuda backend, and what is said when it cannot run."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from fastgmm.backends import _registry, can_use, choose_backend
from fastgmm.errors import BackendUnavailableError
from fastgmm.volume import PackedMask, binary_opening, histogram, threshold_below

CUPY_ARRAY = type("ndarray", (), {"__module__": "cupy"})()
HOST = np.zeros((1, 2, 3), np.int16)


def cupy_that(*, n_devices=0, error=None, driver=0, runtime_version=13000, nvrtc_error=""):
    """A CuPy that imports, on a machine of that kind."""
    failure = type("CUDARuntimeError", (RuntimeError,), {})

    def count():
        if error:
            raise failure(error)
        return n_devices

    runtime = SimpleNamespace(
        CUDARuntimeError=failure,
        getDeviceCount=count,
        driverGetVersion=lambda: driver,
        runtimeGetVersion=lambda: runtime_version,
    )

    def version():
        raise RuntimeError(nvrtc_error)

    nvrtc = SimpleNamespace(getVersion=version)
    return SimpleNamespace(cuda=SimpleNamespace(runtime=runtime, nvrtc=nvrtc))


OLD = "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version"
MACHINES = [
    (None, "CuPy is not installed"),
    (cupy_that(error=OLD), "there is no NVIDIA driver"),
    (cupy_that(error=OLD, driver=11040), r"the NVIDIA driver is for CUDA 11\.4, CuPy needs one for CUDA 13\.0"),
    (cupy_that(error="cudaErrorNoDevice: no CUDA-capable device is detected", driver=13000), "there is no CUDA device"),
    (cupy_that(error="cudaErrorUnknown: odd", driver=13000), "cudaErrorUnknown: odd"),
    (cupy_that(driver=13000), "there is no CUDA device"),
    (
        cupy_that(n_devices=1, driver=13000, nvrtc_error="Failure finding libnvrtc.so.13"),
        "CuPy cannot load NVRTC, which compiles the kernels: Failure finding libnvrtc",
    ),
]


@pytest.fixture
def nothing_loaded(monkeypatch):
    """A registry that has yet to look for the cuda backend."""
    monkeypatch.setattr(_registry, "_loaded", {})
    for name in [name for name in sys.modules if name.startswith("fastgmm.backends._cuda")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("nothing_loaded")
@pytest.mark.parametrize(("cupy", "reason"), MACHINES)
def test_a_machine_that_cannot_run_kernels_says_why(monkeypatch, cupy, reason):
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    assert not can_use("cuda")[0]
    with pytest.raises(BackendUnavailableError, match=rf"'cuda' cannot run: {reason}.*fastgmm\[cuda13\].*Usable here"):
        choose_backend("cuda")
    with pytest.raises(BackendUnavailableError, match="'cuda' cannot run"):
        choose_backend("auto", CUPY_ARRAY)


def test_cupy_chooses_cuda_and_numpy_does_not(cuda, monkeypatch):
    monkeypatch.delenv("FASTGMM_BACKEND", raising=False)
    volume = cuda.asarray(HOST)
    assert choose_backend("auto", volume) == choose_backend("auto", volume, None, 3) == "cuda"
    assert choose_backend("auto", PackedMask(cuda.zeros((1, 2, 1), np.uint64), HOST.shape)) == "cuda"
    assert choose_backend("auto", HOST) == "cpp"
    monkeypatch.setenv("FASTGMM_BACKEND", "reference")
    assert choose_backend("auto", volume) == "cuda"


def test_nothing_moves_between_the_memories_unasked(cuda):
    volume = cuda.asarray(HOST)
    mask = PackedMask.empty(HOST.shape)
    with pytest.raises(TypeError, match=r"all NumPy or all CuPy, got both.*cupy\.asarray or cupy\.asnumpy"):
        choose_backend("auto", volume, mask)
    with pytest.raises(TypeError, match=r"'cuda' does not take NumPy arrays; move them with cupy\.asarray"):
        threshold_below(HOST, 0, backend="cuda")
    with pytest.raises(TypeError, match=r"'cpp' does not take CuPy arrays; move them with cupy\.asnumpy"):
        threshold_below(volume, 0, backend="cpp")
    with pytest.raises(TypeError, match="out must be a CuPy array as the input is, got a NumPy array"):
        threshold_below(volume, 0, out=mask)


@pytest.fixture
def two_gpus(cuda):
    if cuda.cuda.runtime.getDeviceCount() < 2:
        pytest.skip("needs two GPUs")
    return cuda


def test_arrays_lie_on_the_current_gpu(two_gpus):
    volume = two_gpus.asarray(HOST)
    with two_gpus.cuda.Device(1):
        mask = PackedMask(two_gpus.zeros((1, 2, 1), np.uint64), HOST.shape)
        with pytest.raises(
            ValueError, match=r"shape \(1, 2, 3\) is on GPU 0, but .* current one is GPU 1; .*Device\(0\)"
        ):
            threshold_below(volume, 0)
        assert binary_opening(mask, 1).count() == 0
    with pytest.raises(ValueError, match=r"is on GPU 1, but CuPy's current one is GPU 0"):
        histogram(volume, mask)
    assert threshold_below(volume, 1).count() == 6


def test_out_lies_on_the_gpu_of_the_input(two_gpus):
    volume = two_gpus.asarray(HOST)
    with two_gpus.cuda.Device(1):
        out = PackedMask(two_gpus.zeros((1, 2, 1), np.uint64), HOST.shape)
    with pytest.raises(ValueError, match="out must be on GPU 0 as the input is, got one on GPU 1"):
        threshold_below(volume, 1, out=out)
