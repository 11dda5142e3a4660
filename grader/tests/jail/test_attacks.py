"""Grading cannot be forged, robbed or broken: every attack and every damage, graded for real, in one jail
that survives them all."""

import contextlib
import json
import os
import secrets
import socket
from dataclasses import replace

import nbformat
import pytest
import torch
from rich.console import Console
from rich.table import Table

from grader.classroom import examine, submission
from grader.classroom.examiner import Examiner
from grader.classroom.inside import grade_here
from grader.classroom.task import Task
from grader.classroom.worker import PREPARE, grade_one
from grader.course.lessons import SOLUTIONS, exercises_of
from grader.jail import Limits, doctor
from grader.judging.judge import judge
from grader.judging.question import Array, Foreign, Raised, Result
from grader.tests import school
from grader.tests.attacks import LESSON, Attack, attacks

WALLS = doctor.walls()
needs_walls = pytest.mark.skipif(not WALLS.ok, reason=f"no walls on this machine: {WALLS.why}")
LIMITS = Limits(
    memory_mb=512,
    cpu_seconds=60,
    cell_seconds=15,
    question_seconds=3,
    exercise_seconds=10,
    notebook_seconds=60,
    disk_mb=32,
)
# for what ends in no other way
BRIEF = replace(LIMITS, cell_seconds=2.5, question_seconds=1.2, exercise_seconds=2.5)
CASES = [(kind, attack) for kind, several in attacks().items() for attack in several]
MOST = 2 << 20  # bytes of a record and a notebook's text that a submission may grow to, without its pictures


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    """Things of this machine that are really there, and must be out of reach."""
    folder = tmp_path_factory.mktemp("teacher")
    (folder / "secret").write_text("OVER: the secret was read")
    (folder / "gradebook.db").write_text("OVER")
    (folder / "submitted").mkdir()
    marker = secrets.token_hex(8)
    os.environ["GRADER_TEST_MARKER"] = marker
    facts = {
        "secret": str(folder / "secret"),
        "gradebook": str(folder / "gradebook.db"),
        "submitted": str(folder / "submitted"),
        "socket": str(folder / "socket"),
        "abstract": f"grader-{marker}",
        "solutions": str(SOLUTIONS),
        "marker": marker,
    }
    with contextlib.ExitStack() as stack:
        for family, address in (
            (socket.AF_INET, ("127.0.0.1", 0)),
            (socket.AF_UNIX, facts["socket"]),
            (socket.AF_UNIX, "\0" + facts["abstract"]),
        ):
            server = stack.enter_context(socket.socket(family))
            server.bind(address)
            server.listen()
            if family == socket.AF_INET:
                facts["port"] = server.getsockname()[1]
        yield facts
    del os.environ["GRADER_TEST_MARKER"]


@pytest.fixture(scope="module")
def examiner(facts):
    """One examiner with its jail: they grade everything that is submitted here, and are the same at the end."""
    with Examiner(PREPARE, limits=LIMITS) as examiner:
        pid = examiner.pid
        yield examiner
        assert examiner.pid == pid, "the examiner itself was ended"
        notes = examiner.call(getattr, "{jail}", "notes")
        assert not notes, f"the jail itself broke: {notes}"


ROWS = []


def give(jail, limits):
    """Over there: these limits from now on."""
    jail.limits = limits


def leave_out_what_is_only_shown(nb):
    """Empty the lesson's own cells but for its imports: where an answer alone is the attack they add nothing
    but seconds."""
    shown = [c for c in nb["cells"] if c["cell_type"] == "code" and "nbgrader" not in c["metadata"]]
    for cell in shown[1:]:
        cell["source"] = ""


def submitted(folder, attack, facts):
    """The folder of a submission, as a teacher finds it under submitted/."""
    nb = json.loads(
        nbformat.writes(school.answered(attack.lesson, school.solution_cells(attack.lesson) | attack.answers))
    )
    if attack.change:
        attack.change(nb)
    if attack.cell:
        source = (f"FACTS = {facts!r}\n" if "FACTS" in attack.cell else "") + attack.cell
        nb["cells"].insert(
            0,
            {
                "cell_type": "code",
                "source": source,
                "metadata": {},
                "outputs": [],
                "execution_count": None,
                "id": "own",
            },
        )
    if not attack.cell and not attack.change and not attack.submit:
        leave_out_what_is_only_shown(nb)
    (folder / f"{attack.lesson}.ipynb").write_text(json.dumps(nb), encoding="utf-8")
    if attack.submit:
        attack.submit(folder)


def content(folder):
    """What lies in a folder, whatever its name: the bytes of its files, the targets of its links."""
    paths = [os.path.join(at, name) for at, folders, files in os.walk(folder) for name in [*folders, *files]]
    return {
        os.readlink(p).encode() if os.path.islink(p) else open(p, "rb").read()
        for p in paths
        if os.path.islink(p) or os.path.isfile(p)
    }


def graded(folder, examiner, lesson=LESSON, limits=LIMITS):
    """What `./course grade` does with one submission."""
    examiner.call(give, "{jail}", limits)
    return grade_one(task(folder, lesson), examiner=examiner)


def task(folder, lesson=LESSON):
    notes = submission.tidy(folder, lesson)
    data, more = submission.load(folder / f"{lesson}.ipynb")
    return Task(lesson, "eve", data, (*notes, *more))


@needs_walls
@pytest.mark.parametrize("kind, attack", CASES, ids=[f"{kind}-{attack.name}" for kind, attack in CASES])
def test_contained(kind, attack, tmp_path, examiner, facts):
    folder = tmp_path / "eve" / attack.lesson
    folder.mkdir(parents=True)
    submitted(folder, attack, facts)
    before = content(tmp_path)
    result = graded(folder, examiner, attack.lesson, BRIEF if attack.waits else LIMITS)
    verdicts, record = result.record["verdicts"], json.dumps(result.record, ensure_ascii=False)
    got = {n: v["points"] for n, v in verdicts.items()}
    ROWS.append(
        (
            kind,
            attack.name,
            got,
            sum(e.points for e in exercises_of(attack.lesson).values()),
            result.record["notes"],
            verdicts,
        )
    )
    for name, exercise in exercises_of(attack.lesson).items():
        if name in attack.lost:
            assert got[name] == 0, verdicts[name]
        elif name in attack.part:
            assert 0 < got[name] < exercise.points, verdicts[name]
        else:
            assert got[name] == exercise.points, (verdicts[name], result.record["notes"])
        assert result.scores[f"test_{name}"] == got[name]
    notebook = nbformat.reads(result.text, as_version=4)
    nbformat.validate(notebook)
    outputs = "".join(
        str(o.get("text") or o.get("data", {}).get("text/plain") or o.get("traceback"))
        for c in notebook.cells
        for o in c.get("outputs", ())
    )
    head = notebook.cells[0].source if notebook.cells[0].id == "submission-notes" else ""
    assert bool(head) == bool(result.record["notes"])
    for word in attack.notes:
        assert word in " ".join(result.record["notes"]) and word in head
    findings = json.dumps(verdicts, ensure_ascii=False) + outputs
    for word in attack.says:
        assert word in findings, findings
    for word in attack.shows:
        assert word in outputs, outputs[:2000]
    for word in ("OVER:", *attack.hides):
        assert (
            word not in record.replace(json.dumps(result.record["answers"], ensure_ascii=False), "")
            and word not in outputs + head
        )
    result.text.encode("utf-8"), record.encode("utf-8")
    assert len(record) < MOST and len(outputs) < MOST
    assert before <= content(tmp_path), "nothing of a submission is thrown away"


@needs_walls
def test_the_table(examiner, facts, tmp_path):
    """Printed by `pytest -s -k 'contained or table'`: what was submitted, what it got, what is said."""
    assert len(CASES) >= 60 and len({a.name for _, a in CASES}) == len(CASES)
    table = Table("kind", "submitted", "points", "said")
    for kind, name, got, most, notes, verdicts in ROWS:
        said = (
            notes[0]
            if notes
            else next(
                (f"{n}: {v['finding']}" for n, v in verdicts.items() if v["points"] < v["max_points"]), ""
            )
        )
        table.add_row(kind, name, f"{sum(got.values()):g} of {most:g}", said[:90])
    Console(width=170).print(table)
    total, right = sum(e.points for e in exercises_of(LESSON).values()), tmp_path / "right"
    right.mkdir()
    submitted(right, Attack("a right one"), facts)
    assert sum(graded(right, examiner).scores[f"test_{n}"] for n in exercises_of(LESSON)) == total, (
        "after all that, a right answer has its points"
    )


INF, NAN = float("inf"), float("nan")
ODD = [
    None,
    True,
    2**62,
    INF,
    NAN,
    (),
    (None,),
    (1,) * 5,
    ((((),),),),
    Foreign("x"),
    (Foreign("x"), Array(torch.zeros(2))),
    Array(torch.ones(3, dtype=torch.bool)),
    torch.zeros(0),
    torch.zeros(0, 3),
    torch.zeros(()),
    torch.zeros(1, 1, 1, 1, 1),
    torch.tensor(1j),
    torch.zeros(100, dtype=torch.complex128),
    torch.tensor(True),
    torch.full((3,), INF),
    torch.full((200,), NAN),
    torch.zeros(100, dtype=torch.uint8),
    torch.zeros(3, dtype=torch.bfloat16),
    torch.full((4,), 6e4, dtype=torch.float16),
    torch.tensor([2**63 - 1]),
]
GRADIENTS = [
    None,
    torch.zeros(0),
    torch.zeros(()),
    torch.zeros(3, dtype=torch.complex64),
    torch.full((8,), NAN),
    torch.zeros(3, dtype=torch.int64),
]


@pytest.mark.parametrize("lesson", ["00_tools", "03_bce_with_logits", "06_softmax"])
def test_whatever_comes_over_the_wire_is_judged(lesson):
    """Neither an exception of the judge's, nor a point."""
    for exercise in exercises_of(lesson).values():
        for i, value in enumerate(ODD):
            judged = judge(
                exercise,
                lambda q, names: Result(
                    value,
                    dict.fromkeys(names, GRADIENTS[i % 6]),
                    changed=("no name",) if i % 5 == 0 else (),
                    called=frozenset({"x"}),
                ),
                source="\0",
            )
            assert not judged.passed and judged.message and judged.html(), (exercise.name, value)
        for kind in (
            "NotImplementedError",
            "SyntaxError",
            "IndexError",
            "RuntimeError",
            "",
        ):
            judged = judge(
                exercise,
                lambda q, names: Result(
                    raised=Raised(kind, "<b>size of tensor a (3)" * 20, 10**8, "x" * 300)
                ),
            )
            assert not judged.points and judged.message and "<b>size" not in judged.html()


def with_a_fault(task, jail):
    """Over there: grade a submission by a judge that fails at one exercise."""

    def falls(exercise, *args, **kwargs):
        if exercise.name == "bce":
            raise ZeroDivisionError
        return judge(exercise, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(examine, "judge", falls)
        return grade_here(task, jail)


@needs_walls
def test_a_fault_of_the_judges_is_said_and_costs_nobody_else(facts, tmp_path, examiner):
    submitted(tmp_path, Attack("a right one"), facts)
    examiner.call(give, "{jail}", LIMITS)
    result = examiner.call(with_a_fault, task(tmp_path), "{jail}")
    assert (
        "`bce` could not be judged (ZeroDivisionError). A person has to look at it." in result.record["notes"]
    )
    assert result.scores["test_bce"] == 0 and result.scores["test_bce_grad"] > 0
