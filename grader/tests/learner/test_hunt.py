"""The hunt: a mystery is exposed by an input, scored against the judge's smallest, and named among four."""

import pytest
import torch

from grader import accuse, expose, mystery
from grader import progress as show_progress
from grader.course.lessons import exercises
from grader.learner import hunt, progress
from grader.learner.notebook import Unknown


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A learner's folder in which `bce` passes."""
    progress.save(tmp_path / progress.FILE, progress.EMPTY | {"passed": ["bce", "BCEWithLogits"]})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hunt, "_latest", {})
    return tmp_path


def give(monkeypatch, name, place):
    """Let chance choose this mistake."""
    monkeypatch.setattr(hunt, "_waiting", lambda exercise, named: place if place not in named else None)
    return mystery(name)


def place_of(name, words):
    return next(i for i, m in enumerate(exercises()[name].mistakes) if words in m.says)


def test_a_mystery_opens_when_the_exercise_passes(work):
    with pytest.raises(Unknown, match="opens when your sigmoid passes"):
        mystery("sigmoid")


def test_from_the_mystery_to_its_name(work, monkeypatch, capsys):
    place = place_of("bce", "You added the losses up")
    made = give(monkeypatch, "bce", place)
    p, y = torch.tensor([0.5, 0.9]), torch.tensor([1.0, 1.0])
    assert made(p, y).item() == pytest.approx(0.7985, abs=1e-3), "it is called as the exercise is"
    assert "sum" not in repr(made)
    with pytest.raises(Unknown, match="First find an input"):
        accuse("bce")
    expose("bce", p[:1], y[:1])
    assert "No difference" in capsys.readouterr().out
    expose("bce", p, y)
    assert "4 numbers went in. The judge needs 2: can you do with fewer?" in capsys.readouterr().out
    expose("bce", p[:1], y[:1], reduction="none")  # one number where a vector of one is expected
    assert "2 numbers went in. No smaller input is known to the judge." in capsys.readouterr().out
    accuse("bce")
    listed = capsys.readouterr().out
    offered = hunt._offered(exercises()["bce"], place)
    assert len(offered) == 4 and all(
        exercises()["bce"].mistakes[i].says.replace("`", "") in listed for i in offered
    )
    accuse("bce", offered.index(place) + 1)
    told = capsys.readouterr().out
    assert "Yes. Its author would be told: “You added" in told, "the hunter is blamed for nothing"
    assert "3 of 3 points (exposed, by the smallest input, named at try 1)" in told
    assert "That was the last one of bce." in told, "chance, as the test has it, holds no other"
    state = progress.load(work / progress.FILE)["hunt"]["bce"]
    assert state["named"] == [place] and state["points"] == 3 and state["at"] is None
    show_progress()
    assert "The hunt: 3 of 3 points, 1 named." in capsys.readouterr().out


def test_a_mystery_that_shows_nothing_is_no_dead_end(work, monkeypatch, capsys):
    give(monkeypatch, "bce", place_of("bce", "You decided by the label"))
    p, y = torch.tensor([0.3]), torch.tensor([1.0])
    said = []
    for _ in range(hunt.SHOWN_AFTER):
        expose("bce", p, y)
        said.append(capsys.readouterr().out)
    assert "case" not in said[0] and "in the case “soft labels”" in said[hunt.TOLD_AFTER - 1]
    assert "bce(p=[" in said[-1] and "costs the point" in said[-1]
    expose("bce", p, torch.tensor([0.3]))
    offered = hunt._offered(exercises()["bce"], place_of("bce", "You decided by the label"))
    accuse("bce", offered.index(place_of("bce", "You decided by the label")) + 1)
    assert "2 of 3 points (exposed, named at try 1)" in capsys.readouterr().out


def test_a_wrong_accusation_is_answered_by_the_input(work, monkeypatch, capsys):
    place = place_of("bce", "You added the losses up")
    give(monkeypatch, "bce", place)
    expose("bce", torch.tensor([0.5]), torch.tensor([1.0]), reduction="none")
    offered = hunt._offered(exercises()["bce"], place)
    wrong = next(n for n, i in enumerate(offered, 1) if i != place)
    accuse("bce", wrong)
    said = capsys.readouterr().out
    assert "No:" in said and "On your input" in said
    monkeypatch.setattr(hunt, "_waiting", lambda exercise, named: 0)
    accuse("bce", offered.index(place) + 1)
    told = capsys.readouterr().out
    assert "2 of 3 points" in told and 'Other mistakes wait: mystery("bce").' in told


def test_numbers_and_lists_make_tensors_and_what_is_not_taken_is_told_with_an_example(
    work, monkeypatch, capsys
):
    give(monkeypatch, "bce", place_of("bce", "You added the losses up"))
    expose("bce", p=[0.5, 0.9], y=[1, 1])
    assert "4 numbers went in." in capsys.readouterr().out
    expose("bce", 0.5)
    assert "as in this example:\nbce(p=[" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["bce", "softmax", "BCEWithLogits", "numerical_gradient"])
def test_nearly_every_known_mistake_can_be_hunted(name):
    """What a plain call cannot show (a gradient that is cut, an input changed) is left out."""
    exercise = exercises()[name]
    sizes = [hunt.judges_size(exercise, i) for i in range(len(exercise.mistakes)) if hunt._shown(exercise, i)]
    assert len(sizes) >= 0.8 * len(exercise.mistakes) and min(sizes) >= 1
