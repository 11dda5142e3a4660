"""A learner's progress: a small readable file `progress.json` in the folder `work/`, where `make lab` puts it.

Nothing is written elsewhere, and nothing while a notebook is built, validated or graded.
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from grader.course.files import write_whole
from grader.course.lessons import lessons, names

if TYPE_CHECKING:
    from grader.judging.verdict import Verdict


FILE = "progress.json"
EMPTY: dict = {
    "passed": [],  # names of exercises
    "last": "",  # the lesson in which a check was run last
    "hints": {},  # exercise -> how often a hint was asked for
    "solutions": {},  # exercise -> how often its solution was asked for
    "guesses": {},  # name -> {"guess": value, "sure": probability or None, and once it is known "right": bool}
    "hunt": {},  # exercise -> what became of its mystery
    "copied": {},  # lesson -> digest of the release that was copied
    "news": [],  # sentences about what the last start changed
}
_session = dict(EMPTY)  # outside `work/`: forgotten with the kernel


def load(path: Path):
    """The content of a progress file; an unreadable one is kept aside, and an empty one begun."""
    path = Path(path)
    if not path.exists():
        return dict(EMPTY)
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(state, dict) or any(
            not isinstance(state.get(k, v), type(v)) for k, v in EMPTY.items()
        ):
            raise ValueError("not a progress file")
        return EMPTY | state
    except ValueError:
        path.replace(path.with_suffix(".damaged.json"))
        save(path, EMPTY)
        return dict(EMPTY)


def save(path: Path, state: dict):
    """Write a progress file whole, or not at all."""
    write_whole(Path(path), json.dumps(state, indent=1, sort_keys=True) + "\n")


def _path():
    """The progress file of the folder that the notebook runs in, or None outside `work/` and under nbgrader."""
    if os.environ.get("NBGRADER_EXECUTION"):
        return None
    try:
        here = Path.cwd()
    except OSError:  # the notebook's folder was renamed or deleted while its kernel runs
        return None
    return next((d / FILE for d in (here, *here.parents) if (d / FILE).is_file()), None)


def _state():
    path = _path()
    if path:
        return load(path)
    return _session


def _change(state):
    path = _path()
    if path:
        save(path, state)
    else:
        _session.update(state)


def record(verdict: "Verdict"):
    """Remember that an exercise passes, and the lesson that somebody is at."""
    state = _state()
    now = {"last": next((n for n in lessons() if verdict.exercise in names(n)), state["last"])}
    if verdict.passed and verdict.exercise not in state["passed"]:
        now["passed"] = [*state["passed"], verdict.exercise]
    if any(state[key] != value for key, value in now.items()):
        _change(state | now)


def passed() -> list:
    """The names of the exercises that pass."""
    return _state()["passed"]


def latest(path: Path | None = None) -> str:
    """The lesson in which a check was run last, or ""."""
    return (load(path) if path else _state())["last"]


def guesses() -> dict:
    """The guesses made so far, by name."""
    return _state()["guesses"]


def keep_guess(name: str, kept: dict):
    """Remember a guess, or how it turned out."""
    state = _state()
    _change(state | {"guesses": state["guesses"] | {name: kept}})


def hunted() -> dict:
    """What became of the mysteries so far, by exercise."""
    return _state()["hunt"]


def keep_hunt(exercise: str, kept: dict):
    """Remember where the hunt for an exercise's mystery stands."""
    state = _state()
    _change(state | {"hunt": state["hunt"] | {exercise: kept}})


def is_kept() -> bool:
    """Is there a work folder here that keeps the progress?"""
    return _path() is not None


def hints_seen(exercise: str) -> int:
    """How many hints for an exercise have been asked for."""
    return _state()["hints"].get(exercise, 0)


def count(what: str, name: str):
    """How often "hints" or "solutions" of an exercise were asked for, this time included."""
    state = _state()
    number = state[what].get(name, 0) + 1
    _change(state | {what: state[what] | {name: number}})
    return number


def summary(path: Path | None = None):
    """For every lesson: its name, the exercises passed, the exercises open."""
    passed = set((load(path) if path else _state())["passed"])
    return [
        (
            lesson,
            [n for n in names(lesson) if n in passed],
            [n for n in names(lesson) if n not in passed],
        )
        for lesson in lessons()
    ]
