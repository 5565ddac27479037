"""The tables of a benchmark run: targets, numbers in other pages, who takes part, peak memory."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import summary
from harness import peak
from harness.inputs import LARGE, NOISE, SMALL
from harness.paired import OURS, OURS_BASELINE, Call, Group, measure
from harness.rows import Panel
from targets import ALLOWED, BEST, FLOOR, TARGETS, Target

SCAN = "thorax 300x512x512"


def line(stage, case=SCAN, floor_s=None, extra=None, **seconds):
    medians = {who.replace("_", " "): s for who, s in seconds.items()}
    over_ours = {who: s / medians["fastgmm"] for who, s in medians.items()}
    rounds = dict.fromkeys(medians, 9)
    return summary.Line(stage, case, "warm", floor_s, medians, over_ours, rounds, extra or {})


def opening(ours_s, baseline_s, floor_s=0.010):
    return line("opening", floor_s=floor_s, fastgmm=ours_s, fastgmm_baseline=baseline_s, numpy_shifts=0.6, scipy=2.6)


def test_a_row_says_what_was_asked_and_whether_each_level_reached_it():
    rows = summary.target_table([opening(0.008, 0.025)])[2:]
    assert rows == [
        "| threshold + opening | thorax 300x512x512 | 10 | 8 | 25 | numpy shifts | 600 | ≥ 75 | 75 | yes "
        "| ≥ 32 | 24 | **no** |",
        "| threshold + opening | thorax 300x512x512 | 10 | 8 | 25 | memory floor |  | ≤ 1.8 | 0.8 | yes "
        "| ≤ 3.2 | 2.5 | yes |",
    ]


def test_a_faster_rival_than_the_named_one_gets_a_row_of_its_own():
    found = opening(0.008, 0.025)
    found.medians["numpy packed"], found.over_ours["numpy packed"], found.n_rounds["numpy packed"] = 0.08, 10, 9
    assert [row.split(" | ")[5] for row in summary.target_table([found])[2:]] == [
        "numpy shifts", "numpy packed, the best", "memory floor",
    ]  # fmt: skip


def test_on_the_real_scan_six_tenths_are_asked():
    by_key = {(target.key, target.against): target for target in TARGETS}
    real = by_key["opening | p002 133x512x512 | warm", "numpy shifts"]
    assert (real.asked, real.asked_of_baseline) == pytest.approx((45, 19.2))
    assert by_key["opening | p002 133x512x512 | warm", FLOOR].asked == pytest.approx(3.0)
    assert by_key["process default | p002 133x512x512 | warm", ALLOWED].asked == 1


def test_the_ratio_is_the_one_taken_within_rounds():
    target, found = Target("opening", "opening | scan | warm", "numpy shifts", 75), opening(0.008, 0.025)
    found.over_ours.update({"numpy shifts": 60.0, OURS_BASELINE: 2.0})
    assert target.measured(found, OURS) == 60
    assert target.measured(found, OURS_BASELINE) == 30


def test_memory_is_compared_with_what_is_allowed():
    target = Target("memory", "process | scan | warm", ALLOWED, 1)
    found = line("process", fastgmm=0.5, extra={"fastgmm": {"peak_mib": 300.0, "limit_mib": 200.0}})
    assert target.measured(found, OURS) == 1.5
    assert not target.is_reached(1.5, 1)


def test_the_best_rival_is_neither_ours_nor_a_bound():
    found = line("read", fastgmm=0.5, fastgmm_nifti=0.1, inflate_isa_l=0.2, simpleitk=0.9, pynrrd=1.4)
    assert Target("read", found.key, BEST, 1.5).rival(found) == "simpleitk"


def test_pages_get_the_rows_of_the_stages_they_name():
    page = "before\n<!-- numbers: opening -->\nold\n<!-- end -->\n<!-- numbers: other -->\nkept\n<!-- end -->\n"
    text = summary.with_numbers(page, [opening(0.008, 0.025)])
    assert "old" not in text
    assert "<!-- numbers: other -->\nkept\n<!-- end -->" in text
    assert "| thorax 300x512x512 | warm | 10 | 8 | 0.8 | 25 | numpy shifts | 600 |" in text
    assert summary.with_numbers(text, [opening(0.008, 0.025)]) == text


def test_a_packed_run_holds_the_same():
    document = {"datetime": "now", "benchmarks": [{"name": "a", "stats": {"median": 0.1}}, {"name": "b"}], "version": 1}
    assert json.loads(summary.packed(document)) == document
    assert summary.packed(document).count("\n") < 9


def test_slow_rivals_take_part_on_the_small_thorax_only():
    panel = Panel(("fastgmm", "numpy", "edt"), small_only=("scipy",), strong=("edt",))
    assert panel.of(SMALL, "warm") == ("fastgmm", "numpy", "edt", "scipy")
    assert panel.of(LARGE, "warm") == ("fastgmm", "numpy", "edt")
    assert panel.of(NOISE[0], "warm") == panel.of(SMALL, "cold") == ("fastgmm", "edt")


def test_who_answers_differently_is_not_timed():
    calls = {
        OURS: Call(lambda: np.arange(3)),
        OURS_BASELINE: Call(lambda: np.arange(3)),
        "wrong": Call(lambda: np.arange(4)),
        "broken": Call(lambda: [][0]),
    }
    group = measure(Group("stage", "case", "warm", calls))
    assert set(group.times) == {OURS, OURS_BASELINE}
    assert group.problems["wrong"] == "ValueError: the answer differs from fastgmm's"
    assert group.problems["broken"].startswith("IndexError")


def test_peak_is_that_of_the_program_alone(tmp_path):
    held = np.ones(50_000_000, np.uint8)  # by the parent
    program = tmp_path / "program.py"
    program.write_text("import sys\nblock = bytearray(b'x' * 30_000_000)\nassert sys.argv[1:] == ['a']\n")
    report = tmp_path / "peak"
    subprocess.run([sys.executable, Path(peak.__file__), report, program, "a"], check=True)
    assert held.sum() == 50_000_000
    assert 30_000_000 < int(report.read_text()) < 80_000_000
