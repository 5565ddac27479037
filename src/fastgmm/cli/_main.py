"""From arguments to a verb, and from errors to one line and an exit code."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, NoReturn

DONE, SOME_FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

VERBS = {
    "run": "find the lungs of chest CTs, label their tissue, measure it",
    "demo": "do the same on a synthetic thorax and compare with its truth",
    "fit": "fit a tissue model on the lungs of many scans",
    "label": "label the lungs of scans with a model, nothing else",
    "measure": "measure labels or lung masks that exist already",
    "convert": "turn a scan, such as a DICOM folder, into one NRRD or NIfTI file without patient data",
    "info": "show versions, backends and threads, or the geometry and HU range of scans",
}
_TRACEBACK = "FASTGMM_TRACEBACK"
_BLAS_THREADS = "OPENBLAS_NUM_THREADS"


class UsageError(Exception):
    """The command was not used as it must be."""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}; see {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 some scans failed, 2 wrong use, 130 interrupted.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process if left out.
    """
    options = argparse.Namespace(json=False, verb=None)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # File names need not be text in the stream's encoding.
            stream.reconfigure(errors="backslashreplace")
    try:
        with _signals():
            _parse(sys.argv[1:] if argv is None else list(argv), options)
            return _run(options)
    except KeyboardInterrupt:
        return _stop(options, INTERRUPTED, "interrupted")
    except BrokenPipeError:
        # The reader of our output has gone; what is buffered must not be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SOME_FAILED
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else DONE
    except Exception as error:
        return _stop(options, *_explain(error))


def _parse(argv: list[str], options: argparse.Namespace) -> None:
    """Read the arguments into `options`."""
    parser = _Parser(prog="fastgmm", description="Lung-tissue labels of chest CT, exactly and fast.")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND")
    for name, help_text in VERBS.items():
        # Only the verb that is used is imported.
        module = _module(name) if name in argv else None
        verb = verbs.add_parser(name, help=help_text, description=module.__doc__ if module else help_text)
        if module is not None:
            module.add_arguments(verb)
    parser.parse_args(argv, options)


def _run(options: argparse.Namespace) -> int:
    """Run the verb."""
    if options.version:
        import fastgmm

        print(f"fastgmm {fastgmm.__version__}")
        return DONE
    if options.verb is None:
        raise UsageError(f"fastgmm: expected a command, one of {', '.join(VERBS)}; see fastgmm --help")
    code: int = _module(options.verb).run(options)
    sys.stdout.flush()
    return code


def _module(verb: str) -> Any:
    with _blas_without_threads():
        return importlib.import_module(f"fastgmm.cli.{verb}")


def _explain(error: Exception) -> tuple[int, str]:
    """Return exit code and text for an error that ended a command."""
    from fastgmm.errors import FastGMMError, TissueModelError

    if os.environ.get(_TRACEBACK):
        raise error
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, TissueModelError):
        return SOME_FAILED, text
    if isinstance(error, UsageError | FastGMMError | ValueError | OSError):
        return WRONG_USE, text
    return SOME_FAILED, f"unexpected {type(error).__name__}: {text}; please report it, {_TRACEBACK}=1 shows where"


def _stop(options: argparse.Namespace, code: int, text: str) -> int:
    """Say why a command ended, also as its one document, and return its code."""
    with contextlib.suppress(OSError):
        print(f"error: {text}" if code != INTERRUPTED else text, file=sys.stderr, flush=True)
        if options.json:
            from fastgmm.cli._tables import print_json

            print_json({"command": options.verb, "error": text})
            sys.stdout.flush()
    return code


@contextlib.contextmanager
def _blas_without_threads() -> Iterator[None]:
    """Load NumPy without the threads of OpenBLAS: they spin for a while, and no verb multiplies matrices."""
    if "numpy" in sys.modules or _BLAS_THREADS in os.environ:
        yield
        return
    os.environ[_BLAS_THREADS] = "1"
    try:
        yield
    finally:
        del os.environ[_BLAS_THREADS]


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Let Ctrl-C and termination unwind the command once, so that what was half-written is cleared away in peace."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def unwind(number: int, frame: FrameType | None) -> None:
        for known in before:
            signal.signal(known, signal.SIG_IGN)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, unwind)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
