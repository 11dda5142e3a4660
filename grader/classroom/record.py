"""What is kept of a grading beside the autograded notebook: `graded.json`, small, for resuming, repeating and reporting."""
import functools
import hashlib
import json
from pathlib import Path

import torch

import grader
from grader.author import released
from grader.lessons import slug

FILE = "graded.json"
READ_BY_ALL = ("answer.py", "exercise.py", "judge.py", "diagnose.py", "verdict.py", "classroom/rebuild.py", "classroom/examine.py")


@functools.cache
def definitions(lesson):
    """A digest of all that a grade of this lesson depends on, but for the submission: exercises, judge, release, version of torch."""
    home = Path(grader.__file__).parent
    files = [home / "lessons" / f"{slug(lesson)}.py", *(home / name for name in READ_BY_ALL), released(lesson)]
    return hashlib.sha256(b"".join(f.read_bytes() for f in files) + torch.__version__.encode()).hexdigest()[:16]


def content(data):
    """A digest of a submission's bytes; None (no notebook) has one, too."""
    return hashlib.sha256(b"none" if data is None else b"some" + data).hexdigest()[:16]


def save(folder, record):
    """Write the record of a grading, whole or not at all."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    part = Path(folder, FILE + ".part")
    part.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(Path(folder, FILE))


def load(folder):
    """The record of a grading, or None where there is none (or a damaged one: then it is graded again)."""
    try:
        found = json.loads(Path(folder, FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and "verdicts" in found else None


def make(lesson, digest, examined):
    """The record of an examined notebook."""
    answers = {c.metadata.nbgrader.grade_id: c.source for c in examined.notebook.cells
               if c.cell_type == "code" and c.metadata.get("nbgrader", {}).get("solution")}
    return {"lesson": lesson, "content": digest, "definitions": definitions(lesson), "seed": examined.seed,
            "notes": examined.notebook.metadata["grader"]["notes"], "verdicts": {n: v.summary() for n, v in examined.verdicts.items()},
            "answers": answers}
