"""What happens to one submission, wherever it is graded: rebuilt, examined, scored, by an examiner under its budget.

The coordinator (`grade`), nbgrader's plug-ins (`plugins`) and a verdict repeated (`rounds`) all go through here.
"""

import atexit
import os
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from grader.classroom import record
from grader.classroom.examiner import Examiner, OverBudget
from grader.classroom.task import OTHER_COURSE, Graded, Task
from grader.jail.launch import JailError

if TYPE_CHECKING:
    from grader.classroom.examine import Examined

INSIDE = (
    "grader.classroom.inside"  # named, not imported: it imports torch, which the coordinator does without
)
PREPARE = f"{INSIDE}.read_the_course"
FIRST_SECONDS = 20.0  # after that a submission steps back behind all others, and then has its whole time
PERSON = "A person has to look at it: it lies in submitted/ as it came."


def grade_one(task: Task, trust: bool = False, examiner: Examiner | None = None) -> Graded:
    """Rebuild, examine and score one submission, within its time; never raises on what the submission holds.

    What uses up its budget gets a record as well: what was judged by then counts, and a person has to look at the rest.
    """
    examiner = examiner or shared_examiner(trust)
    # a second try is worth something only where it gives more time
    steps_back = task.first and task.seconds > FIRST_SECONDS
    seconds = task.seconds
    if steps_back:
        seconds = FIRST_SECONDS
    try:
        return examiner.call(f"{INSIDE}.grade_here", task, "{jail}", seconds=seconds)
    except OverBudget as over:
        if steps_back:
            return Graded(task.lesson, task.student, later=True)
        from grader.classroom import inside

        return inside.grade_as_ended(task, over.heard, [over.says, PERSON])


# ---------------------------------------------------------------- the two halves, for nbgrader's own converters


def rebuild_within(
    lesson: str, data: bytes | None, notes: Iterable[str], trust: bool = False
) -> tuple[str, list]:
    """The rebuilt notebook as text, and the notes on it. What uses up its budget is rebuilt as nothing, with
    a note that says so."""
    try:
        return shared_examiner(trust).call(f"{INSIDE}.rebuild_here", lesson, data, tuple(notes))
    except OverBudget as over:
        from grader.classroom import inside

        return inside.rebuild_here(lesson, None, (*notes, over.says, PERSON))


def examine_within(
    text: str, seed: int, notes: Iterable[str], seconds: float, trust: bool = False
) -> "Examined":
    """A rebuilt notebook, run and judged within its time."""
    try:
        return shared_examiner(trust).call(
            f"{INSIDE}.examine_here", text, "{jail}", seed, notes, seconds, seconds=seconds
        )
    except OverBudget as over:
        from grader.classroom import inside

        return inside.examine_as_ended(text, seed, over.heard, list(notes), [over.says, PERSON])


# ---------------------------------------------------------------- the examiner of this process

_examiners: dict = {}
_starting = threading.Lock()


def shared_examiner(trust: bool = False) -> Examiner:
    """The examiner of this process. It starts when it is first needed, and ends with this process."""
    with _starting:
        key = os.getpid(), trust
        if key not in _examiners:
            _examiners[key] = Examiner(PREPARE, trust=trust)
            atexit.register(_examiners[key].close)
    return _examiners[key]


def get_ready(definitions: dict[str, dict[str, str]], trust: bool, examiner: Examiner | None = None) -> str:
    """Warm a worker up: "", or what keeps it from grading. Runs in a worker."""
    if any(record.definitions(lesson) != digest for lesson, digest in definitions.items()):
        return OTHER_COURSE
    examiner = examiner or shared_examiner(trust)
    try:
        for lesson in definitions:
            if sentence := examiner.call(f"{INSIDE}.unfit", lesson):
                return sentence
    except (JailError, OverBudget) as error:
        return str(error)
    return ""
