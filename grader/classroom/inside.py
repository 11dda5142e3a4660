"""What an examiner does with a submission, in its own process: rebuild, run, judge, score."""

import functools

import nbformat
from nbgrader.utils import compute_checksum, determine_grade, is_grade, is_solution

from grader.classroom import record, submission
from grader.classroom.examine import Examined, examine, new_seed, noted, write_outputs
from grader.classroom.rebuild import rebuild
from grader.classroom.task import OTHER_COURSE, Graded, GradingError, Task
from grader.course.build import loads, released
from grader.course.lessons import exercises, lessons
from grader.judging.verdict import ERROR, Verdict

SOFT = 0.75  # of its time: what runs after that is not begun, so that the rest of it is judged and written in time


def grade_here(task: Task, jail) -> Graded:
    """Rebuild, examine and score one submission in this very process, whatever it takes."""
    if task.definitions not in (None, record.definitions(task.lesson)):
        raise GradingError(OTHER_COURSE)
    notebook, notes = _rebuilt(task.lesson, task.data, task.notes)
    seed = new_seed() if task.seed is None else task.seed
    return _graded(task, examine(notebook, jail, seed, notes, task.seconds * SOFT))


def _rebuilt(lesson, data, notes):
    found, said = (None, []) if data is None else submission.parse(data)
    notebook, more = rebuild(_release(lesson), found)
    return notebook, [*notes, *said, *more]


def _graded(task, examined):
    cells = [c for c in examined.notebook.cells if "nbgrader" in c.metadata]
    unanswered = [
        c for c in cells if is_solution(c) and c.metadata.nbgrader.get("checksum") == compute_checksum(c)
    ]
    return Graded(
        task.lesson,
        task.student,
        nbformat.writes(examined.notebook, version=nbformat.NO_CONVERT) + "\n",
        record.make(task.lesson, record.content(task.data), examined),
        {c.metadata.nbgrader.grade_id: determine_grade(c)[0] for c in cells if is_grade(c)},
        frozenset(c.metadata.nbgrader.grade_id for c in unanswered),
    )


def unjudged(lesson: str, notes: list[str], seed: int | None = None) -> Examined:
    """A submission that nobody could judge: the release, no points, and in each panel why."""
    notebook, _ = rebuild(_release(lesson), None)
    seed = new_seed() if seed is None else seed
    verdicts = {}
    for cell in notebook.cells:
        data = cell.metadata.get("nbgrader", {})
        name = data.get("grade_id", "").removeprefix("test_")
        if data.get("grade") and not data.get("solution") and name in exercises():
            says = "This submission could not be judged. It counts as none until a person has looked at it."
            verdicts[name] = Verdict(name, ERROR, exercises()[name].points, says, seed=seed)
            write_outputs(cell, verdicts[name])
    return noted(notebook, verdicts, seed, notes)


def grade_as_unjudged(task: Task, notes: list[str]) -> Graded:
    """The record of a submission that used up its budget."""
    return _graded(task, unjudged(task.lesson, notes, task.seed))


def rebuild_here(lesson, data, notes):
    notebook, notes = _rebuilt(lesson, data, notes)
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT), notes


def examine_here(text, jail, seed, notes, seconds):
    return examine(nbformat.reads(text, as_version=4), jail, seed, notes, seconds * SOFT)


@functools.cache
def _release(lesson):
    """A lesson's release, read once a process. Rebuild copies what it takes from it."""
    return loads(released(lesson))


def read_the_course() -> None:
    """What every submission needs, read before the first one's clock runs."""
    for lesson in lessons():
        record.definitions(lesson)
    exercises()
