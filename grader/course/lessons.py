"""The names of the lessons, where they lie, and the exercises that belong to each.

A lesson's name is `NN_slug`: its text is `solutions/NN_slug.py`, its release `notebooks/NN_slug/NN_slug.ipynb`, and its
exercises are the module `grader/exercises/slug.py`. Where the package is installed without a checkout, the lessons lie inside
it; where a course is handed out without its solutions, the releases alone say which lessons there are.
"""

import importlib
from pathlib import Path

from grader.judging.exercise import Exercise, registered

PACKAGE = Path(__file__).resolve().parents[1]
IS_CHECKOUT = (PACKAGE.parent / "notebooks").is_dir()
ROOT = PACKAGE.parent if IS_CHECKOUT else PACKAGE
SOLUTIONS = ROOT / "solutions"
RELEASES = ROOT / "notebooks"


def _named() -> list[str]:
    """Every `NN_slug` that has a text or a release, in order."""
    texts = {path.stem for path in SOLUTIONS.glob("[0-9][0-9]_*.py")}
    releases = {path.stem for path in RELEASES.glob("[0-9][0-9]_*/[0-9][0-9]_*.ipynb")}
    return sorted(texts | releases)


def _module_file(lesson: str) -> Path:
    return PACKAGE / "exercises" / f"{slug(lesson)}.py"


def slug(lesson: str) -> str:
    """`bce` for `02_bce`."""
    return lesson[3:]


def lessons() -> list[str]:
    """The names of the lessons, `NN_slug`, in order. One without exercises is left out: see `unfinished`."""
    return [lesson for lesson in _named() if _module_file(lesson).is_file()]


def unfinished() -> dict[str, str]:
    """The lessons that cannot be used yet, each with a sentence that names the file that is missing."""
    missing = {}
    for lesson in _named():
        path = _module_file(lesson)
        if not path.is_file():
            where = path.relative_to(PACKAGE.parent)
            missing[lesson] = f"{lesson} is left out: its exercises, {where}, are missing."
    return missing


def find(name: str) -> str:
    """The lesson called `02_bce`, `bce`, `02` or `2`. Raises ValueError, which names the lessons there are."""
    for lesson in _named():
        if name in (lesson, slug(lesson)) or (name.isdigit() and int(name) == int(lesson[:2])):
            if lesson in unfinished():
                raise ValueError(unfinished()[lesson])
            return lesson
    raise ValueError(f"There is no lesson {name!r}. There are: {', '.join(lessons())}.")


def exercises() -> dict[str, Exercise]:
    """Every exercise by name, in the order of the course."""
    for lesson in lessons():
        importlib.import_module(f"grader.exercises.{slug(lesson)}")
    return registered()


def exercises_of(lesson: str) -> dict[str, Exercise]:
    """The exercises of a lesson (`02_bce`), by name, in order."""
    return {name: exercise for name, exercise in exercises().items() if exercise.lesson == slug(lesson)}
