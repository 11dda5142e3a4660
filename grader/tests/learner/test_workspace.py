"""The folder `work/`: nothing of the learner's is ever lost, whatever the course does."""

import json

import nbformat
import pytest

from grader.course.build import loads, released
from grader.course.lessons import exercises_of, lessons
from grader.learner import progress, workspace

LESSON = "02_bce"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Releases that a test may change, as an upgrade of the course does: a function of a lesson's name gives their path."""

    def path(lesson):
        copy = tmp_path / "releases" / f"{lesson}.ipynb"
        if not copy.exists():
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(released(lesson).read_bytes())
        return copy

    monkeypatch.setattr(workspace, "released", path)
    return path


@pytest.fixture
def work(tmp_path, course):
    """A work folder in which the first exercise is answered, and passes."""
    work = tmp_path / "my" / "work"
    assert workspace.prepare(work) == []
    answer(work, "bce", "def bce(p, y, reduction='mean'): return MINE")
    book = work / "progress.json"
    progress.save(book, progress.load(book) | {"passed": ["bce", "bce_grad"]})
    return work


def notebook(work, name=LESSON):
    return work / LESSON / f"{name}.ipynb"


def answer(work, exercise, source):
    nb = loads(notebook(work))
    next(c for c in nb.cells if c.id == exercise).source = source
    nbformat.write(nb, notebook(work))


def upgrade(course):
    nb = loads(course(LESSON))
    nb.cells[0].source += "\n\nA new sentence."
    nbformat.write(nb, course(LESSON))


def start(work):
    return loads(work / workspace.START).cells[0].source


def test_the_first_start_brings_every_lesson_and_a_page_that_says_where_one_is(tmp_path):
    assert workspace.prepare(tmp_path) == []
    assert [p.name for p in sorted(tmp_path.iterdir()) if p.is_dir()] == lessons()
    page, first = start(tmp_path), lessons()[0]
    assert page.splitlines()[0].startswith("# ") and "**0 of " in page
    assert f"Next: [{first}]({first}/{first}.ipynb), exercise `{next(iter(exercises_of(first)))}`" in page
    assert all(
        (tmp_path / lesson / f"{lesson}.ipynb").exists() and f"]({lesson}/{lesson}.ipynb)" in page
        for lesson in lessons()
    )


def test_a_later_start_overwrites_nothing_and_counts_what_passes(work):
    before = notebook(work).read_bytes()
    assert workspace.prepare(work) == []
    assert notebook(work).read_bytes() == before
    assert (
        "**2 of " in start(work)
        and f"| [{LESSON}]({LESSON}/{LESSON}.ipynb) | 2 of {len(exercises_of(LESSON))} | next: `bernoulli_likelihood` |"
        in start(work)
    )


def test_a_lesson_that_was_deleted_comes_back(work):
    notebook(work).unlink()
    assert workspace.prepare(work) == [] and notebook(work).exists()


def test_an_upgrade_names_the_lessons_that_changed_and_touches_none(work, course):
    before = notebook(work).read_bytes()
    upgrade(course)
    for _ in range(2):
        assert workspace.prepare(work) == [LESSON]
    assert notebook(work).read_bytes() == before
    assert f"**{LESSON}**" in start(work) and f"python -m grader fresh {LESSON}" in start(work)
    assert json.loads((work / "progress.json").read_text())["passed"] == ["bce", "bce_grad"]


def test_a_fresh_copy_stands_beside_the_old_one(work, course):
    before = notebook(work).read_bytes()
    upgrade(course)
    fresh = [workspace.fresh(LESSON, work) for _ in range(2)]
    assert [p.name for p in fresh] == ["02_bce-fresh.ipynb", "02_bce-fresh-2.ipynb"]
    assert "A new sentence." in fresh[0].read_text(encoding="utf-8") and notebook(work).read_bytes() == before
    assert workspace.prepare(work) == [], "a lesson is not announced again once there is a fresh copy"


def test_one_exercise_goes_back_to_its_beginning_and_the_rest_stays(work):
    answer(work, "bce_grad", "def bce_grad(p, y): return ALSO_MINE")
    before = notebook(work).read_bytes()
    kept = workspace.reset(LESSON, "bce", work)
    text = notebook(work).read_text(encoding="utf-8")
    assert "ALSO_MINE" in text and "return MINE" not in text and kept.read_bytes() == before
    assert progress.load(work / "progress.json")["passed"] == ["bce_grad"]


def test_a_whole_lesson_goes_back_to_its_beginning(work, course):
    before = notebook(work).read_bytes()
    kept = workspace.reset(LESSON, work=work)
    assert notebook(work).read_bytes() == course(LESSON).read_bytes() and kept.read_bytes() == before
    assert progress.load(work / "progress.json")["passed"] == []


@pytest.mark.parametrize(
    "spoil, lesson, exercise, says",
    [
        (lambda path: None, LESSON, "sigmoid", "02_bce has no exercise 'sigmoid', only bernoulli_likelihood"),
        (lambda path: path.unlink(), LESSON, None, "`make lab` puts it there"),
        (
            lambda path: path.write_text(path.read_text().replace('"grade_id": "bce"', '"grade_id": "gone"')),
            LESSON,
            "bce",
            "reset the whole lesson",
        ),
    ],
)
def test_a_reset_that_cannot_be_done_says_why_and_changes_nothing(work, spoil, lesson, exercise, says):
    spoil(notebook(work))
    before = notebook(work).read_bytes() if notebook(work).exists() else None
    with pytest.raises((ValueError, FileNotFoundError), match=says):
        workspace.reset(lesson, exercise, work)
    assert before is None or notebook(work).read_bytes() == before
    assert not list(notebook(work).parent.glob("*before-reset*"))
    assert progress.load(work / "progress.json")["passed"] == ["bce", "bce_grad"]
