"""What decides a grade is in its digest, and nothing else: in both directions, by changing files of a copy of
the course."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from grader.classroom import record
from grader.course.build import ROOT
from grader.course.imports import closure, modules
from grader.course.lessons import lessons, slug
from grader.judging.verdict import ERROR, FAILED, MISSING, PASSED

LESSON, OTHER = "02_bce", "06_softmax"
# prints the digests for each line that it reads, from the files as they stand then
PRINT = f"""
import functools, json, sys
from grader.classroom import record
from grader.course import build, imports
for line in sys.stdin:
    for cached in (record.definitions, record.files_at_first, imports.modules, imports.imported_by, build.solution_cells):
        cached.cache_clear()
    print(json.dumps([record.definitions({LESSON!r}), record.definitions({OTHER!r})]), flush=True)
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the whole course whose files may be changed."""
    folder = tmp_path_factory.mktemp("course")
    for name in ("grader", "solutions", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    return folder


@pytest.fixture(scope="module")
def digests(copy):
    """A function that gives the digests of the two lessons, as a process in the copy's folder sees them."""
    environment = os.environ | {"PYTHONPATH": str(copy)}
    command = [sys.executable, "-c", PRINT]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=copy, env=environment, **pipes) as process:

        def ask():
            process.stdin.write("now\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield ask
        process.stdin.close()


@pytest.fixture
def parts(copy, digests):
    """A function that says which parts of each of the two lessons' definitions are others while `old` stands
    as `new` in a file."""

    def change(path, old, new):
        file = copy / path
        text = file.read_text(encoding="utf-8")
        assert old in text, f"{path} has no {old!r}"
        before = digests()
        file.write_text(text.replace(old, new, 1), encoding="utf-8")
        after = digests()
        file.write_text(text, encoding="utf-8")
        pairs = zip(before, after, strict=True)
        return [{name for name in old | new if old.get(name) != new.get(name)} for old, new in pairs]

    return change


@pytest.fixture
def changed(parts):
    """A function that says which of the two lessons give other points."""

    def change(*words):
        digests = dict(zip((LESSON, OTHER), parts(*words), strict=True))
        assert all(names <= {record.POINTS} for names in digests.values())
        return [lesson for lesson, names in digests.items() if names]

    return change


@pytest.mark.parametrize(
    "path, old, new",
    [
        ("grader/jail/limits.py", "seconds", "seconds  "),
        ("grader/jail/inert.py", "def check", "def  check"),
        ("grader/jail/walls.py", "import os", "import os  "),
        ("grader/judging/outcome.py", "import", "import "),
        ("grader/judging/picture.py", "import", "import "),
        ("grader/figures.py", "import", "import "),
        ("grader/course/build.py", "import", "import "),
    ],
)
def test_what_decides_every_verdict_regrades_every_lesson(changed, path, old, new):
    assert changed(path, old, new) == [LESSON, OTHER]


@pytest.mark.parametrize(
    "path, old, new",
    [
        ("grader/exercises/bce.py", "import torch", "import torch  "),
        (
            "solutions/02_bce.py",
            "torch.where(y == 1, p, 1 - p).prod()",
            "torch.where(y == 0, 1 - p, p).prod()",
        ),
        ("notebooks/02_bce/02_bce.ipynb", "import torch", "import torch "),
    ],
)
def test_what_decides_a_lessons_verdicts_regrades_that_lesson(changed, path, old, new):
    assert changed(path, old, new) == [LESSON]


@pytest.mark.parametrize(
    "path, old, new",
    [
        (
            "solutions/02_bce.py",
            "# # What does a wrong prediction cost?",
            "# # What does a wrong forecast cost?",
        ),
        (
            "notebooks/02_bce/02_bce.ipynb",
            "What does a wrong prediction cost?",
            "What does a wrong forecast cost?",
        ),
        ("grader/classroom/report.py", "import", "import "),
        ("grader/learner/watch.py", "import", "import "),
        ("grader/bench.py", "import", "import "),
    ],
)
def test_prose_and_what_stands_apart_from_verdicts_regrade_nobody(changed, path, old, new):
    assert changed(path, old, new) == []


@pytest.mark.parametrize(
    "old, new",
    [
        ("You added the losses up.", "You added all of the losses up."),
        (
            "\n\n\n@bce.mistake(",
            '\n\n\n@bce.mistake("Another one.")\ndef _(p, y, reduction="mean"):\n    return p.sum()\n\n\n@bce.mistake(',
        ),
    ],
)
def test_a_known_mistake_decides_what_is_said_of_wrong_answers_to_its_exercise_alone(parts, old, new):
    assert parts("grader/exercises/bce.py", old, new) == [{"bce"}, set()]


@pytest.mark.parametrize(
    "status, called, hears",
    [
        (FAILED, [], True),
        (ERROR, [], True),
        (FAILED, ["F.softmax"], False),
        (PASSED, [], False),
        (MISSING, [], False),
    ],
)
def test_a_new_mistake_is_looked_for_where_an_answer_is_wrong(status, called, hears):
    then = {record.POINTS: "p", "bce": "old", "bce_grad": "same"}
    verdicts = {"bce": {"status": status, "called": called}, "bce_grad": {"status": FAILED, "called": []}}
    graded = {"definitions": then, "verdicts": verdicts}
    assert record.outdated(graded, then | {"bce": "new"}) is hears
    assert not record.outdated(graded, then)
    assert record.outdated(graded, then | {record.POINTS: "q"})
    assert record.outdated(graded | {"definitions": "of an earlier release"}, then)


@pytest.mark.parametrize("lesson", lessons())
def test_what_a_lesson_takes_from_another_counts_as_its_own(lesson):
    name = f"grader.exercises.{slug(lesson)}"
    text = modules()[name].read_text(encoding="utf-8")
    taken = {
        other
        for other in modules()
        if other.startswith("grader.exercises.") and f"from {other} import" in text
    }
    assert taken | {name} <= set(closure({name}))
