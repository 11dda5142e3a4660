"""The class report: what it counts, what it says, and what it never lets through."""

import copy
import csv
import html
import json
import re
import subprocess
import sys

import numpy
import pytest
from nbgrader.api import Gradebook
from typer.testing import CliRunner

import grader
from grader.__main__ import app
from grader.classroom import report, similar
from grader.classroom.anonymous import anonymous, words_of
from grader.classroom.record import counted
from grader.course.build import solution_cells
from grader.course.lessons import exercises_of
from grader.judging.outcome import NO_SHELL
from grader.tests import school

LESSON = "02_bce"
SUMMED = next(m for m in exercises_of(LESSON)["bce"].mistakes if m.says.startswith("You added the losses up"))
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
    for student, content in records.items():
        folder = home / "autograded" / student / LESSON
        folder.mkdir(parents=True)
        (folder / "graded.json").write_text(content if isinstance(content, str) else json.dumps(content))


def run(*words):
    return CliRunner().invoke(app, list(words))


def page(home, name=LESSON):
    return (home / "reports" / f"{name}.html").read_text()


def summary(records):
    return report.summarise(report.Graded(LESSON, records), *report.course_answers(LESSON))


# ---------------------------------------------------------------- counting


def test_a_mistake_is_counted_once_for_each_learner_who_made_it_and_leads_the_next_lecture():
    told = summary(
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
    bce = next(e for e in told["exercises"] if e["name"] == "bce")
    assert (bce["passed"], bce["tried"], bce["total"], bce["absent"]) == (1, 4, 5, ["e"])
    assert [(m["says"], m["learners"]) for m in bce["mistakes"]] == [
        (SUMMED.says, ["a", "b"]),
        ("The code stopped with KeyError.", ["d"]),
    ]
    assert told["lecture"][0] == {
        "exercises": ["bce"],
        "tried": 4,
        "says": SUMMED.says,
        "hint": SUMMED.hint,
        "learners": ["a", "b"],
        "example": "",
    }


def test_a_forbidden_call_is_a_mistake_with_the_name_of_what_was_called():
    told = summary({"a": record(bce=verdict("bce", "not yet", called=["binary_cross_entropy"]))})
    assert told["lecture"][0]["says"] == "Called what was to be built: `binary_cross_entropy`."


def test_one_mistake_in_several_exercises_is_one_and_so_is_each_learner_who_made_it():
    def called(name, what):
        return verdict(name, "not yet", called=[what])

    other = next(name for name in exercises_of(LESSON) if name != "bce")
    told = summary(
        {
            "a": record(**{"bce": called("bce", "binary_cross_entropy"), other: called(other, "softplus")}),
            "b": record(bce=called("bce", "binary_cross_entropy")),
            "c": record(**{other: called(other, "softplus"), "bce": verdict("bce", "not attempted")}),
            "d": record(bce=wrong()),
        }
    )
    first, second = told["lecture"]
    assert (first["says"], first["learners"], first["tried"]) == (
        "Called what was to be built.",
        ["a", "b", "c"],
        4,
    )
    assert sorted(first["exercises"]) == sorted(["bce", other])
    assert second["learners"] == ["d"]
    course = report.course_summary([told, told | {"lesson": "03_bce_with_logits"}])
    assert course["lecture"][0]["learners"] == ["a", "b", "c"]


def test_cells_that_do_not_run_for_the_same_kind_of_error_are_one_subject():
    def stopped(why):
        said = (
            f"There is no `bce` when this cell is reached: the cell that was to define it stopped with {why}"
        )
        return record(bce=verdict("bce", "error", finding=said))

    found = summary(
        {
            "a": stopped("SyntaxError: expected ':'"),
            "b": stopped("SyntaxError: invalid character '‘' (U+2018)"),
            "c": stopped(f"RuntimeError: {NO_SHELL}"),
        }
    )
    assert [(subject["says"], subject["learners"]) for subject in found["lecture"]] == [
        ("The cell that was to define the function stopped with SyntaxError.", ["a", "b"]),
        (NO_SHELL, ["c"]),
    ]


def test_an_exercise_is_told_apart_by_the_rest_of_the_lesson_without_itself():
    """Against the formula, computed by hand with numpy, and at the ends: all equal, too few, one that only
    the weak pass."""
    names = list(exercises_of(LESSON))
    passes = {"a": names, "b": names[:-1], "c": [], "d": [names[-1]], "e": []}
    records = {
        student: record(**{n: verdict(n, "passed" if n in done else "not yet") for n in names})
        for student, done in passes.items()
    }
    by_exercise = {e["name"]: e["discrimination"] for e in summary(records)["exercises"]}
    points = {n: exercises_of(LESSON)[n].points for n in names}
    for name in names:
        item = [points[name] * (name in done) for done in passes.values()]
        rest = [sum(points[n] for n in done if n != name) for done in passes.values()]
        assert by_exercise[name] == pytest.approx(numpy.corrcoef(item, rest)[0, 1])
    assert by_exercise[names[0]] > 0.5 > by_exercise[names[-1]]
    for too_little in (
        {"a": record(), "b": record(), "c": record()},
        {"a": record(), "b": record(bce=wrong())},
    ):
        assert {e["discrimination"] for e in summary(too_little)["exercises"]} == {None}


ADAS = '''# Ada Example, 4711
def bce(p, y, reduction="mean"):
    """By Ada."""
    ada_loss: float = -(y * torch.log(p)).sum()  # Ada's own
    print("Ada was here", f"and {p} Ada")
    return ada_loss
'''


def test_an_example_of_a_mistake_shows_code_and_nobodys_name():
    told = summary({"ada": record({"bce": ADAS}, bce=wrong())})
    (mistake,) = next(e for e in told["exercises"] if e["name"] == "bce")["mistakes"]
    assert "ada" not in mistake["example"].lower() and "4711" not in mistake["example"]
    assert "torch.log(p)" in mistake["example"] and "reduction='mean'" in mistake["example"]
    assert told["lecture"][0]["example"] == mistake["example"]


@pytest.mark.parametrize(
    "source",
    [
        "def f(ada): return ada.ada(ada=1)",
        "class Ada:\n    ada = 1\n    def ada(self): 'Ada'",
        "import ada_tools as ada\nfrom ada.more import ada",
        "try:\n    f()\nexcept ValueError as ada:\n    raise KeyError('Ada') from ada",
        "def f(p: 'Ada', *ada, **adas) -> 'Ada':\n    global ada_total\n    nonlocal_ada = lambda ada: ada",
        "match p:\n    case {'ada': ada, **ada_rest}: pass\n    case Ada(ada=1) as ada: pass\n    case [*ada]: pass",
        "x = b'Ada'\ny = rf'{x!r:>Ada} Ada'",
        "def f(:  # Ada",
        "with open('ada') as ada: 'Ada'",
        "async def ada():\n    async for ada in ada: await ada",
        "[ada for ada in p if (adas := ada)]",
        "torch.ada = 3\nada: int\nada += 1\ndel ada",
    ],
)
def test_wherever_a_name_stands_it_is_erased(source):
    assert "ada" not in anonymous(source, words_of(["def f(p, y): pass"])).lower()


def test_who_has_not_handed_in_and_who_not_twice_running(home):
    """ann was graded; bob is in the gradebook only; cem handed in the first lesson, dan neither; guest is
    excluded, quitter was removed."""
    with open(home / "nbgrader_config.py", "a") as config:
        config.write("c.CourseDirectory.student_id_exclude = 'guest'\n")
    put(home, {"ann": record(), "guest": record(), "quitter": record()})
    for student in ("ann", "cem"):
        (home / "submitted" / student / "01_sigmoid").mkdir(parents=True)
    with Gradebook(f"sqlite:///{home}/gradebook.db", "losses") as book:
        for student in ("ann", "bob", "cem", "dan", "guest"):
            book.add_student(student)
    assert run("report", "bce").exit_code == 0
    text = words_of_page(page(home))
    assert "3 learners have not handed in this lesson. bob, cem, dan" in text
    assert "Twice running, or more often: 2 learners have not handed in 01_sigmoid either." in text
    assert "bob (2 lessons), dan (2 lessons)" in text
    assert "guest" not in text and "quitter" not in text


def test_the_report_says_what_has_changed_since_the_last_one_when_and_of_which_version(home):
    put(home, {"ann": record(bce=wrong())})
    assert run("report", "bce").exit_code == 0
    first = words_of_page(page(home))
    assert f"version {grader.__version__} of the course" in first and "Since 2" not in first
    put(home, {"bob": record() | {"handed_in": 3}})
    for _ in range(2):  # a report that is written twice still says what was new
        assert run("report", "bce").exit_code == 0
        text = words_of_page(page(home))
        assert (
            "2 submissions are graded; there were 1." in text
            and "bce is passed by 1 of 2; it was 0 of 1." in text
        )
        assert "Handed in 2 times on average, at most 3 times: once 1, 3 times 1." in text


def test_the_pages_of_a_lesson_and_of_the_course_name_the_same_people_for_the_same_number_of_lessons(home):
    """bob has missed all three lessons, cem the last two; the first was given to nobody, and counts for nothing."""
    put(home, {"ann": record()})
    for student, lesson in (("ann", "01_sigmoid"), ("ann", "00_tools"), ("cem", "00_tools")):
        (home / "submitted" / student / lesson).mkdir(parents=True)
    with Gradebook(f"sqlite:///{home}/gradebook.db", "losses") as book:
        for student in ("ann", "bob", "cem"):
            book.add_student(student)
    assert run("report").exit_code == 0
    assert "bob (3 lessons), cem (2 lessons)" in words_of_page(page(home))
    assert "up to 02_bce: bob: 3 lessons cem: 2 lessons" in words_of_page(page(home, "course"))


def test_resubmissions_are_counted():
    first = record() | {"content": "one"}
    kept = counted(first, None)
    assert kept["handed_in"] == 1
    assert counted(first, kept)["handed_in"] == 1  # graded again, as when an exercise was corrected
    assert counted(record() | {"content": "two"}, kept)["handed_in"] == 2


def words_of_page(text):
    """What is to be read in a page."""
    body = text.partition("<body>")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", re.sub(r"</?code>", "", body))).split())


def test_a_page_has_no_links_formulas_are_set_and_a_phone_shows_it_whole(home, chromium):
    long = "a_learner_whose_id_is_long_" * 4
    hinted = verdict(
        "bce", "not yet", mistake="You forgot $\\frac{1}{N}\\sum_i \\ell_i$.", hint="Use `mean`."
    )
    put(
        home,
        {
            long: record({"bce": "x = " + " + ".join(["abcdefgh"] * 60)}, bce=hinted),
            "bob": record(notes=["n" * 300]),
        },
    )
    assert run("report").exit_code == 0
    for name in (LESSON, "course"):
        assert "<a " not in page(home, name)
    assert "<mfrac>" in page(home) and "\\frac" not in page(home)
    phone = chromium.new_page(viewport={"width": 390, "height": 844})
    for name in (LESSON, "course"):
        phone.goto(f"file://{home}/reports/{name}.html")
        phone.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        beyond = (
            "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > "
            "391).map(e => e.outerHTML.slice(0, 90))"
        )
        assert phone.evaluate(beyond) == []
    phone.close()


def test_a_difference_without_a_name_is_no_subject_for_a_lecture():
    told = summary({"a": record(bce=verdict("bce", "not yet"))})
    assert told["lecture"] == [] and told["exercises"][2]["mistakes"][0]["learners"] == ["a"]


def test_the_picture_of_the_scores_is_said_in_words():
    most = sum(e.points for e in exercises_of(LESSON).values())
    told = summary(
        {
            "a": record(),
            "b": record(bce=wrong()),
            "c": record(**{n: verdict(n, "not attempted") for n in exercises_of(LESSON)}),
        }
    )
    words = report.alternative(told["scores"], "submission")
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
    course_answers = solution_cells(LESSON)
    assert similar.groups({"a": OWN, "b": RENAMED, "c": OWN.replace("1 - p", "1.0 - p")}) == [["a", "b"]]
    told = summary(
        {
            "a": record({"bce": course_answers["bce"].replace("losses", "l")}),
            "b": record({"bce": OWN}),
            "c": record({"bce": RENAMED}),
        }
    )["equal"]
    assert [(g["learners"], g["course"]) for g in told] == [(["a"], True), (["b", "c"], False)] or [
        (g["learners"], g["course"]) for g in told
    ] == [(["b", "c"], False), (["a"], True)]


def test_short_answers_and_empty_exercises_are_no_evidence():
    answers, stubs = report.course_answers(LESSON)
    assert len(stubs) == len(exercises_of(LESSON))
    tiny = {"bernoulli_likelihood": answers["bernoulli_likelihood"]}
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
        "1 learner of the 3 who tried it (33 %)",
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
    answer = solution_cells(LESSON)["bce"]
    evil = record(
        {"bce": answer + f"\n# {EVIL}"},
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
    small = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); from grader.__main__ "
        "import app; app(['report', 'bce'])"
    )
    done = subprocess.run([sys.executable, "-c", small], cwd=home, text=True, capture_output=True)
    assert (
        done.returncode == 1 and "Nothing was half-written" in done.stderr and "Traceback" not in done.stderr
    ), done.stderr
    assert page(home) == before and not list((home / "reports").glob("*.part"))
