"""What an author marks in a lesson's text, and what the build adds to it: folds, text that comes with a pass,
links, the way on."""

import pytest

from grader.course.build import LessonError, loads, notebook, passed_text, released, text_of
from grader.course.lessons import exercises_of, lessons, minutes, names, title

LESSON = "02_bce"


def built(text="", lesson=LESSON):
    """The cells of a lesson with some more text at its end."""
    return notebook(text_of(lesson).read_text(encoding="utf-8") + "\n" + text, lesson).cells


def with_pass(place):
    """The lesson's text with a cell that comes with the pass of `bce`, put before this line."""
    text = text_of(LESSON).read_text(encoding="utf-8")
    mark = '# %% [markdown] passed="bce"\n# So that was it.\n\n'
    assert text.count(place) == 1
    return text.replace(place, mark + place)


def test_text_that_comes_with_a_pass_is_a_cell_of_neither_notebook():
    text = text_of(LESSON).read_text(encoding="utf-8")
    behind = text.index("### END SOLUTION", text.index('exercise="bce"')) + len("### END SOLUTION\n")
    marked = text[:behind] + '\n# %% [markdown] passed="bce"\n# So that was it.\n' + text[behind:]
    assert not any("So that was it." in cell.source for cell in notebook(marked, LESSON).cells)


@pytest.mark.parametrize("lesson", lessons())
def test_what_comes_with_a_pass_is_shown_nowhere_else(lesson):
    shown = "\n".join(cell.source for cell in loads(released(lesson)).cells)
    for name in exercises_of(lesson):
        if text := passed_text(name):
            assert text.splitlines()[0] not in shown, name


def test_the_build_refuses_a_text_for_a_pass_that_stands_elsewhere():
    with pytest.raises(LessonError, match="directly behind the cell of that exercise"):
        notebook(with_pass("# %% [markdown]\n# ## Recap"), LESSON)


def test_what_is_folded_opens_under_its_title():
    text, code = built(
        '# %% [markdown] fold="The derivation"\n# Take the slope.\n\n# %% fold="In steps"\n# in steps\nprint(1)\n'
    )[-3:-1]
    assert text.source == "<details><summary>The derivation</summary>\n\nTake the slope.\n\n</details>"
    assert code.metadata.jupyter.source_hidden is True


@pytest.mark.parametrize("lesson", lessons())
def test_code_that_draws_is_folded_and_says_in_its_first_line_what_it_draws(lesson):
    """Of a folded cell JupyterLab shows the first line."""
    for cell in built(lesson=lesson):
        if cell.cell_type == "code" and cell.metadata.get("jupyter", {}).get("source_hidden"):
            assert cell.source.startswith("# "), cell.source


def test_a_figure_may_be_kept_open():
    assert "jupyter" in built('# %%\nshow("A line.")\n')[-2].metadata
    assert "jupyter" not in built('# %% fold=""\nshow("A line.")\n')[-2].metadata


def test_the_names_of_other_lessons_are_links_and_its_own_is_none():
    (cell,) = (
        c
        for c in built("# %% [markdown]\n# `01_sigmoid`, then `02_bce`, `99_none`.\n")
        if "99_none" in c.source
    )
    assert cell.source == "[01_sigmoid](../01_sigmoid/01_sigmoid.ipynb), then `02_bce`, `99_none`."


@pytest.mark.parametrize("lesson", lessons())
def test_every_lesson_ends_with_the_way_on_and_run_all_goes_past_a_broken_answer(lesson):
    cells = built(lesson=lesson)
    assert cells[-1].source.endswith(f'finish("{lesson}")')
    for cell in cells:
        if cell.id in exercises_of(lesson):
            assert cell.metadata.tags == ["raises-exception"]
    question = next(
        i
        for i, c in enumerate(cells)
        if c.metadata.get("nbgrader", {}).get("points") and c.cell_type == "markdown"
    )
    assert cells[question + 1].source == f'solution("{cells[question].id}")'


@pytest.mark.parametrize("lesson", lessons())
def test_what_a_lesson_says_of_itself_is_read_without_its_exercises(lesson):
    assert set(names(lesson)) == set(exercises_of(lesson))
    assert title(lesson).endswith("?"), f"a lesson's heading asks a question: {title(lesson)}"
    assert 20 <= minutes(lesson) <= 90, f"`About {minutes(lesson)} minutes`: a lesson takes 20 to 90"
