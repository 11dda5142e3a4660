"""Grade a class: workers rebuild, examine and return verdicts; this coordinator alone writes the gradebook and the graded notebooks.

Everything goes through Dask, on this machine by default, on a cluster when its scheduler is named: submissions travel there as bytes.
A submission whose content and definitions are unchanged is not graded again; a killed run goes on where it stopped.
"""
import contextlib
import os
import shutil
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import nbformat
from nbgrader.utils import compute_checksum, determine_grade, is_grade, is_solution

from grader.author import loads, release, released
from grader.classroom import record, submission
from grader.classroom.gradebook import Book

BATCH = 50          # submissions a transaction


class GradingError(RuntimeError):
    """The class cannot be graded; says why, and what to do."""


@dataclass(frozen=True)
class Task:
    """One submission on its way to a worker."""

    lesson: str
    student: str
    data: bytes | None
    notes: tuple
    seed: int | None = None


@dataclass(frozen=True)
class Graded:
    """One submission on its way back. `error`: what kept it from being graded, for the teacher."""

    lesson: str
    student: str
    text: str = ""
    record: dict = field(default_factory=dict)
    scores: dict = field(default_factory=dict)
    unanswered: frozenset = frozenset()
    timestamp: datetime | None = None
    error: str = ""


@dataclass
class Course:
    """What nbgrader's configuration in the course's folder says."""

    coursedir: object
    config: object

    @property
    def root(self):
        return Path(self.coursedir.root)

    def folder(self, step, student, lesson):
        return Path(self.coursedir.format_path(getattr(self.coursedir, f"{step}_directory"), student, lesson))


def course():
    """The course in whose folder this process runs."""
    from nbgrader.apps import NbGrader

    if not Path("nbgrader_config.py").exists():
        raise GradingError(f"There is no nbgrader_config.py in {Path.cwd()}: run this in the course's folder.")
    app = NbGrader()
    app.initialize([])
    app.coursedir.root = str(Path.cwd())
    return Course(app.coursedir, app.config)


# ---------------------------------------------------------------- in a worker

def grade_one(task, trust=False, jail=None):
    """Rebuild, examine and score one submission. Runs in a worker; never raises on what the submission holds. jail: this process's by default."""
    from grader.classroom.examine import examine, new_seed
    from grader.classroom.plugins import shared_jail
    from grader.classroom.rebuild import rebuild

    found, notes = (None, []) if task.data is None else submission.parse(task.data)
    notebook, more = rebuild(loads(released(task.lesson)), found)
    examined = examine(notebook, jail or shared_jail(trust), new_seed() if task.seed is None else task.seed, [*task.notes, *notes, *more])
    cells = [c for c in examined.notebook.cells if "nbgrader" in c.metadata]
    return Graded(
        task.lesson, task.student, nbformat.writes(examined.notebook, version=nbformat.NO_CONVERT) + "\n",
        record.make(task.lesson, record.content(task.data), examined),
        {c.metadata.nbgrader.grade_id: determine_grade(c)[0] for c in cells if is_grade(c)},
        frozenset(c.metadata.nbgrader.grade_id for c in cells if is_solution(c) and c.metadata.nbgrader.get("checksum") == compute_checksum(c)))


# ---------------------------------------------------------------- the coordinator

def pending(of, lesson, book, again=False):
    """(tasks, unchanged): the submissions of a lesson that are to be graded, and how many need not be."""
    base = Path(of.coursedir.format_path(of.coursedir.submitted_directory, "*", lesson))
    folders = sorted(p for p in base.parents[1].glob(f"*/{lesson}") if (p.is_dir() or p.is_symlink()) and not p.parent.name.startswith("."))
    known, tasks, unchanged = book.submitted(lesson), [], 0
    for folder in folders:
        student = folder.parent.name
        try:
            notes = submission.tidy(folder, lesson)
        except OSError as error:        # the rest of the class is graded all the same
            notes = [f"The submission's folder cannot be put in order: {error.strerror}."]
        data, more = submission.load(folder / f"{lesson}.ipynb")
        notes += more
        before = record.load(of.folder("autograded", student, lesson))
        if not again and before and student in known and before["content"] == record.content(data) \
                and before["definitions"] == record.definitions(lesson) and before.get("timestamp") == _stamp(submission.timestamp(folder)):
            unchanged += 1
        else:
            tasks.append(Task(lesson, student, data, tuple(notes)))
    return tasks, unchanged


def _stamp(time):
    return time and time.isoformat()


def ensure_lesson(of, lesson, book):
    """The lesson in the gradebook, as the release has it: by nbgrader's own generate_assignment."""
    if not book.is_current(lesson):
        release(lesson, database=of.coursedir.db_url)


def grade_class(of, lessons, *, jobs=None, scheduler=None, trust=False, again=False, seen=lambda graded, total: None):
    """Grade all submissions of some lessons. `seen(graded, total)` is called as each is written; returns (graded, unchanged, failed) counts."""
    with Book(of.coursedir, of.config) as book:
        tasks, unchanged = [], 0
        for lesson in lessons:
            ensure_lesson(of, lesson, book)
            more, same = pending(of, lesson, book, again)
            tasks, unchanged = tasks + more, unchanged + same
        if not tasks:
            return 0, unchanged, 0
        done = failed = 0
        waiting = {}
        with _client(jobs or os.cpu_count(), scheduler, len(tasks)) as client:
            for graded in _results(client, tasks, trust):
                failed += bool(graded.error)
                if not graded.error:
                    graded = _stamped(of, graded)
                    waiting.setdefault(graded.lesson, []).append(graded)
                    done += 1
                    if len(waiting[graded.lesson]) >= BATCH:
                        _write(of, book, graded.lesson, waiting.pop(graded.lesson))
                seen(graded, len(tasks))
            for lesson, batch in waiting.items():
                _write(of, book, lesson, batch)
        return done, unchanged, failed


def _stamped(of, graded):
    from dataclasses import replace

    stamp = submission.timestamp(of.folder("submitted", graded.student, graded.lesson))
    return replace(graded, timestamp=stamp, record=graded.record | {"timestamp": _stamp(stamp)})


def _write(of, book, lesson, batch):
    """Notebooks first, then the gradebook, then the records that say it is done: a kill in between repeats the batch and loses nothing."""
    for graded in batch:
        folder = of.folder("autograded", graded.student, lesson)
        _copy_beside(of.folder("submitted", graded.student, lesson), folder)
        part = folder / f"{lesson}.ipynb.part"
        part.write_text(graded.text, encoding="utf-8")
        part.replace(folder / f"{lesson}.ipynb")
    book.write(lesson, batch)
    for graded in batch:
        record.save(of.folder("autograded", graded.student, lesson), graded.record)


def _copy_beside(source, target):
    """The time goes along. Other files that a learner submitted stay where they are: formgrader would serve a copy under the teacher's own address."""
    target.mkdir(parents=True, exist_ok=True)
    stamp, copied = source / "timestamp.txt", target / "timestamp.txt"
    copied.unlink(missing_ok=True)
    if stamp.is_file():
        shutil.copyfile(stamp, copied)


@contextlib.contextmanager
def _client(jobs, scheduler, count):
    from dask import config
    from distributed import Client, LocalCluster

    if scheduler:
        try:
            client = Client(scheduler, timeout=10)
        except (OSError, ValueError) as error:
            raise GradingError(f"There is no Dask scheduler at {scheduler} ({error}). Start one with `dask scheduler`.") from None
        with client:
            if not client.scheduler_info()["workers"]:
                raise GradingError(f"The scheduler at {scheduler} has no workers. Start some with `dask worker {scheduler} --nthreads 1`.")
            yield client
        return
    with config.set({"distributed.worker.daemon": False, "distributed.comm.timeouts.connect": "60s"}), \
            LocalCluster(n_workers=max(1, min(jobs, count)), threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50) as cluster, \
            Client(cluster) as client:
        yield client


def _results(client, tasks, trust):
    """The Graded of every task, as they come. At most a few are in flight for each worker, so that memory stays flat."""
    from distributed import as_completed

    queue = iter(tasks)
    width = 4 * max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    flying = as_completed()
    by_key = {}

    def launch():
        for task in queue:
            future = client.submit(grade_one, task, trust, pure=False, retries=2)
            by_key[future.key] = task
            flying.add(future)
            return

    for _ in range(width):
        launch()
    for future in flying:
        task = by_key.pop(future.key)
        try:
            yield future.result()
        except Exception as error:      # a worker lost too often, or a fault of the grader: this submission fails, the run goes on
            yield Graded(task.lesson, task.student, error=f"{type(error).__name__}: {str(error).splitlines()[0][:300] if str(error) else ''}")
        future.release()
        launch()


