"""Open answers, read side by side in a browser: by keys, without names, into nbgrader's gradebook; and nobody
else gets in."""

import html
import json
import re
import urllib.error
import urllib.request

import nbformat
import pytest
from nbgrader.api import Gradebook
from playwright.sync_api import expect
from typer.testing import CliRunner

from grader.__main__ import app
from grader.course.cells import grade_id
from grader.tests import pages, school
from grader.tests.pages import barriers

LESSON, QUESTION = "02_bce", "lower_loss_fewer_right"
EVIL = (
    "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script> "
    "$\\href{javascript:alert(1)}{x}$"
)
WRITTEN = {"ann": "Because $\\log p$ counts how sure.", "bob": EVIL, "cem": "A new answer."}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """Three answers as grading leaves them, one with the mark of an earlier answer, and a fourth that was
    left empty."""
    folder = school.make(tmp_path_factory.mktemp("course"), LESSON)
    notebook = school.answered(LESSON)
    with Gradebook(f"sqlite:///{folder}/gradebook.db", "losses") as book:
        book.add_assignment(LESSON)
        book.add_notebook(LESSON, LESSON)
        for cell in notebook.cells:
            marks = cell.metadata.get("nbgrader", {})
            if marks.get("grade"):
                book.add_grade_cell(
                    grade_id(cell), LESSON, LESSON, max_score=marks["points"], cell_type=cell.cell_type
                )
            if marks.get("solution"):
                book.add_solution_cell(grade_id(cell), LESSON, LESSON)
        for student in [*WRITTEN, "dan"]:
            book.add_student(student)
            book.add_submission(LESSON, student)
            grade = book.find_grade(QUESTION, LESSON, LESSON, student)
            grade.needs_manual_grade = student != "dan"
            if student == "dan":
                grade.auto_score = 0.0
                book.find_comment(QUESTION, LESSON, LESSON, student).auto_comment = "No response."
            if student == "cem":
                grade.manual_score = 1.0
        book.db.commit()
    for student in [*WRITTEN, "dan"]:
        answer = school.answered(LESSON, open_answer=WRITTEN.get(student))
        path = folder / "autograded" / student / LESSON / f"{LESSON}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(answer, path)
    return folder


@pytest.fixture(scope="module")
def address(course, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    command = ["grader", "read", LESSON, "--no-browser"]
    with pages.serving(command, course, home, r"http://localhost:\d+/\?token=\S+") as match:
        yield match[0]


def kept(course, student):
    """(points, is it still to be read, comment) in the gradebook."""
    with Gradebook(f"sqlite:///{course}/gradebook.db", "losses") as book:
        grade = book.find_grade(QUESTION, LESSON, LESSON, student)
        comment = book.find_comment(QUESTION, LESSON, LESSON, student)
        return grade.manual_score, grade.needs_manual_grade, comment.manual_comment


def test_three_answers_are_read_by_keys(course, address, page, monkeypatch):
    page.goto(address)
    assert "token" not in page.url
    text = page.locator("main").inner_text()
    assert not re.search(
        r"\b(ann|bob|cem|dan)\b", text
    ) and "3 answers, 1 left empty. 3 to be read." in " ".join(text.split())
    assert page.title() != "owned" and page.locator(".card img").count() == 0
    cards = {
        "ann": page.locator(".card", has_text="counts how sure"),
        "bob": page.locator(".card", has_text="onerror"),
        "cem": page.locator(".card", has_text="A new answer"),
    }
    expect(cards["cem"]).to_contain_text("the mark of an earlier answer, to be read again")
    assert cards["ann"].locator("math").count() == 1 and cards["bob"].locator("math [href]").count() == 0
    places = {int(card.get_attribute("data-number")): student for student, card in cards.items()}
    first, second, third = (places[n] for n in sorted(places))

    page.keyboard.press("k")  # there is none before the first
    page.keyboard.press("2")
    expect(cards[first].locator(".state")).to_have_text("read, saved")
    page.keyboard.press("c")
    page.keyboard.type("Clear. 1 2 3 j k")
    page.keyboard.press("Escape")
    expect(page.locator("#offered button")).to_have_count(1)
    page.keyboard.press("j")
    page.keyboard.press("1")
    page.keyboard.press("+")
    page.keyboard.press("q")
    expect(cards[second].locator("textarea")).to_have_value("Clear. 1 2 3 j k")
    page.keyboard.press("Enter")
    page.keyboard.press("9")  # more than there is becomes the most
    page.keyboard.press("-")
    page.keyboard.press("-")
    expect(page.locator("#waiting")).to_have_text("0")
    expect(cards[third].locator("input")).to_have_value("1")
    expect(cards[third].locator(".state")).to_have_text("read, saved")
    page.reload()
    assert {s: kept(course, s) for s in (first, second, third)} == {
        first: (2.0, False, "Clear. 1 2 3 j k"),
        second: (1.5, False, "Clear. 1 2 3 j k"),
        third: (1.0, False, None),
    }
    monkeypatch.chdir(course)
    assert CliRunner().invoke(app, ["feedback", "bce"]).exit_code == 0
    made = (course / "feedback" / second / LESSON / f"{LESSON}.html").read_text()
    said = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", made)).split())
    assert f"{QUESTION}: 1.5 of 2, with a comment" in said and "Clear. 1 2 3 j k" in said


def test_nobody_reads_or_writes_without_the_secret_or_from_another_page(course, address):
    root, token = address.split("?")[0], address.partition("token=")[2]
    port = root.rstrip("/").rpartition(":")[2]
    question = f"{root}question/{QUESTION}"
    before = [kept(course, student) for student in WRITTEN]
    given = json.dumps({"number": 1, "version": "", "points": 0, "comment": "owned"}).encode()
    cookie = {"Cookie": f"reading-{port}={token}"}
    for url, data, headers in (
        (question, None, {}),
        (root + "?token=wrong", None, {}),
        (question, None, {"Cookie": f"reading-{port}=wrong"}),
        (question, None, cookie | {"Host": f"evil.example:{port}"}),
        (question, given, cookie),  # another site's form: it has the cookie at best, and no word of the page
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=20)
        assert refused.value.code == 403
        refused.value.close()
    assert [kept(course, student) for student in WRITTEN] == before


def test_points_are_for_the_answer_that_was_read(course, address, page):
    """A learner hands in again while a teacher reads: what is given on the page meets nobody."""
    page.goto(address)
    card = page.locator(".card", has_text="counts how sure")
    path = course / "autograded" / "ann" / LESSON / f"{LESSON}.ipynb"
    nbformat.write(school.answered(LESSON, open_answer="Something else by now."), path)
    before = kept(course, "ann")
    card.locator("input").fill("0")
    card.locator("textarea").focus()
    expect(card.locator(".state")).to_have_text(re.compile("Not saved: another answer"))
    assert kept(course, "ann") == before


def test_the_page_has_no_barriers_and_nothing_of_it_lies_beside_a_phone(address, page):
    page.goto(address)
    assert barriers(page, within=["body"]) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert (
        page.evaluate(
            "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > 391).length"
        )
        == 0
    )
