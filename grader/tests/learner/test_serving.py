"""`lab` in a terminal: a few lines that say where the course is, the same course when it is asked for twice,
one Ctrl+C that ends it."""

import os
import re
import select
import subprocess
import sys
import time

import pytest

pty = pytest.importorskip("pty")
SECONDS = 120


def until(terminal, words):
    """What the terminal says until it says these words, or until it closes."""
    said, ends = b"", time.monotonic() + SECONDS
    while time.monotonic() < ends and words not in said:
        ready, _, _ = select.select([terminal], [], [], 0.5)
        try:
            said += os.read(terminal, 10_000) if ready else b""
        except OSError:  # closed: the program has ended
            break
    return said.decode()


def test_one_course_four_lines_and_one_interrupt(tmp_path):
    command = [sys.executable, "-m", "grader", "lab", "--no-browser", "--port=18432"]
    clean = {
        k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY", "NBGRADER", "PYTEST"))
    }
    place = clean | {"HOME": str(tmp_path), "GRADER_WORK": str(tmp_path / "work")}
    ours, theirs = pty.openpty()
    server = subprocess.Popen(
        command, cwd=tmp_path, env=place, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    try:
        said = until(ours, b"ssh -N -L")
        lines = [line for line in said.splitlines() if line.strip()]
        assert len(lines) == 4, said
        address = re.search(r"The course is open at (http://localhost:\d+/start\?token=\w+)", said)[1]
        assert str(tmp_path / "work") in said and "Ctrl+C here ends it" in said

        again = subprocess.run(
            command, cwd=tmp_path, env=place, capture_output=True, text=True, timeout=SECONDS
        )
        assert again.returncode == 0 and again.stdout.strip() == f"The course is open already, at {address}"

        os.killpg(server.pid, 2)  # as Ctrl+C does: for everybody in the terminal's foreground
        assert server.wait(SECONDS) == 0
        os.close(theirs)
        assert "Traceback" not in until(ours, b"\0")[:5000]
    finally:
        if server.poll() is None:
            os.killpg(server.pid, 9)
