"""What is read outside JupyterLab, the site's pages, has no barriers that axe finds: its lessons with their
stored outputs, and its guides.

The live notebook, with its panels, is tested in test_browser.py, the pages of a grading in test_feedback.py.
`make site` builds the pages.
"""

import pytest

from grader.course.lessons import ROOT, lessons
from grader.site.sources import PAGES
from grader.tests.pages import barriers

HTML = ROOT / ".cache" / "site" / "html"
GUIDES = [page.removesuffix(".md") for file, page in PAGES.items() if (ROOT / file).is_file()]
TEXT = ["article.bd-article"]


def show(page, name, code=False):
    """Open a page of the site with its formulas as they are written: MathJax sets them in seconds, and
    nothing here is about them."""
    if not (HTML / "index.html").is_file():
        pytest.skip("the site is not built: make site")
    page.route("**/mathjax/**", lambda route: route.abort())
    page.goto((HTML / f"{name}.html").as_uri())
    # the colours of code are the theme's, the same on each page; without it a page is judged in half the time
    if not code:
        page.evaluate("document.querySelectorAll('div.highlight').forEach(block => block.remove())")


@pytest.mark.parametrize("name", ["index", *GUIDES, *(f"lessons/{lesson}" for lesson in lessons())])
def test_a_page(page, name):
    show(page, name, code=name in ("learner", "lessons/00_tools"))
    assert barriers(page, within=TEXT) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_frame_around_a_page(page, scheme):
    """The whole of the start page, in a window so high that nothing in it is scrolled away."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 1200, "height": 2400})
    show(page, "index")
    assert barriers(page, within=["body"]) == []


@pytest.mark.parametrize("name", ["index", "losses", "pitfalls", "lessons/02_bce"])
def test_a_page_is_as_wide_as_a_phone(page, name):
    page.set_viewport_size({"width": 390, "height": 800})
    show(page, name)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_what_is_wrong_is_found(page):
    show(page, "lessons/02_bce")
    page.locator("article img").first.evaluate("picture => picture.removeAttribute('alt')")
    page.locator("article p").first.evaluate("text => text.style.color = '#aaa'")
    assert {found.split(":")[0] for found in barriers(page, within=TEXT)} == {"color-contrast", "image-alt"}
