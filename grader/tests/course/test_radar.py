"""The loss radar: what counts as another output, and the table that it makes. Running a lesson anew is tried
on a small notebook."""

import nbformat
import pytest

from grader import radar
from grader.radar import Change


def output(text):
    return nbformat.v4.new_output("stream", text=text)


def test_addresses_and_torchs_own_lines_are_no_difference():
    one = [
        output(
            "<object at 0x7f3a>\n/usr/lib/python3/site-packages/torch/nn/functional.py:3402: UserWarning: odd\n"
        )
    ]
    other = [
        output("<object at 0x1b2c>\n/opt/venv/site-packages/torch/nn/functional.py:99: UserWarning: odd\n")
    ]
    assert radar.lines(one) == radar.lines(other)
    assert radar.lines([output("loss 0.4485\n")]) != radar.lines([output("loss 0.4486\n")])


def test_an_error_is_told_by_its_name_and_message():
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="Expected input", traceback=["…"])
    assert radar.lines([error]) == ("ValueError: Expected input",)


def test_a_lesson_run_anew_differs_in_the_cells_that_do(tmp_path, monkeypatch):
    cells = [
        nbformat.v4.new_code_cell(code, id=name)
        for name, code in (("same", "print(1)"), ("other", "print(2)"))
    ]
    for cell in cells:
        cell.outputs = [output("1\n")]
    path = tmp_path / "00_small.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    monkeypatch.setattr(radar, "instructors", lambda lesson: path)
    assert radar.changes("00_small") == [Change("00_small", "other", "print(2)", ("1",), ("2",))]
    with pytest.raises(radar.RadarError, match="ran with torch from .*, not from"):
        radar.changes("00_small", tmp_path / "gone")


def test_the_table_has_one_row_for_what_several_releases_show():
    change = Change("03_bce", "cell-012", "print(slope)", ("slope 0.0",), ("slope 1.0",))
    table = radar.page({"2.14.1": [change], "2.9.1": [change], "2.6.0": []})
    (row,) = [line for line in table.splitlines() if line.startswith("| `")]
    assert row.endswith("| 2.9.1, 2.14.1 |") and "`slope 0.0`" in row and "`slope 1.0`" in row


def test_a_table_stays_a_table_whatever_a_cell_prints():
    change = Change("03_bce", "cell-012", "a | b", ("x | `y`",), ())
    (row,) = [line for line in radar.page({"2.9.1": [change]}).splitlines() if line.startswith("| `")]
    assert row.replace("\\|", "").count("|") == 5


def test_a_changed_cell_is_a_difference_that_a_forge_renders():
    told = radar.difference(Change("03_bce", "cell-012", "print(slope)", ("slope 0.0",), ("slope 1.0",)))
    assert "```diff\n-slope 0.0\n+slope 1.0\n```" in told and told.startswith("### 03_bce, cell-012")
