"""Write many grades at once, through nbgrader's own models: nbgrader's way costs a dozen commits a submission, this one a commit a batch."""

from collections.abc import Iterable
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from nbgrader.api import (
    Comment,
    Grade,
    Gradebook,
    GradeCell,
    MissingEntry,
    SolutionCell,
    SourceCell,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from nbgrader.preprocessors import AssignLatePenalties
from nbgrader.utils import is_locked
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import selectinload
from traitlets import TraitError

from grader.course.build import loads, released
from grader.course.cells import grade_id, is_grade, is_solution, marks

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from grader.classroom.task import Graded


LONGEST_ID = 128  # letters, in nbgrader's table of students
SAME_ANSWERS = ("exercises changed", "asked for")  # why something is graded again that a person may have read


class GradebookError(RuntimeError):
    """The gradebook cannot be opened or written; says which, and what to do."""


class Book:
    """An open gradebook. Only the coordinator has one."""

    def __init__(self, coursedir, config):
        self.coursedir, self.config = coursedir, config

    def __enter__(self):
        try:
            self._gradebook = Gradebook(self.coursedir.db_url, self.coursedir.course_id)
            self._gradebook.db.query(Student).count()
        except (SQLAlchemyError, ModuleNotFoundError, ValueError) as error:
            raise GradebookError(
                f"The gradebook {_without_password(self.coursedir.db_url)} cannot be opened: {_first(error)}. "
                "Is another program using it, or the address wrong (c.CourseDirectory.db_url)?"
            ) from None
        self.db = self._gradebook.db
        return self

    def __exit__(self, kind, error, _):
        self._gradebook.close()
        if isinstance(error, SQLAlchemyError):
            raise GradebookError(
                f"The gradebook {_without_password(self.coursedir.db_url)} cannot be used: {_first(error)}"
            ) from None

    def is_current(self, lesson: str):
        """Does the gradebook have this lesson's cells as the release has them?"""
        try:
            row = self._gradebook.find_notebook(lesson, lesson)
        except MissingEntry:
            return False
        cells = loads(released(lesson)).cells
        solutions = {grade_id(c) for c in cells if is_solution(c)}
        points = {grade_id(c): float(marks(c)["points"]) for c in cells if is_grade(c)}
        known = {c.name: c.max_score for c in row.grade_cells}
        return known == points and {c.name for c in row.solution_cells} == solutions

    def fit(self, lesson: str):
        """Let cells join and retire, so that the gradebook knows just those of the release, also when there are submissions."""
        with self._transaction():
            fit(self._gradebook, lesson, loads(released(lesson)).cells)

    def submitted(self, lesson: str):
        """The students that have a submission of the lesson in the gradebook."""
        return {
            s
            for (s,) in self.db.query(SubmittedAssignment.student_id).filter(
                SubmittedAssignment.assignment_id == self._gradebook.find_assignment(lesson).id
            )
        }

    def removed(self, names: Iterable[str]):
        """Of these students, who have been graded before, those that a person has removed since: nobody where the gradebook is new."""
        known = {name for (name,) in self.db.query(Student.id)}
        return set(names) - known if known & set(names) else set()

    def take_in(self, rows: list[dict[str, str]]) -> tuple[int, int, int]:
        """(new, changed, unchanged): students of a class list, added or changed in one transaction. rows: with `id`, and nbgrader's columns."""
        new = changed = 0
        with self._transaction():
            known = {student.id: student for student in self.db.query(Student)}
            for row in rows:
                given = {name: text or None for name, text in row.items() if name != "id"}
                student = known.get(row["id"])
                if student is None:
                    self.db.add(Student(id=row["id"], **given))
                    new += 1
                    continue
                differing = {name: text for name, text in given.items() if getattr(student, name) != text}
                for name, text in differing.items():
                    setattr(student, name, text)
                changed += bool(differing)
        return new, changed, len(rows) - new - changed

    def write(self, lesson: str, batch: "list[Graded]"):
        """Write a batch of Graded in one transaction. Returns what could not be written: student -> why."""
        try:
            with self._transaction():
                self._write(lesson, batch)
            return {}
        except GradebookError as error:
            if not isinstance(error.__context__, DataError | IntegrityError):
                raise
            if len(batch) == 1:
                return {batch[0].student: _refused(batch[0].student, error.__context__)}
        refused: dict[str, str] = {}
        for graded in batch:  # one row is refused: everybody else is written
            refused |= self.write(lesson, [graded])
        return refused

    def refresh_penalties(self, lesson: str, students: Iterable[str]):
        """Late penalties of submissions that are not graded again: due dates and extensions may have changed since."""
        assignment, row = (
            self._gradebook.find_assignment(lesson),
            self._gradebook.find_notebook(lesson, lesson),
        )
        late = self.db.query(SubmittedNotebook).filter(
            SubmittedNotebook.notebook_id == row.id, SubmittedNotebook.late_submission_penalty.is_not(None)
        )
        if assignment.duedate is None and not late.count():
            return
        with self._transaction():
            for some in _pieces(students):
                for notebook in self._notebooks(row, some).values():
                    self._late(notebook, assignment)

    def extend(self, lesson: str, student: str, days: float):
        """Give a learner more time for a lesson, in days after its due date; 0 takes it back. A late penalty follows at once.

        Raises GradebookError where there is no due date, or nothing of the learner's is graded yet.
        """
        try:
            due = self._gradebook.find_assignment(lesson).duedate
            self._gradebook.find_submission(lesson, student)
        except MissingEntry:
            raise GradebookError(
                f"The gradebook has no submission of {lesson} by {student}: more time counts once it is graded. Grade it, then give the time."
            ) from None
        if due is None:
            raise GradebookError(
                f"{lesson} has no due date, so nobody is late. Set one in formgrader, under Manage Assignments."
            )
        self._gradebook.grant_extension(lesson, student, days=days)
        self.refresh_penalties(lesson, [student])

    @contextmanager
    def _transaction(self):
        try:
            yield
            self.db.commit()
        except SQLAlchemyError as error:
            self.db.rollback()
            raise GradebookError(
                f"The gradebook cannot be written ({_first(error)}). Is another program using it, or the disk full? "
                "Nothing was half-written; run the same command again."
            ) from None

    def _write(self, lesson, batch):
        assignment, row = (
            self._gradebook.find_assignment(lesson),
            self._gradebook.find_notebook(lesson, lesson),
        )
        names = [g.student for g in batch]
        known = {s for (s,) in self.db.query(Student.id).filter(Student.id.in_(names))}
        for name in names:
            if name not in known:
                self.db.add(Student(id=name))
        self.db.flush()
        notebooks = self._notebooks(row, names)
        for graded in batch:
            notebook = notebooks.get(graded.student)
            if notebook is None:
                submission = SubmittedAssignment(assignment_id=assignment.id, student_id=graded.student)
                notebook = SubmittedNotebook(notebook_id=row.id, assignment=submission)
                self.db.add(submission)
            notebook.assignment.timestamp = graded.timestamp
            self._grades(notebook, row, graded)
            self._late(notebook, assignment)

    def _notebooks(self, row, students):
        """student -> SubmittedNotebook, with its grades and comments, of those that have one."""
        return {
            nb.assignment.student_id: nb
            for nb in self.db.query(SubmittedNotebook)
            .join(SubmittedAssignment)
            .filter(SubmittedNotebook.notebook_id == row.id, SubmittedAssignment.student_id.in_(students))
            .options(
                selectinload(SubmittedNotebook.grades).selectinload(Grade.cell),
                selectinload(SubmittedNotebook.comments).selectinload(Comment.cell),
                selectinload(SubmittedNotebook.assignment),
            )
        }

    def _grades(self, notebook, row, graded):
        grades, comments = {g.cell_id: g for g in notebook.grades}, {c.cell_id: c for c in notebook.comments}
        for cell in row.grade_cells:
            grade = grades.get(cell.id) or self._added(Grade(cell_id=cell.id, notebook=notebook))
            grade.auto_score = graded.scores.get(cell.name, 0.0)
            # an open answer
            read = grade.manual_score is not None and grade.auto_score is None and graded.why in SAME_ANSWERS
            grade.needs_manual_grade = (
                grade.manual_score is not None or grade.auto_score is None
            ) and not read
        for cell in row.solution_cells:
            comment = comments.get(cell.id) or self._added(Comment(cell_id=cell.id, notebook=notebook))
            comment.auto_comment = "No response." if cell.name in graded.unanswered else None

    def _added(self, row):
        self.db.add(row)
        return row

    @cached_property
    def _late_plugin(self):
        """The plug-in that nbgrader's configuration names, as nbgrader itself finds it: a class, or `"late.SubMarks"`."""
        penalties = AssignLatePenalties(config=self.config)
        try:
            penalties.init_plugin()
        except (ImportError, TraitError) as error:
            raise GradebookError(
                f"The plug-in for late penalties cannot be used: {error}. "
                "c.AssignLatePenalties.plugin_class in nbgrader_config.py names it."
            ) from None
        return penalties.plugin_inst

    def _late(self, notebook, assignment):
        """A late penalty, by the plug-in that nbgrader's configuration names."""
        submitted, extension, penalty = (
            notebook.assignment.timestamp,
            notebook.assignment.extension or timedelta(),
            None,
        )
        late = (
            (submitted - assignment.duedate - extension).total_seconds()
            if assignment.duedate and submitted
            else 0
        )
        if late > 0:
            score = sum(
                (g.manual_score if g.manual_score is not None else g.auto_score or 0.0)
                + (g.extra_credit or 0.0)
                for g in notebook.grades
            )
            penalty = self._late_plugin.late_submission_penalty(notebook.assignment.student_id, score, late)
        notebook.late_submission_penalty = None if penalty is None else min(max(penalty, 0.0), score)


def fit(gradebook: Gradebook, lesson: str, cells: "Iterable[NotebookNode]"):
    """Let cells join and retire in a lesson that has submissions; nbgrader refuses that for the whole lesson.

    Marks and comments of all other cells stay; a cell that has left takes its own along. cells: of the notebook that is to be known.
    """
    try:
        row = gradebook.find_notebook(lesson, lesson)
    except MissingEntry:
        return
    if not row.submissions:
        return  # nbgrader makes it anew
    marked = [cell for cell in cells if grade_id(cell)]
    kinds = (
        (row.grade_cells, GradeCell, is_grade),
        (row.solution_cells, SolutionCell, is_solution),
        (row.source_cells, SourceCell, _has_source),
    )
    for known, kind, belongs in kinds:
        wanted = {grade_id(cell): cell for cell in marked if belongs(cell)}
        gone = [cell for cell in known if cell.name not in wanted]
        new = sorted(wanted.keys() - {cell.name for cell in known})
        for cell in gone:
            for given in (Grade, Comment):
                gradebook.db.query(given).filter(given.cell_id == cell.id).delete()
            gradebook.db.delete(cell)
        for name in new:
            gradebook.db.add(_new_cell(kind, name, wanted[name], row))
    gradebook.db.flush()
    gradebook.db.expire_all()


def _has_source(cell):
    """Does nbgrader keep this cell's source, to put it back where a learner has changed it?"""
    return is_grade(cell) or is_solution(cell) or is_locked(cell)


def _new_cell(kind, name, cell, notebook):
    """A row of the gradebook for a cell of the release."""
    made = kind(name=name, notebook=notebook)
    if kind is GradeCell:
        made.max_score, made.cell_type = float(marks(cell)["points"]), cell.cell_type
    if kind is SourceCell:
        made.cell_type, made.locked, made.source = cell.cell_type, is_locked(cell), cell.source
        made.checksum = marks(cell).get("checksum")
    return made


def _refused(student, error):
    """Why the gradebook does not take somebody in."""
    if len(student) > LONGEST_ID:
        return (
            f"The gradebook takes ids of at most {LONGEST_ID} letters, and this one has {len(student)}. "
            "Rename the learner's folder in submitted/ to a shorter one."
        )
    return f"The gradebook refuses it: {_first(error)}."


def _pieces(items, size=200):
    """A list in pieces: databases take so many parameters and no more."""
    return (items[i : i + size] for i in range(0, len(items), size))


def _first(error):
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0][:200]


def _without_password(url):
    from sqlalchemy.engine import make_url

    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return url
