"""What a wrong answer does, as a few numbers: two answers that do the same on the same inputs make the same
mistake. Pure."""

import math
from collections.abc import Callable

import torch

from grader.judging.compare import as_parts, as_tensor
from grader.judging.exercise import Exercise
from grader.judging.question import Call, Result

SEED = 0  # of the questions: the same ones for everybody
QUESTIONS, NUMBERS = 12, 8  # at the most, and of each result


def behaviour(exercise: Exercise, ask: Callable[[Call, tuple], Result]) -> list[list]:
    """For each of the first questions at seed 0: what kind of result it is, and its first numbers, to six digits.

    It is plain data that JSON holds: nan and the infinities are texts.
    """
    put = exercise.put(SEED)
    questions = [q for number in range(len(exercise.cases)) for q, _ in put.questions(number)][:QUESTIONS]
    return [_as_data(ask(question, ())) for question in questions]


def _as_data(result):
    if result.failed:
        return [result.raised.type if result.raised else "lost"]
    data = []
    for part in as_parts(result.value):
        part = as_tensor(part)
        if isinstance(part, torch.Tensor) and not part.is_complex():
            data.append(str(tuple(part.shape)))
            data += [_number(x) for x in part.double().flatten()[:NUMBERS].tolist()]
        else:
            data.append(type(part).__name__)
    return data


def _number(x):
    if math.isfinite(x):
        return float(f"{x:.6g}")
    return str(x)


def same_behaviour(first: list[list], second: list[list]) -> bool:
    """Do two answers behave alike, but for rounding?

    >>> same_behaviour([["()", 0.5]], [["()", 0.500001]]), same_behaviour([["()", 0.5]], [["()", 0.6]])
    (True, False)
    """
    if [len(each) for each in first] != [len(each) for each in second]:
        return False
    return all(_near(a, b) for here, there in zip(first, second) for a, b in zip(here, there))


def _near(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-6)
    return a == b
