"""README.md and notebooks/README.md: what is made from the lessons is what they give now."""

import pytest

from grader.course import pages


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: str(page.parent.name))
def test_the_made_parts_are_current(page):
    text = page.read_text(encoding="utf-8")
    assert pages.filled(text) == text, "run `make build`"


def test_each_part_is_made_somewhere():
    texts = "".join(page.read_text(encoding="utf-8") for page in pages.PAGES)
    assert {name for _, name, _ in pages.PART.findall(texts)} == set(pages.PARTS)


def test_a_part_that_nobody_makes_is_no_part():
    with pytest.raises(KeyError):
        pages.filled("<!-- made: nothing -->\n<!-- end -->")
