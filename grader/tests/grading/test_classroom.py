"""A class through the real commands: what lies in the exchange is collected, both ways of grading give the
same grades, feedback gives nothing away."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from grader.course.build import ROOT, solution_of
from grader.course.lessons import exercises_of
from grader.jail import doctor
from grader.tests import school
from grader.tests.attacks import LESSON, WRONG, attacks

WALLS = doctor.walls()
pytestmark = pytest.mark.skipif(not WALLS.ok, reason=f"no walls on this machine: {WALLS.why}")
TOTAL = sum(e.points for e in exercises_of(LESSON).values())
SUMS = "def bce(p, y, reduction='mean'):\n    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).sum()"
DATELESS = [f"dateless+{LESSON}+yesterday at noon", f"right+{LESSON}+2026-99-99 00:00:00 UTC+0"]
PASSED_ON = "the secret of somebody else"


def _damage(name):
    return next(a.submit for a in attacks()["damaging"] if a.name == name)


def _text(nb):
    return nbformat.writes(nb)


# learner -> (what is submitted: answers, a text, or something done to the folder; the points that a machine gives)
CLASS = {
    "right": ({}, TOTAL),
    "stubs": (_text(school.answered(LESSON, {})), 0),
    "sums": ({"bce": SUMS}, None),
    "loops": ({"bce": "def bce(p, y, reduction='mean'):\n    while True: pass"}, TOTAL - 3),
    "exits": ({"bce": "import os\ndef bce(p, y, reduction='mean'): os._exit(0)"}, TOTAL - 3),
    "warns": (
        {
            "bce_grad": (
                "import warnings, sys\ndef bce_grad(p, y):\n    warnings.warn('careful'); print('!', "
                "file=sys.stderr)\n    return -y / p + (1 - y) / (1 - p)"
            )
        },
        TOTAL,
    ),
    "forges": (
        {"bce": WRONG["bce"] + "\nget_ipython().input_transformers_cleanup.append(lambda lines: ['3.0\\n'])"},
        4,
    ),
    "borrows": (
        {"bce": "def bce(p, y, reduction='mean'): return F.binary_cross_entropy(p, y, reduction=reduction)"},
        TOTAL - 3,
    ),
    "empty": ("", 0),
    "truncated": (_text(school.answered(LESSON))[:9000], 0),
    "missing": (_damage("nothing at all"), 0),
    "folder": (_damage("a folder in the notebook's place"), 0),
    "link": (_damage("a link in the notebook's place"), 0),
    "beside": (_damage("links, pipes, pages and odd names beside it"), TOTAL),
    "notime": (_damage("a time that is none"), TOTAL),
    "huge": (lambda place: (place / "data.bin").write_bytes(bytes(3 << 20)), TOTAL),
}


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """A course whose class has submitted, collected by nbgrader."""
    folder = school.make(
        tmp_path_factory.mktemp("course"), LESSON, config="c.CourseDirectory.max_dir_size = 2000\n"
    )
    secret = tmp_path_factory.mktemp("teacher")
    (secret / f"{LESSON}.ipynb").write_text(PASSED_ON)
    school.nbgrader(folder, "generate_assignment", LESSON, "--create")
    school.nbgrader(folder, "release_assignment", LESSON)
    inbound = folder / "exchange" / "losses" / "inbound"
    for student, (what, _) in CLASS.items():
        place = inbound / f"{student}+{LESSON}+2026-01-01 00:00:00 UTC+0"
        place.mkdir()
        (place / "timestamp.txt").write_text("2026-01-01 00:00:00 UTC")
        answers = what if isinstance(what, dict) else {}
        nb = school.answered(LESSON, school.solution_cells(LESSON) | answers, open_answer="Because.")
        (place / f"{LESSON}.ipynb").write_text(what if isinstance(what, str) else _text(nb))
        if callable(what):
            what(place)
    (inbound / f"thief+{LESSON}+2026-01-01 00:00:00 UTC+0").symlink_to(secret)
    (inbound / f"..+{LESSON}+2026-01-01 00:00:00 UTC+0").mkdir()
    (inbound / f"<img src=x onerror=x>+{LESSON}+2026-01-01 00:00:00 UTC+0").mkdir()
    for name in DATELESS:
        (inbound / name).mkdir()
    said = school.nbgrader(folder, "collect", LESSON)
    return folder, said


@pytest.fixture(scope="module")
def graded(collected, tmp_path_factory):
    """The same class twice: graded by `nbgrader autograde`, and by the course's own command."""
    by_nbgrader, _ = collected
    folder_of_ours = tmp_path_factory.mktemp("own")
    shutil.copytree(
        by_nbgrader, folder_of_ours, dirs_exist_ok=True, ignore=shutil.ignore_patterns("exchange")
    )
    school.nbgrader(by_nbgrader, "autograde", LESSON, "--create")
    done = subprocess.run(
        [sys.executable, "-m", "grader", "grade", LESSON, "--json", "--jobs", "2"],
        cwd=folder_of_ours,
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": f"{school.BIN}:{os.environ['PATH']}"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return by_nbgrader, folder_of_ours


def record(folder, student):
    return json.loads((folder / "autograded" / student / LESSON / "graded.json").read_text())


def test_collect_takes_in_everybody_and_follows_nothing(collected):
    folder, said = collected
    found = {p.name for p in (folder / "submitted").iterdir()}
    assert found == {*CLASS, "thief"}
    assert "no id of a learner" in said and not (folder / LESSON).exists()
    kept = [p for p in (folder / "submitted").rglob("*")]
    assert not any(p.is_symlink() for p in kept) and all(p.is_file() or p.is_dir() for p in kept)
    assert not any(
        PASSED_ON in p.read_text(errors="replace") or "root:" in p.read_text(errors="replace")
        for p in kept
        if p.is_file()
    )
    assert all(f"'{name}' is not collected: its name does not say when" in said for name in DATELESS)
    assert all((folder / "exchange" / "losses" / "inbound" / name).is_dir() for name in DATELESS)
    assert (
        "huge: what was submitted has more than 2 MB" in said
        and not (folder / "submitted" / "huge" / LESSON / "data.bin").exists()
    )
    assert (
        folder / "submitted" / "folder" / LESSON / f"{LESSON}.ipynb-was-a-folder" / "inside.txt"
    ).read_text() == "kept"


def test_everybody_has_the_grades_deserved(graded):
    for folder in graded:
        scores = school.grades(folder, LESSON)
        assert set(scores) == {*CLASS, "thief"}
        automatic = {
            s: sum(v for n, v in given.items() if n.startswith("test_")) for s, given in scores.items()
        }
        assert {s: p for s, p in automatic.items() if s not in ("sums", "thief")} == {
            s: p for s, (_, p) in CLASS.items() if p is not None
        }
        assert TOTAL - 3 <= automatic["sums"] < TOTAL and automatic["thief"] == 0


def test_both_ways_give_the_same_grades_and_say_the_same(graded):
    by_nbgrader, by_ours = graded
    assert school.grades(by_nbgrader, LESSON) == school.grades(by_ours, LESSON)
    for student in (*CLASS, "thief"):
        one, other = record(by_nbgrader, student), record(by_ours, student)
        assert one["notes"] == other["notes"]
        assert {n: (v["status"], v["points"], v["mistake"]) for n, v in one["verdicts"].items()} == {
            n: (v["status"], v["points"], v["mistake"]) for n, v in other["verdicts"].items()
        }


def test_damages_are_said_where_teacher_and_learner_read(graded):
    for folder in graded:
        for student, word in (
            ("missing", "is empty"),
            ("empty", "is empty"),
            ("truncated", "does not parse"),
            ("folder", "a folder"),
            ("link", "was a link"),
            ("thief", "was a link"),
        ):
            nb = nbformat.read(folder / "autograded" / student / LESSON / f"{LESSON}.ipynb", as_version=4)
            assert word in " ".join(record(folder, student)["notes"]) and word in nb.cells[0].source


def test_nothing_lies_beside_what_is_graded(graded):
    for folder in graded:
        for student in CLASS:
            names = {p.name for p in (folder / "autograded" / student / LESSON).iterdir()}
            assert names <= {f"{LESSON}.ipynb", "timestamp.txt", "submission_secret.txt", "graded.json"}, (
                student
            )


def test_feedback_shows_the_verdict_and_gives_nothing_away(graded):
    folder = graded[1]
    school.nbgrader(folder, "generate_feedback", LESSON)
    references = [solution_of(e).splitlines()[-1].strip() for e in exercises_of(LESSON).values()]
    for student in CLASS:
        page = (folder / "feedback" / student / LESSON / f"{LESSON}.html").read_text(encoding="utf-8")
        seed = str(record(folder, student)["seed"])
        for secret in (
            str(ROOT),
            sys.prefix,
            str(folder),
            str(Path.home()) + "/",
            PASSED_ON,
            "root:",
            *([] if len(seed) < 6 else [seed]),
        ):
            assert secret not in page, (student, secret)
        for line in references if student in ("stubs", "empty", "missing") else ():
            assert line not in page, (student, line)
    page = (folder / "feedback" / "sums" / LESSON / f"{LESSON}.html").read_text(encoding="utf-8")
    assert "You added the losses up" in page
