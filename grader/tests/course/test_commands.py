"""The command line as a whole: 0 is done, 1 is that something failed, 2 is that the words of the command are wrong. Each says why in a sentence."""

import pytest
from typer.testing import CliRunner

from grader.__main__ import app

NO_LESSON = "There is no lesson '99'. There are: 00_tools, "


@pytest.mark.parametrize(
    "words, code, said",
    [
        *(
            ([*command.split(), "99"], 2, NO_LESSON)
            for command in (
                "build",
                "grade",
                "fresh",
                "reset",
                "report",
                "feedback",
                "release",
                "collect",
                "regrade ann",
                "grade 02_bce",
                "collect 02_bce",
            )
        ),
        (["check", "99", "answers.py"], 2, NO_LESSON),
        (["reset", "99", "bce"], 2, NO_LESSON),
        (["watch", "no/such/folder"], 2, "is no lesson's folder, notebook or Python file."),
        (["watch", "none.py"], 2, "There is no "),
        (["export", "excel"], 2, "There is no format 'excel'. There are: canvas, moodle, csv."),
        (["grade", "--jobs", "0"], 2, "Invalid value for '--jobs'"),
        (["grade", "--fast"], 2, "No such option: --fast"),
        (["collect"], 2, "Missing argument"),
        *(
            ([*command.split(), "02_bce"], 1, "There is no nbgrader_config.py in")
            for command in ("report", "feedback", "release", "collect")
        ),
        (["export", "canvas"], 1, "There is no nbgrader_config.py in"),
        (["grade", "02_bce", "--trust-submissions"], 1, "There is no nbgrader_config.py in"),
        (["check", "02_bce", "none.py"], 1, "The file cannot be read: No such file or directory."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_words_exit_2_and_what_failed_exits_1(tmp_path, monkeypatch, words, code, said):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, words)
    assert (
        done.exit_code == code
        and done.exception.__class__ is SystemExit
        and said in done.output
        and "Traceback" not in done.output
    ), done.output
    assert not list(tmp_path.iterdir())
