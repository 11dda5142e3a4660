"""Another user of the same machine gains nothing while a class is graded, and nothing when it is collected."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import psutil
import pytest

from grader.classroom import submission
from grader.jail import doctor
from grader.tests import school
from grader.tests.attacks import collecting
from grader.tests.attacks.collecting import PRANKS, SWAPS
from grader.tests.attacks.neighbouring import PRELUDE, PROBES
from grader.tests.grading.test_grade import LESSON, command, make

NEIGHBOUR, OTHER = 65534, 65533  # uids of nobody in particular
LISTENS_TCP, LISTENS_UNIX = "0A", 0x10000  # as /proc/net/tcp and /proc/net/unix say it
pytestmark = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0 or not shutil.which("setpriv") or not doctor.walls().ok,
    reason="needs root, to become another user, and walls",
)


def as_user(uid, code, facts, timeout=120):
    """Run a program as another user: what it prints."""
    program = f"FACTS = {facts!r}\n{PRELUDE}\n{code}"
    done = subprocess.run(
        [
            "setpriv",
            f"--reuid={uid}",
            f"--regid={uid}",
            "--clear-groups",
            sys.executable,
            "-I",
            "-c",
            program,
        ],
        cwd="/",
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def facts_of(pid, course):
    """What can be known from outside of a running program: its processes, the ports and names that they
    listen on, their folders."""
    processes = [pid, *(p.pid for p in psutil.Process(pid).children(recursive=True))]
    inodes, folders = set(), set()
    for process in processes:
        with contextlib.suppress(OSError):
            for link in Path(f"/proc/{process}/fd").iterdir():
                with contextlib.suppress(OSError):
                    target = os.readlink(link)
                    inodes |= {target[8:-1]} if target.startswith("socket:[") else set()
                    folders |= (
                        {str(Path(target).parent)}
                        if target.startswith(tempfile.gettempdir() + "/")
                        else set()
                    )
    ports = []
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENS_TCP and fields[9] in inodes:
                ports.append(("127.0.0.1", int(fields[1].split(":")[1], 16)))
    unix = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    names = [f[7] for f in unix if f[6] in inodes and int(f[3], 16) & LISTENS_UNIX and len(f) > 7]
    folders.discard(tempfile.gettempdir())  # everybody's
    return {
        "processes": processes,
        "ports": ports,
        "names": names,
        "folders": sorted(folders),
        "course": str(course),
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A class that is being graded, in a folder of mode 0700: the facts about it, gathered while its examiners work."""
    folder, _ = make(tmp_path_factory.mktemp("class"), 6)
    folder.chmod(0o700)
    line, settings = command(folder, "grade", LESSON, "--jobs", 1, "--again")
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **settings) as grading:
        end = time.monotonic() + 120
        while not list((folder / "autograded").glob("*/*/*.ipynb")):
            assert grading.poll() is None and time.monotonic() < end, grading.stderr.read()
            time.sleep(0.05)
        os.kill(grading.pid, 19)  # it stands still as it is, so that every probe meets it at work
        try:
            yield facts_of(grading.pid, folder)
        finally:
            os.kill(grading.pid, 18)
            grading.communicate(timeout=300)
    assert grading.returncode == 0, "the run went on to its end, whatever was tried"


@pytest.mark.parametrize("probe", PROBES, ids=[p.name for p in PROBES])
def test_a_neighbour_gets_nothing_out_of_a_run(run, probe):
    assert len(run["processes"]) >= 3, "the coordinator, an examiner and its jail are there"
    said = as_user(NEIGHBOUR, probe.code, run)
    print(said)
    assert "held:" in said and "OVER:" not in said


def test_a_run_on_this_machine_listens_on_nothing(run):
    assert run["ports"] == [] and run["names"] == []


def test_the_probe_finds_a_scheduler_without_a_secret():
    """The same neighbour at a scheduler as anybody starts one: so much for the probe."""
    program = (
        "from distributed import LocalCluster\nimport time\nwith LocalCluster(n_workers=0, "
        "dashboard_address=None): time.sleep(300)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL) as scheduler:
        try:
            end = time.monotonic() + 60
            while not (facts := facts_of(scheduler.pid, "/"))["ports"] and time.monotonic() < end:
                time.sleep(0.2)
            said = as_user(NEIGHBOUR, PROBES[0].code, facts)
        finally:
            scheduler.kill()
    assert "OVER: dask ('uid', 0)" in said


# ---------------------------------------------------------------- collecting


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """A course whose exchange holds every prank: its folder, what `collect` says, how long it took."""
    root = tmp_path_factory.mktemp("collected")
    home = school.make(root, collecting.LESSON, config="c.CourseDirectory.max_dir_size = 20000\n")
    inbound = home / "exchange" / "losses" / "inbound"
    inbound.mkdir(parents=True)
    for prank in PRANKS:
        prank.make(inbound)
    start = time.monotonic()
    said = school.nbgrader(home, "collect", collecting.LESSON)
    return home, said, time.monotonic() - start


@pytest.mark.parametrize("prank", PRANKS, ids=[p.name for p in PRANKS])
def test_what_lies_in_the_exchange_is_its_owners_and_nobody_elses_trouble(collected, prank):
    home, said, seconds = collected
    place = home / "submitted" / prank.student / collecting.LESSON
    notebook = place / f"{collecting.LESSON}.ipynb"
    if prank.work is None:
        assert not place.exists() or notebook.read_text() == ""
    else:
        assert prank.work in notebook.read_text()
    for path in place.rglob("*") if place.exists() else ():
        assert not path.is_symlink() and path.stat().st_size < 1 << 20
        assert path.is_dir() or not any(word in path.read_text() for word in prank.absent)
    for word in prank.says:
        assert word in said, said
    assert seconds < 120 and not list(home.glob(".collect-*"))


def test_a_learner_without_a_time_is_late_by_the_time_of_the_folder(collected):
    """Its name says January, and may say anything; when the folder was last changed no learner can set."""
    home, _, _ = collected
    stamp = submission.timestamp(home / "submitted" / "daemon" / collecting.LESSON)
    assert (
        abs(stamp.timestamp() - time.time()) < 86_400
        or abs((stamp - datetime.now()).total_seconds()) < 86_400
    )


@pytest.mark.parametrize("swap", SWAPS, ids=[s.__name__ for s in SWAPS])
def test_what_is_swapped_while_it_is_copied_brings_nothing(tmp_path, monkeypatch, swap):
    secret, place = tmp_path / "secret", tmp_path / "exchange" / "eve"
    for folder, text in ((secret, collecting.SECRET), (place, "own"), (place / "sub", "own")):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "z.ipynb").write_text(text)
    (place / "a.bin").write_bytes(bytes(1000))
    collecting.owned(secret, OTHER)
    collecting.owned(place, NEIGHBOUR)
    copied, done = submission._Copy.file, []

    def copy_and_swap(self, opened, to):
        copied(self, opened, to)
        if not done:
            done.append(swap(place, secret))

    monkeypatch.setattr(submission._Copy, "file", copy_and_swap)
    bounds = submission.Bounds(20 << 20)
    submission.copy(place, tmp_path / "copied", "z", bounds, owner=lambda uid: uid == NEIGHBOUR)
    kept = [p for p in (tmp_path / "copied").rglob("*") if not p.is_dir()]
    assert done and kept and not any(p.is_symlink() for p in kept)
    assert not any(collecting.SECRET.encode() in p.read_bytes() for p in kept)
    assert sum(p.stat().st_size for p in kept) < 20 << 20


def test_a_folder_of_somebody_elses_is_not_copied(tmp_path):
    place = tmp_path / "eve"
    place.mkdir()
    collecting.owned(place, OTHER)
    with pytest.raises(submission.NotTheirs):
        submission.copy(
            place, tmp_path / "copied", "z", submission.Bounds(1000), owner=lambda uid: uid == NEIGHBOUR
        )


def test_twice_as_many_odd_files_take_twice_as_long(tmp_path):
    """Names that are all alike where they are cut: 500, then 1,000 of them."""
    took = []
    for count in (500, 1000):
        place = tmp_path / str(count)
        place.mkdir()
        for number in range(count - 1):
            (place / ("x" * 240 + f"{number:04d}")).symlink_to("/etc/passwd")
        start = time.process_time()
        submission.copy(place, tmp_path / f"copied{count}", "z", submission.Bounds(1 << 20))
        took.append(time.process_time() - start)
    assert took[1] < 4 * took[0] + 0.5, took
