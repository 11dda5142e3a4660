"""Submissions that a learning platform hands out as one zip archive, taken into `submitted/`:
`collect 02_bce --from submissions.zip`.

    Canvas   lovelaceada_12345_67890_02_bce.ipynb, lovelaceada_LATE_12345_67890_02_bce-1.ipynb
    Moodle   Ada Lovelace_12345_assignsubmission_file/02_bce.ipynb, also without the folder

Whose a file is, the gradebook's students say (`./course students`): by `lms_user_id` in Canvas, else
by first and last name. What belongs to nobody, or to several, is named and left in the archive. The times in
an archive are not those of submission (Canvas gives the time of the download), so nobody is late by them.
They do tell which of two archives is the older one, whose files replace nothing.
"""

import os
import re
import shutil
import stat
import tempfile
import unicodedata
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from grader.classroom.grade import Course
from grader.classroom.submission import BESIDE, LARGEST, shown, timestamp
from grader.course.lessons import lessons

MEMBERS = 20_000  # of an archive that are looked at
WHOLE = 8 << 30  # bytes of all files together that are taken out of an archive
NO_TIME = 1980  # the year that stands in an archive which knows no time
LONGEST_NAME = 200  # bytes of a file's name that every disk takes
CANVAS = re.compile(r"(?P<name>[^_/]+)_(?:LATE_)?(?P<user>\d+)_\d+_(?P<file>[^/]+)")
MOODLE = re.compile(r"(?:.*/)?(?P<name>[^/]+?)_\d+_assignsubmission_file_?[/_](?:[^/]+/)*(?P<file>[^/]+)")
ONLINE_TEXT = re.compile(r"_\d+_assignsubmission_onlinetext(?:_|/|$)")  # what was typed into Moodle itself
# what Canvas puts behind the name of a file that is handed in again
AGAIN = re.compile(r"-(?P<number>\d{1,3})(?=\.[^.]+$)")

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError)


class ArchiveError(RuntimeError):
    """An archive cannot be taken in at all; says why, and what to do."""


@dataclass(frozen=True)
class Person:
    """A student of the gradebook."""

    id: str
    first_name: str = ""
    last_name: str = ""
    lms_user_id: str = ""


@dataclass(frozen=True)
class File:
    """A file of an archive: whose it is, as the archive has it, and which attempt."""

    member: zipfile.ZipInfo
    owner: str
    user: str
    name: str
    attempt: int = 0


@dataclass
class TakenIn:
    """What became of an archive. `older`: whose submission lies here in a newer state; `left`: a sentence for
    each file that stays in it."""

    new: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    older: list[str] = field(default_factory=list)
    same: int = 0
    left: list[str] = field(default_factory=list)


# ---------------------------------------------------------------- whose a file is; pure


def file_of(member: zipfile.ZipInfo) -> File | None:
    """A member of an archive, read by its name; None for a name that neither platform makes.

    >>> found = file_of(zipfile.ZipInfo("lovelaceada_LATE_12345_67890_02_bce-1.ipynb"))
    >>> found.owner, found.user, found.name, found.attempt
    ('lovelaceada', '12345', '02_bce.ipynb', 1)
    """
    path = PurePosixPath(member.filename)
    moodle = MOODLE.fullmatch(str(path))
    if moodle:
        return File(member, moodle["name"], "", moodle["file"])
    canvas = CANVAS.fullmatch(path.name)
    if canvas is None:
        return None
    again = AGAIN.search(canvas["file"])
    attempt = 0
    if again:
        attempt = int(again["number"])
    return File(member, canvas["name"], canvas["user"], AGAIN.sub("", canvas["file"]), attempt)


def plain(name: str) -> str:
    """A name as platforms squeeze it: small letters and digits, without accents.

    >>> plain("Núñez, Ána-María")
    'nunezanamaria'
    """
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in letters if letter.isalnum())


def owners(file: File, people: Iterable[Person]) -> list[str]:
    """The ids of those whose file it may be: one where it is clear."""
    people = list(people)
    if file.user:
        known = [person.id for person in people if person.lms_user_id == file.user]
        if known:
            return known
    called = plain(file.owner)

    def is_theirs(person: Person) -> bool:
        first_last = plain(person.first_name + person.last_name)
        last_first = plain(person.last_name + person.first_name)
        return called in (first_last, last_first, plain(person.id))

    return sorted(person.id for person in people if is_theirs(person))


def refused(file: File) -> str:
    """Why a file is not taken out of an archive, or ""."""
    member = file.member
    if file.name.startswith("."):
        return "its name begins with a dot"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "it is a link"
    if member.flag_bits & 1:
        return "it has a password"
    if member.file_size > LARGEST:
        return "it is too large"
    if len(file.name.encode("utf-8", errors="replace")) > LONGEST_NAME:
        return "its name is too long"
    if file.name in BESIDE:
        return "a file of this name says when it was submitted, which is not for its author to say"
    return ""


# ---------------------------------------------------------------- taking in


def people_of(course: Course) -> list[Person]:
    """The students of the course's gradebook."""
    from nbgrader.api import Gradebook

    with Gradebook(course.coursedir.db_url, course.coursedir.course_id) as gradebook:
        return [
            Person(s.id, s.first_name or "", s.last_name or "", str(s.lms_user_id or ""))
            for s in gradebook.students
        ]


def take_in(course: Course, lesson: str, path: Path) -> TakenIn:
    """Take the submissions of an archive into `submitted/`. A newer one replaces an earlier one, as `collect`
    has it, and an older one nothing.

    Raises ArchiveError where the archive cannot be read, and nothing is taken in then.
    """
    people = people_of(course)
    if not people:
        raise ArchiveError(
            "The gradebook has no students, so no file can be given to anybody: `./course students class.csv` "
            "takes in a table with the columns id, first_name, last_name, and lms_user_id for Canvas."
        )
    done = TakenIn()
    try:
        with zipfile.ZipFile(path) as archive:
            for student, files in sorted(_sorted(archive, people, lesson, done).items()):
                _put(course, lesson, archive, student, files, done)
    except FileNotFoundError as error:
        raise ArchiveError(f"There is no {error.filename}.") from None
    except DAMAGED as error:
        raise ArchiveError(
            f"{path.name} is no zip archive, or a damaged one ({error}). Download it once more."
        ) from None
    return done


def _sorted(
    archive: zipfile.ZipFile, people: list[Person], lesson: str, done: TakenIn
) -> dict[str, list[File]]:
    """The files of an archive by student, the last attempt of each name; what belongs to nobody goes to `done.left`."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > MEMBERS:
        raise ArchiveError(f"The archive holds {len(members)} files; at most {MEMBERS} are looked at.")
    if sum(member.file_size for member in members) > WHOLE:
        raise ArchiveError("The archive holds more than 8 GB unpacked: that is no class's notebooks.")
    by_student: dict[str, dict[str, File]] = defaultdict(dict)
    typed = 0
    for member in members:
        file = file_of(member)
        called = shown(member.filename)
        if "__MACOSX" in member.filename:
            continue
        if file is None and ONLINE_TEXT.search(member.filename):
            typed += 1
            continue
        if file is None:
            done.left.append(f"`{called}`: whose it is cannot be read from its name.")
            continue
        if other := _other_lesson(file.name, lesson):
            done.left.append(f"`{called}`: it is a notebook of {other}.")
            continue
        found = owners(file, people)
        if why := refused(file):
            done.left.append(f"`{called}`: {why}.")
        elif len(found) != 1:
            who = "nobody in the gradebook is called so"
            if found:
                who = f"it may be {', '.join(found)}'s"
            done.left.append(f"`{called}`: {who}.")
        else:
            known = by_student[found[0]].get(file.name)
            if known is None or known.attempt <= file.attempt:
                newer, older = file, known
            else:
                newer, older = known, file
            by_student[found[0]][file.name] = newer
            if older is not None:
                kept = shown(newer.member.filename)
                done.left.append(f"`{shown(older.member.filename)}`: `{kept}` came later, and counts.")
    if typed:
        done.left.append(f"{typed} texts that were typed into Moodle itself: they are no notebooks.")
    return {student: list(files.values()) for student, files in by_student.items()}


def _other_lesson(name: str, lesson: str) -> str:
    """The lesson that a file is named after, where that is another one."""
    stem = PurePosixPath(name).stem
    if stem in lessons() and stem != lesson:
        return stem
    return ""


def _put(
    course: Course, lesson: str, archive: zipfile.ZipFile, student: str, files: list[File], done: TakenIn
) -> None:
    """Write a student's files beside their place, then put them there as a whole."""
    most = 1000 * course.coursedir.max_dir_size
    if sum(file.member.file_size for file in files) > most:
        done.left.append(
            f"{student}: what was handed in has more than {most // 1_000_000} MB (c.CourseDirectory.max_dir_size)."
        )
        return
    target = course.folder("submitted", student, lesson)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".taken-in-") as folder:
        beside = Path(folder, lesson)
        beside.mkdir()
        for file in files:
            try:
                with archive.open(file.member) as source, (beside / file.name).open("wb") as copy:
                    shutil.copyfileobj(source, copy)
            except DAMAGED as error:
                done.left.append(f"`{shown(file.member.filename)}`: it is damaged ({error}).")
                (beside / file.name).unlink(missing_ok=True)
                continue
            when = time_in(file.member)
            if when is not None:
                os.utime(beside / file.name, (when, when))
        if not any(beside.iterdir()):
            return
        if target.exists() and _same(beside, target):
            done.same += 1
            return
        if target.exists() and _is_older(files, target):
            done.older.append(student)
            return
        if target.exists():
            os.rename(target, Path(folder, "earlier"))
            done.replaced.append(student)
        else:
            done.new.append(student)
        os.rename(beside, target)


def time_in(member: zipfile.ZipInfo) -> float | None:
    """When a file was put into its archive, in seconds since 1970, or when it was last changed; None where
    the archive does not say.

    An archive knows no time zone: this machine's is taken.
    """
    try:
        when = datetime(*member.date_time)
    except ValueError:  # the month 0
        return None
    return None if when.year == NO_TIME else when.timestamp()


def _is_older(files: list[File], target: Path) -> bool:
    """Is all that the archive has of a learner older than what lies here? Not where one of the two has no time."""
    times = [when for file in files if (when := time_in(file.member)) is not None]
    if len(times) < len(files):
        return False
    newest = max(times)
    submitted = timestamp(target)
    if submitted is not None:
        return newest < submitted.replace(tzinfo=UTC).timestamp()
    # an empty file only stands for a notebook that was missing when somebody graded
    here = [path.stat().st_mtime for path in _files(target) if path.stat().st_size]
    return bool(here) and newest < max(here)


def _same(one: Path, other: Path) -> bool:
    """Do two folders hold the same files? A time of submission that `collect` wrote beside them does not count."""
    return _contents(one) == _contents(other)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in _files(folder)}


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_file() and not path.is_symlink() and path.name != "timestamp.txt":
            yield path
