"""Another user of the same machine gains nothing while a class is graded, and nothing when it is collected."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from grader.jail import doctor
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
    """What can be known from outside of a running program: its processes, the ports and names that they listen on, their folders."""
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
    program = "from distributed import LocalCluster\nimport time\nwith LocalCluster(n_workers=0, dashboard_address=None): time.sleep(300)"
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL) as scheduler:
        try:
            end = time.monotonic() + 60
            while not (found := facts_of(scheduler.pid, "/"))["ports"] and time.monotonic() < end:
                time.sleep(0.2)
            said = as_user(NEIGHBOUR, PROBES[0].code, found)
        finally:
            scheduler.kill()
    assert "OVER: dask ('uid', 0)" in said
