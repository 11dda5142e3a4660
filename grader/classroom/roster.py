"""A class list taken into the gradebook, as spreadsheets write it: `./course students class.csv`.

nbgrader's own import reads commas and bare UTF-8 alone. Excel writes semicolons in half of the world, and a mark before the first letter.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from grader.classroom.grade import Course
from grader.classroom.gradebook import LONGEST_ID, Book

COLUMNS = ("id", "first_name", "last_name", "email", "lms_user_id")
SEPARATORS = (",", ";", "\t")


class RosterError(RuntimeError):
    """A class list cannot be taken in; says why, and what to do."""


@dataclass(frozen=True)
class TakenIn:
    """What became of a class list: how many students are new, changed, and as they were."""

    new: int
    changed: int
    same: int


def table(data: bytes) -> list[dict[str, str]]:
    r"""The rows of a class list, by nbgrader's names of columns; what is not among them is passed over. Raises RosterError.

    >>> table("\ufeffID;First name\r\nann;Ångström\r\n".encode())
    [{'id': 'ann', 'first_name': 'Ångström'}]
    """
    text = _text(data)
    heading = text.partition("\n")[0]
    separator = max(SEPARATORS, key=heading.count)
    lines = [line for line in csv.reader(text.splitlines(), delimiter=separator) if any(map(str.strip, line))]
    names = [name.strip().lower().replace(" ", "_") for name in (lines or [[]])[0]]
    if "id" not in names:
        raise RosterError(
            f"The list's first line names no column `id`, but: {', '.join(names)[:200] or 'nothing'}. "
            f"Its columns are to be called {', '.join(COLUMNS)}; all but the first may be missing."
        )
    rows = []
    known: dict[str, int] = {}
    for number, line in enumerate(lines[1:], 2):
        row = {name: cell.strip() for name, cell in zip(names, line) if name in COLUMNS}
        student = row.get("id", "")
        if not student or len(student) > LONGEST_ID:
            raise RosterError(
                f"Row {number}: an id has 1 to {LONGEST_ID} letters, and this one {len(student)}."
            )
        if student in known:
            raise RosterError(
                f"Row {number}: {student} stands in row {known[student]}, too. An id is one learner's."
            )
        known[student] = number
        rows.append(row)
    return rows


def _text(data):
    """A file's text, in one of the encodings that spreadsheets write."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def take_in(course: Course, path: Path) -> TakenIn:
    """Add the students of a list to the gradebook, or change what it says of them; nobody is removed. All rows, or none.

    Raises RosterError, GradebookError, and OSError where the file cannot be read.
    """
    rows = table(path.read_bytes())
    with Book(course.coursedir, course.config) as book:
        return TakenIn(*book.take_in(rows))
