"""Whatever is submitted, reading and judging it ends: each step is linear, and all of them stand under one budget."""

import math
import os
import time

import nbformat
import pytest

from grader.classroom import submission
from grader.classroom.examiner import Examiner, OverBudget
from grader.classroom.rebuild import harmless, rebuild
from grader.classroom.task import Task
from grader.classroom.worker import PREPARE, grade_one
from grader.course.build import loads, released
from grader.jail import doctor, jail
from grader.judging.scan import scan, together, written
from grader.tests import school
from grader.tests.attacks.spending import DOUBLED

LESSON = "02_bce"
WALLS = doctor.walls()
needs_walls = pytest.mark.skipif(not WALLS.ok, reason=f"no walls on this machine: {WALLS.why}")
ROWS = []


def _rebuild(text):
    cells = [
        nbformat.from_dict({"cell_type": "code", "id": str(i), "metadata": {}, "source": text})
        for i in range(40)
    ]
    return rebuild(loads(released(LESSON)), nbformat.from_dict({"cells": cells}))


STEPS = {
    "harmless": harmless,
    "written": written,
    "scan": lambda text: scan(text, frozenset({"softmax"}), together([text])),
    "parse": lambda text: submission.parse(text.encode()),
    "rebuild": _rebuild,
}


def seconds(do, argument):
    """The fastest of three: what else the machine does is no matter here."""
    took = []
    for _ in range(3):
        start = time.process_time()
        do(argument)
        took.append(time.process_time() - start)
    return min(took)


@pytest.mark.parametrize("doubled", DOUBLED, ids=[d.name for d in DOUBLED])
def test_twice_as_much_takes_about_twice_as_long(doubled):
    """A quadratic step takes four times as long; with four times the length it would be sixteen."""
    do = STEPS[doubled.step]
    times = [seconds(do, doubled.make(doubled.length * factor)) for factor in (1, 4)]
    ROWS.append((doubled.name, doubled.length, *times))
    assert times[1] < 8 * times[0] + 0.2, times


def test_the_times():
    """Printed by `pytest -s -k 'twice or times'`."""
    for name, length, once, four in ROWS:
        print(f"{name:30} {length:9} {once:8.3f} s   x 4: {four:8.3f} s")


@pytest.fixture(scope="module")
def examiner():
    with Examiner(PREPARE) as examiner:
        yield examiner


def _endless():
    while True:
        pass


def _gone():
    os._exit(1)


def _large():
    return len([bytearray(1 << 28) for _ in range(64)])


def _large_tensor():
    import torch

    return torch.zeros(1 << 31, dtype=torch.float64)


@needs_walls
@pytest.mark.parametrize(
    ("does", "reason"), [(_endless, "time"), (_gone, "ended"), (_large, "memory"), (_large_tensor, "memory")]
)
def test_an_examiner_is_ended_and_the_next_call_meets_a_new_one(examiner, does, reason):
    examiner.start()
    pid = examiner.pid
    with pytest.raises(OverBudget) as over:
        examiner.call(does, seconds=3 if reason == "time" else 60)
    assert over.value.reason == reason
    assert examiner.call(math.factorial, 5) == 120 and examiner.pid != pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@needs_walls
def test_what_uses_up_its_time_steps_back_and_then_has_a_record(examiner):
    data = nbformat.writes(school.answered(LESSON)).encode()
    assert grade_one(Task(LESSON, "eve", data, (), seconds=0.001, first=True), examiner=examiner).later
    found = grade_one(Task(LESSON, "eve", data, ("a note",), seconds=0.001), examiner=examiner)
    assert any("A person has to look at it" in note for note in found.record["notes"])
    assert "a note" in found.record["notes"] and "not read, run and judged within 0.001" in " ".join(
        found.record["notes"]
    )
    assert set(found.scores.values()) == {0} and all(
        v["status"] == "error" for v in found.record["verdicts"].values()
    )
    nbformat.validate(nbformat.reads(found.text, as_version=4))
    assert sum(grade_one(Task(LESSON, "eve", data, ()), examiner=examiner).scores.values()) > 10


@needs_walls
def test_a_machine_without_memory_is_told_as_that(monkeypatch):
    counts = iter([3, 4])
    monkeypatch.setattr(jail, "killed_for_memory", lambda: next(counts, 4))
    with jail.Jail() as one, one.child() as child, pytest.raises(jail.ChildDied) as death:
        child.run_cell("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert death.value.reason == "machine" and "says nothing about the answer" in death.value.says
