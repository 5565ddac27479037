"""`make gpu` without a GPU: what it does where there is none, and its sections on what stands in for CuPy."""

import json
import subprocess
import sys
import time

import gpu
import pytest
from cupy_on_cpu._install import standing_in
from gpu_sections.report import markdown
from gpu_sections.rows import FULL_SHAPE, PREDICTED_MS, Row, attempt, documents, predicted

from fastgmm import backends

SHAPE = (24, 40, 66)


@pytest.fixture
def stand_in():
    if backends.can_use("cuda")[0]:
        pytest.skip("CuPy has a device here: make gpu itself runs")
    with standing_in():
        yield


def test_without_a_device_it_says_so_and_measures_nothing(tmp_path, capsys):
    if backends.can_use("cuda")[0]:
        pytest.skip("there is a device")
    assert gpu.main(["--out", str(tmp_path)]) == 2
    assert "nothing to measure: " in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("name", ["links", "kernels"])
def test_every_answer_of_a_section_is_checked(name):
    rows = gpu.SECTIONS[name](SHAPE)
    assert [row.note for row in rows] == [""] * len(rows)
    assert all(row.ms >= 0 and row.checked and row.predicted_ms is None for row in rows)


@pytest.mark.usefixtures("stand_in")
def test_rivals_that_are_not_there_leave_the_others():
    rows = {(row.who, row.name): row for row in gpu.rivals(SHAPE)}
    for who in ("CuPy bincount", "CuPy take"):
        (row,) = (row for (found, _), row in rows.items() if found == who)
        assert (row.checked, row.note) == ("equal to fastgmm", "")
    absent = rows["cuCIM", "components"]
    assert absent.ms is None
    assert absent.note.startswith("ModuleNotFoundError: ")


@pytest.mark.usefixtures("stand_in")
def test_the_pipeline_section_checks_volumes_and_files():
    rows = gpu.SECTIONS["pipeline"](SHAPE)
    assert (rows[0].checked, rows[0].note) == ("equal to cpp", "")
    assert {row.who for row in rows[1:]} == {"fastgmm, cpp", "fastgmm, cuda"}


@pytest.mark.usefixtures("stand_in")
def test_the_mixture_section_gives_rows_of_fastgmm():
    rows = [row for row in gpu.mixtures((4, 8, 16)) if row.who.startswith("fastgmm")]
    assert [row.note for row in rows] == [""] * 11
    assert [row.checked for row in rows if row.who == "fastgmm, cuda"] == ["as cpp"] * 2


def test_a_wrong_answer_is_a_note_and_no_time():
    def work():
        raise AssertionError("differs from the CPU")

    row = attempt(Row("kernels", "median"), work)
    assert (row.ms, row.note) == (None, "AssertionError: differs from the CPU")


def test_a_section_that_fails_or_hangs_leaves_the_rest(tmp_path, monkeypatch):
    monkeypatch.setitem(gpu.LIMITS_S, "rivals", 2)
    rows = documents(
        [Row("links", "copy within the device", ms=2.0, n_bytes=4e6), Row("kernels", "opening", n_bytes=1e6, ms=1.0)]
    )
    good = [sys.executable, "-c", f"print({json.dumps(json.dumps(rows))})"]
    commands = {
        "links": good,
        "kernels": [sys.executable, "-c", "raise SystemExit('no memory')"],
        "rivals": ["sh", "-c", "sleep 60 & wait"],  # a process of a process, which holds the pipes
        "mixtures": ["/nowhere"],
        "pipeline": good,
    }
    about = {
        "device": "Some GPU (80 GB)",
        "memory_bytes": 80 << 30,
        "driver": 1,
        "cuda": 2,
        "cupy": "3",
        "fastgmm": "4",
    }
    start = time.perf_counter()
    document = gpu.run_all(commands, about)
    assert time.perf_counter() - start < 45
    errors = {name: section["error"] for name, section in document["sections"].items()}
    assert errors["links"] == errors["pipeline"] == ""
    assert "exit status 1: no memory" in errors["kernels"]
    assert errors["rivals"] == "not done after 2 s"
    assert "nowhere" in errors["mixtures"]
    written = gpu.write(document, tmp_path)
    assert [path.name for path in written] == ["gpu_some_gpu_80_gb.json", "gpu_some_gpu_80_gb.md"]
    page = written[1].read_text()
    assert "| opening | fastgmm | 1 | 0.5 | 2 |  |  |" in page
    assert "compute-sanitizer was not found" in page
    assert markdown(json.loads(written[0].read_text())) == page


def test_what_is_left_of_the_time_cuts_the_last_sections(monkeypatch):
    monkeypatch.setattr(gpu, "BUDGET_S", 0)
    document = gpu.run_all({"links": [sys.executable, "-c", "import time; time.sleep(60)"]}, {})
    assert document["sections"]["links"]["error"] == "not done after 0 s"


def test_rows_are_found_before_what_a_tool_says_last():
    said = "print('=== A TOOL'); print('[{\"a\": 1}]'); print('=== ERROR SUMMARY: 2 errors'); exit(9)"
    rows, error = gpu.run_one([sys.executable, "-c", said], 60)
    assert rows == [{"a": 1}]
    assert error == "exit status 9: === ERROR SUMMARY: 2 errors"


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(("who", "status"), [("fastgmm", 1), ("fastgmm, cuda", 1), ("cuCIM", 0)])
def test_a_wrong_answer_of_fastgmm_is_an_exit_status(monkeypatch, capsys, who, status):
    monkeypatch.setitem(gpu.SECTIONS, "kernels", lambda shape: [Row("kernels", "median", who, note="differs")])
    monkeypatch.setattr(backends, "can_use", lambda name: (True, ""))
    assert gpu.main(["--section", "kernels"]) == status
    told = capsys.readouterr()
    assert json.loads(told.out)[0]["note"] == "differs"
    assert ("median: differs" in told.err) == bool(status)


def test_the_limits_of_all_sections_leave_time_for_the_nine_minutes(monkeypatch):
    monkeypatch.setattr(gpu.shutil, "which", lambda *arguments, **options: "/bin/compute-sanitizer")
    commands = gpu.commands(FULL_SHAPE)
    assert sum(gpu.LIMITS_S[name.partition(" ")[0]] for name in commands) <= gpu.BUDGET_S < 9 * 60
    assert all((gpu.HERE.parent / "tests" / name).exists() for name in (*gpu.TESTS, *gpu.EVERY_BACKEND, gpu.SANITIZED))
    tests = gpu.HERE.parent / "tests"
    on_cuda = {path for path in tests.rglob("test_*.py") if "\nON_CUDA = True\n" in path.read_text(encoding="utf-8")}
    assert on_cuda == {tests / name for name in gpu.EVERY_BACKEND}
    for tool in ("memcheck", "racecheck", "initcheck", "synccheck"):
        command = commands[f"sanitizer {tool}"]
        assert command[:5] == ["/bin/compute-sanitizer", "--tool", tool, "--error-exitcode", "9"]
        assert command[-1].endswith("test_every_kernel.py")
    assert set(PREDICTED_MS) >= {"median", "labels"}
    assert predicted("median", FULL_SHAPE) == PREDICTED_MS["median"]


def test_the_script_runs_by_itself(tmp_path):
    if backends.can_use("cuda")[0]:
        pytest.skip("there is a device")
    done = subprocess.run(
        [sys.executable, str(gpu.HERE / "gpu.py"), "--out", str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "needs a machine with an NVIDIA GPU" in done.stderr
