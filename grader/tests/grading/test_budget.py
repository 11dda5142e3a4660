"""Whatever is submitted, reading and judging it ends: each step is linear, and all of them stand under one budget."""

import math
import os
import time

import nbformat
import pytest

from grader.classroom.examine import NO_TIME
from grader.classroom.examiner import Examiner, OverBudget, ahead
from grader.classroom.inside import grade_as_ended
from grader.classroom.task import Task
from grader.classroom.worker import INSIDE, PREPARE, grade_one
from grader.course.build import loads, released
from grader.course.lessons import exercises_of
from grader.course.rebuild import harmless, rebuild
from grader.course.submitted import parse
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
    "parse": lambda text: parse(text.encode()),
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


def _told_and(does):
    ahead("said before")
    return does()


@needs_walls
@pytest.mark.parametrize(
    ("does", "reason"), [(_endless, "time"), (_gone, "ended"), (_large, "memory"), (_large_tensor, "memory")]
)
def test_an_examiner_is_ended_and_the_next_call_meets_a_new_one(examiner, does, reason):
    examiner.start()
    pid = examiner.pid
    with pytest.raises(OverBudget) as over:
        examiner.call(_told_and, does, seconds=1 if reason == "time" else 60)
    assert (over.value.reason, over.value.heard) == (reason, ["said before"])
    assert examiner.call(math.factorial, 5) == 120 and examiner.pid != pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def submitted(**answers):
    """A class's submission with the course's answers, but for those given here."""
    return school.answered(LESSON, school.solution_cells(LESSON) | answers)


def sleeps(name, seconds):
    return f"def {name}(*args, **kwargs):\n    import time\n    time.sleep({seconds})"


def points(**instead):
    """The points of every exercise, but for those given here."""
    return {name: exercise.points for name, exercise in exercises_of(LESSON).items()} | instead


@needs_walls
def test_what_uses_up_its_time_has_a_record_of_what_was_judged(examiner):
    """The last exercise hangs, and its examiner is ended: all before it keep their points, and the next
    submission has all of them."""
    data = nbformat.writes(submitted(bce_clamped=sleeps("bce_clamped", 60))).encode()
    graded = grade_one(Task(LESSON, "eve", data, ("a note",), seconds=4.0), examiner=examiner)
    notes = " ".join(graded.record["notes"])
    assert "a note" in notes and "not read, run and judged within 4 seconds" in notes
    assert "A person has to look at it" in notes
    got = {name: verdict["points"] for name, verdict in graded.record["verdicts"].items()}
    assert got == points(bce_clamped=0) and graded.scores["test_bce"] == 3
    assert "was not judged" in graded.record["verdicts"]["bce_clamped"]["finding"]
    assert "bce_clamped: not judged yet" in graded.text and graded.record["answers"]["bce_clamped"]
    nbformat.validate(nbformat.reads(graded.text, as_version=4))
    right = Task(LESSON, "eve", nbformat.writes(submitted()).encode(), ())
    assert sum(grade_one(right, examiner=examiner).scores.values()) == sum(points().values())


@needs_walls
def test_what_is_not_begun_in_time_is_held_against_nobody(examiner):
    """An exercise takes all the time that a submission has: it and those behind it are not judged, those
    before it are."""
    text, _ = examiner.call(
        f"{INSIDE}.rebuild_here", LESSON, nbformat.writes(submitted(bce=sleeps("bce", 2))).encode(), ()
    )
    examined = examiner.call(f"{INSIDE}.examine_here", text, "{jail}", 0, (), 2.0)
    got = {name: verdict.points for name, verdict in examined.verdicts.items()}
    assert got == points(bce=0, bce_grad=0, bce_clamped=0)
    assert "not judged yet" in examined.verdicts["bce_grad"].title
    assert NO_TIME in examined.notebook.metadata["grader"]["notes"]


class Exhausted:
    """An examiner whose every call uses up its time."""

    def call(self, *args, seconds):
        raise OverBudget("time", seconds)


def test_what_takes_long_at_its_first_try_steps_back():
    graded = grade_one(Task(LESSON, "eve", b"", (), first=True), examiner=Exhausted())
    assert graded.later and not graded.record
    # where a second try has no more time, the first one counts
    graded = grade_one(Task(LESSON, "eve", b"", (), seconds=10.0, first=True), examiner=Exhausted())
    assert not graded.later and graded.record["notes"]


def test_what_is_ended_before_it_is_rebuilt_has_a_record_too():
    graded = grade_as_ended(Task(LESSON, "eve", b"", ("a note",)), [], ["why"])
    assert graded.record["notes"] == ["a note", "why"] and set(graded.scores.values()) == {0}
    assert all(verdict["status"] == "error" for verdict in graded.record["verdicts"].values())


@needs_walls
def test_a_machine_without_memory_is_told_as_that(monkeypatch):
    counts = iter([3, 4])
    monkeypatch.setattr(jail, "killed_for_memory", lambda: next(counts, 4))
    with jail.Jail() as one, one.child() as child, pytest.raises(jail.ChildDied) as death:
        child.run_cell("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert death.value.reason == "machine" and "says nothing about the answer" in death.value.says
