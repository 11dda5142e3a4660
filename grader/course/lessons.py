"""The names of the lessons, and the exercises that belong to each. A lesson's folder is `NN_slug`, its module `slug`."""

import importlib
from pathlib import Path

from grader.judging.exercise import registered

SOLUTIONS = Path(__file__).resolve().parents[2] / "solutions"


def lessons():
    """The names of the lessons, `NN_slug`, in order."""
    return sorted(p.stem for p in SOLUTIONS.glob("[0-9][0-9]_*.py"))


def slug(lesson):
    """`bce` for `02_bce`."""
    return lesson[3:]


def find(name):
    """The lesson called `02_bce`, `bce`, `02` or `2`; ValueError names the ones there are."""
    for lesson in lessons():
        if name in (lesson, slug(lesson)) or (name.isdigit() and int(name) == int(lesson[:2])):
            return lesson
    raise ValueError(f"There is no lesson {name!r}. There are: {', '.join(lessons())}.")


def load():
    """Import every lesson's exercises, in order."""
    for lesson in lessons():
        importlib.import_module(f"grader.exercises.{slug(lesson)}")


def exercises():
    """Every exercise by name, in the order of the course."""
    load()
    return registered()


def exercises_of(lesson):
    """The exercises of a lesson (`02_bce`), by name, in order."""
    return {n: e for n, e in exercises().items() if e.lesson == slug(lesson)}
