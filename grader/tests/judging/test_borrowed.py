"""An answer that hands the course's own answer on has the right numbers, and they are borrowed; one that
leans on an earlier exercise is an answer."""

from functools import partial

import pytest

from grader.course.build import course_answer
from grader.course.lessons import exercises
from grader.judging.judge import judge
from grader.judging.question import lent, run

HANDS_ON = {
    "as it is": "answer = bce_of_the_course",
    "in a function": "def answer(p, y, reduction='mean'): return bce_of_the_course(p, y, reduction)",
    "by keywords": "def answer(p, y, reduction='mean'): return bce_of_the_course(y=y, p=p, reduction=reduction)",
    "times one": "def answer(p, y, reduction='mean'): return 1 * bce_of_the_course(p + 0, y * 1, reduction)",
    "twice negated": "def answer(p, y, reduction='mean'): return -(-bce_of_the_course(-(-p), y, reduction))",
    "copied": "def answer(p, y, reduction='mean'): return bce_of_the_course(p.clone(), y.clone(), reduction).clone()",
    "with a way around it": (
        "def answer(p, y, reduction='mean'):\n    if p.numel() == 0: return p\n    return "
        "bce_of_the_course(p, y, reduction)"
    ),
}
LEANS = {
    "on the losses of the samples": "def answer(p, y, reduction='mean'):\n    losses = per_sample_of_the_course(p, y)\n"
    "    return losses if reduction == 'none' else getattr(losses, reduction)()",
    "its own, beside a call for comparison": (
        "def answer(p, y, reduction='mean'):\n    bce_of_the_course(p[:1], y[:1])\n    losses = -(y * "
        "p.log() + (1 - y) * (1 - p).log())\n    return losses if reduction == 'none' else getattr(losses, "
        "reduction)()"
    ),
}


def verdict(source):
    exercise = exercises()["bce"]
    names = {
        "bce_of_the_course": lent("bce_of_the_course", course_answer("bce")),
        "per_sample_of_the_course": lent("bce_per_sample", course_answer("bce_per_sample")),
    }
    exec(source, names)
    return judge(
        exercise, lambda question, gradient: run(names["answer"], question, exercise.parameters, gradient)
    )


@pytest.mark.parametrize("source", HANDS_ON.values(), ids=HANDS_ON)
def test_what_is_handed_on_is_borrowed(source):
    judged = verdict(source)
    assert not judged.passed and judged.points == 0
    assert judged.finding.startswith("Right numbers, but borrowed") and "bce_of_the_course" in judged.finding


@pytest.mark.parametrize("source", LEANS.values(), ids=LEANS)
def test_what_leans_on_an_earlier_exercise_is_an_answer(source):
    assert verdict(source).passed


def test_a_class_is_lent_as_a_class():
    exercise = exercises()["BCEWithLogits"]
    made = lent("BCEWithLogits", course_answer("BCEWithLogits"))
    judged = judge(exercise, partial(_asked, made, exercise))
    assert judged.points == 0 and "borrowed" in judged.finding


def _asked(made, exercise, question, gradient):
    return run(made, question, exercise.parameters, gradient)
