"""What is kept of a grading beside the autograded notebook: `graded.json`, small, for resuming, repeating and reporting."""

import contextlib
import functools
import hashlib
import json
import os
import re
from pathlib import Path

import torch

import grader
from grader.course.build import released, text_of
from grader.course.lessons import lessons, slug

FILE = "graded.json"
READ_BY_ALL = (
    "judging/question.py",
    "judging/exercise.py",
    "judging/compare.py",
    "judging/judge.py",
    "judging/diagnose.py",
    "judging/smallest.py",
    "judging/scan.py",
    "judging/verdict.py",
    "classroom/submission.py",
    "classroom/rebuild.py",
    "classroom/examine.py",
    "jail/child.py",
    "judging/wire.py",
)


def definitions(lesson):
    """A digest of all that a grade of this lesson depends on, but for the submission: exercises, judge, release, text, version of torch."""
    return _definitions()[lesson]


@functools.cache
def _definitions():
    """Of all lessons at once, and once a process: a file that changes later is not what this process has imported."""
    home, version = Path(grader.__file__).parent, torch.__version__.partition("+")[0].encode()
    common = b"".join((home / name).read_bytes() for name in READ_BY_ALL)
    digests = {}
    for lesson in lessons():
        files = [*_modules(home / "exercises", slug(lesson)), text_of(lesson), released(lesson)]
        parts = [f.read_bytes() if f.exists() else b"" for f in files]
        digests[lesson] = hashlib.sha256(b"\0".join([common, version, *parts])).hexdigest()[:16]
    return digests


def _modules(home, name):
    """The file of a lesson's exercises, and those of other lessons whose examples it takes."""
    found = [home / f"{name}.py"]
    for path in found:
        others = (
            re.findall(r"^from grader\.exercises\.(\w+) import", path.read_text(encoding="utf-8"), re.M)
            if path.exists()
            else []
        )
        found += [home / f"{n}.py" for n in others if home / f"{n}.py" not in found]
    return found


def content(data):
    """A digest of a submission's bytes; None (no notebook) has one, too."""
    return hashlib.sha256(b"none" if data is None else b"some" + data).hexdigest()[:16]


def write(path, text):
    """Write a file whole, or not at all, and onto the disk before this returns: a machine may lose its power."""
    part = path.with_name(path.name + ".part")
    try:
        part.unlink(missing_ok=True)
        with open(part, "x", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise type(error)(error.errno, error.strerror, str(path)) from None


def save(folder, record):
    """Write the record of a grading."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    write(Path(folder, FILE), json.dumps(record, ensure_ascii=False) + "\n")


def load(folder):
    """The record of a grading, or None where there is none (or a damaged one: then it is graded again)."""
    try:
        found = json.loads(Path(folder, FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and "verdicts" in found else None


def make(lesson, digest, examined):
    """The record of an examined notebook."""
    answers = {
        c.metadata.nbgrader.grade_id: c.source
        for c in examined.notebook.cells
        if c.cell_type == "code" and c.metadata.get("nbgrader", {}).get("solution")
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
