"""The folder `work/`: nothing of the learner's is ever lost, whatever the course does."""

import html
import json
import re

import nbformat
import pytest
from ipykernel.ipkernel import IPythonKernel

from grader.course.build import loads, released
from grader.course.lessons import exercises_of, lessons, title
from grader.learner import progress, server, workspace

LESSON = "02_bce"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Releases that a test may change, as an upgrade of the course does: a function of a lesson's name gives
    their path."""

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


def texts(path):
    return [cell.source for cell in loads(path).cells]


def upgrade(course):
    nb = loads(course(LESSON))
    nb.cells[0].source += "\n\nA new sentence."
    nbformat.write(nb, course(LESSON))


def start(work):
    """The start page's text, and where its links lead."""
    return server.page(work, "/")


def test_the_first_start_brings_every_lesson_and_a_page_that_says_where_one_is(tmp_path):
    assert workspace.prepare(tmp_path) == []
    folders = [p.name for p in sorted(tmp_path.iterdir()) if p.is_dir() and not p.name.startswith(".")]
    assert folders == lessons()
    page, first = start(tmp_path), lessons()[0]
    assert "0 of " in page and f"next exercise <code>{next(iter(exercises_of(first)))}</code>" in page
    for lesson in lessons():
        assert (tmp_path / lesson / f"{lesson}.ipynb").exists()
        assert (
            f'<a href="/lab/tree/{lesson}/{lesson}.ipynb">{html.escape(title(lesson), quote=False)}</a>'
            in page
        )
    assert "Binary only" in page and page.count(" → ") > 10, "the paths"


def test_the_page_goes_on_with_the_lesson_somebody_was_at_last(work):
    book = work / "progress.json"
    progress.save(book, progress.load(book) | {"last": "06_softmax"})
    assert server.ahead(progress.summary(book), "06_softmax")[0] == "06_softmax"
    card = start(work).split('class="continue"')[1].split("</a>")[0]
    assert title("06_softmax") in card and "/lab/tree/06_softmax/06_softmax.ipynb" in card


def test_the_page_says_when_the_course_is_done(work):
    book = work / "progress.json"
    every = [name for lesson in lessons() for name in exercises_of(lesson)]
    progress.save(book, progress.load(book) | {"passed": every})
    assert "The course is done." in start(work) and "Continue:" not in start(work)


def test_the_page_of_losses_is_in_the_work_folder_and_every_link_of_it_leads_somewhere(work):
    text = "\n".join(cell.source for cell in loads(work / workspace.LOSSES).cells)
    links = set(re.findall(r"\]\(([^)#]+)\)", text))
    assert "All the losses on one page" in text and "$`" not in text
    assert len(links) >= len(lessons()) and all((work / link).exists() for link in links), links


def test_a_later_start_overwrites_nothing_and_counts_what_passes(work):
    before = notebook(work).read_bytes()
    assert workspace.prepare(work) == []
    assert notebook(work).read_bytes() == before
    page = start(work)
    assert f"2 of {sum(len(exercises_of(lesson)) for lesson in lessons())} exercises" in page
    assert f"2 of {len(exercises_of(LESSON))}" in page and "next: <code>bernoulli_likelihood</code>" in page


def test_a_notebook_holds_what_jupyterlab_would_add(work):
    kernel = IPythonKernel.language_info
    assert {k: loads(notebook(work)).metadata.language_info[k] for k in kernel} == kernel


def test_a_lesson_that_was_deleted_comes_back(work):
    notebook(work).unlink()
    assert workspace.prepare(work) == [] and notebook(work).exists()


def test_an_upgrade_carries_over_what_is_the_learners_own_and_keeps_the_old_notebook(work, course):
    nb = loads(notebook(work))
    where = next(i for i, cell in enumerate(nb.cells) if cell.id == "bce")
    nb.cells.insert(where + 1, nbformat.v4.new_code_cell("my_own = 1"))
    nb.cells[3].source += "\n\nA note of mine."
    nbformat.write(nb, notebook(work))
    before = notebook(work).read_bytes()
    upgrade(course)
    (said,) = workspace.prepare(work)
    assert LESSON in said and f"{LESSON}-before-upgrade.ipynb" in said and said in html.unescape(start(work))
    assert (work / LESSON / f"{LESSON}-before-upgrade.ipynb").read_bytes() == before
    cells = loads(notebook(work)).cells
    texts = [cell.source for cell in cells]
    assert "A new sentence." in texts[0] and "return MINE" in texts[where]
    assert texts[where + 1] == "my_own = 1" and "A note of mine." in texts[3]
    assert len(cells) == len(loads(course(LESSON)).cells) + 1
    assert json.loads((work / "progress.json").read_text())["passed"] == ["bce", "bce_grad"]
    assert workspace.prepare(work) == [], "once is enough"


def test_an_untouched_lesson_is_replaced_by_the_new_one(work, course):
    nbformat.write(loads(course(LESSON)), notebook(work))
    upgrade(course)
    assert workspace.prepare(work) == []
    assert "A new sentence." in loads(notebook(work)).cells[0].source
    assert not list(notebook(work).parent.glob("*before-upgrade*"))


def test_a_fresh_copy_stands_beside_the_old_one(work, course):
    before = notebook(work).read_bytes()
    upgrade(course)
    fresh = [workspace.fresh(LESSON, work) for _ in range(2)]
    assert [p.name for p in fresh] == ["02_bce-fresh.ipynb", "02_bce-fresh-2.ipynb"]
    assert "A new sentence." in fresh[0].read_text(encoding="utf-8") and notebook(work).read_bytes() == before


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
    assert texts(notebook(work)) == texts(course(LESSON)) and kept.read_bytes() == before
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
