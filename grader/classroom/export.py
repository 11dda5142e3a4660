"""Grades as CSV files that Canvas and Moodle import, as nbgrader's export plug-ins: `./course export canvas`, or
`nbgrader export --exporter=grader.classroom.export.Canvas --to grades.csv`.

Names come from outside: every text is quoted, and one that a spreadsheet would read as a formula is defused.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from nbgrader.api import Gradebook
from nbgrader.plugins import ExportPlugin
from sqlalchemy.exc import SQLAlchemyError

from grader.classroom.marks import exists, first, read, students
from grader.course.files import write_whole

if TYPE_CHECKING:
    from grader.classroom.grade import Course
    from grader.classroom.marks import Marks


class ExportError(RuntimeError):
    """The grades cannot be exported; says why, and what to do."""


def safe(value: object):
    """A cell's text without control characters; with an apostrophe before what a spreadsheet would run as a formula."""
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return value
    text = "".join(c if c.isprintable() else " " for c in str(value)).strip()
    if text == "-":
        return text
    if text[:1] in tuple("=+-@\uff1d\uff0b\uff0d\uff20"):
        return "'" + text
    return text


def table(rows: Iterable[Iterable[object]]):
    """Rows as the text of a CSV file: every text quoted, numbers plain. It begins with a mark by which a
    spreadsheet knows UTF-8."""
    file = io.StringIO("\ufeff")
    file.seek(0, io.SEEK_END)
    csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n").writerows(
        [safe(v) for v in row] for row in rows
    )
    return file.getvalue()


def number(score: float):
    """At most four decimals: 7, 7.5, 0.3333."""
    score = round(float(score), 4)
    if score.is_integer():
        return int(score)
    return score


def still_to_read(count: int) -> str:
    """What is to be said of submissions with answers that a person has still to read."""
    if count == 1:
        return "1 submission has an answer that a person has still to read. Its score goes without it, or with the mark of an earlier answer."
    return f"{count} submissions have answers that a person has still to read. Their scores go without them, or with the mark of an earlier answer."


class _Csv(ExportPlugin):
    """Rows of a table, written whole or not at all."""

    default = "grades.csv"
    told = ""  # what was to be known before importing the last table

    def tells(self, lessons: dict[str, float]) -> str:
        """What somebody must know before they import it, in a sentence; "" where there is nothing. lessons:
        name -> most points."""
        return ""

    def listed(self, people: dict, marks: "dict[str, dict[str, Marks]]") -> dict:
        """Those of the students who have a place in the table."""
        return people

    def export(self, gradebook: Gradebook):
        path = Path(self.to or self.default)
        try:
            lessons = {a.name: a.max_score for a in sorted(gradebook.assignments, key=lambda a: a.name)}
            people = students(gradebook.db)
            for wanted, known, what in (
                (self.assignment, lessons, "lesson"),
                (self.student, people, "student"),
            ):
                if missing := [str(w) for w in wanted if str(w) not in known]:
                    raise ExportError(
                        f"The gradebook has no {what} {', '.join(map(repr, missing))}. It has: "
                        f"{', '.join(list(known)[:30]) or 'none'}."
                    )
            lessons = {
                n: m for n, m in lessons.items() if not self.assignment or n in map(str, self.assignment)
            }
            people = {i: p for i, p in people.items() if not self.student or i in map(str, self.student)}
            left_out = str(self.config.CourseDirectory.get("student_id_exclude", "")).split(",")
            people = {i: p for i, p in people.items() if i not in left_out}
            marks = {name: read(gradebook.db, name) for name in lessons}
        except SQLAlchemyError as error:
            raise ExportError(f"The gradebook cannot be read ({first(error)}).") from None
        if not any(marks.values()):
            raise ExportError("The gradebook holds no grades: run `./course grade` first.")
        people = self.listed(people, marks)
        write_whole(Path(path), table(self.rows(people, lessons, marks)))
        waiting = sum(given[key].waiting for given in marks.values() for key in people if key in given)
        if waiting:
            self.log.warning(still_to_read(waiting))
        self.told = self.tells(lessons)
        if self.told:
            self.log.warning(self.told)
        self.log.info("Exported %d students to %s", len(people), path)
        return len(people), waiting


class Canvas(_Csv):
    """What Canvas' gradebook imports: https://community.canvaslms.com, "How do I import grades in the Gradebook?".

    Students are found by `ID` (nbgrader's lms_user_id), or else by `SIS Login ID` (nbgrader's student id). No
    submission is an empty cell, which Canvas leaves as it is.
    """

    default = "canvas.csv"

    def tells(self, lessons: dict[str, float]) -> str:
        return (
            "The row “Points Possible” overwrites what Canvas has: an assignment of the same name gets "
            f"these points ({_maxima(lessons)}), and a lesson that Canvas does not have becomes a new assignment."
        )

    def rows(self, people: dict, lessons: dict[str, float], marks: "dict[str, dict[str, Marks]]"):
        yield ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *lessons]
        yield ["Points Possible", "", "", "", "", *map(number, lessons.values())]
        for key, person in people.items():
            name = ", ".join(filter(None, [person.last_name, person.first_name])) or key
            yield [
                name,
                person.lms_user_id,
                "",
                key,
                "",
                *(number(marks[n][key].score) if key in marks[n] else "" for n in lessons),
            ]


class Moodle(_Csv):
    """What Moodle's grade import takes: https://docs.moodle.org/en/Grade_import. Map `Username` (or
    `Email address`), then one column a lesson.

    Moodle reads an empty cell as a grade, and a row without an address as the learner's of the row before. So
    who has handed in nothing has no row, a lesson without a submission is "-", which Moodle leaves as it is,
    and addresses stand there only where everybody has one.
    """

    default = "moodle.csv"

    def listed(self, people: dict, marks: "dict[str, dict[str, Marks]]") -> dict:
        """Who has handed in something."""
        return {
            key: person for key, person in people.items() if any(key in given for given in marks.values())
        }

    def tells(self, lessons: dict[str, float]) -> str:
        return (
            "Moodle's table holds no maxima: a new grade item gets 100. Set the maximum grade of each "
            f"item to {_maxima(lessons)}. Moodle stops at the first user whom it does not know: enrol "
            "everybody first."
        )

    def rows(self, people: dict, lessons: dict[str, float], marks: "dict[str, dict[str, Marks]]"):
        addresses = [person.email for person in people.values()]
        has_addresses = all(addresses)
        yield ["Username", *(["Email address"] if has_addresses else []), "First name", "Last name", *lessons]
        for key, person in people.items():
            yield [
                key,
                *([person.email] if has_addresses else []),
                person.first_name,
                person.last_name,
                *(number(marks[n][key].score) if key in marks[n] else "-" for n in lessons),
            ]


class Table(_Csv):
    """nbgrader's own columns: a row for each lesson and student, with the zero of who submitted nothing."""

    def rows(self, people: dict, lessons: dict[str, float], marks: "dict[str, dict[str, Marks]]"):
        yield [
            "assignment",
            "timestamp",
            "student_id",
            "last_name",
            "first_name",
            "email",
            "raw_score",
            "late_submission_penalty",
            "score",
            "max_score",
        ]
        for lesson, most in lessons.items():
            for key, person in people.items():
                submitted = marks[lesson].get(key)
                raw = 0
                if submitted:
                    raw = sum(m.score for m in submitted.cells.values())
                yield [
                    lesson,
                    submitted and submitted.timestamp and submitted.timestamp.isoformat(),
                    key,
                    person.last_name,
                    person.first_name,
                    person.email,
                    number(raw),
                    number(submitted.penalty if submitted else 0),
                    number(submitted.score if submitted else 0),
                    number(most),
                ]


FORMATS = {"canvas": Canvas, "moodle": Moodle, "csv": Table}


def _maxima(lessons):
    """02_bce 15, 03_bce_with_logits 12."""
    return ", ".join(f"{name} {number(most):g}" for name, most in lessons.items())


def export(course: "Course", kind: str, to: str | Path | None = None):
    """(path, students, waiting, what is to be known before it is imported): write the course's grades in one
    of FORMATS. Raises ExportError where there is no gradebook, nothing in it, or it cannot be read."""
    if not exists(course):
        raise ExportError("There is no gradebook here: run `./course grade` first.")
    plugin = FORMATS[kind](config=course.config)
    plugin.log.setLevel("ERROR")
    if to:
        plugin.to = str(to)
    try:
        with Gradebook(course.coursedir.db_url, course.coursedir.course_id) as gradebook:
            count, waiting = plugin.export(gradebook)
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        raise ExportError(f"The gradebook cannot be opened: {first(error)}.") from None
    return Path(plugin.to or plugin.default), count, waiting, plugin.told
