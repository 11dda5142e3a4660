"""What is kept of a grading beside the autograded notebook: `graded.json`, small, for resuming, repeating and reporting."""

import functools
import hashlib
import json
from importlib.metadata import version
from pathlib import Path

from grader.course.build import loads, released, solution_cells
from grader.course.cells import grade_id, is_solution, marks
from grader.course.files import write_whole
from grader.course.imports import closure, modules
from grader.course.lessons import lessons, slug

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


def definitions(lesson: str) -> str:
    """A digest of all that a grade of this lesson depends on, but for the submission.

    Exercises, judge, jail, the code of the release and of the course's answers, versions. A lesson's prose is
    not in it: a typo that is corrected regrades nobody.
    """
    return _definitions()[lesson]


@functools.cache
def _definitions() -> dict[str, str]:
    """Of all lessons at once, and once a process: a file that changes later is not what this process has imported."""
    common = [f"{name} {version(name).partition('+')[0]}".encode() for name in VERSIONS]
    common += [modules()[name].read_bytes() for name in closure(DECIDES)]
    digests = {}
    for lesson in lessons():
        parts = [*common, *_exercise_files(lesson), *_code(lesson)]
        digests[lesson] = hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    return digests


def _exercise_files(lesson: str) -> list[bytes]:
    """The modules of a lesson's exercises: its own, and those whose examples it takes."""
    name = f"grader.exercises.{slug(lesson)}"
    if name not in modules():
        return []
    return [modules()[name].read_bytes() for name in closure({name}) if name.startswith("grader.exercises.")]


def _code(lesson: str) -> list[bytes]:
    """What of a lesson runs or counts: the release's code cells, its marks for nbgrader, the course's answers."""
    parts = []
    if released(lesson).exists():
        for cell in loads(released(lesson)).cells:
            parts.append(json.dumps(marks(cell), sort_keys=True).encode())
            if cell.cell_type == "code":
                parts.append(cell.source.encode())
    return parts + [source.encode() for source in solution_cells(lesson).values()]


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
