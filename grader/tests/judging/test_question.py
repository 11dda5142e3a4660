"""Asking an answer: how it ended is one thing, what it raised another, and the line that is shown is the
learner's own."""

import importlib.util
import shutil
import sys

import pytest
import torch

from grader.judging import question
from grader.judging.diagnose.words import LOST
from grader.judging.exercise import Exercise
from grader.judging.judge import judge
from grader.judging.question import Ended, Raised, Result, run

Z = torch.tensor([1.0, 2.0])
INSIDE = {  # where it goes wrong -> the learner's line, however deep the frames below it
    "torch": "return torch.zeros(3) + z",
    "a torch module": "return torch.nn.Linear(7, 1)(z)",
    "a function of the course": "return f('no tensor')",
    "the trace": "return torch.softmax(z, 9)",
    "numpy": "import numpy; return numpy.ones(3) @ numpy.ones(4)",
    "the standard library": "import json; return json.loads('{')",
}


def learners(body, tmp_path):
    """A function in a file of a learner's: two lines, the second is `body`."""
    path = tmp_path / "answer.py"
    path.write_text(f"import torch\ndef answer(z, f):\n    {body}\n")
    namespace = {"__name__": "learner"}
    exec(compile(path.read_text(), str(path), "exec"), namespace)
    return namespace["answer"]


@pytest.fixture(params=["at home", "moved"])
def module(request, tmp_path):
    """The module itself, and a copy of it in another folder under another name."""
    if request.param == "at home":
        return question
    copy = tmp_path / "elsewhere" / "asking.py"
    copy.parent.mkdir()
    shutil.copy(question.__file__, copy)
    spec = importlib.util.spec_from_file_location("asking", copy)
    sys.modules["asking"] = moved = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(moved)
    return moved


@pytest.mark.parametrize("where", INSIDE)
def test_the_line_shown_is_the_learners_wherever_this_module_lies(module, where, tmp_path):
    function = module.Smooth(Z, Z, Z)
    result = module.run(learners(INSIDE[where], tmp_path), module.call(Z, function), ["z", "f"], ["z"])
    assert (result.raised.line, result.raised.source) == (3, INSIDE[where])


def test_a_learner_who_calls_an_exception_like_our_words_is_told_of_an_exception():
    class ProcessDied(Exception):
        pass

    def answer(z):
        raise ProcessDied("I called it so")

    exercise = Exercise("loss", lambda z: z.sum(), points=1)
    exercise.case("random")(lambda rng: (rng.normal(3),))
    judged = judge(exercise, lambda q, names: run(answer, q, ["z"]))
    assert "Your code raised ProcessDied: I called it so" in judged.finding


@pytest.mark.parametrize("ended", [e for e in Ended if e.lost])
def test_each_way_of_being_lost_has_a_sentence(ended):
    exercise = Exercise("loss", lambda z: z.sum(), points=1)
    exercise.case("random")(lambda rng: (rng.normal(3),))
    judged = judge(exercise, lambda q, names: Result(ended=ended))
    assert judged.finding == LOST[ended] and judged.example.yours == "nothing came back"


def test_a_result_says_one_thing_about_its_end():
    assert Result(1.0).ended is Ended.RETURNED and Result(raised=Raised("E", "")).ended is Ended.RAISED
    for nonsense in (dict(ended=Ended.RAISED), dict(ended=Ended.LATE, raised=Raised("E", ""))):
        with pytest.raises(ValueError, match="a result that"):
            Result(**nonsense)
