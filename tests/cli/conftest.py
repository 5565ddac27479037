"""The command line in this process, with the method's sizes made for small chests."""

from typing import NamedTuple

import pytest
from cohort.chests import SMALL

from fastgmm.cli import main
from fastgmm.lung import LungSettings


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
        code = main([str(argument) for argument in arguments])
        return Ended(code, *capsys.readouterr())

    return run
