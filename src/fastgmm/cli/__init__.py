"""The command line: one file per verb, each a function from options to exit code."""

from fastgmm.cli._main import main

__all__ = ["main"]
