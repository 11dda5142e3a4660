"""Answers as data: right ones in other styles, which the judge must accept, and wrong ones that no exercise lists.

One module a lesson, named by its slug. `@right(…)` and `@wrong(…)` register the function below them under its own name.
"""

import importlib
import pkgutil
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """An answer to the exercise `exercise`. `says`: words that the verdict on a wrong one must contain."""

    exercise: str
    style: str
    function: object
    right: bool
    says: str = ""


_answers: list[Answer] = []


def right(style):
    """Decorator: a right answer, written in another style than the lesson's."""
    return lambda f: _answers.append(Answer(f.__name__, style, f, True)) or f


def wrong(style, says):
    """Decorator: a wrong answer that is none of the exercise's known mistakes; the verdict's message contains `says`."""
    return lambda f: _answers.append(Answer(f.__name__, style, f, False, says)) or f


def answers():
    """All answers, of all lessons."""
    if not _answers:
        for module in pkgutil.iter_modules(__path__):
            importlib.import_module(f"{__name__}.{module.name}")
    return list(_answers)
