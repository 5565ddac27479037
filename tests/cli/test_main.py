import json
import signal
import sys

import pytest

import fastgmm as package
from fastgmm.cli import main
from fastgmm.cli._main import VERBS


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "fastgmm: expected a command, one of run, demo, fit, label, measure, convert, info; see fastgmm --help"),
        (["fly"], "fastgmm: argument COMMAND: invalid choice: 'fly'"),
        (["run", "a.nrrd"], "fastgmm run: the following arguments are required: -o/--output; see fastgmm run --help"),
        (["run", "-o", "out"], "fastgmm run: the following arguments are required: SCAN"),
        (["run", "a.nrrd", "-o", "out", "--preset", "x"], "argument --preset: invalid choice: 'x'"),
        (["run", "a.nrrd", "-o", "out", "--backend", "x"], "argument --backend: invalid choice: 'x'"),
        (["run", "a.nrrd", "-o", "out", "--fit", "--model", "m"], "argument --model: not allowed with argument --fit"),
        (["run", "a.nrrd", "-o", "out", "--jobs", "0"], "whole number of threads other than 0 (-1 = all), got '0'"),
        (["run", "a.nrrd", "-o", "out", "--jobs", "x"], "whole number of threads other than 0 (-1 = all), got 'x'"),
        (["run", "a.nrrd", "-o", "out", "--tol", "-1"], "argument --tol: expected a positive number, got '-1'"),
        (["run", "a.nrrd", "-o", "out", "--tol", "nan"], "argument --tol: expected a positive number, got 'nan'"),
        (["run", "a.nrrd", "-o", "out", "--li-formula", "x"], "argument --li-formula: invalid choice: 'x'"),
        (["measure", "a.nrrd"], "fastgmm measure: expected --labels or --lungs, got neither"),
        (["convert", "a.nrrd"], "fastgmm convert: the following arguments are required: -o/--output"),
    ],
)
def test_wrong_use_is_one_line_and_code_2(fastgmm, arguments, text):
    ended = fastgmm(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert len(ended.err.splitlines()) == 1
    assert text in ended.err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(fastgmm, verb):
    ended = fastgmm(verb, "--help")
    assert ended.code == 0
    assert f"usage: fastgmm {verb}" in ended.out
    assert "--json" in ended.out


def test_help_lists_the_verbs_and_version_is_the_package_s(fastgmm):
    text = fastgmm("--help").out
    assert all(verb in text for verb in VERBS)
    assert fastgmm("--version").out == f"fastgmm {package.__version__}\n"


def test_arguments_come_from_the_process_if_none_are_given(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["fastgmm", "--version"])
    assert main() == 0
    assert capsys.readouterr().out.startswith("fastgmm ")


@pytest.fixture
def verb_that(monkeypatch):
    """Return a function that lets `fastgmm info` do something else."""
    return lambda do: monkeypatch.setattr("fastgmm.cli.info.run", lambda options: do())


def raising(error):
    def do():
        raise error

    return do


def test_ctrl_c_is_code_130(fastgmm, verb_that):
    verb_that(lambda: signal.raise_signal(signal.SIGINT))
    ended = fastgmm("info")
    assert (ended.code, ended.err) == (130, "interrupted\n")


def test_termination_unwinds_too(fastgmm, verb_that):
    verb_that(lambda: signal.raise_signal(signal.SIGTERM))
    assert fastgmm("info").code == 128 + signal.SIGTERM


def test_a_second_ctrl_c_does_not_disturb_the_clearing_up(fastgmm, verb_that):
    cleared = []

    def do():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            cleared.append(True)

    verb_that(do)
    assert fastgmm("info").code == 130
    assert cleared == [True]


def test_signal_handlers_are_given_back(fastgmm):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    fastgmm("--version")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_the_unexpected_is_one_line_without_a_traceback(fastgmm, verb_that, monkeypatch):
    verb_that(raising(KeyError("oops")))
    ended = fastgmm("info")
    assert ended.code == 1
    assert ended.err == "error: unexpected KeyError: 'oops'; please report it, FASTGMM_TRACEBACK=1 shows where\n"
    monkeypatch.setenv("FASTGMM_TRACEBACK", "1")
    with pytest.raises(KeyError):
        fastgmm("info")


def test_an_error_of_many_lines_becomes_one(fastgmm, verb_that):
    verb_that(raising(ValueError("first\n  second")))
    ended = fastgmm("info")
    assert (ended.code, ended.err) == (2, "error: first second\n")


def test_a_verb_works_outside_the_main_thread(fastgmm):
    import threading

    codes = []
    thread = threading.Thread(target=lambda: codes.append(main(["info", "--json"])))
    thread.start()
    thread.join()
    assert codes == [0]


def test_info_shows_versions_backends_instruction_set_and_threads(fastgmm):
    document = json.loads(fastgmm("info", "--json", "--jobs", "3").out)
    assert document["fastgmm"] == package.__version__
    assert document["backends"]["reference"] is None
    assert document["threads"] == 3
    text = fastgmm("info").out
    assert "numpy" in text
    assert "backend reference    usable" in text


def test_info_says_why_a_backend_cannot_run(fastgmm, monkeypatch):
    monkeypatch.setattr("fastgmm.backends.can_use", lambda name: (False, "no compiler"))
    assert "backend cpp          not usable: no compiler" in fastgmm("info", "--backend", "reference").out


def test_json_prints_one_document_for_an_error_too(fastgmm, verb_that):
    verb_that(raising(ValueError("bad")))
    ended = fastgmm("info", "--json")
    assert (ended.code, ended.err) == (2, "error: bad\n")
    assert json.loads(ended.out) == {"command": "info", "error": "bad"}
