"""The names of the lessons, where they lie, and the exercises that belong to each.

A lesson's name is `NN_slug`: its text is `solutions/NN_slug.py`, its release
`notebooks/NN_slug/NN_slug.ipynb`, and its exercises are the module `grader/exercises/slug.py`. Where the
package is installed without a checkout, the lessons lie inside it; where a course is handed out without its
solutions, the releases alone say which lessons there are.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from grader.course.cells import grade_id, is_solution

if TYPE_CHECKING:  # names and titles need no torch
    from grader.judging.exercise import Exercise

PACKAGE = Path(__file__).resolve().parents[1]
IS_CHECKOUT = (PACKAGE.parent / "notebooks").is_dir()
ROOT = PACKAGE
if IS_CHECKOUT:
    ROOT = PACKAGE.parent
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


@functools.cache
def _summary(lesson: str) -> tuple[str, str, tuple[str, ...]]:
    """What a lesson's text says of itself, or its release where there is no text: title, opening, names of
    its exercises."""
    text = SOLUTIONS / f"{lesson}.py"
    if os.access(text, os.R_OK):
        source = text.read_text(encoding="utf-8")
        lines = [
            line.removeprefix("#").strip()
            for line in re.split(r"^# %%.*$", source, flags=re.M)[1].splitlines()
        ]
        names = re.findall(r'^# %% .*?exercise="(\w+)"', source, flags=re.M)
    else:
        cells = json.loads((RELEASES / lesson / f"{lesson}.ipynb").read_text(encoding="utf-8"))["cells"]
        lines = "".join(cells[0]["source"]).splitlines()
        names = [grade_id(cell) for cell in cells if cell["cell_type"] == "code" and is_solution(cell)]
    heading = next((line.removeprefix("# ") for line in lines if line.startswith("# ")), lesson)
    return heading, " ".join(line for line in lines if not line.startswith("# ")), tuple(names)


def title(lesson: str) -> str:
    """The question that a lesson answers: `What does a wrong prediction cost?` for `02_bce`."""
    return _summary(lesson)[0]


def minutes(lesson: str) -> int:
    """How long a lesson takes, as its first cell says (`About 40 minutes.`); 40 where it says nothing."""
    stated = re.search(r"\b[Aa]bout (\d+) minutes", _summary(lesson)[1])
    if stated:
        return int(stated[1])
    return 40


def names(lesson: str) -> tuple[str, ...]:
    """The names of a lesson's exercises, in the order of its text: without importing what they are."""
    return _summary(lesson)[2]


def exercises() -> dict[str, Exercise]:
    """Every exercise by name, in the order of the course."""
    from grader.judging.exercise import registered

    for lesson in lessons():
        importlib.import_module(f"grader.exercises.{slug(lesson)}")
    return registered()


def exercises_of(lesson: str) -> dict[str, Exercise]:
    """The exercises of a lesson (`02_bce`), by name, in order."""
    return {name: exercise for name, exercise in exercises().items() if exercise.lesson == slug(lesson)}
