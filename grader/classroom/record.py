"""What is kept of a grading beside the autograded notebook: `graded.json`, small, for resuming, repeating and
reporting."""

import ast
import functools
import hashlib
import json
import secrets
from importlib.metadata import version
from pathlib import Path

from grader.course.build import loads, released, solution_cells
from grader.course.cells import grade_id, is_solution, marks
from grader.course.files import write_whole
from grader.course.imports import closure, modules
from grader.course.lessons import RELEASES, SOLUTIONS, slug
from grader.judging.outcome import ERROR, FAILED

FILE = "graded.json"
DECIDES = {  # what a verdict comes from, with all that these import: the worker's side and the jail's
    "grader.classroom.submission",
    "grader.course.rebuild",
    "grader.classroom.examine",
    "grader.classroom.inside",
    "grader.jail.child",
    "grader.jail.inert",
    "grader.jail.zygote",
    "grader.figures",
}
VERSIONS = (
    "torch",
    "numpy",
    "scikit-learn",
    "ipython",
)  # an answer's numbers, and its errors, come from these


POINTS = "points"  # in a lesson's definitions, the part that decides them


@functools.cache
def definitions(lesson: str) -> dict[str, str]:
    """Digests of all that a grade of this lesson depends on, but for the submission.

    Under `POINTS`: the exercises, judge, jail, the code of the release and of the course's answers, versions.
    Under each exercise's name: its known mistakes, which decide only what the author of a wrong answer is
    told. A lesson's prose is in none of them: a typo that is corrected regrades nobody.
    """
    at_first = files_at_first()
    parts = [f"{name} {version(name).partition('+')[0]}".encode() for name in VERSIONS]
    parts += [modules()[name].read_bytes() for name in closure(DECIDES)]
    rest, mistakes = _exercise_files(lesson)
    parts += [*rest, *_code(lesson)]
    # What has changed since is not what this process has imported: it grades by a course that is nowhere else.
    if _files() != at_first:
        parts.append(at_first)
    digests = {POINTS: _digest(parts)}
    return digests | {exercise: _digest(texts) for exercise, texts in sorted(mistakes.items())}


@functools.cache
def files_at_first() -> bytes:
    """The files as they were when this process began to grade."""
    return _files()


def _files() -> bytes:
    """A digest of every file that could be in one of the digests above."""
    paths = [*modules().values(), *sorted(SOLUTIONS.glob("*.py")), *sorted(RELEASES.glob("*/*.ipynb"))]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).digest()


def outdated(record: dict, now: dict[str, str]) -> bool:
    """May a submission get another grade, or be told something else, by the definitions of `now` than its
    record says?"""
    then = record["definitions"]
    if not isinstance(then, dict) or then.get(POINTS) != now[POINTS]:
        return True
    other = [name for name in then | now if then.get(name) != now.get(name)]
    return any(_hears_of_mistakes(record["verdicts"].get(name)) for name in other)


def _hears_of_mistakes(verdict: dict | None) -> bool:
    """Is a mistake looked for in this answer? In one that passes there is none, nor in one that is missing,
    or out of bounds."""
    if verdict is None:
        return True
    return verdict["status"] in (FAILED, ERROR) and not verdict["called"]


def _digest(parts: list[bytes]) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _exercise_files(lesson: str) -> tuple[list[bytes], dict[str, list[bytes]]]:
    """The modules of a lesson's exercises, its own and those whose examples it takes, without their known
    mistakes; and its own mistakes."""
    own = f"grader.exercises.{slug(lesson)}"
    if own not in modules():
        return [], {}
    rest, mistakes = [], {}
    for name in closure({own}):
        if not name.startswith("grader.exercises."):
            continue
        text, found = without_mistakes(modules()[name].read_text(encoding="utf-8"))
        rest.append(text.encode())
        if name == own:
            mistakes = found
    return rest, mistakes


def without_mistakes(text: str) -> tuple[str, dict[str, list[bytes]]]:
    """A module of exercises without the functions that are nothing but known mistakes; and those, by exercise.

    They are named `_`, so nothing else in the module can call one.

    >>> without_mistakes('import torch\\n\\n\\n@bce.mistake("Wrong.")\\ndef _(p):\\n    return p\\n')
    ('import torch', {'bce': [b'@bce.mistake("Wrong.")\\ndef _(p):\\n    return p']})
    """
    lines = text.splitlines()
    mistakes: dict[str, list[bytes]] = {}
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    for node in reversed(functions):
        names = _mistaken(node)
        if not names:
            continue
        first, last = node.decorator_list[0].lineno - 1, node.end_lineno
        for name in names:
            mistakes.setdefault(name, []).insert(0, "\n".join(lines[first:last]).encode())
        while first and not lines[first - 1].strip():  # what sets it apart goes with it
            first -= 1
        del lines[first:last]
    return "\n".join(lines), mistakes


def _mistaken(node: ast.FunctionDef) -> list[str]:
    """The exercises of which a function is a known mistake, and nothing else."""
    if node.name != "_":
        return []
    called = [ast.unparse(d.func) if isinstance(d, ast.Call) else "" for d in node.decorator_list]
    if not all(each.endswith(".mistake") for each in called):
        return []
    return [each.removesuffix(".mistake") for each in called]


def _code(lesson: str) -> list[bytes]:
    """What of a lesson runs or counts: the release's code cells, its marks for nbgrader, the course's answers."""
    parts = []
    if released(lesson).exists():
        for cell in loads(released(lesson)).cells:
            parts.append(json.dumps(marks(cell), sort_keys=True).encode())
            if cell.cell_type == "code":
                parts.append(cell.source.encode())
    return parts + [source.encode() for source in solution_cells(lesson).values()]


def new_seed() -> int:
    """Fresh inputs for a submission: nobody can know them before."""
    return secrets.randbelow(2**31)


def content(data: bytes | None):
    """A digest of a submission's bytes; None (no notebook) has one, too."""
    return hashlib.sha256(b"none" if data is None else b"some" + data).hexdigest()[:16]


def save(folder: Path, record: dict):
    """Write the record of a grading."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    write_whole(Path(folder, FILE), json.dumps(record, ensure_ascii=False) + "\n")


def counted(record: dict, earlier: dict | None):
    """A record with the number of submissions that were graded until now: a new content is another one."""
    before = (earlier or {}).get("handed_in", 1 if earlier else 0)
    is_new = not earlier or earlier.get("content") != record["content"]
    return record | {"handed_in": before + is_new}


def load(folder: Path):
    """The record of a grading, or None where there is none (or a damaged one: then it is graded again)."""
    try:
        found = json.loads(Path(folder, FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if isinstance(found, dict) and "verdicts" in found:
        return found
    return None


def make(lesson: str, digest: str, examined):
    """The record of an examined notebook."""
    answers = {
        grade_id(c): c.source for c in examined.notebook.cells if c.cell_type == "code" and is_solution(c)
    }
    return {
        "lesson": lesson,
        "content": digest,
        "definitions": definitions(lesson),
        "seed": examined.seed,
        "notes": examined.notebook.metadata["grader"]["notes"],
        "verdicts": {n: v.summary() for n, v in examined.verdicts.items()},
        "answers": answers,
    }
