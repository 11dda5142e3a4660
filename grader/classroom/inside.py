"""What an examiner does with a submission, in its own process: rebuild, run, judge, score."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import nbformat
from nbgrader.utils import compute_checksum, determine_grade

from grader.classroom import record
from grader.classroom.examine import (
    Examined,
    examine,
    judged_in,
    noted,
    unjudged,
    write_outputs,
)
from grader.classroom.examiner import ahead
from grader.classroom.task import OTHER_COURSE, Graded, GradingError, Task
from grader.course import submitted
from grader.course.build import loads, released
from grader.course.cells import exercise_name, grade_id, is_grade, is_solution, marks
from grader.course.lessons import exercises
from grader.course.rebuild import NO_CELL, rebuild
from grader.judging.verdict import Verdict

if TYPE_CHECKING:
    from grader.jail.jail import Jail


SOFT = 0.75  # of its time: what runs after that is not begun, so that the rest of it is judged and written in time


@dataclass(frozen=True)
class Begun:
    """A submission that is rebuilt, and is judged from here on."""

    notebook: nbformat.NotebookNode
    notes: list[str]
    seed: int


def grade_here(task: Task, jail: "Jail") -> Graded:
    """Rebuild, examine and score one submission in this very process, whatever it takes. What is certain is
    told ahead."""
    if task.definitions not in (None, record.definitions(task.lesson)):
        raise GradingError(OTHER_COURSE)
    notebook, notes = _rebuilt(task.lesson, task.data, task.notes)
    begun = Begun(notebook, notes, _seed(task.seed))
    ahead(begun)
    return _graded(task, examine(notebook, jail, begun.seed, notes, task.seconds * SOFT, ahead))


def _seed(seed):
    if seed is None:
        return record.new_seed()
    return seed


def _rebuilt(lesson, data, notes):
    if data is None:
        found, said = None, []
    else:
        found, said = submitted.parse(data)
    notebook, changes = rebuild(_release(lesson), found)
    return notebook, [*notes, *said, *changes]


def _graded(task, examined):
    cells = [c for c in examined.notebook.cells if marks(c)]
    unanswered = [c for c in cells if is_solution(c) and marks(c).get("checksum") == compute_checksum(c)]
    return Graded(
        task.lesson,
        task.student,
        # nobody reads it line by line, and with line breaks it takes five times as long
        nbformat.writes(examined.notebook, version=nbformat.NO_CONVERT, indent=None) + "\n",
        record.make(task.lesson, record.content(task.data), examined)
        | ({"empty": True} if _is_nothing(task, examined) else {}),
        {grade_id(c): determine_grade(c)[0] for c in cells if is_grade(c)},
        frozenset(map(grade_id, unanswered)),
    )


def _is_nothing(task, examined):
    """Was no notebook of the lesson handed in?"""
    notes = examined.notebook.metadata["grader"]["notes"]
    is_none = any(note.startswith((submitted.NO_NOTEBOOK, NO_CELL)) for note in notes)
    return is_none or not (task.data and task.data.strip())


def judged_so_far(begun: Begun, heard: list, notes: list[str]) -> Examined:
    """A submission whose examiner was ended. What was judged by then counts; in all other panels stands that
    a person has to look.

    heard: what the examiner told ahead; notes: why it was ended.
    """
    verdicts = {v.exercise: v for v in heard if isinstance(v, Verdict)}
    known = exercises()
    for cell in begun.notebook.cells:
        exercise = judged_in(cell, known)
        if exercise is not None:
            verdict = verdicts.setdefault(exercise.name, unjudged(exercise, begun.seed))
            write_outputs(cell, verdict)
    return noted(begun.notebook, verdicts, begun.seed, [*begun.notes, *notes])


def grade_as_ended(task: Task, heard: list, notes: list[str]) -> Graded:
    """The record of a submission that used up its budget; where that was before it was rebuilt, of the
    release in its place."""
    begun = next((each for each in heard if isinstance(each, Begun)), None)
    if begun is None:
        notebook, _ = rebuild(_release(task.lesson), None)
        begun = Begun(notebook, list(task.notes), _seed(task.seed))
    return _graded(task, judged_so_far(begun, heard, notes))


def rebuild_here(lesson: str, data: bytes | None, notes: Iterable[str]):
    if sentence := unfit(lesson):
        raise GradingError(sentence)
    notebook, notes = _rebuilt(lesson, data, notes)
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT), notes


def examine_here(text: str, jail: "Jail", seed: int, notes: Iterable[str], seconds: float):
    return examine(nbformat.reads(text, as_version=4), jail, seed, notes, seconds * SOFT, ahead)


def examine_as_ended(text: str, seed: int, heard: list, notes: list[str], why: list[str]) -> Examined:
    """A rebuilt notebook whose examiner was ended."""
    return judged_so_far(Begun(nbformat.reads(text, as_version=4), notes, seed), heard, why)


@functools.cache
def _release(lesson):
    """A lesson's release, read once a process. Rebuild copies what it takes from it."""
    return loads(released(lesson))


def read_the_course() -> None:
    """What every submission needs, read before the first one's clock runs."""
    record.files_at_first()
    exercises()


def unfit(lesson: str) -> str:
    """Why the release of a lesson cannot be graded by the exercises as they are; "" where it can. Read before
    the first one's clock runs."""
    record.definitions(lesson)
    for cell in filter(is_grade, _release(lesson).cells):
        name, stated = exercise_name(cell), marks(cell)["points"]
        defined = exercises().get(name)
        if defined is not None and defined.points != stated:
            return (
                f"{name} gives {defined.points:g} points, in the release of {lesson} {stated:g}: run "
                f"`./course build {lesson}`."
            )
    return ""
