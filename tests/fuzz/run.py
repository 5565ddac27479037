"""Fuzz targets for some seconds of processor time each; `.ci/fuzz` calls this on a build with sanitizers."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

TESTS = Path(__file__).parent.parent
sys.path.insert(0, str(TESTS))

from fuzz.engine import CORPUS, for_seconds, fuzz, read_corpus, write_corpus  # noqa: E402
from fuzz.file_targets import originals  # noqa: E402
from fuzz.targets import TARGETS  # noqa: E402

WORK = TESTS.parent / "build" / "fuzz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", default=list(TARGETS), help="all of them unless named")
    parser.add_argument("--seconds", type=float, default=600, help="of processor time, for each target")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    parser.add_argument("--input", type=Path, help="run one target on this file and nothing else")
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    for name in options.targets:
        if options.input:
            from fuzz.source import Source

            TARGETS[name](Source(options.input.read_bytes()))
            continue
        run_target(name, for_seconds(options.seconds), options.seed)


def run_target(name: str, go_on: Callable[[], bool], seed: int) -> None:
    """Go on from the inputs kept before, and keep those that reach something new."""
    given = read_corpus(name, CORPUS) + read_corpus(name, WORK) + originals().get(name, [])
    started = time.process_time()
    try:
        kept, n_runs = fuzz(
            TARGETS[name],
            list(dict.fromkeys(given)),
            go_on=go_on,
            seed=seed,
            present=WORK / f"{name}.input",
            traced="/fastgmm/io/" if name in originals() else "",
        )
    except BaseException:
        print(f"fuzz: {name} (seed {seed}) fails on {WORK / name}.input", file=sys.stderr)
        raise
    write_corpus(name, kept, WORK)
    spent = time.process_time() - started
    print(f"fuzz: {name}: {n_runs} inputs in {spent:.0f} s, nothing found; {len(kept)} kept", flush=True)


if __name__ == "__main__":
    main()
