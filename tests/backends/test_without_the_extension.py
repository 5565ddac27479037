"""A machine without the compiled extension: the method runs on Numba, with the same results."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fastgmm.lung import (
    LungSettings,
    collect_histogram,
    fit_tissue_model,
    label_tissue,
    segment_lungs,
    smooth_labels,
)
from fastgmm.lung.phantom import thorax_phantom

pytest.importorskip("numba")

WITHOUT = "import sys; sys.modules['fastgmm._core'] = None\n"
ENVIRONMENT = {name: text for name, text in os.environ.items() if name != "FASTGMM_BACKEND"}


def run_without_the_extension(program, *arguments, cwd=None):
    """What a program prints in a process that cannot import fastgmm._core."""
    command = [sys.executable, "-c", WITHOUT + program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=True, env=ENVIRONMENT).stdout


def test_info_says_that_auto_takes_numba():
    program = "from fastgmm.cli import main; sys.exit(main(['info', '--json']))"
    found = json.loads(run_without_the_extension(program))
    assert found["backend"] == "numba"
    assert found["backends"]["numba"] is None
    assert "fastgmm._core" in found["backends"]["cpp"]


def test_info_says_why_where_neither_can_run():
    program = "sys.modules['numba'] = None; from fastgmm.cli import main; sys.exit(main(['info'] + sys.argv[1:]))"
    text = run_without_the_extension(program)
    assert "backend cpp          not usable: import of fastgmm._core" in text
    assert "backend numba        not usable: import of numba" in text
    assert "auto takes no backend" in text
    assert json.loads(run_without_the_extension(program, "--json"))["backend"] is None


@pytest.mark.filterwarnings("ignore:the model is fitted on 1 scans")
def test_the_whole_method_gives_the_labels_of_the_compiled_backend(tmp_path):
    np.save(tmp_path / "ours.npy", np.stack(whole_method(backend="numba")))
    program = (
        "sys.path.insert(0, sys.argv[1]); import numpy as np; from test_without_the_extension import whole_method\n"
        "np.save(sys.argv[2], np.stack(whole_method()))"
    )
    run_without_the_extension(program, Path(__file__).parent, tmp_path / "auto.npy")
    ours, auto = np.load(tmp_path / "ours.npy"), np.load(tmp_path / "auto.npy")
    judge = np.stack(whole_method(backend="cpp"))
    assert set(np.unique(judge[1])) == set(range(6))
    np.testing.assert_array_equal(ours, judge)
    np.testing.assert_array_equal(auto, judge)


def whole_method(**options):
    """Lungs, labels and smoothed labels of a phantom."""
    thorax = thorax_phantom((100, 128, 128), seed=1)
    settings = LungSettings()
    lungs = segment_lungs(thorax.volume, thorax.spacing_mm, settings, **options).mask
    counts = collect_histogram(thorax.volume, lungs, settings, **options)
    model = fit_tissue_model([counts], settings, allow_unordered=True, **options)
    labels = label_tissue(thorax.volume, lungs, model, **options)
    return labels > 0, labels, smooth_labels(labels, settings, spacing_mm=thorax.spacing_mm, **options)
