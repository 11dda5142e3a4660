"""A course folder for tests: the real lessons, a class of learners, and the real nbgrader commands."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

from grader.course.build import ROOT, instructors, loads, released, solution_cells  # noqa: F401
from grader.course.lessons import exercises_of

BIN = Path(sys.executable).parent


STOCK = """c = get_config()
c.CourseDirectory.course_id = "losses"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "notebooks"
c.GenerateAssignment.force = True
"""


def make(folder, lesson, stock=False, config=""):
    """A course with one lesson and a local exchange in `folder`; stock: none of the course's plug-ins."""
    for name in ("solutions", "notebooks"):
        shutil.copytree(ROOT / name / lesson, folder / name / lesson)
    exchange = folder / "exchange"
    exchange.mkdir()
    exchange.chmod(0o777)  # nbgrader wants a world-writable exchange
    text = STOCK if stock else (ROOT / "nbgrader_config.py").read_text()
    (folder / "nbgrader_config.py").write_text(text + f"c.Exchange.root = {str(exchange)!r}\n" + config)
    return folder


def nbgrader(folder, *words, check=True, **env):
    """Run `nbgrader …` in a folder, as a teacher would; returns what it prints."""
    done = subprocess.run(
        [BIN / "nbgrader", *map(str, words)],
        cwd=folder,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"} | env,
    )
    assert not check or done.returncode == 0, done.stdout
    return done.stdout


def answered(lesson, answers=None, open_answer=None):
    """A learner's notebook: the release with some exercises answered. `answers`: name -> source; all of the
    course's by default."""
    nb = loads(released(lesson))
    answers = solution_cells(lesson) if answers is None else answers
    assert set(answers) <= set(exercises_of(lesson))
    for cell in nb.cells:
        data = cell.metadata.get("nbgrader", {})
        if cell.id in answers:
            cell.source = answers[cell.id]
        elif open_answer and data.get("grade") and data.get("solution"):
            cell.source = open_answer
    return nb


def submit(folder, student, lesson, nb):
    """Put a notebook (or bytes, or None for an empty folder) where `nbgrader collect` would."""
    path = folder / "submitted" / student / lesson / f"{lesson}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(nb, bytes):
        path.write_bytes(nb)
    elif nb is not None:
        nbformat.write(nb, path)
    return path


def grades(folder, lesson):
    """What the gradebook says: student -> {grade_id: score}, automatic and manual."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder}/gradebook.db") as gradebook:
        return {
            s.student.id: {g.cell.name: g.score for nb in s.notebooks for g in nb.grades}
            for s in gradebook.assignment_submissions(lesson)
        }
