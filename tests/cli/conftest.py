"""The command line in this process, with the method's sizes made for small chests."""

from typing import NamedTuple

import pytest
from cohort.chests import SMALL

from fastgmm.cli import main
from fastgmm.lung import LungSettings

# The verbs that find lungs; the small chests have a shape for the published rules only.
_FIND_LUNGS = {"run", "label", "fit", "demo"}


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def errors(self):
        return [line.removeprefix("error: ") for line in self.err.splitlines() if line.startswith("error: ")]


@pytest.fixture
def fastgmm(monkeypatch, capsys):
    """Return a function that runs a command line and returns how it ended."""
    monkeypatch.setattr(LungSettings, "published", classmethod(lambda cls: SMALL))

    def run(*arguments):
        words = [str(argument) for argument in arguments]
        if words and words[0] in _FIND_LUNGS and "--preset" not in words:
            words += ["--preset", "published"]
        code = main(words)
        return Ended(code, *capsys.readouterr())

    return run
