"""What a learner gets back, and the round around it: release, collect, grade, feedback, and a verdict repeated."""

import html
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from typer.testing import CliRunner

from grader.__main__ import app
from grader.classroom.feedback import content
from grader.classroom.marks import Mark, Marks
from grader.course.build import ROOT, solution_cells
from grader.course.lessons import exercises_of
from grader.course.rebuild import without_paths
from grader.tests import school
from grader.tests.pages import barriers

LESSON, QUESTION = "02_bce", "lower_loss_fewer_right"
SUMMED = next(m for m in exercises_of(LESSON)["bce"].mistakes if m.says.startswith("You added the losses up"))
SUMS = """def bce(p, y, reduction="mean"):
    # <b>mine</b>
    gain = y * p.log() + (1 - y) * (1 - p).log()
    return -gain.sum()
"""
WHERE = "def bce(p, y, reduction='mean'):\n    raise ValueError(torch.__file__)\n"


def run(*words):
    return CliRunner().invoke(app, list(words))


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A class of four after `./course grade`, and a person who has read one open answer and written two comments."""
    home = school.make(tmp_path_factory.mktemp("course"), LESSON)
    school.submit(
        home, "right", LESSON, school.answered(LESSON, open_answer="The <i>mean</i> of $\\log p$ hides one.")
    )
    school.submit(
        home,
        "wrong",
        LESSON,
        school.answered(LESSON, {"bce": SUMS}, open_answer="I <script>do</script> not know."),
    )
    school.submit(home, "where", LESSON, school.answered(LESSON, {"bce": WHERE}))
    school.submit(home, "torn", LESSON, b'{"cells": [')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        done = run("grade", "bce", "--trust-submissions", "--jobs", "1")
    assert done.exit_code == 0, done.output
    with Gradebook(f"sqlite:///{home}/gradebook.db", "losses") as book:
        grade = book.find_grade(QUESTION, LESSON, LESSON, "right")
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        book.find_comment(QUESTION, LESSON, LESSON, "right").manual_comment = "Say it shorter."
        book.find_comment("bce", LESSON, LESSON, "wrong").manual_comment = "See me."
        book.db.commit()
    return home


@pytest.fixture
def home(graded, tmp_path, monkeypatch):
    """A class of its own for each test."""
    folder = tmp_path / "course"
    shutil.copytree(graded, folder, symlinks=True)
    config = folder / "nbgrader_config.py"
    config.write_text(config.read_text().replace(str(graded), str(folder)))
    monkeypatch.chdir(folder)
    return folder


def page(home, student):
    return (home / "feedback" / student / LESSON / f"{LESSON}.html").read_text()


def visible(text):
    text = re.sub(r"</?code[^>]*>", "", text)  # stands within a sentence
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def test_a_page_has_the_verdicts_the_code_the_scores_and_what_the_teacher_says(home):
    done = run("feedback", "bce")
    assert done.exit_code == 0 and "4 pages made, 0 unchanged" in done.output, done.output
    points = {n: e.points for n, e in exercises_of(LESSON).items()}
    right, wrong, torn = (visible(page(home, s)) for s in ("right", "wrong", "torn"))
    assert (
        f"{LESSON}: {sum(points.values()) + 1.5:g} of {sum(points.values()) + 2:g} points" in right
        and "so far" not in right
    )
    assert f"{QUESTION}: 1.5 of 2" in right and "Say it shorter." in right and "bce: passed" in right
    assert (
        f"bce: 0 of {points['bce']:g}" in wrong
        and SUMMED.says in wrong
        and SUMMED.hint.replace("`", "") in wrong
        and "See me." in wrong
    )
    assert "points so far" in wrong and f"{QUESTION}: not yet read" in wrong
    assert "# <b>mine</b>" in wrong and "return -gain.sum()" in wrong
    assert "The file is no notebook" in torn and "0 of" in torn


def test_a_page_stands_alone_and_nothing_in_it_acts(home):
    run("feedback", "bce")
    for student in ("right", "wrong", "where", "torn"):
        text = page(home, student)
        assert not re.search(r"<script|<link|<iframe|@import|url\(|https?://|\son\w+=", text)
        assert (
            "default-src 'none'" in text
            and "width=device-width" in text
            and "prefers-color-scheme: dark" in text
        )
        assert not re.search(r"<(i|b)>\s*m", text)


def test_the_pages_of_a_grading_have_no_barriers_in_either_theme(home, page):
    assert run("feedback", "bce").exit_code == run("report").exit_code == 0
    pages = [*home.glob("feedback/*/*/*.html"), *home.glob("reports/*.html")]
    assert len(pages) == 4 + 2
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for path in pages:
            page.goto(path.as_uri())
            page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
            assert barriers(page, within=["html"]) == [], f"{path}, {theme}"
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x.png><p style=\"color:#444\">grey</p>')"
    )
    assert {"color-contrast", "image-alt"} <= {
        found.split(":")[0] for found in barriers(page, within=["html"])
    }, "what is wrong is found"


def test_a_page_has_no_reference_no_further_inputs_and_no_path_of_this_machine(home):
    run("feedback", "bce")
    for student in ("right", "wrong", "where", "torn"):
        text = page(home, student)
        for secret in (str(ROOT), sys.prefix, str(home), str(Path.home()) + "/", "site-packages"):
            assert secret not in html.unescape(text), secret
    wrong = page(home, "wrong")
    for name, source in solution_cells(LESSON).items():
        body = source.split("### BEGIN SOLUTION")[1].split("### END SOLUTION")[0].strip()
        assert body not in html.unescape(wrong), name
    assert wrong.count(">expected</th>") == 1 and "failed_cases" not in wrong and "seed" not in wrong
    assert "…/__init__.py" in page(home, "where")
    for path in (
        home / "autograded" / "where" / LESSON
    ).iterdir():  # nor has what formgrader and the report show
        assert sys.prefix not in path.read_text() and str(Path.home()) + "/" not in path.read_text(), path


@pytest.mark.parametrize(
    "text, clean",
    [
        ("at /srv/x/lib/torch/nn.py line 3", "at …/nn.py line 3"),
        ('File "/a/b c.py"', 'File "…/b c.py"'),
        ("file:///home/me/x.py", "file://…/x.py"),
        (r"C:\Users\me\x.py", "…/x.py"),
        ("(p - y) / (p(1 - p))", "(p - y) / (p(1 - p))"),
        ("1/2/3", "1/2/3"),
        ("</td></tr>", "</td></tr>"),
        ("https://pytorch.org/docs/stable", "https://pytorch.org/docs/stable"),
        ("~/course/x.py", "…/x.py"),
        ('<img src="data:image/png;base64,iV+/ab/cd==">', '<img src="data:image/png;base64,iV+/ab/cd==">'),
        ("&#x27;/a/b/c.py&#x27;", "&#x27;…/c.py&#x27;"),
    ],
)
def test_paths_are_cut_down_to_the_files_name(text, clean):
    assert without_paths(text) == clean


def test_only_what_has_changed_is_made_again(home):
    assert "4 pages made, 0 unchanged" in run("feedback", "bce").output
    assert "0 pages made, 4 unchanged" in run("feedback", "bce").output
    with Gradebook(f"sqlite:///{home}/gradebook.db", "losses") as book:
        book.find_comment("bce", LESSON, LESSON, "torn").manual_comment = "What happened?"
        grade = book.find_grade(QUESTION, LESSON, LESSON, "wrong")
        grade.manual_score, grade.needs_manual_grade = 0.5, False
        book.db.commit()
    assert "2 pages made, 2 unchanged" in run("feedback", "bce").output
    assert "What happened?" in page(home, "torn") and "so far" not in page(home, "wrong")


def test_nbgraders_own_command_makes_the_same_page(home):
    run("feedback", "bce")
    ours = page(home, "wrong")
    shutil.rmtree(home / "feedback")
    school.nbgrader(home, "generate_feedback", LESSON, "--student", "wrong")
    assert page(home, "wrong") == ours


def test_points_that_a_teacher_gave_for_an_exercise_are_said_to_be_the_teachers():
    cells = [
        nbformat.v4.new_code_cell(
            "def f(): pass", metadata={"nbgrader": {"grade_id": "f", "solution": True, "grade": False}}
        ),
        nbformat.v4.new_code_cell(
            'check("f")',
            metadata={"nbgrader": {"grade_id": "test_f", "solution": False, "grade": True, "points": 3}},
        ),
    ]
    (part,) = content(
        nbformat.v4.new_notebook(cells=cells), Marks({"test_f": Mark(0.0, 2.0, 0.5, 3.0, False)})
    )["parts"]
    assert part["by_hand"] and part["score"] == 2.5 and part["code"] == "def f(): pass"


def test_a_mark_of_an_earlier_answer_is_called_that_everywhere(home):
    """A person gave points for an open answer and for an exercise; then the learner hands in other answers to both."""
    with Gradebook(f"sqlite:///{home}/gradebook.db", "losses") as book:
        grade = book.find_grade("test_bce", LESSON, LESSON, "right")
        grade.manual_score, grade.needs_manual_grade = 2.0, False
        book.db.commit()
    other = school.answered(LESSON, {"bce": SUMS}, open_answer="I have thought again.")
    school.submit(home, "right", LESSON, other)
    assert run("grade", "bce", "--trust-submissions", "--jobs", "1").exit_code == 0
    assert run("feedback", "bce").exit_code == run("report", "bce").exit_code == 0
    said = visible(page(home, "right"))
    assert "points so far" in said and "they are to be looked at again" in said
    assert "This is the mark of your earlier answer, to be read again." in said
    assert f"{QUESTION}: 1.5 of 2 (of an earlier answer), with a comment" in said
    assert "These points were given by your teacher, before this answer was judged." in said
    report = visible((home / "reports" / f"{LESSON}.html").read_text())
    assert "1 submission counted with the mark of an earlier answer, to be read again. right" in report
    assert "before its present answer was judged, to be looked at again: right ( bce )." in report.replace(
        "(bce)", "( bce )"
    )
    exported = run("export", "canvas").output
    assert (
        "answers that a person has still to read" in exported and "the mark of an earlier answer" in exported
    )


def _no_autograded(home):
    shutil.rmtree(home / "autograded")


def _not_in_the_gradebook(home):
    """A student of the course whose submission it does not know; who is no student any more is left out."""
    shutil.copytree(home / "autograded" / "wrong", home / "autograded" / "stranger")
    with Gradebook(f"sqlite:///{home}/gradebook.db", "losses") as book:
        book.add_student("stranger")


def _no_place(home):
    (home / "feedback").write_text("a file where the folder should be")


@pytest.mark.parametrize(
    "words, damage, said",
    [
        (
            ["feedback", "bce"],
            _no_autograded,
            f"No submission of {LESSON} is graded: run `./course grade {LESSON}` first.",
        ),
        (
            ["feedback", "bce"],
            _not_in_the_gradebook,
            "1 graded submissions are not in the gradebook (stranger)",
        ),
        (
            ["feedback", "bce"],
            _no_place,
            f"{LESSON}: 4 of 4 have no new feedback (right, torn, where, wrong).",
        ),
        (
            ["regrade", "nobody", "bce", "--trust-submissions"],
            lambda home: None,
            f"There is no grading of {LESSON} by nobody",
        ),
        (["collect", "bce"], lambda home: None, "There is no exchange with submissions at"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(home, words, damage, said):
    damage(home)
    done = run(*words)
    assert (
        done.exit_code == 1
        and said in done.output
        and "Traceback" not in done.output
        and done.exception.__class__ is SystemExit
    ), done.output


def test_a_locked_gradebook_is_a_sentence_and_leaves_the_pages_of_before(home):
    run("feedback", "bce")
    before = page(home, "wrong")
    lock = sqlite3.connect(home / "gradebook.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    try:
        done = run("feedback", "bce")
    finally:
        lock.close()
    assert done.exit_code == 1 and "database is locked" in done.output and page(home, "wrong") == before, (
        done.output
    )


def test_a_full_disk_leaves_no_half_page(home):
    small = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (6200, 6200)); from grader.__main__ "
        "import app; app(['feedback', 'bce'])"
    )
    done = subprocess.run([sys.executable, "-c", small], cwd=home, text=True, capture_output=True)
    assert done.returncode == 1 and re.search(
        r"3 of 4 have no new feedback \(right, where, wrong\)\. .*too large", done.stderr
    ), done.stderr
    assert [p.parts[-3] for p in home.glob("feedback/*/*/*.html")] == ["torn"]  # the only one that fits
    assert "3 pages made, 1 unchanged" in run("feedback", "bce").output


def test_a_disk_that_fills_up_leaves_the_pages_of_before_and_nothing_beside_them(home):
    run("feedback", "bce")
    before = {p: p.read_bytes() for p in home.glob("feedback/*/*/*.html")}
    with Gradebook(f"sqlite:///{home}/gradebook.db", "losses") as book:
        book.find_comment("bce", LESSON, LESSON, "wrong").manual_comment = "You have seen me."
        book.db.commit()
    small = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (6200, 6200)); from grader.__main__ "
        "import app; app(['feedback', 'bce'])"
    )
    done = subprocess.run([sys.executable, "-c", small], cwd=home, text=True, capture_output=True)
    assert done.returncode == 1 and re.search(
        r"1 of 4 have no new feedback \(wrong\)\. .*too large", done.stderr
    ), done.stderr
    assert (
        len(before) == 4
        and {p: p.read_bytes() for p in home.glob("feedback/*/*/*.html")} == before
        and not list(home.glob(".feedback*"))
    )
    assert "1 page made, 3 unchanged" in run("feedback", "bce").output and "You have seen me." in page(
        home, "wrong"
    )


def test_who_was_removed_from_the_gradebook_gets_no_page_and_stops_nobody(home):
    with Gradebook(f"sqlite:///{home}/gradebook.db", "losses") as book:
        book.remove_student("torn")
    done = run("feedback", "bce")
    assert done.exit_code == 0 and "3 pages made" in done.output, done.output
    assert not (home / "feedback/torn").exists()


# ---------------------------------------------------------------- a verdict repeated


def test_a_verdict_is_repeated_with_the_inputs_that_were_used(home):
    files = {p: p.read_bytes() for p in home.rglob("*") if p.is_file()}
    done = run("regrade", "wrong", "bce", "--trust-submissions")
    seed = json.loads((home / "autograded/wrong" / LESSON / "graded.json").read_text())["seed"]
    assert done.exit_code == 0 and f"The same as recorded: 0 points, seed {seed}." in done.output, done.output
    assert (
        "bce: not yet" in done.output
        and SUMMED.says in done.output
        and "bce_grad: not attempted" in done.output
    )
    assert {p: p.read_bytes() for p in home.rglob("*") if p.is_file()} == files  # it changes nothing


def test_a_verdict_that_comes_out_differently_says_what_has_changed(home):
    school.submit(home, "wrong", LESSON, school.answered(LESSON))
    done = run("regrade", "wrong", "bce", "--trust-submissions")
    most = sum(e.points for e in exercises_of(LESSON).values())
    assert done.exit_code == 1 and "The submission is another one than was graded." in done.output
    assert f"Not the same as recorded: 0 points then, {most:g} now" in done.output, done.output


# ---------------------------------------------------------------- release and collect


def test_a_resubmission_replaces_the_earlier_one_and_its_feedback_finds_the_learner(home, tmp_path):
    first = run("release", "bce")
    assert first.exit_code == 0 and f"{LESSON}: released to" in first.output, first.output
    second = run("release", "bce")
    assert (
        second.exit_code == 1
        and "is released already" in second.output
        and run("release", "bce", "--again").exit_code == 0
    )
    shutil.rmtree(home / "submitted")
    assert "0 new, 0 replaced by a newer one, 0 unchanged" in run("collect", "bce").output
    learner = tmp_path / "learner"
    learner.mkdir()
    (learner / "nbgrader_config.py").write_text((home / "nbgrader_config.py").read_text())
    school.nbgrader(learner, "fetch_assignment", LESSON)
    school.nbgrader(learner, "submit", LESSON)
    assert "1 new, 0 replaced by a newer one, 0 unchanged" in run("collect", "bce").output
    assert "0 new, 0 replaced by a newer one, 1 unchanged" in run("collect", "bce").output
    nbformat.write(school.answered(LESSON, {"bce": SUMS}), learner / LESSON / f"{LESSON}.ipynb")
    # no learner writes the record of a grading
    (learner / LESSON / "graded.json").write_text('{"verdicts": {}}')
    school.nbgrader(learner, "submit", LESSON)
    done = run("collect", "bce")
    assert done.exit_code == 0 and "0 new, 1 replaced by a newer one" in done.output, done.output
    (got,) = (home / "submitted").glob(f"*/{LESSON}")
    assert "# <b>mine</b>" in (got / f"{LESSON}.ipynb").read_text() and not (got / "graded.json").exists()

    assert (
        run("grade", "bce", "--trust-submissions", "--jobs", "1").exit_code == 0
        and run("feedback", "bce").exit_code == 0
    )
    (home / "feedback" / "torn" / LESSON / "timestamp.txt").write_text("2026-03-01 12:00:00 UTC")
    (home / "feedback" / "torn" / LESSON / "submission_secret.txt").write_bytes(b"\xff")
    said = school.nbgrader(home, "release_feedback", LESSON)
    # who came another way keeps nobody from theirs
    assert all(f"feedback/{s}/{LESSON}: not released" in said for s in ("right", "wrong", "where", "torn"))
    school.nbgrader(learner, "fetch_feedback", LESSON)
    (fetched,) = learner.rglob("feedback/*/*.html")
    assert fetched.read_text() == page(home, got.parent.name) and SUMMED.says in visible(fetched.read_text())


SMALL = (
    "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)); from grader.__main__ "
    "import app; app(sys.argv[1:])"
)


def test_a_full_disk_leaves_no_half_release_and_no_half_submission(home):
    def on_a_full_disk(*words):
        done = subprocess.run([sys.executable, "-c", SMALL, *words], cwd=home, text=True, capture_output=True)
        assert done.returncode == 1 and re.fullmatch(
            rf"{LESSON}: .*File too large.* run the same command again\.\n", done.stderr
        ), done.stderr

    exchange = home / "exchange" / "losses"
    on_a_full_disk("release", "bce")
    assert not list(exchange.glob("outbound/*")) and run("release", "bce").exit_code == 0
    place = exchange / "inbound" / f"ann+{LESSON}+2026-03-01 12:00:00 UTC+0"
    place.mkdir()
    nbformat.write(school.answered(LESSON), place / f"{LESSON}.ipynb")
    on_a_full_disk("collect", "bce")
    assert not list(home.glob(f"submitted/ann/{LESSON}*")) and "1 new" in run("collect", "bce").output
    assert (home / "submitted" / "ann" / LESSON / f"{LESSON}.ipynb").read_bytes() == (
        place / f"{LESSON}.ipynb"
    ).read_bytes()


def test_everything_that_nbgrader_says_of_a_submission_is_passed_on_in_a_line_each(home):
    run("release", "bce")
    for name in (
        f"ann+{LESSON}+2026-03-01 12:00:00 UTC+0",
        f"ann+{LESSON}+the day before",
        f"<img src=x>+{LESSON}+2026-03-01 12:00:00 UTC+0",
    ):
        (home / "exchange" / "losses" / "inbound" / name).mkdir()
    said = run("collect", "bce").output.splitlines()
    assert all(line.strip() for line in said) and said[-1].startswith(f"{LESSON}: 1 new")
    for word in (
        "'ann+02_bce+the day before' is not collected: its name does not say when",
        "ann: Without a time of its own, it counts as submitted at 2026-03-01 12:00:00 UTC",
        "is no id of a learner",
    ):
        assert any(word in line for line in said), (word, said)
