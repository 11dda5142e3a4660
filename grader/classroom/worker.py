"""What happens to one submission, wherever it is graded: rebuilt, examined, scored, by an examiner under its budget.

The coordinator (`grade`), nbgrader's plug-ins (`plugins`) and a verdict repeated (`rounds`) all go through here.
"""

import atexit
import functools
import os
import threading
from dataclasses import dataclass, field
from datetime import datetime

import nbformat
from nbgrader.utils import compute_checksum, determine_grade, is_grade, is_solution

from grader.classroom import record, submission
from grader.classroom.examine import Examined, examine, new_seed, noted, write_outputs
from grader.classroom.examiner import SECONDS, Examiner, OverBudget
from grader.classroom.rebuild import rebuild
from grader.course.build import loads, released
from grader.course.lessons import exercises, lessons
from grader.jail import JailError
from grader.judging.verdict import ERROR, Verdict

FIRST_SECONDS = 20.0  # after that a submission steps back behind all others, and then has its whole time
SOFT = 0.75  # of its time: what runs after that is not begun, so that the rest of it is judged and written in time
OTHER_COURSE = "it has another version of the course, or of torch: a file was changed meanwhile, or something else is installed there. Make them the same, and start again"
PERSON = "A person has to look at it: it lies in submitted/ as it came."


class GradingError(RuntimeError):
    """The class cannot be graded; says why, and what to do."""


@dataclass(frozen=True)
class Task:
    """One submission on its way to a worker. `definitions`: of the exercises as the coordinator has them; a worker must have the same.

    seconds: that it may take, at the most; first: is it tried for the first time, so that others may go before it?
    """

    lesson: str
    student: str
    data: bytes | None
    notes: tuple
    seed: int | None = None
    definitions: str | None = None
    seconds: float = SECONDS
    first: bool = False


@dataclass(frozen=True)
class Graded:
    """One submission on its way back. `error`: what kept it from being graded, for the teacher; `later`: it takes long, and comes again."""

    lesson: str
    student: str
    text: str = ""
    record: dict = field(default_factory=dict)
    scores: dict = field(default_factory=dict)
    unanswered: frozenset = frozenset()
    timestamp: datetime | None = None
    error: str = ""
    why: str = ""
    later: bool = False


def grade_one(task: Task, trust: bool = False, examiner: Examiner | None = None) -> Graded:
    """Rebuild, examine and score one submission, within its time; never raises on what the submission holds.

    What uses up its budget gets a record as well: no points, and the word that a person has to look.
    """
    examiner = examiner or shared_examiner(trust)
    seconds = min(FIRST_SECONDS, task.seconds) if task.first else task.seconds
    try:
        return examiner.call(grade_here, task, "{jail}", seconds=seconds)
    except OverBudget as over:
        if task.first:
            return Graded(task.lesson, task.student, later=True)
        return _graded(task, unjudged(task.lesson, [*task.notes, over.says, PERSON], task.seed))


def grade_here(task: Task, jail) -> Graded:
    """The same in this very process, whatever it takes."""
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


@functools.cache
def _release(lesson):
    """A lesson's release, read once a process. Rebuild copies what it takes from it."""
    return loads(released(lesson))


# ---------------------------------------------------------------- the two halves, for nbgrader's own converters


def rebuild_within(lesson: str, data: bytes | None, notes, trust: bool = False) -> tuple[str, list]:
    """The rebuilt notebook as text, and the notes on it. What uses up its budget is rebuilt as nothing, with a note that says so."""
    try:
        return shared_examiner(trust).call(rebuild_here, lesson, data, tuple(notes))
    except OverBudget as over:
        return rebuild_here(lesson, None, (*notes, over.says, PERSON))


def rebuild_here(lesson, data, notes):
    notebook, notes = _rebuilt(lesson, data, notes)
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT), notes


def examine_within(lesson: str, text: str, seed: int, notes, seconds: float, trust: bool = False) -> Examined:
    """A rebuilt notebook, run and judged within its time."""
    try:
        return shared_examiner(trust).call(
            examine_here, text, "{jail}", seed, notes, seconds, seconds=seconds
        )
    except OverBudget as over:
        return unjudged(lesson, [*notes, over.says, PERSON], seed)


def examine_here(text, jail, seed, notes, seconds):
    return examine(nbformat.reads(text, as_version=4), jail, seed, notes, seconds * SOFT)


# ---------------------------------------------------------------- the examiner of this process

_examiners: dict = {}
_starting = threading.Lock()


def shared_examiner(trust: bool = False) -> Examiner:
    """The examiner of this process. It starts when it is first needed, and ends with this process."""
    with _starting:
        key = os.getpid(), trust
        if key not in _examiners:
            _examiners[key] = Examiner(read_the_course, trust=trust)
            atexit.register(_examiners[key].close)
    return _examiners[key]


def read_the_course() -> None:
    """What every submission needs, read before the first one's clock runs."""
    for lesson in lessons():
        record.definitions(lesson)
    exercises()


def get_ready(definitions: dict[str, str], trust: bool, examiner: Examiner | None = None) -> str:
    """Warm a worker up: "", or what keeps it from grading. Runs in a worker."""
    if any(record.definitions(lesson) != digest for lesson, digest in definitions.items()):
        return OTHER_COURSE
    try:
        (examiner or shared_examiner(trust)).start()
    except JailError as error:
        return str(error)
    return ""
