"""A fuzzer: inputs that reach code no other reached are kept, and changed at random into new ones.

What is reached is told by `coverage.cpp` for compiled code (with g++ -fsanitize-coverage=trace-pc every block calls it)
and by a trace function for lines of the readers. Without either, inputs are random changes of the seeds.
"""

import base64
import ctypes
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from fuzz.source import Source

CORPUS = Path(__file__).parent / "corpus"
Target = Callable[[Source], None]
_MAX_BYTES = 4000
_WORDS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7F800000, 0xFFFFFFFF)


class Coverage:
    """How many places have been reached so far."""

    def __init__(self, traced: str) -> None:
        self._traced = traced
        self._lines: set[tuple[str, int, int]] = set()
        library = ctypes.CDLL(None)
        self._n_blocks = getattr(library, "fastgmm_fuzz_reached", lambda: 0)

    def run(self, target: Target, content: bytes) -> int:
        """Call the target; the number of places reached by all calls up to now."""
        if self._traced:
            sys.settrace(self._enter)
        try:
            target(Source(content))
        finally:
            sys.settrace(None)
        return self._n_blocks() + len(self._lines)

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        if self._traced not in frame.f_code.co_filename:
            return None
        name, before = frame.f_code.co_filename, 0

        def line(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal before
            self._lines.add((name, before, frame.f_lineno))
            before = frame.f_lineno
            return line

        return line


def read_corpus(name: str, folder: Path = CORPUS) -> list[bytes]:
    """The inputs kept for a target, one per line in base64."""
    path = folder / f"{name}.txt"
    return [base64.b64decode(line) for line in path.read_text().split()] if path.exists() else []


def write_corpus(name: str, inputs: list[bytes], folder: Path) -> None:
    (folder / f"{name}.txt").write_text("".join(base64.b64encode(content).decode() + "\n" for content in inputs))


def mutated(rng: np.random.Generator, inputs: list[bytes]) -> bytes:
    """One of the inputs with a few changes, or bytes from nowhere."""
    if not inputs or rng.random() < 0.1:
        return rng.bytes(int(rng.integers(1, 120)))
    content = bytearray(inputs[int(rng.integers(len(inputs)))])
    for _ in range(int(rng.integers(1, 5))):
        _change(rng, content, inputs)
    return bytes(content[:_MAX_BYTES])


def _change(rng: np.random.Generator, content: bytearray, inputs: list[bytes]) -> None:
    at, kind = int(rng.integers(len(content) + 1)), int(rng.integers(6))
    if kind == 0:
        content[at : at + 1] = rng.bytes(1)
    elif kind == 1 and at < len(content):
        content[at] ^= 1 << int(rng.integers(8))
    elif kind == 2:
        content[at:at] = rng.bytes(int(rng.integers(1, 5)))
    elif kind == 3:
        del content[at : at + int(rng.integers(1, 5))]
    elif kind == 4:
        width = int(rng.choice([1, 2, 4]))
        word = int(rng.choice(_WORDS)) % (1 << 8 * width)
        content[at : at + width] = word.to_bytes(width, "little")
    else:
        other = inputs[int(rng.integers(len(inputs)))]
        start = int(rng.integers(len(other) + 1))
        content[at : at + 16] = other[start : start + int(rng.integers(1, 40))]


def for_seconds(seconds: float) -> Callable[[], bool]:
    """Whether so much processor time is not over yet."""
    end = time.process_time() + seconds
    return lambda: time.process_time() < end


def fuzz(
    target: Target, inputs: list[bytes], *, go_on: Callable[[], bool], seed: int, present: Path, traced: str = ""
) -> tuple[list[bytes], int]:
    """Run a target on the inputs, then on changed ones while `go_on`; those that reached something new, and how many.

    The input at work lies in the file `present`, so that one that ends the process is not lost.
    """
    rng, coverage = np.random.default_rng(seed), Coverage(traced)
    kept: list[bytes] = []
    n_places = n_runs = 0
    # Kept open: closing a file that was emptied makes some systems write it to the disk at once.
    with present.open("wb", buffering=0) as file:
        while n_runs < len(inputs) or go_on():
            content = inputs[n_runs] if n_runs < len(inputs) else mutated(rng, kept or inputs)
            file.seek(0)
            file.write(content)
            file.truncate()
            reached = coverage.run(target, content)
            if reached > n_places:
                kept.append(content)
            n_places = reached
            n_runs += 1
    present.unlink(missing_ok=True)
    return kept, n_runs
