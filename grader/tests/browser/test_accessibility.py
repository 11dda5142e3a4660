"""A lesson read outside JupyterLab, as a page with its stored outputs, has no barriers that axe finds.

The live notebook is tried in test_browser.py, the pages of a grading in test_feedback.py.
"""

import re

import pytest
from nbconvert import HTMLExporter

from grader.course.build import instructors, loads
from grader.course.lessons import lessons
from grader.tests.pages import barriers

OURS = [".jp-RenderedMarkdown", ".jp-OutputArea-output"]
THEIRS = ["link-in-text-block"]  # how a link looks is nbconvert's


def show(page, lesson, folder):
    # code is nbconvert's to colour, and judged by nobody here: without it a page is made and judged in half the time
    body, _ = HTMLExporter(exclude_input=True).from_notebook_node(loads(instructors(lesson)))
    path = folder / f"{lesson}.html"
    path.write_text(
        re.sub(r"<script\b.*?</script>", "", body, flags=re.S), encoding="utf-8"
    )  # nbconvert fetches MathJax and others
    page.goto(path.as_uri())


@pytest.mark.parametrize("lesson", lessons())
def test_a_lesson(page, lesson, tmp_path):
    show(page, lesson, tmp_path)
    assert barriers(page, within=OURS, rules=THEIRS) == []


def test_what_is_wrong_is_found(page, tmp_path):
    show(page, "02_bce", tmp_path)
    page.locator(".jp-OutputArea-output img").first.evaluate("picture => picture.removeAttribute('alt')")
    page.locator(".jp-RenderedMarkdown p").first.evaluate("text => text.style.color = '#aaa'")
    assert {found.split(":")[0] for found in barriers(page, within=OURS, rules=THEIRS)} == {
        "color-contrast",
        "image-alt",
    }
