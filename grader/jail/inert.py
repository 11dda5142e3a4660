"""The package `grader` that a learner's cells import where they are graded: nothing is judged, shown or known here.

`check` and its like do nothing, `ready` gives the learner's own function: verdicts are formed on the other
side of the wall.
"""

import sys

__tracebackhide__ = True  # these frames are no learner's: see `question.raised`


class CheckFailed(Exception):
    """Never raised here; it exists so that a cell may name it."""


def check(name: str | None = None, *args, **kwargs):
    """Does nothing: graded cells are judged from outside."""


compare = hint = solution = progress = finish = reset = fresh = check
guess = guessed = mystery = expose = accuse = check


def guesses(least: int = 20):
    """An invented class's guesses: those of a learner are kept at home, and nowhere else."""
    from grader.sample import sample_class

    return (*sample_class(), "a sample class's")


_lent: dict[str, object] = {}  # the course's functions for exercises that are judged already, and not passed


def lend(sources: dict[str, str]):
    """Define the course's answers (name -> source, in order) for `ready`: at home it gives them, too, until
    the learner's own pass."""
    import math

    import torch
    from torch import nn
    from torch.nn import functional as F

    from grader.judging.question import lent

    namespace: dict = {
        "math": math,
        "torch": torch,
        "nn": nn,
        "F": F,
        "ready": ready,
        "__tracebackhide__": True,
    }
    for source in sources.values():
        exec(source, namespace)
    _lent.update((name, lent(name, namespace[name])) for name in list(sources)[-1:])


def ready(name: str):
    """The learner's own function; where it is judged already, and not right, the course's."""
    namespace = sys._getframe(1).f_globals
    if name in _lent:
        return _lent[name]
    if name not in namespace:
        raise NameError(
            f"{name} is not defined: the cell that defines it failed or is missing, or it belongs to "
            "a lesson that this one does not use"
        )
    return namespace[name]


__all__ = [
    "CheckFailed",
    "accuse",
    "check",
    "compare",
    "expose",
    "finish",
    "fresh",
    "guess",
    "guessed",
    "guesses",
    "hint",
    "mystery",
    "progress",
    "ready",
    "reset",
    "solution",
]
