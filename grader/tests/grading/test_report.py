"""The class report: what it counts, what it says, and what it never lets through."""

import copy
import csv
import json
import re
import subprocess
import sys

import pytest
from nbgrader.api import Gradebook
from typer.testing import CliRunner

from grader.__main__ import app
from grader.classroom import report, similar
from grader.classroom.record import counted
from grader.course.build import solution_cells
from grader.course.lessons import exercises_of
from grader.tests import school

LESSON = "02_bce"
SUMMED = next(m for m in exercises_of(LESSON)["bce"].mistakes if m.says.startswith("You added the losses up"))
CHANGED = '<span class="quiet">+1</span>'
EVIL = "<script>alert(1)</script>"


def verdict(name, status="passed", **more):
    most = exercises_of(LESSON)[name].points
    return {
        "exercise": name,
        "status": status,
        "points": most if status == "passed" else 0,
        "max_points": most,
        "mistake": None,
        "finding": "",
        "hint": "",
        "called": [],
        "seed": 1,
        "failed_cases": [],
    } | more


def record(answers=None, notes=(), **verdicts):
    """The record of a grading where everything passes but what is said."""
    return {
        "lesson": LESSON,
        "content": "c",
        "definitions": "d",
        "seed": 1,
        "notes": list(notes),
        "timestamp": None,
        "verdicts": {n: verdicts.get(n) or verdict(n) for n in exercises_of(LESSON)},
        "answers": answers or {},
    }


def wrong():
    return verdict("bce", "not yet", mistake=SUMMED.says, finding=SUMMED.says, hint=SUMMED.hint)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(school.make(tmp_path, LESSON))
    return tmp_path


def put(home, records):
    for student, found in records.items():
        folder = home / "autograded" / student / LESSON
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "graded.json").write_text(found if isinstance(found, str) else json.dumps(found))


def run(*words):
    return CliRunner().invoke(app, list(words))


def page(home, name=LESSON):
    return (home / "reports" / f"{name}.html").read_text()


def summary(records):
    return report.summarise(report.Graded(LESSON, records), *report.course_answers(LESSON))


# ---------------------------------------------------------------- counting


def test_a_mistake_is_counted_once_for_each_learner_who_made_it_and_leads_the_next_lecture():
    found = summary(
        {
            "a": record(bce=wrong()),
            "b": record(bce=wrong()),
            "c": record(),
            "d": record(
                bce=verdict("bce", "error", finding="Your code raised KeyError: 'x' (line 3: `y['x']`)")
            ),
            "e": record(bce=verdict("bce", "not attempted")),
        }
    )
    bce = next(e for e in found["exercises"] if e["name"] == "bce")
    assert (bce["passed"], bce["tried"], bce["total"], bce["absent"]) == (1, 4, 5, ["e"])
    assert [(m["says"], m["learners"]) for m in bce["mistakes"]] == [
        (SUMMED.says, ["a", "b"]),
        ("The code stopped with KeyError.", ["d"]),
    ]
    assert found["lecture"][0] | {"learners": 2} == {
        "exercises": ["bce"],
        "tried": 4,
        "says": SUMMED.says,
        "hint": SUMMED.hint,
        "learners": 2,
    }


def test_a_forbidden_call_is_a_mistake_with_the_name_of_what_was_called():
    found = summary({"a": record(bce=verdict("bce", "not yet", called=["binary_cross_entropy"]))})
    (bce,) = [e for e in found["exercises"] if e["name"] == "bce"]
    assert bce["mistakes"][0]["says"] == "Something out of bounds was called: `binary_cross_entropy`."


def test_one_mistake_in_several_exercises_counts_once():
    """Three learners called what was to be built, one of them in two exercises, under two names."""
    called = {name: verdict(name, "not yet", called=[name]) for name in ("bce", "bce_clamped", "bce_grad")}
    records = {
        "a": record(bce=called["bce"], bce_clamped=called["bce_clamped"]),
        "b": record(bce_clamped=called["bce_clamped"]),
        "c": record(bce_grad=called["bce_grad"]),
        "d": record(),
    }
    (one,) = summary(records)["lecture"]
    assert one["says"].startswith("Something was called that does what is to be built")
    assert sorted(one["learners"]) == ["a", "b", "c"]
    assert (one["tried"], sorted(one["exercises"])) == (4, ["bce", "bce_clamped", "bce_grad"])


def test_an_example_of_a_mistake_has_no_comments_and_no_docstrings():
    source = (
        '"""By Ann."""\ndef bce(p, y):\n    """Ann\'s answer."""\n    # Ann, group 7\n    return p.sum()\n'
    )
    (mistake,) = summary({"ann": record({"bce": source}, bce=wrong())})["exercises"][2]["mistakes"]
    assert mistake["example"] == "def bce(p, y):\n    return p.sum()"
    assert report.anonymous(["def (", "\0", "def f():\n    'alone'"]) == "def f():\n    pass"
    assert report.anonymous([]) == ""


def test_an_exercise_that_only_the_strong_pass_tells_them_apart():
    weak = {name: verdict(name, "not yet") for name in ("bce", "bce_grad", "bce_clamped")}
    records = {f"strong{n}": record() for n in range(4)} | {f"weak{n}": record(**weak) for n in range(4)}
    found = {e["name"]: e["discrimination"] for e in summary(records)["exercises"]}
    assert found["bce"] == pytest.approx(1.0)
    assert found["bce_per_sample"] is None  # everybody has it
    assert report.discrimination([(1, 2), (0, 1)]) is None


def test_who_is_missing_twice_running():
    absent = [["ann", "bob"], ["ann", "cem"], ["ann", "bob", "cem"]]
    assert report.running(absent, ["ann", "bob", "cem", "dan"]) == [("ann", 3), ("cem", 2)]
    assert report.running(absent[:1], ["ann"]) == []


def test_who_has_not_handed_in_stands_in_the_report(home):
    with Gradebook(f"sqlite:///{home}/gradebook.db", "losses") as book:
        for student in ("ann", "bob", "gone-away"):
            book.add_student(student)
    (home / "nbgrader_config.py").open("a").write('\nc.CourseDirectory.student_id_exclude = "gone-away"\n')
    put(home, {"ann": record()})
    assert run("report").exit_code == 0
    text = page(home)
    assert "Not handed in by 1 learner." in text and "bob" in text and "gone-away" not in text


def test_the_report_says_what_changed_since_the_last_one(home):
    put(home, {"ann": record(bce=wrong()), "bob": record(bce=wrong())})
    assert run("report", "bce").exit_code == 0
    assert CHANGED not in page(home)
    put(home, {"ann": record(), "bob": record(bce=wrong())})
    assert run("report", "bce").exit_code == 0
    assert CHANGED in page(home)
    (home / "reports" / report.EARLIER).write_text("damaged")
    assert run("report", "bce").exit_code == 0 and CHANGED not in page(home)


def test_resubmissions_are_counted():
    first = record() | {"content": "one"}
    kept = counted(first, None)
    assert kept["handed_in"] == 1
    assert counted(first, kept)["handed_in"] == 1  # graded again, as when an exercise was corrected
    assert counted(record() | {"content": "two"}, kept)["handed_in"] == 2
    assert summary({"a": counted(record() | {"content": "two"}, kept), "b": record()})["again"] == 1


@pytest.mark.parametrize("name", [LESSON, "course"])
def test_no_page_has_a_link(home, name):
    """JupyterLab's viewer in a JupyterHub refuses to follow one."""
    put(home, {"ann": record({"bce": "def bce(p, y):\n    return p"}, bce=wrong()), "bob": record()})
    assert run("report").exit_code == 0
    assert not re.search(r"<a\b|href=", page(home, name))


def test_a_difference_without_a_name_is_no_subject_for_a_lecture():
    found = summary({"a": record(bce=verdict("bce", "not yet"))})
    assert found["lecture"] == [] and found["exercises"][2]["mistakes"][0]["learners"] == ["a"]


def test_the_picture_of_the_scores_is_said_in_words():
    most = sum(e.points for e in exercises_of(LESSON).values())
    found = summary(
        {
            "a": record(),
            "b": record(bce=wrong()),
            "c": record(**{n: verdict(n, "not attempted") for n in exercises_of(LESSON)}),
        }
    )
    words = report.alternative(found["scores"], "submission")
    assert (
        f"3 submissions, of at most {most:g} points. The median is {most - 3:g}" in words
        and "1 have full marks, 1 have none" in words
    )


# ---------------------------------------------------------------- equal answers

OWN = """def bce(p, y, reduction="mean"):
    '''Mean, sum or none.'''
    losses = -(y * torch.log(p) + (1 - y) * torch.log(1 - p))    # each sample
    total = 0.0
    for loss in losses:
        total = total + loss
    return total / len(losses) if reduction == "mean" else total
"""
RENAMED = """def bce(a: torch.Tensor, b, how="mean") -> torch.Tensor:
    c = -(b * torch.log(a)
          + (1 - b) * torch.log(1 - a))
    d: float = 0.0
    for e in c:
        d = d + e
    return d / len(c) if how == "mean" else d
"""


def test_names_comments_docstrings_annotations_and_formatting_make_no_difference():
    assert similar.shape(OWN) == similar.shape(RENAMED)


@pytest.mark.parametrize(
    "old, new",
    [
        ("1 - p", "1 + p"),
        ("(p)", "(y)"),
        ("torch.log(p)", "np.log(p)"),
        ('"mean" else', '"sum" else'),
        ("total / len", "total * len"),
        ("in losses", "in p"),
        ("total + loss", "total + y"),
        ("y * torch", "(y) @ torch"),
        ("torch.log(p)", "torch.log(p, out=p)"),
    ],
)
def test_what_changes_the_answer_makes_a_difference(old, new):
    assert old in OWN and similar.shape(OWN.replace(old, new, 1)) not in (None, similar.shape(OWN))


@pytest.mark.parametrize(
    "mine, theirs, same",
    [
        (
            "def f(x):\n    g = lambda a: a + x\n    return [g(i) for i in x]",
            "def f(z):\n    h = lambda z2: z2 + z\n    return [h(k) for k in z]",
            True,
        ),
        (
            "def f(x):\n    return [x for x in x]",
            "def f(x):\n    return [y for y in x]",
            True,
        ),  # a comprehension's name is its own
        (
            "def f(x):\n    return sum(dim=x)",
            "def f(dim):\n    return sum(dim=dim)",
            True,
        ),  # a keyword of somebody else's stays
        (
            "def h(a):\n    return a\ndef f(x):\n    return h(a=x)",
            "def k(b):\n    return b\ndef f(x):\n    return k(b=x)",
            True,
        ),
        (
            "import torch as t\ndef f(x):\n    return t.exp(x)",
            "import torch as tt\ndef f(x):\n    return tt.exp(x)",
            True,
        ),
        (
            "import torch as t\ndef f(x):\n    return t.exp(x)",
            "import numpy as t\ndef f(x):\n    return t.exp(x)",
            False,
        ),
        ("def f(x, y):\n    return x - y", "def f(x, y):\n    return y - x", False),
        ("def f(x, *y):\n    return x", "def f(x, y):\n    return x", False),
        ("def f(x):\n    return x.sum()", "def f(x):\n    return x.mean()", False),
        (
            "def f(x):\n    if x:\n        x = 1\n    return x",
            "def f(x):\n    if x:\n        x = 1\n        return x",
            False,
        ),
    ],
)
def test_only_the_names_that_an_answer_binds_are_taken_away(mine, theirs, same):
    assert (similar.shape(mine) == similar.shape(theirs)) is same


@pytest.mark.parametrize("source", ["def f(:", "x = '\0'", "(" * 5000, "x=" * 50_000, "%timeit x"])
def test_what_does_not_parse_is_compared_with_nothing(source):
    assert similar.shape(source) is None


def test_equal_answers_are_groups_and_say_when_they_are_the_courses():
    own = solution_cells(LESSON)
    assert similar.groups({"a": OWN, "b": RENAMED, "c": OWN.replace("1 - p", "1.0 - p")}) == [["a", "b"]]
    found = summary(
        {
            "a": record({"bce": own["bce"].replace("losses", "l")}),
            "b": record({"bce": OWN}),
            "c": record({"bce": RENAMED}),
        }
    )["equal"]
    assert [(g["learners"], g["course"]) for g in found] == [(["a"], True), (["b", "c"], False)] or [
        (g["learners"], g["course"]) for g in found
    ] == [(["b", "c"], False), (["a"], True)]


def test_short_answers_and_empty_exercises_are_no_evidence():
    own, stubs = report.course_answers(LESSON)
    assert len(stubs) == len(exercises_of(LESSON))
    tiny = {"bernoulli_likelihood": own["bernoulli_likelihood"]}
    assert summary({"a": record(tiny), "b": record(tiny)})["equal"] == []
    assert similar.groups({"a": OWN, "b": RENAMED}, skip=[OWN]) == []


# ---------------------------------------------------------------- the command


def test_the_pages_say_it_all_in_one_file_each(home):
    put(
        home,
        {
            "ann": record(bce=wrong()),
            "bob": record(notes=["2 cells are damaged and were left out."]),
            "cem": record(),
        },
    )
    done = run("report", "bce")
    assert done.exit_code == 0 and done.output.split() == [f"reports/{LESSON}.html"], done.output
    text = page(home)
    for expected in (
        "1 of the 3 who tried it (33 %)",
        "You added the losses up. The mean divides their sum by N.",
        "2 cells are damaged and were left out.",
        'alt="Histogram of the scores of 3 submissions',
        "no penalty",
        "The course&#39;s solutions are public".replace("&#39;", "'"),
    ):
        assert expected in text, expected
    assert not re.search(r"<script|<link|@import|https?://", text)
    assert all(src.startswith("data:image/png;base64,") for src in re.findall(r'src="([^"]*)', text))
    assert run("report").exit_code == 0 and LESSON in page(home, "course")
    rows = list(csv.DictReader(open(home / "reports" / f"{LESSON}.csv", newline="", encoding="utf-8-sig")))
    assert [(r["student"], r["bce status"], r["bce mistake"]) for r in rows] == [
        ("ann", "not yet", SUMMED.says),
        ("bob", "passed", ""),
        ("cem", "passed", ""),
    ]
    assert not list((home / "reports").glob("*.part"))


def test_nothing_that_a_learner_wrote_acts_in_the_page_or_the_table(home):
    own = solution_cells(LESSON)["bce"]
    evil = record(
        {"bce": own + f"\n# {EVIL}"},
        notes=[EVIL],
        bce=verdict("bce", "error", finding=f"Your own {EVIL}", hint=EVIL),
    )
    put(home, {"=cmd|' /C calc'!A0": evil, f"x{EVIL.replace('/', '')}": copy.deepcopy(evil)})
    assert run("report").exit_code == 0
    for name in (LESSON, "course"):
        assert "<script" not in page(home, name)
        assert not [
            line
            for line in (home / "reports" / f"{name}.csv").read_text(encoding="utf-8-sig").splitlines()
            if re.match(r'^"?[=+@-]', line)
        ]


def test_points_that_a_person_gave_are_counted(home):
    put(home, {"ann": record(bce=wrong())})
    with Gradebook(f"sqlite:///{home}/gradebook.db", "losses") as book:
        book.add_assignment(LESSON)
        book.add_notebook(LESSON, LESSON)
        for name in exercises_of(LESSON):
            book.add_grade_cell(f"test_{name}", LESSON, LESSON, max_score=3, cell_type="code")
        book.add_grade_cell("why", LESSON, LESSON, max_score=2, cell_type="markdown")
        book.add_student("ann")
        book.add_submission(LESSON, "ann")
        for name, points in (("test_bce", 1.0), ("why", 1.5)):
            grade = book.find_grade(name, LESSON, LESSON, "ann")
            grade.manual_score, grade.needs_manual_grade = points, False
        book.db.commit()
    assert run("report", "bce").exit_code == 0
    (row,) = csv.DictReader(open(home / "reports" / f"{LESSON}.csv", newline="", encoding="utf-8-sig"))
    most = sum(e.points for e in exercises_of(LESSON).values())
    assert (float(row["bce points"]), float(row["why"]), float(row["score"]), float(row["max_score"])) == (
        1.0,
        1.5,
        most - 3 + 2.5,
        most + 2,
    )


def test_a_record_that_cannot_be_read_and_a_submission_not_graded_are_named(home):
    put(home, {"ann": record(), "torn": '{"lesson": "02', "forged": '{"verdicts": {"bce": 3}}'})
    (home / "submitted" / "new" / LESSON).mkdir(parents=True)
    assert run("report", "bce").exit_code == 0
    text = page(home)
    assert re.search(r"2 records of grading that cannot be read.*forged, torn", text, re.S) and re.search(
        r"1 submission not graded.*new", text, re.S
    )


@pytest.mark.parametrize(
    "words, said",
    [
        (["report", "bce"], "No submission of 02_bce is graded: run"),
        (["report"], "No submission is graded: run"),
    ],
)
def test_a_report_of_nothing_is_refused_in_a_sentence(home, words, said):
    done = run(*words)
    assert (
        done.exit_code == 1
        and said in done.output
        and "Traceback" not in done.output
        and not (home / "reports").exists()
    )


def test_where_there_is_no_course_it_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("report")
    assert done.exit_code == 1 and "There is no nbgrader_config.py in" in done.output


def test_a_full_disk_leaves_the_report_of_before(home):
    put(home, {"ann": record()})
    assert run("report", "bce").exit_code == 0
    before = page(home)
    small = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); from grader.__main__ import app; app(['report', 'bce'])"
    done = subprocess.run([sys.executable, "-c", small], cwd=home, text=True, capture_output=True)
    assert (
        done.returncode == 1 and "Nothing was half-written" in done.stderr and "Traceback" not in done.stderr
    ), done.stderr
    assert page(home) == before and not list((home / "reports").glob("*.part"))
