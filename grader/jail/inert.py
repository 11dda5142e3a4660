"""The package `grader` that a learner's cells import where they are graded: nothing is judged, shown or known here.

`check` and its like do nothing, `ready` gives the learner's own function: verdicts are formed on the other side of the wall.
"""
import sys


class CheckFailed(Exception):
    """Never raised here; it exists so that a cell may name it."""


def check(name=None, *args, **kwargs):
    """Does nothing: graded cells are judged from outside."""


compare = hint = solution = progress = check


def ready(name):
    """The learner's own function, whether it is right or not."""
    namespace = sys._getframe(1).f_globals
    if name not in namespace:
        raise NameError(f"{name} is not defined: the cell that defines it failed, or is missing")
    return namespace[name]


__all__ = ["CheckFailed", "check", "compare", "hint", "progress", "ready", "solution"]
