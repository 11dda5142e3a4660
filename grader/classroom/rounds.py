"""A round with a class, through nbgrader's own API: release a lesson, collect what was submitted, make
feedback; and repeat one verdict."""

import tempfile
from collections import namedtuple
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from nbgrader.apps import NbGraderAPI
from nbgrader.utils import temp_attrs
from traitlets.config import Config

from grader.classroom import record, submission
from grader.classroom.feedback import is_current, made_of
from grader.classroom.grade import graded_students
from grader.classroom.gradebook import Book
from grader.classroom.marks import exists, marks
from grader.classroom.task import Task
from grader.classroom.worker import grade_one
from grader.course.heard import heard

if TYPE_CHECKING:
    from grader.classroom.grade import Course


Collected = namedtuple("Collected", "new replaced same refused warnings")


class RoundError(RuntimeError):
    """A step of the round failed; says why, and what to do."""


def _api(course, **sections):
    config = Config(course.config.copy())
    for section, values in sections.items():
        config[section].update(values)
    return NbGraderAPI(coursedir=course.coursedir, config=config)


def _fail(lesson, reason):
    """A step of nbgrader's failed, for this reason."""
    raise RoundError(
        f"{lesson}: {reason}. What was done before stays, nothing is half-written; mend that, and run "
        "the same command again."
    )


def release(course: "Course", lesson: str, again: bool = False):
    """Put a lesson's release where learners fetch it. Raises RoundError where it is released already and
    `again` is not said, or nbgrader refuses."""
    api = _api(course, ExchangeReleaseAssignment={"force": again})
    target = Path(api.exchange_root, course.coursedir.course_id, "outbound", lesson)
    if target.exists() and not again:
        raise RoundError(
            f"{lesson} is released already ({target}). `--again` puts the present release in its "
            "place; what learners have fetched stays as it is."
        )
    with heard(api) as said:
        result = api.release_assignment(lesson)
    if not result["success"]:
        _fail(lesson, said.reason(result))
    return target


def collect(course: "Course", lesson: str):
    """Take in the newest submission of everybody: a resubmission replaces the earlier one. Raises RoundError
    where there is no exchange with submissions."""
    api = _api(course)
    if not Path(api.exchange_root, course.coursedir.course_id, "inbound").is_dir():
        raise RoundError(
            f"There is no exchange with submissions at {api.exchange_root}: release a lesson first, or "
            "name the right folder as c.Exchange.root in nbgrader_config.py."
        )
    before = _stamps(course, lesson)
    with heard(api) as said:
        result = api.collect(lesson, update=True)
    if not result["success"]:
        _fail(lesson, said.reason(result))
    after = _stamps(course, lesson)
    return Collected(
        sorted(after.keys() - before.keys()),
        sorted(s for s in before if after.get(s) != before[s]),
        sum(after.get(s) == before[s] for s in before),
        said.not_collected,
        [w for w in said.warnings if not w.startswith("No submissions of")],
    )


def _stamps(course, lesson):
    pattern = Path(course.folder("submitted", "*", lesson))
    return {p.parent.name: submission.timestamp(p) for p in pattern.parents[1].glob(f"*/{lesson}")}


def feedback(course: "Course", lesson: str):
    """(made, unchanged): make the pages of those whose grade, comments or points have changed. RoundError
    names those without a page."""
    left_out = _left_out(course)
    pattern = Path(course.folder("autograded", "*", lesson))
    graded = {
        p.parent.name: p / f"{lesson}.ipynb"
        for p in sorted(pattern.parents[1].glob(f"*/{lesson}"))
        if (p / f"{lesson}.ipynb").is_file() and p.parent.name not in left_out
    }
    if not graded:
        raise RoundError(f"No submission of {lesson} is graded: run `./course grade {lesson}` first.")
    known = marks(course, lesson)

    def stale():
        return [
            s
            for s, path in graded.items()
            if s in known
            and not is_current(
                course.folder("feedback", s, lesson) / f"{lesson}.html", made_of(path, known[s])
            )
        ]

    todo, result = stale(), {}
    if todo:
        with temp_attrs(course.coursedir, student_id_exclude=",".join(left_out | graded.keys() - set(todo))):
            result = _made_beside(course, lesson)
    if left := stale():
        if not result["success"]:
            raise RoundError(
                f"{lesson}: {len(left)} of {len(graded)} have no new feedback ({_few(left)}). {result['why']}"
            )
        raise RoundError(
            f"{lesson}: {len(left)} pages are not as they should be ({_few(left)}). Is another "
            "program grading? Run the same command again."
        )
    if strangers := [s for s in graded if s not in known]:
        raise RoundError(
            f"{lesson}: {len(strangers)} graded submissions are not in the gradebook ({_few(strangers)}): "
            f"run `./course grade {lesson}`. The other {len(graded) - len(strangers)} have their feedback."
        )
    return len(todo), len(graded) - len(todo)


def _left_out(course):
    """Who is excluded by nbgrader's configuration, or was removed from the gradebook."""
    if not exists(course):
        return course.excluded
    with Book(course.coursedir, course.config) as book:
        return course.excluded | book.removed(graded_students(course))


def _made_beside(course, lesson):
    """Make pages in a folder of their own first: nbgrader removes the earlier page before it begins the new
    one. What is whole takes its place."""
    with tempfile.TemporaryDirectory(dir=course.root, prefix=".feedback-") as folder:
        with temp_attrs(course.coursedir, feedback_directory=folder):
            api = _api(course)
            with heard(api) as said:
                result = api.generate_feedback(lesson, force=True)
            result["why"] = said.reason(result)
            pages = {
                p.parent.name: p
                for p in course.folder("feedback", "*", lesson).parents[1].glob(f"*/{lesson}")
            }
        for student, made in pages.items():
            target = course.folder("feedback", student, lesson)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.exists():
                    made.replace(target)
                for file in made.iterdir() if made.exists() else ():
                    file.replace(target / file.name)
            except OSError as error:
                result = {"success": False, "why": f"{error.strerror}: {target}"}
    return result


def _few(names):
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


Regraded = namedtuple("Regraded", "same messages before now changed seed")


def regrade(course: "Course", student: str, lesson: str, trust: bool = False):
    """Repeat a verdict with its recorded seed. Writes nothing; says what the submission gets now, and whether
    that is the same. Raises RoundError where nothing of theirs is graded."""
    before = record.load(course.folder("autograded", student, lesson))
    if before is None:
        raise RoundError(
            f"There is no grading of {lesson} by {student}: run `./course grade {lesson}`. Graded are: "
            f"{_few(sorted(p.parent.parent.name for p in course.root.glob(f'autograded/*/{lesson}/{record.FILE}'))) or 'none'}."
        )
    path = course.folder("submitted", student, lesson) / f"{lesson}.ipynb"
    data, _ = submission.load(path)
    changed = [
        text
        for text, true in (
            ("The submission is another one than was graded.", before["content"] != record.content(data)),
            (
                "The exercises, the judge or torch have changed since.",
                record.outdated(before, record.definitions(lesson)),
            ),
        )
        if true
    ]
    graded = grade_one(Task(lesson, student, data, (), before["seed"]), trust)
    notebook = nbformat.reads(graded.text, as_version=4)
    messages = [
        o.data["text/plain"]
        for c in notebook.cells
        for o in c.get("outputs", ())
        if o.output_type == "display_data" and "grader" in o.metadata
    ]
    return Regraded(
        graded.record["verdicts"] == before["verdicts"],
        messages,
        before["verdicts"],
        graded.record["verdicts"],
        changed,
        before["seed"],
    )
