"""What nbgrader plugs in, named in nbgrader_config.py: an exporter that reads anything, Rebuild, Examine, and
what releases and collects."""

import contextlib
import errno
import functools
import glob
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from nbconvert.exporters import NotebookExporter
from nbgrader.api import Gradebook
from nbgrader.exchange.default import ExchangeCollect, ExchangeReleaseAssignment, ExchangeReleaseFeedback
from nbgrader.preprocessors import NbGraderPreprocessor, SaveCells
from nbgrader.utils import temp_attrs
from traitlets import Bool, Float

from grader.classroom import record, submission
from grader.classroom.examiner import SECONDS
from grader.classroom.gradebook import fit
from grader.classroom.worker import examine_within, rebuild_within
from grader.course.build import released
from grader.course.lessons import lessons

if TYPE_CHECKING:
    from nbformat import NotebookNode


try:
    import pwd
except ImportError:  # Windows has no owners
    pwd = None  # type: ignore[assignment]

# what is a name of a folder only, and nothing in a page; letters with marks of their own, as é in two signs,
# and what names of people hold
STUDENT = re.compile(r"(?!\.)[\w\u0300-\u036f.@+ ,'’&-]{1,128}")

# marks a record of the log: somebody's submission stays in the exchange
NOT_COLLECTED = {"not_collected": True}


class AnyNotebook(NotebookExporter):
    """Reads whatever lies in the notebook's place, and leaves it to Rebuild: nbgrader itself sees an empty notebook."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        _take_in_folders_without_a_notebook(self.parent)
        _leave_out_who_was_removed(self.parent)

    def from_filename(self, filename: str, resources: dict | None = None, **kwargs):
        coursedir = _coursedir(self)
        submitted = Path(coursedir.root, coursedir.submitted_directory)
        # the second pass, over what Rebuild wrote
        if not Path(coursedir.root, filename).is_relative_to(submitted):
            return super().from_filename(filename, resources=resources, **kwargs)
        data, notes = submission.load(Path(filename))
        if resources is None:
            resources = {}
        resources["grader"] = {"notes": [*_odd.pop(str(Path(filename).parent), ()), *notes], "data": data}
        return self.from_notebook_node(nbformat.v4.new_notebook(), resources=resources, **kwargs)


def _coursedir(exporter):
    return exporter.parent.coursedir


def _take_in_folders_without_a_notebook(converter):
    """nbgrader passes over a submission without a notebook, and then it has no record: it gets an empty one,
    and is graded as that."""
    found = getattr(converter, "assignments", None)
    if not found:  # another program uses this exporter
        return
    coursedir = converter.coursedir
    lesson = coursedir.assignment_id
    pattern = coursedir.format_path(coursedir.submitted_directory, coursedir.student_id, lesson)
    for folder in filter(os.path.isdir, glob.glob(pattern)):
        path = str(Path(folder, f"{lesson}.ipynb"))
        if path not in found.get(folder, ()):
            submission.placeholder(folder, lesson)
            found.setdefault(folder, []).append(path)


def _leave_out_who_was_removed(converter):
    """nbgrader makes a student of whoever has a folder: one that was graded and then removed from the
    gradebook would be back."""
    found = getattr(converter, "assignments", None)
    if not found:
        return
    from grader.classroom.grade import NO_ID, Course, graded_students
    from grader.classroom.gradebook import Book

    of = Course(converter.coursedir, converter.config)
    graded = graded_students(of)
    removed: set[str] = set()
    if graded:
        with Book(of.coursedir, of.config) as book:
            removed = book.removed(graded)
    for folder in list(found):
        student = Path(folder).parent.name
        if not submission.is_text(student):
            del found[folder]
            converter.log.warning("%s is left out: %s", submission.shown(student), NO_ID)
        elif student in removed:
            del found[folder]
            converter.log.warning(
                "%s is left out: removed from the gradebook. `nbgrader db student add %s` takes them in again.",
                student,
                student,
            )


_odd: dict[str, tuple] = {}  # what the hook below found: folder -> notes


def before_autograde(assignment: str, student: str, notebooks: Iterable[str]):
    """nbgrader's pre-convert hook: make the folder safe before nbgrader copies what lies in it, or what its
    links point at.

    A lesson that was never generated here, or has changed since, is recorded in the gradebook first, as
    `grade` does it.
    """
    _recorded(assignment, released(assignment).stat().st_mtime_ns if released(assignment).is_file() else 0)
    for folder in {os.path.dirname(notebook) for notebook in notebooks}:
        _odd[str(Path(folder))] = submission.tidy(Path(folder), assignment)


@functools.cache
def _recorded(assignment, _when):
    """See to it that the gradebook knows this lesson as it is released, once for each state of the release."""
    from grader.classroom.grade import course_here, ensure_lesson
    from grader.classroom.gradebook import Book

    if assignment not in lessons():
        return
    course = course_here()
    with Book(course.coursedir, course.config) as book:
        ensure_lesson(course, assignment, book)


class Cells(SaveCells):
    """Records a lesson's cells in the gradebook, also where some joined or left since the class was graded."""

    def preprocess(self, nb: "NotebookNode", resources: dict):
        about = resources["nbgrader"]
        with Gradebook(about["db_url"]) as gradebook:
            fit(gradebook, about["assignment"], nb.cells)
            gradebook.db.commit()
        return super().preprocess(nb, resources)


class Rebuild(NbGraderPreprocessor):
    """Sanitising preprocessor: the course's notebook with the learner's answers in it, and nothing beside it
    but the time."""

    def preprocess(self, nb: "NotebookNode", resources: dict):
        found = resources.pop("grader", {"notes": [], "data": nbformat.writes(nb).encode()})
        text, notes = rebuild_within(resources["nbgrader"]["assignment"], found["data"], found["notes"])
        result = nbformat.reads(text, as_version=4)
        result.metadata["grader"] = {"notes": notes, "content": record.content(found["data"])}
        _alone(self.parent.parent.coursedir, resources)
        return result, resources


def _folder(coursedir, resources):
    about = resources["nbgrader"]
    return Path(
        coursedir.root,
        coursedir.format_path(coursedir.autograded_directory, about["student"], about["assignment"]),
    )


def _alone(coursedir, resources):
    """Files that a learner put beside the notebook stay in `submitted`: formgrader would serve a copy under
    the teacher's own address."""
    folder = _folder(coursedir, resources)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in submission.BESIDE:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


class Examine(NbGraderPreprocessor):
    """Autograding preprocessor in the place of nbgrader's Execute: judges behind walls, writes the panels and
    the points."""

    trust_submissions = Bool(
        False, help="Run submissions without walls: they can then read, write and send what this user can."
    ).tag(config=True)
    seconds = Float(SECONDS, help="Time for one submission, at the most.").tag(config=True)

    def preprocess(self, nb: "NotebookNode", resources: dict):
        about = nb.metadata.get("grader", {})
        coursedir = self.parent.parent.coursedir
        lesson, folder = resources["nbgrader"]["assignment"], _folder(coursedir, resources)
        text = nbformat.writes(nb, version=nbformat.NO_CONVERT)
        notes, trust = about.get("notes", ()), self.trust_submissions
        examined = examine_within(text, record.new_seed(), notes, self.seconds, trust)
        stamp = submission.timestamp(folder)
        made = record.make(lesson, about.get("content", ""), examined)
        made["timestamp"] = stamp and stamp.isoformat()
        record.save(folder, record.counted(made, record.load(folder)))
        return examined.notebook, resources


class _Whole:
    """An exchange that copies a folder whole or not at all: half a submission would be graded, half a release
    be handed out."""

    def do_copy(self, src, dest, log=None):
        part = Path(dest).with_name(f".{Path(dest).name}.part")
        shutil.rmtree(part, ignore_errors=True)
        try:
            super().do_copy(src, str(part), log)
            part.replace(dest)
        except BaseException as error:
            shutil.rmtree(part, ignore_errors=True)
            if isinstance(error, shutil.Error):  # a list of what was not copied
                raise OSError(error.args[0][0][2]) from None
            raise


class Release(_Whole, ExchangeReleaseAssignment):
    """Hands out whole lessons."""


class Collect(_Whole, ExchangeCollect):
    """Collects without following links, and puts a placeholder where the notebook is missing, so that it is
    seen and counts zero. What one learner put there keeps nobody else's submission from being collected, and
    a submission arrives whole or not at all."""

    def init_src(self):
        course = Path(self.root, self.coursedir.course_id)
        pattern = f"{glob.escape(str(course))}/inbound/*+{self.coursedir.assignment_id}+*"
        names = [Path(name).name for name in glob.glob(pattern)]
        refused = {name: why for name in names if (why := self._refused(course / "inbound" / name))}
        for name, why in refused.items():
            self.log.warning("%r is not collected: %s", submission.shown(name), why, extra=NOT_COLLECTED)
        if not refused:
            return super().init_src()
        # nbgrader stops at the first name that it cannot read, and takes the newest folder, whoever made it:
        # let it choose among the others
        with tempfile.TemporaryDirectory() as folder:
            chosen = Path(folder, self.coursedir.course_id, "inbound")
            chosen.mkdir(parents=True)
            for name in set(names) - set(refused):
                (chosen / name).mkdir()
            with temp_attrs(self, root=folder):
                super().init_src()
        self.inbound_path = str(course / "inbound")

    def _refused(self, path):
        """Why a folder in the exchange is not looked at; "" where it is."""
        if not _dated(path.name):
            return (
                "its name does not say when it was submitted. It stays in the exchange; if it counts, rename it to "
                f"LEARNER+{self.coursedir.assignment_id}+2026-01-31 12:00:00 UTC, and collect again."
            )
        student = path.name.rsplit("+", 3)[0]
        if not STUDENT.fullmatch(student):
            return (
                f"{submission.shown(student)!r} is no id of a learner: that has at most 128 letters, "
                "digits, spaces and . , @ + - _ ' & only. It stays in the exchange; rename it there, or "
                "have it handed in under another id."
            )
        may_own = self._ownership(student)
        with contextlib.suppress(OSError):  # gone meanwhile
            uid = os.lstat(path).st_uid
            if may_own is not None and not may_own(uid):
                return self._says_whose(student, uid)
        return ""

    def _ownership(self, student):
        """A function of a uid: may its files count as this learner's? Those of this user, and of root, may:
        they were put there by a teacher."""
        if not self.check_owner or pwd is None:
            return None
        teachers = (os.geteuid(), 0)
        return lambda uid: uid in teachers or _account(uid) == student

    def _says_whose(self, student, uid):
        return (
            f"it bears the name of {student}, and belongs to {_account(uid)}. It stays in the exchange. "
            "Where learners share an account, or their ids are no names of accounts, "
            "c.ExchangeCollect.check_owner = False takes everybody's word."
        )

    def copy_files(self):
        """Fetch each submission into a folder of the teacher's first. What cannot be fetched leaves the
        earlier one where it is."""
        for chosen in self.src_records:
            student = chosen["username"]
            with tempfile.TemporaryDirectory(dir=self.coursedir.root, prefix=".collect-") as folder:
                try:
                    self._fetch(chosen, Path(folder, chosen["filename"]))
                except submission.NotTheirs as error:
                    whose = self._says_whose(student, error.args[0])
                    name = submission.shown(chosen["filename"])
                    self.log.warning("%r is not collected: %s", name, whose, extra=NOT_COLLECTED)
                    continue
                except OSError as error:
                    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS):
                        raise  # nobody's fault who submitted
                    self.log.warning(
                        "%s: not collected (%s). The others are.",
                        student,
                        error.strerror,
                        extra=NOT_COLLECTED,
                    )
                    continue
                with temp_attrs(self, src_records=[chosen], inbound_path=folder, check_owner=False):
                    super().copy_files()

    def _fetch(self, chosen, copied):
        """Copy what lies in the exchange, and make it a submission: nothing in it is a link, and it has a time."""
        student, lesson = chosen["username"], self.coursedir.assignment_id
        source = Path(self.inbound_path, chosen["filename"])
        bounds = submission.Bounds(1000 * self.coursedir.max_dir_size)
        notes = submission.copy(source, copied, lesson, bounds, self._ownership(student))
        notes += submission.tidy(copied, lesson)
        if submission.timestamp(copied) is None:
            info = os.lstat(source)
            by_teacher = info.st_uid in (os.geteuid(), 0)
            changed = datetime.fromtimestamp(info.st_ctime, UTC)  # which no learner can set
            time = changed
            if by_teacher:
                time = chosen["timestamp"].replace(tzinfo=UTC)
            (copied / "timestamp.txt").write_text(f"{time:%Y-%m-%d %H:%M:%S.%f} UTC", encoding="utf-8")
            notes.append(
                f"Without a time of its own, it counts as submitted at {time:%Y-%m-%d %H:%M:%S} UTC, "
                "as its folder says."
            )
        submission.placeholder(copied, lesson)
        for note in notes:
            self.log.warning("%s: %s", student, note)


class ReleaseFeedback(ExchangeReleaseFeedback):
    """Hands feedback out to all that can fetch it. nbgrader stops at the first that cannot: who did not
    submit by `nbgrader submit`."""

    def copy_files(self):
        pattern = Path(
            self.coursedir.format_path(self.coursedir.feedback_directory, "*", self.coursedir.assignment_id)
        )
        pages = [
            p
            for p in sorted(pattern.parents[1].glob(f"*/{pattern.name}"))
            if not all(_says(p / name) for name in submission.BESIDE)
        ]
        for page in pages:
            self.log.warning(
                "%s: not released, give it to the learner yourself. It was not submitted by `nbgrader "
                "submit`, so `nbgrader fetch_feedback` cannot find it.",
                page,
            )
        without = [self.coursedir.student_id_exclude, *(page.parent.name for page in pages)]
        with temp_attrs(self.coursedir, student_id_exclude=",".join(filter(None, without))):
            super().copy_files()


def _account(uid):
    """The name of an account, or `uid 1234` where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _says(path):
    """Is this a text, and not an empty one?"""
    try:
        return bool(path.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return False


def _dated(name):
    """Can nbgrader read the time in the name of a folder in the exchange, and rightly? `+0100` in it would be
    taken for UTC."""
    try:
        time = name.rsplit("+", 3)[2]
        submission.time_of(time)
    except (ValueError, OverflowError, TypeError, IndexError):
        return False
    return not time.endswith(" ")
