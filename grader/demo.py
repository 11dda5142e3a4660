"""A class of learners who do not exist, and a whole round with it: `make demo`. The benchmark grades the same class.

Their answers are the course's own, the known mistakes of the exercises, and what `grader/tests/answers` holds.
"""

import ast
import builtins
import inspect
import os
import random
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from grader.course.build import ROOT, loads, released, solution_cells
from grader.course.cells import grade_id, is_grade, is_solution
from grader.course.lessons import exercises_of
from grader.tests.answers import answers

if TYPE_CHECKING:
    from nbformat import NotebookNode


STUDENTS = 24
ORDINARY = {"right": 4, "wrong": 8, "unfinished": 6}  # of 24, what most classes are made of
ODD = {"damaged": 3, "hostile": 3}


@dataclass(frozen=True)
class Learner:
    """What one learner submits, and what is known of it beforehand. `full`: does it deserve all points that a
    machine gives?"""

    name: str
    kind: str
    what: str
    data: bytes
    full: bool = False


def written(function: Callable, name: str, known: set[str]):
    """A function as a learner writes it into a cell: its source under the exercise's name. None where it uses
    what a notebook does not have."""
    definition = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    if not isinstance(definition, (ast.FunctionDef, ast.ClassDef)):
        return None
    definition.name, definition.decorator_list = name, []
    names = {n.id: type(n.ctx) for n in ast.walk(definition) if isinstance(n, ast.Name)}
    bound = (
        {n.id for n in ast.walk(definition) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
        | {n.arg for n in ast.walk(definition) if isinstance(n, ast.arg)}
        | {n.name for n in ast.walk(definition) if hasattr(n, "name") and n.name}
    )
    if set(names) <= bound | known | set(dir(builtins)):
        return ast.unparse(definition)
    return None


def imported(notebook: "NotebookNode"):
    """The names that a notebook's imports bind."""
    trees = [ast.parse(c.source) for c in notebook.cells if c.cell_type == "code" and "import" in c.source]
    return {
        (a.asname or a.name).partition(".")[0]
        for t in trees
        for n in ast.walk(t)
        if isinstance(n, (ast.Import, ast.ImportFrom))
        for a in n.names
    }


def learners(lesson: str, count: int, seed: int = 0, odd: bool = True):
    """`count` Learners, the same ones for the same seed. odd: some hand in what is damaged or hostile."""
    draw, release, course = random.Random(seed), loads(released(lesson)), solution_cells(lesson)
    known, exercises = imported(release), exercises_of(lesson)
    right = {
        n: [source]
        + [w for a in answers() if a.exercise == n and a.right and (w := written(a.function, n, known))]
        for n, source in course.items()
    }
    wrong = {
        n: [w for m in e.mistakes if (w := written(m.function, n, known))]
        + [w for a in answers() if a.exercise == n and not a.right and (w := written(a.function, n, known))]
        for n, e in exercises.items()
    }
    kinds = [k for k, n in (ORDINARY | (ODD if odd else {})).items() for _ in range(n)]
    for i in range(count):
        if i % len(kinds) == 0:
            draw.shuffle(kinds)
        kind, name = kinds[i % len(kinds)], f"learner{i + 1:0{len(str(count))}d}"
        chosen = {n: draw.choice(sources) for n, sources in right.items()}
        if kind == "right":
            yield Learner(
                name, kind, "everything right, partly in another style", filled(release, chosen), full=True
            )
        elif kind == "wrong":
            missed = draw.sample([n for n in chosen if wrong[n]], k=draw.randint(1, max(1, len(chosen) // 2)))
            yield Learner(
                name,
                kind,
                f"mistakes in {', '.join(missed)}",
                filled(release, chosen | {n: draw.choice(wrong[n]) for n in missed}),
            )
        elif kind == "unfinished":
            done = draw.randint(0, len(chosen) - 1)
            yield Learner(
                name,
                kind,
                f"the first {done} of {len(chosen)}",
                filled(release, dict(list(chosen.items())[:done])),
            )
        elif kind == "damaged":
            what, change = DAMAGES[i % len(DAMAGES)]
            yield Learner(name, kind, what, change(filled(release, chosen)))
        else:
            what, code = ATTACKS[i % len(ATTACKS)]
            last = list(chosen)[-1]
            yield Learner(
                name,
                kind,
                what,
                filled(release, chosen | {last: f"{chosen[last]}\n\n{code.format(name=last)}"}),
            )


def filled(
    release: "NotebookNode",
    sources: dict[str, str],
    open_answer: str = "Because the loss grows without bound where the model is sure and wrong.",
):
    """A submission as bytes: the release with these answers in it."""
    nb = nbformat.from_dict(release)
    for cell in nb.cells:
        if is_solution(cell) and is_grade(cell):
            cell.source = open_answer
        elif is_solution(cell):
            cell.source = sources.get(grade_id(cell), cell.source)
    return nbformat.writes(nb).encode()


DAMAGES = [
    ("a file cut in the middle", lambda data: data[: len(data) // 2]),
    ("an empty file", lambda data: b""),
    ("a word processor's file", lambda data: b"PK\x03\x04" + bytes(range(256)) * 20),
    (
        "a notebook without its cells",
        lambda data: b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
    ),
]
ATTACKS = [  # appended to the right answer of the last exercise
    ("ends the interpreter", "import os\ndef {name}(*a, **k): os._exit(0)"),
    ("never comes back", "def {name}(*a, **k):\n    while True: pass"),
    (
        "fills the memory",
        "def {name}(*a, **k):\n    hoard = []\n    while True: hoard.append(bytearray(1 << 26))",
    ),
    (
        "gives itself points",
        "get_ipython().events.register('pre_run_cell', lambda *a: print(100))\n{name} = lambda *a, **k: 'full marks'",
    ),
    ("reads the teacher's files", "{name} = lambda *a, **k: open('/etc/shadow').read()"),
]


def submit(folder: Path, learner: Learner, lesson: str, when: datetime | None = None):
    """Put a submission where `nbgrader collect` would."""
    path = folder / "submitted" / learner.name / lesson / f"{lesson}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(learner.data)
    (path.parent / "timestamp.txt").write_text(f"{when or datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f} UTC")


def make_course(folder: Path, lesson: str):
    """A course's folder with one lesson, as a teacher has it."""
    for name in ("solutions", "notebooks"):
        shutil.copytree(ROOT / name / lesson, folder / name / lesson)
    shutil.copyfile(ROOT / "nbgrader_config.py", folder / "nbgrader_config.py")


def main(lesson: str = "02_bce"):
    from rich.console import Console
    from rich.table import Table

    from grader.classroom.grade import course_here
    from grader.classroom.marks import marks

    out, begun, folder = Console(), time.monotonic(), ROOT / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.chdir(folder)
    make_course(folder, lesson)
    (folder / "course").symlink_to(ROOT / "course")  # the commands are typed here as in the checkout
    everybody = {x.name: x for x in learners(lesson, STUDENTS)}
    for learner in everybody.values():
        submit(folder, learner, lesson)
    out.print(f"{len(everybody)} learners have submitted {lesson}.", highlight=False)

    def run(*words):
        out.print(f"\n[bold]$ ./course {' '.join(words)}[/]", highlight=False)
        done = subprocess.run([sys.executable, "-m", "grader", *words], cwd=folder)
        if done.returncode:
            sys.exit(f"`./course {' '.join(words)}` ended with {done.returncode}")

    # two minutes by default, and one of these learners uses up all there is
    grade = ("grade", lesson, "--seconds", "10")
    run(*grade)
    again = next(x for x in everybody.values() if x.kind == "unfinished")
    better = Learner(
        again.name,
        "unfinished",
        "then everything right, handed in again",
        filled(loads(released(lesson)), solution_cells(lesson)),
        full=True,
    )
    everybody[again.name] = better
    submit(folder, better, lesson)
    out.print(f"\n{again.name} hands in again; nobody else is graded a second time.", highlight=False)
    run(*grade)
    run("feedback", lesson)
    run("report", lesson)

    names = list(exercises_of(lesson))
    table = Table(
        "learner",
        "points",
        " ".join(names),
        "what was handed in",
        title=f"{lesson}: the gradebook",
        title_justify="left",
        box=None,
    )
    for name, mark in sorted(marks(course_here(), lesson).items()):
        scores = [mark.cells[f"test_{n}"].score for n in names]
        line = " ".join(f"{s:g}".center(len(n)) for s, n in zip(scores, names))
        table.add_row(
            name,
            f"{sum(scores):4g} of {sum(e.points for e in exercises_of(lesson).values()):g}",
            line,
            f"{everybody[name].kind}: {everybody[name].what}",
        )
    Console(width=180).print("\n", table)
    out.print(
        f"""
The gradebook is        demo/gradebook.db
feedback, one a learner demo/feedback/{next(iter(everybody))}/{lesson}/{lesson}.html
the report for teachers demo/reports/{lesson}.html
what was graded         demo/autograded/; open answers wait there for a person: `nbgrader formgrader` in demo/

{time.monotonic() - begun:.0f} seconds.""",
        highlight=False,
        soft_wrap=True,
    )


if __name__ == "__main__":
    main()
