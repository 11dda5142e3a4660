"""Grades for Canvas and Moodle: the columns that they import, through nbgrader and through the course's own command."""

import codecs
import csv
import sqlite3

import pytest
from nbgrader.api import Gradebook
from typer.testing import CliRunner

from grader.__main__ import app
from grader.classroom.export import safe
from grader.tests import school

LESSON = "02_bce"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A gradebook with three learners: one with everything, one with nothing but an id, one who submitted nothing."""
    monkeypatch.chdir(school.make(tmp_path, LESSON))
    with Gradebook(f"sqlite:///{tmp_path}/gradebook.db", "losses") as book:
        book.add_assignment(LESSON)
        book.add_notebook(LESSON, LESSON)
        book.add_grade_cell("test_bce", LESSON, LESSON, max_score=3, cell_type="code")
        book.add_grade_cell("why", LESSON, LESSON, max_score=2, cell_type="markdown")
        book.add_student(
            "ann", first_name='Ann "A."', last_name="Ånström, MSc", email="ann@x.org", lms_user_id="4711"
        )
        book.add_student("bob")
        book.add_student("zoe", last_name='=HYPERLINK("http://x")', first_name="+1", email="@zoe")
        for student, auto, manual in (
            ("ann", 2.0, 1.5),
            ("bob", 1 / 3, None),
        ):  # nobody has read bob's open answer
            book.add_submission(LESSON, student)
            book.find_grade("test_bce", LESSON, LESSON, student).auto_score = auto
            grade = book.find_grade("why", LESSON, LESSON, student)
            grade.manual_score, grade.needs_manual_grade = manual, manual is None
        book.find_submission_notebook(LESSON, LESSON, "ann").late_submission_penalty = 0.5
        book.db.commit()
    return tmp_path


def run(*words):
    return CliRunner().invoke(app, ["export", *map(str, words)])


def rows(path):
    """A file's rows; it must begin with the mark by which a spreadsheet knows UTF-8."""
    assert path.read_bytes().startswith(codecs.BOM_UTF8)
    return list(csv.reader(open(path, newline="", encoding="utf-8-sig")))


def test_canvas_gets_its_columns_and_the_points_possible(home):
    done = run("canvas")
    assert (
        done.exit_code == 0
        and "canvas.csv: 3 students" in done.output
        and "1 submission has an answer that a person" in done.output
    ), done.output
    assert rows(home / "canvas.csv") == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", LESSON],
        ["Points Possible", "", "", "", "", "5"],
        ['Ånström, MSc, Ann "A."', "4711", "", "ann", "", "3"],
        ["bob", "", "", "bob", "", "0.3333"],
        ['\'=HYPERLINK("http://x"), +1', "", "", "zoe", "", ""],
    ]


def test_moodle_gets_who_it_is_and_a_column_for_each_lesson(home):
    assert run("moodle", "--to", home / "m.csv").exit_code == 0
    assert rows(home / "m.csv") == [
        ["Username", "First name", "Last name", LESSON],
        ["ann", 'Ann "A."', "Ånström, MSc", "3"],
        ["bob", "", "", "0.3333"],
    ]


def test_moodle_reads_nothing_where_nothing_was_handed_in(home):
    """A blank is a grade to Moodle, and a row without an address belongs to the learner above it."""
    with Gradebook(f"sqlite:///{home}/gradebook.db", "losses") as book:
        book.update_or_create_student("bob", email="bob@x.org")
        book.add_assignment("03_bce_with_logits")
        book.add_student("nothing handed in")
    assert "moodle.csv: 2 students" in run("moodle").output
    assert rows(home / "moodle.csv") == [
        ["Username", "Email address", "First name", "Last name", LESSON, "03_bce_with_logits"],
        ["ann", "ann@x.org", 'Ann "A."', "Ånström, MSc", "3", "-"],
        ["bob", "bob@x.org", "", "", "0.3333", "-"],
    ]


def test_what_an_import_does_to_maxima_is_told(home):
    """Moodle's table has no maxima; Canvas takes those of the points row, also for an assignment that it has."""
    assert f"Set the maximum grade of each item to {LESSON} 5." in run("moodle").output
    assert f"an assignment of the same name gets these points ({LESSON} 5)" in run("canvas").output
    assert "maximum" not in run("csv").output


def test_who_is_excluded_is_in_no_table(home):
    with open(home / "nbgrader_config.py", "a") as config:
        config.write("c.CourseDirectory.student_id_exclude = 'bob,zoe'\n")
    for kind in ("canvas", "moodle", "csv"):
        assert run(kind, "--to", "out.csv").exit_code == 0
        text = (home / "out.csv").read_text(encoding="utf-8-sig")
        assert "ann" in text and "bob" not in text and "zoe" not in text


def test_the_plain_table_agrees_with_nbgraders_own(home):
    assert run("csv", "--to", "ours.csv").exit_code == 0
    school.nbgrader(home, "export", "--to", "theirs.csv", "--student", '["ann", "bob"]')
    ours = {
        r["student_id"]: r for r in csv.DictReader(open(home / "ours.csv", newline="", encoding="utf-8-sig"))
    }
    assert list(ours) == ["ann", "bob", "zoe"] and float(ours["zoe"]["score"]) == 0
    theirs = [line for line in (home / "theirs.csv").read_text().splitlines()[1:]]
    # its names are not quoted
    scores = [
        next(line for line in theirs if f",{student}," in line).rsplit(",", 4)[1:]
        for student in ("ann", "bob")
    ]
    for student, theirs in zip(("ann", "bob"), scores):
        mine = [
            float(ours[student][k]) for k in ("raw_score", "late_submission_penalty", "score", "max_score")
        ]
        assert mine == pytest.approx([float(t) if t else 0.0 for t in theirs], abs=1e-4)


def test_nbgrader_export_takes_the_plug_ins(home):
    school.nbgrader(
        home,
        "export",
        "--exporter=grader.classroom.export.Canvas",
        "--to",
        "canvas.csv",
        "--student",
        '["ann"]',
    )
    assert [r[3] for r in rows(home / "canvas.csv")[2:]] == ["ann"]


@pytest.mark.parametrize(
    "text, cell",
    [
        ("=1+1", "'=1+1"),
        ("+49 1", "'+49 1"),
        ("-x", "'-x"),
        ("@x", "'@x"),
        ("\t=1", "'=1"),
        ("\r\n=1", "'=1"),
        ("＝1", "'＝1"),
        ("a=b", "a=b"),
        ("Ann-Marie", "Ann-Marie"),
        ("a\nb", "a b"),
        (None, ""),
        (-1.5, -1.5),
        ("", ""),
    ],
)
def test_no_text_is_a_formula(text, cell):
    assert safe(text) == cell


def _nothing(home):
    (home / "gradebook.db").unlink()


def _no_grades(home):
    (home / "gradebook.db").unlink()
    Gradebook(f"sqlite:///{home}/gradebook.db", "losses").close()


def _rubbish(home):
    (home / "gradebook.db").write_text("no database, " * 1000)


@pytest.mark.parametrize(
    "words, damage, said",
    [
        (["canvas"], _nothing, "There is no gradebook here"),
        (["canvas"], _no_grades, "The gradebook holds no grades"),
        (["canvas"], _rubbish, "The gradebook cannot be"),
        (["canvas", "--to", "no/such/folder/x.csv"], lambda home: None, "No such file or directory"),
    ],
)
def test_what_cannot_be_exported_is_a_sentence(home, words, damage, said):
    damage(home)
    done = run(*words)
    assert (
        done.exit_code == 1
        and said in done.output
        and "Traceback" not in done.output
        and done.exception.__class__ is SystemExit
    ), done.output
    assert not list(home.glob("*.csv*"))


def test_a_locked_gradebook_is_a_sentence(home):
    lock = sqlite3.connect(home / "gradebook.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    try:
        done = run("canvas")
    finally:
        lock.close()
    assert done.exit_code == 1 and "database is locked" in done.output and not list(home.glob("*.csv*")), (
        done.output
    )
