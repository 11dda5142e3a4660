"""Check answers each time a file is saved: for people who prefer an editor to a browser."""

import ast
import contextlib
import os
import re
import symtable
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from grader.course import submitted
from grader.course.build import loads, released
from grader.course.cells import grade_id
from grader.course.lessons import exercises, exercises_of, find
from grader.course.rebuild import rebuild
from grader.judging.verdict import COLOURS, ERROR, MARKS, MISSING, Verdict
from grader.learner import progress
from grader.learner.files import CELL, Judged, check_file
from grader.learner.python import plain_python
from grader.learner.workspace import notebook_of

if TYPE_CHECKING:
    from rich.console import Console


POLL = 0.1  # seconds between two looks at the file


def file_of(path: Path):
    """The file to watch: a lesson's name, or its folder in `work/`, stands for the learner's notebook of it.
    Raises ValueError where there is no such file, or it is no notebook and no Python file."""
    if "/" not in str(path) and not Path(path).exists():
        with contextlib.suppress(ValueError):  # no lesson: then it is meant as a file
            path = notebook_of(find(str(path)))
    path = Path(path).absolute()
    if path.is_dir():
        path = path / f"{path.name}.ipynb"
    if path.suffix not in (".ipynb", ".py"):
        raise ValueError(f"{path} is no lesson's folder, notebook or Python file.")
    if not path.is_file():
        raise ValueError(
            f"There is no {path}. `make lab` puts the lessons into work/; a Python file of answers is yours to begin."
        )
    return path


def lesson_of(path: Path):
    """The lesson that a file belongs to: by the name of its folder, or by the exercises that it defines.
    Raises ValueError where neither names a lesson."""
    try:
        return find(path.parent.name)
    except ValueError:
        if path.suffix == ".py":
            bound = set().union(*(_binds(s) for s in _statements(_text(path))))
        else:
            bound = set()
        lessons = [find(e.lesson) for name, e in exercises().items() if name in bound]
        if not lessons:
            raise ValueError(
                f"{path} is in no lesson's folder, and defines no exercise of the course."
            ) from None
        return lessons[0]


def verdicts(path: Path, lesson: str, seen: Callable[[list[Verdict]], object] = lambda judged: None):
    """What is to be said about every exercise of the lesson, in its order; after it, what stopped the file as
    a whole. seen: is shown what there is at each step."""
    known, broken, by_name = exercises_of(lesson), {}, {}
    is_notebook = path.suffix == ".ipynb"
    with tempfile.TemporaryDirectory() as folder:
        if is_notebook:
            text, broken = answers(path, lesson)
            path = Path(folder) / "answers.py"
            path.write_text(text, encoding="utf-8")
        seen([])
        for verdict in (j.verdict for j in check_file(path, lesson, cells=is_notebook)):
            if is_notebook:  # its lines are nobody's lines: the line itself is shown
                verdict = replace(verdict, finding=re.sub(r"\(line \d+: ", "(", verdict.finding))
            by_name[verdict.exercise] = verdict
            seen([v for n, v in by_name.items() if n])
    missing = {n: Verdict(n, MISSING, e.points) for n, e in known.items()}
    failed = {n: Verdict(n, ERROR, known[n].points, finding) for n, finding in broken.items()}
    whole = [v for n, v in by_name.items() if not n and not broken]
    return [(missing | by_name | failed)[n] for n in known], whole


def judged_in(path: Path, lesson: str):
    """Judge the answers of a notebook or of a Python file, as `check_file` does; yields a Judged each."""
    path = Path(path)
    if path.suffix != ".ipynb" or not path.is_file():
        yield from check_file(path, lesson)
        return
    judged, whole = verdicts(path, lesson)
    for verdict in [*judged, *whole]:
        yield Judged(str(path), verdict)


def answers(notebook: Path, lesson: str):
    """(text, broken): the Python text of a notebook's exercise cells, with the imports and the definitions
    that they lean on; and which of them do not parse, and why.

    The notebook is read and put into the course's order as in class. Nothing else is in it: a training or a
    figure of the lesson would make every check slow. The text of each cell begins with a line `# %%`.
    """
    known = exercises_of(lesson)
    submission, notes = submitted.parse(notebook.read_bytes())
    if submission is None:  # caught in the middle of a save, or damaged
        return "", dict.fromkeys(known, f"{notes[-1]} Save it once more.")
    rebuilt, _ = rebuild(loads(released(lesson)), submission)
    # each statement that may count: (source, names bound, names used, is it an exercise?)
    broken, parts = {}, []
    for cell in rebuilt.cells:
        if cell.cell_type != "code":
            continue
        name = grade_id(cell)
        try:
            source = plain_python(cell.source)
            if name in known and compile(source, name, "exec"):
                statements = [source]
            else:
                statements = _statements(source)
            parts += [(s, _binds(s), _uses(s), name in known) for s in statements]
        except (SyntaxError, ValueError) as error:
            if name in known:
                broken[name] = _does_not_parse(error)
    needed = set(known).union(*(uses for *_, uses, is_exercise in parts if is_exercise))
    # backwards: a definition is needed where something below it needs what it binds
    for _, binds, uses, is_exercise in reversed(parts):
        if not is_exercise and binds & needed:
            needed |= uses
    taken = [source for source, binds, _, is_exercise in parts if is_exercise or binds & needed]
    return "\n\n".join(f"{CELL}\n{source}" for source in taken), broken


def _does_not_parse(error):
    """What is said of a cell that is no Python."""
    if not isinstance(error, SyntaxError):
        return f"SyntaxError: {error}"
    return f"SyntaxError: {error.msg} (line {error.lineno} of its cell: `{(error.text or '').strip()}`)"


COMPOUND = ast.If, ast.Try, ast.With, ast.For
DEFINES = ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, *COMPOUND


def _statements(source):
    """The top-level statements of a cell that bind a name, as text."""
    return [ast.unparse(n) for n in ast.parse(source).body if isinstance(n, DEFINES)]


def _binds(source):
    """The names that a text binds at its top level, also within an `if` or a `for`."""
    names: set[str] = set()
    todo: list[ast.AST] = list(ast.parse(source).body)
    for node in todo:  # it grows as blocks are met
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {(a.asname or a.name).split(".")[0] for a in node.names}
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                names.add(node.id)
        elif not isinstance(node, ast.Lambda):
            todo += ast.iter_child_nodes(node)
    return names


def _uses(source):
    """The names that a text takes from outside its functions: what a function binds itself is nobody else's."""
    names, tables = set(), [symtable.symtable(source, "cell", "exec")]
    for table in tables:  # it grows as functions are met
        tables += table.get_children()
        names |= {
            s.get_name()
            for s in table.get_symbols()
            if s.is_referenced() and (table.get_type() == "module" or s.is_global())
        }
    return names


def _text(path):
    try:
        ast.parse(text := path.read_text(encoding="utf-8-sig"))
        return text
    except (SyntaxError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} does not parse: {error}") from None


def view(lesson: str, judged: Sequence[Verdict], whole: Sequence[Verdict], seconds: float | None):
    """What the terminal shows: a line for each exercise, and all that is known about the first that is wrong.
    seconds: that the check took, None while it goes on."""
    passed, total = sum(v.passed for v in judged), len(exercises_of(lesson))
    if seconds is None:
        when = "  checking …"
    else:
        when = f"  checked {time.strftime('%H:%M:%S')} in {seconds:.1f} s"
    head = Text.assemble(
        (lesson, "bold"),
        f"  {passed} of {total} pass  ",
        ("●" * passed, COLOURS["passed"]),
        "○" * (total - passed),
        (when, "dim"),
    )
    lines: list[Text | Padding] = [head]
    wrong = next((v for v in judged if v.status not in ("passed", MISSING)), None)
    for v in judged:
        also = ""
        if v.status not in ("passed", MISSING) and v is not wrong:
            also = f"  {v.finding}"
        lines.append(
            Text.assemble(
                (f" {MARKS[v.status]} ", COLOURS[v.status]), v.title, (also.replace("`", ""), "dim")
            )
        )
        if wrong is not None and v is wrong:
            lines.append(Padding(Text(wrong.message.partition("\n")[2].replace("`", "")), (0, 0, 0, 5)))
    if seconds is None:
        return Group(*lines)
    ends = [v.finding for v in whole]
    ahead = next((v.exercise for v in judged if not v.passed), None)
    ends.append(f"Next: {ahead}." if ahead else "All exercises of this lesson pass.")
    return Group(*lines, *map(Text, ends), Text("Save to check again; Ctrl+C ends this.", "dim"))


def watch(path: Path, console: "Console", rounds: int | None = None):
    """Judge the file now and at each save, until interrupted (or, for tests, for so many rounds)."""
    path = file_of(path)
    lesson = lesson_of(path)
    seen: tuple[int, int] | None = None
    os.chdir(path.parent)  # where progress is kept, as for a notebook
    while rounds is None or rounds > 0:
        now = seen
        try:
            now = (path.stat().st_mtime_ns, path.stat().st_size)
        except FileNotFoundError:  # an editor that saves by renaming leaves a moment without a file
            pass
        if now == seen:
            time.sleep(POLL)
            continue
        seen, began = now, time.monotonic()
        console.clear()
        with Live(
            console=console, auto_refresh=False
        ) as live:  # an answer that never returns holds up none of those before it

            def show(judged: Sequence[Verdict], whole: Sequence[Verdict] = (), seconds: float | None = None):
                live.update(view(lesson, judged, whole, seconds), refresh=True)

            found, whole = verdicts(path, lesson, seen=show)
            for verdict in found:
                progress.record(verdict)
            show(found, whole, time.monotonic() - began)
        if rounds is not None:
            rounds -= 1
