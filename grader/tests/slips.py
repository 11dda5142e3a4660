"""Wrong answers as text, as a learner types them: a known mistake's own source, or the course's answer with
one slip of the pen.

A mistake is often built from the very PyTorch function that the exercise forbids, or from a helper of its
module: its text would not be a learner's. The slips are.
"""

import ast
import inspect
import math
import re
import textwrap

import torch
from torch import nn
from torch.nn import functional as F

from grader.course.build import course_answer, solution_cells
from grader.course.lessons import exercises_of
from grader.judging.judge import judge
from grader.judging.question import run

SLIPS = [
    (r"\bmean\b", "sum"),
    (r"\bsum\b", "mean"),
    (r"(?<=[\w)\]]) - ", " + "),
    (r" \+ ", " - "),
    (r" \* ", " / "),
    (r" / ", " * "),
    (r"(?<=[ (\[])-(?=[\w(])", ""),
    (r"\b1 - ", ""),
    (r"dim=1", "dim=0"),
    (r"dim=-1", "dim=0"),
    (r"\b1\b", "0"),
    (r"\b0\b", "1"),
    (r"\.\w+\([^()]*\)", ""),
    (r", \w+=[^,()]+", ""),
    (r"(?<=\n) +(?!return)[^\n]+\n", ""),
]


def clean(cell):
    """An exercise cell as its author wrote it, without the marks of the solution."""
    return re.sub(r"^ *### (BEGIN|END) SOLUTION\n?", "", cell, flags=re.M).rstrip()


def _own_sources(exercise):
    for mistake in exercise.mistakes:
        tree = ast.parse(textwrap.dedent(inspect.getsource(mistake.function)))
        tree.body[0].name, tree.body[0].decorator_list = exercise.name, []
        yield ast.unparse(tree)


def _slips(cell):
    text = clean(cell)
    # behind the docstring: the signature and the question stay as they are
    begin = text.find('"""', text.find('"""') + 3) + 3
    for pattern, slip in SLIPS:
        for match in re.finditer(pattern, text[begin:]):
            yield text[: begin + match.start()] + slip + text[begin + match.end() :]


def known(lesson, name):
    """A wrong answer to an exercise, and the verdict that it must get: one of the exercise's known mistakes, named."""
    exercise, cells = exercises_of(lesson)[name], solution_cells(lesson)
    says = {m.says for m in exercise.mistakes}
    before = {"torch": torch, "nn": nn, "F": F, "math": math, "ready": course_answer, "__name__": "learner"}
    for earlier in list(cells)[: list(cells).index(name)]:
        exec(cells[earlier], before)
    for text in (*_own_sources(exercise), *_slips(cells[name])):
        namespace = dict(before)
        try:
            exec(text, namespace)
        except Exception:  # a class that inherits from a helper; a slip that is no Python
            continue
        verdict = judge(
            exercise,
            lambda question, gradient: run(namespace[name], question, exercise.parameters, gradient),
            source=text,
        )
        if verdict.mistake in says:
            return text, verdict
    raise AssertionError(
        f"{name}: none of its mistakes can be typed as it stands, and no slip of the course's answer "
        "is one of them. Add a slip."
    )
