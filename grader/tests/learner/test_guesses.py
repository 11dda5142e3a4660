"""Guesses: kept with the progress, compared by a stated tolerance, and not a word where nothing was guessed."""

import pytest
import torch

from grader import guess, guessed, guesses
from grader.course.build import LessonError, notebook, text_of
from grader.learner import progress


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A learner's folder: guesses are kept there and nowhere else."""
    progress.save(tmp_path / progress.FILE, progress.EMPTY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kept(work):
    return progress.load(work / progress.FILE)["guesses"]


@pytest.mark.parametrize(
    "value, truth, options, right",
    [
        (0.06, torch.tensor(0.0577), {"within": 0.02}, True),
        (0.09, torch.tensor(0.0577), {"within": 0.02}, False),
        (105, 100.0, {"percent": 10}, True),
        (4, 4, {}, True),
        ("NaN", float("nan"), {}, True),
        (float("inf"), torch.tensor(float("inf")), {}, True),
        ("smaller", "smaller", {"choices": ("smaller", "larger")}, True),
        (True, False, {}, False),
        ((4, 1), torch.zeros(4, 1).shape, {}, True),
        ([0.1, 0.2], torch.tensor([0.11, 0.19]), {"within": 0.02}, True),
        ((4,), (4, 4), {}, False),
    ],
    ids=str,
)
def test_a_guess_is_compared_with_what_came_out(work, capsys, value, truth, options, right):
    guess("one", value, sure=0.7)
    assert "Your guess is kept" in capsys.readouterr().out
    guessed("one", truth, **options)
    said = capsys.readouterr().out
    assert "70% sure" in said and ("not this time" not in said) is right
    assert kept(work)["one"]["right"] is right


def test_where_nothing_was_guessed_nothing_is_said(work, capsys, monkeypatch):
    guess("one", ..., sure=...)
    guessed("one", 0.5, within=0.1)
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    guess("one", 0.5, sure=0.5)
    assert capsys.readouterr().out == "" and kept(work) == {}


def test_a_guess_stands_once_the_answer_was_seen(work, capsys):
    guess("one", 1, sure=0.9)
    guess("one", 2, sure=0.9)
    guessed("one", 3)
    guess("one", 3, sure=1.0)
    assert "it stands as you made it" in capsys.readouterr().out
    assert kept(work)["one"] == {"guess": 2, "sure": 0.9, "right": False}


@pytest.mark.parametrize(
    "value, sure, says",
    [
        (0.5, 70, "70 per cent is `sure=0.7`"),
        (object(), 0.5, "A guess is a number, a word"),
        (0.5, "very", "from 0 to 1"),
    ],
)
def test_a_slip_gets_a_line_and_keeps_nothing(work, capsys, value, sure, says):
    guess("one", value, sure=sure)
    assert says.replace("`", "") in capsys.readouterr().out and kept(work) == {}


def test_a_word_that_was_not_offered_is_not_counted(work, capsys):
    guess("one", "bigger", sure=0.5)
    guessed("one", "larger", choices=("smaller", "larger"))
    assert (
        'the choices were "smaller", "larger"' in capsys.readouterr().out and "right" not in kept(work)["one"]
    )


def test_the_guesses_are_ones_own_from_twenty_on_and_a_sample_classs_before(work):
    for number in range(19):
        guess(f"g{number}", 1, sure=0.8)
        guessed(f"g{number}", number % 2)
    assert guesses()[2] == "a sample class's"
    guess("g19", 1, sure=0.6)
    guessed("g19", 1)
    sure, right, whose = guesses()
    assert whose == "yours" and sure.dtype == right.dtype == torch.float64
    assert sure.shape == right.shape == (20,) and right.sum() == 10


def test_the_sample_class_is_the_same_for_everybody_and_behind_the_walls():
    from grader.jail import inert

    sure, right, whose = inert.guesses()
    again = guesses()
    assert whose == again[2] and torch.equal(sure, again[0]) and torch.equal(right, again[1])
    confident = right[sure >= 0.9].mean()
    assert confident < 0.85, "sure of more than comes true, as people are"


@pytest.mark.parametrize(
    "cells, why",
    [
        ('guess("a", ...)', "one guess and one guessed"),
        ('guessed("a", 1)', 'no guess."a"'),
        ('guess("a", ...)\nguess("a", ...)\nguessed("a", 1)', "one guess and one guessed"),
        ("guess(1, ...)", "begins with the name"),
    ],
)
def test_the_build_refuses_guesses_that_do_not_come_in_pairs(cells, why):
    text = text_of("02_bce").read_text(encoding="utf-8") + f"\n# %%\n{cells}\n"
    with pytest.raises(LessonError, match=why):
        notebook(text, "02_bce")
