"""The command line as a whole: 0 is done, 1 is that something failed, 2 is that the words of the command are
wrong. Each says why in a sentence."""

import os
import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from grader.__main__ import app
from grader.course import lessons as course
from grader.course.lessons import ROOT

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


@pytest.mark.parametrize("typed", ["./course", "python -m grader"])
def test_a_command_that_does_not_exist_is_answered_with_what_was_typed(typed, tmp_path):
    """`course` runs the Python that lies beside it."""
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    shutil.copy(ROOT / "course", tmp_path)
    path = {"PATH": f"{python.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*typed.split(), "nonsense"], cwd=tmp_path, env=os.environ | path, capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stderr.startswith(f"Usage: {typed} ["), done.stderr
    assert "No such command 'nonsense'" in done.stderr


def test_a_folder_that_was_moved_says_so_and_one_that_borrows_its_environment_runs(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    python = there / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho runs\n")
    python.chmod(0o755)
    (there / ".venv/where").write_text(str(there))
    shutil.copy(ROOT / "course", there)

    def say(folder):
        done = subprocess.run([folder / "course"], capture_output=True, text=True)
        return done.stdout.strip() or done.stderr

    assert say(there) == "runs"
    shutil.copytree(there, here)
    assert f"its .venv belongs to {there}: make lab sets it up anew." in say(here)
    shutil.rmtree(here / ".venv")
    (here / ".venv").symlink_to(there / ".venv")
    assert say(here) == "runs"


def test_an_unfinished_lesson_is_named_and_stops_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(course, "SOLUTIONS", tmp_path)
    (tmp_path / "18_regression.py").write_text("# %% [markdown]\n# # How far off?\n")
    done = CliRunner().invoke(app, ["build", "18_regression"])
    missing = "18_regression is left out: its exercises, grader/exercises/regression.py, are missing."
    assert done.exit_code == 2 and missing in done.output
    assert "18_regression" not in course.lessons() and "02_bce" in course.lessons()


def test_without_the_texts_the_releases_say_what_each_lesson_is(tmp_path, monkeypatch):
    """A course may be handed out without its solutions."""
    known = {lesson: (course.title(lesson), course.minutes(lesson)) for lesson in course.lessons()}
    monkeypatch.setattr(course, "SOLUTIONS", tmp_path)
    course._summary.cache_clear()
    try:
        assert {
            lesson: (course.title(lesson), course.minutes(lesson)) for lesson in course.lessons()
        } == known
    finally:
        course._summary.cache_clear()


@pytest.mark.parametrize(
    "words, does", [(["fresh", "02"], "fresh"), (["reset", "02"], "reset"), (["lab"], "prepare")]
)
def test_who_may_not_write_is_told_what_to_set(words, does, monkeypatch):
    from grader.learner import workspace

    def refused(*_):
        raise PermissionError(13, "Permission denied", "/srv/course/work/02_bce.part")

    monkeypatch.setattr(workspace, does, refused)
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 1
    assert (
        "/srv/course/work/02_bce cannot be written" in done.stderr
        and "export GRADER_WORK=~/work" in done.stderr
    )
