"""What the gradebook says of a lesson, read at once: scores of persons and machine, comments, late penalties.
Reads only."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nbgrader.api import Assignment, BaseCell, Comment, Grade, Student, SubmittedAssignment, SubmittedNotebook
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from grader.classroom.gradebook import Book, GradebookError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from grader.classroom.grade import Course


@dataclass
class Mark:
    """One graded cell: what the machine gave, what a person gave (None: nothing yet), and the most that it can give."""

    auto: float | None
    manual: float | None
    extra: float
    most: float
    waiting: bool  # a person has still to give the first score
    # a person gave this score before the answer changed, or was judged anew, and has to look once more
    again: bool = False

    @property
    def unread(self):
        """Has a person still to look at it, for the first time or once more?"""
        return self.waiting or self.again

    @property
    def score(self):
        return (self.manual if self.manual is not None else self.auto or 0.0) + self.extra


@dataclass
class Marks:
    """One submission in the gradebook: its graded cells and its comments by their names."""

    cells: dict = field(default_factory=dict)
    comments: dict = field(default_factory=dict)
    penalty: float = 0.0
    timestamp: datetime | None = None

    @property
    def score(self):
        return max(0.0, sum(m.score for m in self.cells.values()) - self.penalty)

    @property
    def waiting(self):
        """Has a person still to look at something of it?"""
        return any(m.unread for m in self.cells.values())


def exists(course: "Course"):
    """Is there a gradebook? Opening one that is not there would make it."""
    url = make_url(course.coursedir.db_url)
    if not url.drivername.startswith("sqlite"):
        return True
    return bool(url.database) and Path(str(url.database)).exists()


def marks(course: "Course", lesson: str):
    """student -> Marks; empty where there is no gradebook, or the lesson is not in it."""
    if not exists(course):
        return {}
    with Book(course.coursedir, course.config) as book:
        return read(book.db, lesson)


def roster(course: "Course") -> set[str]:
    """The ids of the gradebook's students."""
    with Book(course.coursedir, course.config) as book:
        return set(students(book.db))


def read(db: "Session", lesson: str):
    """student -> Marks of a lesson, from an open gradebook's session: three queries, whatever the size of the
    class. Raises GradebookError where the gradebook cannot be read, as while another program writes to it."""
    try:
        assignment = db.query(Assignment).filter(Assignment.name == lesson).one_or_none()
        if assignment is None:
            return {}
        most = {
            c.id: c.max_score or 0.0 for nb in assignment.notebooks for c in [*nb.grade_cells, *nb.task_cells]
        }
        here = SubmittedAssignment.assignment_id == assignment.id
        marks_of: dict[str, Marks] = {}
        for student, when, penalty in (
            db.query(
                SubmittedAssignment.student_id,
                SubmittedAssignment.timestamp,
                SubmittedNotebook.late_submission_penalty,
            )
            .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .filter(here)
        ):
            submitted = marks_of.setdefault(student, Marks(timestamp=when))
            submitted.penalty += penalty or 0.0
        for student, name, cell, auto, manual, extra, waiting in _cells(
            db, Grade, Grade.auto_score, Grade.manual_score, Grade.extra_credit, Grade.needs_manual_grade
        ).filter(here):
            marks_of[student].cells[name] = Mark(
                auto,
                manual,
                extra or 0.0,
                most.get(cell, 0.0),
                bool(waiting) and auto is None and manual is None,
                bool(waiting) and manual is not None,
            )
        for student, name, _, auto, manual in _cells(
            db, Comment, Comment.auto_comment, Comment.manual_comment
        ).filter(here):
            if said := manual if manual is not None else auto:
                marks_of[student].comments[name] = said
    except SQLAlchemyError as error:
        raise GradebookError(
            f"The gradebook cannot be read ({first(error)}). "
            "Is another program using it? Run the same command again."
        ) from None
    return marks_of


def _cells(db, kind, *columns):
    return (
        db.query(SubmittedAssignment.student_id, BaseCell.name, BaseCell.id, *columns)
        .select_from(kind)
        .join(SubmittedNotebook, kind.notebook_id == SubmittedNotebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(BaseCell, kind.cell_id == BaseCell.id)
    )


def students(db: "Session"):
    """Every student of the gradebook, by id."""
    return {s.id: s for s in db.query(Student).order_by(Student.id)}


def first(error: BaseException):
    """The first line of what a database says."""
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0][:200]
