"""The examples of docs/examples run and say what they should."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
EXPECTED = {
    "ct_histogram.py": r"\[-8(50|49)[.\d]*\s+-4(50|49)[.\d]*\s+(39|40)[.\d]*\s*\] \[0\.63\d\s+0\.18\d*\s+0\.18\d*\]",
    "grid_search.py": r"\{'fastgmm__covariance_type': '\w+', 'fastgmm__n_components': 3\}",
    "model_choice.py": r"-[56]\.\d+ ± 0\.02\d\n-?0\.0\d+ ± 0\.02\d\n[45]\.\d+ ± 0\.02\d",
    "stream.py": r"\d+ \[\[-?0\.0\d*, .*\], \[(2\.9|3\.0)\d*, .*\], \[(5\.9|6\.0)\d*, .*\]\]",
}


def test_every_example_has_an_expected_output():
    assert {path.name for path in EXAMPLES.glob("*.py")} >= set(EXPECTED)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_example(name, tmp_path):
    picture = tmp_path / "picture.png"
    # A library may have changed the locale of this process: both sides say what they speak.
    command = [sys.executable, "-X", "utf8", str(EXAMPLES / name), str(picture)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert run.returncode == 0, run.stderr
    assert re.search(EXPECTED[name], run.stdout), run.stdout
    assert picture.stat().st_size > 5000
