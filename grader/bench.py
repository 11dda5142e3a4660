"""How fast a class is graded, in one run: nbgrader as it comes, this grader, and the floor. `make bench`;
BENCH=1000 for a large class.

The floor is what cannot be saved: the same cells in the same forked warm interpreter, without walls, and
nothing else: nothing is read, rebuilt, judged, scored or written. Ratios count; times depend on the machine
and on what else it does, so its load is printed, too.
"""

import contextlib
import json
import multiprocessing
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import nbformat
import psutil
from rich.console import Console
from rich.table import Table

from grader import demo
from grader.course import submitted
from grader.course.build import loads, released
from grader.course.cells import is_grade
from grader.course.rebuild import rebuild

if TYPE_CHECKING:
    from grader.classroom.task import Graded


LESSON = "02_bce"
CLASS = int(os.environ.get("BENCH", 200))
GOALS = {1: 1, 10: 8, 30: 20, 200: 40}  # submissions -> how many times as fast as nbgrader, start included
SAMPLE = 4  # submissions that nbgrader as it comes grades
REPORTED = 2000  # learners in a report
if hasattr(os, "sched_getaffinity"):
    CORES = len(os.sched_getaffinity(0))
else:
    CORES = os.cpu_count() or 1
STOCK = """c = get_config()
c.CourseDirectory.course_id = "losses"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "notebooks"
c.GenerateAssignment.force = True
"""
out = Console(width=120)


def main():
    begun = time.monotonic()
    everybody = list(demo.learners(LESSON, CLASS, odd=False))
    cpu = ""
    if os.path.exists("/proc/cpuinfo"):
        cpu = next(
            (
                line.partition(":")[2].strip()
                for line in open("/proc/cpuinfo")
                if line.startswith("model name")
            ),
            "",
        )
    say(
        f"{CORES} cores {cpu or platform.processor()}, {psutil.virtual_memory().total >> 30} GB, load "
        f"{os.getloadavg()[0]:.1f} at the start; {LESSON}, {CLASS} submissions: right, wrong, unfinished"
    )
    with tempfile.TemporaryDirectory(prefix="grader-bench-") as folder:
        folder = Path(folder)
        child()
        floors = [floor(everybody)]
        runs = classes(folder, everybody)
        floors.append(floor(everybody))
        compare(folder, everybody, runs, statistics.mean(floors))
        beginnings(folder)
        stages = stages_of(everybody)
        coordinator = coordinate(folder, everybody)
        hundred_thousand(runs, stages, coordinator)
        checks(folder)
    say(f"\n{time.monotonic() - begun:.0f} seconds; load {os.getloadavg()[0]:.1f} at the end.")


def say(text: str):
    out.print(text, highlight=False, soft_wrap=True)


def show(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]):
    say(f"\n[bold]{title}[/]")
    table = Table(*columns)
    for row in rows:
        table.add_row(*map(str, row))
    out.print(table)


def ms(seconds: float):
    return f"{seconds * 1000:.0f} ms"


def code_cells(data: bytes):
    """The cells of a submission that are run, as the grader runs them."""

    notebook, _ = rebuild(loads(released(LESSON)), submitted.parse(data)[0])
    return [
        c.source for c in notebook.cells if c.cell_type == "code" and not is_grade(c) and c.source.strip()
    ]


# ---------------------------------------------------------------- the jail's child, and the floor


def child(times: int = 15):
    from grader.jail import Jail

    ready, ended = [], []
    with Jail() as jail:
        for _ in range(times):
            begun = time.perf_counter()
            one = jail.child()
            ready.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            one.end()
            ended.append(time.perf_counter() - begun)
        warm = jail.report["private_mb"]
    with Jail(trust=True) as jail, jail.child() as one:  # behind walls it may not read this about itself
        for source in code_cells(next(demo.learners(LESSON, 1, odd=False)).data):
            one.run_cell(source)
        said = one.run_cell("print(open('/proc/self/smaps_rollup').read())").outputs
    megabytes = float("nan")
    if said:
        private = [
            int(line.split()[1])
            for line in said[-1].text.splitlines()
            if line.startswith(("Private_Dirty", "Private_Clean"))
        ]
        megabytes = sum(private) / 1024
    show(
        "A child of the jail",
        [
            "ready, median",
            "ended, median",
            "the warm interpreter's memory",
            "its own memory, after a whole notebook",
        ],
        [
            (
                ms(statistics.median(ready)),
                ms(statistics.median(ended)),
                f"{warm} MB, shared",
                f"{megabytes:.0f} MB",
            )
        ],
    )


def _bare(notebooks, begin, seconds):
    """One core's share of the floor."""
    from grader.jail import Jail

    with Jail(trust=True) as jail:
        jail.child("\n".join(notebooks[0])).end()
        begin.wait()
        started = time.perf_counter()
        for cells in notebooks:
            with jail.child() as one:
                for source in cells:
                    one.run_cell(source)
        seconds.put(time.perf_counter() - started)


def floor(everybody: list):
    """Seconds a submission, on all cores: the cells alone."""
    some = [code_cells(x.data) for x in everybody[: min(CLASS, 60)]]
    spawn = multiprocessing.get_context("spawn")
    begin, seconds = spawn.Barrier(CORES), spawn.Queue()
    workers = [spawn.Process(target=_bare, args=(some[i::CORES], begin, seconds)) for i in range(CORES)]
    for worker in workers:
        worker.start()
    slowest = max(seconds.get(timeout=1800) for _ in workers)
    for worker in workers:
        worker.join()
    return slowest / len(some)


# ---------------------------------------------------------------- whole classes


@dataclass
class Run:
    """One run of the command. Its start is over when the first submissions are written: from there on each
    costs `each` seconds."""

    seconds: float
    lines: list  # (seconds since the start, a JSON line)
    memory: list  # (seconds since the start, MB of the coordinator, MB of the largest worker)

    @property
    def first(self):
        """(when the first batch was written, how many it held)"""
        when = self.lines[0][0]
        return when, sum(t < when + 0.5 for t, _ in self.lines)

    @property
    def each(self):
        return (self.lines[-1][0] - self.first[0]) / max(1, len(self.lines) - self.first[1])

    @property
    def start(self):
        return self.seconds - self.each * len(self.lines)

    def half(self, second: bool):
        """Seconds a submission in one half of the run, the start taken off."""
        rest = self.lines[self.first[1] :]
        middle = len(rest) // 2
        if second:
            return (rest[-1][0] - rest[middle - 1][0]) / (len(rest) - middle)
        return (rest[middle - 1][0] - self.first[0]) / middle

    def peak(self, part: float):
        """Peak MB of coordinator and worker in the first part of the time after the start."""
        end = self.first[0] + part * (self.seconds - self.first[0])
        return [max((m[i] for m in self.memory if m[0] <= end), default=0) for i in (1, 2)]


def run(folder: Path, everybody: list, jobs: int | None = None):
    """Grade a class by the command, as a teacher does: with as many workers as it takes by itself, where
    `jobs` says nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    demo.make_course(folder, LESSON)
    for learner in everybody:
        demo.submit(folder, learner, LESSON)
    # as a teacher has it who has released the lesson: it is in the gradebook already
    nbgrader(folder, "generate_assignment", LESSON, "--create")
    lines: list[tuple[float, dict]] = []
    memory: list[tuple[float, float, float]] = []
    begun = time.perf_counter()

    def listen(output: Iterable[str]):
        lines.extend((time.perf_counter() - begun, json.loads(line)) for line in output)

    with subprocess.Popen(
        [sys.executable, "-m", "grader", "grade", LESSON, "--json", *(["--jobs", str(jobs)] if jobs else [])],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        reader = threading.Thread(target=listen, args=[process.stdout])
        reader.start()
        while process.poll() is None:
            with contextlib.suppress(psutil.Error, subprocess.TimeoutExpired):
                watched = psutil.Process(process.pid)
                workers = [other.memory_info().rss / 2**20 for other in watched.children()]
                memory.append(
                    (time.perf_counter() - begun, watched.memory_info().rss / 2**20, max(workers, default=0))
                )
                process.wait(0.5)
        reader.join()
    if process.returncode:
        sys.exit(f"grading {len(everybody)} ended with {process.returncode}")
    return Run(time.perf_counter() - begun, lines[:-1], memory)


def classes(folder: Path, everybody: list):
    """The class on all cores, a quarter of it on fewer: jobs -> Run."""
    counts, rows, speeds = [n for n in (8, 4, 2, 1) if n <= CORES], [], {}
    for jobs in counts:
        some = everybody
        if jobs != counts[0]:
            some = everybody[: max(16, len(everybody) // 4)]
        this = speeds[jobs] = run(folder / "class", some, jobs)
        memory = ["/".join(f"{mb:.0f}" for mb in this.peak(part)) for part in (0.1, 1)]
        rows.append(
            (
                jobs,
                len(some),
                f"{this.seconds:.1f} s",
                f"{this.start:.1f} s",
                ms(this.each),
                f"{ms(this.half(False))}, {ms(this.half(True))}",
                f"{memory[0]}, {memory[1]}",
            )
        )
    show(
        "Whole classes by `./course grade`",
        [
            "workers",
            "submissions",
            "time",
            "start",
            "each",
            "each in 1st, 2nd half",
            "peak MB of coordinator/worker: at a tenth, at the end",
        ],
        rows,
    )
    say(
        "Scaling: "
        + ", ".join(
            f"{jobs} workers {speeds[1].each / speeds[jobs].each:.2f} times as fast as 1"
            for jobs in counts[:-1]
        )
        + f"; this machine has {CORES} cores."
    )
    return speeds


def stock(folder: Path, everybody: list):
    """Grade with nbgrader as it comes: seconds of the autograding alone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    demo.make_course(folder, LESSON)
    (folder / "nbgrader_config.py").write_text(STOCK)
    for learner in everybody:
        demo.submit(folder, learner, LESSON)
    nbgrader(folder, "generate_assignment", LESSON, "--create")
    begun = time.perf_counter()
    nbgrader(folder, "autograde", LESSON, "--create")
    return time.perf_counter() - begun


def nbgrader(folder: Path, *words: str):
    """One of nbgrader's commands, in a course's folder."""
    subprocess.run(
        [sys.executable, "-m", "nbgrader", *words],
        cwd=folder,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )


def compare(folder: Path, everybody: list, runs: dict[int, Run], bare: float):
    jobs = max(runs)
    some, whole = everybody[:SAMPLE], runs[jobs]
    one, theirs_in_all = stock(folder / "stock", some[:1]), stock(folder / "stock", some)
    theirs, one_of_ours = (theirs_in_all - one) / (SAMPLE - 1), whole.each
    show(
        f"A submission, start-up taken off ({jobs} workers here; nbgrader grades one after the other)",
        ["", "time each", "ratio"],
        [
            (
                "nbgrader as it comes",
                ms(theirs),
                f"{theirs / one_of_ours:.1f} times ours (goal: at least 40)",
            ),
            ("this grader", ms(one_of_ours), "1"),
            (
                f"the floor, on {CORES} cores",
                ms(bare),
                (
                    f"ours is {one_of_ours / bare:.2f} times the floor (goal: at most 2); nbgrader "
                    f"{theirs / bare:.1f} times"
                ),
            ),
        ],
    )
    rows = []
    for count, goal in GOALS.items():
        if count > len(everybody):
            continue
        ours = run(folder / "class", everybody[:count]).seconds
        stock_too = one + theirs * (count - 1)
        rows.append(
            (
                count,
                f"{stock_too:.1f} s" + (", from the sample" if count > 1 else ""),
                f"{ours:.1f} s",
                f"{stock_too / ours:.1f} (goal: at least {goal})",
            )
        )
    show(
        "Everything included, start-up too",
        ["submissions", "nbgrader as it comes", "this grader", "times as fast"],
        rows,
    )


# ---------------------------------------------------------------- where the time goes

READY = "from grader.classroom import examiner, worker; examiner.Examiner(worker.PREPARE).start()"
# what a run begins with, each alone in a fresh process; the coordinator's and the examiner's go on at the
# same time
STARTS = {
    "Python": "pass",
    "Python with torch": "import torch",
    "the coordinator: nbgrader, gradebook": "from grader.classroom import grade; grade.course_here()",
    "an examiner that is ready: torch, twice, walls and course": READY,
}


def beginnings(folder: Path):
    """Where the seconds of a run's start go: each part's time and processor time."""
    rows, cpu = [], {}
    for name, code in STARTS.items():
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([sys.executable, "-c", code], cwd=folder / "class", check=True)
        seconds, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu[name] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        rows.append((name, f"{seconds:.1f} s", f"{cpu[name]:.1f} s"))
    show("Where the start goes, each part alone", ["", "time", "processor"], rows)
    _, torch, coordinator, examiner = cpu.values()
    say(
        f"Beyond one import of torch: {coordinator + examiner - torch:.1f} s of processor time until the "
        "first submission is under way (goal: at most 2)."
    )


class Clock:
    """A jail, or a child of one, whose calls are timed."""

    def __init__(self, real, spent):
        self._real, self._spent = real, spent

    def __getattr__(self, name):
        attribute = getattr(self._real, name)
        if name not in ("child", "end", "run_cell", "ask"):
            return attribute

        def timed(*args, **options):
            begun = time.perf_counter()
            try:
                result = attribute(*args, **options)
            finally:
                self._spent[name].append(time.perf_counter() - begun)
            if name == "child":
                return Clock(result, self._spent)
            return result

        return timed


def stages_of(everybody: list):
    """Where the time of a worker goes: seconds a submission, by stage."""
    from grader.classroom import record
    from grader.classroom.examine import examine
    from grader.jail import Jail

    stages = ("child", "end", "run_cell", "ask", "read", "rebuild", "judge", "write")
    some = everybody[: min(CLASS, 24)]
    spent: dict[str, list[float]] = {stage: [] for stage in stages}
    release, jail = loads(released(LESSON)), Jail()
    jail.child("\n".join(code_cells(some[0].data))).end()  # it starts with its first child
    for learner in some:
        times = [time.perf_counter()]
        notebook, _ = submitted.parse(learner.data)
        times.append(time.perf_counter())
        notebook, _ = rebuild(release, notebook)
        times.append(time.perf_counter())
        inside = sum(sum(spent[k]) for k in ("child", "end", "run_cell", "ask"))
        examined = examine(notebook, cast(Jail, Clock(jail, spent)), seed=1)
        times.append(time.perf_counter())
        inside = sum(sum(spent[k]) for k in ("child", "end", "run_cell", "ask")) - inside
        nbformat.writes(examined.notebook, version=nbformat.NO_CONVERT)
        record.make(LESSON, "", examined)
        times.append(time.perf_counter())
        read, rebuilt, examining, writing = (b - a for a, b in zip(times, times[1:]))
        for name, value in (
            ("read", read),
            ("rebuild", rebuilt),
            ("judge", examining - inside),
            ("write", writing),
        ):
            spent[name].append(value)
    jail.close()
    each = {k: sum(v) / len(some) for k, v in spent.items()}
    names = {
        "child": "a child of the jail gets ready",
        "run_cell": "cells run",
        "ask": "questions to the answers",
        "end": "the child ends, and its folder is emptied",
        "read": "the submission is read",
        "rebuild": "it is rebuilt",
        "judge": "answers are judged, outputs written (the references run here)",
        "write": "the notebook is validated and written",
    }
    total = sum(each.values())
    show(
        "Where the time of one submission goes, in a worker alone",
        ["", "time", "share"],
        [
            (names[k], f"{each[k] * 1000:.1f} ms", f"{each[k] / total:.0%}")
            for k in sorted(each, key=each.__getitem__, reverse=True)
        ]
        + [("together", f"{total * 1000:.1f} ms", "")],
    )
    say(
        f"{len(spent['run_cell']) / len(some):.0f} cells and {len(spent['ask']) / len(some):.0f} "
        "questions a submission."
    )
    return total


def copy(graded: "Graded", student: str):
    """The same work by somebody else: no two texts are equal, so that the report compares them all."""
    answers = {name: f"{source}\n# {student}" for name, source in graded.record["answers"].items()}
    return replace(graded, student=student, record=graded.record | {"answers": answers})


def coordinate(folder: Path, everybody: list):
    """What the coordinator does for a submission, and nobody else can: seconds each for the way there and
    back, files and gradebook."""
    from grader.classroom import grade
    from grader.classroom.examiner import Examiner
    from grader.classroom.gradebook import Book

    here = os.getcwd()
    os.chdir(folder / "class")
    try:
        course = grade.course_here()
        done = [grade.grade_one(grade.Task(LESSON, x.name, x.data, ())) for x in everybody[:12]]
        copies = [copy(done[i % len(done)], f"copy{i}") for i in range(REPORTED)]
        with Book(course.coursedir, course.config) as book:
            begun = time.perf_counter()
            for i in range(0, len(copies), grade.BATCH):
                grade.write(course, book, LESSON, copies[i : i + grade.BATCH])
            writing = (time.perf_counter() - begun) / len(copies)
        begun = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "grader", "report", LESSON], check=True, stdout=subprocess.DEVNULL
        )
        reporting = time.perf_counter() - begun
    finally:
        os.chdir(here)
    with Examiner(trust=True) as examiner:
        examiner.start()
        begun = time.perf_counter()
        for number in range(200):
            examiner.call("builtins.bytes", everybody[0].data + bytes([number % 256]))
        sending = (time.perf_counter() - begun) / 200
    show(
        "What the coordinator spends on a submission",
        ["", "time"],
        [
            ("graded notebook, record and gradebook (SQLite), on the disk", f"{writing * 1000:.1f} ms"),
            ("to an examiner, and back", f"{sending * 1000:.1f} ms"),
        ],
    )
    show(
        "`./course report`",
        ["learners", "time (goal: under 10 s)"],
        [(f"{REPORTED:,} and the class", f"{reporting:.1f} s")],
    )
    return writing + sending


def hundred_thousand(runs: dict[int, Run], worker: float, coordinator: float, count: int = 100_000):
    """A calculation from what was measured, not a measurement."""
    each = runs[min(runs)].each
    rows = []
    for cores in (2, 16, 64, 256):
        grading, writing = count * each / cores, count * coordinator
        rows.append(
            (
                cores,
                f"{max(grading, writing) / 60:.0f} min",
                "the workers" if grading > writing else "the coordinator",
            )
        )
    show(
        (
            f"{count:,} submissions, calculated, not measured: a worker needs {ms(each)} a submission, "
            f"the coordinator {coordinator * 1000:.1f} ms"
        ),
        ["cores", "time", "bound by"],
        rows,
    )
    say(
        f"More than {each / coordinator:.0f} cores gain nothing: one coordinator writes. Not in it: a "
        "slower network, PostgreSQL over one, hostile answers (one that never returns costs its "
        "deadlines), workers that share cores with something else."
    )


# ---------------------------------------------------------------- plain files


def checks(folder: Path, count: int = 6):
    """`check` of many files in one call against a call a file."""
    sources = [
        s
        for x in demo.learners(LESSON, count * 4, odd=False)
        if x.kind != "unfinished"
        for s in [[c for c in code_cells(x.data) if c.startswith("def bce(")]]
        if s
    ]
    files = []
    for i, source in enumerate(sources[:count]):
        files.append(folder / f"answer{i}.py")
        files[-1].write_text(
            "import math\nimport torch\nfrom torch import nn\nfrom torch.nn import functional as F\n\n"
            + source[0]
            + "\n"
        )

    def seconds(*some):
        begun = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "grader", "check", LESSON, *map(str, some)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return time.perf_counter() - begun

    together, alone = seconds(*files), sum(seconds(f) for f in files[:3]) / 3
    show(
        f"`./course check` of {len(files)} files of {LESSON}",
        ["", "time a file"],
        [
            ("one call for all", ms(together / len(files))),
            ("a call for each", ms(alone)),
            ("ratio", f"{alone * len(files) / together:.1f}"),
        ],
    )


if __name__ == "__main__":
    main()
