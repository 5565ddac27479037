"""The README's code runs as it stands."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from fastgmm.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    """Return the README's code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_first_screen_holds_install_commands_and_python():
    first_screen = "\n".join(README.splitlines()[:26])
    for text in ("pip install", "fastgmm demo", "fastgmm run", "```python"):
        assert text in first_screen


def test_every_linked_file_exists():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_make_targets_named_in_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert f"\n{target}:" in makefile, target


@pytest.mark.slow
def test_commands_and_python_of_the_first_screen_run(tmp_path, monkeypatch, capsys):
    from fastgmm.io import read_scan

    monkeypatch.chdir(tmp_path)
    assert main(["demo", "-o", "demo"]) == 0
    (ct,) = [path for path in Path("demo").glob("*.nrrd") if not re.search("_(labels|median|lungs)", path.name)]
    ct.rename("ct1.nrrd")
    assert main(["run", "ct1.nrrd", "-o", "out/"]) == 0
    capsys.readouterr()
    (code,) = blocks("python")
    Path("first_screen.py").write_text(code, encoding="utf-8")
    result = runpy.run_path("first_screen.py")
    involvement, means = capsys.readouterr().out.split("\n", 1)
    assert 0 < float(involvement) < 100
    assert "[" in means
    written = read_scan("ct1_labels.nrrd", assume_hu=True).volume
    assert np.array_equal(written, result["labels"])
    assert np.array_equal(written, read_scan("out/ct1_labels.nrrd", assume_hu=True).volume)
