import csv
import io
import json

import numpy as np
import pytest

from fastgmm.cohort._tables import json_text, measures_csv, write_text

ROWS = [
    {"case": "Müller, A", "ml": 0.1 + 0.2, "kernel": None, "n": np.int64(3)},
    {"case": 'quote"d', "ml": 1e-7, "kernel": "B40f", "n": 0},
]


def test_csv_has_commas_dots_quotes_and_nothing_for_none():
    text = measures_csv(ROWS, ["case", "ml", "kernel", "n"])
    assert text.splitlines()[:2] == ["case,ml,kernel,n", '"Müller, A",0.30000000000000004,,3']
    assert text.endswith("\n")
    assert "\r" not in text


def test_csv_reads_back_as_the_values():
    back = list(csv.DictReader(io.StringIO(measures_csv(ROWS, ["case", "ml", "kernel", "n"]))))
    assert [row["case"] for row in back] == ["Müller, A", 'quote"d']
    assert [float(row["ml"]) for row in back] == [0.1 + 0.2, 1e-7]


def test_csv_is_written_as_utf8_with_plain_line_ends(tmp_path):
    write_text(tmp_path / "t.csv", "Mü\nx\n")
    assert (tmp_path / "t.csv").read_bytes() == b"M\xc3\xbc\nx\n"


def test_json_has_null_for_none_and_plain_numbers(tmp_path):
    document = json.loads(json_text({"a": None, "n": np.float64(0.5), "path": tmp_path}))
    assert document == {"a": None, "n": 0.5, "path": str(tmp_path)}


def test_json_refuses_nan():
    with pytest.raises(ValueError, match="Out of range float values"):
        json_text({"a": float("nan")})
