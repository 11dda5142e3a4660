"""Judge answers in plain Python files. Each file runs in a process of its own, under deadlines; the verdict
is formed here.

The process is forked where the platform forks safely, so that many files cost one import of torch; elsewhere
it is spawned.
"""

import ast
import bisect
import codeop
import contextlib
import difflib
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from grader.course.lessons import exercises_of
from grader.judging import wire
from grader.judging.judge import judge
from grader.judging.outcome import ELSEWHERE
from grader.judging.question import Ended, Result, raised, run
from grader.judging.scan import written
from grader.judging.verdict import ERROR, Verdict

if TYPE_CHECKING:
    from grader.judging.exercise import Exercise
    from grader.judging.question import Call


__tracebackhide__ = True  # these frames are no learner's: see `question.raised`
CELL = "# %%"  # the line that begins a cell in a notebook's text
SECONDS = 10  # for loading a file, and for all the questions of one exercise
ALONE_SECONDS = 2 * SECONDS  # after that an answer ends even where nobody is left to end it
PROCESSES = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")


@dataclass(frozen=True)
class Judged:
    """One line of the outcome: an exercise of a file, or (exercise None) what is wrong with the file as a whole."""

    file: str
    verdict: Verdict

    def record(self):
        v = self.verdict
        return {
            "file": self.file,
            "exercise": v.exercise or None,
            "passed": v.passed,
            "points": v.points,
            "max_points": v.max_points,
            "mistake": v.mistake,
            "message": v.message,
        }


def check_file(path: Path, lesson: str, seed: int = 0, cells: bool = False):
    """Judge every exercise of the lesson that the file defines; yields a Judged each, or one for a file that
    defines none.

    cells: it is a notebook's text, in which each cell begins with a line CELL: an error ends its cell, and
    the next one runs.
    """
    path = Path(path)
    exercises = exercises_of(lesson)
    try:
        source = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        what: str | None = "it is no UTF-8 text"
        if isinstance(error, OSError):
            what = error.strerror
        yield _whole(path, f"The file cannot be read: {what}.")
        return
    texts = written(source)
    with _Process(path, cells) as process:
        loaded = process.load()
        bound = set(loaded.get("bound", ()))
        names = [n for n in exercises if n in bound | set(texts)]
        problem = loaded.get("problem", "")
        others = (bound | set(texts)) - set(exercises)  # the name of one exercise is no slip for another's
        slips = list(misspelt(others, [n for n in exercises if n not in names]))
        if not names:
            reason = problem or f"It defines none of the exercises of {lesson}: {', '.join(exercises)}."
            yield _whole(path, " ".join([reason, *slips]))
            return
        for name in names:
            if name not in bound:
                reason = (
                    loaded.get("problems", {}).get(name)
                    or problem
                    or f"`{name}` is not bound to a function when the file has run."
                )
                yield Judged(str(path), Verdict(name, ERROR, exercises[name].points, reason))
            else:
                yield Judged(
                    str(path),
                    judge(
                        exercises[name],
                        process.asks(exercises[name]),
                        seed=seed,
                        source=texts.get(name),
                        context=source,
                    ),
                )
        for slip in slips:
            yield _whole(path, slip)


def misspelt(bound: Iterable[str], missing: Iterable[str]):
    """A sentence for each exercise that is missing while a name is there that looks like it: `BCE` for `bce`."""
    for name in missing:
        same = [b for b in bound if b.lower().replace("_", "") == name.lower().replace("_", "")]
        near = same or difflib.get_close_matches(name, bound, n=1, cutoff=0.85)
        if near:
            yield f"It defines `{near[0]}`: is that `{name}`? The exercise is called `{name}`."


def _whole(path, finding):
    return Judged(str(path), Verdict("", ERROR, 0, finding))


class _Process:
    """The process that runs one file and answers questions; begun again when it died, for the exercises that
    are left."""

    def __init__(self, path, cells):
        self.path, self.cells = path, cells
        self.process, self.socket = None, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._end()

    def load(self):
        """Start, run the file: {"bound": names, "problem": what stopped it}."""
        torch.set_num_threads(1)  # a forked child with half of a thread pool would hang
        self.socket, theirs = socket.socketpair()
        with theirs, _quiet_start():
            self.process = PROCESSES.Process(
                target=_serve, args=(self.socket, theirs, str(self.path), self.cells), daemon=True
            )
            self.process.start()
        try:
            header, _ = wire.receive(self.socket, time.monotonic() + SECONDS)
            return {
                "bound": [n for n in header.get("bound", ()) if isinstance(n, str)],
                "problem": str(header.get("problem", ""))[:1000],
                "problems": {str(n): str(p)[:1000] for n, p in dict(header.get("problems", {})).items()},
            }
        except wire.WireError as error:
            self._end()
            return {
                "problem": f"The file did not finish within {SECONDS} s: is there a loop that never ends?"
                if isinstance(error, wire.Late)
                else "The file ended its Python process while it ran."
            }

    def asks(self, exercise: "Exercise"):
        """A function that puts questions to the exercise. A death or a hang is the answer to every question
        that is left."""
        deadline, lost = time.monotonic() + SECONDS, None

        def ask(question: "Call", gradient: tuple):
            nonlocal lost
            if lost:
                return lost
            if (
                self.process is None
                and "problem" in (again := self.load())
                and exercise.name not in again.get("bound", ())
            ):
                lost = Result(ended=Ended.DIED)
                return lost
            header, payload = wire.encode_call(question)
            try:
                wire.send(
                    self.socket,
                    {
                        "name": exercise.name,
                        "parameters": exercise.parameters,
                        "gradient": list(gradient),
                        "call": header,
                    },
                    payload,
                    deadline,
                )
                return wire.decode_result(*wire.receive(self.socket, deadline))
            except wire.WireError as error:
                self._end()
                lost = Result(ended=Ended.LATE if isinstance(error, wire.Late) else Ended.DIED)
                return lost

        return ask

    def _end(self):
        if self.process is None:
            return
        self.socket.close()
        with contextlib.suppress(ProcessLookupError, PermissionError, AttributeError):
            os.killpg(self.process.pid, signal.SIGKILL)  # what it started, too: it leads a group of its own
        self.process.kill()
        self.process.join()
        self.process = None


@contextlib.contextmanager
def _quiet_start():
    """A forked child writes out what the parent has buffered: leave nothing there."""
    sys.stdout.flush()
    sys.stderr.flush()
    yield


def _bound(seconds):
    """Let the kernel end this process after so long, whatever it is busy with: whoever asks may be gone by
    then. 0: not at all."""
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _run_file(path, cells, namespace):
    """(problem, problems): run a file; what stopped it first, and what stopped the cell that was to bind a
    name, by that name.

    A notebook's cells are run one after the other, each to its first error, as IPython does.
    """
    what, problem, problems = "cell" if cells else "file", "", {}
    compiled = codeop.Compile()  # `from __future__` holds for the cells that follow
    try:
        source = Path(path).read_bytes().decode("utf-8-sig")
        tree = ast.parse(source, path)
    except (SyntaxError, ValueError) as error:
        return _stopped(what, error), {}
    first_lines = [number for number, line in enumerate(source.splitlines(), 1) if line == CELL and cells]
    by_cell = groupby(tree.body, lambda node: bisect.bisect(first_lines, node.lineno))
    for _, statements in by_cell:
        body = list(statements)
        try:
            exec(compiled(ast.Module(body, []), path, "exec"), namespace)
        except BaseException as error:
            told = _stopped(what, error)
            problem = problem or told
            problems |= {name: told for name in written("\n".join(map(ast.unparse, body)))}
    return problem, problems


def _stopped(what, error):
    """What stopped a file, or a cell, in a sentence; where a class's notebooks would meet the same, that is said."""
    error_seen = raised(error)
    text = f"The {what} stopped with {error_seen.type}"
    if error_seen.text:
        text += f": {error_seen.text}"
    if error_seen.line:
        text += f" (line {error_seen.line}: `{error_seen.source}`)"
    return text + (ELSEWHERE.get(error_seen.type, "") if what == "cell" else "")


def _serve(others, sock, path, cells):
    """In the process of its own: run the file, then answer questions until the socket closes. others: the end
    of whoever asks."""
    others.close()  # held open here it would never close, and this process would outlive one that was killed
    if hasattr(os, "setsid"):
        os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    sys.stdin, sys.stdout, sys.stderr = (open(os.devnull, mode) for mode in "rww")
    torch.set_num_threads(1)
    namespace = {"__name__": "__answer__", "__file__": path, "__builtins__": __builtins__}
    sys.path.insert(0, str(Path(path).resolve().parent))
    _bound(ALONE_SECONDS)
    problem, problems = _run_file(path, cells, namespace)
    try:
        wire.send(
            sock,
            {
                "bound": [n for n, v in namespace.items() if callable(v) and n.isidentifier()][:1000],
                "problem": problem,
                "problems": problems,
            },
        )
        while True:
            _bound(0)
            header, payload = wire.receive(sock)
            _bound(ALONE_SECONDS)
            question = wire.decode_call(header["call"], payload)
            wire.send(
                sock,
                *wire.encode_result(
                    run(namespace[header["name"]], question, header["parameters"], header["gradient"])
                ),
            )
    finally:
        os._exit(0)
