"""The comparison of two benchmark runs: what it names, what it passes over."""

import copy
import json
import sys

import check
import pytest
import summary

RUN = {
    "datetime": "2026-01-01T00:00:00",
    "machine_info": {"fastgmm": {"simd": "avx512"}},
    "benchmarks": [],
}
COUNTS = {"compiler": "g++ 12", "counts": {"baseline": {"median": 1000, "labels": 500}}}


def row(who, median_s, stage="median", floor_s=0.001, n_rounds=9):
    info = {"stage": stage, "case": "scan", "state": "warm", "who": who, "floor_s": floor_s, "n_rounds": n_rounds}
    return {"extra_info": {**info, "over_ours": median_s / 0.002}, "stats": {"median": median_s}}


def run(*rows, simd="avx512"):
    document = copy.deepcopy(RUN)
    document["benchmarks"] = list(rows)
    document["machine_info"]["fastgmm"]["simd"] = simd
    return document


OLD = run(row("fastgmm", 0.002), row("fastgmm baseline", 0.003), row("numpy", 0.020), row("scipy", 0.100))


def test_equal_runs_have_nothing_worse():
    assert check.worse_ratios(OLD, OLD) == ([], 4)


def test_a_machine_half_as_fast_is_not_worse():
    slower = run(
        row("fastgmm", 0.004, floor_s=0.002),
        row("fastgmm baseline", 0.006, floor_s=0.002),
        row("numpy", 0.040, floor_s=0.002),
    )
    assert check.worse_ratios(slower, OLD) == ([], 4)


@pytest.mark.parametrize(("seconds", "n_worse"), [(0.00238, 0), (0.00242, 2)])
def test_a_fifth_is_the_limit(seconds, n_worse):
    new = run(row("fastgmm", seconds), row("fastgmm baseline", 0.003), row("numpy", 0.020))
    sentences, n_compared = check.worse_ratios(new, OLD)
    assert (len(sentences), n_compared) == (n_worse, 4)
    assert all(sentence.startswith("median | scan | warm: fastgmm over ") for sentence in sentences)


def test_the_rival_that_was_best_is_compared_although_another_is_now():
    new = run(row("fastgmm", 0.002), row("numpy", 0.010), row("scipy", 0.001))
    assert check.worse_ratios(new, OLD)[0] == [
        "median | scan | warm: fastgmm over numpy was 0.1, is 0.2 (+100 %)",
    ]


def test_another_instruction_set_leaves_the_baseline_to_compare():
    new = run(row("fastgmm", 0.009), row("fastgmm baseline", 0.003), row("numpy", 0.020), simd="avx2")
    assert check.worse_ratios(new, OLD) == ([], 2)


def test_groups_of_one_run_only_are_passed_over():
    assert check.worse_ratios(run(row("fastgmm", 1.0, stage="other")), OLD) == ([], 0)


@pytest.mark.parametrize(
    ("n", "compiler", "is_worse"),
    [(1021, "g++ 12", True), (1019, "g++ 12", False), (1021, "clang", False), (1210, "clang", True)],
)
def test_counts_have_a_narrow_limit_with_the_same_compiler(n, compiler, is_worse):
    new = {"compiler": compiler, "counts": {"baseline": {"median": n, "labels": 400}, "avx2": {"median": 1}}}
    sentences, n_compared = check.worse_counts(new, COUNTS)
    assert n_compared == 2
    assert [s.split(":")[0] for s in sentences] == ["instructions of median (baseline)"] * is_worse


def main_with(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["check.py", *map(str, arguments)])
    return check.main()


def test_exit_status_and_the_newest_run(tmp_path, monkeypatch, capsys):
    runs = tmp_path / "results" / "Linux-CPython"
    runs.mkdir(parents=True)
    better = run(row("fastgmm", 0.001), row("numpy", 0.020))
    (runs / "0001_a.json").write_text(json.dumps(better))
    (runs / "0002_b.json").write_text(json.dumps(OLD))
    (tmp_path / "new.json").write_text(json.dumps(OLD))
    assert main_with(monkeypatch, tmp_path / "new.json", "--old", runs.parent) == 0
    assert capsys.readouterr().out == "4 ratios and counts compared, 0 worse\n"
    assert main_with(monkeypatch, tmp_path / "new.json", "--old", runs / "0001_a.json") == 1
    assert "fastgmm over numpy was 0.05, is 0.1 (+100 %)" in capsys.readouterr().out


def test_nothing_in_common_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "new.json").write_text(json.dumps(run()))
    (tmp_path / "0001_old.json").write_text(json.dumps(OLD))
    with pytest.raises(SystemExit, match="nothing to compare"):
        main_with(monkeypatch, tmp_path / "new.json", "--old", tmp_path / "0001_old.json")


def test_the_table_names_the_fastest_rival_and_who_had_fewer_rounds():
    document = run(
        row("fastgmm", 0.002), row("inflate isa-l", 0.001), row("numpy", 0.02), row("scipy", 7.0, n_rounds=1)
    )
    (line,) = summary.lines_of(document)
    assert line.rivals == ["numpy", "scipy"]
    assert summary.table([line])[2] == (
        "| median | scan | warm | 1 | 2 | 2 |  | numpy | 20 | 10 | scipy (n=1) 3500, inflate isa-l 0.5 |"
    )


def test_a_kernel_without_a_committed_count_is_named_and_not_compared(capsys):
    new = {"compiler": "g++ 12", "counts": {"baseline": {"median": 1000, "flood": 7}}}
    assert check.worse_counts(new, COUNTS) == ([], 1)
    assert capsys.readouterr().out.startswith("instructions of flood (baseline) have no committed count")


def test_the_fallback_is_compared_too():
    new = run(row("fastgmm", 0.002), row("fastgmm numba", 0.012), row("numpy", 0.020))
    old = run(row("fastgmm", 0.002), row("fastgmm numba", 0.008), row("numpy", 0.020))
    assert [s.split(": ")[1].split(" was")[0] for s in check.worse_ratios(new, old)[0]] == [
        "fastgmm numba over numpy", "fastgmm numba over floor",
    ]  # fmt: skip
