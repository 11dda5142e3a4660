"""The small picture of a wrong answer: drawn where it says something, readable without seeing it."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from grader.course.lessons import exercises
from grader.judging.judge import judge
from grader.judging.question import run


def panel(name, answer):
    exercise = exercises()[name]
    return judge(
        exercise, lambda question, gradient: run(answer, question, exercise.parameters, gradient), seed=3
    )


def test_a_wrong_curve_is_drawn_over_the_right_one_for_eyes_and_for_screen_readers():
    picture = panel("sigmoid", lambda z: z.tanh()).picture
    svg = ElementTree.fromstring(picture.partition("<div")[0])
    assert re.search(
        r"Furthest apart at z = -?[\d.]+: expected [\d.]+, yours -?[\d.]+\.$", svg.get("aria-label")
    )
    assert svg.get("aria-label").partition("Furthest")[2] in picture.partition("<div")[2], "said to eyes, too"
    assert svg.get("role") == "img" and "expected as a solid line, yours dashed" in svg.get("aria-label")
    assert {words.text for words in svg.iter("text")} >= {"expected", "yours", "z"}
    lines = list(svg.iter("polyline"))
    assert len(lines) == 2 and [bool(line.get("stroke-dasharray")) for line in lines] == [False, True]
    assert not re.search("nan|inf", picture.replace("inform", ""))


def test_labels_have_a_curve_each():
    picture = panel("bce_per_sample", lambda p, y: -y * p.log()).picture
    assert picture.count("<polyline") == 4 and re.search(r"Furthest apart at p = [\d.]+, y = 0", picture)


@pytest.mark.parametrize(
    "name, answer, why",
    [
        ("sigmoid", lambda z: 1 / (1 + (-z).exp()), "it is right"),
        ("bce", lambda p, y, reduction="mean": p.sum(), "a number is no curve"),
        ("softmax", lambda z, dim: z.exp(), "its entries depend on each other"),
        ("sigmoid", lambda z: (1 / (1 + (-z).exp())) / len(z), "the answer's entries depend on each other"),
        ("sigmoid", lambda z: z.undefined, "it raised"),
    ],
)
def test_no_picture_where_it_says_nothing(name, answer, why):
    assert panel(name, answer).picture == "", why
