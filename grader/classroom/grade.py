"""Grade a class: workers rebuild, examine and return verdicts; this coordinator alone writes the gradebook
and the graded notebooks.

Each of this machine's examiners is reached through a socket of its own, so a run opens no port; on a Dask
cluster, when its scheduler is named, submissions travel as bytes, by TLS. A submission whose content and
definitions are unchanged is not graded again; a killed run goes on where it stopped.
"""

import collections
import contextlib
import glob
import itertools
import logging
import os
import queue
import shlex
import shutil
import stat
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from grader.classroom import record, submission
from grader.classroom.examiner import SECONDS as BUDGET
from grader.classroom.examiner import Examiner
from grader.classroom.gradebook import Book, GradebookError
from grader.classroom.task import Graded, GradingError, Task
from grader.classroom.worker import PREPARE, get_ready, grade_one, shared_examiner
from grader.course.build import ROOT, LessonError, programs_on_path, release, released
from grader.course.files import write_whole

if TYPE_CHECKING:  # it takes a second to import
    from nbgrader.coursedir import CourseDirectory

LOG = logging.getLogger(__name__)
NO_ID = "The name of its folder in submitted/ is not UTF-8, so nobody knows whose it is. Rename it to the learner's id."
BATCH, SECONDS = (
    50,
    2,
)  # submissions a transaction, at the most; seconds after which what came back is written
IN_FLIGHT = 3  # submissions on their way to or from each worker: memory stays flat, and no worker waits
LONELY = 60  # seconds without any worker until a run gives up
IN_A_ROW = 5  # submissions that fail one after the other until a run gives up: it is not them


@dataclass(frozen=True)
class Due:
    """A submission that is to be graded. Its bytes are read when its turn comes. `why`: new, resubmitted,
    exercises changed, asked for."""

    lesson: str
    student: str
    folder: Path
    notes: tuple
    why: str
    seed: int | None = None


@dataclass
class Course:
    """What nbgrader's configuration in the course's folder says."""

    coursedir: "CourseDirectory"
    config: object

    @property
    def root(self):
        return Path(self.coursedir.root)

    @property
    def excluded(self) -> set[str]:
        """The students that nbgrader's configuration leaves out."""
        return set(filter(None, self.coursedir.student_id_exclude.split(",")))

    def folder(self, step: str, student: str, lesson: str):
        return Path(self.coursedir.format_path(getattr(self.coursedir, f"{step}_directory"), student, lesson))


def course_here():
    """The course in whose folder this process runs."""
    from nbgrader.apps import NbGrader

    if not Path("nbgrader_config.py").exists():
        raise GradingError(
            f"There is no nbgrader_config.py in {Path.cwd()}: run this in the course's folder."
        )
    if odd := _odd_folder(Path.cwd()):
        raise GradingError(odd)
    programs_on_path()
    app = NbGrader()
    app.initialize([])
    app.coursedir.root = str(Path.cwd())
    return Course(app.coursedir, app.config)


def _odd_folder(root: Path) -> str:
    """A sentence where nbgrader, or what it runs, would read a folder's name as something else; "" where all
    is well."""
    if glob.escape(str(root)) != str(root):
        return (
            f"{root}: nbgrader reads [ ] * and ? in a folder's name as a pattern, and finds nothing. "
            "Rename the folder."
        )
    for path in (root, Path(sys.prefix)):
        if "%" in str(path):
            return (
                f"{path}: what nbgrader keeps its gradebook with cannot read a folder with a % in its "
                "name. Rename it."
            )
    return ""


def readable_by_others(root: Path) -> str:
    """A sentence where other users of this machine can look into the course's folder; "" where they cannot.

    Everybody's submissions, the gradebook and the reports lie in it. What no other user can reach, because a
    folder above is closed, is not open.
    """
    if os.name != "posix":
        return ""
    root = Path(root).resolve()
    for folder in (root, *root.parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            return ""
    kept = [root / name for name in ("submitted", "autograded", "feedback", "reports", "gradebook.db")]
    open_ones = [path.name for path in kept if path.exists() and path.stat().st_mode & stat.S_IROTH]
    if not open_ones:
        return ""
    return (
        f"Everybody with an account on this machine can read {', '.join(open_ones)} in {root}: "
        f"submissions, marks and reports of all learners. `chmod o-rwx {shlex.quote(str(root))}` closes the folder."
    )


# ---------------------------------------------------------------- the coordinator


def pending(course: Course, lesson: str, book: Book, again: bool = False):
    """(due, unchanged, left_out): the submissions of a lesson that are to be graded, and the students whose
    need not be.

    left_out: who is excluded by nbgrader's configuration, or was graded once and then removed from the gradebook.
    """
    known, now = book.submitted(lesson), record.definitions(lesson)
    due: list[Due] = []
    unchanged: list[str] = []
    left_out: list[str] = []
    excluded = course.excluded | book.removed(graded_students(course))
    for folder in submitted_folders(course, lesson):
        student = folder.parent.name
        if not submission.is_text(student):
            continue
        if student in excluded:
            left_out.append(student)
            continue
        notes = submission.tidy(folder, lesson)
        data, later = submission.load(folder / f"{lesson}.ipynb")
        before = None
        if student in known:
            before = record.load(course.folder("autograded", student, lesson))
        seed, why = None, "new"
        if before:
            same = before["content"] == record.content(data) and before.get("timestamp", "?") == _stamp(
                submission.timestamp(folder)
            )
            kept = _is_whole(
                course.folder("autograded", student, lesson) / f"{lesson}.ipynb", before.get("size")
            )
            other = record.outdated(before, now)
            if same and kept and not again and not other:
                unchanged.append(student)
                continue
            if not same:
                why = "resubmitted"
            elif again:
                why = "asked for"
            elif other:
                why = "exercises changed"
            if same:  # the same answer meets the same inputs: only what was changed changes its grade
                seed = before["seed"]
        due.append(Due(lesson, student, folder, (*notes, *later), why, seed))
    return due, unchanged, left_out


def submitted_folders(course: Course, lesson: str) -> list[Path]:
    """The folders of a lesson's submissions, by their students."""
    base = course.folder("submitted", "*", lesson)
    return sorted(
        path
        for path in base.parents[1].glob(f"*/{lesson}")
        if (path.is_dir() or path.is_symlink()) and not path.parent.name.startswith(".")
    )


def nobodys(course: Course, lesson: str) -> list[Graded]:
    """What cannot be graded, for the name of its folder is no text, and so nobody's id."""
    names = [path.parent.name for path in submitted_folders(course, lesson)]
    return [
        Graded(lesson, submission.shown(name), error=NO_ID) for name in names if not submission.is_text(name)
    ]


def astray(course: Course, lessons: Iterable[str]) -> list[str]:
    """Notebooks of these lessons that lie in `submitted/` where nobody looks for them."""
    submitted = course.folder("submitted", "*", "*").parents[1]
    if not submitted.is_dir():
        return []
    return [path for lesson in lessons for path in submission.astray(submitted, lesson)]


def graded_students(course: Course) -> set[str]:
    """Everybody of whom something was graded here, in whichever lesson."""
    return {
        path.parents[1].name
        for path in course.folder("autograded", "*", "*").parents[1].glob(f"*/*/{record.FILE}")
    }


def _stamp(time):
    return time and time.isoformat()


def _is_whole(path, size):
    """Is this the graded notebook that its record speaks of? Where nbgrader wrote it, no size is known: then
    it holds verdicts."""
    if not path.is_file():
        return False
    if size is not None:
        return path.stat().st_size == size
    return b'"verdict"' in path.read_bytes()


def ensure_lesson(course: Course, lesson: str, book: Book):
    """The lesson in the gradebook, as the release has it: by nbgrader's own generate_assignment."""
    if not released(lesson).exists():
        raise GradingError(
            f"{lesson} has no release ({released(lesson).relative_to(ROOT)}): run `./course build {lesson}`."
        )
    if not book.is_current(lesson):
        book.fit(lesson)
        with tempfile.TemporaryDirectory(prefix="grader-") as folder:
            try:
                release(
                    lesson,
                    target=folder,
                    database=course.coursedir.db_url,
                    course_id=course.coursedir.course_id,
                )
            except LessonError as error:
                raise GradebookError(f"{lesson} is not in the gradebook: {error}") from None


def grade_class(
    course: Course,
    lessons: Iterable[str],
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    open_scheduler: bool = False,
    trust: bool = False,
    again: bool = False,
    seconds: float = BUDGET,
    seen: Callable[[Graded, int], None] = lambda graded, total: None,
):
    """Grade all submissions of some lessons. `seen(graded, total)` is called for each that is written, or failed.

    jobs: examiners at the most; by default as many as there is work for, one a core at the most.

    Returns a Counter: of the reasons why submissions were graded (see Due), and of "unchanged", "failed" and
    "left out".
    """
    with _only_run(course.root), Book(course.coursedir, course.config) as book:
        due: list[Due] = []
        counts: Counter[str] = Counter()
        nameless: list[Graded] = []
        for lesson in lessons:
            ensure_lesson(course, lesson, book)
            with _disk():
                due_now, unchanged, left_out = pending(course, lesson, book, again)
            book.refresh_penalties(lesson, unchanged)  # due dates and extensions may have changed since
            due, counts = due + due_now, counts + Counter(unchanged=len(unchanged))
            counts += Counter({"left out": len(left_out)})
            nameless += nobodys(course, lesson)
        total = len(due) + len(nameless)
        for graded in nameless:
            counts["failed"] += 1
            seen(graded, total)
        if not due:
            return counts
        waiting: list[Graded] = []
        written = time.monotonic()

        def flush():
            nonlocal waiting, written
            batch, waiting, written = waiting, [], time.monotonic()
            for lesson in lessons:
                if of_lesson := [g for g in batch if g.lesson == lesson]:
                    refused = write(course, book, lesson, of_lesson)
                    for graded in of_lesson:
                        error = refused.get(graded.student, "")
                        counts["failed" if error else graded.why] += 1
                        seen(replace(graded, error=error), total)

        with _client(jobs or _enough(len(due)), scheduler, len(due), trust, open_scheduler) as client:
            prepare(client, lessons, trust, scheduler)
            try:
                for graded in _results(client, due, trust, seconds):
                    if graded and graded.error:
                        counts["failed"] += 1
                        seen(graded, total)
                    elif graded:
                        waiting.append(graded)
                    if len(waiting) >= BATCH or time.monotonic() - written > SECONDS:
                        flush()
            except (KeyboardInterrupt, GradingError) as stop:
                flush()
                if isinstance(stop, GradingError):
                    raise
                raise GradingError(
                    "Stopped. "
                    f"{counts.total() - counts['unchanged'] - counts['failed'] - counts['left out']} of "
                    f"{len(due)} are graded and written; the same command goes on from here."
                ) from None
            flush()
        return counts


@contextlib.contextmanager
def _only_run(root):
    """One coordinator at a time in a course's folder: a lock that ends with its process, however that ends."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    path = root / "autograded" / ".grading"
    with _disk():
        path.parent.mkdir(exist_ok=True)
        file = open(path, "w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise GradingError(
                "Another `grade` is running in this folder. Wait for its end, or end it, and run this again."
            ) from None
        yield


@contextlib.contextmanager
def _disk():
    """What the disk refuses becomes a sentence."""
    try:
        yield
    except OSError as error:
        raise GradingError(
            f"{error.strerror}: {error.filename}. What was graded before is written, nothing is "
            "half-written. Make room or set the permissions, and run the same command again: it goes on from here."
        ) from None


def write(course: Course, book: Book, lesson: str, batch: list[Graded]):
    """Notebooks first, then the gradebook, then the records that say it is done: a kill in between repeats
    the batch and loses nothing.

    Returns what the gradebook refused: student -> why.
    """
    with _disk():
        for graded in batch:
            folder = course.folder("autograded", graded.student, lesson)
            _copy_beside(course.folder("submitted", graded.student, lesson), folder, lesson)
            write_whole(folder / f"{lesson}.ipynb", graded.text)
        refused = book.write(lesson, batch)
        for graded in batch:
            if graded.student in refused:
                continue
            folder = course.folder("autograded", graded.student, lesson)
            record.save(folder, record.counted(graded.record, record.load(folder)))
    return refused


def _copy_beside(source, target, lesson):
    """nbgrader's own files go along. Other files of a learner's stay in `submitted`: formgrader would serve a
    copy from the teacher's own address, and nbgrader would make feedback of another notebook. What lay there
    before goes."""
    target.mkdir(parents=True, exist_ok=True)
    for path in target.iterdir():
        if path.name not in (f"{lesson}.ipynb", record.FILE) and path.is_file():
            path.unlink()
    for name in submission.BESIDE:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


class Here:
    """This machine's examiners, one a job. It has those methods of a Dask client that a run needs.

    The first one is this process's own, which may have begun already. The others start when that one is warm,
    and join it when they are: nobody waits for them.
    """

    def __init__(self, jobs: int, trust: bool):
        self._first = shared_examiner(trust)
        self._further = [Examiner(PREPARE, trust=trust) for _ in range(jobs - 1)]
        self._ready: list[Examiner] = []
        self._idle: queue.SimpleQueue = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(jobs)
        self._is_over = False

    def __enter__(self):
        return self

    def __exit__(self, stopped, *_):
        self._is_over = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for examiner in [self._first, *self._further] if stopped else self._further:
            examiner.end()
        self._threads.shutdown()
        for examiner in self._further:
            examiner.close()

    def nthreads(self) -> dict:
        """How many submissions each examiner takes at a time."""
        return {number: 1 for number, _ in enumerate(self._ready)}

    def run(self, function: Callable, *args, on_error: str = "return") -> dict:
        """What a function says of the first examiner: "" where all is well. Then the others get ready by the
        same function, meanwhile."""
        asked = self._threads.submit(function, *args, self._first)
        said = asked.exception() or asked.result()
        if said == "":
            self._joins(self._first)
            for examiner in self._further:
                self._threads.submit(self._follow, function, args, examiner)
        return {0: said}

    def _follow(self, function, args, examiner):
        """Get one more examiner ready. Where that fails the run goes on with those that there are."""
        if not self._is_over and not (said := function(*args, examiner)):
            self._joins(examiner)
        elif not self._is_over:
            LOG.warning("one examiner fewer: %s", said)

    def _joins(self, examiner):
        self._ready.append(examiner)
        self._idle.put(examiner)

    def submit(self, function: Callable, *args, **_):
        """The Future of a function that is given an idle examiner as its last argument."""
        return self._threads.submit(self._with_one, function, args)

    def _with_one(self, function, args):
        examiner = self._idle.get()
        if self._is_over:
            self._idle.put(examiner)
            raise CancelledError
        try:
            return function(*args, examiner)
        finally:
            self._idle.put(examiner)


def _enough(count: int) -> int:
    """How many examiners a class of `count` is worth: another one takes as long to start as one grades twenty."""
    return min(os.cpu_count() or 1, 1 + count // 20)


@contextlib.contextmanager
def _client(jobs, scheduler, count, trust, open_scheduler=False):
    if not scheduler:
        with Here(max(1, min(jobs, count)), trust) as examiners:
            yield examiners
        return
    from dask import config
    from distributed import Client

    if not scheduler.startswith("tls://") and not open_scheduler:
        raise GradingError(
            f"{scheduler} is not reached by TLS: whoever reaches its port runs programs as you, and reads "
            "every submission. Start the scheduler and its workers with `--tls-ca-file`, `--tls-cert` "
            "and `--tls-key`, put the same files under `distributed.comm.tls` in Dask's configuration, "
            "and give the address as tls://host:8786. Where nobody else reaches that port, "
            "`--open-scheduler` does without."
        )
    # a notebook may be large; it is sent once
    warnings.filterwarnings("ignore", message="Sending large graph")
    # Dask's default keeps the last 1,000 messages, and so submissions, in memory
    config.set({"distributed.admin.low-level-log-length": 20})
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise GradingError(
            f"There is no Dask scheduler at {scheduler} "
            f"({str(error).splitlines()[0] if str(error) else type(error).__name__}). Start one with "
            "`dask scheduler`, and give its address as tls://host:8786."
        ) from None
    with client:
        yield client


def prepare(client, lessons: Iterable[str], trust: bool, scheduler: str | None):
    """Warm all workers up, and find out whether they can grade."""
    if scheduler and not client.nthreads():
        raise GradingError(
            f"The scheduler at {scheduler} has no workers. Start some with `dask worker {scheduler} "
            "--nthreads 1 --nworkers auto`."
        )
    found = client.run(
        get_ready, {lesson: record.definitions(lesson) for lesson in lessons}, trust, on_error="return"
    )
    broken = {worker: str(said) or type(said).__name__ for worker, said in found.items() if said != ""}
    if broken:
        worker, said = next(iter(broken.items()))
        if not scheduler:
            raise GradingError(said)
        raise GradingError(f"{len(broken)} of {len(found)} workers cannot grade. The first, {worker}: {said}")


def _results(client, due, trust, seconds):
    """The Graded of every submission, as they come, and None from time to time when none comes."""
    definitions = {lesson: record.definitions(lesson) for lesson in {d.lesson for d in due}}
    arrived, flying, failed, numbers = queue.SimpleQueue(), {}, [], itertools.count()
    todo = collections.deque((d, True) for d in due)  # and whether it is tried for the first time
    width, last, alone = 0, 0.0, None
    while True:
        if time.monotonic() - last > SECONDS:  # workers may come and go
            last, workers = time.monotonic(), len(client.nthreads())
            width = IN_FLIGHT * workers
            if workers:
                alone = None
            else:
                alone = alone or last
            if alone and last - alone > LONELY:
                raise GradingError(
                    f"There has been no worker for {LONELY} seconds. What came back is written; start "
                    "workers, and run the same command again: it goes on from here."
                )
        while len(flying) < width and todo:
            next_one, first = todo.popleft()
            data, _ = submission.load(next_one.folder / f"{next_one.lesson}.ipynb")
            task = Task(
                next_one.lesson,
                next_one.student,
                data,
                next_one.notes,
                next_one.seed,
                definitions[next_one.lesson],
                seconds,
                first,
            )
            stamp = submission.timestamp(next_one.folder)
            future = client.submit(grade_one, task, trust, pure=False, retries=2)
            number = next(numbers)
            flying[number] = (future, next_one, stamp)
            future.add_done_callback(partial(_arrives, arrived, number))
        if not flying and width:
            yield from failed
            return
        try:
            number = arrived.get(timeout=SECONDS)
        except queue.Empty:
            yield None
            continue
        future, this, stamp = flying.pop(number)
        try:
            graded = future.result()
            if graded.later:  # behind all others, where it keeps nobody waiting
                todo.append((this, False))
                continue
            yield from failed
            failed.clear()
            yield replace(
                graded,
                timestamp=stamp,
                why=this.why,
                record=graded.record | {"timestamp": _stamp(stamp), "size": len(graded.text.encode())},
            )
        except CancelledError:
            raise GradingError(
                "The connection to the scheduler is lost. What came back is written; run the same "
                "command again: it goes on from here."
            ) from None
        except Exception as error:
            # a worker lost too often, or a fault of the grader: this submission fails, the run goes on
            said = ""
            if str(error):
                said = str(error).splitlines()[0][:300]
            failed.append(
                Graded(this.lesson, this.student, why=this.why, error=f"{type(error).__name__}: {said}")
            )
            if len(failed) == IN_A_ROW:
                raise GradingError(
                    f"{IN_A_ROW} submissions in a row were not graded, so it is not they that are wrong. "
                    f"The last, {this.student}: {said or type(error).__name__} What came back is written. "
                    "Mend that, and run the same command again: it goes on from here."
                ) from None


def _arrives(arrived, number, future):
    arrived.put(number)
