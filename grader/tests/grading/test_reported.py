"""What teachers and learners have reported of other courses, tried on this one: one class, graded once by the
command."""

import base64
import codecs
import io
import logging
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import nbformat
import pytest
from nbgrader.api import Gradebook
from PIL import Image
from typer.testing import CliRunner

from grader.__main__ import app
from grader.classroom import grade, plugins, record, rounds, submission
from grader.classroom.gradebook import Book
from grader.classroom.plugins import STUDENT
from grader.classroom.task import Graded
from grader.course import pictures
from grader.course.build import loads, released, solution_cells
from grader.course.lessons import exercises_of
from grader.course.rebuild import rebuild
from grader.course.submitted import parse
from grader.jail import doctor
from grader.learner import in_class, watch
from grader.tests import school
from grader.tests.grading.test_rebuild import PNG

LESSON = "02_bce"
OPEN = "lower_loss_fewer_right"
POINTS = sum(e.points for e in exercises_of(LESSON).values())
WALLS = doctor.walls()
needs_walls = pytest.mark.skipif(not WALLS.ok, reason=f"no walls on this machine: {WALLS.why}")

# learner -> (an answer to `bce` that does not run, what is said of it)
DO_NOT_RUN = {
    "colon": ("def bce(p, y, reduction='mean')\n    return p", "SyntaxError"),
    "space": ("def bce(p, y, reduction='mean'):\n\u00a0   return p", "SyntaxError"),
    "pandas": (
        "import pandas_of_nobody\ndef bce(p, y, reduction='mean'):\n    return p",
        "only the course's own",
    ),
    "beside": (
        "from helpers import clip\ndef bce(p, y, reduction='mean'):\n    return p",
        "from beside the notebook",
    ),
    "input": ("n = input()\ndef bce(p, y, reduction='mean'):\n    return p", "input()"),
    "other": ("def bse(p, y, reduction='mean'):\n    return p", "defines no `bce`"),
}


def text(nb):
    return nbformat.writes(nb).encode()


def odd_notebooks():
    """Answers as editors, and people, leave them: learner -> (notebook, how `bce` comes out)."""
    whole = solution_cells(LESSON)
    answer = whole["bce"]
    helper = "with torch.no_grad():\n    one = torch.tensor(1.0)\nfor each in [one]:\n    scale = each"
    scaled = f"{answer}\n_plain = bce\ndef bce(p, y, reduction='mean'):\n    return scale * _plain(p, y, reduction)"
    begins = {
        "timed": "%%time\n",
        "captured": "%%capture out\n",
        "asks": "torch.log?\n",
        "future": "from __future__ import annotations\n",
        "magic": "%matplotlib inline\n",
        "shell": "!echo hello\n",
        "pip": "%pip install nothing\n",
        "helper": "from helpers import clip\n",
    }
    fails = ("shell", "pip", "helper")
    for student, first in begins.items():
        nb = school.answered(LESSON, whole | {"bce": first + answer})
        yield student, nb, "error" if student in fails else "passed"
    yield "bare", _bare(school.answered(LESSON)), "passed"
    for student, sources in (("moved", ["# below", answer]), ("loops", [helper, scaled])):
        nb = school.answered(LESSON)
        at = next(
            i for i, c in enumerate(nb.cells) if c.metadata.get("nbgrader", {}).get("grade_id") == "bce"
        )
        before, last = sources
        place = at if student == "loops" else at + 1
        nb.cells[at].source = last if student == "loops" else before
        nb.cells.insert(place, nbformat.v4.new_code_cell(before if student == "loops" else last))
        yield student, nb, "passed"


def in_other_places(folder):
    """Whole answers that do not lie in the notebook's place: learner -> where."""
    whole, stub = text(school.answered(LESSON)), text(school.answered(LESSON, {}))
    one = {"bce": solution_cells(LESSON)["bce"]}
    places = {
        "browser": {f"{LESSON} (1).ipynb": whole},
        "copy": {f"{LESSON}-Copy1.ipynb": whole, f"{LESSON}.ipynb": b""},
        "capitals": {"02_BCE.ipynb": whole},
        "below": {f"my homework/{LESSON}.ipynb": whole},
        "fresh": {f"{LESSON}.ipynb": stub, f"{LESSON}-fresh.ipynb": whole},
        "müller, hans": {f"{LESSON}-1.ipynb": whole},
        "browser's ending": {f"{LESSON}.ipynb.txt": whole},
        "no ending": {LESSON: whole},
        "same twice": {f"{LESSON} (1).ipynb": whole, f"{LESSON} (2).ipynb": whole},
        "earlier state": {
            "my.ipynb": whole,
            ".ipynb_checkpoints/my-checkpoint.ipynb": text(school.answered(LESSON, one)),
        },
        "zip in its place": {f"{LESSON}.ipynb": zipped(whole)},
    }
    for student, files in places.items():
        for name, data in files.items():
            path = folder / "submitted" / student / LESSON / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    path = folder / "submitted" / "zipped" / LESSON / "submission.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(zipped(whole))
    school.submit(folder, "printed", LESSON, None)
    (folder / "submitted" / "printed" / LESSON / "my answers.pdf").write_bytes(b"%PDF-1.4")
    school.submit(folder, "another lesson", LESSON, loads(released("03_bce_with_logits")))
    # as an old Windows packs it
    not_utf8 = os.fsencode(folder / "submitted") + b"/m\xfcller/" + LESSON.encode()
    os.makedirs(not_utf8)
    (folder / "submitted/no lesson's folder").mkdir()
    (folder / "submitted/no lesson's folder" / f"{LESSON}.ipynb").write_bytes(whole)
    Path(os.fsdecode(not_utf8), f"{LESSON}.ipynb").write_bytes(whole)
    for name in ("first.ipynb", "second.ipynb"):
        school.submit(folder, "two", LESSON, None)
        answer = text(school.answered(LESSON, open_answer=name))
        (folder / "submitted" / "two" / LESSON / name).write_bytes(answer)
    return [*places, "zipped"]


def zipped(notebook):
    """The bytes of a zip archive with a notebook in a folder."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"ann/{LESSON}.ipynb", notebook)
    return file.getvalue()


def command(folder, *words):
    done = subprocess.run(
        [sys.executable, "-m", "grader", *words], cwd=folder, capture_output=True, text=True, timeout=400
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = school.make(
        tmp_path_factory.mktemp("course"), LESSON, config="c.CourseDirectory.student_id_exclude = 'guest'\n"
    )
    for student, (source, _) in DO_NOT_RUN.items():
        answers = solution_cells(LESSON) | {"bce": source}
        school.submit(folder, student, LESSON, school.answered(LESSON, answers))
    for student, nb, _ in odd_notebooks():
        school.submit(folder, student, LESSON, nb)
    path = school.submit(folder, "mark", LESSON, school.answered(LESSON))
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    (folder / "submitted/helper" / LESSON / "helpers.py").write_text("def clip(x):\n    return x\n")
    school.submit(folder, "guest", LESSON, school.answered(LESSON))
    school.submit(folder, "stub", LESSON, school.answered(LESSON, {}))
    return folder


@pytest.fixture(scope="module")
def graded(folder):
    """(folder, who handed in elsewhere, what the command said)."""
    elsewhere = in_other_places(folder)
    done = command(folder, "grade", LESSON)
    assert "1 failed" in done.stdout, done.stdout + done.stderr
    return folder, elsewhere, done.stdout + done.stderr


def kept(folder, student):
    return record.load(folder / "autograded" / student / LESSON)


@needs_walls
def test_what_does_not_run_is_an_error_that_is_told(graded):
    folder, *_ = graded
    for student, (_, said) in DO_NOT_RUN.items():
        verdict = kept(folder, student)["verdicts"]["bce"]
        assert verdict["status"] == "error", (student, verdict)
        assert said in str(verdict), (student, verdict)
    assert {v["status"] for v in kept(folder, "stub")["verdicts"].values()} == {"not attempted"}


@needs_walls
def test_at_home_the_verdicts_are_those_of_the_class(graded):
    """`check` and `watch` read a notebook as the class does, whatever its editor left of it."""
    folder, *_ = graded
    for student, expected in [*((s, e) for s, _, e in odd_notebooks()), ("mark", "passed")]:
        path = folder / "submitted" / student / LESSON / f"{LESSON}.ipynb"
        home, _ = watch.verdicts(path, LESSON)
        graded_as = kept(folder, student)["verdicts"]
        assert graded_as["bce"]["status"] == expected, (student, graded_as["bce"])
        assert {v.exercise: v.status for v in home} == {n: v["status"] for n, v in graded_as.items()}, student


def test_what_does_not_run_in_class_is_told_at_home(tmp_path):
    for name in ("helpers.py", "data.csv"):
        (tmp_path / name).touch()
    assert in_class.differs("import torch, math, rich\ndef f(x):\n    return x", tmp_path) == []
    for source, word in (
        ("from helpers import clip", "`helpers` is imported here. In class only"),
        ("import pandas_of_nobody as pd", "`pandas_of_nobody` is imported here"),
        ("n = int(input())", "nobody is there to answer `input()`"),
        ("!pip install x", "Shell commands"),
        ("files = !ls", "Shell commands"),
        (
            "rows = open('data.csv').read()",
            "`data.csv` is a file beside the notebook. In class the notebook is alone",
        ),
    ):
        (said,) = in_class.differs(source, tmp_path)
        assert word in said, source


@needs_walls
def test_a_notebook_by_another_name_is_taken_where_it_is_the_only_one(graded):
    folder, elsewhere, said = graded
    scores = {
        s: sum(v for n, v in g.items() if n.startswith("test_"))
        for s, g in school.grades(folder, LESSON).items()
    }
    for student in elsewhere:
        assert scores[student] == POINTS, student
        assert any("was taken for" in note for note in kept(folder, student)["notes"]), student
    assert scores["two"] == 0
    assert any("first.ipynb" in n and "second.ipynb" in n for n in kept(folder, "two")["notes"])
    assert any("`my answers.pdf`" in n for n in kept(folder, "printed")["notes"])
    assert any("a notebook of 03_bce_with_logits" in n for n in kept(folder, "another lesson")["notes"])
    assert len(kept(folder, "another lesson")["notes"]) == 2
    assert "3 handed in no notebook of the lesson: another lesson, printed, two." in said
    assert f"Not looked at: submitted/no lesson's folder/{LESSON}.ipynb. A submission lies in" in said


@needs_walls
def test_a_folder_whose_name_is_no_text_keeps_nobody_else_from_being_graded(graded):
    folder, _, said = graded
    assert "m?ller, 02_bce: not graded." in said and "Rename it to the learner's id." in " ".join(
        said.split()
    )
    assert command(folder, "report", LESSON).returncode == 0


def test_nbgraders_own_command_leaves_it_out_as_well(tmp_path, monkeypatch):
    monkeypatch.chdir(school.make(tmp_path, LESSON))
    course = grade.course_here()
    seen = {"submitted/ann/02_bce": [], os.fsdecode(b"submitted/m\xfcller/02_bce"): []}
    log = logging.getLogger("converter")
    plugins._leave_out_who_was_removed(
        SimpleNamespace(assignments=seen, coursedir=course.coursedir, config=course.config, log=log)
    )
    assert list(seen) == ["submitted/ann/02_bce"]


@needs_walls
def test_a_verdict_is_repeated_from_wherever_the_notebook_was_taken(graded, monkeypatch):
    folder, *_ = graded
    monkeypatch.chdir(folder)
    read = []

    def as_before(task, trust):
        read.append(task.data)
        text = (folder / "autograded/zipped" / LESSON / f"{LESSON}.ipynb").read_text()
        return Graded(LESSON, "zipped", text, kept(folder, "zipped"))

    monkeypatch.setattr(rounds, "grade_one", as_before)
    assert rounds.regrade(grade.course_here(), "zipped", LESSON).changed == []
    assert read == [text(school.answered(LESSON))]


@needs_walls
def test_who_is_excluded_or_removed_stays_so(graded):
    folder, *_ = graded
    assert "guest" not in school.grades(folder, LESSON)
    with Gradebook(f"sqlite:///{folder}/gradebook.db") as book:
        book.remove_student("colon")
    done = command(folder, "grade", LESSON, "--again", "--jobs", "1")
    assert "2 left out" in done.stdout, done.stdout
    assert {"guest", "colon"}.isdisjoint(school.grades(folder, LESSON))
    # nbgrader's own command, too; and it names whom it leaves out
    said = school.nbgrader(folder, "autograde", LESSON, "--create", "--force", "--student", "colon")
    assert "colon is left out" in said and "Processing" not in said
    assert {"guest", "colon"}.isdisjoint(school.grades(folder, LESSON))


def test_who_was_removed_is_left_out_of_the_next_lesson_as_well(tmp_path, monkeypatch):
    """Graded in an earlier lesson, then removed: a submission of the next lesson brings nobody back."""
    folder = school.make(tmp_path, LESSON)
    monkeypatch.chdir(folder)
    for student in ("stays", "gone"):
        record.save(folder / "autograded" / student / "01_sigmoid", {"verdicts": {}})
        school.submit(folder, student, LESSON, school.answered(LESSON))
    school.submit(folder, "new", LESSON, school.answered(LESSON))
    with Gradebook(f"sqlite:///{folder}/gradebook.db", "losses") as book:
        book.add_student("stays")
        book.add_assignment(LESSON)
    course = grade.course_here()
    with Book(course.coursedir, course.config) as book:
        due, _, left_out = grade.pending(course, LESSON, book)
    assert [each.student for each in due] == ["new", "stays"]
    assert left_out == ["gone"]


@needs_walls
def test_autograde_after_grade_and_grade_after_autograde_repeat_nothing(graded):
    folder, *_ = graded
    before = school.grades(folder, LESSON)
    assert "Processing" not in school.nbgrader(folder, "autograde", LESSON, "--student", "browser")
    school.nbgrader(folder, "autograde", LESSON, "--student", "browser", "--force")
    done = command(folder, "grade", LESSON)
    assert "0 graded" in done.stdout, done.stdout
    assert school.grades(folder, LESSON) == before


def below(nb, sources, keep):
    """A notebook whose open answer stands in cells of the learner's own. keep: what stays in the question's
    cell, None for no cell."""
    at = next(i for i, c in enumerate(nb.cells) if c.metadata.get("nbgrader", {}).get("grade_id") == OPEN)
    nb.cells[at].source = keep if keep is not None else ""
    nb.cells[at + 1 : at + 1] = [nbformat.v4.new_markdown_cell(source) for source in sources]
    if keep is None:
        del nb.cells[at]
    return nb


@pytest.mark.parametrize(
    "sources, keep, answer",
    [
        (["Below."], "YOUR ANSWER HERE", "Below."),
        (["And more."], "First.", "First.\n\nAnd more."),
        (["Anew.", "In two."], None, "Anew.\n\nIn two."),
        ([], "YOUR ANSWER HERE", "YOUR ANSWER HERE"),
    ],
)
def test_an_open_answer_is_found_where_it_stands(sources, keep, answer):
    nb = below(school.answered(LESSON), sources, keep)
    for notebook in (nb, _bare(nb)):
        assert answer_in(notebook) == answer


def answer_in(notebook):
    """The open answer that a person reads."""
    rebuilt, _ = rebuild(loads(released(LESSON)), notebook)
    (cell,) = [c for c in rebuilt.cells if c.metadata.get("nbgrader", {}).get("grade_id") == OPEN]
    return cell.source


def _above(cells, at):
    cells.insert(at, nbformat.v4.new_markdown_cell("Mine."))


def _as_comments(cells, at):
    cells.insert(at + 1, nbformat.v4.new_code_cell("# Mine."))


def _raw(cells, at):
    cells.insert(at + 1, nbformat.v4.new_raw_cell("Mine."))


def _at_the_end(cells, at):
    del cells[at]
    cells.append(nbformat.v4.new_markdown_cell("Mine."))


def _into_the_question(cells, at):
    cells[at - 1].source += "\n\nMine."


def _nothing(cells, at):
    cells[at].source = " \n\u200b"


def _split(cells, at):
    second = nbformat.from_dict(cells[at])
    cells[at].source, second.source = "This is", "Mine."
    cells.insert(at + 1, second)


def _split_and_more(cells, at):
    _split(cells, at)
    cells.insert(at + 2, nbformat.v4.new_markdown_cell("And mine."))


@pytest.mark.parametrize(
    "change, answer",
    [
        (_above, "Mine."),
        (_as_comments, "# Mine."),
        (_raw, "Mine."),
        (_at_the_end, "Mine."),
        (_into_the_question, "Mine."),
        (_nothing, "YOUR ANSWER HERE"),
        (_split, "This is\n\nMine."),
        (_split_and_more, "This is\n\nMine.\n\nAnd mine."),
    ],
)
def test_where_in_doubt_a_person_reads_it(change, answer):
    nb = school.answered(LESSON)
    change(
        nb.cells,
        next(i for i, c in enumerate(nb.cells) if c.metadata.get("nbgrader", {}).get("grade_id") == OPEN),
    )
    assert answer_in(nb) == answer


def test_code_of_ones_own_behind_a_question_is_no_answer():
    nb = school.answered(LESSON)
    at = next(i for i, c in enumerate(nb.cells) if c.metadata.get("nbgrader", {}).get("grade_id") == OPEN)
    nb.cells.insert(at + 1, nbformat.v4.new_code_cell("# try it\nprint(1)"))
    assert answer_in(nb) == "YOUR ANSWER HERE"


def open_answer_of(source, attachments=None):
    """(the cell that is graded, the notes) of a notebook whose open answer is this."""
    nb = school.answered(LESSON)
    (cell,) = [c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") == OPEN]
    cell.source = source
    cell.attachments = attachments or {}
    read, notes = parse(nbformat.writes(nb).encode())
    rebuilt, later = rebuild(loads(released(LESSON)), read)
    (made,) = [c for c in rebuilt.cells if c.metadata.get("nbgrader", {}).get("grade_id") == OPEN]
    return made, notes + later


def test_a_picture_keeps_its_place_whatever_it_is_called_and_what_is_left_out_is_noted():
    png = PNG
    names = ["Grafik für Übung (1).png", "a b.png", *(f"{n}.png" for n in range(pictures.MOST - 1))]
    text = "See " + " ".join(f"![x](attachment:{quote(name, safe='()')})" for name in names)
    drawn = {"sketch.svg": {"image/svg+xml": "<svg onload='x'>"}}
    made, notes = open_answer_of(text, {name: {"image/png": png} for name in names} | drawn)
    assert len(made.attachments) == pictures.MOST
    assert all(f"](attachment:{name})" in made.source for name in made.attachments)
    assert all(re.fullmatch(r"[\w.-]+", name, re.A) for name in made.attachments)
    assert [n for n in notes if "left out: `a b.png`, `sketch.svg`" in n and "JPEG" in n]


def raster(kind):
    """A picture as a phone, a browser or a drawing program makes it, base64."""
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 30, 30)).save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_raster_is_kept_by_what_it_is_and_not_by_what_it_is_called(kind):
    data, true = raster(kind), f"image/{kind.lower()}"
    made, notes = open_answer_of("![x](attachment:p.jpg)", {"p.jpg": {"image/jpg": data}})
    assert made.attachments == {"p.jpg": {true: data}} and made.source == "![x](attachment:p.jpg)"
    assert pictures.numbered(made) == ("[picture 1]", [f"data:{true};base64,{data}"]) and not notes
    assert pictures.decoded(data[:8]) is None  # cut off before it says how large it is


@pytest.mark.parametrize(
    "form",
    [
        "![x]({})",
        "![x](<{}>)",
        "![x]({} 'A title')",
        "![x][1]\n\n[1]: {}",
        "<img src='{}' width=300>",
        "{}",
    ],
)
def test_a_picture_within_the_text_is_lifted_out_before_anything_is_cut(form):
    """As Colab writes it: megabytes of letters, and what the learner says behind them."""
    size = 100
    if form == "![x]({})":  # large once: a picture's letters are all alike
        size = 4_000_000
    data = base64.b64encode(base64.b64decode(PNG) + bytes(size)).decode()
    made, notes = open_answer_of("Before " + form.format(f"data:image/png;base64,{data}") + "\n\nbehind")
    ((name, bundle),) = made.attachments.items()
    assert bundle == {"image/png": data} and not notes
    assert f"](attachment:{name})" in made.source and made.source.startswith("Before")
    assert "behind" in made.source and len(made.source) < 200


def test_a_picture_that_is_too_large_is_left_out_and_the_text_around_it_stays():
    data = base64.b64encode(base64.b64decode(PNG) + bytes(pictures.LARGEST)).decode()
    made, notes = open_answer_of(f"Before ![](data:image/png;base64,{data}) behind")
    assert "Before" in made.source and "behind" in made.source and "attachments" not in made
    assert any("left out: `in-the-text-1`" in note for note in notes)


def _bare(nb):
    """The same without any metadata, as some editors leave it."""
    nb = nbformat.from_dict(nb)
    for number, cell in enumerate(nb.cells):
        cell.metadata, cell.id = nbformat.from_dict({}), f"lost-{number}"
    return nb


@pytest.mark.parametrize("name", ["o'brien@uni.edu", "müller, hans", "ali&co", "jose\u0301", "ann"])
def test_an_id_may_be_what_people_are_called(name):
    assert STUDENT.fullmatch(name)


@pytest.mark.parametrize("name", ["x" * 129, "..", "<img>", "a/b", 'a"b', "a`b"])
def test_an_id_is_a_name_only(name):
    assert not STUDENT.fullmatch(name)


def test_an_archive_that_is_none_is_nothing(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04 damaged")
    data, notes = submission.load(tmp_path / f"{LESSON}.ipynb")
    assert data is None and notes[0] == "No notebook was submitted." and "`x.zip`" in notes[1]


@pytest.mark.parametrize(
    "text, utc",
    [
        ("2026-06-01 12:00:00", "12:00:00"),
        ("2026-06-01 12:00:00 UTC", "12:00:00"),
        ("2026-06-01 12:00:00 +0100", "11:00:00"),
        ("2026-06-01 12:00:00 +01:00", "11:00:00"),
        ("2026-06-01 12:00:00.250000 -0530", "17:30:00"),
        ("2026-06-01T12:00:00Z", "12:00:00"),
        ("2026-06-01 12:00:00 CEST", None),
    ],
)
def test_a_time_is_read_rightly_or_not_at_all(tmp_path, text, utc):
    (tmp_path / "timestamp.txt").write_text(text)
    time = submission.timestamp(tmp_path)
    assert utc == (time and time.strftime("%H:%M:%S"))


@pytest.mark.parametrize(
    "time, is_read",
    [
        ("2026-06-01 12:00:00 UTC+x1", True),
        ("2026-06-01 12:00:00 +0100", False),
        ("2026-06-01 12:00:00 CEST+x1", False),
    ],
)
def test_a_folder_in_the_exchange_has_a_time_that_is_read_rightly(time, is_read):
    assert plugins._dated(f"ann+{LESSON}+{time}") == is_read


@pytest.mark.parametrize("name", ["[2026] losses", "100% losses"])
def test_an_odd_folder_is_one_sentence(tmp_path, monkeypatch, name):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "nbgrader_config.py").touch()
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(app, ["feedback", LESSON])
    assert done.exit_code == 1 and "Rename" in done.output and "Traceback" not in done.output, done.output


def test_a_folder_that_everybody_can_read_is_told(tmp_path, monkeypatch):
    """Only where nothing above it is closed: this test's own folder is."""
    (tmp_path / "submitted").mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    assert grade.readable_by_others(tmp_path) == ""
    monkeypatch.setattr(grade.Path, "parents", ())
    assert "submitted" in grade.readable_by_others(tmp_path) and "chmod o-rwx" in grade.readable_by_others(
        tmp_path
    )
    tmp_path.chmod(0o700)
    assert grade.readable_by_others(tmp_path) == ""


def test_cells_join_and_retire_and_all_other_marks_stay(tmp_path, monkeypatch):
    """An exercise that is new in the lesson, and one that has left it, where a class was graded before."""
    folder = school.make(tmp_path, LESSON)
    monkeypatch.chdir(folder)
    with Gradebook(f"sqlite:///{folder}/gradebook.db", "losses") as book:
        book.add_assignment(LESSON)
        book.add_notebook(LESSON, LESSON)
        for name in ("test_gone", OPEN):
            book.add_grade_cell(name, LESSON, LESSON, max_score=2, cell_type="code")
        for name in ("gone", OPEN):
            book.add_solution_cell(name, LESSON, LESSON)
            book.add_source_cell(name, LESSON, LESSON, cell_type="code")
        book.add_student("ann")
        book.add_submission(LESSON, "ann")
        book.find_grade(OPEN, LESSON, LESSON, "ann").manual_score = 1.5
        book.find_comment(OPEN, LESSON, LESSON, "ann").manual_comment = "Say it shorter."
        book.db.commit()
    course = grade.course_here()
    with Book(course.coursedir, course.config) as book:
        grade.ensure_lesson(course, LESSON, book)
        assert book.is_current(LESSON)
    school.nbgrader(folder, "generate_assignment", LESSON)
    assert (folder / "notebooks" / LESSON / f"{LESSON}.ipynb").is_file()
    with Gradebook(f"sqlite:///{folder}/gradebook.db", "losses") as book:
        names = {cell.name for cell in book.find_notebook(LESSON, LESSON).grade_cells}
        assert names == {f"test_{name}" for name in exercises_of(LESSON)} | {OPEN}
        assert book.find_grade(OPEN, LESSON, LESSON, "ann").manual_score == 1.5
        assert book.find_comment(OPEN, LESSON, LESSON, "ann").manual_comment == "Say it shorter."
