"""Grading a class with the real commands: right, resumable, only what changed, on a cluster, and one clear
sentence where it cannot."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dask
import psutil
import pytest
from distributed import Client, Security
from nbgrader.api import Gradebook
from typer.testing import CliRunner

from grader import demo
from grader.__main__ import app
from grader.classroom import record
from grader.course.build import ROOT
from grader.course.lessons import exercises_of
from grader.tests import school

LESSON = "02_bce"
POINTS = sum(e.points for e in exercises_of(LESSON).values())
OPEN = "lower_loss_fewer_right"
SUMS = 'def bce(p, y, reduction="mean"):\n    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).sum()\n'
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


def command(folder, *words):
    return [sys.executable, "-m", "grader", *map(str, words)], {
        "cwd": folder,
        "text": True,
        "stdin": subprocess.DEVNULL,
    }


def grader(folder, *words, code=0, **options):
    """Run `python -m grader …` in a folder: (standard output, standard error)."""
    line, settings = command(folder, *words)
    done = subprocess.run(line, capture_output=True, timeout=400, **settings, **options)
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def grade(folder, *words):
    """Grade as a machine reads it: (student -> its line, the summary). The command itself, in this process:
    its examiner is warm."""
    with contextlib.chdir(folder):
        done = CliRunner().invoke(app, ["grade", LESSON, "--json", "--jobs", "1", *words])
    assert done.exit_code == 0, f"{done.stdout}\n{done.stderr}"
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["student"]: line for line in lines[:-1]}, lines[-1]


def scores(folder, url=None):
    """student -> what the machine gave, from the gradebook."""
    with Gradebook(url or f"sqlite:///{folder}/gradebook.db") as book:
        return {
            s.student.id: sum(
                g.auto_score or 0 for nb in s.notebooks for g in nb.grades if g.name.startswith("test_")
            )
            for s in book.assignment_submissions(LESSON)
        }


def make(folder, count=0, lesson=LESSON, config=""):
    """A course's folder with a class of `count`, none of them odd: (folder, learners by name)."""
    demo.make_course(folder, lesson)
    with open(folder / "nbgrader_config.py", "a") as file:
        file.write(config)
    everybody = {x.name: x for x in demo.learners(lesson, count, odd=False)}
    for learner in everybody.values():
        demo.submit(folder, learner, lesson)
    return folder, everybody


def test_a_class_gets_its_grades_and_only_what_changed_is_graded_again(tmp_path):
    folder, everybody = make(tmp_path, 6)
    school.submit(folder, "hit", LESSON, school.answered(LESSON, {"bce": SUMS}))
    school.submit(folder, "empty", LESSON, b"")
    school.submit(folder, "nothing", LESSON, None)
    lines, summary = grade(folder, "--jobs", 2)
    assert summary == {"graded": 9, "why": {"new": 9}, "unchanged": 0, "failed": 0}
    given = scores(folder)
    assert given == {s: line["points"] for s, line in lines.items()}
    for learner in everybody.values():
        assert (given[learner.name] == POINTS) == learner.full, learner.what
    assert given["empty"] == given["nothing"] == 0 and lines["empty"]["notes"] and lines["nothing"]["notes"]
    verdict = record.load(folder / "autograded" / "hit" / LESSON)["verdicts"]["bce"]
    assert verdict["mistake"] == "You added the losses up. The mean divides their sum by N."

    before = (folder / "autograded" / "hit" / LESSON / f"{LESSON}.ipynb").stat().st_mtime_ns
    school.submit(folder, "empty", LESSON, school.answered(LESSON))
    # a record that the disk spoilt
    (folder / "autograded" / "nothing" / LESSON / record.FILE).write_text("{")
    lines, summary = grade(folder)
    assert {s: line["why"] for s, line in lines.items()} == {"empty": "resubmitted", "nothing": "new"}
    assert summary["unchanged"] == 7 and scores(folder) == given | {"empty": POINTS}
    assert (folder / "autograded" / "hit" / LESSON / f"{LESSON}.ipynb").stat().st_mtime_ns == before


def test_what_a_person_gave_stays_and_is_to_be_looked_at_again_where_the_answer_is_another(tmp_path):
    folder, _ = make(tmp_path)
    school.submit(folder, "ada", LESSON, school.answered(LESSON, open_answer="Because."))
    grade(folder)

    def by_hand(*given):
        with Gradebook(f"sqlite:///{folder}/gradebook.db") as book:
            grades = [book.find_grade(name, LESSON, LESSON, "ada") for name in ("test_bce", OPEN)]
            for cell in grades if given else ():
                cell.manual_score, cell.needs_manual_grade = *given, False
            book.db.commit()
            return [(cell.manual_score, cell.needs_manual_grade) for cell in grades]

    assert by_hand(1.5) == [(1.5, False), (1.5, False)]
    grade(folder, "--again")
    assert by_hand() == [(1.5, True), (1.5, False)]  # nobody reads the same words twice
    school.submit(folder, "ada", LESSON, school.answered(LESSON, open_answer="Because it is so."))
    assert grade(folder)[1]["why"] == {"resubmitted": 1}
    assert by_hand() == [(1.5, True), (1.5, True)]


HALF_A_POINT_A_DAY = """
from nbgrader.plugins import LateSubmissionPlugin
class Half(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return 0.5 * total_seconds_late / 86400
"""


def test_late_penalties_follow_the_due_date_and_extensions_without_grading_again(tmp_path, monkeypatch):
    # as nbgrader documents it: a file in the course's folder, named by its module and class
    folder, _ = make(tmp_path, config="c.AssignLatePenalties.plugin_class = 'late.Half'\n")
    (folder / "late.py").write_text(HALF_A_POINT_A_DAY)
    for student, day in (("early", 10), ("late", 14)):
        school.submit(folder, student, LESSON, school.answered(LESSON)).with_name("timestamp.txt").write_text(
            f"2026-03-{day} 12:00:00 UTC"
        )

    def penalties(due):
        with Gradebook(f"sqlite:///{folder}/gradebook.db") as book:
            book.update_or_create_assignment(LESSON, duedate=due)
        counts = grade(folder)[1]
        with Gradebook(f"sqlite:///{folder}/gradebook.db") as book:
            return counts["graded"], {
                s.student.id: s.late_submission_penalty for s in book.assignment_submissions(LESSON)
            }

    assert penalties("2026-03-12 12:00:00 UTC") == (2, {"early": 0, "late": 1.0})
    assert penalties("2026-03-09 12:00:00 UTC") == (0, {"early": 0.5, "late": 2.5})
    assert penalties("2026-03-20 12:00:00 UTC") == (0, {"early": 0, "late": 0})
    assert penalties("2026-03-09 12:00:00 UTC") == (0, {"early": 0.5, "late": 2.5})
    # more time for one learner, replaced by less, and taken back
    monkeypatch.chdir(folder)

    def extended(student, days):
        done = CliRunner().invoke(app, ["extend", LESSON, student, days])
        with Gradebook(f"sqlite:///{folder}/gradebook.db") as book:
            return done, book.find_submission(LESSON, "late").late_submission_penalty

    assert extended("late", "4")[1] == 0.5
    assert extended("late", "2.5")[1] == 1.25
    assert extended("late", "0")[1] == 2.5
    nobody, penalty = extended("nobody", "2")
    assert nobody.exit_code == 1 and "Grade it, then give the time" in nobody.output and penalty == 2.5


@pytest.fixture(scope="module")
def own_copy(tmp_path_factory):
    """A copy of the whole course, whose exercises a test may correct."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("grader", "solutions", "notebooks", "nbgrader_config.py"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "tests"))
        else:
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def test_a_corrected_exercise_regrades_the_class_and_nobody_hands_in_again(own_copy):
    school.submit(own_copy, "ada", LESSON, school.answered(LESSON))
    school.submit(own_copy, "bob", LESSON, school.answered(LESSON, {"bce": SUMS}))
    school.submit(own_copy, "ada", "01_sigmoid", school.answered("01_sigmoid"))
    words = ("grade", LESSON, "01_sigmoid", "--json", "--jobs", 1)
    grader(own_copy, *words)
    first = scores(own_copy)
    definitions = own_copy / "grader" / "exercises" / "bce.py"
    text = definitions.read_text()

    definitions.write_text(text.replace("You added the losses up.", "You added all of the losses up."))
    lines = [json.loads(line) for line in grader(own_copy, *words)[0].splitlines()]
    assert lines[-1] == {"graded": 1, "why": {"exercises changed": 1}, "unchanged": 2, "failed": 0}
    assert record.load(own_copy / "autograded" / "bob" / LESSON)["verdicts"]["bce"]["mistake"].startswith(
        "You added all of"
    )
    assert scores(own_copy) == first

    marked = re.sub(
        r"@exercise\(\s*points=3(?=[^@]*?\ndef bce\()", "@exercise(points=5", definitions.read_text()
    )
    assert marked != definitions.read_text()
    definitions.write_text(marked)
    assert f"./course build {LESSON}" in grader(own_copy, *words, code=1)[1]
    grader(own_copy, "build", LESSON)
    grader(own_copy, *words)
    assert scores(own_copy) == first | {"ada": first["ada"] + 2}
    with Gradebook(f"sqlite:///{own_copy}/gradebook.db") as book:
        assert book.find_grade_cell("test_bce", LESSON, LESSON).max_score == 5


# ---------------------------------------------------------------- killed at any moment


@pytest.mark.parametrize("seconds", [0.1, 0.5])
def test_a_coordinator_that_is_killed_loses_nothing(tmp_path, seconds):
    folder, everybody = make(tmp_path, 8)
    line, settings = command(folder, "grade", LESSON, "--json")
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True, **settings
    ) as run:
        wait_for(lambda: any((folder / "autograded").glob("*/*/*")), run)
        time.sleep(seconds)
        helpers = psutil.Process(run.pid).children(recursive=True)
        assert helpers
        run.kill()
        done = {json.loads(said)["student"] for said in run.stdout.read().splitlines() if '"student"' in said}
    # nor do workers and jails
    wait_for(lambda: not any(p.is_running() and p.status() != "zombie" for p in helpers))
    whole(folder)
    lines, summary = grade(folder)
    assert summary["graded"] + summary["unchanged"] == 8 and not done & set(lines)
    assert {s for s, points in scores(folder).items() if points == POINTS} == {
        x.name for x in everybody.values() if x.full
    }
    whole(folder, 8)


def test_a_worker_that_is_killed_loses_nothing(tmp_path):
    folder, everybody = make(tmp_path, 8)
    line, settings = command(folder, "grade", LESSON, "--json")
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, **settings
    ) as run:
        wait_for(lambda: any((folder / "autograded").glob("*/*/*")), run)
        workers = [
            p for p in psutil.Process(run.pid).children() if "grader.classroom.examiner" in p.cmdline()
        ]
        assert workers
        workers[0].kill()
        out, errors = run.communicate(timeout=300)
    assert run.returncode == 0, errors
    assert json.loads(out.splitlines()[-1])["failed"] == 0
    assert {s for s, points in scores(folder).items() if points == POINTS} == {
        x.name for x in everybody.values() if x.full
    }


def test_walls_that_break_in_the_middle_of_a_run_stop_it_in_a_sentence_and_it_goes_on_later(tmp_path):
    import nbformat

    folder, everybody = make(tmp_path / "course", 8)
    slow = school.answered(LESSON)
    slow.cells.insert(0, nbformat.v4.new_code_cell("import time\ntime.sleep(25)"))
    school.submit(folder, "learner2", LESSON, slow)
    bwrap, broken = tmp_path / "bin" / "bwrap", tmp_path / "broken"
    bwrap.parent.mkdir()
    bwrap.write_text(
        f'#!/bin/sh\n[ -e {broken} ] && echo "No permissions" >&2 && exit 1\nexec {shutil.which("bwrap")} "$@"\n'
    )
    bwrap.chmod(0o755)
    line, settings = command(folder, "grade", LESSON, "--jobs", "1")
    with subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PATH": f"{bwrap.parent}:{os.environ['PATH']}"},
        **settings,
    ) as run:
        wait_for(lambda: (folder / "autograded" / "learner1" / LESSON / record.FILE).exists(), run)
        broken.touch()
        for process in psutil.Process(run.pid).children(recursive=True):
            if process.name() == "bwrap":
                process.kill()
        _, errors = run.communicate(timeout=300)
    assert run.returncode == 1 and re.search(
        r"5 submissions in a row were not graded.*No permissions.*it goes on from here", errors
    ), errors
    assert "Traceback" not in errors and "not graded. " not in errors
    assert list(scores(folder)) == ["learner1"]
    whole(folder, 1)

    demo.submit(folder, everybody["learner2"], LESSON)
    assert grade(folder)[1] == {"graded": 7, "why": {"new": 7}, "unchanged": 1, "failed": 0}
    assert {s for s, points in scores(folder).items() if points == POINTS} == {
        x.name for x in everybody.values() if x.full
    }
    whole(folder, 8)


def whole(folder, count=None):
    """Every record belongs to a whole notebook, and the gradebook knows it."""
    known = scores(folder)
    records = sorted((folder / "autograded").glob(f"*/{LESSON}/{record.FILE}"))
    assert count is None or len(records) == len(known) == count
    for path in records:
        verdicts = json.loads(path.read_text())["verdicts"]
        assert known[path.parent.parent.name] == sum(v["points"] for v in verdicts.values())
        json.loads(path.with_name(f"{LESSON}.ipynb").read_text())


def wait_for(true, run=None, seconds=240):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        assert run is None or run.poll() is None, run.stderr.read() if run.stderr else "it ended"
        time.sleep(0.05)


def at_work(process):
    """Is it running still? One that has ended and is not yet collected is not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def members(session):
    """The processes of a session that are still at work."""
    children = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, sid = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(sid) == session and state != "Z":
            children.append(int(path.parent.name))
    return children


# ---------------------------------------------------------------- a cluster


def certificates(folder):
    """Certificates of one authority that nobody else has, as files; the environment that tells Dask of them."""
    made = Security.temporary().get_tls_config_for_role("client")
    files = {part: folder / f"{part}.pem" for part in ("ca_file", "cert", "key")}
    for part, file in files.items():
        file.write_text(made[part])
    settings = {"DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(files["ca_file"])}
    for role in ("CLIENT", "SCHEDULER", "WORKER"):
        for part in ("cert", "key"):
            settings[f"DASK_DISTRIBUTED__COMM__TLS__{role}__{part.upper()}"] = str(files[part])
    return settings


@contextlib.contextmanager
def cluster(folder, *workers, protocol="tcp"):
    """An ordinary `dask scheduler`, and ordinary `dask worker`s in another folder: yields the address and the
    processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"{protocol}://127.0.0.1:{free.getsockname()[1]}"
    program, started = Path(sys.executable).with_name("dask"), []
    quiet = {
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "cwd": folder,
        "start_new_session": True,
        "env": os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])},
    }  # where there is a course in that folder, it is the one that they have
    try:
        started.append(subprocess.Popen([program, "scheduler", "--host", address, "--no-dashboard"], **quiet))
        for options in workers:
            started.append(
                subprocess.Popen([program, "worker", address, "--no-dashboard", *options], **quiet)
            )
        yield address, started
    finally:
        for process in started:
            for pid in members(process.pid):
                os.kill(pid, signal.SIGKILL)
            process.wait()


def joined(address, count):
    with Client(address, timeout=120) as client:
        client.wait_for_workers(count, timeout=120)


def test_submissions_travel_by_tls_to_dask_workers_and_one_that_is_killed_loses_nothing(
    tmp_path, monkeypatch
):
    folder, everybody = make(tmp_path / "course", 8)
    (tmp_path / "elsewhere").mkdir()
    for name, value in certificates(tmp_path).items():
        monkeypatch.setenv(name, value)
    dask.config.refresh()
    two = ["--nthreads", "1", "--no-nanny"], ["--nthreads", "2"]
    with cluster(tmp_path / "elsewhere", *two, protocol="tls") as (address, (_, first, _)):
        joined(address, 2)
        with pytest.raises(OSError):  # whoever has certificates of another authority
            Client(address, security=Security.temporary(), timeout=2)
        line, settings = command(folder, "grade", LESSON, "--json", "--scheduler", address)
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **settings) as run:
            wait_for(lambda: any((folder / "autograded").glob("*/*/*")), run)
            first.kill()
            out, errors = run.communicate(timeout=300)
        assert run.returncode == 0, errors
        assert json.loads(out.splitlines()[-1]) == {
            "graded": 8,
            "why": {"new": 8},
            "unchanged": 0,
            "failed": 0,
        }
    assert {s for s, points in scores(folder).items() if points == POINTS} == {
        x.name for x in everybody.values() if x.full
    }
    assert not any((tmp_path / "elsewhere").rglob("*.ipynb"))


def test_a_worker_with_another_version_of_the_course_is_refused(tmp_path, own_copy):
    folder, _ = make(tmp_path, 1)
    with (own_copy / "grader" / "judging" / "judge.py").open("a") as judge:
        judge.write("\n# another version\n")
    with cluster(own_copy, ["--nthreads", "1"]) as (address, _):
        joined(address, 1)
        out, errors = grader(folder, "grade", LESSON, "--scheduler", address, "--open-scheduler", code=1)
    assert "another version of the course" in errors


# ---------------------------------------------------------------- PostgreSQL


@pytest.fixture(scope="module")
def postgres():
    """A PostgreSQL server of our own: its URL."""
    if not POSTGRES:
        pytest.skip("PostgreSQL's server is not installed (Debian: postgresql)")
    programs, folder = (
        POSTGRES[-1].parent,
        Path(tempfile.mkdtemp(prefix="grader-postgres-")),
    )  # pytest's own folders are root's alone
    as_user = []
    if os.geteuid() == 0:  # it does not run as root
        os.chown(folder, 65534, 65534)
        as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

    def run(*words):
        subprocess.run(
            [*as_user, *map(str, words)],
            check=True,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    run(programs / "initdb", "-D", folder / "data", "-U", "teacher", "-A", "trust", "--no-sync")
    run(
        programs / "pg_ctl",
        "-D",
        folder / "data",
        "-w",
        "-l",
        folder / "log",
        "-o",
        f"-c listen_addresses='' -k {folder}",
        "start",
    )
    run(programs / "createdb", "-h", folder, "-U", "teacher", "losses")
    yield f"postgresql+psycopg://teacher@/losses?host={folder}"
    run(programs / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")
    shutil.rmtree(folder)


def test_postgresql_holds_the_same_gradebook(tmp_path, postgres):
    folder, everybody = make(tmp_path, 6, config=f"c.CourseDirectory.db_url = {postgres!r}\n")
    lines, summary = grade(folder)
    assert summary["graded"] == 6 and not (folder / "gradebook.db").exists()
    assert scores(folder, postgres) == {s: line["points"] for s, line in lines.items()}
    assert {s for s, points in scores(folder, postgres).items() if points == POINTS} == {
        x.name for x in everybody.values() if x.full
    }
    assert grade(folder)[1] == {"graded": 0, "why": {}, "unchanged": 6, "failed": 0}


# ---------------------------------------------------------------- what goes wrong, in a sentence


def nobody(folder):
    shutil.rmtree(folder / "submitted")


def locked(folder):
    import sqlite3

    held = sqlite3.connect(folder / "gradebook.db")
    held.execute("create table t (x)")
    held.commit()
    held.execute("begin exclusive")
    return held


def no_database(folder):
    (folder / "gradebook.db").write_bytes(b"this is no database" * 100)


def configured(line):
    return lambda folder: (folder / "nbgrader_config.py").open("a").write(line)


@pytest.mark.parametrize(
    ("words", "spoil", "says"),
    [
        ([LESSON], nobody, f"There are no submissions of {LESSON} under submitted/"),
        (
            [LESSON, "--scheduler", "tcp://127.0.0.1:9", "--open-scheduler"],
            None,
            "There is no Dask scheduler at tcp://127.0.0.1:9",
        ),
        (
            [LESSON, "--scheduler", "tls://127.0.0.1:9"],
            None,
            "There is no Dask scheduler at tls://127.0.0.1:9",
        ),
        ([LESSON, "--scheduler", "tcp://127.0.0.1:9"], None, "is not reached by TLS"),
        (
            [LESSON, "--scheduler", "nonsense://x", "--open-scheduler"],
            None,
            "There is no Dask scheduler at nonsense://x",
        ),
        ([LESSON], locked, "Is another program using it"),
        ([LESSON], no_database, "file is not a database"),
        (
            [LESSON],
            configured("c.CourseDirectory.db_url = 'postgresql+psycopg://teacher:secret@127.0.0.1:9/x'\n"),
            "cannot be opened",
        ),
        ([LESSON], configured("c.CourseDirectory.db_url = 'nonsense'\n"), "cannot be opened"),
        (
            [LESSON],
            lambda folder: (folder / "nbgrader_config.py").unlink(),
            "There is no nbgrader_config.py in",
        ),
    ],
)
def test_what_cannot_be_graded_is_one_sentence_and_nothing_is_written(
    tmp_path, monkeypatch, words, spoil, says
):
    folder, _ = make(tmp_path, 1)
    held = spoil(folder) if spoil else None
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(app, ["grade", *words])
    errors = done.stderr
    assert done.exit_code == 1 and done.exception.__class__ is SystemExit, done.output
    assert says in errors and "secret" not in errors and len(errors.strip().splitlines()) <= 2, errors
    assert not list((folder / "autograded").rglob("*.*b*"))
    del held


def test_a_full_disk_is_one_sentence_and_the_same_command_goes_on(tmp_path):
    import resource

    folder, _ = make(tmp_path, 2)
    grade(folder)
    big = (folder / "gradebook.db").stat().st_size
    shutil.rmtree(folder / "autograded")
    before = scores(folder)
    out, errors = grader(
        folder,
        "grade",
        LESSON,
        "--jobs",
        1,
        code=1,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY)),
    )
    assert "run the same command again" in errors and "Traceback" not in errors
    assert big > 10_000 and scores(folder) == before and not list(folder.rglob("*.part"))
    whole(folder)
    assert grade(folder)[1]["graded"] == 2
    whole(folder, 2)


def test_two_runs_in_one_folder_do_not_meet(tmp_path):
    folder, _ = make(tmp_path, 2)
    line, settings = command(folder, "grade", LESSON)
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **settings) as run:
        wait_for(lambda: (folder / "autograded" / ".grading").exists(), run)
        assert "Another `grade` is running" in grader(folder, "grade", LESSON, code=1)[1]
    assert run.returncode == 0
