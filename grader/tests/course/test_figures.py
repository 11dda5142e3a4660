"""Figures: a picture with its text alternative, the text alone where a class is graded; sliders only where a
person has the notebook open."""

import nbformat
import pytest
from nbclient import NotebookClient

CELL = """import matplotlib.pyplot as plt
from grader.figures import interact

def draw(height):
    plt.plot([0, height])
    return f"A line that rises to {height:.1f} & stays <there>."

interact(draw, height=(0.0, 2.0, 0.5, 1.0))"""
SAYS = "A line that rises to 1.0 & stays <there>."


def outputs(monkeypatch, **env):
    for name in ("JPY_SESSION_NAME", "NBGRADER_EXECUTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    return [o.data for o in NotebookClient(nb, timeout=120, kernel_name="python3").execute().cells[0].outputs]


@pytest.mark.parametrize(
    "env",
    [{}, {"JPY_SESSION_NAME": "lesson.ipynb", "NBGRADER_EXECUTION": "validate"}],
    ids=["built", "validated"],
)
def test_where_nobody_looks_there_is_a_picture_and_its_text_and_nothing_else(monkeypatch, env):
    (picture,) = outputs(monkeypatch, **env)
    assert set(picture) == {"image/png", "text/plain"} and picture["text/plain"] == SAYS


def test_where_a_class_is_graded_there_are_only_the_words(monkeypatch):
    assert outputs(monkeypatch, NBGRADER_EXECUTION="autograde") == [{"text/plain": SAYS}]


def test_in_a_notebook_that_a_person_has_open_there_is_a_slider_too_and_the_picture_has_an_alternative(
    monkeypatch,
):
    picture, slider = outputs(monkeypatch, JPY_SESSION_NAME="lesson.ipynb")
    assert picture["text/plain"] == SAYS and "image/png" in picture
    assert 'alt="A line that rises to 1.0 &amp; stays &lt;there&gt;."' in picture["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in slider
